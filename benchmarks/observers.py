"""Observers: ours and torchao's on the same tensors, in turn, in one run. Prints times and ratios.

    python benchmarks/observers.py [build folder, default build/release] [--threads N]
"""
import argparse
import statistics
import subprocess
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torchao.quantization.pt2e import observer as torchao_observers

ROOT = Path(__file__).resolve().parents[1]


def activations(form, size, generator):
    x = generator.standard_normal(size).astype(np.float32)
    if form == "relu6":
        return np.clip(x * 2, 0, 6)
    if form == "sparse":
        return np.where(generator.random(size) < 0.99, 0, x).astype(np.float32)
    if form == "constant":
        return np.full(size, 0.75, dtype=np.float32)
    return x


class Ours:
    def __init__(self, build):
        self.process = subprocess.Popen([Path(build) / "benchmarks" / "bench_observers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, line, payload=b""):
        self.process.stdin.write(line.encode() + b"\n" + payload)
        self.process.stdin.flush()

    def ask(self, line):
        self.tell(line)
        return [float(word) for word in self.process.stdout.readline().split()]


def timed(fn):
    start = time.perf_counter_ns()
    result = fn()
    return time.perf_counter_ns() - start, result


def compare(ours, kind, form, size, batches=8):
    """Median time per batch and time of the qparams, in nanoseconds, of both; checks that the qparams are equal."""
    generator = np.random.default_rng(size)
    peer = getattr(torchao_observers, kind)(dtype=torch.int8)
    ours.tell(f"new {kind} int8")
    observe, qparams = ([], []), ([], [])
    for _ in range(batches):
        x = activations(form, size, generator)
        tensor = torch.from_numpy(x)
        ours.tell(f"values {size}", x.tobytes())
        observe[0].append(ours.ask("observe")[0])
        observe[1].append(timed(lambda: peer(tensor))[0])
    for _ in range(3):
        mine, scale, zero_point = ours.ask("qparams")
        theirs, expected = timed(peer.calculate_qparams)
        assert (scale, zero_point) == (float(expected[0]), float(expected[1])), (scale, zero_point, expected)
        qparams[0].append(mine)
        qparams[1].append(theirs)
    return [statistics.median(times) for times in (*observe, *qparams)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default=ROOT / "build" / "release")
    parser.add_argument("--threads", type=int, default=1, help="of torch; ours uses one")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warnings.simplefilter("ignore")
    ours = Ours(arguments.build)
    print(f"torch with {arguments.threads} thread(s)")
    print(f"{'observer':28} {'values':8} {'size':>8} | {'observe: ours':>14} {'ns/value':>8} {'torchao':>10} {'ratio':>6} | "
          f"{'qparams: ours':>14} {'torchao':>10} {'ratio':>6}")
    for kind in ["MinMaxObserver", "HistogramObserver"]:
        for form in ["normal", "relu6", "sparse", "constant"]:
            for size in [10_000, 100_000, 1_000_000]:
                mine, theirs, my_qparams, their_qparams = compare(ours, kind, form, size)
                print(f"{kind:28} {form:8} {size:8} | {mine / 1e3:11.1f} us {mine / size:8.3f} {theirs / 1e3:7.1f} us "
                      f"{theirs / mine:6.1f} | {my_qparams / 1e3:11.1f} us {their_qparams / 1e3:7.0f} us {their_qparams / my_qparams:6.1f}")


if __name__ == "__main__":
    main()
