//! What the experiments are made of, from outside.

mod long_lag_race;
mod trials;
mod which_gate_matters;
