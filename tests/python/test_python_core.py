"""`import qdq`: the core in Python, without torch."""

import gc
import subprocess
import sys

import numpy as np
import pytest

import qdq
from conftest import network
from tools import build_dir


@pytest.fixture(scope="module")
def program():
    return qdq.load(network())


@pytest.fixture(scope="module")
def batches():
    return [np.random.default_rng(i).random((2, 1, 28, 28), dtype=np.float32) for i in range(3)]


def test_importing_it_imports_no_torch():
    code = "import sys, qdq; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(build_dir() / "python")}, capture_output=True, text=True
    )
    assert done.stdout.strip() == "False", done.stderr


def test_a_graph_can_be_walked(program):
    conv = next(node for node in program.graph.nodes if node.target == "aten.conv2d.default")
    weight = conv.args[1]
    assert weight.op == "get_attr"
    assert conv in weight.users
    assert conv.all_input_nodes[:2] == list(conv.args[:2])
    assert conv.value_type.dtype is qdq.DType.float32
    assert "stack_trace" in conv.meta
    assert conv.name in str(conv)
    assert program.graph.find(conv.name) is conv
    assert program.graph.find("nothing") is None


def test_a_node_outlives_its_program():
    node = qdq.load(network()).graph.nodes[0]
    assert node.graph.nodes[0] is node


def test_a_graphs_state_tells_what_changed_since():
    graph = qdq.Graph()
    x = graph.placeholder("x")
    relu = graph.call_function("aten.relu.default", [x])
    neg = graph.call_function("aten.neg.default", [relu])
    relu.meta["stack_trace"] = "before"
    graph.output([neg])
    state = qdq._core._GraphState(graph)
    assert state.changes() == ([], [], [])
    neg.args = [x]
    relu.meta["stack_trace"] = "after"
    graph.call_function("aten.abs.default", [relu])
    calls, metadata, places = state.changes()
    assert (calls, metadata) == ([neg], [relu])
    assert places == [x, relu]  # read by others than before; abs is new
    assert state.metadata(relu) == [("stack_trace", "before")]


def test_the_text_reads_back(program):
    again = qdq.parse_program(program.text(attributes=True, metadata=True, passthrough=True, data="all"))
    assert str(again) == str(program)


def test_arrays_share_their_memory():
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    tensor = qdq.Tensor(array)
    assert (tensor.shape, tensor.dtype) == ((3, 4), qdq.DType.float32)
    assert tensor.data_ptr == array.ctypes.data
    for view in (tensor.numpy(), np.asarray(tensor), np.from_dlpack(tensor)):
        assert view.ctypes.data == array.ctypes.data
    assert qdq.Tensor(array.T).strides == (1, 4)
    del array
    assert tensor.numpy()[2, 3] == 11


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int64", "float16", "float32", "float64", "complex64"])
def test_every_dtype_of_numpy_crosses(dtype):
    array = np.ones((2, 3), dtype)
    np.testing.assert_array_equal(qdq.Tensor(array).numpy(), array)


def test_what_is_no_array_is_a_type_error():
    with pytest.raises(TypeError, match="an array expected"):
        qdq.Tensor("no array")


def test_a_program_is_quantized_and_run(program, batches):
    quantized = qdq.quantize(program, "xnnpack", batches)
    summary = qdq.summarize_quantization(quantized)
    assert summary.quantized > 30 and summary.in_float == 0
    (expected,) = qdq.run(program, [batches[0]])
    (found,) = qdq.run(quantized, [batches[0]])
    assert np.abs(found.numpy() - expected.numpy()).max() < 0.2 * np.abs(expected.numpy()).max()


def test_the_executors_agree(program, batches):
    fast, reference = (qdq.Session(program, executor).run([batches[0]])[0] for executor in ("fast", "reference"))
    np.testing.assert_allclose(fast.numpy(), reference.numpy(), rtol=1e-4, atol=1e-5)


def test_simulated_quantization_is_what_the_reference_computes(program, batches):
    quantized = qdq.quantize(program, "xnnpack", batches)
    run = {executor: qdq.Session(quantized, executor).run([batches[0]])[0].numpy() for executor in ("simulated", "reference")}
    # Where a float sum lies between two steps, either may be taken.
    step = np.diff(np.unique(run["reference"])).min()
    assert np.abs(run["simulated"] - run["reference"]).max() <= 2 * step + 1e-6
    assert (run["simulated"] == run["reference"]).mean() >= 0.8


def test_an_executor_that_is_not_there_is_refused(program):
    expected = "'fast', 'simulated' or 'reference' expected, found 'gpu'"
    with pytest.raises(qdq.InvalidArgumentError, match=expected):
        qdq.Session(program, "gpu")
    prepared = qdq.prepare(program, qdq.XnnpackQuantizer())
    with pytest.raises(qdq.InvalidArgumentError, match=expected):
        prepared.set_executor("gpu")
    prepared.set_executor("simulated")


def test_workers_and_progress_change_nothing(program, batches):
    alone, together = (qdq.prepare(program, qdq.XnnpackQuantizer()) for _ in range(2))
    done = []
    assert qdq.calibrate(alone, batches) == 3
    assert qdq.calibrate(together, batches, workers=2, progress=done.append) == 3
    assert done == [1, 2, 3]
    assert str(qdq.convert(alone)) == str(qdq.convert(together))


class OnlyLinear(qdq.Quantizer):
    """A quantizer in Python on the core's graph."""

    def name(self):
        return "only_linear"

    def annotate(self, program):
        spec = qdq.QuantizationSpec(qdq.DType.int8, qdq.ObserverFactory("MinMaxObserver"))
        for node in program.graph.nodes:
            if node.target == "aten.linear.default":
                annotation = qdq.annotation_of(node)
                annotation.set_input_qspec(node.args[0], spec)
                annotation.rule = "input"


def test_a_quantizer_may_be_python(program, batches):
    prepared = qdq.prepare(program, OnlyLinear())
    (observer,) = prepared.observers.values()
    assert observer.kind == "MinMaxObserver"
    assert not observer.has_observed()
    qdq.calibrate(prepared, batches)
    scale, zero_point = observer.calculate_qparams()
    converted = qdq.convert(prepared)
    (quantize,) = (node for node in converted.graph.nodes if ".quantize_per_tensor." in node.target)
    assert quantize.args[1:3] == (scale.item(), int(zero_point.item()))
    (linear,) = (node for node in converted.graph.nodes if node.target == "aten.linear.default")
    assert linear.meta["quantization_rule"] == "only_linear.input"


class Largest(qdq.Observer):
    """An observer in Python."""

    def __init__(self):
        super().__init__(qdq.DType.int8, quant_min=-128, quant_max=127, kind="Largest")
        self.largest = 0.0

    def observe(self, value):
        self.largest = max(self.largest, float(np.abs(value.numpy()).max()))

    def calculate_qparams(self):
        return np.array([self.largest / 127], np.float32), np.array([0])


def test_an_observer_may_be_python(program, batches):
    class Quantizer(OnlyLinear):
        def annotate(self, program):
            factory = qdq.ObserverFactory("Largest", lambda options: Largest())
            for node in program.graph.nodes:
                if node.target == "aten.linear.default":
                    qdq.annotation_of(node).output_qspec = qdq.QuantizationSpec(qdq.DType.int8, factory)

    prepared = qdq.prepare(program, Quantizer())
    (observer,) = prepared.observers.values()
    expected = max(np.abs(prepared.run(batch)[0].numpy()).max() for batch in batches)
    assert observer.largest == expected


def test_a_factory_that_builds_no_observer_is_told_so():
    with pytest.raises(TypeError, match=r"returns a qdq.Observer, found int"):
        qdq.ObserverFactory("Number", lambda options: 5)()


def test_an_exception_of_a_quantizer_comes_through(program):
    class Fails(qdq.Quantizer):
        def annotate(self, program):
            raise LookupError("no such backend")

    with pytest.raises(LookupError, match="no such backend"):
        qdq.prepare(program, Fails())


def test_errors_have_a_class_for_each_code(program, tmp_path):
    with pytest.raises(qdq.IoError) as missing:
        qdq.load(tmp_path / "missing.pt2")
    assert isinstance(missing.value, OSError)
    (tmp_path / "bad.pt2").write_bytes(b"PK no archive")
    with pytest.raises(qdq.FormatError) as bad:
        qdq.load(tmp_path / "bad.pt2")
    assert isinstance(bad.value, (qdq.Error, ValueError))
    with pytest.raises(qdq.InvalidArgumentError, match="expected a file name that ends in one of"):
        qdq.save(program, tmp_path / "model.unknown")
    with pytest.raises(ValueError, match="expected"):
        qdq.run(program, [np.zeros((1, 1), np.float32)])


def test_a_converted_preparation_says_so(program, batches):
    prepared = qdq.prepare(program, qdq.XnnpackQuantizer())
    qdq.calibrate(prepared, batches)
    qdq.convert(prepared)
    with pytest.raises(qdq.InvalidArgumentError, match="prepare the program again"):
        qdq.convert(prepared)


def test_ctrl_c_stops_calibration(program, batches):
    def endless():
        import signal

        for count in range(1_000):
            if count == 2:
                signal.raise_signal(signal.SIGINT)
            yield batches[0]

    with pytest.raises(KeyboardInterrupt):
        qdq.calibrate(qdq.prepare(program, qdq.XnnpackQuantizer()), endless())


def test_it_saves_what_it_loads(program, tmp_path):
    qdq.save(program, tmp_path / "again.pt2")
    assert str(qdq.load(tmp_path / "again.pt2")) == str(program)


@pytest.mark.parametrize("executor", ["fast", "reference"])
def test_a_session_keeps_its_program(batches, executor):
    session = qdq.Session(qdq.load(network()), executor=executor)
    gc.collect()
    expected = qdq.run(qdq.load(network()), [batches[0]], executor=executor)[0].numpy()
    np.testing.assert_array_equal(session.run([batches[0]])[0].numpy(), expected)


def test_a_session_refuses_nan_by_the_inputs_name(batches):
    images = np.array(batches[0])
    images[0, 0, 0, 0] = np.nan
    for executor in ("fast", "reference"):
        with pytest.raises(qdq.InvalidArgumentError, match="it has a NaN"):
            qdq.Session(qdq.load(network()), executor).run([images])


@pytest.mark.parametrize("executor", ["fast", "reference"])
def test_inputs_that_are_no_arrays_are_errors(batches, executor):
    session = qdq.Session(qdq.load(network()), executor=executor)
    for no_array in (None, "x", [1.0], object()):
        with pytest.raises(TypeError):
            session.run([no_array])
    with pytest.raises(qdq.InvalidArgumentError, match="negative strides"):
        session.run([np.array(batches[0])[..., ::-1]])


def test_arguments_that_no_node_takes_are_errors(program):
    node = next(node for node in program.graph.nodes if node.op == "call_function")
    before = node.args
    for wrong, error in ((object(), TypeError), ([object()], TypeError), (2**70, qdq.InvalidArgumentError)):
        with pytest.raises(error):
            node.args = [wrong]
        with pytest.raises(error):
            program.graph.call_function("aten.relu.default", [wrong])
    assert node.args == before
