"""Int8 inference: ours, ONNX Runtime (quantize_static, QDQ), OpenVINO (NNCF) and ExecuTorch (XNNPACK), in turn in one run.

Each engine quantizes the same float model with the same 32 samples, in the way that is its fastest: ours for PyTorch's x86 quantizer,
with the products of attention. OpenVINO runs what stays in float both in float32 and, its default, in bfloat16. On one thread the
times are the process's CPU time, which does not depend on what else the machine does; on several they are wall time.

    python benchmarks/int8_peers.py [build folder, default build/release] [--models mobilenet,vit] [--batches 1,8] [--threads 1]

Prints medians and the ratio of ours to the best peer (below 1: we are faster), and exits with 1 where that is above the model's goal.
Needs torch, onnx, onnxruntime, openvino, nncf and executorch; peers that are not installed are left out.
"""

import argparse
import dataclasses
import logging
import pathlib
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import recipes
import torch

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
SAMPLES = 32


@dataclasses.dataclass
class Network:
    make: Callable  # samples -> (module, input...), each input [samples, ...]
    goal: float  # our time / the best peer's
    is_transformer: bool = False


NETWORKS = {
    "resnet18": Network(recipes.resnet18, 0.95),
    "resnet50": Network(recipes.resnet50, 0.95),
    "mobilenet": Network(lambda samples: recipes.mobilenet(samples)[:2], 0.75),
    "minilm": Network(lambda samples: recipes.minilm(), 0.90, is_transformer=True),
    "vit": Network(recipes.vit, 0.90, is_transformer=True),
    "decoder": Network(recipes.decoder, 0.95, is_transformer=True),
}


@dataclasses.dataclass
class Task:
    name: str
    module: torch.nn.Module
    inputs: dict  # name -> tensor [SAMPLES, ...]
    batch: int
    threads: int
    is_transformer: bool

    def batches(self):
        for start in range(0, SAMPLES, self.batch):
            yield {name: x[start : start + self.batch].clone() for name, x in self.inputs.items()}

    def first(self):
        return next(self.batches())


def quantize_ours(task, build):
    """(quantized file, file with the inputs of one run)"""
    stem = f"{task.name}.b{task.batch}"
    program = recipes.export(stem, task.module, list(task.first().values()))
    data = recipes.save_npz(f"{stem}.data", task.inputs)
    one = recipes.save_npz(f"{stem}.one", task.first())
    quantized = recipes.CACHE / f"{stem}.x86.pt2"
    command = [build / "qdq", "quantize", program, "--calibrate", data, "--quantizer", "x86", "--accuracy", "fast", "-o", quantized]
    command += ["--batch", str(task.batch), "--also", "aten.matmul.default"]
    subprocess.run(command, check=True, capture_output=True)
    return quantized, one


class Ours:
    def __init__(self, task, build):
        quantized, one = quantize_ours(task, build)
        command = [build / "benchmarks" / "bench_int8_peers", quantized, one, str(task.threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure(self, runs):
        self.process.stdin.write(f"{runs}\n")
        self.process.stdin.flush()
        return [int(t) for t in self.process.stdout.readline().split()]

    def close(self):
        self.process.communicate()


class InProcess:
    """A peer that `self.run()` runs in this process."""

    clock = time.process_time_ns

    def measure(self, runs):
        times = []
        for _ in range(runs):
            start = self.clock()
            self.run()
            times.append(self.clock() - start)
        return times

    def close(self):
        pass


def export_onnx(task):
    path = recipes.CACHE / f"{task.name}.b{task.batch}.onnx"
    first = task.first()
    torch.onnx.export(task.module, tuple(first.values()), path, input_names=list(first), dynamo=False, opset_version=17)
    return path


def quantize_onnxruntime(task):
    """The file with QuantizeLinear and DequantizeLinear that quantize_static makes."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.items = iter([{name: x.numpy() for name, x in batch.items()} for batch in task.batches()])

        def get_next(self):
            return next(self.items, None)

    path = export_onnx(task)
    prepared, quantized = path.with_suffix(".pre.onnx"), path.with_suffix(".int8.onnx")
    quant_pre_process(path, prepared)
    quantize_static(
        prepared,
        quantized,
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return quantized


class OnnxRuntime(InProcess):
    def __init__(self, task):
        import onnxruntime

        quantized = quantize_onnxruntime(task)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = task.threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(quantized, options, providers=["CPUExecutionProvider"])
        feed = {name: x.numpy() for name, x in task.first().items()}
        self.run = lambda: session.run(None, feed)


class OpenVino(InProcess):
    settings = {"NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}

    def __init__(self, task):
        import nncf
        import openvino

        nncf.set_log_level(logging.ERROR)
        core = openvino.Core()
        dataset = nncf.Dataset([{name: x.numpy() for name, x in batch.items()} for batch in task.batches()])
        model = nncf.quantize(
            core.read_model(export_onnx(task)),
            dataset,
            subset_size=SAMPLES // task.batch,
            preset=nncf.QuantizationPreset.PERFORMANCE,
            model_type=nncf.ModelType.TRANSFORMER if task.is_transformer else None,
        )
        compiled = core.compile_model(model, "CPU", {**self.settings, "INFERENCE_NUM_THREADS": task.threads})
        request = compiled.create_infer_request()
        self.inputs = {name: openvino.Tensor(x.numpy().copy()) for name, x in task.first().items()}
        for name, tensor in self.inputs.items():
            request.set_tensor(name, tensor)
        self.run = request.infer


class OpenVinoFloat32(OpenVino):
    settings = {**OpenVino.settings, "INFERENCE_PRECISION_HINT": "f32"}


class ExecuTorch(InProcess):
    def __init__(self, task):
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )
        from executorch.exir import to_edge_transform_and_lower
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        first = tuple(task.first().values())
        quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        graph = prepare_pt2e(torch.export.export(task.module, first).module(), quantizer)
        for batch in task.batches():
            graph(*batch.values())
        program = to_edge_transform_and_lower(
            torch.export.export(convert_pt2e(graph), first), partitioner=[XnnpackPartitioner()]
        ).to_executorch()
        portable_lib._unsafe_reset_threadpool(task.threads)
        # The method reads the program, and the program its buffer: both must live on.
        self.buffer = program.buffer
        self.program = Runtime.get().load_program(self.buffer)
        method = self.program.load_method("forward")
        self.run = lambda: method.execute(first)


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVinoFloat32, "openvino-bf16": OpenVino, "executorch": ExecuTorch}


def make_engines(task, build, wanted):
    engines = {"ours": Ours(task, build)}
    for label in wanted:
        try:
            engine = PEERS[label](task)
            engine.measure(3)
            engines[label] = engine
        except ImportError as error:
            print(f"{label} is not installed: {error.name}")
        except RuntimeError as error:
            print(f"{label} does not run {task.name}: {error}")
    return engines


def compare(task, goal, options):
    """Prints a line; True if the ratio reaches the goal."""
    with torch.no_grad():
        engines = make_engines(task, options.build.resolve(), options.peers.split(","))
        times = {label: [] for label in engines}
        engines["ours"].measure(3)
        for _ in range(options.rounds):
            for label, engine in engines.items():
                times[label] += engine.measure(options.runs if task.batch == 1 else max(1, options.runs // task.batch))
        for engine in engines.values():
            engine.close()
    medians = {label: statistics.median(t) / 1e6 for label, t in times.items()}
    text = f"{task.name:10} batch {task.batch}  " + "  ".join(f"{label} {median:7.2f}" for label, median in medians.items())
    peers = [median for label, median in medians.items() if label != "ours"]
    if not peers:
        print(f"{text} ms", flush=True)
        return True
    ratio = medians["ours"] / min(peers)
    print(f"{text} ms  ratio {ratio:5.2f}, goal {goal:.2f}{'' if ratio <= goal else ': MISSED'}", flush=True)
    return ratio <= goal


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default=recipes.ROOT / "build" / "release", type=pathlib.Path)
    parser.add_argument("--models", default=",".join(NETWORKS))
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--batches", default="1,8")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--runs", type=int, default=10, help="of each engine per round and batch of 1")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.threads > 1:
        InProcess.clock = time.perf_counter_ns
    recipes.CACHE.mkdir(parents=True, exist_ok=True)
    reached = True
    for name in options.models.split(","):
        network = NETWORKS[name]
        module, *inputs = network.make(SAMPLES)
        named = {f"x{i}": x[:SAMPLES] for i, x in enumerate(inputs)}
        for batch in map(int, options.batches.split(",")):
            task = Task(name, module, named, batch, options.threads, network.is_transformer)
            reached &= compare(task, network.goal, options)
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
