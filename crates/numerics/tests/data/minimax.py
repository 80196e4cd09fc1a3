"""The polynomials of src/math.rs.

Run: python3 minimax.py   (needs mpmath: pip install mpmath; takes a minute)
It prints the arrays EXP and LN of f32 and f64, and how far each polynomial is from its function.

Each makes the largest weighted error on its interval small: least squares, with every point's weight
multiplied by its error again and again (Lawson's algorithm), which ends at the minimax polynomial. The
coefficients are then rounded to the number type one after another, lowest degree first; after each
rounding the rest is fitted anew, so that it makes up for the rounding.
"""

import struct
from mpmath import mp, mpf, matrix, lu_solve, expm1, log, atanh, sqrt, cos, pi, polyval

mp.dps = 60


def exp_tail(r):
    """q in e^r = 1 + r + r^2 q(r); an error of q is r^2 / (e^r - 1) times as large in e^r - 1."""
    return (expm1(r) - r) / (r * r), r * r / abs(expm1(r))


def ln_tail(z):
    """R in ln(1 + f) = 2 s + s z R(z), with s = f / (2 + f) and z = s^2; and its weight in ln(1 + f)."""
    s = sqrt(z)
    return (2 * atanh(s) - 2 * s) / (s * z), s * z / (2 * atanh(s))


def fit(points, first, count):
    """The coefficients of x^first, x^(first + 1) ... for points (x, value, weight)."""
    lawson = [mpf(1)] * len(points)
    best, least = None, None
    for _ in range(40):
        a, b = matrix(count, count), matrix(count, 1)
        for (x, v, w), l in zip(points, lawson):
            weight = w * w * l
            powers = [x ** (first + j) for j in range(count)]
            for i in range(count):
                b[i] += weight * powers[i] * v
                for j in range(count):
                    a[i, j] += weight * powers[i] * powers[j]
        c = list(lu_solve(a, b))
        error = [abs(w * (x**first * polyval(c[::-1], x) - v)) for x, v, w in points]
        if least is None or max(error) < least:
            best, least = c, max(error)
        lawson = [l * e for l, e in zip(lawson, error)]
        total = sum(lawson)
        lawson = [l / total for l in lawson]
    return best


def rounded(x, kind):
    """The nearest f32 ("f") or f64 ("d")."""
    return mpf(struct.unpack(kind, struct.pack(kind, float(x)))[0])


def shortest(x, kind):
    """The shortest decimal that reads back as x."""
    return next(t for t in (f"{float(x):.{d}g}" for d in range(1, 18)) if rounded(mpf(t), kind) == x)


def polynomial(name, tail, low, high, count, kind):
    grid = [(low + high) / 2 - (high - low) / 2 * cos(pi * (2 * i + 1) / 240) for i in range(120)]
    points = [(x, *tail(x)) for x in grid]
    fixed = []
    for first in range(count):
        rest = [(x, v - (polyval(fixed[::-1], x) if fixed else 0), w) for x, v, w in points]
        fixed.append(rounded(fit(rest, first, count - first)[0], kind))
    error = max(abs(w * (polyval(fixed[::-1], x) - v)) for x, v, w in points)
    print(f"{name}: relative error 2^{float(log(error, 2)):.2f}")
    for c in fixed:
        print(f"    {shortest(c, kind)},")


if __name__ == "__main__":
    # A little wider than the reduced arguments, whose bounds are rounded.
    half = log(2) / 2 * mpf("1.0001")
    z = ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2 * mpf("1.0001")
    polynomial("f32 EXP", exp_tail, -half, half, 5, "f")
    polynomial("f64 EXP", exp_tail, -half, half, 10, "d")
    polynomial("f32 LN", ln_tail, mpf(0), z, 3, "f")
    polynomial("f64 LN", ln_tail, mpf(0), z, 7, "d")
