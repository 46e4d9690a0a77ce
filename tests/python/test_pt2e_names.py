"""Users' imports find what they look for after the prefix is changed."""

import importlib
import re
import subprocess
import sys

import pytest

from tools import ROOT, build_dir

# What is known to be missing (docs/coming_from_torchao.md, "Not there yet").
MISSING_MODULES = {".reference_representation_rewrite", ".lowering"}


def names():
    path = ROOT.parent / "shared" / "spec" / "pt2e_api.md"
    if not path.exists():
        return []
    found = []
    for modules, listed in re.findall(r"^\| (`.*?) \| (.*?) \|$", path.read_text(), re.MULTILINE):
        module = re.findall(r"`(PKG|\.[\w.]+)`", modules)[0]
        if module not in MISSING_MODULES:
            cleaned = re.sub(r" and the other named defaults.*|; sub-modules.*", "", listed)
            found += [(module, name.strip(" `")) for name in re.split(r"[,;]", cleaned)]
    return found


@pytest.mark.parametrize("module, name", names(), ids=lambda value: value.strip("."))
def test_the_name_is_there(module, name):
    suffix = {".xnnpack_quantizer": ".quantizer.xnnpack_quantizer"}.get(module, module)
    if suffix.startswith(".quantizer.xnnpack_quantizer") and name in ("OP_TO_ANNOTATOR", "QuantizationConfig"):
        suffix += "_utils"
    if name == "EmbeddingQuantizer":
        suffix = ".quantizer.embedding_quantizer"
    imported = importlib.import_module("qdq.pt2e" + ("" if suffix == "PKG" else suffix))
    assert hasattr(imported, name)


@pytest.mark.parametrize("module", ["observer", "fake_quantize", "quantizer", "quantizer.utils"])
def test_every_public_name_of_torchaos_module_is_there(module):
    pytest.importorskip("torchao")
    theirs = importlib.import_module(f"torchao.quantization.pt2e.{module}")
    ours = importlib.import_module(f"qdq.pt2e.{module}")
    public = getattr(theirs, "__all__", None) or [
        name
        for name, value in vars(theirs).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == theirs.__name__
    ]
    assert [name for name in public if not hasattr(ours, name)] == []


def test_importing_it_leaves_torch_as_it_is():
    code = """
import sys, torch
import qdq.pt2e.quantize_pt2e, qdq.pt2e.quantizer.x86_inductor_quantizer
assert "torchao" not in sys.modules and "torch._inductor" not in sys.modules
assert not hasattr(torch.ops.quantized_decomposed, "quantize_per_tensor")
"""
    environment = {"PYTHONPATH": str(build_dir() / "python")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
