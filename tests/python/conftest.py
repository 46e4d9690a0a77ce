"""Fixtures that all Python tests share."""

from pathlib import Path

import pytest

from tools import ROOT, tool


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def qdq():
    """The command-line program."""
    return Path(tool("qdq"))
