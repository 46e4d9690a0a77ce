"""Quantizing a model, ours and torchao's in turn, one thread each: CPU seconds, peak memory and ratios.

Ours is the whole process `qdq quantize` (load, prepare, calibrate, convert, save); torchao's is prepare, calibrate and
convert inside a process that has exported already.

    python benchmarks/pipeline.py [--rounds 3] [--model mobilenet|resnet18|resnet50|minilm ...]
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
QDQ = ROOT / "build" / "release" / "qdq"
CACHE = ROOT / "build" / "benchmarks"
MODELS = ["mobilenet", "resnet18", "resnet50", "resnet56", "minilm"]
# torch and the recipes are imported by the workers only: a child's peak memory counts what its parent held at the fork.


def load(model):
    import recipes

    if model == "minilm":
        module, *inputs = recipes.minilm()
    elif model == "resnet56":
        recipe = recipes.recipe("resnet_cifar")
        module, inputs = recipe.load(56)[0], [next(iter(recipe.data(64, batch=64)))[0]]
    else:
        makers = {"mobilenet": recipes.mobilenet, "resnet18": recipes.resnet18, "resnet50": recipes.resnet50}
        module, *inputs = makers[model](images=64)[:2]
    return recipes, module, inputs


def export_worker(model, batches, batch):
    recipes, module, inputs = load(model)
    recipes.export(f"{model}_{batch}", module, [x[:batch] for x in inputs])
    recipes.save_npz(f"{model}_{batches}x{batch}", {f"input_{i}": x[: batches * batch] for i, x in enumerate(inputs)})


def torchao_worker(model, batches, batch):
    """Runs in a process of its own and prints one JSON line."""
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

    torch.set_num_threads(1)
    _, module, inputs = load(model)
    with torch.no_grad():
        feed = [tuple(x[i * batch : (i + 1) * batch] for x in inputs) for i in range(batches)]
        gm = torch.export.export(module, feed[0]).module()
        quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        start = time.process_time()
        gm = prepare_pt2e(gm, quantizer)
        for item in feed:
            gm(*item)
        convert_pt2e(gm)
        seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def run(command):
    """CPU seconds, peak MB and output of a finished child."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
    if status != 0:
        sys.exit(f"{command[0]} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", action="append", choices=MODELS)
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        kind, model, batches, batch = options.worker
        worker = {"export": export_worker, "torchao": torchao_worker}[kind]
        return worker(model, int(batches), int(batch))

    print(f"{'model':10} {'batches':8} {'ours s':>7} {'torchao s':>10} {'ratio':>6} {'ours MB':>8} {'torchao MB':>11}")
    for model in options.model or MODELS:
        for batches, batch in [(32, 1), (8, 8)]:
            shape = [model, str(batches), str(batch)]
            run([sys.executable, __file__, "--worker", "export", *shape])
            path, data = CACHE / f"{model}_{batch}.pt2", CACHE / f"{model}_{batches}x{batch}.npz"
            target = CACHE / f"{model}.int8.pt2"
            command = [QDQ, "quantize", path, "--calibrate", data, "--quantizer", "xnnpack", "--per-channel", "--accuracy", "fast"]
            command += ["--batch", str(batch), "--threads", "1", "-o", target]
            ours, theirs = [], []
            for _ in range(options.rounds):
                ours.append(run([str(part) for part in command])[:2])
                result = json.loads(run([sys.executable, __file__, "--worker", "torchao", *shape])[2].splitlines()[-1])
                theirs.append((result["seconds"], result["mb"]))
            ratio = statistics.median(t[0] / o[0] for o, t in zip(ours, theirs))
            us, them = ([statistics.median(column) for column in zip(*rows)] for rows in (ours, theirs))
            print(
                f"{model:10} {batches}x{batch:<6} {us[0]:7.2f} {them[0]:10.2f} {ratio:6.1f} {us[1]:8.0f} {them[1]:11.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
