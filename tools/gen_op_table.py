"""Writes docs/op_support.md: which operators run, and which of them have a fast kernel.

    python3 tools/gen_op_table.py build/release/tests/run_program
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "op_support.md"
# A row of a kernel table of src/lower, as in {"aten.linear.default", lower_linear}.
FAST_ROW = re.compile(r'\{\s*"([\w.]+)",\s*lower_\w+')

HEADER = """# Operators

Made by `tools/gen_op_table.py` from the kernel tables; a test says when it is stale.

**Every operator loads, prints, is quantized around and is saved,** listed here or not. Running a program needs a kernel for each
op that it calls; for one that is missing the error names op, node and source line.

* Every operator below has a kernel in the reference interpreter, which the fast executor calls where it has nothing faster.
* *fast*: the fast executor has a vectorised or oneDNN kernel for the common case (float32, for quantize and dequantize int8
  and uint8 too). Other dtypes and rare modes of the op fall back to the reference, one op at a time. In-place
  forms (`relu_`) use the kernel of their functional form. Views that move no bytes need no kernel.
* Of the operators with sub-graphs, `cond`, `while_loop`, `scan`, `map_impl` and `wrap_with_set_grad_enabled` run, and so does `out_dtype`; operators that
  draw random numbers do not.

"""


def fast_targets():
    """The operators in the kernel tables of src/lower."""
    return {target for file in sorted((ROOT / "src" / "lower").glob("*.cc")) for target in FAST_ROW.findall(file.read_text())}


def functional_form(target):
    """'aten.relu_.default' -> 'aten.relu.default'."""
    return target.replace("_.", ".", 1)


def table(reference, fast):
    """The document for these operators."""
    unknown = sorted(fast - set(reference))
    if unknown:
        raise ValueError(f"fast kernels without a reference kernel: {', '.join(unknown)}")
    operators = {}
    for target in sorted(reference):
        namespace, _, rest = target.partition(".")
        name, _, overload = rest.partition(".")
        is_fast = target in fast or functional_form(target) in fast
        operators.setdefault(namespace, {}).setdefault(name, []).append((overload, is_fast))
    text = HEADER
    text += f"{len(reference)} overloads have a reference kernel; "
    text += f"{sum(is_fast for names in operators.values() for rows in names.values() for _, is_fast in rows)} of them run fast.\n"
    for namespace, names in operators.items():
        text += f"\n## {namespace}\n\n| operator | overloads | fast |\n|---|---|---|\n"
        for name, rows in names.items():
            overloads = [overload for overload, _ in rows if overload]
            fast_rows = [overload for overload, is_fast in rows if is_fast]
            marks = "yes" if len(fast_rows) == len(rows) else ", ".join(fast_rows)
            text += f"| {name} | {', '.join(overloads)} | {marks} |\n"
    return text


def generate(run_program):
    """The document as it should be, by a built tests/run_program."""
    printed = subprocess.run([run_program, "--kernels"], check=True, capture_output=True, text=True).stdout
    return table(printed.split(), fast_targets())


if __name__ == "__main__":
    DOCUMENT.write_text(generate(str(Path(sys.argv[1]).resolve())))
