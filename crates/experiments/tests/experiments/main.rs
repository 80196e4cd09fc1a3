//! What the experiments are made of, from outside.

mod cliffs_and_clipping;
mod trials;
