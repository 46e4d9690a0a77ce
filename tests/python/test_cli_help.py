"""What the command line says of itself: help texts, their copies in the documents, and the examples in them, which run."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tools import ROOT, tool

DEMO = ROOT / "demo"


def help_of(*command):
    return subprocess.run([tool("qdq"), *command, "--help"], check=True, capture_output=True, text=True).stdout


def commands():
    listed = help_of().split("Commands:\n")[1]
    return re.findall(r"^  ([a-z]\S*)", listed, re.MULTILINE)


def examples(command):
    """The lines below "Examples:" that call qdq, without what they pipe into."""
    text = help_of(command).split("Examples:\n")[1]
    lines = [line.strip() for line in text.splitlines() if line.startswith(("  qdq ", "  python3 "))]
    return [line.split(" | ")[0] if line.startswith("qdq ") else line for line in lines]


MAKE_BATCHES = """
import io, sys
import numpy

for batch in numpy.split(numpy.load("images.npz")["input"], 8):
    file = io.BytesIO()
    numpy.save(file, batch)
    sys.stdout.buffer.write(file.getvalue())
"""


class Bert(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(8, 16)
        self.out = torch.nn.Linear(16, 2)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))


@pytest.fixture(scope="session")
def sample_files(tmp_path_factory):
    """The files that the examples speak of."""
    folder = tmp_path_factory.mktemp("samples")
    (folder / "net.pt2").write_bytes((DEMO / "fmnist_mbv2.pt2").read_bytes())
    (folder / "images.npz").write_bytes((DEMO / "images.npz").read_bytes())
    images = np.load(DEMO / "images.npz")["input"]
    np.savez(folder / "state.npz", input=images[:3])
    torch.export.save(torch.export.export(Bert().eval(), (torch.zeros(4, 8),)), folder / "bert.pt2")
    torch.export.save(torch.export.export(torch.nn.Conv2d(3, 4, 7, 4), (torch.zeros(2, 3, 224, 224),)), folder / "mobilenet.pt2")
    (folder / "photos").mkdir()
    for i in range(4):
        Image.new("RGB", (300, 260), (40 * i, 90, 200)).save(folder / "photos" / f"{i}.jpg")
    (folder / "make_batches.py").write_text(MAKE_BATCHES)
    quantize = "quantize net.pt2 -c images.npz -o net.int8.pt2 -q"
    as_text = "pass net.pt2 --pass remove_identity -o net.graph -q"
    for arguments in (quantize, as_text):
        subprocess.run([tool("qdq"), *arguments.split()], check=True, cwd=folder)
    return folder


@pytest.mark.parametrize("command", commands())
def test_examples_in_the_help_run_one_after_the_other(sample_files, tmp_path, command):
    shutil.copytree(sample_files, tmp_path, dirs_exist_ok=True)
    path = {"PATH": f"{Path(tool('qdq')).parent}:{Path(sys.executable).parent}:/usr/bin:/bin"}
    for example in examples(command):
        done = subprocess.run(["sh", "-c", example], cwd=tmp_path, env=path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{example}\n{done.stderr}"
    assert any(f"qdq {command} " in example for example in examples(command))


def test_every_command_has_examples_and_speaks_json():
    for command in commands():
        assert examples(command), command
        assert command in ("completions", "manual") or "--json" in help_of(command), command


def test_help_texts_in_the_documents_are_current(qdq):
    source = ROOT / "tools" / "update_command_line_docs.py"
    spec = importlib.util.spec_from_file_location("update_command_line_docs", source)
    update = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(update)
    document = update.DOCUMENT.read_text()
    assert update.updated(document, qdq) == document, "run tools/update_command_line_docs.py"
    for command in commands():
        assert f"$ qdq {command} --help" in document


def test_every_help_fits_a_page(qdq):
    for command in ([], *([c] for c in commands())):
        for line in help_of(*command).splitlines():
            assert len(line) <= 100, line
    assert subprocess.run([qdq, "--version"], capture_output=True, text=True).stdout.startswith("qdq ")
