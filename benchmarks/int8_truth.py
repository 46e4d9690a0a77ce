"""How far int8 is from the graph that it computes: each op's largest difference in steps of its scale, and the models' metrics.

For every model of accuracy.py and quantizer: ops and elements that the integer engine gets one step off the float graph between the same
dequantize and quantize nodes (more than one is an error), and the metric of the quantized program computed in int8, in float ("simulated"),
in float by torch, and in double precision. A value on the edge between two integers falls to either side by the order in which floats
are summed, and each then changes thousands further on. How far that goes without any int8 is what the two float computations of one graph
differ by: int8's metric is in error where it is further than that, and than 0.1 points, from the simulated one's. With more samples
0.1 points are the bound. The metric in double precision and the standard error are there to judge by; no bound depends on them. Exit status 1 for an error.

    python benchmarks/int8_truth.py [--models mobilenet,silero ...] [--quantizers x86,xnnpack]
    python benchmarks/int8_truth.py --more-samples --models mobilenet,minilm      int8 and simulated alone, on data that leave less to chance

Needs the tests' programs and the Python extension in build/release.
"""

import argparse
import itertools
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


class InDouble(torch.fx.Interpreter):
    """Computes a quantized graph in double precision, which rounds ties alone to another side than exact arithmetic would."""

    def get_attr(self, target, args, kwargs):
        return as_double(super().get_attr(target, args, kwargs))

    def call_function(self, target, args, kwargs):
        name = getattr(target, "_name", "")
        if name == "quantized_decomposed::quantize_per_tensor":
            x, scale, zero_point, low, high, dtype = args
            return (x.double() * (1.0 / scale)).round().add(zero_point).clamp(low, high).to(dtype)
        if name == "quantized_decomposed::dequantize_per_tensor":
            x, scale, zero_point = args[:3]
            return (x.double() - zero_point) * scale
        if name == "quantized_decomposed::dequantize_per_channel":
            x, scales, zero_points, axis = args[:4]
            along = [-1 if dim == axis else 1 for dim in range(x.dim())]
            shifted = x.double() if zero_points is None else x.double() - zero_points.reshape(along)
            return shifted * scales.double().reshape(along)
        return super().call_function(target, args, kwargs)


def as_double(x):
    return x.double() if isinstance(x, torch.Tensor) and x.dtype == torch.float32 else x


def in_double(path):
    module = torch.export.load(path).module()
    interpreter = InDouble(module.double())
    return lambda inputs: accuracy.to_numpy(interpreter.run(*map(as_double, inputs)))


def agreement(task, a, b):
    predictions = task.predictions(a)
    return 1.0 if predictions is None else float(np.mean(predictions == task.predictions(b)))


def report(name, task, quantizer, samples, more_samples):
    """Prints a line; False for an error."""
    program, calibration = quantize(name, task, quantizer)
    ops = steps_off(program, calibration, samples)
    worst = max(ops, key=lambda op: op[1])
    off, elements = sum(op[2] for op in ops), sum(op[3] for op in ops)
    runs = {"int8": session(program, "fast"), "simulated": session(program, "simulated")}
    if not more_samples:
        runs |= {"torch": torch_module(program), "double": in_double(program)}
    outputs = {label: task.evaluate(run) for label, run in runs.items()}
    scores = {label: task.score(x) for label, x in outputs.items()}
    difference = scores["int8"] - scores["simulated"]
    error = task.standard_error(outputs["int8"], outputs["simulated"])
    allowed = POINTS if more_samples else max(POINTS, abs(scores["torch"] - scores["simulated"]))
    fine = worst[1] <= 1 and abs(difference) <= allowed
    print(
        f"{name:13} {quantizer:8} {len(ops):3} ops, at most {worst[1]} steps off ({worst[0]}), {off / elements:.2e} of elements; "
        f"{task.metric} {', '.join(f'{score:6.2f} {label}' for label, score in scores.items())}; int8 - simulated {difference:+.2f}"
        f" +- {error:.2f}; same prediction: "
        + ", ".join(f"{a} and {b} {agreement(task, outputs[a], outputs[b]):.1%}" for a, b in itertools.combinations(outputs, 2))
        + ("" if fine else "  ERROR"),
        flush=True,
    )
    return fine


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--quantizers", default="x86,xnnpack")
    parser.add_argument("--samples", type=int, default=4, help="whose ops are looked at one by one")
    parser.add_argument("--more-samples", action="store_true", help="metrics of int8 and simulated on more data where the usual leave much to chance")
    options = parser.parse_args()
    recipes.CACHE.mkdir(parents=True, exist_ok=True)
    fine = True
    with torch.no_grad():
        for name in options.models.split(","):
            task = (MODELS | (accuracy.MORE_SAMPLES if options.more_samples else {}))[name]()
            for quantizer in options.quantizers.split(","):
                fine &= report(name, task, quantizer, options.samples, options.more_samples)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
