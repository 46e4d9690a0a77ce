"""qdq explain, run as a user runs it."""

import json
import os
import pty
import re

import numpy as np
import pytest
import torch
from conftest import IMAGES, network


def explained(run, *arguments):
    return json.loads(run("explain", *arguments, "--json").stdout)


def by_node(report):
    return {op["node"]: op for op in report["ops"]}


def test_a_quantized_file_says_what_happened(run, quantized):
    report = explained(run, quantized["fmnist_mbv2"])
    summary = json.loads(run("inspect", quantized["fmnist_mbv2"], "--json").stdout)
    assert report["state"] == "quantized"
    assert (report["quantized"], report["in_float"]) == (summary["quantized"], summary["in_float"])
    conv = by_node(report)["conv2d"]
    assert conv["quantized"] and conv["rule"].startswith("xnnpack.conv") and conv["why_not"] is None
    image, weight = conv["inputs"]
    assert (image["tensor"], image["dtype"], image["scheme"]) == ("input", "int8", "per_tensor_affine")
    assert image["observer"] == "HistogramObserver"
    samples = np.load(IMAGES)["input"]
    assert image["observed"] == [float(samples.min()), float(samples.max())]
    low, high = image["range"]
    assert low == pytest.approx((image["quant_min"] - image["zero_point"][0]) * image["scale"][0])
    assert high == pytest.approx((image["quant_max"] - image["zero_point"][0]) * image["scale"][0])
    assert (weight["scheme"], weight["axis"]) == ("per_channel_symmetric", 0)
    assert "weight" in weight["tensor"]
    assert len(weight["scale"]) == len(weight["zero_point"]) > 1


def test_the_scales_are_those_that_torch_reads_in_the_file(run, quantized):
    import torch.ao.quantization.fx._decomposed  # noqa: F401, PLC0415: registers the quantized_decomposed ops

    graph = torch.export.load(quantized["fmnist_mbv2"]).module().graph
    ops = by_node(explained(run, quantized["fmnist_mbv2"]))
    compared = 0
    for node in graph.nodes:
        for source in node.all_input_nodes:
            if str(source.target) != "quantized_decomposed.dequantize_per_tensor.default" or node.name not in ops:
                continue
            ours = [tensor for tensor in ops[node.name]["inputs"] if tensor["scale"] == [source.args[1]]]
            assert ours and ours[0]["zero_point"] == [source.args[2]]
            compared += 1
    assert compared > 10


def test_a_float_program_says_what_would_happen(run):
    report = explained(run, network(), "--quantizer", "x86", "--per-tensor", "--exclude", "linear")
    assert report["state"] == "float"
    ops = by_node(report)
    assert ops["linear"]["why_not"] == "excluded on request" and not ops["linear"]["rule"]
    image, weight = ops["conv2d"]["inputs"]
    assert ops["conv2d"]["rule"].startswith("x86.")
    assert image["dtype"] == "uint8" and image["scale"] == [] and image["range"] is None
    assert weight["scheme"] == "per_tensor_symmetric"


def test_statistics_tell_the_scales_that_convert_writes(run, tmp_path):
    run("calibrate", network(), "--data", IMAGES, "--per-channel", "-o", "s.safetensors", "-q")
    run("convert", network(), "--statistics", "s.safetensors", "-o", "out.pt2", "-q")
    before = explained(run, network(), "--statistics", "s.safetensors")
    after = explained(run, "out.pt2")
    assert before["state"] == "calibrated"
    assert before["ops"] == after["ops"]


def test_filters_choose_by_name_op_and_outcome(run, quantized):
    file = quantized["fmnist_mbv2"]
    convolutions = explained(run, file, "--node", "aten.conv2d.*")["ops"]
    assert len(convolutions) == 17 and {op["op"] for op in convolutions} == {"aten.conv2d.default"}
    assert [op["node"] for op in explained(run, file, "--node", "linear", "--node", "conv2d_1")["ops"]] == [
        "conv2d_1",
        "linear",
    ]
    everything = explained(run, file)
    assert len(explained(run, file, "--only", "int8")["ops"]) == everything["quantized"]
    assert len(explained(run, file, "--only", "float")["ops"]) == everything["in_float"]
    assert "no op has such a name" in run("explain", file, "--node", "conv9", code=2).stderr


class Mixed(torch.nn.Module):
    """A convolution; an op that no rule covers; integers."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 3)

    def forward(self, x, n):
        return torch.erf(self.conv(x)), n + 1


def test_the_table_names_rules_and_reasons(run, tmp_path):
    example = (torch.zeros(1, 1, 5, 5), torch.zeros(1, dtype=torch.int64))
    torch.export.save(torch.export.export(Mixed().eval(), example), tmp_path / "mixed.pt2")
    x = np.random.default_rng(0).normal(size=(4, 1, 5, 5)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x, n=np.zeros(4, dtype=np.int64))
    run("quantize", "mixed.pt2", "--calibrate", "x.npz", "-o", "int8.pt2", "-q")
    text = run("explain", "int8.pt2").stdout
    assert "conv2d (aten.conv2d.default): quantized by xnnpack.conv\n" in text
    assert "has no rule of its own: the quantizer has no rule for aten.erf.default here\n" in text
    assert "add (aten.add.Tensor): float: no floating-point values go in and out\n" in text
    assert re.search(r"^  in +x +int8 +-128 to 127 +per_tensor_affine .* HistogramObserver$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) < 220 and "\x1b" not in text


def test_titles_are_bold_on_a_terminal(qdq, quantized):
    master, slave = pty.openpty()
    pid = os.fork()
    if pid == 0:
        os.dup2(slave, 1)
        os.environ.update(TERM="xterm", NO_COLOR="")
        os.execv(qdq, [qdq, "explain", quantized["fmnist_mbv2"], "--node", "linear"])
    os.close(slave)
    text = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        text += chunk
    assert os.waitpid(pid, 0)[1] == 0
    assert b"\x1b[1m  linear (aten.linear.default): quantized by xnnpack.linear" in text


@pytest.mark.parametrize("command", ["quantize", "calibrate", "diagnose"])
def test_a_quantized_file_is_not_quantized_again(run, tmp_path, quantized, command):
    data = ["--data" if command == "calibrate" else "--calibrate", IMAGES]
    output = [] if command == "diagnose" else ["-o", "again.pt2" if command == "quantize" else "again.safetensors"]
    done = run(command, quantized["fmnist_mbv2"], *data, *output, code=2)
    assert "is quantized already: give the float program that it was made from" in done.stderr
    assert not list(tmp_path.glob("again*"))


def test_a_quantizer_for_a_quantized_file_is_refused(run, quantized):
    file = quantized["fmnist_mbv2"]
    assert "is quantized already" in run("explain", file, "--quantizer", "x86", code=2).stderr
    assert "is quantized already" in run("explain", file, "--statistics", "s.safetensors", code=2).stderr
    both = run("explain", network(), "--statistics", "s.safetensors", "--per-channel", code=2).stderr
    assert "--statistics" in both and "--per-channel" in both


def test_weight_observers_are_chosen_apart(run):
    report = explained(run, network(), "--weight-observer", "MSEObserver", "--node", "conv2d")
    image, weight = report["ops"][0]["inputs"]
    assert (image["observer"], weight["observer"]) == ("HistogramObserver", "MSEObserver")
    failed = run("explain", network(), "--per-channel", "--weight-observer", "MinMaxObserver", code=2)
    assert "MinMaxObserver cannot watch its weights" in failed.stderr
    run("quantize", network(), "-c", IMAGES, "--weight-observer", "MSEObserver", "-o", "mse.pt2", "-q")
    assert explained(run, "mse.pt2", "--node", "conv2d")["ops"][0]["inputs"][1]["observer"] == "MSEObserver"


class SmallWeights(torch.nn.Module):
    """A batch norm that divides by 10^5: folded into the convolution, it leaves weights below 2^-12, the least scale."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 3, bias=False)
        self.bn = torch.nn.BatchNorm2d(2)
        self.bn.running_var.fill_(1e10)

    def forward(self, x):
        return self.bn(self.conv(x))


def test_weights_that_are_small_beside_the_least_scale_are_named(run, tmp_path):
    torch.manual_seed(0)
    torch.export.save(torch.export.export(SmallWeights().eval(), (torch.zeros(1, 1, 5, 5),)), tmp_path / "small.pt2")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(4, 1, 5, 5)).astype(np.float32) * 1e5)
    for quantizer in ("xnnpack", "x86"):
        done = run("quantize", "small.pt2", "-c", "x.npy", "--quantizer", quantizer, "-q", "-o", "int8.pt2")
        (warning,) = [line for line in done.stderr.splitlines() if "steps of its scale" in line]
        assert "conv_weight" in warning and "'conv2d' (aten.conv2d.default)" in warning
        weight = explained(run, "int8.pt2", "--node", "conv2d")["ops"][0]["inputs"][1]
        assert set(weight["scale"]) == {2.0**-12}
    assert "steps of its scale" not in run("quantize", network(), "-c", IMAGES, "-o", "net.pt2").stderr


def test_the_plan_says_what_is_computed_in_float(run, tmp_path, quantized):
    assert "--plan: only a quantized program" in run("explain", network(), "--plan", code=2).stderr
    assert all(op["computed_in_float"] is None for op in explained(run, quantized["fmnist_mbv2"])["ops"])
    report = json.loads(run("quantize", network(), "--calibrate", IMAGES, "--tune", "-o", "t.pt2", "--json").stdout)
    assert report["tuned"] and all(region["int8_seconds"] > 0 for region in report["tuned"])
    reason = "it is faster in float on the machine that it was tuned on"
    plan = {op["node"]: op["computed_in_float"] for op in explained(run, "t.pt2", "--plan")["ops"]}
    for region in report["tuned"]:
        for op in region["ops"]:
            assert (plan[op] == reason) == (not region["in_int8"])
