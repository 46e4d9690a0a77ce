"""convert: observer modules become quantize and dequantize ops, in the core."""

from __future__ import annotations

import torch
from torch.fx.traceback import NodeSource, NodeSourceAction

import qdq

from ._bridge.annotations import carry_annotations, mark_converted
from ._bridge.graphs import Crossing
from ._bridge.modules import delete_unread_tensors
from ._bridge.observers import ModuleObserver
from .fake_quantize import FakeQuantizeBase
from .observer import AffineQuantizedObserverBase, ObserverBase

_SOURCE = "quantization_source"  # the core gives it to quantize and dequantize as their from_node
_REPLACES = "replace_observer_with_quantize_dequantize_node"  # torchao's name for what makes them


def is_observer(module: torch.nn.Module) -> bool:
    return isinstance(module, (ObserverBase, FakeQuantizeBase, AffineQuantizedObserverBase)) or (
        hasattr(module, "calculate_qparams") and hasattr(module, "with_args")
    )


def _let_modules_convert(model: torch.fx.GraphModule) -> None:
    """An observer with a method convert(model, node) replaces itself."""
    for node in list(model.graph.nodes):
        if node.op != "call_module":
            continue
        module = model.get_submodule(node.target)
        if is_observer(module) and hasattr(module, "convert"):
            module.convert(model, node)


def convert(
    model: torch.fx.GraphModule, use_reference_representation: bool, fold_quantize: bool, keep_float_weights: bool
) -> torch.fx.GraphModule:
    """Replaces the observers of the model's own graph. Returns the model."""
    _let_modules_convert(model)
    crossing = Crossing(model, is_observer)
    carry_annotations(crossing)
    observers: dict[str, qdq.Observer] = {}
    modules: dict[int, ModuleObserver] = {}
    for node in model.graph.nodes:
        if node.op != "call_module" or not is_observer(model.get_submodule(node.target)):
            continue
        module = model.get_submodule(node.target)
        observers[node.target] = modules.setdefault(id(module), ModuleObserver(module))
        crossing.set_meta(node, _SOURCE, [NodeSource(node, _REPLACES, [NodeSourceAction.CREATE])])
    prepared = qdq.PreparedProgram(crossing.program, observers)
    converted = qdq.convert(prepared, fold_quantize, use_reference_representation)
    crossing.put_back(converted.graph, converted.attributes, keep_tensors=keep_float_weights)
    if not keep_float_weights:
        delete_unread_tensors(model)
    else:
        model.delete_all_unused_submodules()
    mark_converted(model.graph)
    return model
