"""The first race in PyTorch: the same data, networks, start, batches' size, optimizer and clipping.

It prints for each network and order the median accuracy of the runs and its interval, from the 6th to the 15th
of 20. The random numbers are PyTorch's own, so runs differ from longlag's; the distributions should not.

    pip install torch scikit-learn
    python first_race.py [--runs 20] [--updates 2700] [--cells lstm gru rnn] [--out FILE]
"""

import argparse
import json
import time

import numpy as np
import torch
from sklearn.datasets import load_digits

# H as `longlag run first-race` finds it for about 5000 parameters.
HIDDEN = {"rnn": 64, "lstm": 33, "gru": 38}
# The order of the pixels that longlag draws from its seed: digits are not equally hard in all orders.
PERMUTATION = [
    55, 9, 1, 54, 53, 12, 3, 31, 50, 42, 26, 23, 38, 11, 34, 33, 18, 19, 17, 6, 45, 63, 62, 56, 39, 7, 2, 14,
    8, 36, 5, 57, 16, 29, 21, 43, 24, 46, 41, 32, 44, 4, 22, 15, 28, 35, 30, 10, 59, 47, 49, 51, 60, 0, 13,
    48, 61, 37, 40, 58, 27, 25, 52, 20,
]
LAYER = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


class Network(torch.nn.Module):
    def __init__(self, cell):
        super().__init__()
        hidden = HIDDEN[cell]
        self.layer = LAYER[cell](1, hidden)
        self.head = torch.nn.Linear(hidden, 10)
        if cell == "lstm":
            with torch.no_grad():
                self.layer.bias_ih_l0[hidden : 2 * hidden] = 1.0
                self.layer.bias_hh_l0[hidden : 2 * hidden] = 0.0

    def forward(self, x):
        states, _ = self.layer(x)
        return self.head(states[-1])


def run(cell, order, seed, updates):
    torch.manual_seed(seed)
    digits = load_digits()
    pixels = torch.tensor(digits.data / 16, dtype=torch.float32)
    if order == "permuted":
        pixels = pixels[:, PERMUTATION]
    labels = torch.tensor(digits.target)
    train, test = slice(0, 1437), slice(1437, 1797)
    network = Network(cell)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    rows = torch.randperm(1437)
    a_pass = 1437 // 32
    for update in range(updates):
        at = update % a_pass * 32
        if at == 0:
            rows = torch.randperm(1437)
        batch = rows[at : at + 32]
        x = pixels[train][batch].T.unsqueeze(2)
        loss = torch.nn.functional.cross_entropy(network(x), labels[train][batch])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        said = network(pixels[test].T.unsqueeze(2)).argmax(1)
    return (said == labels[test]).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--updates", type=int, default=2700)
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru", "rnn"])
    parser.add_argument("--orders", nargs="+", default=["rows", "permuted"])
    parser.add_argument("--out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for order in args.orders:
        for cell in args.cells:
            started = time.time()
            accuracy = sorted(run(cell, order, seed, args.updates) for seed in range(1, args.runs + 1))
            low, high = accuracy[(args.runs - 10) // 2], accuracy[-1 - (args.runs - 10) // 2]
            found[f"{order} {cell}"] = accuracy
            print(
                f"{order} {cell}: median {np.median(accuracy):.4f}, {low:.4f} to {high:.4f}, "
                f"{time.time() - started:.0f} s, torch {torch.__version__}",
                flush=True,
            )
            if args.out:
                with open(args.out, "w") as file:
                    json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()
