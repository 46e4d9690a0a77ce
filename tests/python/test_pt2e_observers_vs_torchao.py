"""Observer and fake-quantizer modules beside torchao's: state dicts, parameters, gradients."""

import math
import copy
import io
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torchao")
import qdq.pt2e._affine_quantization as our_affine  # noqa: E402
import qdq.pt2e.fake_quantize as our_fake  # noqa: E402
import qdq.pt2e.learnable_fake_quantize as our_learnable  # noqa: E402
import qdq.pt2e.observer as ours  # noqa: E402
import torchao.quantization.pt2e._affine_quantization as their_affine  # noqa: E402
import torchao.quantization.pt2e.fake_quantize as their_fake  # noqa: E402
import torchao.quantization.pt2e.learnable_fake_quantize as their_learnable  # noqa: E402
import torchao.quantization.pt2e.observer as theirs  # noqa: E402

OBSERVERS = {
    "MinMaxObserver": {"dtype": torch.int8, "qscheme": torch.per_tensor_symmetric, "eps": 2**-12},
    "MovingAverageMinMaxObserver": {"dtype": torch.uint8, "averaging_constant": 0.1},
    "PerChannelMinMaxObserver": {"dtype": torch.int8, "qscheme": torch.per_channel_symmetric, "ch_axis": 1},
    "MovingAveragePerChannelMinMaxObserver": {"dtype": torch.int8, "qscheme": torch.per_channel_affine},
    "HistogramObserver": {"dtype": torch.uint8, "quant_min": 0, "quant_max": 127},
}


def values(n=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(4, 5, 3, generator=generator) * (i + 1) for i in range(n)]


def pair(kind, **options):
    return getattr(ours, kind)(**options), getattr(theirs, kind)(**options)


def assert_same_state(mine, other):
    state, expected = mine.state_dict(), other.state_dict()
    assert list(state) == list(expected)
    assert state._metadata == expected._metadata
    for name in state:
        assert state[name].dtype == expected[name].dtype, name
        assert torch.equal(state[name], expected[name]), name


def assert_same_qparams(mine, other):
    for found, expected in zip(mine.calculate_qparams(), other.calculate_qparams()):
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected)


@pytest.mark.parametrize("kind", OBSERVERS)
def test_states_and_parameters_are_torchaos(kind):
    mine, other = pair(kind, **OBSERVERS[kind])
    assert_same_state(mine, other)
    for x in values():
        assert mine(x) is x
        other(x)
        assert_same_state(mine, other)
    assert_same_qparams(mine, other)


@pytest.mark.parametrize("kind", OBSERVERS)
def test_a_state_dict_of_torchao_goes_on(kind):
    mine, other = pair(kind, **OBSERVERS[kind])
    first, *rest = values()
    other(first)
    mine.load_state_dict(other.state_dict())
    assert_same_qparams(mine, other)
    for x in rest:
        mine(x), other(x)
    assert_same_state(mine, other)


@pytest.mark.parametrize("kind", OBSERVERS)
def test_copies_and_pickles_keep_the_state(kind):
    mine, other = pair(kind, **OBSERVERS[kind])
    first, *rest = values()
    mine(first), other(first)
    for again in (copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        assert_same_state(again, other)
        expected = copy.deepcopy(other)
        for x in rest:
            again(x), expected(x)
        assert_same_state(again, expected)
    file = io.BytesIO()
    torch.save(mine.state_dict(), file)


def test_what_is_written_to_a_buffer_counts():
    mine, other = pair("MinMaxObserver", dtype=torch.int8)
    for observer in (mine, other):
        observer(torch.tensor([-1.0, 1.0]))
        observer.min_val.fill_(-8.0)
        observer(torch.tensor([0.0, 2.0]))
        assert (observer.min_val.item(), observer.max_val.item()) == (-8.0, 2.0)
    assert_same_qparams(mine, other)
    mine.reset_min_max_vals()
    assert mine.min_val.item() == float("inf")


@pytest.mark.parametrize("kind", OBSERVERS)
def test_an_observer_without_values_warns_and_answers_one_and_zero(kind):
    mine, other = pair(kind, **OBSERVERS[kind])
    with pytest.warns(UserWarning, match="before it saw any value"):
        found = mine.calculate_qparams()
    with pytest.warns(UserWarning):
        expected = other.calculate_qparams()
    assert [x.tolist() for x in found] == [x.tolist() for x in expected]


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(sorted(OBSERVERS)),
    scale=st.sampled_from([1e-6, 1.0, 1e4]),
    shift=st.floats(-3, 3),
    seed=st.integers(0, 1000),
)
def test_any_data_gives_the_same_bits(kind, scale, shift, seed):
    mine, other = pair(kind, **OBSERVERS[kind])
    for x in values(2, seed):
        mine(x * scale + shift), other(x * scale + shift)
    assert_same_state(mine, other)
    assert_same_qparams(mine, other)


def test_with_args_are_those_of_torchao():
    made = [m.HistogramObserver.with_args(eps=1.0).with_args(eps=2.0, bins=16) for m in (ours, theirs)]
    assert [wrapper.p.keywords for wrapper in made] == [{"eps": 2.0, "bins": 16}] * 2
    assert [wrapper().eps.item() for wrapper in made] == [2.0, 2.0]
    counts = iter(range(10))
    wrapper = ours.MinMaxObserver.with_callable_args(quant_max=lambda: 100 + next(counts))
    assert [wrapper(quant_min=0).quant_max for _ in range(2)] == [100, 101]


@pytest.mark.parametrize(
    "kind, options, error",
    [
        ("MinMaxObserver", {"qscheme": torch.per_channel_affine}, NotImplementedError),
        ("PerChannelMinMaxObserver", {"is_dynamic": True}, NotImplementedError),
        ("MinMaxObserver", {"quant_min": 5, "quant_max": 3, "dtype": torch.int8}, Exception),
    ],
)
def test_both_refuse(kind, options, error):
    for module in (ours, theirs):
        with pytest.raises(error):
            getattr(module, kind)(**options)


FAKES = {
    "FakeQuantize": {"quant_min": 0, "quant_max": 255, "dtype": torch.uint8},
    "FusedMovingAvgObsFakeQuantize": {"quant_min": -128, "quant_max": 127, "dtype": torch.int8},
}


@pytest.mark.parametrize("kind", FAKES)
def test_fake_quantizers_train_as_torchaos(kind):
    mine, other = getattr(our_fake, kind)(**FAKES[kind]), getattr(their_fake, kind)(**FAKES[kind])
    assert_same_state(mine, other)
    for x in values():
        gradients = []
        outputs = []
        for module in (mine, other):
            leaf = x.clone().requires_grad_()
            outputs.append(module(leaf))
            outputs[-1].square().sum().backward()
            gradients.append(leaf.grad)
        assert torch.equal(*outputs)
        assert torch.equal(*gradients)
        assert_same_state(mine, other)
    assert_same_qparams(mine, other)
    for module in (mine, other):
        module.disable_observer()
        module.disable_fake_quant()
    assert torch.equal(mine(values()[0]), values()[0])


def fakes(module):
    found = {}
    for name in dir(module):
        value = getattr(module, name)
        if hasattr(value, "p") and "fake_quant" in name:
            found[name] = value
    return found


def plain(keywords):
    return {
        key: (value.p.func.__name__, plain(value.p.keywords)) if hasattr(value, "p") else getattr(value, "__name__", str(value))
        for key, value in keywords.items()
    }  # fmt: skip


def test_the_named_defaults_are_torchaos():
    mine, expected = fakes(our_fake), fakes(their_fake)
    assert sorted(mine) == sorted(expected)
    for name, wrapper in mine.items():
        assert wrapper.p.func.__name__ == expected[name].p.func.__name__, name
        assert plain(wrapper.p.keywords) == plain(expected[name].p.keywords), name


@pytest.mark.parametrize("granularity", [("PerTensor",), ("PerAxis", 0), ("PerGroup", 3)])
def test_affine_fake_quantizers_agree_with_torchaos(granularity):
    name, *arguments = granularity
    outputs, gradients = [], []
    for fake, observer, affine in ((our_fake, ours, our_affine), (their_fake, theirs, their_affine)):
        module = fake.AffineFakeQuantize(
            observer=affine.AffineQuantizedMinMaxObserver,
            mapping_type=observer.MappingType.SYMMETRIC,
            target_dtype=torch.int8,
            granularity=getattr(observer, name)(*arguments),
        )
        x = torch.randn(4, 6, generator=torch.Generator().manual_seed(1), requires_grad=True)
        outputs.append(module(x))
        outputs[-1].square().sum().backward()
        gradients.append(x.grad)
    assert torch.equal(*outputs)
    assert torch.equal(*gradients)


@pytest.mark.parametrize("grad_scaling", [False, True])
def test_learnable_fake_quantizers_agree_with_torchaos(grad_scaling):
    modules = [
        learnable.LearnableFakeQuantize(
            observer.MovingAverageMinMaxObserver, 0, 255, grad_scaling, dtype=torch.uint8, qscheme=torch.per_tensor_affine
        )
        for learnable, observer in ((our_learnable, ours), (their_learnable, theirs))
    ]
    x = values(1)[0]
    assert torch.equal(*(module(x) for module in modules))
    for module in modules:
        module.enable_range_learning()
        module(x).square().sum().backward()
    # The parts that are summed, in float32 as torch computes them; torch sums them in float32, the core in double.
    scale, zero_point = modules[0].scale.detach(), modules[0].zero_point.detach()
    upstream, level = 2 * modules[1](x).detach(), (x * (1 / scale)).round() + zero_point
    bound = level.clamp(0, 255)
    inside = upstream * ((bound - zero_point) * scale - x) * (1 / scale)
    parts = torch.where(level == bound, inside, upstream * (bound - zero_point))
    factor = 1 / math.sqrt(x.numel() * 255) if grad_scaling else 1.0
    assert torch.equal(modules[0].scale.grad, (parts.double().sum() * factor).float().reshape(1))
    torch.testing.assert_close(modules[0].scale.grad, modules[1].scale.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(modules[0].zero_point.grad, modules[1].zero_point.grad, rtol=1e-4, atol=1e-6)
    assert_same_qparams(*modules)
