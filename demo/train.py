"""Trains the demo's two networks on Fashion-MNIST and exports them to demo/fmnist_resnet.pt2 and demo/fmnist_mbv2.pt2.
Puts the first training images into demo/images.npz, for trying commands out.

The files are part of the repository; this is how they were made. Run it from the root of the repository, with torch
2.13 and Debian's dataset-fashion-mnist (or --data DIRECTORY holding its four .gz files):

    python demo/train.py            # about ten minutes on one core
"""

import argparse
import gzip
import math
import re
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

BATCH = 128
PEAK_LEARNING_RATE = 4e-3
WARMUP_STEPS = 60
SAMPLE_IMAGES = 64


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen, filter each channel by itself, narrow again."""

    def __init__(self, inputs, outputs, stride, expansion=4):
        super().__init__()
        hidden = inputs * expansion
        self.layers = nn.Sequential(
            *conv_bn(inputs, hidden, 1),
            nn.ReLU6(),
            *conv_bn(hidden, hidden, 3, stride, groups=hidden),
            nn.ReLU6(),
            *conv_bn(hidden, outputs, 1),
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.layers(x) if self.adds else self.layers(x)


def conv_bn(inputs, outputs, kernel, stride=1, groups=1):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(outputs)


def head(channels):
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)


def fmnist_resnet():
    return nn.Sequential(
        *conv_bn(1, 24, 3, stride=2),
        nn.ReLU(),
        ResidualBlock(24, 24, 1),
        ResidualBlock(24, 48, 2),
        ResidualBlock(48, 48, 1),
        ResidualBlock(48, 96, 2),
        *head(96),
    )


def fmnist_mbv2():
    return nn.Sequential(
        *conv_bn(1, 24, 3, stride=2),
        nn.ReLU6(),
        InvertedResidual(24, 24, 1),
        InvertedResidual(24, 40, 2),
        InvertedResidual(40, 40, 1),
        InvertedResidual(40, 64, 2),
        InvertedResidual(64, 64, 1),
        *conv_bn(64, 128, 1),
        nn.ReLU6(),
        *head(128),
    )


def read_idx(path, header_bytes):
    return torch.frombuffer(bytearray(gzip.open(path).read()), dtype=torch.uint8)[header_bytes:]


def load(directory, part):
    images = read_idx(directory / f"{part}-images-idx3-ubyte.gz", 16).view(-1, 1, 28, 28)
    labels = read_idx(directory / f"{part}-labels-idx1-ubyte.gz", 8)
    return (images.float() / 255 - 0.286) / 0.353, labels.long()


def train(model, images, labels, steps):
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.02)
    for step in range(steps):
        rate = PEAK_LEARNING_RATE * min(1, (step + 1) / WARMUP_STEPS) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        pick = torch.randint(0, len(images), (BATCH,))
        mirrored = torch.rand(BATCH, 1, 1, 1) < 0.5
        batch = torch.where(mirrored, images[pick].flip(3), images[pick])
        optimizer.zero_grad()
        F.cross_entropy(model(batch), labels[pick]).backward()
        optimizer.step()
    return model.eval()


@torch.no_grad()
def accuracy(model, images, labels):
    right = sum((model(x).argmax(1) == y).sum().item() for x, y in zip(images.split(500), labels.split(500)))
    return right / len(labels)


def anonymise(graph):
    """Stack traces name files of the machine that exported: keep their part from the package (torch/...) on."""
    for node in graph.nodes:
        trace = node.meta.get("stack_trace")
        if trace:
            node.meta["stack_trace"] = re.sub(r'File "[^"]*?((?:torch|demo)/[^"]*)"', r'File "\1"', trace)


def export(model, path):
    batch = torch.export.Dim("batch", min=1, max=65536)
    program = torch.export.export(model, (torch.zeros(2, 1, 28, 28),), dynamic_shapes=({0: batch},))
    anonymise(program.graph)
    torch.export.save(program, path)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    arguments.add_argument("--steps", type=int, default=2000, help="of 128 images")
    arguments.add_argument("--out", type=Path, default=Path("demo"))
    options = arguments.parse_args()

    torch.set_num_threads(1)
    train_set, test_set = load(options.data, "train"), load(options.data, "t10k")
    images, labels = train_set[0][:SAMPLE_IMAGES], train_set[1][:SAMPLE_IMAGES]
    np.savez_compressed(options.out / "images.npz", input=images.numpy(), label=labels.numpy())
    for build in (fmnist_resnet, fmnist_mbv2):
        torch.manual_seed(1)
        model = train(build(), *train_set, options.steps)
        path = options.out / f"{build.__name__}.pt2"
        export(model, path)
        print(f"{path}: test accuracy {accuracy(model, *test_set):.4f}, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
