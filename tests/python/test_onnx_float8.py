"""float8 in ONNX files. QuantizeLinear does not round to whole numbers, as PT2E's quantize does, and what is too large for float8_e5m2 becomes
its largest number, in torch infinity: both are written and read as what they are."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import torch.ao.quantization.fx._decomposed  # noqa: E402, F401 - defines the operators

import onnx_runs  # noqa: E402
import qdq  # noqa: E402

DTYPES = [("f8e4m3fn", torch.float8_e4m3fn, 448), ("f8e5m2", torch.float8_e5m2, 57344)]
X = np.array([0, 0.3, 1.1, 500, 1e6, -0.26, -3e5, 41.7, 460, -np.inf], np.float32)


def on_reference(program):
    return qdq.Session(program, executor="reference").run([X])[0].numpy()


def results(text, path):
    """What our reference computes, ONNX Runtime, and our reference with what is read back."""
    program = qdq.parse_program(text)
    qdq.save(program, path)
    onnx.checker.check_model(str(path), full_check=True)
    return on_reference(program), onnx_runs.run(path, [X])[0], on_reference(qdq.load(path))


@pytest.mark.parametrize(("short", "dtype", "largest"), DTYPES, ids=[d[0] for d in DTYPES])
def test_quantizing_is_written_as_torch_computes_it(short, dtype, largest, tmp_path):
    arguments = f"0.5, 0, -{largest}, {largest}, {short}"
    text = f"""graph(x: f32[10]) {{
  %q: {short}[10] = quantized_decomposed.quantize_per_tensor.default(%x, {arguments})
  %y: f32[10] = quantized_decomposed.dequantize_per_tensor.default(%q, {arguments})
  return (%y)
}}
"""
    ops = torch.ops.quantized_decomposed
    quantized = ops.quantize_per_tensor(torch.from_numpy(X), 0.5, 0, -largest, largest, dtype)
    expected = ops.dequantize_per_tensor(quantized, 0.5, 0, -largest, largest, dtype).numpy()
    for found in results(text, tmp_path / "model.onnx"):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("short", "dtype", "largest"), DTYPES, ids=[d[0] for d in DTYPES])
def test_converting_is_written_as_torch_computes_it(short, dtype, largest, tmp_path):
    text = f"""graph(x: f32[10]) {{
  %q: {short}[10] = aten.to.dtype(%x, {short})
  %y: f32[10] = aten.to.dtype(%q, f32)
  return (%y)
}}
"""
    for found in results(text, tmp_path / "model.onnx"):
        np.testing.assert_array_equal(found, torch.from_numpy(X).to(dtype).float().numpy())


@pytest.mark.parametrize(("short", "dtype", "largest"), DTYPES, ids=[d[0] for d in DTYPES])
def test_onnx_quantizes_to_float8_without_rounding(short, dtype, largest, tmp_path):
    dtype = getattr(onnx.TensorProto, {"f8e4m3fn": "FLOAT8E4M3FN", "f8e5m2": "FLOAT8E5M2"}[short])
    make = onnx.helper
    scale = make.make_tensor("scale", onnx.TensorProto.FLOAT, [], [0.5])
    zero = make.make_tensor("zero", dtype, [], [0])
    nodes = [make.make_node(op, [value, "scale", "zero"], [result]) for op, value, result in
             [("QuantizeLinear", "x", "q"), ("DequantizeLinear", "q", "y")]]  # fmt: skip
    ports = [make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [10]) for name in ("x", "y")]
    graph = make.make_graph(nodes, "float8", ports[:1], ports[1:], [scale, zero])
    path = tmp_path / "model.onnx"
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 21)], ir_version=10), path)
    found = on_reference(qdq.load(path))
    np.testing.assert_array_equal(found, onnx_runs.run(path, [X])[0])
    assert 0 < found[1] < 0.5 and found.max() == largest / 2
