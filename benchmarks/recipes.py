"""The models that the benchmarks use, from ../shared/models, exported to .pt2 with their calibration data."""

import importlib
import pathlib
import sys

import numpy as np
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECIPES = ROOT.parent / "shared" / "models"
CACHE = ROOT / "build" / "benchmarks"


def recipe(name):
    if not RECIPES.exists():
        sys.exit(f"this benchmark needs the model recipes in {RECIPES}")
    sys.path.insert(0, str(RECIPES))
    return importlib.import_module(name)


def mobilenet(images=500, crops=1):
    """(module, images [n, 3, 224, 224], labels [n]): one image for each of n classes, or `crops` pieces of it, every second mirrored.
    The first is the one that the recipe takes, from the middle."""
    module = recipe("mobilenet_v2")
    if crops == 1:
        batches = list(module.data(images))
    else:
        batches = [pair for crop in range(crops) for pair in crop_batches(crop, images)]
    return module.load()[0], torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])


def crop_batches(crop, images):
    """Crop number `crop` of each image, at a place that the number says."""
    sample = recipe("_common").imagenet_sample
    left, top = (16, 16) if crop == 0 else np.random.default_rng(crop).integers(0, 33, 2)
    for x, y in sample(images, size=256, every=max(1, 500 // images)):
        x = x[:, :, top : top + 224, left : left + 224]
        yield (x.flip(3) if crop % 2 else x).contiguous(), y


def resnet50(images=64):
    """(module with random weights, images [n, 3, 224, 224])"""
    return recipe("resnet50_random").load()[0], mobilenet(images)[1]


class BasicBlock(torch.nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(channels)
        self.conv2 = torch.nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(channels)
        self.shortcut = torch.nn.Identity()
        if stride != 1 or channels_in != channels:
            projection = torch.nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.shortcut = torch.nn.Sequential(projection, torch.nn.BatchNorm2d(channels))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet18(images=64):
    """(ResNet-18 with random weights, images [n, 3, 224, 224])"""
    torch.manual_seed(0)
    stem = [torch.nn.Conv2d(3, 64, 7, 2, 3, bias=False), torch.nn.BatchNorm2d(64), torch.nn.ReLU()]
    layers = [*stem, torch.nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, width in enumerate((64, 128, 256, 512)):
        layers += [BasicBlock(channels, width, 1 if stage == 0 else 2), BasicBlock(width, width, 1)]
        channels = width
    layers += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(512, 1000)]
    return torch.nn.Sequential(*layers).eval(), mobilenet(images)[1]


def minilm():
    """(module, ids [n, 128], mask [n, 128])"""
    module = recipe("minilm_plain")
    sentences = [f"Sentence number {i} says that a man is playing a guitar while two dogs run." for i in range(64)]
    ids, mask = module.encode(sentences, 128)
    return module.load()[0], ids, mask


def vit(images=64):
    """(ViT-S/16 with random weights, images [n, 3, 224, 224])"""
    torch.manual_seed(0)
    return transformers.VisionTransformer().eval(), mobilenet(images)[1]


def decoder(sentences=64):
    """(a decoder language model with random weights, ids [n, 128])"""
    torch.manual_seed(0)
    return transformers.Decoder().eval(), torch.randint(0, 8192, (sentences, 128))


def export(name, module, inputs):
    """Saves the program with static shapes; returns its path."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"{name}.pt2"
    inputs = tuple(x.clone() for x in inputs)  # a slice would drag its whole storage into the file
    torch.export.save(torch.export.export(module, inputs), path)
    return path


def save_npz(name, arrays):
    path = CACHE / f"{name}.npz"
    np.savez(path, **{key: value.numpy() for key, value in arrays.items()})
    return path
