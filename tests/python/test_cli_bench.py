"""qdq bench and qdq pass, run as a user runs them."""

import json

import numpy as np
import pytest
import torch
from conftest import IMAGES, network


def test_bench_measures_a_program(run):
    report = json.loads(run("bench", network(), "--runs", 7, "--threads", 1, "--json").stdout)
    assert report["samples_per_run"] == 1 and report["threads"] == 1 and report["executor"] == "fast"
    (program,) = report["programs"]
    assert program["model"] == str(network()) and program["runs"] == 7
    assert 0 < program["min_seconds"] <= program["median_seconds"] <= program["p90_seconds"]
    assert program["samples_per_second"] == pytest.approx(1 / program["median_seconds"])
    assert program["load_seconds"] > 0 and program["first_run_seconds"] > 0 and program["memory_bytes"] > 0
    assert "speedup" not in report


def test_bench_compares_two_programs_and_shows_their_ops(run, tmp_path, quantized):
    arguments = ["bench", quantized["fmnist_mbv2"], "--vs", network(), "--runs", 3, "--input", IMAGES, "--batch", 16]
    report = json.loads(run(*arguments, "--per-op", "--per-node", "--trace", "t.json", "--json").stdout)
    ours, other = report["programs"]
    assert report["samples_per_run"] == 16
    assert report["speedup"] == pytest.approx(other["median_seconds"] / ours["median_seconds"])
    count = sum(op["count"] for op in other["per_op"] if op["op"] == "aten.conv2d.default")
    assert count == 17
    assert len(other["per_node"]) == sum(op["count"] for op in other["per_op"])
    slowest_first = [op["seconds"] for op in other["per_op"]]
    assert slowest_first == sorted(slowest_first, reverse=True)
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    assert [e["args"]["name"] for e in events if e["ph"] == "M"] == [str(quantized["fmnist_mbv2"]), str(network())]
    steps = [e for e in events if e["ph"] == "X" and e["pid"] == 2]
    assert [e["name"] for e in steps] == [node["node"] for node in other["per_node"]]

    linear = [op for op in ours["per_op"] if op["kernel"] == "int8:linear"]
    weights = [w.numel() for w in torch.export.load(network()).state_dict.values() if w.dim() == 2]
    assert sum(op["operations"] for op in linear) == 2 * 16 * sum(weights)
    assert report["int8_peak_per_thread"] > 1e9

    text = run(*arguments, "--per-op").stdout
    assert "GOPS" in text and "of peak" in text
    assert text.startswith("3 runs of 16 samples, ") and "times as" in text and "share" in text


def test_bench_compares_numbers_of_threads(run):
    report = json.loads(run("bench", network(), "--threads", 1, "--vs-threads", 2, "--runs", 2, "--json").stdout)
    assert [program["threads"] for program in report["programs"]] == [1, 2]
    assert report["speedup"] > 0
    assert f"{network()}, 2 threads" in run("bench", network(), "--threads", 1, "--vs-threads", 2, "--runs", 2).stdout


def test_bench_reference_steps_are_nodes(run):
    report = json.loads(
        run("bench", network(), "--executor", "reference", "--runs", 1, "--per-node", "--json").stdout
    )
    nodes = [node["node"] for node in report["programs"][0]["per_node"]]
    program = torch.export.load(network()).module().graph
    assert nodes == [node.name for node in program.nodes if node.op == "call_function"]


def test_bench_refuses_what_it_cannot_feed(run):
    done = run("bench", network(), "--input", "absent.npy", code=1)
    assert "absent.npy" in done.stderr
    done = run("bench", network(), "--runs", 1, "--seconds", 1, code=2)
    assert "--runs" in done.stderr and "--seconds" in done.stderr
    done = run("bench", network(), "--trace", "no/t.json", code=2)
    assert "there is no folder no" in done.stderr


def test_pass_lists_the_passes(run):
    listed = json.loads(run("pass", "--list", "--json").stdout)
    names = [row["name"] for row in listed]
    assert "fuse_conv_bn" in names and names == sorted(names)
    text = run("pass", "--list").stdout
    assert all(row["description"] in text for row in listed)


def test_pass_writes_what_computes_the_same(run, tmp_path):
    arguments = ["pass", network(), "--pass", "fuse-conv-bn", "-p", "eliminate_dead_code"]
    report = json.loads(run(*arguments, "-o", "folded.pt2", "--json").stdout)
    assert [(p["name"], p["changed"]) for p in report["passes"]][0] == ("fuse_conv_bn", 17)
    assert report["nodes_after"] < report["nodes_before"]
    for model, output in ((network(), "a.npy"), ("folded.pt2", "b.npy")):
        run("run", model, "--input", IMAGES, "--output", output, "-q")
    a, b = np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy")
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_pass_prints_the_graph_and_reads_it_again(run, tmp_path):
    done = run("pass", network(), "--pass", "fuse_conv_bn")
    assert done.stdout.startswith("attribute @0.weight") and "fuse_conv_bn" in done.stderr
    (tmp_path / "net.graph").write_text(done.stdout)
    again = run("pass", "net.graph", "--pass", "eliminate_dead_code", "-q")
    assert "aten.conv2d.default" in again.stdout and "batch_norm" not in again.stdout and again.stderr == ""


def test_pass_shows_the_lines_that_change(run, tmp_path):
    (tmp_path / "g.graph").write_text(
        "graph(x: f32[4]) {\n  %a: f32[4] = aten.relu.default(%x)\n  %b: f32[4] = aten.neg.default(%x)\n  return (%b)\n}\n"
    )
    diff = run("pass", "g.graph", "-p", "eliminate_dead_code", "--diff").stdout
    changed = [line for line in diff.splitlines() if line[0] in "+-"]
    assert changed == ["-  %a: f32[4] = aten.relu.default(%x)"]


def test_pass_names_what_is_missing_or_wrong(run):
    for arguments, message in [
        ([], "MODEL is missing"),
        ([network()], "--pass is missing"),
        ([network(), "-p", "fuse_convbn"], "did you mean 'fuse_conv_bn'?"),
        ([network(), "-p", "fuse_conv_bn", "-o", "x.txt"], "ends in .pt2 or .onnx or .graph"),
    ]:
        assert message in run("pass", *arguments, code=2).stderr


def test_a_trace_replaces_no_program(run, tmp_path):
    (tmp_path / "net.pt2").write_bytes(network().read_bytes())
    refused = run("bench", "net.pt2", "--runs", 1, "--trace", "net.pt2", code=2)
    assert "cannot write net.pt2: expected a name that ends in .json" in refused.stderr
    assert (tmp_path / "net.pt2").read_bytes() == network().read_bytes()


def test_seconds_are_a_number(run):
    for seconds in ("nan", "-1"):
        assert "--seconds" in run("bench", network(), "--seconds", seconds, code=2).stderr
