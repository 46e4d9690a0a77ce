"""Our int8 ONNX files in other runtimes, beside the files that those runtimes' own quantizers make of the same model.

ONNX Runtime: `qdq quantize` and `qdq export` against quantize_static (QDQ, per channel). OpenVINO: the same file against NNCF's. Batch 1, one
thread, in turns, medians of the process's CPU time, which does not depend on what else the machine does.

    python benchmarks/onnx_exchange.py [build folder, default build/release] [--models mobilenet,resnet18] [--rounds N]
    python benchmarks/onnx_exchange.py --memory      reads and writes a model of 1 GB and prints the memory beyond the mapped weights
    python benchmarks/onnx_exchange.py --metrics     the metric of each model in our engine and of its ONNX file in ONNX Runtime;
                                                     exit status 1 where they are more than 0.1 points apart

Prints medians and the ratio of ours to theirs (below 1: our file is faster). Latency is that of 8 bits throughout, as the others'
files have: ranges behind clamps and corrected biases, but no activations in 16 bits, which other runtimes compute in float.
"""

import argparse
import logging
import pathlib
import statistics
import subprocess
import sys
import time
import warnings

import accuracy
import onnxruntime
import recipes
import torch
from int8_peers import NETWORKS, SAMPLES, InProcess, OnnxRuntime, OpenVinoFloat32, Task
from peers import onnxruntime_forward, openvino_forward

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)


class OurFile(InProcess):
    """A file in one of the runtimes."""

    def __init__(self, forward, path, task):
        import onnx

        names = [port.name for port in onnx.load(path).graph.input]
        feed = dict(zip(names, (x.numpy() for x in task.first().values()), strict=True))
        self.run = forward(path, feed, task.threads)


def our_file(build, task, quantizer):
    program = recipes.export(task.name, task.module, list(task.first().values()))
    data = recipes.save_npz(f"{task.name}.data", task.inputs)
    quantized = recipes.CACHE / f"{task.name}.{quantizer}.pt2"
    options = ["--accuracy", "fast", "--observe-behind-clamps", "--bias-correction", "fast"]
    options += ["--per-channel"] if quantizer == "xnnpack" else []
    command = [build / "qdq", "quantize", program, "--calibrate", data, "--quantizer", quantizer, *options, "--batch", "1"]
    subprocess.run([*command, "-o", quantized], check=True, capture_output=True)
    path = recipes.CACHE / f"{task.name}.{quantizer}.onnx"
    subprocess.run([build / "qdq", "export", quantized, path], check=True, capture_output=True)
    return path


def compare(label, engines, rounds, runs):
    times = {name: [] for name in engines}
    for engine in engines.values():
        engine.measure(3)
    for _ in range(rounds):
        for name, engine in engines.items():
            times[name] += engine.measure(runs)
    medians = {name: statistics.median(t) / 1e6 for name, t in times.items()}
    theirs = medians.pop("theirs")
    for name, median in medians.items():
        print(f"{label:26} ours ({name}) {median:7.2f} ms  theirs {theirs:7.2f} ms  ratio {median / theirs:5.2f}", flush=True)


def latency(options):
    for name in options.models.split(","):
        module, *inputs = NETWORKS[name].make(SAMPLES)
        named = {f"input_{i}": x for i, x in enumerate(inputs)}
        task = Task(name, module, named, 1, 1, NETWORKS[name].is_transformer)
        with torch.no_grad():
            files = {quantizer: our_file(options.build.resolve(), task, quantizer) for quantizer in ("xnnpack", "x86")}
            for runtime, forward, theirs in [
                ("onnxruntime", onnxruntime_forward, OnnxRuntime),
                ("openvino", openvino_forward, OpenVinoFloat32),
            ]:
                engines = {quantizer: OurFile(forward, file, task) for quantizer, file in files.items()}
                engines["theirs"] = theirs(task)
                compare(f"{name} in {runtime}", engines, options.rounds, options.runs)


def metrics(options):
    """Prints a line for each model; True if all agree."""
    fine = True
    for name in options.models.split(","):
        task = accuracy.TASKS[name]()
        for quantizer in ("xnnpack", "x86"):
            ours, _, _ = accuracy.quantize_ours(task, name, ["--accuracy", "balanced", "--quantizer", quantizer])
            path = recipes.CACHE / f"accuracy_{name}.int8.pt2"
            subprocess.run([accuracy.QDQ, "export", path, path.with_suffix(".onnx")], check=True, capture_output=True)
            session = onnxruntime.InferenceSession(str(path.with_suffix(".onnx")), providers=["CPUExecutionProvider"])
            names = [port.name for port in session.get_inputs()]

            def theirs(inputs, session=session, names=names):
                return session.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)})

            scores = [task.score(task.evaluate(run)) for run in (ours, theirs)]
            fine &= abs(scores[0] - scores[1]) <= 0.1
            print(f"{name:12} {quantizer:8} {task.metric:10} {scores[0]:8.3f} ours  {scores[1]:8.3f} in ONNX Runtime  {scores[1] - scores[0]:+.3f}", flush=True)
    return fine


def anonymous_peak(command):
    """Most private memory of a process that is not mapped from files, in MB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except FileNotFoundError:
            break
        for line in status.splitlines():
            if line.startswith("RssAnon:"):
                peak = max(peak, int(line.split()[1]))
        time.sleep(0.002)
    if process.wait() != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak / 1024


def memory(options):
    width = 4096
    layers = [torch.nn.Linear(width, width, bias=False) for _ in range(16)]
    program = recipes.export("linears_of_1_gb", torch.nn.Sequential(*layers).eval(), [torch.randn(1, width)])
    qdq = options.build.resolve() / "qdq"
    path, back = recipes.CACHE / "linears_of_1_gb.onnx", recipes.CACHE / "linears_back.pt2"
    for label, command in [("write", [qdq, "export", program, path]), ("read", [qdq, "inspect", path]), ("read and write", [qdq, "export", path, back])]:
        print(f"{label:16} {path.stat().st_size if path.exists() else 0:>13,} bytes  {anonymous_peak(command):6.1f} MB", flush=True)
    for file in (program, path, back):
        pathlib.Path(file).unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default=recipes.ROOT / "build" / "release", type=pathlib.Path)
    parser.add_argument("--models", help="default: mobilenet,resnet18, with --metrics all of benchmarks/accuracy.py")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--runs", type=int, default=10, help="of each file per round")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--metrics", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipes.CACHE.mkdir(parents=True, exist_ok=True)
    options.models = options.models or (",".join(accuracy.TASKS) if options.metrics else "mobilenet,resnet18")
    if options.metrics:
        sys.exit(0 if metrics(options) else 1)
    memory(options) if options.memory else latency(options)


if __name__ == "__main__":
    main()
