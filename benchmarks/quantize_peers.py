"""Quantizing a model: ours, ONNX Runtime's quantize_static and NNCF in turn, with min/max and with histograms.

Ours is the whole process `qdq quantize` (load, prepare, calibrate, convert, save); the peers' time is that of their one
call inside a process that has read the data already. CPU seconds, seconds on the clock, the process's peak memory, and
ratios peer / ours. NNCF corrects biases, and takes all cores that it finds; the row `nncf-biases` does the same on our side, `nncf-balanced` has
our histograms and chooses activations of 16 bits as well.

    python benchmarks/quantize_peers.py [--rounds 3] [--model mobilenet|resnet56|minilm ...] [--shape 32x1 ...]
        [--peer ort-minmax|nncf|nncf-biases|nncf-balanced|ort-entropy ...] [--threads 1]
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

# What of ours is compared with which of theirs: the same kind of range search, and what says how good the result shall be.
PEERS = {
    "ort-minmax": ["--accuracy", "fast", "--observer", "MinMaxObserver"],
    "nncf": ["--accuracy", "fast", "--observer", "MinMaxObserver"],
    "nncf-biases": ["--accuracy", "fast", "--observer", "MinMaxObserver", "--bias-correction", "fast"],
    "nncf-balanced": ["--accuracy", "balanced"],
    "ort-entropy": ["--accuracy", "fast", "--observer", "EntropyObserver"],
}


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


def now():
    return np.array([time.process_time(), time.perf_counter()])


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
        start = now()
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
        return now() - start


def nncf_worker(model, batches, batch):
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    items = feeds(model, batches, batch)
    kind = nncf.ModelType.TRANSFORMER if model == "minilm" else None
    with tempfile.TemporaryDirectory() as folder:
        start = now()
        program = openvino.Core().read_model(CACHE / f"{model}_{batch}.onnx")
        quantized = nncf.quantize(program, nncf.Dataset(items), subset_size=batches, model_type=kind)
        openvino.save_model(quantized, pathlib.Path(folder) / "int8.xml", compress_to_fp16=False)
        return now() - start


def peer_worker(kind, model, batches, batch):
    """Runs in a process of its own and prints one JSON line."""
    logging.disable(logging.WARNING)
    if kind.startswith("nncf"):
        cpu, wall = nncf_worker(model, batches, batch)
    else:
        cpu, wall = onnxruntime_worker(model, batches, batch, {"ort-minmax": "MinMax", "ort-entropy": "Entropy"}[kind])
    print(json.dumps({"cpu": cpu, "wall": wall, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def ours(model, batches, batch, arguments, threads):
    path, data = CACHE / f"{model}_{batch}.pt2", CACHE / f"{model}_{batches}x{batch}.npz"
    command = [QDQ, "quantize", path, "--calibrate", data, "--quantizer", "xnnpack", "--per-channel", *arguments]
    command += ["--batch", batch, "--threads", threads, "-o", CACHE / f"{model}.int8.pt2"]
    start = time.perf_counter()
    cpu, mb, _ = run([str(part) for part in command])
    return cpu, time.perf_counter() - start, mb


def theirs(kind, model, batches, batch):
    output = run([sys.executable, __file__, "--worker", kind, model, str(batches), str(batch)])[2]
    result = json.loads(output.splitlines()[-1])
    return result["cpu"], result["wall"], result["mb"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", action="append", choices=MODELS)
    parser.add_argument("--shape", action="append", help="batches x batch size, such as 32x1 and 8x8")
    parser.add_argument("--peer", action="append", choices=PEERS)
    parser.add_argument("--threads", type=int, default=1, help="of ours")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        kind, model, batches, batch = options.worker
        if kind == "export":
            return export_worker(model, int(batches), int(batch))
        return peer_worker(kind, model, int(batches), int(batch))

    print(f"{'':33} {'CPU seconds':^22} {'seconds':^22} {'MB':^15}")
    print(f"{'model':10} {'batches':8} {'peer':13}" + 2 * f" {'ours':>7} {'peer':>7} {'ratio':>6}" + f" {'ours':>7} {'peer':>7}")
    for model in options.model or MODELS:
        for shape in options.shape or ["32x1", "8x8"]:
            batches, batch = map(int, shape.split("x"))
            run([sys.executable, __file__, "--worker", "export", model, str(batches), str(batch)])
            for kind in options.peer or PEERS:
                pairs = [
                    (ours(model, batches, batch, PEERS[kind], options.threads), theirs(kind, model, batches, batch))
                    for _ in range(options.rounds)
                ]
                ratios = [statistics.median(them[i] / us[i] for us, them in pairs) for i in range(2)]
                us, them = ([statistics.median(column) for column in zip(*side)] for side in zip(*pairs))
                print(
                    f"{model:10} {shape:8} {kind:13} {us[0]:7.2f} {them[0]:7.2f} {ratios[0]:6.2f}"
                    f" {us[1]:7.2f} {them[1]:7.2f} {ratios[1]:6.2f} {us[2]:7.0f} {them[2]:7.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
