"""Int8 inference: ours, ONNX Runtime (quantize_static, QDQ) and OpenVINO (NNCF), in turn in one run.

Batch 1, one thread, medians of the process's CPU time, which does not depend on what else the machine does. Each engine quantizes the
same float model with the same 32 images, in the way that is its fastest: ours for PyTorch's x86 quantizer.

    python benchmarks/int8_peers.py [build folder, default build/release] [--models mobilenet,resnet50] [--rounds N]

Prints medians and the ratio of ours to the best peer (below 1: we are faster). Needs torch, onnx, onnxruntime, openvino and nncf;
peers that are not installed are left out.
"""

import argparse
import logging
import pathlib
import statistics
import subprocess
import time
import warnings

import recipes
import torch

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
IMAGES = 32


class Ours:
    def __init__(self, build, name, module, images):
        program = recipes.export(name, module, [images[:1]])
        data = recipes.save_npz(f"{name}_images", {"x": images})
        one = recipes.save_npz(f"{name}_image", {"x": images[:1]})
        quantized = recipes.CACHE / f"{name}.x86.pt2"
        command = [build / "qdq", "quantize", program, "--calibrate", data, "--quantizer", "x86", "--batch", "1", "-o", quantized]
        subprocess.run(command, check=True, capture_output=True)
        command = [build / "benchmarks" / "bench_int8_peers", quantized, one]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure(self, runs):
        self.process.stdin.write(f"{runs}\n")
        self.process.stdin.flush()
        return [int(t) for t in self.process.stdout.readline().split()]


class InProcess:
    """A peer that `self.run()` runs in this process."""

    def measure(self, runs):
        times = []
        for _ in range(runs):
            start = time.process_time_ns()
            self.run()
            times.append(time.process_time_ns() - start)
        return times


class OnnxRuntime(InProcess):
    def __init__(self, onnx_path, images):
        import onnxruntime
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        class Reader(CalibrationDataReader):
            def __init__(self):
                self.items = iter([{"x": image[None]} for image in images])

            def get_next(self):
                return next(self.items, None)

        prepared, quantized = onnx_path.with_suffix(".pre.onnx"), onnx_path.with_suffix(".int8.onnx")
        quant_pre_process(onnx_path, prepared)
        quantize_static(
            prepared,
            quantized,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(quantized, options, providers=["CPUExecutionProvider"])
        feed = {"x": images[:1]}
        self.run = lambda: session.run(None, feed)


class OpenVino(InProcess):
    def __init__(self, onnx_path, images):
        import nncf
        import openvino

        nncf.set_log_level(logging.ERROR)
        core = openvino.Core()
        dataset = nncf.Dataset([image[None] for image in images], lambda image: {"x": image})
        preset = nncf.QuantizationPreset.PERFORMANCE
        model = nncf.quantize(core.read_model(onnx_path), dataset, subset_size=len(images), preset=preset)
        settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        request.set_input_tensor(openvino.Tensor(images[:1].copy()))
        self.run = request.infer


def peers_of(name, module, images):
    path = recipes.CACHE / f"{name}.onnx"
    torch.onnx.export(module, (images[:1],), path, input_names=["x"], dynamo=False, opset_version=17)
    peers = {}
    for label, peer in [("onnxruntime", OnnxRuntime), ("openvino", OpenVino)]:
        try:
            peers[label] = peer(path, images.numpy())
        except ImportError:
            print(f"{label} is not installed")
    return peers


def compare(name, build, rounds, runs):
    if name == "mobilenet":
        module, images, _ = recipes.mobilenet(IMAGES)
    else:
        module, images = recipes.resnet50(IMAGES)
    with torch.no_grad():
        engines = {"ours": Ours(build, name, module, images), **peers_of(name, module, images)}
        times = {label: [] for label in engines}
        for engine in engines.values():
            engine.measure(3)
        for _ in range(rounds):
            for label, engine in engines.items():
                times[label] += engine.measure(runs)
    medians = {label: statistics.median(t) / 1e6 for label, t in times.items()}
    text = f"{name:10} " + "  ".join(f"{label} {median:6.2f} ms" for label, median in medians.items())
    peers = [median for label, median in medians.items() if label != "ours"]
    print(text + (f"  ratio {medians['ours'] / min(peers):5.2f}" if peers else ""), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default=recipes.ROOT / "build" / "release", type=pathlib.Path)
    parser.add_argument("--models", default="mobilenet,resnet50")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--runs", type=int, default=10, help="of each engine per round")
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipes.CACHE.mkdir(parents=True, exist_ok=True)
    for name in options.models.split(","):
        compare(name, options.build.resolve(), options.rounds, options.runs)


if __name__ == "__main__":
    main()
