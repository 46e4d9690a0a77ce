"""Checks who includes whom in src/ (docs/adr/0003-layers.md). Prints each include that crosses a border; exit code 1 if any.

    python3 tools/check_layers.py
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)

GRAPH = {"base", "tensor", "graph"}
# Folder of src/ -> folders that it may include besides itself and include/qdq/.
ALLOWED = {
    "base": set(),
    "tensor": {"base"},
    "graph": {"base", "tensor"},
    "ops": GRAPH,
    "formats": GRAPH | {"ops"},
    "reference": GRAPH | {"ops"},
    "observers": {"base", "tensor"},
    "annotate": GRAPH | {"ops", "observers", "passes"},
    "prepare": GRAPH | {"ops", "observers", "annotate", "passes"},
    "calibrate": GRAPH | {"observers"},
    "convert": GRAPH | {"ops", "observers", "annotate", "passes"},
    "passes": GRAPH | {"ops"},
    "lower": GRAPH | {"ops", "passes", "reference", "runtime"},
    "runtime": {"base", "tensor"},
    "pipeline": None,  # everything but cli
    "cli": set(),
}
# Public headers that a layer must not see although include/qdq/ is open to all.
FORBIDDEN_HEADERS = {
    "base": {"qdq/tensor.h", "qdq/graph.h", "qdq/program.h"},
    "tensor": {"qdq/graph.h", "qdq/program.h", "qdq/quantizer.h", "qdq/quantize.h"},
    "graph": {"qdq/quantizer.h", "qdq/quantize.h", "qdq/executor.h", "qdq/observer.h"},
    "observers": {"qdq/graph.h", "qdq/program.h", "qdq/quantizer.h", "qdq/quantize.h", "qdq/executor.h"},
    "runtime": {"qdq/graph.h", "qdq/program.h", "qdq/quantizer.h", "qdq/quantize.h"},
    "formats": {"qdq/quantizer.h", "qdq/quantize.h", "qdq/executor.h", "qdq/observer.h"},
}


def violations(source_folder):
    for path in sorted(source_folder.rglob("*")):
        if path.suffix not in {".cc", ".h"}:
            continue
        relative = path.relative_to(source_folder)
        layer = relative.parts[0]
        for header in INCLUDE.findall(path.read_text()):
            folder = header.split("/")[0]
            if header.startswith(("oneapi/", "dnnl")) and relative.parts[:2] != ("runtime", "onednn"):
                yield f"src/{relative} includes {header}: only runtime/onednn/ may include oneDNN"
            elif header in FORBIDDEN_HEADERS.get(layer, ()):
                yield f"src/{relative} includes {header}: {layer}/ must not know of it"
            elif folder == layer or folder not in ALLOWED:
                continue
            elif layer not in ALLOWED:
                yield f"src/{relative}: {layer}/ is no layer that tools/check_layers.py knows"
            elif ALLOWED[layer] is None and folder != "cli":
                continue
            elif ALLOWED[layer] is None or folder not in ALLOWED[layer]:
                yield f"src/{relative} includes {header}: {layer}/ may not include {folder}/"


if __name__ == "__main__":
    found = list(violations(ROOT / "src"))
    print("\n".join(found))
    sys.exit(1 if found else 0)
