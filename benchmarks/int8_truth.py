"""How far int8 is from the graph that it computes: each op's largest difference in steps of its scale, and the models' metrics.

For every model of accuracy.py and quantizer: ops and elements that the integer engine gets one step off the float graph between the same
dequantize and quantize nodes (more than one is an error), and the metric of the quantized program computed in int8, in float ("simulated")
and in float by torch. A value on the edge between two integers falls to either side by the order in which floats are summed, and each then
changes thousands further on. How far that goes without any int8 is what the two float computations of one graph differ by: int8's
metric is in error where it is further than that, and than 0.1 points, from the simulated one's. Exit status 1 for an error.

    python benchmarks/int8_truth.py [--models mobilenet,silero ...] [--quantizers x86,xnnpack]

Needs the tests' programs and the Python extension in build/release.
"""

import argparse
import subprocess
import sys
import warnings

import accuracy
import numpy as np
import recipes
import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401  registers the ops of the quantized files

warnings.filterwarnings("ignore")
STEPS_OFF = recipes.ROOT / "build" / "release" / "tests" / "steps_off"
CALIBRATION = 32
MODELS = {**accuracy.TASKS, **accuracy.SMALL_TASKS}
POINTS = 0.1


def quantize(name, task, quantizer):
    _, program = accuracy.export(task, name)
    calibration = recipes.save_npz(f"truth_{name}", {f"x{i}": x[:CALIBRATION] for i, x in enumerate(task.calibration)})
    output = recipes.CACHE / f"truth_{name}.{quantizer}.pt2"
    command = [accuracy.QDQ, "quantize", program, "--calibrate", calibration, "--quantizer", quantizer, "--batch", "1", "-o", output]
    command += ["--accuracy", "fast", "-q"]
    command += ["--also", "aten.matmul.default"] if quantizer == "x86" else ["--per-channel"]
    subprocess.run(command, check=True, capture_output=True)
    return output, calibration


def steps_off(program, data, samples):
    """(op, largest difference in steps, elements off, elements) of each op"""
    text = subprocess.run([STEPS_OFF, program, data, str(samples), "1"], check=True, capture_output=True, text=True).stdout
    return [(op, *map(int, numbers)) for op, *numbers in map(str.split, text.splitlines())]


def session(path, executor):
    import qdq

    opened = qdq.Session(qdq.load(path), executor)
    return lambda inputs: accuracy.to_numpy(opened.run(inputs))


def torch_module(path):
    module = torch.export.load(path).module()
    return lambda inputs: accuracy.to_numpy(module(*inputs))


def agreement(task, a, b):
    predictions = task.predictions(a)
    return 1.0 if predictions is None else float(np.mean(predictions == task.predictions(b)))


def report(name, task, quantizer, samples):
    """Prints a line; False for an error."""
    program, calibration = quantize(name, task, quantizer)
    ops = steps_off(program, calibration, samples)
    worst = max(ops, key=lambda op: op[1])
    off, elements = sum(op[2] for op in ops), sum(op[3] for op in ops)
    runs = (session(program, "fast"), session(program, "simulated"), torch_module(program))
    in_int8, simulated, by_torch = outputs = [task.evaluate(run) for run in runs]
    scores = [task.score(x) for x in outputs]
    allowed = max(POINTS, abs(scores[2] - scores[1]))
    fine = worst[1] <= 1 and abs(scores[0] - scores[1]) <= allowed
    print(
        f"{name:13} {quantizer:8} {len(ops):3} ops, at most {worst[1]} steps off ({worst[0]}), {off / elements:.2e} of elements; "
        f"{task.metric} {scores[0]:6.2f} int8, {scores[1]:6.2f} simulated, {scores[2]:6.2f} torch; same prediction: "
        f"int8 and simulated {agreement(task, in_int8, simulated):.1%}, int8 and torch {agreement(task, in_int8, by_torch):.1%}, "
        f"simulated and torch {agreement(task, simulated, by_torch):.1%}{'' if fine else '  ERROR'}",
        flush=True,
    )
    return fine


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--quantizers", default="x86,xnnpack")
    parser.add_argument("--samples", type=int, default=4, help="whose ops are looked at one by one")
    options = parser.parse_args()
    recipes.CACHE.mkdir(parents=True, exist_ok=True)
    fine = True
    with torch.no_grad():
        for name in options.models.split(","):
            task = MODELS[name]()
            for quantizer in options.quantizers.split(","):
                fine &= report(name, task, quantizer, options.samples)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
