"""The operators torchao.*_affine and torchao.reference_dqlinear_int4: torchao's own where it is installed, else the core's.

They belong to torchao, which may be imported after this package: two definitions of one name are an error in torch.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any

import torch

import qdq

from ._bridge import targets
from ._bridge.arguments import ArgumentTable
from ._bridge.tensors import core_tensor, torch_tensor

_SCHEMAS = {
    "quantize_affine": "(Tensor input, SymInt[] block_size, Tensor scale, Tensor? zero_point, ScalarType output_dtype, "
    "Scalar? quant_min=None, Scalar? quant_max=None) -> Tensor",
    "dequantize_affine": "(Tensor input, SymInt[] block_size, Tensor scale, Tensor? zero_point, ScalarType input_dtype, "
    "Scalar? quant_min=None, Scalar? quant_max=None, ScalarType output_dtype=float) -> Tensor",
    "choose_qparams_affine": "(Tensor input, str mapping_type, SymInt[] block_size, ScalarType target_dtype, "
    "Scalar? quant_min=None, Scalar? quant_max=None, float? eps=None, ScalarType? scale_dtype=None, "
    "ScalarType? zero_point_dtype=None, bool keepdim=False) -> (Tensor, Tensor)",
    "reference_dqlinear_int4": "(Tensor x_fp32, float x_eps, Tensor weight_i4, Tensor weight_scale, "
    "Tensor weight_zero_point, Tensor? bias_fp32, SymInt[] group_size) -> Tensor",
}
_TORCHAO = ("torchao.quantization.quant_primitives", "torchao.quantization.pt2e.reference_representation_rewrite")


@functools.cache
def define_affine_ops() -> None:
    """Makes torch.ops.torchao.* of this module's title callable. Calling it again costs nothing."""
    if importlib.util.find_spec("torchao") is not None:
        for module in _TORCHAO:
            importlib.import_module(module)
        return
    library = torch.library.Library("torchao", "FRAGMENT")
    define_affine_ops.library = library  # type: ignore[attr-defined]  # its definitions end with it
    for name, schema in _SCHEMAS.items():
        library.define(name + schema)
    for name in ("quantize_affine", "dequantize_affine", "choose_qparams_affine"):
        library.impl(name, functools.partial(_call_core, f"torchao.{name}.default"), "CPU")
    library.impl("quantize_affine", _quantized_like, "Meta")
    library.impl("dequantize_affine", _dequantized_like, "Meta")
    library.impl("choose_qparams_affine", _qparams_like, "Meta")
    library.impl("reference_dqlinear_int4", _dqlinear_int4, "CompositeExplicitAutograd")


targets.DEFINES["torchao"] = define_affine_ops


def _call_core(target: str, *args: Any, **kwargs: Any) -> Any:
    """One call on the core's reference kernel."""
    program = qdq.Program()
    graph = program.graph
    table = ArgumentTable()
    tensors: list[qdq.Tensor] = []

    def argument(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return table.to_core(value, {})
        tensors.append(core_tensor(value))
        node = graph.placeholder(f"input_{len(tensors)}")
        node.value_type = qdq.TensorMeta(tensors[-1].dtype, list(value.shape), list(value.stride()))
        return node

    call_args = [argument(value) for value in args]
    call_kwargs = {name: argument(value) for name, value in kwargs.items()}
    program.inputs = [qdq.InputSpec(qdq.InputKind.user_input, node.name) for node in graph.nodes]
    call = graph.call_function(target, call_args, call_kwargs)
    results: list[Any] = [call]
    if "choose_qparams" in target:
        results = [graph.call_function("operator.getitem", [call, i]) for i in range(2)]
    graph.output(results)
    program.outputs = [qdq.OutputSpec(qdq.OutputKind.user_output) for _ in results]
    values = tuple(torch_tensor(value) for value in qdq.Executor(program, "reference").run(tensors))
    return values if len(values) > 1 else values[0]


def _quantized_like(
    input: torch.Tensor, block_size: Sequence[int], scale: Any, zero_point: Any, output_dtype: torch.dtype, *_: Any
) -> torch.Tensor:
    return torch.empty_like(input, dtype=output_dtype)


def _dequantized_like(
    input: torch.Tensor,
    block_size: Sequence[int],
    scale: Any,
    zero_point: Any,
    input_dtype: torch.dtype,
    quant_min: Any = None,
    quant_max: Any = None,
    output_dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    return torch.empty_like(input, dtype=output_dtype)


def _qparams_like(
    input: torch.Tensor,
    mapping_type: str,
    block_size: Sequence[int],
    target_dtype: torch.dtype,
    quant_min: Any = None,
    quant_max: Any = None,
    eps: float | None = None,
    scale_dtype: torch.dtype | None = None,
    zero_point_dtype: torch.dtype | None = None,
    keepdim: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    sizes = [size // block for size, block in zip(input.shape, block_size)]
    if not keepdim:
        sizes = [size for size, block in zip(sizes, block_size) if block == 1 or size > 1]
    scale = input.new_empty(sizes, dtype=scale_dtype or input.dtype)
    return scale, input.new_empty(sizes, dtype=zero_point_dtype or torch.int32)


def per_token(x: torch.Tensor) -> list[int]:
    return [1] * (x.dim() - 1) + [x.shape[-1]]


def quantized_by_token(x: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """int8 values, float32 scales and int32 zero points, one for each row of the last dimension."""
    ops = torch.ops.torchao
    block = per_token(x)
    scale, zero_point = ops.choose_qparams_affine(
        x, "ASYMMETRIC", block, torch.int8, -128, 127, eps, torch.float32, torch.int32
    )
    return ops.quantize_affine(x, block, scale, zero_point, torch.int8, -128, 127), scale, zero_point


def _dqlinear_int4(
    x_fp32: torch.Tensor,
    x_eps: float,
    weight_i4: torch.Tensor,
    weight_scale: torch.Tensor,
    weight_zero_point: torch.Tensor,  # the weight is symmetric
    bias_fp32: torch.Tensor | None,
    group_size: Sequence[int],
) -> torch.Tensor:
    """x int8 per token, weight of 4 bits with a scale (kept in bfloat16, as XNNPACK does) per group; sums in int32.

    x_fp32: [..., k]; weight_i4: int8 [n, k]; weight_scale: [n, k / group]. Returns float32 [..., n].
    """
    out_features, in_features = weight_i4.shape
    groups = in_features // group_size[1]
    x, x_scale, x_zero_point = quantized_by_token(x_fp32, x_eps)
    rows = x.reshape(-1, groups, group_size[1]).to(torch.int32)
    weight = weight_i4.reshape(out_features, groups, group_size[1]).to(torch.int32)
    products = torch.bmm(rows.transpose(0, 1), weight.permute(1, 2, 0))  # [groups, rows, n]
    offsets = x_zero_point.reshape(1, -1, 1) * weight.sum(2).t().unsqueeze(1)
    scales = weight_scale.reshape(out_features, groups).to(torch.bfloat16).to(torch.float32).t().unsqueeze(1)
    result = ((products - offsets).to(torch.float32) * scales).sum(0) * x_scale.reshape(-1, 1)
    if bias_fp32 is not None:
        result = result + bias_fp32
    return result.reshape(*x_fp32.shape[:-1], out_features)
