"""Calibration with one worker and with two, in turn, a thread each: how many times faster two are.

The time is that of the step "calibrate" of `qdq calibrate`. "cores" is CPU seconds per second of the whole process: with two
workers on a machine that does nothing else it comes close to 2. Where it does not, others had the cores, and the ratio
says little.

    python benchmarks/calibrate_threads.py [--rounds 5] [--model mobilenet|resnet50|minilm ...]
"""

import argparse
import json
import statistics
import sys
import time

from pipeline import CACHE, QDQ, run

BATCH = 8
BATCHES = 8
REPEATS = {"mobilenet": 8, "resnet50": 2, "minilm": 4}  # how often the data is repeated: some seconds of work each


def export(model):
    """The program and its calibration data, as files."""
    import numpy as np
    from pipeline import load

    recipes, module, inputs = load(model)
    recipes.export(f"{model}_{BATCH}", module, [x[:BATCH] for x in inputs])
    arrays = {f"input_{i}": np.tile(x.numpy(), (REPEATS[model], *[1] * (x.ndim - 1))) for i, x in enumerate(inputs)}
    np.savez(CACHE / f"{model}_threads.npz", **arrays)


def calibrate(model, workers):
    """Seconds of the step, and the cores that the process used."""
    command = [QDQ, "calibrate", CACHE / f"{model}_{BATCH}.pt2", "--data", CACHE / f"{model}_threads.npz"]
    command += ["--batch", BATCH, "--samples", BATCH * BATCHES * REPEATS[model], "--workers", workers, "--threads", 1]
    command += ["--checkpoint-every", 0, "--json", "-o", CACHE / f"{model}_{workers}.safetensors"]
    start = time.monotonic()
    cpu, _, output = run([str(part) for part in command])
    elapsed = time.monotonic() - start
    seconds = next(step["seconds"] for step in json.loads(output)["steps"] if step["name"] == "calibrate")
    return seconds, cpu / elapsed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", action="append", choices=list(REPEATS))
    parser.add_argument("--export", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.export:
        return export(options.export)

    print(f"{'model':10} {'one, s':>7} {'two, s':>7} {'faster':>7} {'cores, one':>11} {'cores, two':>11}")
    for model in options.model or list(REPEATS):
        run([sys.executable, __file__, "--export", model])
        rounds = [(calibrate(model, 1), calibrate(model, 2)) for _ in range(options.rounds)]
        files = [(CACHE / f"{model}_{workers}.safetensors").read_bytes() for workers in (1, 2)]
        assert files[0] == files[1], f"{model}: two workers found other statistics than one"
        one, two = ([statistics.median(column) for column in zip(*side)] for side in zip(*rounds))
        faster = statistics.median(a[0] / b[0] for a, b in rounds)
        print(f"{model:10} {one[0]:7.2f} {two[0]:7.2f} {faster:7.2f} {one[1]:11.2f} {two[1]:11.2f}", flush=True)


if __name__ == "__main__":
    main()
