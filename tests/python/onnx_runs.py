"""What the ONNX tests share: running a model in ONNX Runtime, on its own values or on ours."""

import numpy as np
import onnx
import onnxruntime

from tools import has_vnni


def session(model, optimized=False, save_to=None, saturates=True):
    """`model`: a path or a ModelProto. saturates=False: not on processors without VNNI either."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if not saturates and not has_vnni():
        options.add_session_config_entry("session.x64quantprecision", "1")  # weights as unsigned bytes: nothing saturates
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if save_to:
        options.optimized_model_filepath = str(save_to)
    source = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run(model, inputs, optimized=False, saturates=True):
    """The outputs for arrays in the order of the model's inputs."""
    runner = session(model, optimized, saturates=saturates)
    return runner.run(None, {port.name: np.asarray(value) for port, value in zip(runner.get_inputs(), inputs, strict=True)})


def quantized_values(model):
    """Names of what the QuantizeLinear nodes make, after the Clip that narrows its levels if there is one."""
    clips = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "Clip"}
    return [clips.get(node.output[0], node.output[0]) for node in model.graph.node if node.op_type == "QuantizeLinear"]


def with_given_integers(model):
    """Each quantized value is an output, and a new input "<name>_given" takes its place: every op then works on the integers that it
    is given, so that its own difference shows and not those of all the ops before it."""
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    types = {node.output[0]: node for node in cut.graph.node}
    initializers = {tensor.name: tensor.data_type for tensor in cut.graph.initializer}
    names = quantized_values(cut)
    for name in names:
        maker = types[name]
        quantize = maker if maker.op_type == "QuantizeLinear" else types[maker.input[0]]
        for node in cut.graph.node:
            if node.op_type == "DequantizeLinear" and node.input[0] == name:
                node.input[0] = f"{name}_given"
        dtype = initializers[quantize.input[2]]
        cut.graph.input.append(onnx.helper.make_tensor_value_info(f"{name}_given", dtype, None))
        cut.graph.output.append(onnx.helper.make_tensor_value_info(name, dtype, None))
    return cut, names


def check_close(found, expected):
    """Same types and shapes; numbers within what another order of summation makes of float32 in a deep network."""
    for got, want in zip(found, expected, strict=True):
        assert got.shape == want.shape and got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * max(1.0, np.abs(want).max(initial=0)))
