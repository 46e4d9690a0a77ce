"""How far int8 is from the graph that it computes: each op's largest difference in steps of its scale, and the models' metrics.

For every recipe and quantizer: ops and elements that the integer engine gets one step off the float graph between the same dequantize
and quantize nodes (more than one is an error: exit status 1), and the metric of the quantized program computed in int8, in
float ("simulated") and in float by torch, sample by sample. A value on the edge between two integers falls to either side by the order in
which floats are summed, and each then changes thousands further on. How far that goes without any int8 is what
the two float computations of one graph differ by.

    python benchmarks/int8_truth.py [--models mobilenet_v2,resnet_cifar,minilm_plain,tiny_gpt] [--quantizers x86,xnnpack]
"""

import argparse
import dataclasses
import subprocess
import sys
import warnings

import numpy as np
import recipes
import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401  registers the ops of the quantized files

warnings.filterwarnings("ignore")
QDQ = recipes.ROOT / "build" / "release" / "qdq"
TRUTH = recipes.ROOT / "build" / "release" / "benchmarks" / "bench_int8_truth"
CALIBRATION = 32


@dataclasses.dataclass
class Task:
    module: torch.nn.Module
    inputs: list  # [samples, ...] each
    metric: str
    score: object  # outputs [samples, ...] -> number


def classifier(name, samples):
    module = recipes.recipe(name)
    batches = list(module.data(samples))
    images, labels = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    return Task(module.load()[0], [images], "top-1 %", lambda scores: (scores.argmax(-1) == labels).float().mean().item() * 100)


def embeddings(samples):
    module = recipes.recipe("minilm_plain")
    first, second, gold = module.pairs("dev", samples // 2)
    ids, mask = module.encode(first + second, 64)

    def score(vectors):
        a, b = vectors[: len(first)], vectors[len(first) :]
        ranks = [np.argsort(np.argsort(x)) for x in ((a * b).sum(1).numpy(), np.asarray(gold))]
        return np.corrcoef(*ranks)[0, 1] * 100

    return Task(module.load()[0], [ids, mask], "rank correlation %", score)


def language_model(samples):
    module = recipes.recipe("tiny_gpt")
    batches = list(module.data(samples))
    ids, following = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    return Task(module.load()[0], [ids], "next byte %", lambda scores: (scores.argmax(-1) == following).float().mean().item() * 100)


TASKS = {
    "mobilenet_v2": lambda: classifier("mobilenet_v2", 500),
    "resnet_cifar": lambda: classifier("resnet_cifar", 2000),
    "minilm_plain": lambda: embeddings(300),
    "tiny_gpt": lambda: language_model(64),
}


def quantize(name, task, quantizer):
    program = recipes.export(name, task.module, [x[:1] for x in task.inputs])
    calibration = recipes.save_npz(f"{name}.calibration", {f"x{i}": x[:CALIBRATION] for i, x in enumerate(task.inputs)})
    output = recipes.CACHE / f"{name}.{quantizer}.pt2"
    command = [QDQ, "quantize", program, "--calibrate", calibration, "--quantizer", quantizer, "--batch", "1", "-o", output]
    command += ["--also", "aten.matmul.default"] if quantizer == "x86" else ["--per-channel"]
    subprocess.run(command, check=True, capture_output=True)
    return output


def outputs(program, data, executor):
    path = recipes.CACHE / "truth.npz"
    command = [QDQ, "run", program, "--input", data, "--output", path, "--batch", "1", "--threads", "1", "--executor", executor]
    subprocess.run(command, check=True, capture_output=True)
    arrays = np.load(path)
    return torch.from_numpy(arrays[arrays.files[0]])


def torch_outputs(program, inputs):
    """What torch computes from the same file, in float, sample by sample."""
    module = torch.export.load(program).module()
    return torch.cat([module(*(x[i : i + 1] for x in inputs)) for i in range(len(inputs[0]))])


def agreement(a, b):
    return (a.argmax(-1) == b.argmax(-1)).float().mean().item()


def report(name, task, quantizer, samples):
    """Prints a line; True if no op is more than a step off."""
    program = quantize(name, task, quantizer)
    data = recipes.save_npz(f"{name}.data", {f"x{i}": x for i, x in enumerate(task.inputs)})
    text = subprocess.run([TRUTH, program, data, str(samples)], check=True, capture_output=True, text=True).stdout
    ops = [(op, *map(int, numbers)) for op, *numbers in map(str.split, text.splitlines())]
    worst = max(ops, key=lambda op: op[1])
    off, elements = sum(op[2] for op in ops), sum(op[3] for op in ops)
    in_int8, simulated = outputs(program, data, "fast"), outputs(program, data, "simulated")
    by_torch = torch_outputs(program, task.inputs)
    print(
        f"{name:13} {quantizer:8} {len(ops):3} ops, at most {worst[1]} steps off ({worst[0]}), {off / elements:.2e} of elements; "
        f"{task.metric} {task.score(in_int8):6.2f} int8, {task.score(simulated):6.2f} simulated, {task.score(by_torch):6.2f} torch; "
        f"same prediction: int8 and simulated {agreement(in_int8, simulated):.1%}, int8 and torch {agreement(in_int8, by_torch):.1%}, "
        f"simulated and torch {agreement(simulated, by_torch):.1%}",
        flush=True,
    )
    return worst[1] <= 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(TASKS))
    parser.add_argument("--quantizers", default="x86,xnnpack")
    parser.add_argument("--samples", type=int, default=4, help="whose ops are looked at one by one")
    options = parser.parse_args()
    recipes.CACHE.mkdir(parents=True, exist_ok=True)
    fine = True
    with torch.no_grad():
        for name in options.models.split(","):
            task = TASKS[name]()
            for quantizer in options.quantizers.split(","):
                fine &= report(name, task, quantizer, options.samples)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
