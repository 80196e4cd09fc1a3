#!/usr/bin/env python3
"""Writes the state dicts of a small PyTorch network, one for each dtype, for the test of longlag's reader and writer.

The round trip, both ways and bit for bit, needs PyTorch and safetensors and begins in this folder:

    target/venv/bin/pip install torch safetensors
    target/venv/bin/python state_dict.py --seed 1        # PyTorch writes, and loads strictly what it wrote
    cargo test -p longlag-cells --test state_dict --manifest-path ../../../Cargo.toml

The test reads each file into parameters and writes these; what it writes must be the file that it read, to the last
byte. So what PyTorch loads here is what longlag writes. `git restore ../../cells/tests/data` puts the files back that
the repository has, which are those of seed 0.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

DTYPES = {"f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
FOLDER = Path(__file__).resolve().parents[2] / "cells/tests/data"
# What a reader may get wrong: both zeros, the smallest number, the largest, numbers halfway between two others of
# fewer bits, and infinities.
SPECIAL = [0.0, -0.0, 5e-324, 2.0**-149, 2.0**-24, 65504.0, 65520.0, 1 + 2.0**-11, 1 + 3 * 2.0**-9, 1 / 3, 1e308]
SPECIAL += [1 + 2.0**-11 + 2.0**-40, 3.4028235e38, float("inf"), float("-inf")]


class Network(torch.nn.Module):
    """With a matrix of one row (the decoder's weight), vectors, running statistics, and a counter."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(5, 3)
        self.encoder = torch.nn.LSTM(3, 4)
        self.norm = torch.nn.BatchNorm1d(4)
        self.decoder = torch.nn.Linear(4, 1)


def network(seed):
    torch.manual_seed(seed)
    made = Network().double()
    with torch.no_grad():
        for tensor in made.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn_like(tensor))
        made.embedding.weight.copy_(torch.tensor(SPECIAL, dtype=torch.float64).view(5, 3))
    made.norm.num_batches_tracked.fill_(7)
    return made


def bits(tensor):
    return tensor.contiguous().view(torch.uint8) if tensor.dim() else tensor.reshape(1).view(torch.uint8)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights; the repository's files are those of 0")
    seed = parser.parse_args().seed
    for name, dtype in DTYPES.items():
        path = FOLDER / f"state_dict_{name}.safetensors"
        written = network(seed).to(dtype)
        save_file(written.state_dict(), path, metadata={"format": "pt"})
        read = Network().to(dtype)
        read.load_state_dict(load_file(path), strict=True)
        for key, tensor in written.state_dict().items():
            assert torch.equal(bits(tensor), bits(read.state_dict()[key])), (name, key)
        print(f"{path.name}: {path.stat().st_size} bytes, {len(written.state_dict())} tensors")


if __name__ == "__main__":
    main()
