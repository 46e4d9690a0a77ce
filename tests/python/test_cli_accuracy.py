"""`qdq quantize --accuracy ...`, `--max-drop` and `qdq diagnose` on the networks of the demo."""

import json

import numpy as np
import pytest
import torch

from conftest import IMAGES, network


def quantize(run, *options, code=0):
    return run("quantize", network(), "--calibrate", IMAGES, "-o", "out.pt2", *options, code=code)


def sqnr(run, program="out.pt2"):
    report = json.loads(run("compare", network(), program, "--input", IMAGES, "--outputs-only", "--json").stdout)
    return report["outputs"][0]["sqnr_db"]


def test_balanced_is_the_default_and_better_than_fast(run, tmp_path):
    report = json.loads(quantize(run, "--json").stdout)
    assert [step["algorithm"] for step in report["accuracy"]] == ["observe_behind_clamps", "widen_activations", "bias_correction"]
    default = (tmp_path / "out.pt2").read_bytes()
    better = sqnr(run)
    quantize(run, "--accuracy", "balanced")
    assert (tmp_path / "out.pt2").read_bytes() == default
    assert json.loads(quantize(run, "--accuracy", "fast", "--json").stdout)["accuracy"] == []
    assert better > sqnr(run) + 1


def test_best_says_how_long_it_takes(run):
    done = quantize(run, "--accuracy", "best", "--weight-bits", 4)
    assert "AdaRound will take about" in done.stderr
    assert "adaround: 18 changed" in done.stdout


def test_every_algorithm_can_be_asked_for_alone(run):
    for options, name in [
        (["--equalize"], "equalize"),
        (["--absorb-biases"], "absorb_high_biases"),
        (["--equalize-activations"], "equalize_activations"),
        (["--smooth-quant"], "smooth_quant"),
        (["--widen-weights"], "widen_weights"),
        (["--observe-behind-clamps"], "observe_behind_clamps"),
        (["--widen"], "widen_activations"),
        (["--bias-correction", "full"], "bias_correction"),
        (["--gptq", "--weight-bits", 4], "gptq"),
    ]:
        report = json.loads(quantize(run, "--accuracy", "fast", "--json", *options).stdout)
        assert [step["algorithm"] for step in report["accuracy"]] == [name]


def test_the_result_does_not_depend_on_the_number_of_threads(run, tmp_path):
    for threads in (1, 2):
        quantize(run, "--accuracy", "best", "--weight-bits", 4, "--threads", threads, "-q")
        (tmp_path / "out.pt2").rename(tmp_path / f"{threads}.pt2")
    assert (tmp_path / "1.pt2").read_bytes() == (tmp_path / "2.pt2").read_bytes()


def test_weights_without_data_stay_possible(run):
    report = json.loads(run("quantize", network(), "--weight-only", "int8", "-o", "out.pt2", "--json").stdout)
    assert [step["algorithm"] for step in report["accuracy"]] == ["observe_behind_clamps"]
    refused = run("quantize", network(), "--weight-only", "int4", "--gptq", "-o", "out.pt2", code=2)
    assert "--calibrate is missing" in refused.stderr


@pytest.fixture
def labelled(run, tmp_path):
    """Data to judge by: the labels are the float program's decisions, so that it scores 100."""
    images = np.load(IMAGES)["input"]
    run("run", network(), "--input", IMAGES, "-o", "float.npy")
    np.savez(tmp_path / "labelled.npz", input=images, labels=np.load(tmp_path / "float.npy").argmax(1))
    return "labelled.npz"


def test_max_drop_keeps_ops_in_float_until_the_score_is_reached(run, labelled):
    bad = ["--accuracy", "fast", "--weight-bits", 2, "--per-tensor"]
    done = quantize(run, *bad, "--max-drop", 2, "--evaluate", labelled)
    assert "evaluations at most" in done.stderr
    assert "top1 100.000 in float" in done.stdout
    stay = done.stdout.split("in float stay:\n")[1].split()
    assert stay and stay != ["none"]
    enough = quantize(run, "--max-drop", 100, "--evaluate", labelled)
    assert enough.stdout.split("in float stay:\n")[1].split() == ["none"]


def test_max_drop_gives_activations_16_bits_instead(run, labelled):
    drop = ["--evaluate", labelled, "--metric", "sqnr", "--accuracy", "fast", "--per-channel", "--sixteen-bits"]
    all_in_8 = quantize(run, *drop, "--max-drop", 200)
    assert all_in_8.stdout.split("16 bits have:\n")[1].split() == ["none"]
    done = quantize(run, *drop, "--max-drop", 160)  # of 200, which stand for no error
    assert done.stdout.split("16 bits have:\n")[1].split() != ["none"]


def test_max_drop_says_what_is_missing(run, labelled):
    assert "needs an array 'labels'" in quantize(run, "--max-drop", 1, "--evaluate", IMAGES, code=2).stderr
    assert "--evaluate" in quantize(run, "--max-drop", 1, code=2).stderr
    report = quantize(run, "--max-drop", 100, "--evaluate", IMAGES, "--metric", "agreement")
    assert "agreement 100.000 in float" in report.stdout


def test_diagnose_ranks_tensors_and_ops(run):
    options = ["--calibrate", IMAGES, "--per-channel", "--ops", 3]
    report = json.loads(run("diagnose", network(), *options, "--json").stdout)
    added = [tensor["added"]["sqnr_db"] for tensor in report["tensors"]]
    assert added == sorted(added) and len(added) > 30
    assert any(tensor["is_weight"] for tensor in report["tensors"])
    assert all(0 <= tensor["clipped"] <= 1 for tensor in report["tensors"])
    gains = [op["gain_db"] for op in report["ops"]]
    assert gains == sorted(gains, reverse=True) and len(gains) == 3
    assert report["exclude"] == [op["name"] for op in report["ops"] if op["gain_db"] >= 0.5]
    text = run("diagnose", network(), *options).stdout
    assert "brings dB" in text and f"the outputs have {report['sqnr_db']:.1f} dB" in text


@pytest.mark.parametrize("options", [["--bias-correction", "full"], ["--gptq"], ["--accuracy", "best"]])
def test_scales_that_are_chosen_at_run_time_take_every_algorithm(run, tmp_path, options):
    class Linears(torch.nn.Sequential):
        def __init__(self):
            super().__init__(torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 8))

    torch.manual_seed(0)
    torch.export.save(torch.export.export(Linears().eval(), (torch.ones(4, 16),)), tmp_path / "net.pt2")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((64, 16), np.float32))
    run("diagnose", "net.pt2", "--dynamic", "--calibrate", "x.npy")
    run("quantize", "net.pt2", "--dynamic", *options, "--calibrate", "x.npy", "-o", "int8.pt2")
    report = json.loads(run("compare", "net.pt2", "int8.pt2", "--input", "x.npy", "--outputs-only", "--json").stdout)
    assert report["outputs"][0]["sqnr_db"] > 30
