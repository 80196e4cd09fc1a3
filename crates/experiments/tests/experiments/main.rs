//! What the experiments are made of, from outside.

mod cliffs_and_clipping;
mod gates_one_by_one;
mod not_vanishing_is_not_enough;
mod trials;
