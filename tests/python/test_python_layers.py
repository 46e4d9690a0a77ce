"""The modules of the package import each other in one direction."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "python" / "qdq"


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# The root gathers the names of the core, which every module may take from there.
PATHS = {module_name(path): path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"}


def imports_of(name, path):
    """The modules of the package that `path` imports, at its top or inside of functions; a package counts for its __init__."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in PATHS)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            submodules = [f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in PATHS]
            yield from submodules
            if len(submodules) < len(node.names) and base in PATHS:
                yield base


def circle_in(graph):
    """The names along a circle of `graph` (name -> names), [] when there is none."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return path[path.index(name) :] + [name]
        if name in done:
            return []
        path.append(name)
        for other in graph[name]:
            if found := visit(other):
                return found
        done.add(path.pop())
        return []

    return next((found for name in sorted(graph) if (found := visit(name))), [])


def test_no_imports_go_round_in_a_circle():
    graph = {name: sorted(set(imports_of(name, path)) - {name}) for name, path in PATHS.items()}
    assert circle_in(graph) == []


def test_a_circle_is_found():
    assert circle_in({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert circle_in({"a": ["b", "c"], "b": ["c"], "c": []}) == []
