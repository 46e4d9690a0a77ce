"""The stubs are those of the extension as built, and a program that uses them type-checks."""

import subprocess
import sys

import pytest

from tools import ROOT, build_dir

STUB = ROOT / "python" / "qdq" / "_core.pyi"
PROGRAM = """
import numpy as np
import qdq

program: qdq.Program = qdq.load("model.pt2")
quantized = qdq.quantize(program, "x86", [np.zeros((1, 1, 28, 28), np.float32)])
(scores,) = qdq.Session(quantized).run([np.zeros((1, 1, 28, 28), np.float32)])
best: int = int(scores.numpy().argmax())
for node in quantized.graph.nodes:
    names: list[str] = [user.name for user in node.users]


class Mine(qdq.Quantizer):
    def annotate(self, program: qdq.Program) -> None:
        spec = qdq.QuantizationSpec(qdq.DType.int8, qdq.ObserverFactory("MinMaxObserver"))
        for node in program.graph.nodes:
            qdq.annotation_of(node).output_qspec = spec
"""


def test_the_stub_is_the_extensions(tmp_path):
    command = [sys.executable, "-m", "nanobind.stubgen", "-q", "-P", "-m", "qdq._core", "-o", tmp_path / "_core.pyi"]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(build_dir() / "python")})
    assert (tmp_path / "_core.pyi").read_text() == STUB.read_text(), f"stale: {' '.join(map(str, command))}"


def mypy(path, folder):
    command = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", "--cache-dir", folder / "cache", path]
    environment = {"MYPYPATH": str(ROOT / "python")}
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)


def test_the_package_type_checks(tmp_path):
    done = mypy(ROOT / "python" / "qdq", tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("", "", ""),
        ('qdq.load("model.pt2")', "qdq.load(3)", 'Argument 1 to "load"'),
        ("qdq.DType.int8", "'int8'", 'Argument 1 to "QuantizationSpec"'),
    ],
)
def test_users_code_is_checked(tmp_path, old, new, complaint):
    (tmp_path / "user.py").write_text(PROGRAM.replace(old, new) if old else PROGRAM)
    done = mypy(tmp_path / "user.py", tmp_path)
    assert (done.returncode != 0) == bool(complaint), done.stdout
    assert complaint in done.stdout
