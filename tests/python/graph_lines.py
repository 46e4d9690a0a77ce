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
    return str(node.target)


def graph_lines(graph):
    lines = []
    for node in graph.nodes:
        parts = [argument_text(a) for a in node.args]
        parts += [f"{k}={argument_text(v)}" for k, v in node.kwargs.items()]
        lines.append(f"{node.name} = {node.op} {target_text(node)}({', '.join(parts)})")
    return lines
