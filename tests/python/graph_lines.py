"""A torch.fx graph as the lines that tests/support/graph_lines.h prints of ours."""

import operator
import struct

import torch


def argument_text(value):
    if value is None:
        return "None"
    if isinstance(value, torch.fx.Node):
        return "%" + value.name
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return "f" + str(struct.unpack("<q", struct.pack("<d", value))[0])
    if isinstance(value, str):
        return "'" + value + "'"
    if isinstance(value, torch.dtype):
        return str(value)
    if isinstance(value, torch._ops.OpOverload):
        return "op " + str(value)
    if isinstance(value, torch.device):
        return value.type
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(argument_text(v) for v in value) + "]"
    return "?"


def target_text(node):
    if node.op in ("placeholder", "output"):
        return ""
    if node.op in ("get_attr", "call_module"):
        return str(node.target)
    if node.target is operator.getitem:
        return "operator.getitem"
    if isinstance(node.target, torch._ops.HigherOrderOperator):
        return "higher_order." + str(node.target)
    return str(node.target)


def arguments_of(node):
    """A body may return one value; ours always return a list."""
    return [list(node.args)] if node.op == "output" and isinstance(node.args[0], torch.fx.Node) else node.args


def graph_lines(module, prefix=""):
    """The lines of a GraphModule, then those of each body of a higher-order op under the body's name."""
    lines, bodies = [], {}
    for node in module.graph.nodes:
        value = getattr(module, node.target, None) if node.op == "get_attr" else None
        if isinstance(value, torch.fx.GraphModule):
            bodies[node] = prefix + node.target
            continue
        parts = [
            "subgraph " + bodies[a].rpartition(".")[2] if isinstance(a, torch.fx.Node) and a in bodies else argument_text(a) for a in arguments_of(node)
        ]
        parts += [f"{k}={argument_text(v)}" for k, v in node.kwargs.items()]
        is_named = node.op in ("get_attr", "call_module")
        target = (prefix if is_named else "") + target_text(node)
        lines.append(f"{node.name} = {node.op} {target}({', '.join(parts)})")
    for node, name in bodies.items():
        lines.append(name + ":")
        lines += graph_lines(getattr(module, node.target), name + ".")
    return lines
