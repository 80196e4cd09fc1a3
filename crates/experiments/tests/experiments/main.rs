//! What the experiments are made of, from outside.

mod gates_one_by_one;
mod lstm_can_explode;
mod trials;
