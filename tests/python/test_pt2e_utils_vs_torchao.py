"""The functions that users call for observers of their own, beside torchao's: the same tensors, the same refusals."""

import pytest
import torch
from torch import nn

pytest.importorskip("torchao")
import qdq.pt2e.observer as our_observers  # noqa: E402
import qdq.pt2e.utils as ours  # noqa: E402
import torchao.quantization.pt2e.observer as their_observers  # noqa: E402
import torchao.quantization.pt2e.utils as theirs  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

DTYPES = [torch.int8, torch.uint8, torch.int16, torch.uint16, torch.int32, torch.qint8, torch.quint8, torch.qint32, torch.quint4x2]
QSCHEMES = [
    torch.per_tensor_affine, torch.per_tensor_symmetric, torch.per_channel_affine, torch.per_channel_symmetric,
    torch.per_channel_affine_float_qparams,
]  # fmt: skip
BOUNDS = st.floats(-1e4, 1e4, width=32)


def outcome(function, *arguments):
    """The result, or the kind of refusal."""
    try:
        return function(*arguments)
    except (AssertionError, RuntimeError) as error:
        return type(error)


def assert_same(a, b):
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    elif isinstance(a, (tuple, list)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_same(x, y)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    else:
        assert a == b


@settings(max_examples=300, deadline=None)
@given(
    pairs=st.lists(st.tuples(BOUNDS, BOUNDS), min_size=1, max_size=4),
    is_scalar=st.booleans(),
    dtype=st.sampled_from(DTYPES),
    qscheme=st.sampled_from(QSCHEMES),
    bounds=st.sampled_from([(-128, 127), (0, 255), (-8, 7), (0, 15), (-127, 127), (0, 127)]),
    custom=st.booleans(),
)
def test_scales_and_zero_points_are_the_same(pairs, is_scalar, dtype, qscheme, bounds, custom):
    low = torch.tensor([min(pair) for pair in pairs])
    high = torch.tensor([max(pair) for pair in pairs])
    if is_scalar:
        low, high = low[0], high[0]
    eps = torch.tensor([torch.finfo(torch.float32).eps])
    arguments = (low, high, *bounds, dtype, eps, custom, qscheme)
    assert_same(ours.determine_qparams(*arguments), theirs.determine_qparams(*arguments))


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (torch.tensor([]), torch.tensor([])),
        (torch.tensor(float("inf")), torch.tensor(float("-inf"))),
        (torch.tensor(1.0), torch.tensor(2.0)),
        (torch.tensor(2.0), torch.tensor(1.0)),
        (torch.tensor([0.0, 3.0]), torch.tensor([1.0, 2.0])),
        (torch.tensor(float("nan")), torch.tensor(1.0)),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_bounds_are_accepted_and_refused_alike(low, high):
    assert_same(outcome(ours.check_min_max_valid, low, high), outcome(theirs.check_min_max_valid, low, high))
    eps = torch.tensor([1e-6])
    arguments = (low, high, -128, 127, torch.int8, eps, False)
    assert_same(outcome(ours.determine_qparams, *arguments), outcome(theirs.determine_qparams, *arguments))


def test_that_nothing_was_observed_is_said():
    with pytest.warns(UserWarning, match="nothing was observed"):
        assert not ours.check_min_max_valid(torch.tensor([]), torch.tensor([]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduce_range", [False, True])
@pytest.mark.parametrize("bounds", [(-128, 127), (0, 255), (-8, 7), (0, 300), (5, 2)])
@pytest.mark.parametrize("custom", [False, True])
def test_ranges_of_dtypes_are_the_same(dtype, reduce_range, bounds, custom):
    arguments = (*bounds, custom, dtype, reduce_range)
    assert_same(outcome(ours.calculate_qmin_qmax, *arguments), outcome(theirs.calculate_qmin_qmax, *arguments))


@pytest.mark.parametrize("bounds", [(-128, 127), (0, 255), (1, 5), (-5, -1), (0, 0)])
def test_ranges_without_zero_or_of_one_value_are_refused_alike(bounds):
    assert outcome(ours.validate_qmin_qmax, *bounds) == outcome(theirs.validate_qmin_qmax, *bounds)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("MinMaxObserver", {"dtype": torch.qint8, "qscheme": torch.per_tensor_symmetric}),
        ("PerChannelMinMaxObserver", {"dtype": torch.qint8, "qscheme": torch.per_channel_symmetric, "ch_axis": 1}),
        ("PerChannelMinMaxObserver", {"dtype": torch.quint8, "qscheme": torch.per_channel_affine}),
        ("PlaceholderObserver", {"dtype": torch.float16}),
    ],
)
def test_what_an_observer_says_of_its_tensor_is_the_same(kind, options):
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    said = []
    for utils, observers in ((ours, our_observers), (theirs, their_observers)):
        observer = getattr(observers, kind)(**options)
        observer(x)
        said.append(utils.get_qparam_dict(observer))
    mine, expected = said
    assert mine.keys() == expected.keys()
    for key, value in expected.items():
        same = torch.equal(mine[key].to(value.dtype), value) if isinstance(value, torch.Tensor) else mine[key] == value
        assert same, key


class Scaled(nn.Module):
    def forward(self, x, scale=3, shift=3):
        return x * scale + shift


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.block = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
        self.scaled = Scaled()

    def forward(self, x):
        return self.scaled(self.scaled(self.block(self.first(x)), 5, shift=6), shift=7)


def test_each_module_is_told_what_it_is_called_with():
    torch.manual_seed(0)
    model, x = Network(), torch.ones(1, 2)
    found = ours.get_fqn_to_example_inputs(model, (x,))
    assert found.keys() == {"", "first", "block", "block.0", "block.1", "scaled"}
    expected = theirs.get_fqn_to_example_inputs(model, (x,))
    assert found.keys() == expected.keys()
    scaled, scaled_there = found.pop("scaled"), expected.pop("scaled")
    assert_same(dict(sorted(found.items())), dict(sorted(expected.items())))
    assert scaled[1:] == (3, 7), "torchao leaves out the keyword arguments here, against its own description"
    assert_same(scaled[:1], scaled_there)
    assert not model._forward_pre_hooks, "the model is left as it was"


def test_keyword_arguments_without_a_default_stand_at_their_positions():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.scaled = Scaled()

        def forward(self, x):
            return self.scaled(shift=1, x=x)

    assert ours.get_fqn_to_example_inputs(Outer(), (2,)) == {"": (2,), "scaled": (2, 3, 1)}
