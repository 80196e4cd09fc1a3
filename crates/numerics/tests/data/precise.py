"""The points of precise.txt, for src/precise.rs.

Run: python3 precise.py > precise.txt   (needs mpmath: pip install mpmath)
Each line: the function, its arguments and the nearest f64 to its value, as bits in hexadecimal.
"""

import random
import struct
from mpmath import mp, mpf, cospi

mp.dps = 60
random.seed(1)


def bits(x):
    return struct.pack(">d", float(x)).hex()


def line(name, x, y, value):
    print(name, bits(x), bits(y), bits(value))


for x, n in [(0.9, 1), (0.999, 1000), (0.9999, 100000), (0.999999, 10**8), (1.0001, 10**6), (-0.3, 7), (1.1, 7000)]:
    line("powi", x, n, mpf(x) ** n)
for _ in range(60):
    x, n = random.choice([0.5, 0.9, 0.96, 0.99, 0.999]) + random.random() * 1e-3, random.randrange(1, 10 ** random.randrange(1, 5))
    if mpf(x) ** n > mpf(2) ** -960:
        line("powi", x, n, mpf(x) ** n)
for x, y in [(0.96, 0.004), (0.96, 4e4), (0.5, 0.5), (2.0, 0.5), (1e-300, 0.3), (5e-324, 0.25), (1.7e308, 0.99), (1e-200, 1.5)]:
    line("powf", x, y, mpf(x) ** mpf(y))
for _ in range(100):
    x, y = random.random() * 10 ** random.randrange(-20, 20), random.random() * random.choice([0.1, 1, 3, 10])
    line("powf", x, y, mpf(x) ** mpf(y))
for _ in range(100):
    x = random.random() * random.choice([0.01, 1, 2, 100])
    line("cos_pi", x, 0.0, cospi(mpf(x)))
for x in [1 / 3, 0.25, 2 / 3, 0.75, 1e-9, 0.4999999999999999, 0.5000000000000001, -0.2]:
    line("cos_pi", x, 0.0, cospi(mpf(x)))
