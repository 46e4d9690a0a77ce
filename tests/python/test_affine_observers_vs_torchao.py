"""The affine observers give the bits of torchao's on the same tensors: block sizes, bounds and qparams."""
import os
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
affine = pytest.importorskip("torchao.quantization.pt2e._affine_quantization")
hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings, strategies as st  # noqa: E402
from torchao.quantization import granularity as granularities  # noqa: E402
from torchao.quantization.pt2e.observer import MappingType, ZeroPointDomain  # noqa: E402

from test_observers_vs_torchao import ours, refused, same  # noqa: E402,F401

MANY = settings(deadline=None, max_examples=int(os.environ.get("QDQ_EXAMPLES", "100")))
KINDS = ["AffineQuantizedMinMaxObserver", "AffineQuantizedMovingAverageMinMaxObserver"]
TARGETS = ["uint8", "int8", "int16", "int32", "float8_e4m3fn", "float8_e5m2", *(f"uint{bits}" for bits in range(1, 8))]


@st.composite
def batches(draw):
    """One to three tensors of one shape, of a real dtype, and a granularity that mostly fits."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 4, 6, 8]), min_size=1, max_size=4))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    block = [draw(st.sampled_from([d for d in range(1, size + 1) if size % d == 0])) for size in shape]
    granularity = draw(st.sampled_from([
        granularities.PerTensor(), granularities.PerAxis(axis), granularities.PerGroup(draw(st.sampled_from([1, 2, 3, 4, 8]))),
        granularities.PerToken(), granularities.PerRow(axis), granularities.PerBlock(tuple(block[draw(st.integers(0, 1)):] or [1]))]))
    dtype = draw(st.sampled_from([torch.float32, torch.float32, torch.float16, torch.bfloat16, torch.float64]))
    magnitude = 10.0 ** draw(st.floats(-3, 3))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        x = generator.standard_normal(shape) * magnitude
        x = draw(st.sampled_from([lambda x: x, np.abs, lambda x: -np.abs(x), np.zeros_like, lambda x: np.maximum(x, 0)]))(x)
        found.append(torch.from_numpy(np.asarray(x)).to(dtype))
        if draw(st.integers(0, 9)) == 0:
            found[-1].view(-1)[generator.integers(found[-1].numel())] = draw(st.sampled_from([np.inf, np.nan]))
    return granularity, found


def text(granularity):
    """As qdq writes it."""
    values = ",".join(str(v) for value in vars(granularity).values() for v in np.atleast_1d(value))
    return type(granularity).__name__ + (f"({values})" if values else "")


@st.composite
def options(draw):
    found = {"mapping_type": draw(st.sampled_from(list(MappingType))), "target_dtype": draw(st.sampled_from(TARGETS)),
             "preserve_zero": draw(st.sampled_from([True, True, False])),
             "zero_point_domain": draw(st.sampled_from([ZeroPointDomain.INT, *ZeroPointDomain]))}
    if draw(st.booleans()):
        found["quant_min"] = draw(st.sampled_from([-127, -8, -1, 0, 1]))
    if draw(st.booleans()):
        found["quant_max"] = draw(st.sampled_from([2, 7, 15, 100, 255]))
    if draw(st.booleans()):
        found["eps"] = draw(st.sampled_from([2**-12, 1e-5, 0.3]))
    if draw(st.booleans()):
        found["scale_dtype"] = draw(st.sampled_from(["float32", "float16", "bfloat16", "float64"]))
    if draw(st.booleans()):
        found["zero_point_dtype"] = draw(st.sampled_from(["int32", "int64", "int8", "uint8", "float32"]))
    return found


def translated(key, value):
    if key == "target_dtype":
        return "dtype", value
    return key, getattr(value, "name", int(value) if isinstance(value, bool) else value)


def built(kind, given, granularity):
    torch_options = {key: getattr(torch, value) if key.endswith("dtype") else value for key, value in given.items()}
    return getattr(affine, kind)(granularity=granularity, **torch_options)


def one_by_one(granularity, sizes):
    try:
        return all(block == 1 for block in affine.get_block_size(sizes, granularity))
    except AssertionError:  # does not fit
        return False


@MANY
@given(st.sampled_from(KINDS), options(), batches(), st.sampled_from([0.01, 0.3, 1]))
def test_qparams(ours, kind, given, data, constant):  # noqa: F811
    granularity, tensors = data
    # torchao takes one pair of bounds for blocks of one element, and then cannot quantize with it.
    hypothesis.assume(tensors[0].numel() == 1 or not one_by_one(granularity, tensors[0].shape))
    # The bounds of int32 are infinite in float16, and so are zero points, which no integer dtype holds.
    hypothesis.assume(given["target_dtype"] != "int32" or tensors[0].dtype != torch.float16)
    if "Moving" in kind:
        given = {**given, "averaging_constant": constant}
    peer = built(kind, given, granularity)

    def run_peer():
        for tensor in tensors:
            peer(tensor)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return peer.calculate_qparams()

    def run_ours():
        ours.new(kind, granularity=text(granularity), **dict(translated(*item) for item in given.items()))
        for tensor in tensors:
            ours.observe(tensor)
        return ours.tensors("qparams")

    if refused(run_peer):
        assert refused(run_ours), "only torchao refuses"
        return
    scale, zero_point = peer.calculate_qparams()
    found = run_ours()
    assert ours.tensors("block_size")["block_size"].tolist() == list(peer.block_size)
    state = ours.tensors("state")
    same(state["min_val"], peer.min_val, "min_val")
    same(state["max_val"], peer.max_val, "max_val")
    same(found["scale"], scale, "scale")
    if zero_point is None:
        assert "zero_point" not in found
    elif zero_point.dtype.is_floating_point or torch.isfinite(scale).all() and not scale.isnan().any():
        same(found["zero_point"], zero_point, "zero_point")


@MANY
@given(options(), batches())
def test_placeholder_notes_the_block_size(ours, given, data):  # noqa: F811
    granularity, tensors = data
    kind = "AffineQuantizedPlaceholderObserver"
    peer = built(kind, given, granularity)
    if refused(lambda: ours.new(kind, granularity=text(granularity), **dict(translated(*item) for item in given.items()))):
        # We refuse at once what torchao's other observers refuse when they are asked for qparams.
        bounds = built(KINDS[0], given, granularities.PerTensor())
        bounds(torch.zeros(1))
        assert refused(bounds.calculate_qparams)
        return
    if refused(lambda: peer(tensors[0])):
        assert refused(lambda: ours.observe(tensors[0]))
        return
    ours.observe(tensors[0])
    assert ours.tensors("block_size")["block_size"].tolist() == list(peer.block_size)
    assert refused(lambda: ours.ask("qparams"))
