"""Fixtures that all Python tests share."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools import ROOT, build_dir, tool

# The Python package as built: `import qdq`.
sys.path.insert(0, str(build_dir() / "python"))

NETWORKS = ["fmnist_resnet", "fmnist_mbv2"]
IMAGES = ROOT / "demo" / "images.npz"


def network(name="fmnist_mbv2"):
    return ROOT / "demo" / f"{name}.pt2"


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def qdq():
    """The command-line program."""
    return Path(tool("qdq"))


@pytest.fixture
def run(qdq, tmp_path):
    """Runs qdq in an empty folder. Fails unless the exit code is the one that is expected."""

    def run(*arguments, code=0):
        command = [qdq, *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, f"{done.args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture(scope="session")
def quantized(qdq, tmp_path_factory):
    """The networks of the demo, quantized, by name; made once."""
    folder = tmp_path_factory.mktemp("quantized")
    files = {}
    for name in NETWORKS:
        files[name] = folder / f"{name}.int8.pt2"
        command = [qdq, "quantize", network(name), "--calibrate", IMAGES, "--per-channel", "-q", "-o", files[name]]
        subprocess.run(command, check=True)
    return files
