"""The table of high-precision values that tests/elementary.rs holds the f64 functions to.

Run: python3 elementary.py   (in this folder; needs mpmath: pip install mpmath; takes seconds)
It writes exp.txt, exp_m1.txt, ln.txt, ln_1p.txt, tanh.txt and sigmoid.txt anew, always the same bytes.

A line holds x, y and d: y is the f64 nearest to the function of x, and the exact value lies d
thousandths of an ulp of y from it (0 if y is infinite). x and y are the bits in hexadecimal.
The points are chosen by a hash of counters, so no generator's seed or version decides them.
"""

import struct
from mpmath import mp, mpf, exp, expm1, ln, log1p, tanh, floor, nint, sqrt

mp.prec = 1300  # ln(1 + x) of the smallest x needs a sum of 2^0 and 2^-1074, with digits to spare.

LN2 = mp.ln2
LARGEST = float.fromhex("0x1.fffffffffffffp1023")
LARGEST_EXP = ln(mpf(LARGEST))


def bits(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


def of(b):
    return struct.unpack("<d", struct.pack("<Q", b))[0]


def hashed(*key):
    """64 bits that depend on the key alone (SplitMix64's mixing)."""
    h = 0x9E3779B97F4A7C15
    for k in key:
        h = (h + k * 0x9E3779B97F4A7C15) % 2**64
        h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        h = (h ^ (h >> 27)) * 0x94D049BB133111EB % 2**64
        h ^= h >> 31
    return h


def nearest(v):
    """The f64 nearest to v, and how far v is from it in thousandths of its ulp."""
    if v == 0:
        return 0.0, 0
    _, _, e, width = mpf(v)._mpf_
    ulp = max(e + width - 53, -1074)
    q = mpf(v) * mpf(2) ** -ulp
    n = int(nint(q))
    if abs(n) * mpf(2) ** ulp > LARGEST:
        return float("inf") if v > 0 else float("-inf"), 0
    return float(mpf(n) * mpf(2) ** ulp), int(nint((q - n) * 1000))


def sigmoid(x):
    t = exp(-abs(x))
    return (t if x < 0 else mpf(1)) / (1 + t)


def around(x, count):
    """The f64 nearest to x and `count` on either side."""
    b = bits(float(x))
    return [of(b + i) for i in range(-count, count + 1) if 0 <= (b + i) % 2**63 < bits(float("inf"))]


def spread(key, exponents, signs, each):
    """Hashed mantissas in all these binades; exponent -1023 is the subnormals, all sizes of them."""
    points = []
    for e in exponents:
        for s in signs:
            for i in range(each):
                m = hashed(key, e + 2000, s, i) % 2**52
                if e == -1023:
                    m >>= hashed(key, s, i, 7) % 52
                points.append(of(s << 63 | (e + 1023) << 52 | m))
    return points


def between(key, low, high, count):
    """Hashed points, evenly spread."""
    return [low + (high - low) * (i + hashed(key, i) / 2**64) / count for i in range(count)]


def edges():
    """Both signs of the smallest, the largest and the turning points of the number format."""
    e = [0.0, of(1), of(2), of(3), of(2**52 - 1), of(2**52), of(2**52 + 1), LARGEST, of(bits(LARGEST) - 1)]
    e += [2.0**-k for k in (25, 26, 27, 28, 50, 51, 52, 53, 54, 55, 56, 100, 1000)] + [1.0, 2.0, 3.0, 0.5]
    return e + [-x for x in e]


def multiples(step, low, high, count):
    """The multiples of `step`, with their neighbours."""
    return [x for k in range(low, high + 1) if k for x in around(k * step, count)]


# Where a search over a million and more points of each function found its largest error.
WORST = {
    "exp": [12.18408083002737, 269.33886824002116],
    "exp_m1": [0.34679097494367284, 37.78922415337426],
    "ln": [0.7061471439634114],
    "ln_1p": [0.4252350602206046],
    "tanh": [0.12450858786384361, 0.25146137764447696],
    "sigmoid": [-0.37097515751264254, -0.3469269720077342],
}


def points(name):
    p = edges() + WORST[name]
    if name == "exp":
        p += spread(1, range(-60, 10), (0, 1), 9)
        p += between(1, -745.2, 709.8, 1200)
        p += between(2, -745.2, -708.0, 400)  # subnormal results
        p += between(3, 709.0, 709.8, 60)
        p += [x for k in range(-1075, 1024, 4) for x in around((k + 0.5) * LN2, 1)]  # reduction's ends
        p += around(LARGEST_EXP, 12) + around(-1075 * LN2, 12) + around(-1022 * LN2, 12)
    elif name == "exp_m1":
        p += spread(2, range(-60, 10), (0, 1), 11) + spread(3, range(-1023, -60, 16), (0, 1), 2)
        p += between(4, -2.0, 2.0, 1200) + between(5, -45.0, 45.0, 400) + between(6, 45.0, 709.8, 200)
        p += [x for k in range(-60, 60) for x in around((k + 0.5) * LN2, 2)]
        p += around(LARGEST_EXP, 12) + around(-40.0, 4) + around(-54 * LN2, 8) + around(-53 * LN2, 8)
    elif name == "ln":
        p += spread(4, range(-1023, 1024), (0,), 1) + spread(5, [-1023], (0,), 300)
        p += between(7, 0.5, 2.0, 1000) + between(8, 0.99, 1.01, 400)
        p += [x for k in range(1, 53) for s in (1, -1) for x in around(1 + s * mpf(2) ** -k, 2)]
        p += [x for k in range(-1022, 1024, 31) for x in around(sqrt(mpf(2)) * mpf(2) ** k, 2)]
        p += around(mpf(2) ** -64, 4) + [-1.0, -2.5, -of(1)]
    elif name == "ln_1p":
        p += spread(6, range(-60, 60), (0,), 8) + spread(7, range(-60, 0), (1,), 16)
        p += spread(8, range(-1023, -60, 16), (0, 1), 2) + spread(9, range(60, 1024, 5), (0,), 1)
        p += between(9, -0.75, 2.0, 1000)
        p += [of(bits(-1.0) - (hashed(10, k, i) % 2**k) - 1) for k in range(52) for i in range(6)]
        p += [x for k in range(-53, 60) for x in around(sqrt(mpf(2)) * mpf(2) ** k - 1, 2)]
        p += around(-1.0, 4) + [-1.5, -of(1)]
    elif name == "tanh":
        p += spread(11, range(-60, 7), (0, 1), 14) + spread(12, range(-1023, -60, 16), (0, 1), 2)
        p += between(11, -1.5, 1.5, 1000) + between(12, -25.0, 25.0, 500)
        p += [s * x for k in range(0, 60) for s in (1, -1) for x in around((k + 0.5) * LN2 / 2, 2)]
        p += around(20.0, 4) + around(27 * LN2, 8) + around(55 * LN2 / 2, 8)
    elif name == "sigmoid":
        p += spread(13, range(-60, 10), (0, 1), 9)
        p += between(13, -745.2, -708.0, 400) + between(14, -745.2, -40.0, 400) + between(15, -45.0, 45.0, 1200)
        p += [x for k in range(-1076, 60, 3) for x in around((k + 0.5) * LN2, 1)]
        p += around(-1075 * LN2, 12) + around(-1022 * LN2, 12) + around(53 * LN2, 8) + around(54 * LN2, 8)
    return [of(b) for b in sorted({bits(x) for x in p})]


FUNCTIONS = {"exp": exp, "exp_m1": expm1, "ln": ln, "ln_1p": log1p, "tanh": tanh, "sigmoid": sigmoid}


def value(name, x):
    """The function in 1300 bits, with a sign on a zero, and NaN and infinities where it has them."""
    if x == 0 and name in ("exp_m1", "ln_1p", "tanh"):
        return x, 0
    if name == "ln" and x <= 0 or name == "ln_1p" and x <= -1:
        pole = 0 if name == "ln" else -1
        return (float("-inf") if x == pole else float("nan")), 0
    if name in ("exp", "exp_m1") and x > 1000:
        return float("inf"), 0
    if x < -1000 and name != "tanh":
        return (-1.0 if name == "exp_m1" else 0.0), 0
    if abs(x) > 1000 and name in ("tanh", "sigmoid"):
        return (-1.0 if x < 0 else 1.0), 0
    return nearest(FUNCTIONS[name](mpf(x)))


if __name__ == "__main__":
    for name in FUNCTIONS:
        lines = []
        for x in points(name):
            y, d = value(name, x)
            lines.append(f"{bits(x):x} {bits(y):x} {d}\n")
        with open(f"{name}.txt", "w", newline="\n") as file:
            file.writelines(lines)
        print(name, len(lines))
