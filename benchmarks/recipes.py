"""The models that the benchmarks use, from ../shared/models, exported to .pt2 with their calibration data."""

import importlib
import pathlib
import sys

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECIPES = ROOT.parent / "shared" / "models"
CACHE = ROOT / "build" / "benchmarks"


def recipe(name):
    if not RECIPES.exists():
        sys.exit(f"this benchmark needs the model recipes in {RECIPES}")
    sys.path.insert(0, str(RECIPES))
    return importlib.import_module(name)


def mobilenet(images=500):
    """(module, images [n, 3, 224, 224], labels [n]): one image for each of n classes"""
    module = recipe("mobilenet_v2")
    batches = list(module.data(images))
    return module.load()[0], torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])


def resnet50(images=64):
    """(module with random weights, images [n, 3, 224, 224])"""
    return recipe("resnet50_random").load()[0], mobilenet(images)[1]


def minilm():
    """(module, ids [n, 128], mask [n, 128])"""
    module = recipe("minilm_plain")
    sentences = [f"Sentence number {i} says that a man is playing a guitar while two dogs run." for i in range(64)]
    ids, mask = module.encode(sentences, 128)
    return module.load()[0], ids, mask


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
