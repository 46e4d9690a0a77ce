"""Fake quantizers compute in the core what torch's operators compute, to the bit, gradients included."""

import copy

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import qdq.pt2e.fake_quantize as fake
import qdq.pt2e.learnable_fake_quantize as learnable
from qdq.pt2e._uniform_fake_quantize import fake_quantize, fake_quantize_learnable
from qdq.pt2e.observer import MinMaxObserver, MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver

BOUNDS = [(-128, 127), (0, 255), (-127, 127), (-8, 7), (0, 65535), (-(2**31), 2**31 - 1)]
DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64]
SPECIAL = [float("nan"), float("inf"), -float("inf"), 1e30, -1e30, 0.0, -0.0, 1e-45]


def same_bits(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape
    integers = {2: torch.int16, 4: torch.int32, 8: torch.int64}[a.element_size()]
    ours, theirs = a.detach().contiguous(), b.detach().contiguous()
    both_nan = ours.isnan() & theirs.isnan()
    assert torch.equal(ours.view(integers)[~both_nan], theirs.view(integers)[~both_nan])
    assert torch.equal(ours.isnan(), theirs.isnan())


@st.composite
def inputs(draw):
    """A tensor of 1 to 4 dimensions in some layout, with ties and special numbers, and its number of channels along an axis."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    x = torch.randn(sizes, generator=generator) * draw(st.sampled_from([1e-3, 1.0, 30.0, 1e6]))
    if draw(st.booleans()):
        x = (x * 2).round() / 2  # ties with a scale of 1
    if draw(st.booleans()):
        x.flatten()[draw(st.integers(0, x.numel() - 1))] = draw(st.sampled_from(SPECIAL))
    layout = draw(st.sampled_from(["contiguous", "transposed", "strided", "channels_last"]))
    if layout == "transposed":
        x = x.t() if x.dim() == 2 else x.movedim(0, -1)
    elif layout == "strided":
        x = torch.stack([x, x], -1)[..., 0]
    elif layout == "channels_last" and x.dim() == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    return x, draw(st.integers(-x.dim(), x.dim() - 1))


def with_gradient(x, function, dtype=None):
    leaf = x.to(dtype or x.dtype).detach().requires_grad_()
    result = function(leaf)
    upstream = torch.linspace(-2, 3, x.numel()).reshape(x.shape).to(result.dtype)
    result.backward(upstream)
    return result, leaf.grad


@settings(max_examples=300, deadline=None)
@given(inputs(), st.sampled_from(DTYPES), st.sampled_from(BOUNDS), st.sampled_from([1.0, 0.37, 2.0**-10, 1e4]), st.data())
def test_a_tensor_as_a_whole(drawn, dtype, bounds, scale, data):
    x, _ = drawn
    scale = torch.tensor([scale])
    zero_point = torch.tensor([data.draw(st.integers(max(bounds[0], -40000), min(bounds[1], 40000)))], dtype=torch.int32)
    ours = with_gradient(x, lambda leaf: fake_quantize(leaf, scale, zero_point, None, *bounds), dtype)
    theirs = with_gradient(x, lambda leaf: torch.fake_quantize_per_tensor_affine(leaf, scale, zero_point, *bounds), dtype)
    for mine, other in zip(ours, theirs):
        same_bits(mine, other)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("zero_point", [-64, 0, 1, 64])
def test_the_last_levels_of_32_bits_are_no_floats(zero_point, dtype):
    x = torch.tensor([float("inf"), -float("inf"), 2147483584.0, 2147483520.0, -2147483648.0])
    scale, zero_point = torch.tensor([1.0]), torch.tensor([zero_point], dtype=torch.int32)
    bounds = -(2**31), 2**31 - 1
    ours = with_gradient(x, lambda leaf: fake_quantize(leaf, scale, zero_point, None, *bounds), dtype)
    theirs = with_gradient(x, lambda leaf: torch.fake_quantize_per_tensor_affine(leaf, scale, zero_point, *bounds), dtype)
    for mine, other in zip(ours, theirs):
        same_bits(mine, other)


@settings(max_examples=300, deadline=None)
@given(inputs(), st.sampled_from(DTYPES[:3]), st.sampled_from(BOUNDS[:4]), st.booleans(), st.integers(0, 2**20))
def test_channels(drawn, dtype, bounds, float_zero_point, seed):
    x, axis = drawn
    generator = torch.Generator().manual_seed(seed)
    scale = torch.rand(x.size(axis), generator=generator) + 0.01
    zero_point = torch.randint(bounds[0], bounds[1] + 1, (x.size(axis),), generator=generator, dtype=torch.int32)
    if float_zero_point:
        zero_point = zero_point + torch.rand(x.size(axis), generator=generator)
    axis %= x.dim()
    ours = with_gradient(x, lambda leaf: fake_quantize(leaf, scale, zero_point, axis, *bounds), dtype)
    theirs = with_gradient(
        x, lambda leaf: torch.fake_quantize_per_channel_affine(leaf, scale, zero_point, axis, *bounds), dtype
    )
    for mine, other in zip(ours, theirs):
        same_bits(mine, other)


def test_a_gradient_of_a_gradient_goes_straight_through_too():
    def second(function):
        x = torch.linspace(-3, 3, 12).requires_grad_()
        (first,) = torch.autograd.grad(function(x).pow(3).sum(), x, create_graph=True)
        return torch.autograd.grad(first.sum(), x)[0]

    scale, zero_point = torch.tensor([0.01]), torch.tensor([0], dtype=torch.int32)
    ours = second(lambda x: fake_quantize(x, scale, zero_point, None, -128, 127))
    assert torch.equal(ours, second(lambda x: torch.fake_quantize_per_tensor_affine(x, scale, zero_point, -128, 127)))
    assert 0 < ours.count_nonzero() < ours.numel()


def fused(per_channel, symmetric, bounds, averaging_constant):
    qscheme = getattr(torch, f"per_{'channel' if per_channel else 'tensor'}_{'symmetric' if symmetric else 'affine'}")
    observer = MovingAveragePerChannelMinMaxObserver if per_channel else MovingAverageMinMaxObserver
    return fake.FusedMovingAvgObsFakeQuantize(
        observer, *bounds, dtype=torch.uint8 if bounds[0] == 0 else torch.int8, qscheme=qscheme,
        averaging_constant=averaging_constant,
    )  # fmt: skip


def torchs_fused(module, x):
    """torch's operator on the buffers of a module."""
    inner = module.activation_post_process
    inner._pull()
    inner._written()
    return torch.fused_moving_avg_obs_fake_quant(
        x, module.observer_enabled, module.fake_quant_enabled, inner.min_val, inner.max_val, module.scale,
        module.zero_point, inner.averaging_constant, module.quant_min, module.quant_max, module.ch_axis,
        module.is_per_channel, module.is_symmetric_quant,
    )  # fmt: skip


@settings(max_examples=200, deadline=None)
@example(False, False, (-128, 127), 1.0, 99)  # a constant's bounds cross by a rounding
@example(True, True, (-128, 127), 1.0, 99)
@given(st.booleans(), st.booleans(), st.sampled_from(BOUNDS[:4]), st.sampled_from([0.01, 0.5, 1.0]), st.integers(0, 2**20))
def test_observing_and_quantizing_in_one(per_channel, symmetric, bounds, averaging_constant, seed):
    if bounds == (0, 255) and symmetric:
        bounds = (-128, 127)
    module = fused(per_channel, symmetric, bounds, averaging_constant)
    other = copy.deepcopy(module)
    generator = torch.Generator().manual_seed(seed)
    for step in range(4):
        # Ranges of one sign, tiny ones and a constant are among them.
        width, middle = 10.0 ** float(torch.randint(-7, 4, (), generator=generator)), float(torch.randn((), generator=generator))
        x = torch.randn(3, 4, 5, generator=generator) * width + middle * (step % 2)
        if step == 2:
            module.disable_observer(), other.disable_observer()
        if step == 3:
            module.enable_observer(), other.enable_observer()
        for mine, theirs in zip(with_gradient(x, module), with_gradient(x, lambda leaf: torchs_fused(other, leaf))):
            same_bits(mine, theirs)
        for name, value in other.state_dict().items():
            assert torch.equal(module.state_dict()[name], value), name
        inner = other.activation_post_process
        if not bool((inner.min_val <= inner.max_val).all()):
            continue  # the operators take bounds that a rounding has crossed, the observers refuse them, as torch's do
        for mine, theirs in zip(module.calculate_qparams(), other.calculate_qparams()):
            assert torch.equal(mine, theirs)


def test_switched_off_it_lets_values_through_and_may_observe():
    module, other = fused(False, False, (0, 255), 0.5), fused(False, False, (0, 255), 0.5)
    for switched in (module, other):
        switched.disable_fake_quant()
    x = torch.randn(100)
    assert torch.equal(module(x), torchs_fused(other, x))
    assert torch.equal(module.activation_post_process.min_val, x.min())
    assert all(torch.equal(a, b) for a, b in zip(module.state_dict().values(), other.state_dict().values()))
    module.disable_observer()
    module(x * 10)
    assert torch.equal(module.activation_post_process.min_val, x.min())


def test_a_nan_is_refused():
    module = fused(False, False, (0, 255), 0.5)
    with pytest.raises(ValueError, match="was a NaN observed"):
        module(torch.tensor([1.0, float("nan")]))


@pytest.mark.parametrize("kind", ["FakeQuantize", "FusedMovingAvgObsFakeQuantize"])
def test_no_operator_of_torch_quantizes(kind, monkeypatch):
    for name in ("fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine", "fused_moving_avg_obs_fake_quant"):
        monkeypatch.setattr(torch, name, None)
    for observer, qscheme in (
        (MovingAverageMinMaxObserver, torch.per_tensor_affine),
        (MovingAveragePerChannelMinMaxObserver, torch.per_channel_symmetric),
    ):
        module = getattr(fake, kind)(observer, -128, 127, dtype=torch.int8, qscheme=qscheme)
        leaf = torch.randn(3, 4, requires_grad=True)
        module(leaf).sum().backward()
        assert leaf.grad is not None


def test_what_a_tracer_follows_is_an_operator_of_torch():
    module = fake.FakeQuantize(MovingAverageMinMaxObserver, -128, 127, dtype=torch.int8)
    module(torch.randn(4, 4))
    module.disable_observer()
    graph = torch.fx.experimental.proxy_tensor.make_fx(
        lambda x: fake_quantize(x, module.scale, module.zero_point, None, -128, 127)
    )(torch.randn(4, 4))
    assert any("fake_quantize_per_tensor" in str(node.target) for node in graph.graph.nodes)


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.sampled_from([(0, 255), (0, 15)]), st.sampled_from([1.0, 0.01]), st.integers(0, 2**20))
def test_scales_are_learned(per_channel, bounds, factor, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(4, 6, generator=generator) * 3
    channels = 4 if per_channel else 1
    scale = torch.rand(channels, generator=generator) * 0.1 + 0.02
    zero_point = torch.randint(1, bounds[1], (channels,), generator=generator).float()
    axis = 0 if per_channel else None
    results = []
    for ours in (True, False):
        leaves = [tensor.clone().requires_grad_() for tensor in (x, scale, zero_point)]
        if ours:
            y = fake_quantize_learnable(*leaves, axis, *bounds, factor)
        elif per_channel:
            y = torch._fake_quantize_learnable_per_channel_affine(*leaves, 0, *bounds, factor)
        else:
            y = torch._fake_quantize_learnable_per_tensor_affine(*leaves, *bounds, factor)
        y.square().sum().backward()
        results.append((y, *(leaf.grad for leaf in leaves)))
    (y, for_x, *rest), (other_y, other_for_x, *other_rest) = results
    same_bits(y, other_y)
    same_bits(for_x, other_for_x)
    for mine, other in zip(rest, other_rest):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)  # torch sums in float32


def test_the_zero_point_of_the_gradient_is_that_of_the_values():
    """torch takes trunc(zero_point + 0.5) in the backward pass, -2 for -3: its gradient of the scale is that of other levels."""
    x = torch.tensor([-1.0, 0.2, 3.0])
    scale, zero_point = torch.tensor([0.1], requires_grad=True), torch.tensor([-3.0], requires_grad=True)
    fake_quantize_learnable(x, scale, zero_point, None, -8, 7, 1.0).sum().backward()
    # -1 / 0.1 - 3 = -13 is clipped to -8, 0.2 / 0.1 - 3 = -1 is exact, 3 / 0.1 - 3 = 27 is clipped to 7.
    assert torch.allclose(scale.grad, torch.tensor([(-8.0 + 3) + 0.0 + (7.0 + 3)]), atol=1e-5)
    assert torch.allclose(zero_point.grad, torch.tensor([-0.1 * 2]))


def test_a_learnable_module_trains_by_channels():
    module = learnable.LearnableFakeQuantize(
        MovingAveragePerChannelMinMaxObserver, -128, 127, True, dtype=torch.int8, qscheme=torch.per_channel_symmetric, ch_axis=0
    )
    module(torch.randn(3, 8))
    module.enable_range_learning()
    before = module.scale.detach().clone()
    optimizer = torch.optim.SGD([module.scale], lr=0.1)
    module(torch.randn(3, 8) * 2).square().sum().backward()
    optimizer.step()
    assert module.scale.shape == (3,) and not torch.equal(before, module.scale)


def test_memory_is_not_copied():
    module = fake.FakeQuantize(MinMaxObserver, -128, 127, dtype=torch.int8, qscheme=torch.per_tensor_symmetric)
    x = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    y = module(x)
    assert y.stride() == x.stride()
    y.sum().backward()
    assert x.grad.shape == x.shape
