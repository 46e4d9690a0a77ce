"""What calibrating with histograms costs beside our own float forward: CPU seconds on one thread, and the ratio.

    python benchmarks/calibration_overhead.py [--rounds 3] [--model mobilenet|resnet50|minilm ...]
"""

import argparse
import os
import statistics
import subprocess

import recipes

BENCH = recipes.ROOT / "build" / "release" / "benchmarks" / "bench_calibration_overhead"


def load(model):
    if model == "minilm":
        return recipes.minilm()
    return {"mobilenet": recipes.mobilenet, "resnet50": recipes.resnet50}[model](images=64)[:2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", action="append", choices=["mobilenet", "resnet50", "minilm"])
    options = parser.parse_args()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    print(f"{'model':10} {'batches':8} {'float s':>8} {'calibrate s':>12} {'ratio':>6}")
    for model in options.model or ["mobilenet", "resnet50", "minilm"]:
        module, *inputs = load(model)
        for batches, batch in [(32, 1), (8, 8)]:
            path = recipes.export(f"{model}_{batch}", module, [x[:batch] for x in inputs])
            arrays = {f"input_{i}": x[: batches * batch] for i, x in enumerate(inputs)}
            data = recipes.save_npz(f"{model}_{batches}x{batch}", arrays)
            runs = []
            for _ in range(options.rounds):
                output = subprocess.run([BENCH, path, data, str(batch)], env=environment, check=True, capture_output=True)
                runs.append([float(word) for word in output.stdout.split()])
            in_float, calibrating = (statistics.median(column) for column in zip(*runs))
            ratio = statistics.median(c / f for f, c in runs)
            print(f"{model:10} {batches}x{batch:<6} {in_float:8.3f} {calibrating:12.3f} {ratio:6.2f}", flush=True)


if __name__ == "__main__":
    main()
