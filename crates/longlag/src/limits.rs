//! What one core of this machine can do at most: `longlag bench --limits`.

use crate::failure::{Failure, print};
use longlag_numerics::isa::{self, Cpu, Kernel, MAX_WIDTH};
use longlag_numerics::{Float, Lanes};
use serde::Serialize;
use std::hint::black_box;
use std::time::Instant;

/// The arrays that are read, in KiB: on most machines they lie in the second-level cache, in the third, and in
/// memory.
const SIZES: [usize; 3] = [512, 8 << 10, 256 << 10];

#[derive(Debug, Serialize)]
struct Limits {
    isa: &'static str,
    /// 10⁹ operations a second in `f32`; a fused multiply-add is two.
    gflops: f64,
    /// The same with subnormal numbers.
    gflops_subnormal: f64,
    /// The size of an array in KiB, and 10⁹ bytes of it read a second.
    reads: [(usize, f64); SIZES.len()],
}

/// Measures one core and prints what it can do.
pub(crate) fn limits(json: bool) -> Result<(), Failure> {
    let limits = Limits {
        isa: isa::active().name(),
        gflops: best(OPERATIONS, || isa::run(MultiplyAdds(1.0))),
        gflops_subnormal: best(OPERATIONS, || isa::run(MultiplyAdds(1e-40))),
        reads: SIZES.map(|kib| {
            let array = vec![[1.0; LINE]; kib * 1024 / (4 * LINE)];
            let repeats = (256 << 10) / kib;
            let bytes = (repeats * kib * 1024) as f64;
            (kib, best(bytes, || (0..repeats).for_each(|_| isa::run(Read(black_box(&array))))))
        }),
    };
    if json {
        let line = serde_json::to_string(&limits).expect("numbers and names become JSON");
        return print(&format!("{line}\n"));
    }
    let Limits { gflops, gflops_subnormal, isa, .. } = limits;
    let mut text =
        format!("{gflops:.1} GFLOP/s in f32 with {isa}, {gflops_subnormal:.1} with subnormal numbers\n");
    for (kib, speed) in limits.reads {
        text += &format!("{speed:.1} GB/s read from {kib} KiB\n");
    }
    print(&text)
}

/// 10⁹ of `count` a second, at the best of several times: what else runs can only slow it down.
fn best(count: f64, work: impl Fn()) -> f64 {
    let speeds = (0..9).map(|_| {
        let start = Instant::now();
        work();
        count / start.elapsed().as_secs_f64() / 1e9
    });
    speeds.fold(0.0, f64::max)
}

/// Chains of fused multiply-adds in registers, of numbers of this size: enough chains for every unit to have one
/// ready while others wait.
struct MultiplyAdds(f32);
const CHAINS: usize = 12;
/// The links of each chain, if it is computed in the widest register that any instruction set has.
const LINKS: usize = 200_000;
/// The operations of all chains.
const OPERATIONS: f64 = (2 * LINKS * CHAINS * MAX_WIDTH) as f64;

impl Kernel<f32> for MultiplyAdds {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<Element = f32>>(self, cpu: Cpu<L>) {
        // Each link gives the number that it began with.
        let x = cpu.splat(black_box(0.5));
        let y = cpu.splat(black_box(0.5 * self.0));
        let mut chains = [cpu.splat(self.0); CHAINS];
        for _ in 0..LINKS * MAX_WIDTH / L::WIDTH {
            for chain in &mut chains {
                *chain = chain.mul_add(x, y);
            }
        }
        black_box(chains);
    }
}

/// Reads an array once, and adds it up so that nothing is left out.
struct Read<'a>(&'a [[f32; LINE]]);
/// The numbers that are read at a time.
const LINE: usize = 128;

impl Kernel<f32> for Read<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<Element = f32>>(self, cpu: Cpu<L>) {
        let mut sums = [cpu.splat(f32::ZERO); 8];
        for line in self.0 {
            for (i, numbers) in line.chunks_exact(L::WIDTH).enumerate() {
                sums[i % 8] = sums[i % 8] + cpu.load(numbers);
            }
        }
        black_box(sums);
    }
}
