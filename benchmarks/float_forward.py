"""Float forward passes: ours, torch eager, ONNX Runtime and OpenVINO (float32), on the same inputs, in turn, in one run.

    python benchmarks/float_forward.py [build folder, default build/release] [--threads N] [--models a,b]

Models are recipes of ../shared/models. Prints medians (of the processor's time for one thread, of the time that passed
else) and ratios (above 1: we are faster).
"""
import argparse
import importlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
MODELS = ("mobilenet_v2", "resnet50_random", "minilm_plain", "tiny_gpt")


def other_runtimes(model, inputs, folder, threads):
    """The runtimes that are installed, by name: functions that run the model once."""
    import peers

    names = peers.export_onnx(model, inputs, folder / "model.onnx")
    feed = {name: x.numpy() for name, x in zip(names, inputs)}
    forwards = {}
    for name, make in {"onnxruntime": peers.onnxruntime_forward, "openvino": peers.openvino_forward}.items():
        try:
            forwards[name] = make(folder / "model.onnx", feed, threads)
        except ImportError:
            print(f"{name} is not installed", file=sys.stderr)
    return forwards


def median_time(fn, runs, threads):
    now = time.process_time_ns if threads == 1 else time.perf_counter_ns
    times = []
    for _ in range(runs):
        start = now()
        fn()
        times.append(now() - start)
    return statistics.median(times)


def measure(name, build, threads, rounds=5, runs=10):
    model, inputs = importlib.import_module(name).load()
    inputs = tuple(x[:1].contiguous() for x in inputs)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        folder = Path(folder)
        torch.export.save(torch.export.export(model, inputs), folder / "model.pt2")
        np.savez(folder / "inputs.npz", **{str(i): x.numpy() for i, x in enumerate(inputs)})
        command = [build / "benchmarks" / "bench_float_forward", folder / "model.pt2", folder / "inputs.npz", str(threads)]
        ours = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        first = int(ours.stdout.readline())

        def ask():
            ours.stdin.write(f"{runs}\n")
            ours.stdin.flush()
            return int(ours.stdout.readline())

        peers = {"torch": lambda: model(*inputs)}
        peers.update(other_runtimes(model, inputs, folder, threads))
        for peer in peers.values():
            peer()
        times = {key: [] for key in ("ours", *peers)}
        for _ in range(rounds):
            times["ours"].append(ask())
            for key, peer in peers.items():
                times[key].append(median_time(peer, runs, threads))
        ours.stdin.close()
        ours.wait()
    own = min(times["ours"])
    text = f"{name:18} load, plan, first run {first / 1e6:7.1f} ms | run {own / 1e6:7.2f} ms"
    for key in peers:
        text += f" | {key} {min(times[key]) / 1e6:7.2f} ms, ratio {min(times[key]) / own:5.2f}"
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", nargs="?", default=ROOT / "build" / "release", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", default=",".join(MODELS))
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT.parent / "shared" / "models"))
    torch.set_num_threads(arguments.threads)
    for name in arguments.models.split(","):
        measure(name, arguments.build.resolve(), arguments.threads)


if __name__ == "__main__":
    main()
