"""What it takes to load a quantized file and to run it once: ours beside ONNX Runtime, each in a process of its own.

    python benchmarks/int8_first_run.py [build folder, default build/release] [--models mobilenet,resnet50,minilm] [--threads 1]

Ours is `qdq run`; ONNX Runtime runs the file that its quantize_static made, in Python. What a process takes that only starts is
subtracted from each, `qdq --version` from ours and the imports from ONNX Runtime's: the session and one run count, and reading and
writing the tensors. Prints medians of wall and CPU time and of the peak of memory, the runs in turn, and exits with 1 where ours is above
ONNX Runtime's.
Needs torch, onnx and onnxruntime.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys

import int8_peers
import recipes

PEER = """
import sys
import numpy
import onnxruntime

def run(model, inputs, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    session.run(None, dict(numpy.load(inputs)))

if len(sys.argv) > 1:
    run(*sys.argv[1:])
"""


# Runs a command. The peak of memory that Linux counts for a process begins with that of the one that starts it: this one is small.
MEASURE = """
import os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
sys.exit(status != 0)
"""


def measure(command):
    """(wall seconds, CPU seconds, peak megabytes) of a process"""
    command = [sys.executable, "-S", "-c", MEASURE, *map(str, command)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return tuple(map(float, printed.split()))


def medians(samples):
    return [statistics.median(column) for column in zip(*samples)]


def compare(task, build, rounds):
    """Prints a line; True if ours is below in all three."""
    quantized, one = int8_peers.quantize_ours(task, build)
    model = int8_peers.quantize_onnxruntime(task)
    ours = [build / "qdq", "run", quantized, "--input", one, "-o", recipes.CACHE / "first.npz", "--threads", task.threads, "--quiet"]
    imports = [sys.executable, "-c", PEER]
    commands = {
        "start": [build / "qdq", "--version"],
        "ours": ours,
        "imports": imports,
        "onnxruntime": [*imports, model, one, task.threads],
    }
    samples = {label: [] for label in commands}
    for _ in range(rounds):
        for label, command in commands.items():
            samples[label].append(measure(command))
    start, whole, base, peer_whole = (medians(samples[label]) for label in commands)
    mine = [a - b for a, b in zip(whole, start)]
    peer = [a - b for a, b in zip(peer_whole, base)]
    ratios = [a / b for a, b in zip(mine, peer)]
    for what, a, b, ratio in zip(("wall ms", "CPU ms", "peak MB"), mine, peer, ratios):
        scale = 1 if what.endswith("MB") else 1000
        print(f"{task.name:10} {what:8} ours {a * scale:7.1f}  onnxruntime {b * scale:7.1f}  ratio {ratio:5.2f}", flush=True)
    return max(ratios) <= 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default=recipes.ROOT / "build" / "release", type=pathlib.Path)
    parser.add_argument("--models", default="mobilenet,resnet50,minilm")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    recipes.CACHE.mkdir(parents=True, exist_ok=True)
    below = True
    for name in options.models.split(","):
        network = int8_peers.NETWORKS[name]
        module, *inputs = network.make(int8_peers.SAMPLES)
        named = {f"x{i}": x[: int8_peers.SAMPLES] for i, x in enumerate(inputs)}
        task = int8_peers.Task(name, module, named, 1, options.threads, network.is_transformer)
        below &= compare(task, options.build.resolve(), options.rounds)
    sys.exit(0 if below else 1)


if __name__ == "__main__":
    main()
