#!/usr/bin/env python3
"""Writes src/tensor/gelu_tables.h: the cubics from which the integer engine computes GELU.

usage: tools/gen_gelu_tables.py [repository root]

gelu(x) = x * (0.5 + g(x)) with an odd g. Each of 32 stretches of [0, 6] has the cubic that meets g in its four Chebyshev points.
"""
import math
import pathlib
import sys

STRETCHES, END = 32, 6.0


def g_erf(x):
    return 0.5 * math.erf(x / math.sqrt(2))


def g_tanh(x):
    return 0.5 * math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


def cubic(g, start, width):
    """Coefficients c0..c3 of the cubic in t = (x - start) / width, by Newton's divided differences."""
    points = [0.5 + 0.5 * math.cos(math.pi * (2 * i + 1) / 8) for i in range(4)]
    table = [g(start + width * t) for t in points]
    for order in range(1, 4):
        for i in range(3, order - 1, -1):
            table[i] = (table[i] - table[i - 1]) / (points[i] - points[i - order])
    coefficients = [0.0] * 4
    for i in range(3, -1, -1):  # Horner on polynomials: c = c * (t - points[i]) + table[i]
        shifted = [0.0] + coefficients[:3]
        coefficients = [s - points[i] * c for s, c in zip(shifted, coefficients)]
        coefficients[0] += table[i]
    return coefficients


def table(name, g):
    width = END / STRETCHES
    cubics = [cubic(g, i * width, width) for i in range(STRETCHES)]
    lines = [f"constexpr GeluTable {name} = {{{{"]
    for power in range(4):
        numbers = [f"{c[power]:.9e}f" for c in cubics]
        rows = [", ".join(numbers[i : i + 6]) for i in range(0, STRETCHES, 6)]
        lines.append("    {" + ",\n     ".join(rows) + "},")
    return "\n".join([*lines, "}};"])


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1])
    text = f"""#pragma once
// Made by tools/gen_gelu_tables.py.

namespace qdq {{

// gelu(x) = x * (0.5 + g(|x|) with the sign of x). With a = min(|x|, kGeluEnd) * kGeluStretches and i = the whole part of a,
// {STRETCHES - 1} at most, g = ((c[3][i] * t + c[2][i]) * t + c[1][i]) * t + c[0][i] for t = a - i.
struct GeluTable {{
  float c[4][{STRETCHES}];
}};
constexpr int kGeluLast = {STRETCHES - 1};
constexpr float kGeluEnd = {END}f;
constexpr float kGeluStretches = {STRETCHES / END:.9g}f;  // for a distance of 1

// clang-format off
{table("kGeluErf", g_erf)}

{table("kGeluTanh", g_tanh)}
// clang-format on

}}  // namespace qdq
"""
    (root / "src" / "tensor" / "gelu_tables.h").write_text(text)


if __name__ == "__main__":
    main()
