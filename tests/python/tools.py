"""Where the tests find the built tools and the model recipes."""

import importlib
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def has_vnni():
    """Without it ONNX Runtime and torch's oneDNN add pairs of products of bytes in 16 bits, which saturate with 8-bit weights."""
    return "vnni" in pathlib.Path("/proc/cpuinfo").read_text()


def build_dir():
    if "QDQ_BUILD_DIR" in os.environ:
        return pathlib.Path(os.environ["QDQ_BUILD_DIR"])
    for name in ("release", "dev"):
        if (ROOT / "build" / name / "CMakeCache.txt").exists():
            return ROOT / "build" / name
    raise FileNotFoundError("build the project first: make build")


def tool(name):
    """Path of a built program: 'qdq' or a tool of tests/support."""
    for folder in ("", "tests"):
        path = build_dir() / folder / name
        if path.exists():
            return str(path)
    raise FileNotFoundError(f"{name} is not built in {build_dir()}")


def recipe(name):
    """A module of ../shared/models; skips the test where the recipes or their weights are absent."""
    folder = ROOT.parent / "shared" / "models"
    folder = pathlib.Path(os.environ.get("QDQ_SHARED", folder.parent)) / "models"
    if not (folder / f"{name}.py").exists():
        pytest.skip("the model recipes (../shared/models) are not on this machine")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except (ImportError, FileNotFoundError) as error:
        pytest.skip(f"{name}: {error}")


def load_recipe(name, *arguments):
    """Model and example inputs of a recipe; skips the test where the package with its weights is not installed."""
    try:
        return recipe(name).load(*arguments)
    except (ImportError, FileNotFoundError) as error:
        pytest.skip(f"{name}: {error}")
