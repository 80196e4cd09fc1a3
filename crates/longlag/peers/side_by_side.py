#!/usr/bin/env python3
"""Alternates PyTorch with `longlag bench`, and with other programs like it, and compares their times.

In each round PyTorch repeats one step in this process for --seconds, then each program does so in its own.
A machine that slows down for a while thus slows them all, and the ratio hardly feels it. Per point (a cell, a mode, a
shape) and program one line of JSON is printed: the medians over the rounds in milliseconds, PyTorch's over the
program's (above 1: the program is faster), and the lowest and the highest ratio of a round; in the end the geometric
means over the shapes. README.md beside this file defines the modes.
"""

import argparse
import datetime
import itertools
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

# T, B, I, H: steps, sequences in a batch, features of the input, hidden units.
GRID = [
    (100, 32, 2, 64),
    (200, 32, 2, 128),
    (750, 32, 2, 128),
    (784, 64, 1, 128),
    (100, 64, 128, 256),
    (50, 64, 512, 512),
    (35, 20, 650, 650),
    (100, 1, 2, 64),
]
LONGLAG = Path(__file__).resolve().parents[3] / "target/release/longlag"
FLAGS = (
    " --cell {cell} --seq-len {T} --batch {B} --input {I} --hidden {H}"
    " --threads {threads} --mode {mode} --seconds {seconds} --json"
)


def shape(text):
    numbers = tuple(int(number) for number in text.split(","))
    if len(numbers) != 4 or min(numbers) < 1:
        raise ValueError
    return numbers


def named_command(text):
    name, equals, command = text.partition("=")
    if not (name and equals and command):
        raise ValueError
    return name, command if "{" in command else command + FLAGS


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cells", nargs="+", choices=["lstm", "gru", "rnn_tanh"], default=["lstm"], metavar="CELL",
                   help="lstm (default), gru, rnn_tanh")
    p.add_argument("--modes", nargs="+", choices=["train", "train_dx", "fwd"], default=["train"], metavar="MODE",
                   help="train (default), train_dx, fwd")
    p.add_argument("--shapes", nargs="+", type=shape, default=GRID, metavar="T,B,I,H",
                   help="default: the grid of eight")
    p.add_argument("--threads", type=int, default=1, help="threads, and cores to run on (default 1)")
    p.add_argument("--dtype", choices=["f32", "f64"], default="f32", help="PyTorch's and longlag's (default f32)")
    p.add_argument("--rounds", type=int, default=15, help="default 15")
    p.add_argument("--seconds", type=float, default=0.35, help="for each of them in each round (default 0.35)")
    p.add_argument("--longlag", type=Path, default=LONGLAG, metavar="BINARY",
                   help="default: target/release/longlag of the workspace")
    p.add_argument("--without-longlag", action="store_true", help="run only the programs of --with")
    p.add_argument("--with", dest="others", nargs="+", type=named_command, default=[], metavar="NAME=COMMAND",
                   help="further programs that print what `longlag bench --json` prints; {cell} {mode} {dtype} {T} {B}"
                        " {I} {H} {threads} {seconds} in a command are replaced, and one without any gets the flags of"
                        " `longlag bench`, except --dtype")
    p.add_argument("--table", action="store_true", help="print tables in Markdown instead of JSON")
    a = p.parse_args()
    a.programs = dict(a.others)
    if not a.without_longlag:
        bench = f"{shlex.quote(str(a.longlag))} bench{FLAGS} --dtype {{dtype}}"
        a.programs = {"longlag": bench, **a.programs}
    if not a.programs:
        p.error("--without-longlag needs a program given by --with")
    if a.rounds < 1 or a.threads < 1:
        p.error("--rounds and --threads must be at least 1")
    return a


def pin(threads):
    """Keeps this process, and those it starts, on as many cores as there are threads."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < threads:
        sys.exit(f"{threads} threads need as many cores; this process may use {len(cores)}")
    os.sched_setaffinity(0, cores[-threads:])


def torch_step(torch, cell, mode, dtype, T, B, I, H, vanishing=False):
    """One repetition of PyTorch, as a function; `vanishing` as in `longlag bench`, for an LSTM."""
    number = {"f32": torch.float32, "f64": torch.float64}[dtype]
    layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn_tanh": torch.nn.RNN}[cell]
    torch.manual_seed(0)
    network = layer(I, H, dtype=number)
    x = torch.randn(T, B, I, dtype=number, requires_grad=mode == "train_dx")
    if vanishing:
        with torch.no_grad():
            network.weight_hh_l0 *= 0.1
            network.bias_ih_l0[H : 2 * H] = 0
            network.bias_hh_l0[H : 2 * H] = 0

    def forward():
        with torch.no_grad():
            network(x)

    def train():
        network.zero_grad()
        x.grad = None
        output = network(x)[0]
        (output[-1] if vanishing else output).square().mean().backward()

    return forward if mode == "fwd" else train


def repeat(step, seconds):
    """Median time of a step in milliseconds, after one to warm up."""
    step()
    times = []
    start = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        step()
        times.append((time.perf_counter() - before) * 1e3)
    return statistics.median(times)


def burst(command):
    """Median time of a step that a program reports, in milliseconds."""
    words = shlex.split(command)
    try:
        run = subprocess.run(words, capture_output=True, text=True)
    except OSError as error:
        sys.exit(f"can't start {words[0]}: {error.strerror}; build it with `cargo build --release`?")
    if run.returncode:
        sys.exit(f"failed: {command}\n{run.stderr.strip()}")
    try:
        return float(json.loads(run.stdout.splitlines()[-1])["ms_median"])
    except (IndexError, KeyError, TypeError, ValueError):
        sys.exit(f"the last line is not JSON with ms_median: {command}\n{run.stdout.strip()}")


def compare(a, step, case):
    """Alternates PyTorch's step with the programs; one result for each program."""
    torch_ms, program_ms = [], {name: [] for name in a.programs}
    for _ in range(a.rounds):
        torch_ms.append(repeat(step, a.seconds))
        for name, command in a.programs.items():
            program_ms[name].append(burst(command.format(**case, seconds=a.seconds)))
    for name, ms in program_ms.items():
        ratios = [theirs / ours for theirs, ours in zip(torch_ms, ms)]
        yield {
            "program": name, **case, "rounds": a.rounds,
            "torch_ms": round(statistics.median(torch_ms), 4), "ms": round(statistics.median(ms), 4),
            "ratio": round(statistics.median(torch_ms) / statistics.median(ms), 3),
            "ratio_lowest": round(min(ratios), 3), "ratio_highest": round(max(ratios), 3),
        }


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def heading(a, cell, mode):
    """The head of a table in Markdown, with its caption."""
    threads = "1 thread" if a.threads == 1 else f"{a.threads} threads"
    columns = "".join(f" {name} | ratio |" for name in a.programs)
    return f"""
{cell}, {mode}, {threads}, {a.dtype}: median ms of {a.rounds} rounds, PyTorch's over it (lowest–highest)

| T, B, I, H | PyTorch |{columns}
|---|--:|{"--:|--:|" * len(a.programs)}"""


def row(results):
    """A table's row for one shape, whose results are one for each program."""
    first = results[0]
    cells = [f"{first['T']}, {first['B']}, {first['I']}, {first['H']}", f"{first['torch_ms']:.3g}"]
    for r in results:
        cells += [f"{r['ms']:.3g}", f"{r['ratio']:.2f} ({r['ratio_lowest']:.2f}–{r['ratio_highest']:.2f})"]
    return f"| {' | '.join(cells)} |"


def geometric_means(points):
    """Of the ratios, over the shapes, for each program."""
    return [statistics.geometric_mean(r["ratio"] for r in results) for results in zip(*points)]


def main():
    a = arguments()
    pin(a.threads)
    os.environ["OMP_NUM_THREADS"] = str(a.threads)
    import torch  # Not before: its pools look at the cores and the variable once.

    torch.set_num_threads(a.threads)
    machine = {"processor": processor(), "torch": torch.__version__, "date": datetime.date.today().isoformat()}
    as_json = not a.table
    print(json.dumps(machine) if as_json else ", ".join(f"{k} {v}" for k, v in machine.items()), flush=True)
    for cell, mode in itertools.product(a.cells, a.modes):
        if a.table:
            print(heading(a, cell, mode), flush=True)
        points = []
        for T, B, I, H in a.shapes:
            case = dict(cell=cell, mode=mode, dtype=a.dtype, threads=a.threads, T=T, B=B, I=I, H=H)
            results = list(compare(a, torch_step(torch, cell, mode, a.dtype, T, B, I, H), case))
            points.append(results)
            print("\n".join(map(json.dumps, results)) if as_json else row(results), flush=True)
        means = geometric_means(points)
        if a.table:
            print("| geometric mean | |" + "".join(f" | {mean:.2f} |" for mean in means), flush=True)
            continue
        for name, mean in zip(a.programs, means):
            print(json.dumps({
                "program": name, "cell": cell, "mode": mode, "dtype": a.dtype, "threads": a.threads,
                "geometric_mean_ratio": round(mean, 3), "shapes": len(points),
            }), flush=True)


if __name__ == "__main__":
    main()
