"""Fixtures that all Python tests share."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools import ROOT, build_dir, tool

# The Python package as built: `import qdq`.
sys.path.insert(0, str(build_dir() / "python"))

NETWORKS = ["fmnist_resnet", "fmnist_mbv2"]
IMAGES = ROOT / "demo" / "images.npz"

# What reading a hostile file may take.
MEMORY = 1 << 30  # of address space: a program and its libraries take a third of it
SECONDS = 60  # far more than any of these takes; a hang is a failure

# Jobs in the background of a shell ignore SIGINT, and their children after them: here it means what it means in the foreground.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture
def run_limited(qdq, tmp_path):
    """Runs qdq within MEMORY and SECONDS."""

    def run_limited(*arguments):
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        command = [qdq, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, preexec_fn=limit)

    return run_limited


@pytest.fixture
def refuse(run_limited):
    """Fails unless qdq refuses the file with one message that has every text of `says`."""

    def refuse(*arguments, says, code=3):
        done = run_limited(*arguments)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout[:2000]}\n{done.stderr[:2000]}"
        assert len(done.stderr) < 2000, "the message repeats the file"
        assert not [c for c in done.stderr if ord(c) < 32 and c != "\n"], repr(done.stderr)
        for text in (says,) if isinstance(says, str) else says:
            assert text in done.stderr, done.stderr

    return refuse


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
