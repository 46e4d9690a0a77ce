"""ONNX Runtime and OpenVINO as the benchmarks run them: on the files that torch's own exporter writes."""

import warnings


def export_onnx(module, inputs, path, any_batch=False):
    """Writes the float model for these inputs; their names in the file are input_0, input_1 ... any_batch: it takes
    any number of samples, counted by the first dimension of each."""
    import torch

    names = [f"input_{i}" for i in range(len(inputs))]
    axes = {name: {0: "batch"} for name in names} if any_batch else None
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, inputs, str(path), input_names=names, opset_version=17, dynamic_axes=axes, dynamo=False)
    return names


def onnxruntime_forward(path, feed, threads):
    """A function that runs the file once. feed: name -> array."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feed)


def openvino_forward(path, feed, threads):
    """The same, in float32: OpenVINO's default on some machines is bfloat16."""
    import openvino

    core = openvino.Core()
    model = core.read_model(str(path))
    model.reshape({name: list(array.shape) for name, array in feed.items()})
    hints = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = core.compile_model(model, "CPU", hints).create_infer_request()
    for name, array in feed.items():
        request.set_tensor(name, openvino.Tensor(array))
    return request.infer
