//! What the experiments are made of, from outside.

mod cliffs_and_clipping;
mod gates_one_by_one;
mod initialisation;
mod learning_rate_and_optimizer;
mod long_lag_race;
mod lstm_can_explode;
mod normalisation;
mod not_vanishing_is_not_enough;
mod overfitting_is_another_problem;
mod trials;
mod truncation_and_detaching;
mod which_gate_matters;
