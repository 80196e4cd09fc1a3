//! The elementary functions as equations that `slice::pointwise` takes.

use longlag_numerics::{Pointwise, Real};

macro_rules! functions {
    ($($name:ident)*) => {$(
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy)]
        pub(crate) struct $name;
        impl Pointwise<1, 1> for $name {
            #[inline(always)]
            fn apply<R: Real>(&self, [x]: [R; 1]) -> [R; 1] {
                [R::$name(x)]
            }
        }
    )*};
}
functions! { exp exp_m1 ln ln_1p tanh sigmoid }
