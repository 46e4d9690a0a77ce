"""Quantize captured models: prepare, calibrate (or train), convert.

    model = torch.export.export(model, example_inputs).module()
    model = prepare_pt2e(model, quantizer)
    for batch in batches:
        model(*batch)
    model = convert_pt2e(model)
"""

from __future__ import annotations

import gc
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.fx import GraphModule

from . import _convert, _prepare
from ._bridge.modules import add_missing_tensors
from ._specs import Quantizer

__all__ = ["convert_pt2e", "prepare_pt2e", "prepare_qat_pt2e"]

_PREPARED_KEY = "_observed_graph_module_attrs"  # in the model's meta: it has observers
# Bodies of control flow that are quantized too, and the argument that holds them.
_BODIES = {"scan": 0, "while_loop": 1}


@contextmanager
def _without_collection() -> Iterator[None]:
    """Lets Python's cycle collector rest. Nearly all that is made here stays: each search would look through it in vain."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _no_train_eval(model: GraphModule) -> GraphModule:
    """.train() and .eval() of a captured model cannot do what they say."""

    def refuse(self: GraphModule, *_: Any) -> GraphModule:
        raise NotImplementedError(
            "train() and eval() do not change a captured graph: call move_exported_model_to_train or "
            "move_exported_model_to_eval of qdq.pt2e"
        )

    model.train = types.MethodType(refuse, model)  # type: ignore[method-assign]
    model.eval = types.MethodType(refuse, model)  # type: ignore[method-assign]
    return model


def _check_devices(model: GraphModule) -> None:
    tensors = (tensor for module in model.modules() for tensor in (*module._parameters.values(), *module._buffers.values()))
    devices = {tensor.device for tensor in tensors if tensor is not None}
    if len(devices) > 1:
        raise AssertionError(f"a model on one device expected, found {sorted(map(str, devices))}")


def _bodies(model: GraphModule) -> list[str]:
    names = []
    for node in model.graph.nodes:
        if node.op != "call_function" or not isinstance(node.target, torch._ops.HigherOrderOperator):
            continue
        position = _BODIES.get(node.target.name())
        if position is not None:
            names.append(node.args[position].target)
    return list(dict.fromkeys(names))  # two calls may share one


def _finished(model: GraphModule, meta: dict[str, Any], attributes: dict[str, Any]) -> GraphModule:
    result = GraphModule(model, model.graph)
    for name, value in attributes.items():
        setattr(result, name, value)
    result.meta.update(meta)
    return _no_train_eval(result)


def _own_attributes(model: GraphModule) -> dict[str, Any]:
    """What the user, or export, put on the module and a new GraphModule would not have."""
    return {"_exported_training": model._exported_training} if hasattr(model, "_exported_training") else {}


def _prepared_record(is_qat: bool) -> Any:
    """What torch.ao's helpers look for in a prepared model; of its fields only is_qat says something here."""
    from torch.ao.quantization import QConfigMapping
    from torch.ao.quantization.fx.custom_config import PrepareCustomConfig
    from torch.ao.quantization.fx.utils import ObservedGraphModuleAttrs

    return ObservedGraphModuleAttrs({}, {}, PrepareCustomConfig(), {}, QConfigMapping(), is_qat, set())


def _prepare_any(model: GraphModule, quantizer: Quantizer, is_qat: bool) -> GraphModule:
    if not isinstance(model, GraphModule):
        raise AssertionError(f"a torch.fx.GraphModule expected, found {type(model).__name__}: export the model first")
    if _PREPARED_KEY in model.meta:
        raise AssertionError("a model without observers expected: this one is prepared, what is left is convert_pt2e")
    _check_devices(model)
    meta, attributes = dict(model.meta), _own_attributes(model)
    prepared = _prepare.prepare(model, quantizer, is_qat)
    meta[_PREPARED_KEY] = _prepared_record(is_qat)
    result = _finished(prepared, meta, attributes)
    if not is_qat:
        for name in _bodies(result):
            setattr(result, name, _prepare_any(getattr(result, name), quantizer, is_qat))
    return result


def prepare_pt2e(model: GraphModule, quantizer: Quantizer) -> GraphModule:
    """Folds batch norms, asks the quantizer, and inserts observers. Then run data through the model.

    model: from ``torch.export.export(...).module()``; its graph is changed in place. Returns a GraphModule over the same
    graph whose call_module nodes activation_post_process_N are observers.

    Raises InvalidArgumentError (a ValueError) for annotations that cannot be followed, naming node, source line and
    quantizer, AssertionError for a model that is prepared already.
    """
    with _without_collection():
        return _prepare_any(model, quantizer, is_qat=False)


def prepare_qat_pt2e(model: GraphModule, quantizer: Quantizer) -> GraphModule:
    """As prepare_pt2e, for training with fake quantizers: batch norms are not folded.

    A convolution (1d, 2d, transposed 1d and 2d) that only a batch norm reads trains on the weight that folding will give it;
    convert_pt2e folds the two.
    """
    with _without_collection():
        return _prepare_any(model, quantizer, is_qat=True)


def convert_pt2e(
    model: GraphModule,
    use_reference_representation: bool = False,
    fold_quantize: bool = True,
    *,
    keep_float_weights: bool = False,
) -> GraphModule:
    """Replaces observers by quantize and dequantize ops; every annotated consumer gets its own dequantize.

    model: of prepare_pt2e or prepare_qat_pt2e; its graph is changed in place. Returns a GraphModule over the same graph.
    use_reference_representation: quantized ops are written out in integer arithmetic.
    fold_quantize: weights are stored quantized; False leaves float weights followed by a quantize.
    keep_float_weights: keep parameters and buffers that nothing reads any more, as torchao does.

    Raises ValueError for a use_reference_representation that is no bool, AssertionError for a model that was not prepared.
    """
    if not isinstance(use_reference_representation, bool):
        raise ValueError(f"use_reference_representation: True or False expected, found {use_reference_representation!r}")
    if _PREPARED_KEY not in model.meta:
        raise AssertionError("a model of prepare_pt2e or prepare_qat_pt2e expected: it has no observers")
    with _without_collection():
        return _convert_any(model, use_reference_representation, fold_quantize, keep_float_weights)


def _convert_any(
    model: GraphModule, use_reference_representation: bool, fold_quantize: bool, keep_float_weights: bool
) -> GraphModule:
    for name in _bodies(model):
        body = getattr(model, name)
        if _PREPARED_KEY in body.meta:
            setattr(model, name, _convert_any(body, use_reference_representation, fold_quantize, keep_float_weights))
    meta, attributes = dict(model.meta), _own_attributes(model)
    meta.pop(_PREPARED_KEY)
    converted = _convert.convert(model, use_reference_representation, fold_quantize, keep_float_weights)
    result = _finished(converted, meta, attributes)
    if keep_float_weights:  # a GraphModule takes over what its graph reads
        add_missing_tensors(result, converted)
    return result
