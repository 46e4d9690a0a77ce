"""What all Python tests share: where the repository, the build and the programs are."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The folder that `make build` fills; QDQ_BUILD names another one (build/asan, say).
BUILD = ROOT / os.environ.get("QDQ_BUILD", "build/release")


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def build():
    return BUILD


@pytest.fixture(scope="session")
def qdq():
    """The command-line program."""
    program = BUILD / "src" / "cli" / "qdq"
    assert program.exists(), f"{program} is missing: run `make build` first"
    return program
