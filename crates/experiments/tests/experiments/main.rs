//! What the experiments are made of, from outside.

mod not_vanishing_is_not_enough;
mod trials;
mod truncation_and_detaching;
