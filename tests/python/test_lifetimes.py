"""A Python handle keeps alive what it looks at, or says that it is gone. None of these may crash."""

import gc
import threading
import traceback

import numpy as np
import pytest

import qdq
from conftest import network


@pytest.fixture
def program():
    return qdq.load(network())


@pytest.fixture(scope="module")
def batch():
    return np.random.default_rng(0).random((2, 1, 28, 28), dtype=np.float32)


def spec(observer="MinMaxObserver"):
    return qdq.QuantizationSpec(
        qdq.DType.int8, qdq.ObserverFactory(observer), -128, 127, qdq.QScheme.per_tensor_affine
    )


def linears(program):
    return [node for node in program.graph.nodes if node.target == "aten.linear.default"]


class Keeps(qdq.Quantizer):
    """Keeps everything that it is handed; raises in the method that `raises` names."""

    def __init__(self, raises=""):
        super().__init__()
        self.raises = raises
        self.programs = {}
        self.observers = []

    def _called(self, method, program):
        self.programs[method] = program
        if self.raises == method:
            raise RuntimeError(f"from {method}")

    def transform_for_annotation(self, program):
        self._called("transform_for_annotation", program)

    def annotate(self, program):
        for node in linears(program):
            qdq.annotation_of(node).set_input_qspec(node.args[0], spec())
        self._called("annotate", program)

    def validate(self, program):
        self._called("validate", program)

    def prepare_obs_or_fq_callback(self, program, observers):
        self.observers = observers
        self._called("prepare_obs_or_fq_callback", program)


METHODS = ["transform_for_annotation", "annotate", "validate", "prepare_obs_or_fq_callback"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wrap", [lambda q: q, lambda q: qdq.ComposableQuantizer([q])], ids=["alone", "composed"])
def test_the_locals_of_a_quantizer_that_raised_can_be_shown(program, method, wrap):
    with pytest.raises(RuntimeError, match=f"from {method}") as raised:
        qdq.prepare(program, wrap(Keeps(raises=method)))
    gc.collect()
    shown = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
    assert "program = <qdq.Program of " in shown


def test_a_program_that_a_quantizer_keeps_is_still_there(program, batch):
    quantizer = Keeps()
    prepared = qdq.prepare(program, quantizer)
    kept = [quantizer.programs[method] for method in METHODS]
    qdq.calibrate(prepared, [batch])
    converted = qdq.convert(prepared)
    del prepared, converted
    gc.collect()
    for one in kept:
        assert linears(one)
        assert one.tensor(linears(one)[0].args[1].target).dtype is qdq.DType.float32
        assert str(one)
    assert all(place is not None and observer.kind == "MinMaxObserver" for place, observer in quantizer.observers)


def test_a_program_that_was_taken_over_is_empty(program):
    qdq.PreparedProgram(program, {})
    assert len(program.graph) == 0
    assert str(program) == str(qdq.Program())
    other = qdq.load(network())
    program._replace_with(other)
    assert len(program.graph) > 0
    assert len(other.graph) == 0
    qdq._core._prepare_taking(program, Keeps())
    assert program.graph.nodes == []


def test_nodes_outlive_the_program_that_convert_consumed(program, batch):
    prepared = qdq.prepare(program, Keeps())
    nodes = prepared.graph.nodes
    qdq.calibrate(prepared, [batch])
    del prepared, program
    gc.collect()
    assert [node.graph.find(node.name) for node in nodes] == nodes
    observer = next(node for node in nodes if node.op == "call_module")
    assert observer.args[0] in observer.all_input_nodes


def test_an_annotation_keeps_the_nodes_that_it_names():
    program = qdq.load(network())
    node = linears(program)[0]
    qdq.annotation_of(node).set_input_qspec(node.args[0], qdq.SharedQuantizationSpec((node.args[0], node)))
    node.annotation.output_qspec = qdq.DerivedQuantizationSpec(
        [node.args[0]], lambda observers: observers[0].calculate_qparams(), qdq.DType.int32
    )
    annotation, name = node.annotation, node.args[0].name
    del program, node
    gc.collect()
    ((producer, shared),) = annotation.input_qspec_map
    derived = annotation.output_qspec
    del annotation
    gc.collect()
    assert producer.name == name
    assert shared.edge_or_node[0].name == name
    assert derived.derived_from[0].name == name


def test_a_spec_keeps_the_node_that_it_names():
    shared = qdq.SharedQuantizationSpec(qdq.load(network()).graph.nodes[0])
    derived = qdq.DerivedQuantizationSpec([qdq.load(network()).graph.nodes[0]], max, qdq.DType.int32)
    gc.collect()
    assert shared.edge_or_node.op == derived.derived_from[0].op


def test_an_annotation_cannot_name_the_nodes_of_another_graph(program):
    node = linears(program)[0]
    foreign = linears(qdq.load(network()))[0]
    for wrong in (foreign, (foreign, foreign)):
        with pytest.raises(qdq.InvalidArgumentError, match="another graph"):
            qdq.annotation_of(node).output_qspec = qdq.SharedQuantizationSpec(wrong)
    with pytest.raises(qdq.InvalidArgumentError, match="another graph"):
        qdq.annotation_of(node).set_input_qspec(foreign, spec())
    annotation = qdq.QuantizationAnnotation()
    annotation.input_qspec_map = [(foreign, spec())]
    with pytest.raises(qdq.InvalidArgumentError, match="another graph"):
        node.annotation = annotation
    del foreign, annotation
    gc.collect()
    assert qdq.annotation_of(node).input_qspec_map == []


def test_an_annotated_program_can_be_prepared_and_dropped(batch):
    class Nothing(qdq.Quantizer):
        def annotate(self, program):
            pass

    program = qdq.load(network())
    for node in linears(program):
        qdq.annotation_of(node).set_input_qspec(node.args[0], spec())
        qdq.annotation_of(node).output_qspec = qdq.SharedQuantizationSpec((node.args[0], node))
    copy = program.clone()
    del program, node
    gc.collect()
    prepared = qdq.prepare(copy, Nothing())
    del copy
    gc.collect()
    qdq.calibrate(prepared, [batch])
    assert prepared.observers
    assert "quantize_per_tensor" in str(qdq.convert(prepared))


def test_arguments_keep_their_graph():
    program = qdq.load(network())
    args = linears(program)[0].args
    meta = args[0].meta
    del program
    gc.collect()
    assert args[0].graph.find(args[0].name) is args[0]
    assert meta.items() == args[0].meta.items()


def test_a_list_of_nodes_survives_erasing_them(program):
    graph = program.graph
    nodes = graph.nodes
    for node in reversed(nodes):
        graph.erase_node(node)
    assert len(graph) == 0
    for node in nodes:
        assert node.erased
        assert (node.users, repr(node)) == ([], node.name)
        assert str(node)
        node.next, node.prev, node.args, node.all_input_nodes  # noqa: B018  they may say anything and must not crash
    for again in nodes:
        with pytest.raises(qdq.Error, match="erased"):
            graph.erase_node(again)
    with pytest.raises(qdq.Error, match="erased"):
        graph.create_node("call_function", "aten.relu.default", [], before=nodes[0])


def test_nodes_of_another_graph_are_refused(program):
    graph, node = program.graph, linears(program)[0]
    foreign = linears(qdq.load(network()))[0]
    before = node.args
    with pytest.raises(qdq.Error, match="another graph"):
        node.args = [foreign]
    with pytest.raises(qdq.Error, match="another graph"):
        node.kwargs = {"bias": foreign}
    with pytest.raises(qdq.Error, match="another graph"):
        node.replace_input_with(node.args[0], foreign)
    with pytest.raises(qdq.Error, match="another graph"):
        node.replace_all_uses_with(foreign)
    with pytest.raises(qdq.Error, match="another graph"):
        graph.erase_node(foreign)
    with pytest.raises(qdq.Error, match="another graph"):
        graph.create_node("call_function", "aten.relu.default", [node], before=foreign)
    with pytest.raises(qdq.Error, match="another graph"):
        graph.call_function("aten.relu.default", [foreign])
    with pytest.raises(qdq.Error, match="no node"):
        qdq.InputSpec(qdq.InputKind.constant_input, "x", foreign)
    del foreign
    gc.collect()
    assert node.args == before
    assert qdq.parse_program(program.text(attributes=True)).graph is not None


def test_a_session_runs_the_program_as_it_was(program, batch):
    session, executor = qdq.Session(program), qdq.Executor(program)
    expected = qdq.Session(qdq.load(network())).run([batch])[0].numpy().copy()
    for node in reversed(program.graph.nodes):
        program.graph.erase_node(node)
    del program
    gc.collect()
    for runs in (session, executor):
        np.testing.assert_array_equal(runs.run([batch])[0].numpy(), expected)


def test_threads_share_a_session(program):
    batches = [np.random.default_rng(i).random((1 + i % 3, 1, 28, 28), dtype=np.float32) for i in range(12)]
    session = qdq.Session(qdq.quantize(program, "x86", batches[:2]), threads=1)
    expected = [session.run([batches[i]])[0].numpy().copy() for i in (0, 3, 6, 9)]
    wrong = []

    def work():
        for _ in range(20):
            for i, want in zip((0, 3, 6, 9), expected):
                if not np.array_equal(session.run([batches[i]])[0].numpy(), want):
                    wrong.append(i)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_threads_take_turns_on_an_executor(program, batch):
    executor = qdq.Executor(program, threads=1)
    executor.keep_values(["linear"])
    want = executor.run([batch])[0].numpy().copy()
    wrong = []

    def work():
        for _ in range(20):
            if not np.array_equal(executor.run([batch])[0].numpy(), want) or executor.kept_value("linear") is None:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("kind", ["RecordingObserver", "HistogramObserver", "PerChannelMinMaxObserver"])
def test_threads_take_turns_in_an_observer(kind):
    def values(seed):
        x = np.random.default_rng(seed).standard_normal((8, 4096), dtype=np.float32)
        x[:, 0], x[:, 1] = -8, 8  # the same ends in all: no order changes what is counted where
        return x

    def observe(observer, seeds):
        for seed in seeds:
            observer.observe(values(seed))
            observer.has_observed()
            observer.state()

    together, alone = (qdq.ObserverFactory(kind)() for _ in range(2))
    threads = [threading.Thread(target=observe, args=(together, range(i, 120, 6))) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    observe(alone, range(120))
    states = [[value.numpy() for _, value in observer.state()] for observer in (together, alone)]
    if kind == "RecordingObserver":  # in any order
        states = [sorted(state, key=lambda value: value[0, 2]) for state in states]
        assert len(states[0]) == 120
    for mine, expected in zip(*states, strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_a_program_cannot_be_converted_while_it_calibrates(program, batch):
    prepared = qdq.prepare(program, Keeps())
    refused = []

    def batches():
        yield batch
        try:
            qdq.convert(prepared)
        except qdq.InvalidArgumentError as error:
            refused.append(str(error))
        yield batch

    qdq.calibrate(prepared, batches())
    assert len(refused) == 1
    assert "is calibrating" in refused[0]
    assert qdq.convert(prepared)


def test_what_an_observer_keeps_can_still_be_read(program):
    class Hoards(qdq.Observer):
        """Against the advice: the memory of a value is used again."""

        def __init__(self):
            super().__init__(qdq.DType.int8, qdq.QScheme.per_tensor_affine, -128, 127)
            self.kept = []

        def observe(self, value):
            self.kept.append(value)

        def calculate_qparams(self):
            return np.ones(1, np.float32), np.zeros(1, np.int64)

    hoards = []

    def build(options):
        hoards.append(Hoards())
        return hoards[-1]

    class Mine(qdq.Quantizer):
        def annotate(self, program):
            mine = qdq.QuantizationSpec(qdq.DType.int8, qdq.ObserverFactory("Hoards", build), -128, 127)
            for node in linears(program):
                qdq.annotation_of(node).set_input_qspec(node.args[0], mine)

    prepared = qdq.prepare(program, Mine())
    data = [np.random.default_rng(i).random((2, 1, 28, 28), dtype=np.float32) for i in range(3)]
    qdq.calibrate(prepared, data)
    del prepared
    gc.collect()
    assert any(hoard.kept for hoard in hoards)
    for hoard in hoards:
        assert all(np.isfinite(value.numpy()).all() for value in hoard.kept)
