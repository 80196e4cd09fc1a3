use longlag_numerics::isa::{self, Isa};
use std::env;

const VARIABLE: &str = "LONGLAG_ISA";

/// Makes the kernels use the instruction set that the environment variable `LONGLAG_ISA` names, `portable`,
/// `avx2`, `avx512` or `neon`, for the whole process, and returns the one in use.
///
/// Without the variable that is the fastest one of this machine. Results don't depend on it; it is there
/// for tests.
///
/// # Errors
/// If the variable names no instruction set, or one that this machine doesn't have. The message says which
/// there are.
pub fn isa_from_env() -> Result<Isa, String> {
    let Some(name) = env::var_os(VARIABLE) else { return Ok(isa::active()) };
    let chosen = name.to_string_lossy().parse().and_then(|chosen| {
        isa::cap(chosen)?;
        Ok(chosen)
    });
    chosen.map_err(|error| format!("the environment variable {VARIABLE} is wrong: {error}"))
}
