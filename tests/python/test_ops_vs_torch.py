"""Every reference kernel against torch eager: small modules, exported, run through the interpreter."""

import itertools
import subprocess

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch.ao.quantization.fx._decomposed")

from tools import tool  # noqa: E402


def f(*sizes, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(sizes, generator=generator, dtype=torch.float64) * 2).to(dtype)


def ints(*sizes, high=10, low=-10, dtype=torch.int64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, sizes, generator=generator).to(dtype)


X = f(2, 3, 5)
IMAGE = f(2, 4, 7, 9, seed=2)
MASK = f(2, 3, 5, seed=3) > 0
I8, U8, F64 = torch.int8, torch.uint8, torch.float64

SPECIAL = torch.tensor([0.0, -0.0, 0.5, 1.5, 2.5, -0.5, 1e10, -1e10, float("inf"), float("-inf"), float("nan")])

# (operator, positional arguments, keyword arguments); tensors become inputs of the program.
CASES = []


def case(op, *args, **kwargs):
    CASES.append((op, args, kwargs))


for name in "abs neg sign floor ceil round trunc square exp expm1 sin cos tan erf isnan isinf logical_not".split():
    case(name, X)
for name in "log log1p log2 log10 sqrt rsqrt reciprocal".split():
    case(name, X.abs() + 0.1)
for name in "abs_ neg_ exp_".split():
    case(name, X)
case("sqrt_", X.abs())
case("bitwise_not", ints(4))
case("bitwise_not", MASK)
case("exp", ints(4))
case("clamp", X, -1, 1.5)
case("clamp", ints(6), 0, None)
case("clamp_", X, -1, 1)
case("clamp.Tensor", X, f(5), f(3, 1, seed=4))
case("clamp_min", X, 0.5)
case("clamp_max", X, 0.5)
case("clamp_min_", X, 0.5)
case("clamp_max_", X, 0.5)
for name in "relu relu6 hardtanh hardswish hardsigmoid sigmoid tanh silu mish gelu leaky_relu elu".split():
    case(name, X * 3)
    case(name + "_", X * 3)
for name in "selu celu softplus log_sigmoid glu".split():
    case(name, f(3, 6) * 3)
case("gelu", X, approximate="tanh")
case("hardtanh", X, -0.5, 0.25)
case("elu", X, 0.7, 1.1, 0.9)
case("threshold", X, 0.1, 20)
case("threshold_", X, 0.1, 20)
case("prelu", X, torch.tensor([0.1, 0.2, 0.3]))
case("softmax.int", X, 1)
case("_softmax", X, -1, False)
case("log_softmax.int", X, 1)
case("_log_softmax", X, 0, False)
for name in "add sub mul div".split():
    case(name + ".Tensor", X, f(3, 1, seed=5))
    case(name + ".Scalar", X, 3)
    case(name + "_.Tensor", X, f(5, seed=6))
    case(name + "_.Scalar", X, 0.5)
case("add.Tensor", ints(4, dtype=I8), ints(4, dtype=U8, low=0), alpha=3)
case("add.Tensor", X, torch.tensor(2, dtype=torch.int64))
case("mul.Tensor", ints(4, dtype=I8), 100)
case("rsub.Tensor", X, f(5, seed=6))
case("rsub.Scalar", X, 1)
for mode in ("floor", "trunc", None):
    case("div.Tensor_mode", X, f(5, seed=6), rounding_mode=mode)
    case("div.Scalar_mode", ints(8), 3, rounding_mode=mode)
case("floor_divide", ints(8), ints(8, low=1, seed=3))
case("floor_divide.Scalar", X, 0.7)
for name in ("remainder", "fmod"):
    case(name + ".Tensor", X, f(5, seed=6))
    case(name + ".Scalar", ints(8), -3)
case("pow.Tensor_Tensor", X.abs(), f(5, seed=6))
case("pow.Tensor_Scalar", ints(8), 3)
case("pow.Scalar", 2, X)
for name in ("maximum", "minimum", "max.other", "min.other", "atan2"):
    case(name, X, f(5, seed=6))
for name in ("bitwise_and", "bitwise_or", "__and__", "__or__"):
    case(name + ".Tensor", ints(8), ints(8, seed=3))
    case(name + ".Scalar", ints(8), 6)
case("bitwise_xor.Tensor", ints(8), ints(8, seed=3))
case("lerp.Scalar", X, f(5, seed=6), 0.3)
case("addcmul", X, f(5, seed=6), f(3, 1, seed=7), value=0.5)
case("addcdiv", X, f(5, seed=6), f(3, 1, seed=7), value=0.5)
for name in "eq ne lt le gt ge".split():
    case(name + ".Tensor", ints(3, 4, high=3, low=0), ints(4, high=3, low=0, seed=4))
    case(name + ".Scalar", X, 0.5)
for name in "logical_and logical_or logical_xor".split():
    case(name, MASK, ints(5, high=2, low=0))
case("where.self", MASK, X, f(5, seed=6))
case("where.ScalarOther", MASK, X, 2.5)
case("where.ScalarSelf", MASK, 1, X)
case("where.Scalar", MASK, 1.0, 2.0)
for name in ("masked_fill", "masked_fill_"):
    case(name + ".Scalar", X, MASK, -9)
    case(name + ".Tensor", X, MASK, torch.tensor(7.0))
case("conv1d", f(2, 4, 9), f(6, 2, 3), f(6), [2], [1], [2], 2)
case("conv2d", IMAGE, f(6, 2, 3, 2), f(6), [2, 1], [1, 2], [1, 2], 2)
case("conv2d", IMAGE[0], f(6, 4, 3, 3))
case("conv3d", f(1, 2, 4, 5, 6), f(3, 2, 2, 2, 3), None, [1, 2, 1], [1, 0, 1])
case("conv1d.padding", f(2, 4, 9), f(6, 4, 4), None, [1], "same")
case("conv2d.padding", IMAGE, f(6, 4, 3, 2), f(6), [1, 1], "same")
case("conv3d.padding", f(1, 2, 4, 5, 6), f(3, 2, 2, 2, 3), None, [1, 1, 1], "valid")
case("conv_transpose1d", f(2, 4, 9), f(4, 3, 3), f(6), [2], [1], [1], 2)
case("conv_transpose2d.input", IMAGE, f(4, 3, 3, 2), f(6), [2, 1], [1, 0], [1, 0], 2, [1, 2])
case("conv_transpose3d.input", f(1, 2, 3, 4, 3), f(2, 3, 2, 2, 2))
case("convolution", IMAGE, f(6, 4, 3, 3), None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)
case("_convolution", IMAGE, f(6, 4, 3, 3), None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, False, False, True, True)
case("linear", X, f(4, 5), f(4))
for a, b in (((3, 4), (4, 5)), ((2, 1, 3, 4), (3, 4, 5)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)), ((4,), (4,))):
    case("matmul", f(*a), f(*b, seed=5))
case("mm", f(3, 4), f(4, 5))
case("bmm", f(2, 3, 4), f(2, 4, 5))
case("mv", f(3, 4), f(4))
case("dot", f(4), f(4, seed=2))
case("addmm", f(5), f(3, 4), f(4, 5), beta=0.5, alpha=2)
case("baddbmm", f(2, 3, 5), f(2, 3, 4), f(2, 4, 5))
Q, K, V = f(2, 4, 5, 8), f(2, 4, 6, 8, seed=2), f(2, 4, 6, 7, seed=3)
case("scaled_dot_product_attention", Q, K, V)
case("scaled_dot_product_attention", Q, Q, Q, None, 0.0, True, scale=0.3)
case("scaled_dot_product_attention", Q, K, V, f(5, 6) > -1)
case("scaled_dot_product_attention", Q, K[:, :2], V[:, :2], f(5, 6), enable_gqa=True)
case("_scaled_dot_product_flash_attention_for_cpu", Q, K, K)
W4, B4, M4, V4 = f(4), f(4, seed=2), f(4, seed=3), f(4, seed=4).abs() + 0.1
case("batch_norm", IMAGE, W4, B4, M4, V4, False, 0.1, 1e-5, True)
case("_native_batch_norm_legit_no_training", IMAGE, W4, None, M4, V4, 0.1, 1e-5)
case("layer_norm", X, [3, 5], f(3, 5), None, 1e-12)
case("native_layer_norm", X, [5], f(5), f(5), 1e-5)
case("group_norm", IMAGE, 2, W4, B4)
case("native_group_norm", IMAGE, W4, B4, 2, 4, 63, 2, 1e-5)
case("instance_norm", IMAGE, W4, B4, None, None, True, 0.1, 1e-5, True)
case("rms_norm", X, [5], f(5))
for name in "sum mean max min argmax argmin prod any all".split():
    case(name, X)
case("sum", ints(4, 4, dtype=I8))
case("sum.dim_IntList", X, [-1, 0], True)
case("mean.dim", X, [1])
case("amax", X, [0, 2])
case("amin", X, [1], True)
case("prod.dim_int", X, 1)
for name in ("any", "all"):
    case(name + ".dim", MASK, 1)
for name in ("max", "min"):
    case(name + ".dim", X, -1)
case("argmax", X, 1, True)
for name in ("var", "std", "var_mean"):
    case(name + ".correction", X, [1], correction=0)
for name in ("var", "std"):
    case(name + ".dim", X, [1, 2])
case("logsumexp", X, [1])
case("linalg_vector_norm", X, 2, [-1], True)
case("linalg_vector_norm", X, 3)
case("norm.ScalarOpt_dim", X, 1, [1])
case("cumsum", X, 1)
case("topk", X, 3, -1)
case("sort", X, 1, True)
case("argsort", X, -1)
case("max_pool1d", f(2, 3, 9), [3], [2], [1])
case("max_pool2d", IMAGE, [3, 2], [2, 2], [1, 1], [1, 2], True)
case("max_pool3d", f(1, 2, 5, 5, 5), [2, 2, 2])
case("max_pool2d_with_indices", IMAGE, [3, 3], [2, 2])
case("avg_pool1d", f(2, 3, 9), [3], [2], [1])
case("avg_pool2d", IMAGE, [3, 2], [2, 2], [1, 1], True, True)
case("avg_pool2d", IMAGE, [3, 2], [2, 2], [1, 1], True, False)
case("avg_pool2d", IMAGE, [3, 2], [2, 2], [1, 1], False, True, 5)
case("avg_pool3d", f(1, 2, 5, 5, 5), [2, 2, 2])
case("adaptive_avg_pool1d", f(2, 3, 9), [4])
case("adaptive_avg_pool2d", IMAGE, [3, 4])
case("_adaptive_avg_pool2d", IMAGE, [1, 1])
case("adaptive_avg_pool3d", f(1, 2, 5, 5, 5), [2, 3, 1])
case("adaptive_max_pool2d", IMAGE, [3, 4])
for mode in ("constant", "reflect", "replicate", "circular"):
    case("pad", IMAGE, [1, 2, 3, 0], mode)
case("constant_pad_nd", X, [1, -1, 0, 2], 0.5)
case("reflection_pad1d", X, [1, 2])
case("reflection_pad2d", IMAGE, [1, 2, 3, 0])
case("replication_pad1d", X, [1, 2])
case("replication_pad2d", IMAGE, [1, 2, 3, 0])
case("upsample_nearest2d.vec", IMAGE, [10, 13], None)
case("upsample_nearest2d.vec", IMAGE, None, [2.0, 1.5])
case("upsample_bilinear2d.vec", IMAGE, [10, 13], True, None)
case("upsample_bilinear2d.vec", IMAGE, None, False, [2.0, 1.5])
for name, sizes, size, factors in (("1d", (2, 3, 7), [11], [1.7]), ("2d", (2, 4, 7, 9), [10, 4], [2.0, 1.5]), ("3d", (1, 2, 3, 4, 5), [4, 7, 3], [2.0, 0.5, 1.3])):
    for kind in ("upsample_nearest", "_upsample_nearest_exact"):
        case(f"{kind}{name}.vec", f(*sizes), size, None)
        case(f"{kind}{name}.vec", f(*sizes), None, factors)
for name, sizes, size, factors in (("linear1d", (2, 3, 7), [11], [1.7]), ("trilinear3d", (1, 2, 3, 4, 5), [4, 7, 3], [2.0, 0.5, 1.3]), ("bicubic2d", (2, 4, 7, 9), [10, 4], [2.0, 1.5])):
    case(f"upsample_{name}.vec", f(*sizes), size, True, None)
    case(f"upsample_{name}.vec", f(*sizes), None, False, factors)
for kind, corners in itertools.product(("bilinear", "bicubic"), (False, True)):
    case(f"_upsample_{kind}2d_aa.vec", IMAGE, [3, 20], corners, None)
    case(f"_upsample_{kind}2d_aa.vec", IMAGE, [1, 4], corners, None)
case("_upsample_bilinear2d_aa.vec", IMAGE, None, False, [0.4, 1.5])
case("_upsample_bicubic2d_aa.vec", IMAGE, None, False, [0.4, 1.5])
for k in (-2, 0, 1, 9):
    case("diag", f(3, 5), k)
    case("diag", f(4), k)
case("diag", ints(0))
case("outer", f(3), ints(4))
case("outer", ints(2), ints(0))
case("cosine_similarity", X, f(2, 1, 5, seed=4))
case("cosine_similarity", X, torch.zeros(5), -1, 1e-3)
case("cosine_similarity", f(4), f(4, dtype=F64, seed=5), 0)
for name in ("hstack", "vstack", "dstack"):
    case(name, [f(3), f(3, seed=4)])
    case(name, [f(2, 3), ints(2, 3), f(2, 3, seed=5)])
    case(name, [f(2, 3, 4), f(2, 3, 4, seed=5)])
    case(name, [torch.tensor(1.5), torch.tensor(2)])
case("hstack", [f(2, 3), f(2, 5)])
case("diff", X)
case("diff", X, 2, 1)
case("diff", X, 9, 0)
case("diff", X, 0)
case("diff", ints(5, dtype=U8, low=0), 1, 0)
case("diff", MASK, 2, -1)
case("diff", X, 1, -1, f(2, 3, 2), f(2, 3, 1, dtype=F64))
GRID, GRID3 = f(2, 5, 6, 2, seed=3) / 2, f(1, 2, 3, 4, 3, seed=3) / 2
for mode, border, corners in itertools.product(range(3), range(3), (False, True)):
    case("grid_sampler", IMAGE, GRID, mode, border, corners)
    if mode < 2:
        case("grid_sampler_3d", f(1, 2, 3, 4, 5), GRID3, mode, border, corners)
case("grid_sampler_2d", IMAGE, GRID, 0, 0, False)
case("pixel_shuffle", f(1, 8, 2, 3), 2)
case("pixel_unshuffle", f(1, 2, 4, 6), 2)
case("channel_shuffle", IMAGE, 2)
case("view", X, [2, -1])
case("_unsafe_view", X, [6, 5])
case("view.dtype", X, torch.int32)
case("view_as", X, f(6, 5))
case("reshape", X, [5, -1])
case("flatten.using_ints", X, 1)
case("unflatten.int", f(2, 6), 1, [2, -1])
case("unsqueeze", X, -1)
case("squeeze", f(1, 2, 1))
case("squeeze.dim", f(1, 2, 1), 0)
case("squeeze.dims", f(1, 2, 1), [0, 2])
case("expand", f(3, 1), [2, -1, 4])
case("expand_as", f(3, 1), X)
case("broadcast_to", f(3, 1), [2, 3, 4])
case("transpose.int", X, 0, -1)
case("swapaxes", X, 0, 1)
case("permute", X, [2, 0, 1])
case("t", f(2, 3))
case("mT", X)
case("numpy_T", X)
case("movedim.int", X, 0, -1)
case("movedim.intlist", X, [0, 2], [1, 0])
case("slice.Tensor", X, 2, 1, -1, 2)
case("select.int", X, 1, -1)
case("narrow", X, 2, 1, 3)
case("split.Tensor", X, 2, 2)
case("split.sizes", X, [1, 4], 2)
case("split_with_sizes", X, [1, 4], 2)
case("chunk", X, 3, 2)
case("unbind.int", X, 1)
case("as_strided", X, [2, 2], [3, 1], 1)
case("unfold", X, 2, 3, 2)
case("diagonal", X, 1, 1, 2)
for name in "alias detach detach_ clone contiguous lift_fresh_copy".split():
    case(name, X)
case("to.dtype", X, torch.float16)
case("to.dtype_layout", X, dtype=torch.int32)
case("to.device", X, torch.device("cpu"), F64)
case("to.other", X, ints(2))
case("_to_copy", X, dtype=torch.bool)
case("type_as", X, ints(2))
case("dropout", X, 0.5, False)
case("dropout_", X, 0.5, False)
case("feature_dropout", X, 0.5, False)
case("native_dropout", X, 0.5, False)
case("cat", [X, f(2, 1, 5)], 1)
case("stack", [X, X + 1], -1)
case("repeat", X, [2, 1, 1, 2])
case("tile", X, [2])
case("repeat_interleave.self_int", X, 2, 1)
case("roll", X, [1, -2], [1, 2])
case("flip", X, [0, 2])
case("copy", X, f(5))
case("copy_", X, ints(5))
case("fill.Scalar", X, 3)
case("fill_.Scalar", X, 3)
case("zero_", X)
case("slice_scatter", X, f(2, 3, 2), 2, 1, 5, 2)
case("select_scatter", X, f(2, 5), 1, 2)
case("meshgrid", [f(2), f(3)])
case("meshgrid.indexing", [f(2), f(3)], indexing="xy")
case("embedding", f(7, 3), ints(2, 4, low=0, high=7))
case("index.Tensor", X, [None, ints(2, 2, low=-3, high=3), ints(2, low=0, high=5)])
case("index.Tensor", X, [ints(2, low=0, high=2), None, ints(2, low=0, high=5)])
case("index_put", X, [ints(2, low=0, high=2)], f(5))
case("index_put_", X, [ints(3, low=0, high=2)], f(5), True)
case("index_select", X, 2, ints(4, low=0, high=5))
case("gather", X, 1, ints(2, 2, 4, low=0, high=3))
case("scatter.src", X, 1, torch.tensor([[[2, 0]]]), f(2, 3, 5))
case("scatter.value", X, 1, torch.tensor([[[2, 0]]]), 9)
case("scatter_.src", X, 1, torch.tensor([[[2, 0]]]), f(2, 3, 5))
case("scatter_.value", X, 1, torch.tensor([[[2, 0]]]), 9)
case("scatter_add", X, 1, ints(2, 2, 4, low=0, high=3), f(2, 3, 5))
for equation, *shapes in (
    ("bij,bkj->bik", (2, 3, 4), (2, 5, 4)), ("ij,jk", (2, 3), (3, 4)), ("ba", (2, 3)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("i,j->ij", (2,), (3,)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)), ("b...,b->...", (2, 3, 4), (2,)), ("bhid, bhjd -> bhij", (1, 2, 3, 4), (1, 2, 5, 4)), ("ij,ik,il->jkl", (2, 3), (2, 4), (2, 5)),
    ("ij,ij->", (3, 4), (3, 4)), ("ij,jk->ik", (2, 1), (3, 4)),
):  # fmt: skip
    case("einsum", equation, [f(*sizes, seed=i) for i, sizes in enumerate(shapes)])
case("einsum", "ij,jk->ik", [ints(2, 3), ints(3, 2, seed=2)])
case("bilinear", f(2, 3, 5), f(2, 3, 4), f(6, 5, 4), f(6))
case("bilinear", f(2, 5), f(2, 4), f(6, 5, 4))
case("masked_select", X, MASK)
case("masked_select", X, f(5) > 0)
case("nonzero", MASK)
case("nonzero", ints(9, low=0, high=3))
case("one_hot", ints(2, 4, low=0, high=5), 6)
case("repeat_interleave.self_Tensor", X, ints(3, low=0, high=4), 1)
case("repeat_interleave.self_Tensor", X, torch.tensor([2]), -1)
case("repeat_interleave.self_Tensor", X, torch.tensor([2]))
ALONG, MORE = ints(2, 2, 4, low=0, high=3), f(2, 3, 5, seed=8)
case("scatter_add_", X, 1, ALONG, MORE)
case("scatter_add", ints(2, 3, 5), 1, ALONG, ints(2, 3, 5, seed=4))
for reduce, include_self in itertools.product(("sum", "prod", "mean", "amax", "amin"), (True, False)):
    case("scatter_reduce.two", X, 1, ALONG, MORE, reduce, include_self=include_self)
    case("scatter_reduce_.two", ints(2, 3, 5), -1, ALONG, ints(2, 3, 5, seed=4), reduce, include_self=include_self)
PLACES = torch.tensor([2, 0])
for name in ("index_add", "index_add_"):
    case(name, X, 1, torch.tensor([2, 0, 2]), MORE, alpha=0.5)
for name in ("index_copy", "index_copy_"):
    case(name, X, 1, PLACES, MORE[:, :2].clone())
case("index_fill.int_Scalar", X, 1, PLACES, 7)
case("im2col", IMAGE, [3, 2], [1, 2], [1, 0], [2, 1])
case("im2col", f(2, 5, 5), [2, 2], [1, 1], [0, 0], [1, 1])
case("col2im", f(2, 24, 20), [9, 5], [3, 2], [1, 1], [1, 0], [2, 1])
case("fill.Tensor", X, torch.tensor(3))
case("fill_.Tensor", X, torch.tensor(3.5))
for name in "sinh cosh atan asinh isfinite log_ reciprocal_ rsqrt_ round_ floor_ selu_ celu_ softshrink hardshrink".split():
    case(name, X.abs() + 0.1 if name in ("log_", "rsqrt_") else X)
case("isfinite", SPECIAL)
for name in ("asin", "acos", "atanh"):
    case(name, torch.tanh(X))
case("acosh", X.abs() + 1)
case("softshrink", SPECIAL, 0.7)
case("hardshrink", SPECIAL, 0.7)
case("celu_", X, 0.7)
case("pow_.Scalar", X, 2)
case("pow_.Tensor", X.abs(), f(5, seed=6))
for name in ("var", "std"):
    case(name, X)
    case(name, X, False)
for name in ("var_mean", "std_mean"):
    case(name + ".dim", X, [1, -1], False, True)
case("std_mean.correction", X, [1], correction=2)
for name in ("any", "all"):
    case(name + ".dims", MASK, [0, 2])
    case(name + ".dims", MASK, None, True)
case("aminmax", X)
case("aminmax", X, dim=1, keepdim=True)
case("cumprod", X, 1)
case("cumprod", ints(3, 4, high=4), -1)
case("sort.stable", ints(3, 9, high=3, low=0), stable=True, dim=-1, descending=True)
case("triu", X, 1)
case("tril", X)
SEQUENCE = f(2, 5, 3)


def rnn_params(gates, layers, directions, biases, projection=0):
    """Weights in the order of nn.LSTM.all_weights; 3 features, 4 hidden."""
    result = []
    for row in range(layers * directions):
        features, state = (3 if row < directions else directions * (projection or 4)), projection or 4
        shapes = [(gates * 4, features), (gates * 4, state)] + ([(gates * 4,)] * 2 if biases else []) + ([(projection, 4)] if projection else [])
        result += [f(*sizes, seed=20 + row * 5 + i) / 3 for i, sizes in enumerate(shapes)]
    return result


for layers, two_ways, biases, batch_first in ((1, False, True, True), (2, True, True, False), (2, False, False, True), (1, True, True, True)):
    rows, batch = layers * (2 if two_ways else 1), 2 if batch_first else 5
    for name, gates in (("lstm", 4), ("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1)):
        state = f(rows, batch, 4, seed=11)
        hx = [state, f(rows, batch, 4, seed=12)] if name == "lstm" else state
        params = rnn_params(gates, layers, 2 if two_ways else 1, biases)
        case(name + ".input", SEQUENCE, hx, params, biases, layers, 0.0, False, two_ways, batch_first)
case("lstm.input", SEQUENCE, [f(4, 2, 2), f(4, 2, 4)], rnn_params(4, 2, 2, True, 2), True, 2, 0.0, False, True, True)
for name, gates in (("gru_cell", 3), ("rnn_tanh_cell", 1), ("rnn_relu_cell", 1)):
    case(name, f(2, 3), f(2, 4), *rnn_params(gates, 1, 1, True))
case("gru_cell", f(2, 3), f(2, 4), *rnn_params(3, 1, 1, False))
case("lstm_cell", f(2, 3), [f(2, 4), f(2, 4, seed=8)], *rnn_params(4, 1, 1, True))
case("lstm_cell", f(2, 3), [f(2, 4), f(2, 4, seed=8)], *rnn_params(4, 1, 1, False))
case("zeros", [2, 3])
case("ones", [2], dtype=torch.int32)
case("full", [2], 3)
for name in ("zeros_like", "ones_like"):
    case(name, X)
case("full_like", X, 2.5)
for name in ("new_zeros", "new_ones"):
    case(name, X, [2, 2])
case("new_full", X, [2], 7)
case("scalar_tensor", 2.5)
case("arange", 5)
case("arange.start", 1, 6)
case("arange.start_step", 0.5, 3, 0.4)
case("linspace", 0, 1, 7)
case("eye", 3)

QX = torch.cat([SPECIAL, f(100, seed=9) * 50])
QD = "quantized_decomposed::"
S, Z = torch.tensor([0.037], dtype=F64), torch.tensor([3])
for dtype, low, high in ((I8, -128, 127), (U8, 0, 255), (torch.int32, -(2**31), 2**31 - 1)):
    case(QD + "quantize_per_tensor", QX, 0.037, 3, low, high, dtype)
    case(QD + "quantize_per_channel", QX.repeat(2, 1), torch.tensor([0.1, 0.3]), torch.tensor([1, 0]), 0, low, high, dtype)
case(QD + "quantize_per_tensor.tensor", QX, S, Z, -128, 127, I8)
case(QD + "quantize_per_tensor.tensor2", QX, S, Z, torch.tensor(-128), torch.tensor(127), I8)
Q8 = torch.arange(-128, 128).to(I8)
for out in (None, torch.float16, torch.bfloat16, F64):
    case(QD + "dequantize_per_tensor", Q8, 0.037, 3, -128, 127, I8, out_dtype=out)
case(QD + "dequantize_per_tensor.tensor", Q8, S, Z, -128, 127, I8)
case(QD + "dequantize_per_tensor.tensor2", Q8, S, Z, torch.tensor(-128), torch.tensor(127), I8)
case(QD + "dequantize_per_channel", Q8.reshape(2, 128), torch.tensor([0.1, 0.3]), torch.tensor([1, 0]), 0, -128, 127, I8)
case(QD + "choose_qparams.tensor", X, -128, 127, 1e-5, I8)
case(QD + "choose_qparams_symmetric.tensor", X, -127, 127, 1e-5, I8)
case(QD + "fake_quant_per_channel", X, torch.tensor([0.1, 0.3, 0.2]), torch.tensor([1, 0, -4]), 1, -8, 7)
case(QD + "convert_element_type.no_fuse", X, torch.bfloat16)

TOKENS = torch.cat([f(4, 9) * 3, torch.zeros(1, 9), f(1, 9).abs(), torch.tensor([[float("nan")] + [1.0] * 8])])
TOKEN_SCALES, TOKEN_ZEROS = f(7, 1, dtype=F64).abs() + 0.01, ints(7, 1, low=-9, high=9)
for tokens in (TOKENS, TOKENS.half(), TOKENS[:6].reshape(2, 3, 9)):
    case(QD + "choose_qparams_per_token", tokens, I8)
    case(QD + "_choose_qparams_per_token_asymmetric_impl", tokens, I8)
    case(QD + "choose_qparams_per_token_asymmetric", tokens, I8)
for scales, zeros in ((TOKEN_SCALES, TOKEN_ZEROS), (TOKEN_SCALES.float(), TOKEN_ZEROS.float()), (TOKEN_SCALES.float(), TOKEN_ZEROS)):
    case(QD + "quantize_per_token", TOKENS, scales, zeros, -128, 127, I8)
    case(QD + "dequantize_per_token", ints(7, 9, low=-128, high=128, dtype=I8), scales, zeros, -128, 127, I8, torch.float32)
case(QD + "quantize_per_token", TOKENS.half(), TOKEN_SCALES.half(), TOKEN_ZEROS, -128, 127, I8)
GROUP_SCALES, GROUP_ZEROS = f(4, 3).abs() + 0.01, ints(4, 3, low=-9, high=9, dtype=torch.int32)
case(QD + "quantize_per_channel_group", f(4, 12) * 3, GROUP_SCALES, GROUP_ZEROS, -8, 7, I8, 4)
case(QD + "dequantize_per_channel_group", ints(4, 12, low=-8, high=8, dtype=I8), GROUP_SCALES, GROUP_ZEROS, -8, 7, I8, 4, torch.float32)
case(QD + "dequantize_per_channel_group", ints(4, 12, low=-8, high=8, dtype=I8), GROUP_SCALES, None, -8, 7, I8, 4, torch.float16)
S32, Z32 = torch.tensor([0.037]), torch.tensor([3], dtype=torch.int32)
case("fake_quantize_per_tensor_affine", QX, 0.037, 3, -128, 127)
case("fake_quantize_per_tensor_affine", QX.half(), 0.037, 3, 0, 255)
case("fake_quantize_per_tensor_affine.tensor_qparams", QX, S32, Z32, -128, 127)
CHANNELS = torch.stack([QX, QX * 1e17, QX / 3])
case("fake_quantize_per_channel_affine", CHANNELS, f(3).abs(), ints(3, dtype=torch.int32), 0, -128, 127)
case("fake_quantize_per_channel_affine", CHANNELS.T.clone(), f(3).abs(), f(3, seed=4), 1, -128, 127)
BIT_EXACT = (QD, "torchao::", "fake_quantize")

try:
    import torchao.quantization.quant_primitives  # noqa: F401
except ImportError:
    AFFINE = {f"torchao.{name}.default" for name in ("quantize_affine", "dequantize_affine", "choose_qparams_affine")}
else:
    AFFINE = set()
    AO, BLOCKS, ZEROS = "torchao::", f(2, 3), ints(2, 3, low=-5, high=5, dtype=torch.int32)
    WEIGHT = f(4, 6)
    case(AO + "quantize_affine", WEIGHT * 9, [2, 2], BLOCKS.abs() + 0.1, ZEROS, I8, -128, 127)
    case(AO + "dequantize_affine", ints(4, 6, dtype=I8), [2, 2], BLOCKS.abs() + 0.1, ZEROS, I8)
    for mapping in ("SYMMETRIC", "SYMMETRIC_NO_CLIPPING_ERR", "ASYMMETRIC"):
        case(AO + "choose_qparams_affine", WEIGHT, mapping, [1, 3], I8, None, None, None, None, torch.int32)
        case(AO + "choose_qparams_affine", WEIGHT, mapping, [2, 2], I8, -8, 7, 1e-5, None, torch.int32, True)

# Not compared here: undefined values, nothing returned, or removed by torch.export (lift_fresh).
ELSEWHERE = {
    "aten.lift_fresh.default",
    "aten.empty.memory_format", "aten.empty_like.default", "aten.new_empty.default", "aten._assert_tensor_metadata.default",
    "aten.transpose_.default", "aten.unsqueeze_.default", "aten.squeeze_.default", "aten.squeeze_.dim", "aten.t_.default",
    "operator.getitem", "aten.embedding_bag.padding_idx", "aten._embedding_bag.default",
} | AFFINE  # fmt: skip


def overload(op):
    space, _, name = op.rpartition("::")
    name, _, which = name.partition(".")
    packet = getattr(getattr(torch.ops, space or "aten"), name)
    return getattr(packet, which or "default")


def target(op):
    return str(overload(op))


class Caller(torch.nn.Module):
    """Calls one operator; the tensors among its arguments are the module's inputs."""

    def __init__(self, op, args, kwargs):
        super().__init__()
        self.op, self.args, self.kwargs = op, args, kwargs

    def forward(self, *tensors):
        tensors = iter(tensors)

        def fill(item):
            if isinstance(item, torch.Tensor):
                return next(tensors)
            return [fill(i) for i in item] if isinstance(item, list) else item

        result = self.op(*[fill(a) for a in self.args], **self.kwargs)
        results = list(result) if isinstance(result, (list, tuple)) else [result]
        return [r.float() if r.dtype == torch.bfloat16 else r for r in results]  # numpy knows no bfloat16


def tensors_of(item):
    if isinstance(item, torch.Tensor):
        return [item]
    return [t for i in item for t in tensors_of(i)] if isinstance(item, (list, tuple)) else []


@pytest.mark.parametrize("op,args,kwargs", CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_kernel_agrees_with_torch(op, args, kwargs, tmp_path):
    inputs = [t.clone() for t in tensors_of(args)]
    module = Caller(overload(op), args, kwargs)
    program = torch.export.export(module, tuple(t.clone() for t in inputs))
    assert any(str(node.target) == target(op) for node in program.graph.nodes)
    expected = module(*[t.clone() for t in inputs])
    torch.export.save(program, tmp_path / "model.pt2")
    np.savez(tmp_path / "in.npz", **{f"i{i}": t.numpy() for i, t in enumerate(inputs)})
    command = [tool("run_program"), tmp_path / "model.pt2", tmp_path / "in.npz", tmp_path / "out.npz"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = np.load(tmp_path / "out.npz")
    assert len(found.files) == len(expected)
    for i, want in enumerate(expected):
        got, want = found[str(i)], want.detach().numpy()
        assert got.dtype == want.dtype and got.shape == want.shape
        if op.startswith(BIT_EXACT) or want.dtype.kind in "iub":
            assert np.array_equal(got, want, equal_nan=want.dtype.kind == "f")
        else:
            scale = np.nanmax(np.abs(want[np.isfinite(want)]), initial=1e-30)
            narrow = 1e-3 if want.dtype == np.float16 else 1e-5
            np.testing.assert_allclose(got, want, rtol=narrow, atol=narrow * 0.1 * scale)


def run_reference(model, inputs, folder):
    """The program's results, or what it printed when it failed."""
    torch.export.save(torch.export.export(model, inputs), folder / "model.pt2")
    np.savez(folder / "in.npz", **{f"i{i}": t.numpy() for i, t in enumerate(inputs)})
    command = [tool("run_program"), folder / "model.pt2", folder / "in.npz", folder / "out.npz"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        return run.stderr
    with np.load(folder / "out.npz") as found:
        return [found[str(i)] for i in range(len(found))]


def test_every_kernel_is_exercised():
    listed = subprocess.run([tool("run_program"), "--kernels"], capture_output=True, text=True, check=True).stdout.split()
    exercised = {target(op) for op, _, _ in CASES} | ELSEWHERE
    symbolic = ("_operator.", "math.", "torch.", "aten.sym_", "aten._assert_", "aten.item", "aten._local_scalar")
    assert [k for k in listed if k not in exercised and not k.startswith(symbolic)] == []
