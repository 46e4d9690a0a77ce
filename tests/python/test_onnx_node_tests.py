"""ONNX's own node tests for the operators that we read: the reference computes what they expect, or the test is listed in
onnx_node_tests.txt below the reason why not."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

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


def with_constants(model, inputs):
    """All inputs but the first become constants: in real models axes, sizes, weights and scales are."""
    frozen = onnx.ModelProto()
    frozen.CopyFrom(model)
    for port, value in list(zip(model.graph.input, inputs, strict=True))[1:]:
        frozen.graph.initializer.append(onnx.numpy_helper.from_array(value, port.name))
        frozen.graph.input.remove(port)
    return frozen


def refusal(case, folder):
    """Runs the case. Returns the error of a model that is not read or run; fails where the numbers differ."""
    error = attempt(case, folder, case.model, len(case.model.graph.input))
    if "constant" not in error and "computed" not in error:
        return error
    inputs = [as_array(value) for value in case.data_sets[0][0]]
    return attempt(case, folder, with_constants(case.model, inputs), 1)


def attempt(case, folder, model, num_inputs):
    path = folder / "model.onnx"
    onnx.save(model, path)
    for inputs, expected in case.data_sets:
        if not all(isinstance(value, (np.ndarray, np.generic, onnx.TensorProto)) for value in (*inputs, *expected)):
            return "sequences and optional values"
        inputs, expected = ([as_array(value) for value in values] for values in (inputs, expected))
        if any(value.dtype.kind == "V" or value.dtype.name.startswith(("float8", "bfloat16", "int4", "uint4")) for value in (*inputs, *expected)):
            return "numpy has no such dtype"
        try:
            program = qdq.load(path)
            session = qdq.Executor(program, executor="reference")
            found = [tensor.numpy() for tensor in session.run(inputs[:num_inputs])]
        except qdq.Error as error:
            return str(error)
        for got, want in zip(found, expected, strict=True):
            assert got.dtype == want.dtype and got.shape == want.shape
            if want.dtype == np.uint8 and case.name.startswith("test_dynamicquantizelinear"):
                assert np.abs(got.astype(int) - want).max() <= 1  # torch multiplies by the reciprocal of the scale
                continue
            np.testing.assert_allclose(got, want, rtol=case.rtol, atol=max(case.atol, 1e-6))
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
