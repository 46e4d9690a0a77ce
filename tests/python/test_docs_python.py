"""The Python of the documents runs."""

import re
import shutil

import pytest

from conftest import network
from tools import ROOT

DOCUMENTS = ["python.md", "coming_from_torchao.md"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_code_blocks_run_one_after_the_other(document, tmp_path, monkeypatch):
    shutil.copy(network(), tmp_path / "model.pt2")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / document).read_text(), re.DOTALL)
    assert blocks
    names = {}
    for block in blocks:
        exec(compile(block, document, "exec"), names)


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    import numpy as np

    shutil.copy(network(), tmp_path / "model.pt2")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"In Python, .*?```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names = {"batches": [np.zeros((2, 1, 28, 28), np.float32), np.ones((2, 1, 28, 28), np.float32)]}
    exec(compile(block, "README.md", "exec"), names)
    assert names["scores"].shape == (2, 10)
