"""The observers give the bits of torchao's observers on the same tensors: state and qparams."""
import os
import subprocess
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
observers = pytest.importorskip("torchao.quantization.pt2e.observer")
hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings, strategies as st  # noqa: E402

from tools import tool  # noqa: E402

DTYPES = ["qint8", "quint8", "quint4x2", "qint32", "int8", "uint8", "int16", "int32", "uint16", "float8_e5m2", "float8_e4m3fn"]
PER_TENSOR = ["per_tensor_affine", "per_tensor_symmetric"]
PER_CHANNEL = ["per_channel_affine", "per_channel_symmetric", "per_channel_affine_float_qparams"]
MANY = settings(deadline=None, max_examples=int(os.environ.get("QDQ_EXAMPLES", "100")))


class Ours:
    """One process of the tool; see tests/support/observe.cc for its language."""

    def __init__(self):
        self.process = subprocess.Popen([tool("observe")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, line, payload=b""):
        self.process.stdin.write(line.encode() + b"\n" + payload)
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode().rstrip("\n")  # an empty tensor ends in blanks
        if answer.startswith("error"):
            raise ValueError(answer)
        return answer

    def new(self, kind, **options):
        def text(value):
            return int(value) if isinstance(value, bool) else str(value).replace("torch.", "")
        self.ask(" ".join(["new", kind, *(f"{key}={text(value)}" for key, value in options.items())]))

    def observe(self, tensor, dims=None):
        """`dims`: observe the tensor permuted."""
        sizes = ",".join(map(str, tensor.shape)) or "-"
        order = "" if dims is None else " " + ",".join(map(str, dims))
        payload = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        self.ask(f"observe {str(tensor.dtype)[6:]} {sizes}{order}", payload)

    def tensors(self, command):
        words = iter(self.ask(command).split(" "))
        found = {}
        for name, dtype, sizes, data in zip(words, words, words, words):
            shape = [int(size) for size in sizes[1:-1].split(",") if size]
            data = torch.frombuffer(bytearray.fromhex(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
            found[name] = data.view(getattr(torch, dtype)).reshape(shape)
        return found


@pytest.fixture(scope="module")
def ours():
    process = Ours()
    yield process
    process.process.stdin.close()
    process.process.wait()


def same(found, expected, what):
    assert found.dtype == expected.dtype and found.shape == expected.shape, (what, found, expected)
    # 0.0 and -0.0 count as the same bound.
    assert torch.equal(torch.nan_to_num(found.double(), nan=1e300), torch.nan_to_num(expected.double(), nan=1e300)), \
        (what, found[found != expected], expected[found != expected])


def make_peer(kind, **options):
    def value(key, given):
        return getattr(torch, given) if key in ("dtype", "qscheme") else given
    return getattr(observers, kind)(**{key: value(key, given) for key, given in options.items()})


def refused(call):
    try:
        call()
    except (ValueError, AssertionError, NotImplementedError, RuntimeError, TypeError):
        return True
    return False


def compare(ours, kind, options, batches, dims=None):
    """Both refuse the options, or have the same state and qparams after the batches."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if refused(lambda: make_peer(kind, **options)):
            assert refused(lambda: ours.new(kind, **options)), f"only torchao refuses {options}"
            return None
        peer = make_peer(kind, **options)
        ours.new(kind, **options)
        if hasattr(peer, "quant_min"):
            assert ours.ask("range") == f"{peer.quant_min} {peer.quant_max}"
        for batch in batches:
            peer(batch if dims is None else batch.permute(dims))
            ours.observe(batch, dims)
        state = ours.tensors("state")
        expected = peer.state_dict()
        assert list(state) == list(expected)
        for name in expected:
            same(state[name], expected[name], name)
        if refused(peer.calculate_qparams):
            assert refused(lambda: ours.ask("qparams"))
            return None
        scale, zero_point = peer.calculate_qparams()
        qparams = ours.tensors("qparams")
        same(qparams["scale"], scale, "scale")
        same(qparams["zero_point"], zero_point, "zero_point")
        return qparams


@st.composite
def float_batches(draw, rank=None, special=False):
    """One to four float32 tensors of one shape (but for dim 0): normal, one-sided, constant, sparse, of any magnitude."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.lists(st.integers(1, 7), min_size=rank or 0, max_size=rank or 4))
    magnitude = 10.0 ** draw(st.floats(-6, 6))
    batches = []
    for _ in range(draw(st.integers(1, 4))):
        form = draw(st.sampled_from(["normal", "relu", "positive", "negative", "constant", "zeros", "empty", "growing"]))
        x = generator.standard_normal(shape)
        if form == "relu":
            x = np.maximum(x, 0)
        elif form == "positive":
            x = np.abs(x) + 0.5
        elif form == "negative":
            x = -np.abs(x) - 0.5
        elif form == "constant":
            x = np.full(shape, x.flat[0])
        elif form == "zeros":
            x = np.zeros(shape)
        elif form == "growing":
            x = x * 3 + 1
        elif rank and form == "empty":
            x = x[:0]
        x = torch.from_numpy(np.asarray(x * magnitude, dtype=np.float32))
        if special and x.numel() and draw(st.booleans()):
            x.view(-1)[generator.integers(x.numel())] = draw(st.sampled_from([np.inf, -np.inf, np.nan]))
        batches.append(x)
    return batches


@st.composite
def ranges(draw):
    if not draw(st.booleans()):
        return {"reduce_range": draw(st.booleans())}
    bounds = st.sampled_from([-2**31, -32768, -128, -127, -8, -1, 0, 1, 7, 127, 128, 255, 65535, 2**31 - 1])
    return {"quant_min": draw(bounds), "quant_max": draw(bounds), "reduce_range": draw(st.booleans())}


@MANY
@given(st.sampled_from(DTYPES), st.sampled_from(PER_TENSOR + PER_CHANNEL[:1]), ranges(), st.sampled_from([2**-23, 2**-12, 0.5]),
       float_batches(special=True))
def test_min_max(ours, dtype, qscheme, bounds, eps, batches):
    compare(ours, "MinMaxObserver", {"dtype": dtype, "qscheme": qscheme, "eps": eps, **bounds}, batches)


@MANY
@given(st.sampled_from(DTYPES), st.sampled_from(PER_TENSOR), ranges(), st.sampled_from([0.01, 0.1, 0.5, 1, 1.5]), st.booleans(),
       float_batches(special=True))
def test_moving_average(ours, dtype, qscheme, bounds, constant, dynamic, batches):
    options = {"dtype": dtype, "qscheme": qscheme, "averaging_constant": constant, "is_dynamic": dynamic, **bounds}
    compare(ours, "MovingAverageMinMaxObserver", options, batches)


@MANY
@given(st.sampled_from(DTYPES), st.sampled_from(PER_CHANNEL + PER_TENSOR[:1]), ranges(), st.integers(-3, 2), st.booleans(),
       st.permutations([0, 1, 2]), float_batches(rank=3, special=True), st.sampled_from([None, 0.01, 0.3]))
def test_per_channel(ours, dtype, qscheme, bounds, axis, dynamic, dims, batches, constant):
    # Equal sizes in all batches: torch would broadcast or fail where the channels differ.
    batches = [batch for batch in batches if batch.numel()]
    options = {"dtype": dtype, "qscheme": qscheme, "ch_axis": axis, "is_dynamic": dynamic, **bounds}
    kind = "PerChannelMinMaxObserver"
    if constant is not None:
        options["averaging_constant"] = constant
        kind = "MovingAveragePerChannelMinMaxObserver"
    compare(ours, kind, options, batches, dims)


@MANY
@given(st.sampled_from(["qint8", "quint8", "int8", "uint8", "int16", "uint16", "float8_e5m2"]), st.sampled_from(PER_TENSOR), ranges(),
       st.sampled_from([2048, 2048, 256, 100, 7]), float_batches())
def test_histogram(ours, dtype, qscheme, bounds, bins, batches):
    compare(ours, "HistogramObserver", {"dtype": dtype, "qscheme": qscheme, "bins": bins, **bounds}, batches)


@MANY
@given(float_batches(special=True))
def test_histogram_of_infinities_and_nan(ours, batches):
    if any(batch.isnan().any() for batch in batches):
        peer = make_peer("HistogramObserver")
        ours.new("HistogramObserver")
        assert any(refused(lambda: peer(batch)) for batch in batches)
        assert any([refused(lambda: ours.observe(batch)) for batch in batches])
    else:
        compare(ours, "HistogramObserver", {}, batches)


def realistic_batches(generator):
    """Activations as a network makes them: thousands of values, several batches, sometimes with outliers."""
    kind = generator.integers(6)
    size = int(10 ** generator.uniform(1, 5))
    for _ in range(generator.integers(1, 6)):
        x = generator.standard_normal(size) * 10.0 ** generator.uniform(-1, 1)
        if kind == 1:
            x = np.maximum(x, 0)
        elif kind == 2:
            x = np.clip(x * 3, 0, 6)
        elif kind == 3:
            x = np.exp(x.clip(-8, 8))
        elif kind == 4:
            x = np.where(generator.random(size) < 0.95, 0, x)
        elif kind == 5:
            x = x / (1 + np.exp(-x.clip(-50, 50)))
        yield torch.from_numpy(x.astype(np.float32))


@pytest.mark.parametrize("dtype", ["int8", "quint8", "int16"])
def test_histogram_of_realistic_activations(ours, dtype):
    """Every buffer and every qparam, bit for bit."""
    for seed in range(int(os.environ.get("QDQ_TRIALS", "30"))):
        batches = list(realistic_batches(np.random.default_rng(seed)))
        compare(ours, "HistogramObserver", {"dtype": dtype}, batches)


def test_histogram_of_channels_last(ours):
    generator = np.random.default_rng(7)
    batches = [torch.from_numpy(generator.standard_normal((2, 5, 6, 8)).astype(np.float32)) for _ in range(3)]
    compare(ours, "HistogramObserver", {}, batches, dims=(0, 3, 1, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32])
@pytest.mark.parametrize("kind", ["MinMaxObserver", "MovingAverageMinMaxObserver"])
def test_other_value_dtypes(ours, kind, dtype):
    generator = np.random.default_rng(3)
    batches = [torch.from_numpy(generator.standard_normal(100) * 10).to(dtype) for _ in range(3)]
    compare(ours, kind, {}, batches)


def test_fixed_qparams(ours):
    for scale, zero_point in [(1 / 256, 0), (2 / 256, 128), (0.1, 3)]:
        compare(ours, "FixedQParamsObserver", {"scale": scale, "zero_point": zero_point}, [torch.ones(3)])
    options = {"scale": 0.1, "zero_point": 3, "dtype": "uint8", "quant_min": 0, "quant_max": 127}
    compare(ours, "FixedQParamsObserver", options, [torch.ones(3)])


def test_placeholder_has_no_qparams(ours):
    for dtype in ["float32", "float16", "int8"]:
        peer = make_peer("PlaceholderObserver", dtype=dtype)
        ours.new("PlaceholderObserver", dtype=dtype)
        with pytest.raises(Exception, match="PlaceholderObserver"):
            peer.calculate_qparams()
        with pytest.raises(ValueError, match="PlaceholderObserver"):
            ours.ask("qparams")


def test_named_defaults(ours):
    """Every observer that torchao gives a name, with a value and without."""
    named = [name for name in dir(observers) if name.startswith("default_") or name.endswith("range_neg_127_to_127")]
    assert len(named) >= 16
    for name in named:
        ours.new(name)
        peer = getattr(observers, name)()
        if hasattr(peer, "quant_min") and "placeholder" not in name:
            assert ours.ask("range") == f"{peer.quant_min} {peer.quant_max}", name
        x = torch.linspace(-3, 5, 60).reshape(4, 15)
        peer(x)
        ours.observe(x)
        if type(peer).__name__ in ("PlaceholderObserver", "RecordingObserver", "ReuseInputObserver"):
            assert refused(lambda: ours.ask("qparams")), name
            continue
        qparams = ours.tensors("qparams")
        scale, zero_point = peer.calculate_qparams()
        same(qparams["scale"], scale, name)
        same(qparams["zero_point"], zero_point, name)
