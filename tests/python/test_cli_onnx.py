"""The commands on ONNX files: the extension says the format."""

import json

import numpy as np
import pytest

from conftest import IMAGES, network

onnx = pytest.importorskip("onnx")


@pytest.fixture
def model(run, tmp_path):
    """A network of the demo as ONNX."""
    run("export", network(), "net.onnx", "-q")
    return tmp_path / "net.onnx"


def test_export_writes_and_says_how_much(run, tmp_path):
    summary = json.loads(run("export", network(), "net.onnx", "--json").stdout)
    assert summary["bytes"] == (tmp_path / "net.onnx").stat().st_size
    assert run("export", network(), "net.onnx").stdout == f"net.onnx: {summary['bytes']:,} bytes\n"
    onnx.checker.check_model(str(tmp_path / "net.onnx"), full_check=True)


def test_export_takes_an_opset(run, tmp_path):
    run("export", network(), "net.onnx", "--opset", "13", "-q")
    assert onnx.load(tmp_path / "net.onnx").opset_import[0].version == 13
    assert "not in range 13 to 23" in run("export", network(), "net.onnx", "--opset", "12", code=2).stderr


@pytest.mark.parametrize("option", [["--opset", "17"], ["--keep-int8"], ["--round-biases"]], ids=lambda option: option[0])
def test_export_refuses_options_about_onnx_for_other_files(option, run):
    refusal = run("export", network(), "net.pt2", *option, code=2).stderr
    assert f"{option[0]} is about ONNX files; net.pt2 is none" in refusal


def test_the_other_commands_read_and_write_it(run, model, tmp_path):
    run("quantize", model, "--calibrate", IMAGES, "--per-channel", "-q", "-o", "int8.onnx")
    run("quantize", network(), "--calibrate", IMAGES, "--per-channel", "-q", "-o", "int8.pt2")
    for name in ("int8.onnx", "int8.pt2"):
        run("run", name, "--input", IMAGES, "--output", f"{name}.npy", "-q")
    found, expected = (np.load(tmp_path / f"{name}.npy") for name in ("int8.onnx", "int8.pt2"))
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.99
    assert json.loads(run("inspect", "int8.onnx", "--json").stdout)["quantized"] > 0
    assert "quantized" in run("explain", "int8.onnx").stdout
    assert run("compare", model, "int8.onnx", "--input", IMAGES, "--samples", "8", "--json").stdout
    run("pass", model, "--pass", "eliminate_dead_code", "-o", "passed.onnx", "-q")
    run("export", "int8.onnx", "back.pt2", "-q")
    run("run", "back.pt2", "--input", IMAGES, "--output", "back.npy", "-q")
    np.testing.assert_array_equal(np.load(tmp_path / "back.npy"), found)


def test_what_cannot_be_read_is_a_bad_file(run, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"\x00" * 64)
    assert "bad.onnx: at byte 0: broken protobuf" in run("inspect", "bad.onnx", code=3).stderr
