#!/usr/bin/env python3
"""Quantizing through torch.fx: qdq.pt2e and torchao.quantization.pt2e on the same exported network, in turn.

usage: benchmarks/pt2e_pipeline.py [--networks mobilenet_v2,minilm_plain] [--rounds 3] [--batches 4]

CPU seconds of prepare_pt2e, of calibration (all batches) and of convert_pt2e, medians over the rounds, and calibration as
multiples of the exported network's own forward passes. One thread.
"""

import argparse
import copy
import pathlib
import statistics
import sys
import time
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "build" / "release" / "python"))
sys.path.insert(0, str(ROOT / "tests" / "python"))

import torch  # noqa: E402

import qdq.pt2e.quantize_pt2e as ours  # noqa: E402
import qdq.pt2e.testing._xnnpack_quantizer as our_quantizer  # noqa: E402
import torchao.quantization.pt2e.quantize_pt2e as theirs  # noqa: E402
import torchao.testing.pt2e._xnnpack_quantizer as their_quantizer  # noqa: E402
from tools import load_recipe  # noqa: E402


def seconds(fn):
    start = time.process_time()
    result = fn()
    return time.process_time() - start, result


def run_all(model, batches):
    with torch.no_grad():
        for batch in batches:
            model(*batch)


def flow(library, quantizers, exported, batches):
    quantizer = quantizers.XNNPACKQuantizer().set_global(
        quantizers.get_symmetric_quantization_config(is_per_channel=True)
    )
    model = copy.deepcopy(exported)
    prepare, model = seconds(lambda: library.prepare_pt2e(model, quantizer))
    calibrate, _ = seconds(lambda: run_all(model, batches))
    convert, _ = seconds(lambda: library.convert_pt2e(model))
    return {"prepare": prepare, "calibrate": calibrate, "convert": convert}


def measure(network, rounds, batch_count):
    model, inputs = load_recipe(network)[:2]
    exported = torch.export.export(model.eval(), inputs, strict=True).module(check_guards=False)
    batches = [inputs] * batch_count
    run_all(exported, batches)
    rows = {"forward": [], "qdq": [], "torchao": []}
    for _ in range(rounds):
        rows["forward"].append(seconds(lambda: run_all(exported, batches))[0])
        rows["qdq"].append(flow(ours, our_quantizer, exported, batches))
        rows["torchao"].append(flow(theirs, their_quantizer, exported, batches))
    forward = statistics.median(rows["forward"])
    print(f"{network}: forward {forward:.2f} s for {batch_count} batches")
    print(f"  {'':10} {'qdq':>8} {'torchao':>8} {'ratio':>6}")
    for step in ("prepare", "calibrate", "convert"):
        mine, other = (statistics.median(row[step] for row in rows[name]) for name in ("qdq", "torchao"))
        print(f"  {step:10} {mine:8.3f} {other:8.3f} {other / mine:6.1f}")
        if step == "calibrate":
            print(f"  {'x forward':10} {mine / forward:8.2f} {other / forward:8.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default="mobilenet_v2,resnet_cifar,minilm_plain")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=4)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for network in arguments.networks.split(","):
        measure(network, arguments.rounds, arguments.batches)


if __name__ == "__main__":
    main()
