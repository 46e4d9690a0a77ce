"""Writes docs/python_api.md: every public name of qdq and of qdq.pt2e, its signature and what its docstring says.

    python3 tools/gen_python_api.py

Reads the sources and the stub of the extension; imports nothing.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "qdq"
DOCUMENT = ROOT / "docs" / "python_api.md"

HEADER = """# Python API

Made by `tools/gen_python_api.py` from the sources; a test says when it is stale. `help(qdq.load)` says the same in Python.
[python.md](python.md) and [coming_from_torchao.md](coming_from_torchao.md) are the guides.
"""


class Module:
    """One file: its definitions, its imports from the package and the names that it offers."""

    def __init__(self, path):
        self.path = path
        self.tree = ast.parse(path.read_text())
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        self.package = parts[:-1]
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self.definitions = {}
        self.imports = {}
        self.listed = None
        for node in self.tree.body:
            self._read(node)

    def _read(self, node):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            self.definitions[node.name] = node
        elif isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("qdq")):
            start = list(self.package[: len(self.package) - node.level + 1]) if node.level else []
            module = ".".join([*start, *((node.module or "").split(".") if node.module else [])])
            for alias in node.names:
                self.imports[alias.asname or alias.name] = (module, alias.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    self._read_assignment(target.id, node)

    def _read_assignment(self, name, node):
        if name != "__all__":
            self.definitions[name] = node
        elif isinstance(node.value, (ast.List, ast.Tuple)):
            self.listed = [element.value for element in node.value.elts]

    def names(self):
        if self.listed is not None:
            return sorted(self.listed)
        return sorted(name for name in (*self.definitions, *self.imports) if not name.startswith("_"))


def modules():
    files = sorted(PACKAGE.rglob("*.py"))
    found = {module.name: module for module in map(Module, files)}
    found["qdq._core"] = Module(PACKAGE / "_core.pyi")
    return found


def resolve(found, module, name):
    """Where a name is defined: (module, node); the node is None for a module, and for what is made while importing."""
    while name not in module.definitions and name in module.imports:
        source, name = module.imports[name]
        if f"{source}.{name}" in found:
            return found[f"{source}.{name}"], None
        module = found[source]
    return module, module.definitions.get(name)


def paragraph(node):
    """The docstring up to the first empty line, on one line."""
    text = ast.get_docstring(node) or ""
    return re.sub(r"\s+", " ", text.split("\n\n")[0]).strip()


def rest(node):
    text = (ast.get_docstring(node) or "").split("\n\n", 1)
    return text[1].strip() if len(text) > 1 else ""


def signature(node, method=False):
    arguments = ast.unparse(node.args)
    if method:
        arguments = re.sub(r"^(self|cls)(, |$)", "", re.sub(r"^(self|cls), /(, |$)", "", arguments))
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    text = f"{node.name}({arguments}){returns}"
    return text.replace("qdq.typing.", "").replace("torch.fx.", "")


def is_property(node):
    return any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list)


def is_public(name):
    return not name.startswith("_") or name == "__init__"


def members(node):
    """A line for each public method, property and field."""
    lines, seen = [], set()
    for child in node.body:
        if isinstance(child, ast.FunctionDef) and is_public(child.name) and child.name not in seen:
            if child.name == "__init__" and not child.args.args[1:] and not child.args.kwonlyargs:
                continue
            seen.add(child.name)
            says = paragraph(child)
            if is_property(child):
                kind = f": {ast.unparse(child.returns)}" if child.returns else ""
                head = f"{child.name}{kind}"
            else:
                head = signature(child, method=True).replace("__init__", node.name, 1).removesuffix(" -> None")
            lines.append(f"* `{head}`" + (f" {says}" if says else ""))
        elif isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name) and is_public(child.target.id):
            default = f" = {ast.unparse(child.value)}" if child.value else ""
            lines.append(f"* `{child.target.id}: {ast.unparse(child.annotation)}{default}`")
    return lines


def enum_values(node):
    values = [f"`{child.targets[0].id}`" for child in node.body if isinstance(child, ast.Assign)]
    return ", ".join(values) + "\n"


def is_enum(node):
    return any("enum" in ast.unparse(base).lower() for base in node.bases)


def entry(name, node):
    if isinstance(node, ast.FunctionDef):
        text = f"### `{signature(node).replace(node.name, name, 1)}`\n"
    elif isinstance(node, ast.ClassDef):
        bases = ", ".join(base for base in map(ast.unparse, node.bases) if not base.startswith("_"))
        text = f"### class `{name}{f'({bases})' if bases else ''}`\n"
    else:
        return f"* `{name}`\n"
    for part in (paragraph(node), rest(node)):
        text += f"\n{part}\n" if part else ""
    if isinstance(node, ast.ClassDef):
        lines = [enum_values(node)] if is_enum(node) else [line + "\n" for line in members(node)]
        text += "\n" + "".join(lines) if lines else ""
    return text


def section(found, module):
    """The module's own names in full, those of others as references."""
    text = f"\n## {module.name}\n"
    if says := ast.get_docstring(module.tree):
        text += f"\n{paragraph(module.tree)}\n"
    own, constants, elsewhere = [], [], {}
    for name in module.names():
        source, node = resolve(found, module, name)
        is_home = source is module or source.name.rpartition(".")[2].startswith("_")
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and is_home:
            own.append(entry(name, node))
        elif source is module:
            constants.append(name)
        elif node is not None:
            elsewhere.setdefault(source.name, []).append(name)
    for part in own:
        text += f"\n{part}"
    if constants:
        text += "\nAlso " + ", ".join(f"`{name}`" for name in constants) + ".\n"
    for source, names in sorted(elsewhere.items()):
        text += f"\nFrom {source}: " + ", ".join(f"`{name}`" for name in names) + ".\n"
    return text


def generate():
    found = modules()
    public = [name for name in found if not any(part.startswith("_") for part in name.split("."))]
    return HEADER + "".join(section(found, found[name]) for name in sorted(public))


if __name__ == "__main__":
    DOCUMENT.write_text(generate())
