//! One flat buffer of parameters with named spans.

use ndarray::{ArrayView2, ArrayViewMut2};
use std::ops::Range;

/// Where a tensor lies in a flat buffer: row-major, densely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its name, as in PyTorch's `state_dict`.
    pub name: String,
    /// Rows and columns; a vector is one row.
    pub shape: [usize; 2],
    /// The index of its first element.
    pub start: usize,
}

impl Span {
    /// The number of elements.
    #[expect(clippy::len_without_is_empty, reason = "a span is never empty")]
    pub fn len(&self) -> usize {
        self.shape[0] * self.shape[1]
    }
    /// The indices of its elements.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.len()
    }
}

/// All parameters of a network in one flat buffer.
///
/// Optimizers and clipping see the flat slice, cells and the tape see the named matrices in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters<T> {
    /// All elements, span after span.
    pub values: Vec<T>,
    spans: Vec<Span>,
}

impl<T> Default for Parameters<T> {
    fn default() -> Self {
        Parameters { values: Vec::new(), spans: Vec::new() }
    }
}

impl<T: Copy> Parameters<T> {
    /// Adds a matrix of zeros (or what `value` is). Panics if the name is taken or the matrix is empty.
    pub fn push(&mut self, name: impl Into<String>, shape: [usize; 2], value: T) {
        let (name, start) = (name.into(), self.values.len());
        assert!(self.find(&name).is_none(), "there is a parameter `{name}` already");
        assert!(shape[0] * shape[1] > 0, "the parameter `{name}` is empty: {shape:?}");
        self.values.resize(start + shape[0] * shape[1], value);
        self.spans.push(Span { name, shape, start });
    }
    /// The spans, in order; together they cover the buffer.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }
    /// The span of a name.
    pub fn find(&self, name: &str) -> Option<&Span> {
        self.spans.iter().find(|s| s.name == name)
    }
    /// The span of a name. Panics, naming those that exist, if there is none.
    #[track_caller]
    pub fn span(&self, name: &str) -> &Span {
        self.find(name).unwrap_or_else(|| {
            let have: Vec<_> = self.spans.iter().map(|s| s.name.as_str()).collect();
            panic!("no parameter `{name}`; there are: {}", have.join(", "))
        })
    }
    /// A parameter as a matrix. Panics if there is none of the name.
    #[track_caller]
    pub fn view(&self, name: &str) -> ArrayView2<'_, T> {
        let s = self.span(name);
        ArrayView2::from_shape(s.shape, &self.values[s.range()]).expect("a span has its shape's length")
    }
    /// A parameter as a matrix to write to. Panics if there is none of the name.
    #[track_caller]
    pub fn view_mut(&mut self, name: &str) -> ArrayViewMut2<'_, T> {
        let s = self.span(name).clone();
        ArrayViewMut2::from_shape(s.shape, &mut self.values[s.range()])
            .expect("a span has its shape's length")
    }
    /// All parameters as matrices to write to, in order.
    pub fn views_mut(&mut self) -> impl Iterator<Item = (&Span, ArrayViewMut2<'_, T>)> {
        let mut rest = &mut self.values[..];
        self.spans.iter().map(move |span| {
            let (values, behind) = std::mem::take(&mut rest).split_at_mut(span.len());
            rest = behind;
            let view = ArrayViewMut2::from_shape(span.shape, values);
            (span, view.expect("a span has its shape's length"))
        })
    }
    /// The same spans over other numbers.
    #[must_use]
    pub fn map<U>(&self, f: impl FnMut(T) -> U) -> Parameters<U> {
        Parameters { values: self.values.iter().copied().map(f).collect(), spans: self.spans.clone() }
    }
}
