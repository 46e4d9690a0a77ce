#!/usr/bin/env python3
"""Checks who includes whom: data flows through the folders of src/ in one direction (docs/adr/0003-layers.md).

usage: tools/check_layers.py [repository root]

Prints "file:line: message" for each include that breaks a rule and exits with 1 when there are any.
"""
import pathlib
import re
import sys

# The layer whose types each public header promises.
PUBLIC = {
    "error": "base",
    "shared_value": "base",
    "dtype": "tensor",
    "tensor": "tensor",
    "tensor_impl": "tensor",
    "executor": "executor",
    "thread_pool": "executor",
    "session": "api",
    "tune": "api",
    "value_type": "graph",
    "graph": "graph",
    "graph_text": "graph",
    "program": "graph",
    "export_utils": "graph",
    "observer": "observers",
    "affine": "observers",
    "fake_quantize": "observers",
    "annotation": "spec",
    "quantizer": "spec",
    "quantizers": "spec",
    "annotation_report": "spec",
    "embedding_quantizer": "spec",
    "inductor_quantizer": "spec",
    "weight_only_quantizer": "spec",
    "xnnpack_quantizer": "spec",
    "io": "formats",
    "data": "formats",
    "images": "formats",
    "accuracy": "api",
    "diagnose": "api",
    "explain": "api",
    "quantize": "api",
    "numeric_debugger": "api",
    "statistics": "api",
    "report": "api",
    "qdq": "api",
    "version": "base",
    "interrupt": "base",
}

GRAPH = {"base", "tensor", "graph"}
OPS = GRAPH | {"ops"}
# What each folder of src/ may include besides itself. `spec` is qdq/quantizer.h: what annotations say; `executor` is the
# interface through which programs are run.
ALLOWED = {
    "base": set(),
    "tensor": {"base"},
    "graph": {"base", "tensor"},
    "ops": GRAPH,
    "formats": OPS,
    "reference": OPS | {"executor"},
    "annotate": OPS | {"observers", "spec", "passes"},
    "observers": {"base", "tensor"},
    "prepare": OPS | {"observers", "spec", "annotate", "passes"},
    "statistics": GRAPH | {"formats", "observers", "spec", "executor", "api"},
    "numeric_debugger": OPS | {"passes", "executor", "api"},
    "report": OPS | {"formats", "observers", "api"},
    "calibrate": OPS | {"observers", "spec", "executor", "api"},
    "accuracy": OPS | {"observers", "spec", "passes", "runtime", "executor", "api"},
    "convert": OPS | {"observers", "spec", "annotate", "passes"},
    "passes": OPS | {"spec"},
    # The list of ways to run an op ends in the reference interpreter.
    "lower": OPS | {"passes", "runtime", "executor", "reference"},
    "runtime": {"base", "tensor", "executor"},
}
# These see promised headers only: whoever needs more than that is missing something in the API.
DOORS = {"cli", "python"}
# The order of the stages is the pipeline's business, so it sees all of them.
UNRESTRICTED = {"pipeline"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
ONEDNN = re.compile(r"^(oneapi/|dnnl)")


def folder_of(path):
    """'src/graph/verify.cc' -> 'graph'; 'python/bindings/x.cc' -> 'python'; 'include/qdq/graph.h' -> 'include'."""
    parts = pathlib.PurePosixPath(path).parts
    return parts[1] if parts[0] == "src" else parts[0]


def complaint(path, header, quoted):
    """Why `path` must not include `header`; None when it may."""
    folder = folder_of(path)
    if ONEDNN.match(header):
        inside = path.startswith("src/runtime/onednn/")
        return None if inside else "only src/runtime/onednn/ includes oneDNN"
    if not quoted:
        return None
    first, _, rest = header.partition("/")
    is_public = first == "qdq"
    if folder == "include":
        return None if is_public else "public headers include public headers only"
    if folder in DOORS:
        own = first == folder or (folder == "python" and not rest)
        return None if is_public or own else f"{folder} sees include/qdq/ only"
    if folder in UNRESTRICTED:
        return None
    if folder not in ALLOWED:
        return f"the folder '{folder}' has no row in tools/check_layers.py"
    name = rest.removesuffix(".h")
    if is_public and name not in PUBLIC:
        return f"the public header '{header}' has no row in tools/check_layers.py"
    layer = PUBLIC[name] if is_public else first
    if layer != folder and layer not in ALLOWED[folder]:
        return f"{folder} must not include {layer}"
    return None


def check_text(path, text):
    """Complaints about one file, as 'path:line: message'."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        reason = match and complaint(path, match[2], match[1] == '"')
        if reason:
            found.append(f"{path}:{number}: {match[2]}: {reason}")
    return found


def check_private_headers(texts):
    """Headers of src/runtime/onednn/ that include oneDNN, themselves or through others, stay in their folder."""
    inside = "src/runtime/onednn/"
    includes = {path: [m[2] for m in map(INCLUDE.match, text.splitlines()) if m] for path, text in texts.items()}
    private = set()
    while True:
        more = {
            path.removeprefix("src/")
            for path, headers in includes.items()
            if path.startswith(inside) and any(ONEDNN.match(h) or h in private for h in headers)
        }
        if more == private:
            break
        private = more
    return [
        f"{path}: {header}: brings oneDNN's types out of {inside}"
        for path, headers in includes.items()
        if not path.startswith(inside)
        for header in headers
        if header in private
    ]


def check_files(texts):
    """All complaints about {path: text}."""
    found = []
    for path, text in texts.items():
        found += check_text(path, text)
    return found + check_private_headers(texts)


def check_tree(root):
    texts = {}
    for top in ("include", "src", "python"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix in {".h", ".cc", ".inc"}:
                texts[file.relative_to(root).as_posix()] = file.read_text(encoding="utf-8")
    return check_files(texts)


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    found = check_tree(root)
    print("\n".join(found) if found else "layers: ok")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
