"""Every model recipe of ../shared/models as ONNX, in float and in int8: the checker accepts the files, ONNX Runtime computes what our
reference does, each op within one step on the same integers, and what is read back is the same program."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx_runs  # noqa: E402
import qdq  # noqa: E402
from onnx_runs import check_close  # noqa: E402
from test_recipes import RECIPES  # noqa: E402
from tools import load_recipe  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
IDS = ["-".join((r.name, *r.arguments)) for r in RECIPES]


def exported(entry, folder):
    """The recipe as a program with dynamic sizes, and two samples."""
    model, _ = load_recipe(entry.name, *entry.arguments)
    samples = entry.samples(entry.name)
    auto = torch.export.Dim.AUTO
    shapes = tuple({0: auto, 1: auto} if t.dtype == torch.int64 else {0: auto} for t in samples)
    torch.export.save(torch.export.export(model, samples, dynamic_shapes=shapes), folder / "float.pt2")
    return qdq.load(folder / "float.pt2"), [t.numpy() for t in samples]


def quantized(program, samples):
    quantizer = qdq.XnnpackQuantizer()
    quantizer.set_global(qdq.symmetric_config(per_channel=True))
    prepared = qdq.prepare(program, quantizer)
    prepared.run(tuple(samples))
    return qdq.convert(prepared)


def saved(program, path, **options):
    qdq.save(program, path, **options)
    onnx.checker.check_model(str(path), full_check=True)
    return onnx.load(path)


def on_reference(program, samples, kept=()):
    session = qdq.Executor(program, executor="reference")
    session.keep_values(list(kept))
    outputs = [tensor.numpy() for tensor in session.run(samples)]
    return (outputs, [session.kept_value(name).numpy() for name in kept]) if kept else outputs


def quantization(program):
    """Quantizes and dequantizes with their parameters, in order."""

    def told(argument):
        if isinstance(argument, qdq.Node) and argument.op == "get_attr":
            return program.tensor(argument.target).numpy().tolist()
        return None if isinstance(argument, qdq.Node) else argument

    return [
        (node.target, [told(argument) for argument in node.args[1:]])
        for node in program.graph.nodes
        if ".quantize_" in str(node.target) or ".dequantize_" in str(node.target)
    ]


@pytest.mark.parametrize("entry", RECIPES, ids=IDS)
def test_float_recipe(entry, tmp_path):
    program, samples = exported(entry, tmp_path)
    expected = on_reference(program, samples)
    for opset in (13, 17, 21, 23):
        model = saved(program, tmp_path / "float.onnx", opset=opset)
        assert model.opset_import[0].version == opset
        check_close(onnx_runs.run(tmp_path / "float.onnx", samples), expected)
        again = on_reference(qdq.load(tmp_path / "float.onnx"), samples)
        check_close(again, expected)


@pytest.mark.parametrize("entry", RECIPES, ids=IDS)
def test_int8_recipe(entry, tmp_path):
    program, samples = exported(entry, tmp_path)
    program = quantized(program, samples)
    model = saved(program, tmp_path / "int8.onnx", keep_int8=True)
    floats = {t.name for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT and len(t.dims) > 1}
    assert not [n for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] in floats], "a float weight"

    cut, names = onnx_runs.with_given_integers(model)
    expected, integers = on_reference(program, samples, names)
    found = onnx_runs.run(cut, [*samples, *integers])
    check_close(found[: len(expected)], expected)
    for name, ours, theirs in zip(names, integers, found[len(expected) :], strict=True):
        difference = np.abs(ours.astype(np.int32) - theirs.astype(np.int32))
        assert difference.max(initial=0) <= 1, name

    # Unsigned activations are the same numbers.
    saved(program, tmp_path / "uint8.onnx")
    for got, want in zip(onnx_runs.run(tmp_path / "uint8.onnx", samples), onnx_runs.run(model, samples), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("entry", RECIPES, ids=IDS)
def test_round_trip_keeps_the_quantized_program(entry, tmp_path):
    program, samples = exported(entry, tmp_path)
    program = quantized(program, samples)
    qdq.save(program, tmp_path / "int8.onnx")
    again = qdq.load(tmp_path / "int8.onnx")
    assert quantization(again) == quantization(program)
    qdq.save(again, tmp_path / "again.pt2")
    for got, want in zip(on_reference(qdq.load(tmp_path / "again.pt2"), samples), on_reference(program, samples), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * max(1.0, np.abs(want).max()))


def dynamic():
    quantizer = qdq.XnnpackQuantizer()
    quantizer.set_global(qdq.symmetric_config(per_channel=True, is_dynamic=True))
    return quantizer


TRANSFORMERS = [r for r in RECIPES if r.name == "minilm_plain" or (r.name, r.arguments) == ("digits_nets", ("vit",))]


@pytest.mark.parametrize("quantizer", [dynamic, qdq.WeightOnlyQuantizer], ids=["dynamic", "weight_only"])
@pytest.mark.parametrize("entry", TRANSFORMERS, ids=[r.name for r in TRANSFORMERS])
def test_quantization_that_needs_no_data(entry, quantizer, tmp_path):
    program, samples = exported(entry, tmp_path)
    program = qdq.convert(qdq.prepare(program, quantizer()))
    model = saved(program, tmp_path / "int8.onnx")
    assert any(node.op_type == "DequantizeLinear" for node in model.graph.node)
    expected = on_reference(program, samples)
    check_close(onnx_runs.run(model, samples), expected)
    again = qdq.load(tmp_path / "int8.onnx")
    check_close(on_reference(again, samples), expected)
