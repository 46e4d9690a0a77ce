"""ONNX's own node tests for the operators that we read: the reference computes what they expect, or the test is listed in
onnx_node_tests.txt below the reason why not."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ml_dtypes = pytest.importorskip("ml_dtypes")

import qdq  # noqa: E402
from tools import tool  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def node_tests():
    """Those whose nodes all have a row in the reader's tables and whose version we read."""
    from onnx.backend.test.case.node import collect_testcases

    listed = subprocess.run([tool("run_program"), "--onnx"], capture_output=True, text=True, check=True).stdout
    read = {line.split("\t")[1] for line in listed.splitlines() if line.startswith("read\t")}
    for case in collect_testcases(None):
        version = max((opset.version for opset in case.model.opset_import if opset.domain == ""), default=0)
        if {node.op_type for node in case.model.graph.node} <= read and 11 <= version <= 28:
            yield case


def listed_refusals():
    """Name -> the text that its error contains. Lines "# text" stand before the names that they are for."""
    found, text = {}, ""
    for line in (Path(__file__).parent / "onnx_node_tests.txt").read_text().splitlines():
        if line.startswith("# "):
            text = line[2:]
        elif line:
            found[line] = text
    return found


CASES = list(node_tests())
REFUSALS = listed_refusals()


def as_array(value):
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def is_strange(value):
    """Of a dtype that numpy has not of its own: bfloat16, float8, int4 ..."""
    return value.dtype.kind == "V" or value.dtype.name.startswith(("bfloat", "float8", "float4", "int4", "uint4", "int2", "uint2"))


def prepared(model, inputs, expected, is_constant):
    """The model with some inputs as constants and with results of strange dtypes as float32."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for i, (port, value) in enumerate(zip(model.graph.input, inputs, strict=True)):
        if is_constant(i, value):
            changed.graph.initializer.append(onnx.numpy_helper.from_array(value, port.name))
            changed.graph.input.remove(port)
    for number, (port, value) in enumerate(zip(model.graph.output, expected, strict=True)):
        if is_strange(value):
            name = f"{port.name}_float32"
            changed.graph.node.append(onnx.helper.make_node("Cast", [port.name], [name], to=onnx.TensorProto.FLOAT))
            changed.graph.output[number].CopyFrom(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return changed


def refusal(case, folder):
    """Runs the case. Returns the error of a model that is not read or run; fails where the numbers differ."""
    error = attempt(case, folder, lambda i, value: is_strange(value))
    if "constant" not in error and "computed" not in error:
        return error
    # In real models axes, sizes, weights and scales are constants.
    return attempt(case, folder, lambda i, value: i > 0 or is_strange(value))


def attempt(case, folder, is_constant):
    path = folder / "model.onnx"
    for inputs, expected in case.data_sets:
        if not all(isinstance(value, (np.ndarray, np.generic, onnx.TensorProto)) for value in (*inputs, *expected)):
            return "sequences and optional values"
        inputs, expected = ([as_array(value) for value in values] for values in (inputs, expected))
        onnx.save(prepared(case.model, inputs, expected, is_constant), path)
        given = [value for i, value in enumerate(inputs) if not is_constant(i, value)]
        try:
            session = qdq.Executor(qdq.load(path), executor="reference")
            found = [tensor.numpy() for tensor in session.run(given)]
        except qdq.Error as error:
            return str(error)
        for got, want in zip(found, expected, strict=True):
            places = 2 * ml_dtypes.finfo(want.dtype).eps if want.dtype.name in ("float16", "bfloat16") else 0  # each op rounds
            if is_strange(want):
                want = want.astype(np.float32)
            assert got.dtype == want.dtype and got.shape == want.shape
            if want.dtype == np.uint8 and case.name.startswith("test_dynamicquantizelinear"):
                assert np.abs(got.astype(int) - want).max() <= 1  # torch multiplies by the reciprocal of the scale
                continue
            np.testing.assert_allclose(got, want, rtol=max(case.rtol, places), atol=max(case.atol, 1e-6))
    return ""


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_node(case, tmp_path):
    error = refusal(case, tmp_path)
    if case.name in REFUSALS:
        assert REFUSALS[case.name] in error
    else:
        assert error == ""


def test_the_list_names_tests_that_exist():
    assert set(REFUSALS) <= {case.name for case in CASES}
