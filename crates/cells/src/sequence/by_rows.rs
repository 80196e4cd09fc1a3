//! Splitting what belongs to rows of the batch, so that threads can share them out.

use crate::fused::MAX_GROUPS;
use longlag_numerics::panel::{Matrix, Rows};
use std::ops::Range;

/// Something for each of some rows.
pub(super) trait ByRows: Sized {
    /// What belongs to the first `at` rows, and the rest.
    fn split(self, at: usize) -> (Self, Self);
}

impl ByRows for Range<usize> {
    fn split(self, at: usize) -> (Self, Self) {
        let middle = self.start + at;
        (self.start..middle, middle..self.end)
    }
}

impl<T: Copy> ByRows for Rows<'_, T> {
    fn split(self, at: usize) -> (Self, Self) {
        Rows::split(self, at)
    }
}

impl<P: ByRows> ByRows for Option<P> {
    fn split(self, at: usize) -> (Self, Self) {
        self.map(|part| part.split(at)).unzip()
    }
}

impl<T: Copy> ByRows for OfGroups<'_, T> {
    fn split(self, at: usize) -> (Self, Self) {
        let [mut first, mut rest] = [const { [const { None }; MAX_GROUPS] }; 2];
        for (g, rows) in self.into_iter().enumerate() {
            (first[g], rest[g]) = rows.split(at);
        }
        (first, rest)
    }
}

/// Splits a struct by splitting each of its fields.
macro_rules! by_rows {
    ($of:ident: $($field:ident)*) => {
        impl<T: Copy> ByRows for $of<'_, T> {
            fn split(self, at: usize) -> (Self, Self) {
                $(let $field = self.$field.split(at);)*
                ($of { $($field: $field.0),* }, $of { $($field: $field.1),* })
            }
        }
    };
}
pub(super) use by_rows;

/// Rows of something for each group, where the group has it.
pub(super) type OfGroups<'a, T> = [Option<Rows<'a, T>>; MAX_GROUPS];

/// As matrices; `absent` where there are none.
pub(super) fn matrices<'a, T: Copy>(
    rows: &'a mut OfGroups<'_, T>,
    absent: Matrix<'a, T>,
) -> [Matrix<'a, T>; MAX_GROUPS] {
    rows.each_mut()
        .map(|rows| rows.as_mut().map_or(absent, |rows| rows.matrix()))
}
