"""Quantized ops written out in integer arithmetic: what a backend computes, to be read. The patterns are the core's."""

from __future__ import annotations

import torch
from torch.fx import GraphModule

from . import _ops
from ._passes import CorePass

__all__ = ["reference_representation_rewrite"]


class _Rewrite(CorePass):
    _name = "reference_representation_rewrite"


def reference_representation_rewrite(model: GraphModule) -> GraphModule:
    """Rewrites a converted model in place and returns it: convert_pt2e(..., use_reference_representation=True).

    Linears, convolutions, additions and pools between dequantize and quantize become integer arithmetic, dynamically quantized
    linears with 4-bit weights in groups a call of torchao.reference_dqlinear_int4.
    """
    _ops.define_affine_ops()
    return _Rewrite()(model).graph_module


def _qdq_dynamic_quantized_linear_4bit_groupwise(
    x_fp32: torch.Tensor,
    x_eps: float,
    weight_i4: torch.Tensor,
    weight_scale: torch.Tensor,
    weight_zero_point: torch.Tensor,
    bias_fp32: torch.Tensor | None,
    group_size: int,
) -> torch.Tensor:
    """The pattern: int8 activations with a scale per token, weights of -8 to 7 with a scale per group, a linear in float.

    x_fp32: [..., k]; weight_i4: int8 [n, k]; weight_scale, weight_zero_point: [n, k / group_size]. Returns [..., n].
    """
    if group_size <= 0 or weight_i4.dim() != 2 or weight_i4.shape[1] % group_size != 0:
        raise AssertionError(f"a 2d weight in groups of {group_size} expected, found {tuple(weight_i4.shape)}")
    _ops.define_affine_ops()
    ops = torch.ops.torchao
    x, scale, zero_point = _ops.quantized_by_token(x_fp32, x_eps)
    x = ops.dequantize_affine(x, _ops.per_token(x_fp32), scale, zero_point, torch.int8, -128, 127, torch.float32)
    weight = ops.dequantize_affine(weight_i4, [1, group_size], weight_scale, weight_zero_point, torch.int8, -8, 7)
    return torch.ops.aten.linear.default(x, weight, bias_fp32)


def _reference_dynamic_quantized_linear_4bit_groupwise(
    x_fp32: torch.Tensor,
    x_eps: float,
    weight_i4: torch.Tensor,
    weight_scale: torch.Tensor,
    weight_zero_point: torch.Tensor,
    bias_fp32: torch.Tensor | None,
    group_size: int,
) -> torch.Tensor:
    """What it is replaced by; shapes as in the pattern."""
    _ops.define_affine_ops()
    return torch.ops.torchao.reference_dqlinear_int4(
        x_fp32, x_eps, weight_i4, weight_scale, weight_zero_point, bias_fp32, (1, group_size)
    )
