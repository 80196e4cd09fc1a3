//! What the experiments are made of, from outside.

mod initialisation;
mod normalisation;
mod trials;
