//! Which instruction set the kernels run with.
//!
//! The fastest set that the CPU has is used unless [`cap`] says otherwise. Every set gives the same bits;
//! capping is a testing aid (the binary and the tests read it from `LONGLAG_ISA`).

use crate::lanes::{Float, Lanes};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Isa {
    /// Scalar code for any CPU.
    Portable = 0,
    /// x86-64 with AVX2 and FMA.
    Avx2 = 1,
    /// x86-64 with AVX-512 F and DQ.
    Avx512 = 2,
    /// 64-bit ARM with NEON, which every one of them has.
    Neon = 3,
}

impl Isa {
    const ALL: [Isa; 4] = [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Neon];

    /// The name that `LONGLAG_ISA` takes: `portable`, `avx2`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        ["portable", "avx2", "avx512", "neon"][self as usize]
    }

    /// Whether this CPU can run it and this program has kernels for it.
    pub fn supported(self) -> bool {
        match self {
            Isa::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && Isa::Avx2.supported()
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => true,
            _ => false,
        }
    }

    /// All that this CPU can run, slowest first.
    pub fn available() -> Vec<Isa> {
        Isa::ALL.into_iter().filter(|i| i.supported()).collect()
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why an instruction set can't be chosen.
#[derive(Debug, PartialEq, Eq)]
pub enum IsaError {
    /// No instruction set has this name.
    Unknown(String),
    /// This CPU, or this program on it, doesn't have it.
    Unsupported(Isa),
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let have: Vec<_> = Isa::available().into_iter().map(Isa::name).collect();
        match self {
            IsaError::Unknown(name) => write!(f, "no instruction set is called `{name}`")?,
            IsaError::Unsupported(isa) => {
                write!(f, "the instruction set `{isa}` can't be used on this machine")?
            }
        }
        write!(f, "; there is: {}", have.join(", "))
    }
}
impl std::error::Error for IsaError {}

impl FromStr for Isa {
    type Err = IsaError;
    fn from_str(s: &str) -> Result<Isa, IsaError> {
        let found = Isa::ALL.into_iter().find(|i| i.name() == s);
        found.ok_or_else(|| IsaError::Unknown(s.to_string()))
    }
}

/// No choice made yet.
const UNSET: u8 = u8::MAX;
static ACTIVE: AtomicU8 = AtomicU8::new(UNSET);
/// A bit for each set whose kernels were entered.
static RAN: AtomicU8 = AtomicU8::new(0);

/// The set in use, for the whole process.
#[inline]
pub fn active() -> Isa {
    match ACTIVE.load(Relaxed) {
        UNSET => choose(),
        i => Isa::ALL[i as usize],
    }
}

/// Takes the best set, unless somebody has just chosen one.
#[cold]
#[inline(never)]
fn choose() -> Isa {
    let best = *Isa::available().last().expect("the portable set is always there");
    match ACTIVE.compare_exchange(UNSET, best as u8, Relaxed, Relaxed) {
        Ok(_) => best,
        Err(chosen) => Isa::ALL[chosen as usize],
    }
}

/// Uses `isa` from now on, for the whole process.
///
/// # Errors
/// If this machine can't run it; the set in use stays as it was.
pub fn cap(isa: Isa) -> Result<(), IsaError> {
    if !isa.supported() {
        return Err(IsaError::Unsupported(isa));
    }
    ACTIVE.store(isa as u8, Relaxed);
    Ok(())
}

/// The sets whose kernels have been entered since [`forget_runs`] (or the start), slowest first.
pub fn ran() -> Vec<Isa> {
    let mask = RAN.load(Relaxed);
    Isa::ALL.into_iter().filter(|&i| mask >> i as u8 & 1 == 1).collect()
}

/// Empties what [`ran`] returns.
pub fn forget_runs() {
    RAN.store(0, Relaxed);
}

/// Work that is compiled once for each instruction set.
pub trait Kernel<T: Float> {
    /// What it gives.
    type Output;
    /// The work, in registers of type `L`. Mark it (and all that it calls in its loops)
    /// `#[inline(always)]`: only inlined code is compiled for the instruction set.
    fn run<L: Lanes<Element = T>>(self, cpu: Cpu<L>) -> Self::Output;
}

/// Runs `kernel` with the set in use.
#[inline]
pub fn run<T: Float, K: Kernel<T>>(kernel: K) -> K::Output {
    let isa = active();
    if RAN.load(Relaxed) >> isa as u8 & 1 == 0 {
        RAN.fetch_or(1 << isa as u8, Relaxed);
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Isa::Avx512 => {
            #[target_feature(enable = "avx512f,avx512dq")]
            fn go<T: Float, K: Kernel<T>>(kernel: K) -> K::Output {
                kernel.run(Cpu::<T::Avx512>(PhantomData))
            }
            // SAFETY: `cap` and `active` only choose what `supported` found on this CPU.
            unsafe { go(kernel) }
        }
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Isa::Avx2 => {
            #[target_feature(enable = "avx2,fma")]
            fn go<T: Float, K: Kernel<T>>(kernel: K) -> K::Output {
                kernel.run(Cpu::<T::Avx2>(PhantomData))
            }
            // SAFETY: as above.
            unsafe { go(kernel) }
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => kernel.run(Cpu::<T::Neon>(PhantomData)),
        _ => kernel.run(Cpu::<T>(PhantomData)),
    }
}

/// The proof that this CPU can compute with registers of type `L`: only [`run`] makes one.
///
/// Loads and stores are checked against the slices' lengths; the checks disappear where the compiler
/// knows them.
#[derive(Debug)]
pub struct Cpu<L>(PhantomData<fn() -> L>);

impl<L> Clone for Cpu<L> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<L> Copy for Cpu<L> {}

#[allow(unsafe_code)]
impl<L: Lanes> Cpu<L> {
    /// `x` in every lane.
    #[inline(always)]
    pub fn splat(self, x: L::Element) -> L {
        // SAFETY: `self` proves that the CPU has the registers.
        unsafe { L::splat(x) }
    }
    /// The first `WIDTH` elements of `x`. Panics if there are fewer.
    #[inline(always)]
    pub fn load(self, x: &[L::Element]) -> L {
        let x = &x[..L::WIDTH];
        // SAFETY: `x` has a register's length, and `self` proves the CPU.
        unsafe { L::load(x.as_ptr()) }
    }
    /// Writes a register to the first `WIDTH` elements of `y`. Panics if there are fewer.
    #[inline(always)]
    pub fn store(self, v: L, y: &mut [L::Element]) {
        let y = &mut y[..L::WIDTH];
        // SAFETY: `y` has a register's length, and `self` proves the CPU.
        unsafe { v.store(y.as_mut_ptr()) }
    }
    /// The elements of `x`, at most a register's, and zeros behind them.
    #[inline(always)]
    pub fn load_head(self, x: &[L::Element]) -> L {
        let mut whole = [L::Element::ZERO; MAX_WIDTH];
        whole[..x.len()].copy_from_slice(x);
        self.load(&whole)
    }
    /// Writes the first lanes of `v` to `y`, which is at most as long as a register.
    #[inline(always)]
    pub fn store_head(self, v: L, y: &mut [L::Element]) {
        let mut whole = [L::Element::ZERO; MAX_WIDTH];
        self.store(v, &mut whole);
        y.copy_from_slice(&whole[..y.len()]);
    }
}

/// Lanes of the widest register.
pub const MAX_WIDTH: usize = 16;
