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
