#!/usr/bin/env python3
"""Quantizing through torch.fx: qdq.pt2e and torchao.quantization.pt2e on the same exported network, in turn.

usage: benchmarks/pt2e_pipeline.py [--networks mobilenet_v2,resnet50_random,minilm_plain] [--rounds 3] [--batches 4] [--training]

CPU seconds of prepare_pt2e, of calibration (all batches) and of convert_pt2e, medians over the rounds, and calibration as
multiples of the exported network's own forward passes. One thread.

--training: quantization-aware training instead: prepare_qat_pt2e and convert_pt2e of a ResNet-18, once, and a training step
of MobileNetV2, medians over the rounds.
"""

import argparse
import copy
import gc
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
    gc.collect()  # the models of earlier turns: nobody pays for the others' cycles
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


class BasicBlock(torch.nn.Module):
    """torchvision's: two 3x3 convolutions and a shortcut."""

    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(channels)
        self.conv2 = torch.nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(channels)
        self.relu = torch.nn.ReLU()
        shortcut = [torch.nn.Conv2d(channels_in, channels, 1, stride, bias=False), torch.nn.BatchNorm2d(channels)]
        self.downsample = torch.nn.Sequential(*(shortcut if stride != 1 else []))

    def forward(self, x):
        return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))) + self.downsample(x))


def resnet18():
    stem = [torch.nn.Conv2d(3, 64, 7, 2, 3, bias=False), torch.nn.BatchNorm2d(64), torch.nn.ReLU()]
    widths = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]
    head = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(512, 1000)]
    return torch.nn.Sequential(*stem, torch.nn.MaxPool2d(3, 2, 1), *(BasicBlock(*w) for w in widths), *head)


def prepare_qat(library, quantizers, exported):
    config = quantizers.get_symmetric_quantization_config(is_per_channel=True, is_qat=True)
    return library.prepare_qat_pt2e(copy.deepcopy(exported), quantizers.XNNPACKQuantizer().set_global(config))


def measure_passes():
    """prepare_qat_pt2e and convert_pt2e, each with one forward pass between them that is not counted."""
    inputs = (torch.randn(2, 3, 224, 224),)
    exported = torch.export.export(resnet18(), inputs, strict=True).module(check_guards=False)
    total = {}
    for name, library, quantizers in (("qdq", ours, our_quantizer), ("torchao", theirs, their_quantizer)):
        prepare, model = seconds(lambda: prepare_qat(library, quantizers, exported))
        model(*inputs)
        convert, _ = seconds(lambda: library.convert_pt2e(model))
        total[name] = prepare + convert
        print(f"ResNet-18, {name}: prepare_qat_pt2e {prepare:.3f} s, convert_pt2e {convert:.3f} s")
    print(f"  torchao / qdq: {total['torchao'] / total['qdq']:.0f}")


def training_step(model, inputs):
    model.zero_grad(set_to_none=True)
    model(*inputs).square().mean().backward()


def measure_step(rounds):
    model, inputs = load_recipe("mobilenet_v2")[:2]
    exported = torch.export.export(model.train(), inputs, strict=True).module(check_guards=False)
    models = {"qdq": prepare_qat(ours, our_quantizer, exported), "torchao": prepare_qat(theirs, their_quantizer, exported)}
    spent = {name: [] for name in models}
    for model in models.values():
        training_step(model, inputs)
    for turn in range(rounds):
        for name, model in sorted(models.items(), reverse=turn % 2 == 1):  # nobody is always the first
            spent[name].append(seconds(lambda: training_step(model, inputs))[0])
    mine, other = (statistics.median(spent[name]) for name in ("qdq", "torchao"))
    print(f"MobileNetV2, training step: qdq {mine:.3f} s, torchao {other:.3f} s, torchao / qdq: {other / mine:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default="mobilenet_v2,resnet50_random,minilm_plain")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--training", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if arguments.training:
        measure_passes()
        measure_step(arguments.rounds)
        return
    for network in arguments.networks.split(","):
        measure(network, arguments.rounds, arguments.batches)


if __name__ == "__main__":
    main()
