"""Attributes of modules by dotted names."""

from __future__ import annotations

from typing import Any

import torch

from qdq import AttributeKind


def get_attribute(module: torch.nn.Module, name: str) -> Any:
    """The attribute of that dotted name; the module itself for ''."""
    value: Any = module
    for part in name.split(".") if name else ():
        value = getattr(value, part)
    return value


def set_attribute(
    module: torch.nn.Module, name: str, value: torch.Tensor, kind: AttributeKind, requires_grad: bool = False
) -> None:
    """Puts a tensor at a dotted name as parameter or buffer; an attribute that is there keeps its kind."""
    path, _, last = name.rpartition(".")
    owner = get_attribute(module, path)
    if last in owner._buffers:
        owner._buffers[last] = value
    elif last in owner._parameters or kind is AttributeKind.parameter:
        setattr(owner, last, torch.nn.Parameter(value, requires_grad=requires_grad and value.is_floating_point()))
    elif kind is AttributeKind.buffer:
        owner.register_buffer(last, value)
    else:
        setattr(owner, last, value)


def delete_attribute(module: torch.nn.Module, name: str) -> None:
    """Removes the attribute of that dotted name if it is there."""
    path, _, last = name.rpartition(".")
    owner = get_attribute(module, path)
    if hasattr(owner, last):
        delattr(owner, last)


def add_missing_tensors(gm: torch.fx.GraphModule, source: torch.nn.Module) -> None:
    """Gives the module the parameters and buffers of `source` that it does not have."""
    present = {name for named in (gm.named_parameters, gm.named_buffers) for name, _ in named(remove_duplicate=False)}
    for named in (source.named_parameters, source.named_buffers):
        for name, tensor in named(remove_duplicate=False):
            if name in present:
                continue
            path, _, last = name.rpartition(".")
            owner: torch.nn.Module = gm
            for part in path.split(".") if path else ():
                if not hasattr(owner, part):
                    owner.add_module(part, torch.nn.Module())
                owner = getattr(owner, part)
            if isinstance(tensor, torch.nn.Parameter):
                owner.register_parameter(last, tensor)
            else:
                owner.register_buffer(last, tensor)


def delete_unread_tensors(gm: torch.fx.GraphModule) -> None:
    """Removes the parameters and buffers that no node of the graph reads, and the modules that are empty then."""
    read = {str(node.target) for node in gm.graph.nodes if node.op in ("get_attr", "call_module")}

    def is_read(name: str) -> bool:
        parts = name.split(".")
        return any(".".join(parts[:length]) in read for length in range(1, len(parts) + 1))

    names = [name for name, _ in gm.named_parameters(remove_duplicate=False)]
    names += [name for name, _ in gm.named_buffers(remove_duplicate=False)]
    for name in names:
        if not is_read(name):
            delete_attribute(gm, name)
    gm.delete_all_unused_submodules()
