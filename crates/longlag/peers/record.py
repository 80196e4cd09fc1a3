#!/usr/bin/env python3
"""Measures how fast longlag is on this machine, and writes the record that the book quotes: tests/records/speed.json.

It copies the workspace to a folder of its own and builds `longlag` there, so what is measured is the sources as they
are; for the ablation it builds it again with one constant changed at a time. Then all that is compared takes turns,
round by round, and the record holds the medians, their quotients, and the lowest and highest quotient of a round. It
also says how much of the cores' time other programs took meanwhile. README.md beside this file has the commands.
"""

import argparse
import datetime
import json
import os
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from side_by_side import FLAGS, GRID, burst, processor, repeat, torch_step

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
RECORD = ROOT / "tests/records/speed.json"
CORES = sorted(os.sched_getaffinity(0))
GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1}

# Shapes are T, B, I, H, as in side_by_side.py.
SMALL = (100, 32, 2, 64)
USUAL = (200, 32, 2, 128)
LONG = (750, 32, 2, 128)
MIDDLE = (100, 64, 128, 256)
WIDE = (35, 20, 650, 650)
SINGLE = (100, 1, 2, 64)
ODD = [(99, 31, 3, 101), (128, 5, 1, 33), (60, 33, 40, 190), (200, 1, 1, 17), (150, 3, 7, 300)]

# What the ablation takes away: its name, and the constant that another value switches off.
ABLATION = {
    "huge-pages": ("crates/numerics/src/buffer.rs", "MADV_HUGEPAGE", "15"),  # MADV_NOHUGEPAGE
    "prefetch": ("crates/numerics/src/panel.rs", "FETCH_BYTES", "usize::MAX"),
    "depth": ("crates/numerics/src/panel.rs", "DEPTH", "1 << 20"),
    "blocks": ("crates/cells/src/sequence/plan.rs", "BLOCKS", "1 << 20"),
    "joined-inputs": ("crates/cells/src/sequence/plan.rs", "MANY_INPUTS", "1"),
    "chunks": ("crates/cells/src/sequence/plan.rs", "CHUNK_ROWS", "[usize::MAX; 2]"),
}

# Behind what names a row: a time, the one it is compared with, and their quotient.
QUOTIENT = ["ratio", "lowest", "highest"]


def say(text):
    print(text, file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------------------------ building


def build(folder, ablate):
    """Builds longlag in a copy of the workspace, as it is and with one thing changed; the binaries by name."""
    copy, programs = folder / "workspace", folder / "programs"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("target", ".git"))
    programs.mkdir(parents=True, exist_ok=True)
    binaries = {}
    for name, change in {"as-is": None, **(ABLATION if ablate else {})}.items():
        say(f"building {name}")
        if change:
            original = set_constant(copy, *change)
        command = ["cargo", "build", "-q", "--release", "--locked", "-p", "longlag", "--target-dir", str(folder / "target")]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name} doesn't build:\n{done.stderr}")
        binaries[name] = programs / name
        shutil.copy2(folder / "target/release/longlag", binaries[name])
        if change:
            (copy / change[0]).write_text(original)
    return binaries


def set_constant(workspace, path, name, value):
    """Gives a constant another value, and returns the file's text as it was."""
    original = (workspace / path).read_text()
    changed, count = re.subn(rf"^(.*\bconst {name}: .+? = ).+;$", rf"\g<1>{value};", original, flags=re.M)
    if count != 1:
        sys.exit(f"{path} defines {name} in {count} places, and the ablation needs one: mend ABLATION in {__file__}")
    (workspace / path).write_text(changed)
    return original


# ----------------------------------------------------------------------------------------------- measuring


@contextmanager
def on_cores(count):
    """Keeps this process, and those it starts, on as many cores."""
    os.sched_setaffinity(0, CORES[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


@contextmanager
def environment(**variables):
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def busy_core():
    """Another process computes on the last core all the time."""
    loop = "import os\nos.sched_setaffinity(0, [%d])\nwhile True: pass" % CORES[-1]
    process = subprocess.Popen([sys.executable, "-c", loop])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def take_turns(rounds, programs):
    """The times of each, one a round, there and back so that nobody is always the first."""
    times = {name: [] for name in programs}
    for number in range(rounds):
        for name in list(programs) if number % 2 == 0 else reversed(programs):
            times[name].append(programs[name]())
    return times


def digits(x, count):
    return float(f"{x:.{count - 1}e}")


def quotient(ms, base_ms):
    """The medians of two programs' times, their quotient, and the lowest and the highest of a round's."""
    of_rounds = [a / b for a, b in zip(ms, base_ms)]
    return row(statistics.median(ms), statistics.median(base_ms), min(of_rounds), max(of_rounds))


def row(ms, base_ms, lowest, highest):
    ms, base_ms = digits(ms, 4), digits(base_ms, 4)
    return [ms, base_ms, digits(ms / base_ms, 3), digits(lowest, 3), digits(highest, 3)]


def name_of(shape):
    return ",".join(map(str, shape))


def operations(cell, mode, shape):
    """Multiplications and additions that the products of a step need, in 10⁹."""
    T, B, I, H = shape
    # Forward; then the gradients of the weights, of the state, and of the input.
    columns = {"fwd": I + H, "train": 2 * (I + H) + H, "train_dx": 3 * (I + H)}[mode]
    return 2 * T * B * GATES[cell] * H * columns / 1e9


class Recorder:
    """What the parts of the record measure with, and where they put it."""

    def __init__(self, a, binaries, report):
        self.rounds, self.seconds, self.peers = a.rounds, a.seconds, a.peers
        self.binaries, self.report = binaries, report
        self.longlag = binaries["as-is"]

    def table(self, name, columns, rows):
        self.report["tables"][name] = {"columns": columns, "rows": rows}

    def bench(self, shape, threads=1, more="", binary=None):
        """Measures `longlag bench` once."""
        return self.program(f"{shlex.quote(str(binary or self.longlag))} bench", shape, threads, more)

    def program(self, program, shape, threads=1, more=""):
        """Measures a program with the flags of `longlag bench` once: an LSTM's training step."""
        T, B, I, H = shape
        case = dict(cell="lstm", mode="train", threads=threads, T=T, B=B, I=I, H=H, seconds=self.seconds)
        command = f"{program}{FLAGS.format(**case)} {more}"
        return lambda: burst(command)

    def pytorch(self, shape, threads=1, vanishing=False, flush=False):
        """Measures PyTorch once, in this process; `flush` has the processor take subnormal numbers for 0."""
        import torch  # Not before: most parts leave it to side_by_side.py.

        step = torch_step(torch, "lstm", "train", "f32", *shape, vanishing)

        def measure():
            torch.set_num_threads(threads)
            torch.set_flush_denormal(flush)
            ms = repeat(step, self.seconds)
            torch.set_flush_denormal(False)
            return ms

        return measure

    def side_by_side(self, *arguments):
        """What side_by_side.py prints, and the command."""
        arguments = [*arguments, "--rounds", str(self.rounds), "--seconds", str(self.seconds)]
        run = [sys.executable, str(HERE / "side_by_side.py"), *arguments, "--longlag", str(self.longlag)]
        done = subprocess.run(run, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"failed: {shlex.join(run)}")
        lines = map(json.loads, done.stdout.splitlines())
        return [line for line in lines if "ratio" in line], shlex.join(["side_by_side.py", *arguments])

    def against_pytorch(self, name, cell, mode="train", threads=1, shapes=GRID):
        """A table of longlag beside PyTorch, and beside what the machine allows."""
        shape_names = [name_of(shape) for shape in shapes]
        lines, said = self.side_by_side(
            "--cells", cell, "--modes", mode, "--threads", str(threads), "--shapes", *shape_names
        )
        peak = threads * self.report["facts"]["peak"]
        rows = []
        for shape, line in zip(shapes, lines):
            work = operations(cell, mode, shape)
            times = row(line["torch_ms"], line["ms"], line["ratio_lowest"], line["ratio_highest"])
            least, ms = digits(work / peak * 1e3, 4), times[1]
            rows.append([name_of(shape), *times, least, digits(times[0] / least, 3), digits(least / ms, 3)])
            say(f"  {name} {rows[-1]}")
        columns = ["shape", "PyTorch_ms", "longlag_ms", *QUOTIENT, "least_ms", "most", "share"]
        self.table(name, columns, rows)
        ratios = [values[3] for values in rows]
        mean = digits(statistics.geometric_mean(ratios), 3)
        self.report["facts"] |= {f"{name}_mean": mean, f"{name}_low": min(ratios), f"{name}_high": max(ratios)}
        return said


# ------------------------------------------------------------------------------- the parts of the record


def lstm(m):
    return m.against_pytorch("lstm", "lstm")


def lstm_two(m):
    return m.against_pytorch("lstm_two", "lstm", threads=2)


def train_dx(m):
    return m.against_pytorch("train_dx", "lstm", mode="train_dx")


def forward(m):
    return m.against_pytorch("forward", "lstm", mode="fwd")


def gru(m):
    return m.against_pytorch("gru", "gru")


def rnn(m):
    return m.against_pytorch("rnn", "rnn_tanh")


def odd(m):
    return m.against_pytorch("odd", "lstm", shapes=ODD)


def peers(m):
    """Other crates, in the numbers that they have."""
    programs = {"candle": "f32", "burn": "f32", "rust-lstm": "f64"}
    for program in programs:
        if not (m.peers / program).exists():
            sys.exit(f"{m.peers / program} is missing: `cargo build --release --locked` in {HERE}, or give --peers")
    rows = []
    for shape in [SMALL, USUAL, MIDDLE, SINGLE]:
        ours = {numbers: m.bench(shape, more=f"--dtype {numbers}") for numbers in ["f32", "f64"]}
        theirs = {program: m.program(shlex.quote(str(m.peers / program)), shape) for program in programs}
        with on_cores(1):
            times = take_turns(m.rounds, {**ours, **theirs})
        rows += [
            [program, name_of(shape), numbers, *quotient(times[program], times[numbers])]
            for program, numbers in programs.items()
        ]
    m.table("peers", ["program", "shape", "numbers", "ms", "longlag_ms", *QUOTIENT], rows)


def ablation(m):
    """One thing changed at a time."""
    rows = []
    for shape in [LONG, MIDDLE, WIDE]:
        changed = {
            "fused": m.bench(shape, more="--composed"),
            **{name: m.bench(shape, binary=m.binaries[name]) for name in ABLATION},
            "floor": m.bench(shape, more="--floor false"),
            "nothing": m.bench(shape),
        }
        with on_cores(1):
            times = take_turns(m.rounds, {"as-is": m.bench(shape), **changed})
        rows += [[name, name_of(shape), *quotient(times[name], times["as-is"])] for name in changed]
    m.table("ablation", ["without", "shape", "ms", "as_it_is_ms", *QUOTIENT], rows)


def subnormal(m):
    """What a vanishing gradient costs."""
    programs = {
        ("PyTorch", "ordinary"): m.pytorch(LONG),
        ("PyTorch", "vanishing"): m.pytorch(LONG, vanishing=True),
        ("PyTorch, flushing", "vanishing"): m.pytorch(LONG, vanishing=True, flush=True),
        ("longlag", "ordinary"): m.bench(LONG),
        ("longlag", "vanishing"): m.bench(LONG, more="--vanishing"),
        ("longlag, not flushing", "vanishing"): m.bench(LONG, more="--vanishing --floor false"),
    }
    with on_cores(1):
        times = take_turns(m.rounds, programs)
    rows = [
        [program, gradients, *quotient(ms, times[program.split(",")[0], "ordinary"])]
        for (program, gradients), ms in times.items()
    ]
    m.table("subnormal", ["program", "gradients", "ms", "ordinary_ms", *QUOTIENT], rows)


def loaded(m):
    """Two threads, while another process holds one of the two cores."""
    def while_busy(measure):
        def measured():
            with busy_core():
                return measure()

        return measured

    programs = {}
    for name, threaded in {"PyTorch": m.pytorch, "longlag": m.bench}.items():
        one, two = (threaded(USUAL, threads=threads) for threads in [1, 2])
        programs |= {(name, 1, False): one, (name, 2, False): two, (name, 2, True): while_busy(two)}
    with on_cores(2):
        times = take_turns(m.rounds, programs)
    rows = [[*which, *quotient(ms, times[which[0], 1, False])] for which, ms in times.items()]
    m.table("loaded", ["program", "threads", "core_taken", "ms", "one_thread_ms", *QUOTIENT], rows)


def isa(m):
    """The same bits by each instruction set of this machine."""
    def with_set(name):
        measure = m.bench(SMALL)

        def measured():
            with environment(LONGLAG_ISA=name):
                return measure()

        return measured

    sets = {"avx512": "avx512f", "avx2": "avx2", "portable": ""}
    flags = Path("/proc/cpuinfo").read_text().split()
    available = [name for name, flag in sets.items() if not flag or flag in flags]
    with on_cores(1):
        times = take_turns(m.rounds, {name: with_set(name) for name in available})
    best = times[available[0]]
    m.table("isa", ["set", "ms", "best_ms", *QUOTIENT], [[name, *quotient(ms, best)] for name, ms in times.items()])


PARTS = [lstm, lstm_two, gru, rnn, train_dx, forward, odd, peers, ablation, subnormal, loaded, isa]


# ------------------------------------------------------------------------------------------ machine and record


def versions():
    lock = (HERE / "Cargo.lock").read_text()

    def locked(package):
        return re.search(rf'name = "{package}"\nversion = "(.+)"', lock)[1]

    import importlib.metadata as metadata

    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, cwd=ROOT).stdout
    return {
        "pytorch": metadata.version("torch").split("+")[0],
        "candle": locked("candle-nn"),
        "burn": locked("burn"),
        "rust_lstm": locked("rust-lstm"),
        "rustc": rustc.split()[1],
    }


def machine():
    """What does not change from run to run."""
    caches = {}
    for cache in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        if (cache / "type").read_text().strip() != "Instruction":
            caches[f"cache_{(cache / 'level').read_text().strip()}"] = (cache / "size").read_text().strip()
    pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    found = re.search(r"\[(\w+)\]", pages.read_text()) if pages.exists() else None
    return {
        "processor": processor(),
        "cores": len(CORES),
        "huge_pages": found[1] if found else "none",
        **{level: size.removesuffix("K") + " KiB" for level, size in caches.items()},
    }


def limits(longlag):
    """What one core can do at most."""
    with on_cores(1):
        run = subprocess.run([longlag, "bench", "--limits", "--json"], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    reads = {f"read_{kib}_kib": digits(speed, 3) for kib, speed in found["reads"]}
    peak, subnormal = digits(found["gflops"], 4), digits(found["gflops_subnormal"], 4)
    return {"peak": peak, "peak_subnormal": subnormal, "subnormal_slower": digits(peak / subnormal, 3), **reads}


class Clock:
    """How much of the cores' time other programs took."""

    def __init__(self):
        self.start, self.busy, self.own = time.monotonic(), *self.now()

    @staticmethod
    def now():
        user, nice, system, _, _, irq, soft, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        own = sum(u.ru_utime + u.ru_stime for u in usage)
        return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK"), own

    def others(self):
        busy, own = self.now()
        elapsed = (time.monotonic() - self.start) * os.cpu_count()
        return round(max(0.0, (busy - self.busy - own + self.own) / elapsed), 3)


# From this share on a measurement is not to be trusted.
QUIET = 0.03


def text_of(value, indent=0):
    """JSON laid out as the snapshots of the experiments are."""
    inner = " " * (indent + 2)
    if isinstance(value, dict) and value:
        lines = [f"{json.dumps(key)}: {text_of(value[key], indent + 2)}" for key in value]
        return "{\n" + inner + f",\n{inner}".join(lines) + "\n" + " " * indent + "}"
    if isinstance(value, list) and any(isinstance(item, list) for item in value):
        lines = [text_of(item, indent + 2) for item in value]
        return "[\n" + inner + f",\n{inner}".join(lines) + "\n" + " " * indent + "]"
    if isinstance(value, list):
        return "[" + ", ".join(json.dumps(item, ensure_ascii=False) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def write(path, report):
    for part in ["facts", "tables"]:
        report[part] = dict(sorted(report[part].items()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of(report) + "\n")


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [part.__name__ for part in PARTS]
    p.add_argument("--rounds", type=int, default=15, help="default 15, about half an hour; for a trial 2 will do")
    p.add_argument("--seconds", type=float, default=0.15, help="for each program in each round (default 0.15)")
    p.add_argument("--only", nargs="+", choices=names, default=names, metavar="PART",
                   help=f"measure these and keep the others as they are in the record: {', '.join(names)}")
    p.add_argument("--out", type=Path, default=RECORD, help="default: tests/records/speed.json")
    p.add_argument("--peers", type=Path, default=HERE / "target/release", metavar="FOLDER",
                   help="where candle, burn and rust-lstm are (default: target/release here)")
    p.add_argument("--build", type=Path, metavar="FOLDER",
                   help="where longlag is built, and kept for the next time (default: a folder that is deleted)")
    a = p.parse_args()
    if len(CORES) < 2:
        p.error("two cores are needed")
    return a


def main():
    a = arguments()
    os.environ.pop("LONGLAG_ISA", None)
    report = {"experiment": "speed", "config": {}, "facts": machine(), "tables": {}, "series": {}}
    if a.out.exists() and set(a.only) != {part.__name__ for part in PARTS}:
        earlier = json.loads(a.out.read_text())
        for fact, value in report["facts"].items():
            if earlier["facts"][fact] != value:
                sys.exit(f"{a.out} was measured with {fact} {earlier['facts'][fact]}, here it is {value}: leave out --only")
        report = earlier
    with tempfile.TemporaryDirectory() as folder:
        binaries = build((a.build or Path(folder)).resolve(), "ablation" in a.only)
        report["facts"] |= versions() | {"date": datetime.date.today().isoformat()}
        # The tables of an earlier record rest on the limits that it has.
        if not report["tables"]:
            report["facts"] |= limits(binaries["as-is"])
        recorder = Recorder(a, binaries, report)
        parts = {r[0]: r for r in report["tables"].get("parts", {"rows": []})["rows"]}
        for part in PARTS:
            name = part.__name__
            if name not in a.only:
                continue
            say(f"measuring {name}")
            clock = Clock()
            said = part(recorder) or f"record.py --only {name} --rounds {a.rounds} --seconds {a.seconds}"
            parts[name] = [name, a.rounds, clock.others(), round(time.monotonic() - clock.start), said]
            say(f"  {parts[name][3]} s; other programs took {parts[name][2]:.1%} of the cores' time")
            rows = [parts[part.__name__] for part in PARTS if part.__name__ in parts]
            recorder.table("parts", ["part", "rounds", "others", "seconds", "command"], rows)
            report["facts"]["others"] = max(r[2] for r in rows)
            write(a.out, report)
    noisy = [name for name, r in parts.items() if r[2] > QUIET]
    if noisy:
        sys.exit(f"the machine was not quiet during {', '.join(noisy)}: measure again by --only")


if __name__ == "__main__":
    main()
