"""The observers that search for a range, judged on the data that they saw."""
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")
hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings, strategies as st  # noqa: E402

from test_observers_vs_torchao import ours, realistic_batches  # noqa: E402,F401

MANY = settings(deadline=None, max_examples=int(os.environ.get("QDQ_EXAMPLES", "60")))
SCHEMES = ["per_tensor_affine", "per_tensor_symmetric"]
RANGES = [("int8", -128, 127), ("int8", -127, 127), ("uint8", 0, 255), ("int8", -8, 7), ("uint8", 0, 15)]


def qparams(ours, kind, tensors, **options):  # noqa: F811
    ours.new(kind, **options)
    for tensor in tensors:
        ours.observe(tensor)
    found = ours.tensors("qparams")
    return found["scale"], found["zero_point"]


def squared_error(x, scale, zero_point, low, high):
    """Of quantized_decomposed's quantize and dequantize, per row when there are several scales."""
    if scale.numel() == 1:
        rounded = torch.fake_quantize_per_tensor_affine(x, scale.item(), int(zero_point.item()), low, high)
        return ((x - rounded).double() ** 2).sum()
    rounded = torch.fake_quantize_per_channel_affine(x, scale, zero_point.int(), 0, low, high)
    return ((x - rounded).double() ** 2).sum(dim=1)


@MANY
@given(st.integers(0, 2**32 - 1), st.sampled_from(SCHEMES), st.sampled_from(RANGES), st.integers(1, 8000))
def test_mse_is_never_worse_than_min_max_on_kept_values(ours, seed, qscheme, bounds, size):  # noqa: F811
    dtype, low, high = bounds
    x = next(realistic_batches(np.random.default_rng(seed)))[:size]
    options = {"dtype": dtype, "qscheme": qscheme, "quant_min": low, "quant_max": high}
    found = squared_error(x, *qparams(ours, "MSEObserver", [x], **options), low, high)
    assert found <= squared_error(x, *qparams(ours, "MinMaxObserver", [x], **options), low, high) * (1 + 1e-9)


@MANY
@given(st.integers(0, 2**32 - 1), st.sampled_from(RANGES), st.sampled_from(["per_channel_affine", "per_channel_symmetric"]))
def test_mse_is_never_worse_than_min_max_in_any_channel_of_a_weight(ours, seed, bounds, qscheme):  # noqa: F811
    dtype, low, high = bounds
    x = torch.from_numpy(np.random.default_rng(seed).standard_t(3, (6, 500)).astype(np.float32))
    options = {"dtype": dtype, "qscheme": qscheme, "quant_min": low, "quant_max": high}
    found = squared_error(x, *qparams(ours, "MSEObserver", [x], **options), low, high)
    other = squared_error(x, *qparams(ours, "PerChannelMinMaxObserver", [x], **options), low, high)
    assert (found <= other * (1 + 1e-9)).all()


@MANY
@given(st.integers(0, 2**32 - 1), st.sampled_from(SCHEMES), st.sampled_from(RANGES))
def test_mse_is_not_worse_than_min_max_within_the_bins(ours, seed, qscheme, bounds):  # noqa: F811
    """Values in a bin are taken to lie evenly; many continuous values do so to a percent or two."""
    dtype, low, high = bounds
    generator = np.random.default_rng(seed)
    shape = [generator.standard_normal, lambda n: generator.standard_t(3, n), lambda n: generator.uniform(-1, 3, n),
             lambda n: np.maximum(generator.standard_normal(n), 0), generator.standard_exponential][seed % 5]
    tensors = [torch.from_numpy((shape(20000) * 10.0 ** generator.uniform(-1, 1)).astype(np.float32)) for _ in range(3)]
    options = {"dtype": dtype, "qscheme": qscheme, "quant_min": low, "quant_max": high}
    x = torch.cat(tensors)
    found = squared_error(x, *qparams(ours, "MSEObserver", tensors, **options), low, high)
    assert found <= squared_error(x, *qparams(ours, "MinMaxObserver", tensors, **options), low, high) * 1.03


@MANY
@given(st.integers(0, 2**32 - 1), st.integers(5000, 10000), st.integers(2, 8000))
def test_percentile_of_kept_values_is_numpys(ours, seed, hundredths, size):  # noqa: F811
    percentile = hundredths / 100
    x = next(realistic_batches(np.random.default_rng(seed)))[:size]
    scale, _ = qparams(ours, "PercentileObserver", [x], dtype="int8", qscheme="per_tensor_symmetric", percentile=percentile)
    expected = np.percentile(np.abs(x.numpy()), percentile, method="inverted_cdf")
    assert scale.item() == max(np.float32(expected) / np.float32(127.5), np.float32(2**-23))


@pytest.mark.parametrize("qscheme", SCHEMES)
def test_percentile_of_bins_is_numpys_within_a_bin(ours, qscheme):  # noqa: F811
    x = torch.from_numpy(np.random.default_rng(0).standard_normal(300000).astype(np.float32))
    scale, _ = qparams(ours, "PercentileObserver", [x], dtype="int8", qscheme=qscheme, percentile=99.0)
    values = x.abs() if "symmetric" in qscheme else x
    if "symmetric" in qscheme:
        expected = 2 * np.percentile(values.numpy(), 99.0)
    else:
        expected = np.percentile(values.numpy(), 99.5) - np.percentile(values.numpy(), 0.5)
    assert abs(255 * scale.item() - expected) < 2 * x.abs().max().item() / 2048


def reference_entropy_threshold(x, levels):
    """The same grid and rule in plain numpy: magnitudes, thresholds of `levels` bins or more, the least divergence."""
    magnitudes = np.abs(x[x != 0])
    width = 2.0 ** (np.floor(np.log2(magnitudes.max())) - 11)
    counts = np.bincount((magnitudes / width).astype(np.int64)).astype(np.float64)
    best, least = len(counts), np.inf
    for threshold in range(len(counts), levels - 1, -1):
        inside = counts[:threshold]
        p = inside.copy()
        p[-1] += counts[threshold:].sum()
        level = np.arange(threshold) * levels // threshold
        used = np.bincount(level, inside > 0, levels)
        q = np.where(inside > 0, (np.bincount(level, inside, levels) / np.maximum(used, 1))[level], 0)
        if p[-1] > 0 and q[-1] == 0:
            continue
        p, q = p / p.sum(), q / q.sum()
        some = p > 0
        divergence = (p[some] * np.log(p[some] / q[some])).sum()
        if divergence < least * (1 - 1e-12):
            best, least = threshold, divergence
    return min(best * width, magnitudes.max())


@pytest.mark.parametrize("seed", range(4))
def test_entropy_finds_the_least_divergence(ours, seed):  # noqa: F811
    generator = np.random.default_rng(seed)
    x = generator.standard_t(4, 30000) * 10.0 ** generator.uniform(-2, 2)
    x = np.maximum(x, 0) if seed == 3 else x
    x = x.astype(np.float32)
    scale, _ = qparams(ours, "EntropyObserver", [torch.from_numpy(x)], dtype="int8", qscheme="per_tensor_symmetric")
    assert scale.item() == np.float32(reference_entropy_threshold(x.astype(np.float64), 128)) / np.float32(127.5)
