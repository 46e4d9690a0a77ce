"""Observer and fake-quantizer modules beside torchao's: state dicts, parameters, gradients."""

import copy
import io
import math
import pickle
from collections import OrderedDict

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


DTYPES = [
    torch.qint8, torch.quint8, torch.quint4x2, torch.qint32, torch.int8, torch.uint8, torch.int16, torch.int32, torch.uint16,
    torch.float8_e5m2, torch.float8_e4m3fn, torch.float16, torch.int64, torch.float32,
]  # fmt: skip
RANGES = [
    {}, {"reduce_range": True}, {"quant_min": -8, "quant_max": 7}, {"quant_min": 0, "quant_max": 127, "reduce_range": True},
    {"quant_min": 1, "quant_max": 7}, {"quant_min": -300, "quant_max": 300}, {"quant_min": 3}, {"quant_max": 3},
    {"quant_min": 0, "quant_max": 0}, {"quant_min": 5, "quant_max": -5}, {"is_dynamic": True},
]  # fmt: skip
QSCHEMES = [
    torch.per_tensor_affine, torch.per_tensor_symmetric, torch.per_channel_affine, torch.per_channel_symmetric,
    torch.per_channel_affine_float_qparams,
]  # fmt: skip
FIELDS = ["quant_min", "quant_max", "has_customized_qrange", "dtype", "qscheme", "reduce_range", "is_dynamic", "_version"]


def constructed(make):
    """What came of it, or that it was refused."""
    try:
        observer = make()
    except (ValueError, AssertionError, NotImplementedError, RuntimeError, TypeError):
        return "refused"
    return {name: getattr(observer, name) for name in FIELDS} | {
        name: (value.dtype, value.shape) for name, value in observer.state_dict().items()
    }


@pytest.mark.filterwarnings("ignore:Please use quant_min and quant_max")
@pytest.mark.parametrize("kind", OBSERVERS)
def test_constructors_take_and_refuse_what_torchaos_do(kind):
    choices = [{"dtype": dtype, **options} for dtype in DTYPES for options in RANGES]
    choices += [{"qscheme": qscheme, "reduce_range": reduce} for qscheme in QSCHEMES for reduce in (False, True)]
    found = [constructed(lambda: getattr(ours, kind)(**options)) for options in choices]
    expected = [constructed(lambda: getattr(theirs, kind)(**options)) for options in choices]
    assert 20 < sum(result != "refused" for result in expected) < len(choices)
    for options, mine, other in zip(choices, found, expected):
        assert mine == other, options


def refused_keys(module, state):
    """Missing and unexpected keys, each once."""
    incompatible = copy.deepcopy(module).load_state_dict(state, strict=False)
    with pytest.raises(RuntimeError, match="Missing key|Unexpected key"):
        copy.deepcopy(module).load_state_dict(state)
    return sorted(set(incompatible.missing_keys)), sorted(incompatible.unexpected_keys)


@pytest.mark.parametrize(
    "kind", ["MinMaxObserver", "MovingAverageMinMaxObserver", "HistogramObserver", "FakeQuantize", "FusedMovingAvgObsFakeQuantize"]
)
def test_a_state_dict_with_other_keys_is_refused_as_by_torchao(kind):
    libraries = [(ours, our_fake), (theirs, their_fake)]
    modules = [getattr(fake if "Fake" in kind else observers, kind)() for observers, fake in libraries]
    state = modules[1].state_dict()
    for left_out in (None, *state):
        changed = OrderedDict((name, value) for name, value in state.items() if name != left_out)
        changed._metadata = state._metadata
        if left_out is None:
            changed["another"] = torch.zeros(1)
        mine, other = (refused_keys(module, changed) for module in modules)
        assert mine == other, left_out


def old_state(version, **buffers):
    state = OrderedDict((name, torch.tensor(value)) for name, value in buffers.items())
    state._metadata = {"": {"version": version}}
    return state


def test_states_of_older_versions_are_read():
    """Before version 2 eps was no buffer; before 3 bounds of channels had other names, and those of histograms a dimension."""
    mine, other = pair("MinMaxObserver", dtype=torch.uint8)
    for observer in (mine, other):
        observer.load_state_dict(old_state(1, min_val=-1.0, max_val=2.0))
    assert_same_state(mine, other)
    assert_same_qparams(mine, other)
    mine, other = pair("HistogramObserver", bins=4)
    for observer in (mine, other):
        observer.load_state_dict(old_state(2, eps=[2**-12], histogram=[1.0, 2.0, 3.0, 4.0], min_val=[-1.0], max_val=[2.0]))
    assert_same_qparams(mine, other)
    # torchao leaves these as memory happened to be.
    mine = ours.PerChannelMinMaxObserver()
    mine.load_state_dict(old_state(2, eps=[2**-12], min_vals=[-1.0, -2.0], max_vals=[2.0, 3.0]))
    assert mine.min_val.tolist() == [-1.0, -2.0] and mine.max_val.tolist() == [2.0, 3.0]
    scale, zero_point = mine.calculate_qparams()
    torch.testing.assert_close(scale, torch.tensor([3 / 255, 5 / 255]))
    assert zero_point.tolist() == [85, 102]


def percentiles(library):
    """An observer as users write them: buffers and bounds of its own, the rest from the base class."""

    class PercentileObserver(library.UniformQuantizationObserverBase):
        def __init__(self, share=0.9, **options):
            super().__init__(**options)
            self.share = share
            for name, value in (("min_val", float("inf")), ("max_val", -float("inf")), ("count", 0)):
                self.register_buffer(name, torch.tensor(value))

        def forward(self, x):
            flat = x.detach().float().flatten()
            self.count += 1
            self.min_val.copy_(torch.quantile(flat, 1 - self.share))
            self.max_val.copy_(torch.quantile(flat, self.share))
            return x

        def calculate_qparams(self):
            return self._calculate_qparams(self.min_val, self.max_val)

    return PercentileObserver


@pytest.mark.parametrize("qscheme", [torch.per_tensor_affine, torch.per_tensor_symmetric])
@pytest.mark.parametrize("bounds", [{}, {"quant_min": -8, "quant_max": 7}])
def test_an_observer_of_ones_own_uses_the_arithmetic_of_the_base_class(qscheme, bounds):
    mine, other = (percentiles(library)(share=0.8, dtype=torch.int8, qscheme=qscheme, eps=2**-12, **bounds) for library in (ours, theirs))
    for x in values():
        assert mine(x) is x
        other(x)
    assert_same_state(mine, other)
    assert_same_qparams(mine, other)
    again = percentiles(ours)(dtype=torch.int8, qscheme=qscheme, eps=2**-12, **bounds)
    again.load_state_dict(mine.state_dict())
    assert_same_qparams(again, copy.deepcopy(mine))
    with pytest.raises(AssertionError):
        mine._calculate_qparams(torch.tensor(2.0), torch.tensor(1.0))
    with pytest.raises(NotImplementedError):
        mine.reset_min_max_vals()


@pytest.mark.parametrize("qscheme", [torch.per_channel_affine, torch.per_channel_affine_float_qparams])
def test_bounds_of_ones_own_for_each_channel(qscheme):
    low, high = torch.tensor([-1.0, 0.5, -3.0]), torch.tensor([2.0, 1.5, -1.0])
    found, expected = (library.PerChannelMinMaxObserver(dtype=torch.int8, qscheme=qscheme)._calculate_qparams(low, high) for library in (ours, theirs))
    for mine, other in zip(found, expected):
        assert mine.dtype == other.dtype and torch.equal(mine, other)


def halved(library):
    class Halved(library.MinMaxObserver):
        def calculate_qparams(self):
            return self._calculate_qparams(self.min_val * 0.5, self.max_val * 0.5)

    return Halved(dtype=torch.int8)


def clipped(library):
    class Clipped(library.HistogramObserver):
        def forward(self, x):
            super().forward(x.clamp(-1, 1))
            return x

    return Clipped(dtype=torch.int8)


def by_hand(library):
    class ByHand(library.MinMaxObserver):
        def forward(self, x):
            low, high = torch.aminmax(x)
            self.min_val.copy_(torch.min(low, self.min_val))
            self.max_val.copy_(torch.max(high, self.max_val))
            return x

    return ByHand(dtype=torch.int8)


@pytest.mark.parametrize("make", [halved, clipped, by_hand], ids=lambda make: make.__name__)
def test_a_subclass_of_an_observer_does_what_it_does_in_torchao(make):
    mine, other = make(ours), make(theirs)
    for x in values():
        mine(x), other(x)
    assert_same_state(mine, other)
    assert_same_qparams(mine, other)


@pytest.mark.parametrize(
    "bounds", [{"quant_min": -1, "quant_max": 255}, {"quant_min": 5, "quant_max": 1}, {"quant_min": 0, "quant_max": 300}]
)
@pytest.mark.parametrize("kind", ["FakeQuantize", "FusedMovingAvgObsFakeQuantize"])
def test_bounds_that_the_dtype_does_not_have_are_refused(kind, bounds):
    for fake in (our_fake, their_fake):
        with pytest.raises(AssertionError):
            getattr(fake, kind)(**bounds)


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


def test_a_recording_observer_keeps_copies():
    for library in (ours, theirs):
        observer = library.RecordingObserver()
        x = torch.ones(2)
        assert observer(x) is x
        x.zero_()
        observer(x)
        assert [value.tolist() for value in observer.get_tensor_value()] == [[1, 1], [0, 0]]


PLACEHOLDERS = {
    "PlaceholderObserver": [
        {}, {"dtype": torch.float16, "custom_op_name": "op", "quant_min": 1}, {"is_dynamic": True, "eps": 2**-12, "qscheme": torch.per_tensor_symmetric}
    ],
    "NoopObserver": [{}, {"dtype": torch.float32}],
    "ReuseInputObserver": [{}],
    "RecordingObserver": [{}],
    "FixedQParamsObserver": [{"scale": 0.5, "zero_point": 3}, {"scale": 0.1, "zero_point": 0, "dtype": torch.int8, "quant_min": -128, "quant_max": 127}],
}  # fmt: skip


@pytest.mark.parametrize("kind, options", [(kind, options) for kind in PLACEHOLDERS for options in PLACEHOLDERS[kind]])
def test_observers_that_look_at_nothing_are_torchaos(kind, options):
    mine, other = pair(kind, **options)
    for name in ("dtype", "is_dynamic", "qscheme", "quant_min", "quant_max", "eps", "custom_op"):
        assert getattr(mine, name, None) == getattr(other, name, None), name
    assert_same_state(mine, other)
    x = torch.ones(3)
    assert mine(x) is x
    if kind == "FixedQParamsObserver":
        assert_same_qparams(mine, other)
    else:
        for observer in (mine, other):
            with pytest.raises(Exception, match="(?i)observer"):
                observer.calculate_qparams()


def wrappers(module, word):
    """The named defaults whose name has that word."""
    return {name: value for name, value in vars(module).items() if hasattr(value, "p") and word in name}


def test_the_named_observers_are_torchaos():
    mine, expected = wrappers(ours, "observer"), wrappers(theirs, "observer")
    assert sorted(name for name in mine if not name.startswith("_")) == sorted(expected)
    for name, wrapper in expected.items():
        assert mine[name].p.func.__name__ == wrapper.p.func.__name__, name
        assert plain(mine[name].p.keywords) == plain(wrapper.p.keywords), name
    for name in ("default_placeholder_observer", "default_debug_observer", "default_reuse_input_observer"):
        assert getattr(ours, name).__name__ == getattr(theirs, name).__name__


class Pair(torch.nn.Module):
    def __init__(self, library):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))
        self.activation_post_process_0 = library.HistogramObserver(bins=8)
        self.activation_post_process_1 = library.PerChannelMinMaxObserver()


def test_the_states_of_observers_alone():
    states = []
    for library in (ours, theirs):
        seen, fresh = Pair(library), Pair(library)
        for observer in (seen.activation_post_process_0, seen.activation_post_process_1):
            observer(torch.arange(12.0).reshape(3, 4))
        state = library.get_observer_state_dict(seen)
        library.load_observer_state_dict(fresh, state)
        assert_same_qparams(fresh.activation_post_process_0, seen.activation_post_process_0)
        assert_same_qparams(fresh.activation_post_process_1, seen.activation_post_process_1)
        states.append(state)
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    del states[0]["activation_post_process_1.min_val"]
    with pytest.raises(RuntimeError, match="no entry 'activation_post_process_1.min_val'"):
        ours.load_observer_state_dict(Pair(ours), states[0])


def test_switches_of_fake_quantizers_for_apply():
    for fake in (our_fake, their_fake):
        model = torch.nn.Sequential(fake.FakeQuantize(), fake.FusedMovingAvgObsFakeQuantize())
        for switch, name, on in (
            (fake.disable_observer, "observer_enabled", 0), (fake.disable_fake_quant, "fake_quant_enabled", 0),
            (fake.enable_observer, "observer_enabled", 1), (fake.enable_fake_quant, "fake_quant_enabled", 1),
        ):  # fmt: skip
            model.apply(switch)
            assert [getattr(module, name).tolist() for module in model] == [[on], [on]]


def test_a_fake_quantizer_with_fixed_parameters():
    x = torch.linspace(-1, 2, 16)
    modules = [fake.FixedQParamsFakeQuantize(library.default_fixed_qparams_range_0to1_observer) for fake, library in ((our_fake, ours), (their_fake, theirs))]
    assert torch.equal(*(module(x) for module in modules))
    assert_same_state(*modules)
    assert_same_qparams(*modules)
    for fake, library in ((our_fake, ours), (their_fake, theirs)):
        with pytest.raises(AssertionError):
            fake.FixedQParamsFakeQuantize(library.MinMaxObserver)


def test_an_affine_fake_quantizer_that_does_not_observe_looks_once():
    """To know its blocks. It takes their scales too; torchao's keeps a scale of 1, and fails where blocks are many."""
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    for granularity, block_size in ((ours.PerTensor(), (4, 8)), (ours.PerGroup(4), (1, 4))):
        module = our_fake.default_affine_fake_quant.with_args(granularity=granularity)()
        module.disable_observer()
        first = module(x)
        assert module.block_size == block_size
        torch.testing.assert_close(first, x, atol=0.03, rtol=0)
        scale = module.scale.clone()
        module(x * 2)
        assert torch.equal(module.scale, scale)
    theirs_once = their_fake.default_affine_fake_quant()
    theirs_once.disable_observer()
    assert torch.equal(theirs_once(x), x.round().clamp(0, 255))
    assert theirs_once.block_size == (4, 8)


def fakes(module):
    return wrappers(module, "fake_quant")


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


AFFINE = {"mapping_type": ours.MappingType.ASYMMETRIC, "target_dtype": torch.int8, "granularity": ours.PerGroup(4)}


@pytest.mark.parametrize("kind", ["AffineQuantizedMinMaxObserver", "AffineQuantizedMovingAverageMinMaxObserver"])
def test_an_affine_observer_goes_on_from_a_state_dict(kind):
    """torchao's state dicts leave out what such an observer has seen."""
    trained, again = (getattr(our_affine, kind)(**AFFINE) for _ in range(2))
    trained(torch.randn(2, 8, generator=torch.Generator().manual_seed(0), dtype=torch.bfloat16))
    again.load_state_dict(trained.state_dict())
    assert (again.block_size, again.original_dtype) == ((1, 4), torch.bfloat16)
    assert_same_qparams(again, trained)
    more = torch.randn(2, 8, generator=torch.Generator().manual_seed(1), dtype=torch.bfloat16) * 3
    again(more), trained(more)
    assert_same_state(again, trained)
    assert_same_qparams(again, trained)
    getattr(our_affine, kind)(**AFFINE).load_state_dict(getattr(their_affine, kind)(**AFFINE).state_dict())


def test_an_affine_fake_quantizer_goes_on_from_a_state_dict():
    trained, again = (our_fake.AffineFakeQuantize(our_affine.AffineQuantizedMinMaxObserver, **AFFINE) for _ in range(2))
    x = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    trained(x)
    trained.disable_observer()
    again.load_state_dict(trained.state_dict())
    assert torch.equal(again(x * 5), trained(x * 5))  # not observed
    assert again.block_size == (1, 4)
    assert_same_state(again, trained)


def test_the_switches_of_a_learnable_fake_quantizer():
    found = []
    for learnable, library in ((our_learnable, ours), (their_learnable, theirs)):
        module = learnable.LearnableFakeQuantize(library.MovingAverageMinMaxObserver, -128, 127, dtype=torch.int8)
        states = [(module.scale, module.zero_point, sorted(module.state_dict()))]
        module(torch.linspace(-3, 2, 16))
        states.append(sorted(module.state_dict()))
        for switch in ("enable_range_learning", "disable_range_learning", "enable_range_learning", "enable_observer", "disable_observer"):
            getattr(module, switch)()
            flags = {name: value.tolist() for name, value in module.named_buffers() if name.endswith("enabled")}
            states.append((switch, flags, module.scale.requires_grad, module.zero_point.requires_grad))
        module.apply(learnable.enable_range_learning)
        states.append(module.scale.requires_grad)
        module.apply(learnable.disable_range_learning)
        states.append(module.scale.requires_grad)
        module.scale.data.fill_(-1.0)
        module.zero_point.data.fill_(200.4)
        states.append([(value.dtype, value.tolist()) for value in module.calculate_qparams()])
        with pytest.raises(AssertionError):
            learnable.LearnableFakeQuantize(library.MovingAverageMinMaxObserver, 5, 1, dtype=torch.int8)
        found.append(states)
    assert found[0] == found[1]


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
