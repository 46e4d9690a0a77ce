"""Writes the tables of docs/onnx.md: which operators are written as ONNX and which are read.

    python3 tools/gen_onnx_table.py build/release/tests/run_program
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "onnx.md"
MARK = "<!-- Made by tools/gen_onnx_table.py from the translation tables; a test says when it is stale. -->\n"


def rows(run_program):
    """(kind, operator, translation) for each row of the translation tables."""
    listed = subprocess.run([run_program, "--onnx"], capture_output=True, text=True, check=True).stdout
    return [tuple(line.split("\t")) for line in listed.splitlines()]


def short(target):
    """'aten.relu.default' -> 'relu'; other namespaces keep theirs."""
    return target.removeprefix("aten.").removesuffix(".default")


def tables(listed):
    """The text after the mark."""
    text = MARK + "\n## From ATen to ONNX\n\n| ATen | ONNX |\n|---|---|\n"
    for kind, target, onnx in listed:
        if kind == "write":
            text += f"| {short(target)} | {'the value itself' if onnx == '-' else onnx} |\n"
    text += "\n## From ONNX to ATen\n\n| ONNX | ATen |\n|---|---|\n"
    for op, aten in sorted((op, aten) for kind, op, aten in listed if kind == "read"):
        text += f"| {op} | {'the value itself' if aten == '-' else aten} |\n"
    refused = sorted(short(target) for kind, target, _ in listed if kind == "refuse")
    text += "\n## Operators that we run but do not write\n\n" + ", ".join(f"`{name}`" for name in refused) + "\n"
    return text


def generate(run_program):
    """The whole document with current tables."""
    before, mark, _ = DOCUMENT.read_text().partition(MARK)
    if not mark:
        raise ValueError(f"{DOCUMENT}: the mark before the tables is missing")
    return before + tables(rows(run_program))


if __name__ == "__main__":
    DOCUMENT.write_text(generate(sys.argv[1]))
