"""Quantizing a model: ours, ONNX Runtime's quantize_static and NNCF in turn, with min/max and with histograms.

Ours is the whole process `qdq quantize` (load, prepare, calibrate, convert, save); the peers' time is that of their one
call inside a process that has read the data already. CPU seconds, the process's peak memory, and ratios peer / ours.

    python benchmarks/quantize_peers.py [--rounds 3] [--model mobilenet|resnet18|resnet50|minilm ...] [--shape 32x1 ...]
"""

import argparse
import json
import logging
import pathlib
import resource
import statistics
import sys
import tempfile
import time

import numpy as np
from pipeline import CACHE, MODELS, QDQ, load, run

# Which of ours is compared with which of theirs: the same kind of range search.
PEERS = {"ort-minmax": "MinMaxObserver", "nncf": "MinMaxObserver", "ort-entropy": "EntropyObserver"}


def export_worker(model, batches, batch):
    from peers import export_onnx

    recipes, module, inputs = load(model)
    first = [x[:batch].clone() for x in inputs]
    recipes.export(f"{model}_{batch}", module, first)
    export_onnx(module, tuple(first), CACHE / f"{model}_{batch}.onnx")
    recipes.save_npz(f"{model}_{batches}x{batch}", {f"input_{i}": x[: batches * batch] for i, x in enumerate(inputs)})


def feeds(model, batches, batch):
    arrays = np.load(CACHE / f"{model}_{batches}x{batch}.npz")
    arrays = {name: arrays[name] for name in arrays.files}
    return [{name: array[i * batch : (i + 1) * batch] for name, array in arrays.items()} for i in range(batches)]


def onnxruntime_worker(model, batches, batch, method):
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self, items):
            self.items, self.next = items, 0

        def get_next(self):
            self.next += 1
            return self.items[self.next - 1] if self.next <= len(self.items) else None

        def rewind(self):
            self.next = 0

    reader = Reader(feeds(model, batches, batch))
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        quantize_static(
            CACHE / f"{model}_{batch}.onnx",
            pathlib.Path(folder) / "int8.onnx",
            reader,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=getattr(CalibrationMethod, method),
        )
        return time.process_time() - start


def nncf_worker(model, batches, batch):
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    items = feeds(model, batches, batch)
    kind = nncf.ModelType.TRANSFORMER if model == "minilm" else None
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        program = openvino.Core().read_model(CACHE / f"{model}_{batch}.onnx")
        quantized = nncf.quantize(program, nncf.Dataset(items), subset_size=batches, model_type=kind)
        openvino.save_model(quantized, pathlib.Path(folder) / "int8.xml", compress_to_fp16=False)
        return time.process_time() - start


def peer_worker(kind, model, batches, batch):
    """Runs in a process of its own and prints one JSON line."""
    logging.disable(logging.WARNING)
    if kind == "nncf":
        seconds = nncf_worker(model, batches, batch)
    else:
        seconds = onnxruntime_worker(model, batches, batch, {"ort-minmax": "MinMax", "ort-entropy": "Entropy"}[kind])
    print(json.dumps({"seconds": seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def ours(model, batches, batch, observer):
    path, data = CACHE / f"{model}_{batch}.pt2", CACHE / f"{model}_{batches}x{batch}.npz"
    command = [QDQ, "quantize", path, "--calibrate", data, "--quantizer", "xnnpack", "--per-channel", "--accuracy", "fast"]
    command += ["--observer", observer, "--batch", batch, "--threads", "1", "-o", CACHE / f"{model}.int8.pt2"]
    return run([str(part) for part in command])[:2]


def theirs(kind, model, batches, batch):
    output = run([sys.executable, __file__, "--worker", kind, model, str(batches), str(batch)])[2]
    result = json.loads(output.splitlines()[-1])
    return result["seconds"], result["mb"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", action="append", choices=MODELS)
    parser.add_argument("--shape", action="append", help="batches x batch size, such as 32x1 and 8x8")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        kind, model, batches, batch = options.worker
        if kind == "export":
            return export_worker(model, int(batches), int(batch))
        return peer_worker(kind, model, int(batches), int(batch))

    print(f"{'model':10} {'batches':8} {'peer':12} {'ours s':>7} {'peer s':>7} {'ratio':>6} {'ours MB':>8} {'peer MB':>8}")
    for model in options.model or MODELS:
        for shape in options.shape or ["32x1", "8x8"]:
            batches, batch = map(int, shape.split("x"))
            run([sys.executable, __file__, "--worker", "export", model, str(batches), str(batch)])
            for kind, observer in PEERS.items():
                pairs = [
                    (ours(model, batches, batch, observer), theirs(kind, model, batches, batch))
                    for _ in range(options.rounds)
                ]
                ratio = statistics.median(them[0] / us[0] for us, them in pairs)
                us, them = ([statistics.median(column) for column in zip(*side)] for side in zip(*pairs))
                print(
                    f"{model:10} {shape:8} {kind:12} {us[0]:7.2f} {them[0]:7.2f} {ratio:6.1f} {us[1]:8.0f} {them[1]:8.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
