//! Checks of what a config says. They stand in the reading of each number, so that a mistake is told with its line.

use serde::{Deserialize, Deserializer, de::Error};
use std::fmt::Display;

fn read<'de, D, T>(from: D, fits: impl Fn(&T) -> bool, must: &str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Display,
{
    let x = T::deserialize(from)?;
    if fits(&x) { Ok(x) } else { Err(D::Error::custom(format_args!("{x} must be {must}"))) }
}

/// A number from 0 on.
pub(crate) fn non_negative<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    read(from, |x| *x >= 0.0, "0 or more")
}

/// A number from 0 on, or none.
pub(crate) fn some_non_negative<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    match Option::<f64>::deserialize(from)? {
        Some(x) if x.is_nan() || x < 0.0 => Err(D::Error::custom(format_args!("{x} must be 0 or more"))),
        x => Ok(x),
    }
}

/// A number from 0 to below 1, the share of the past that a running average keeps.
pub(crate) fn below_one<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    read(from, |x| (0.0..1.0).contains(x), "at least 0 and below 1")
}

/// The least and the greatest momentum, or none.
pub(crate) fn some_momenta<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[f64; 2]>, D::Error> {
    let momenta = Option::<[f64; 2]>::deserialize(from)?;
    match momenta.iter().flatten().find(|x| !(0.0..1.0).contains(*x)) {
        Some(x) => Err(D::Error::custom(format_args!("{x} must be at least 0 and below 1"))),
        None => Ok(momenta),
    }
}

/// A number from 0 to 1, a share.
pub(crate) fn share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    read(from, |x| (0.0..=1.0).contains(x), "at least 0 and at most 1")
}

/// A number above 0.
pub(crate) fn positive<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    read(from, |x| *x > 0.0, "above 0")
}

/// A whole number from 1 on.
pub(crate) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    read(from, |x| *x > 0, "1 or more")
}

/// For options that a config leaves out: what was written before they existed reads and writes as it did.
pub(crate) fn is_default<T: Default + PartialEq>(x: &T) -> bool {
    *x == T::default()
}
