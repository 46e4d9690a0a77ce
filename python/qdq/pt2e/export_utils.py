"""Switches between training and evaluation for captured models, and other helpers around export."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import torch

import qdq

from ._bridge.graphs import Crossing

__all__ = [
    "WrapperModule",
    "allow_exported_model_train_eval",
    "capture_pre_autograd_graph",
    "model_is_exported",
    "move_exported_model_to_eval",
    "move_exported_model_to_train",
]

_EXPORTED_TRAINING_ATTR = "_exported_training"


class WrapperModule(torch.nn.Module):
    """A function as a module, so that it can be exported."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.fn(*args, **kwargs)


def model_is_exported(m: torch.nn.Module) -> bool:
    """True for a graph module that torch.export made: its nodes know their values."""
    return isinstance(m, torch.fx.GraphModule) and any("val" in node.meta for node in m.graph.nodes)


def capture_pre_autograd_graph(
    f: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, dynamic_shapes: Any = None
) -> torch.fx.GraphModule:
    """The model as a graph of ATen ops, ready for prepare_pt2e: ``torch.export.export(f, args).module()``."""
    return torch.export.export(f, args, kwargs, dynamic_shapes=dynamic_shapes, strict=True).module()  # type: ignore[return-value]


def _move(model: torch.fx.GraphModule, training: bool) -> torch.fx.GraphModule:
    if getattr(model, _EXPORTED_TRAINING_ATTR, not training) == training:
        return model
    setattr(model, _EXPORTED_TRAINING_ATTR, training)
    crossing = Crossing(model)
    qdq.run_pass(crossing.program, "eliminate_dead_code")
    if training:
        qdq.move_exported_model_to_train(crossing.program)
    else:
        qdq.move_exported_model_to_eval(crossing.program)
    crossing.put_back(crossing.program.graph, crossing.program.attributes)
    model.recompile()
    return model


def move_exported_model_to_eval(model: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """Dropouts and batch norms evaluate; they keep their probability, momentum and eps. Changes and returns `model`."""
    return _move(model, training=False)


def move_exported_model_to_train(model: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """Dropouts and batch norms train. Changes and returns `model`."""
    return _move(model, training=True)


def allow_exported_model_train_eval(model: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """Gives the model .train() and .eval() that switch its dropouts and batch norms.

    prepare and convert take them away again: call this after each.
    """

    def train(self: torch.fx.GraphModule, mode: bool = True) -> torch.fx.GraphModule:
        return _move(self, training=mode)

    def evaluate(self: torch.fx.GraphModule) -> torch.fx.GraphModule:
        return _move(self, training=False)

    model.train = types.MethodType(train, model)  # type: ignore[method-assign]
    model.eval = types.MethodType(evaluate, model)  # type: ignore[method-assign]
    return model
