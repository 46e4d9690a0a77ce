"""The command line, run as a user runs it."""

import json
import os
import pty
import signal
import subprocess
import time

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from conftest import IMAGES, NETWORKS, network

@pytest.fixture(scope="session")
def images():
    return np.load(IMAGES)["input"]


def torch_outputs(path, images):
    with torch.no_grad():
        return torch.export.load(path).module()(torch.from_numpy(images)).numpy()


# ---------------------------------------------------------------------------------------------------- run


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("executor", ["fast", "reference"])
def test_run_computes_what_torch_computes(run, tmp_path, images, name, executor):
    run("run", network(name), "--input", IMAGES, "--output", "y.npz", "--batch", 10, "--executor", executor)
    y = np.load(tmp_path / "y.npz")
    assert list(y) == ["linear"]
    np.testing.assert_allclose(y["linear"], torch_outputs(network(name), images), rtol=1e-4, atol=1e-4)


def test_run_gives_the_same_for_every_kind_of_file(run, tmp_path, images):
    np.save(tmp_path / "x.npy", images)
    save_file({"input": images}, tmp_path / "x.safetensors")
    for kind in ("npy", "safetensors"):
        run("run", network(), "--input", f"x.{kind}", "--output", f"y.{kind}")
    run("run", network(), "--input", IMAGES, "--output", "y.npz")
    expected = np.load(tmp_path / "y.npz")["linear"]
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)
    np.testing.assert_array_equal(load_file(tmp_path / "y.safetensors")["linear"], expected)


def test_run_prints_one_json_object(run):
    done = run("run", network(), "--input", IMAGES, "--output", "y.npy", "--samples", 10, "--json")
    report = json.loads(done.stdout)
    assert report["outputs"] == [{"name": "linear", "dtype": "float32", "shape": [10, 10]}]
    assert report["samples"] == 10
    assert [step["name"] for step in report["steps"]] == ["load", "plan", "run", "save"]
    assert all(step["seconds"] >= 0 and step["peak_bytes"] > 0 for step in report["steps"])


def test_run_is_silent_when_asked(run):
    done = run("run", network(), "--input", IMAGES, "--output", "y.npy", "-q")
    assert (done.stdout, done.stderr) == ("", "")


class Scaled(torch.nn.Module):
    def forward(self, x, factor):
        return x * factor, x.sum()


def test_run_pads_the_last_batch_of_a_fixed_program_and_takes_whole_arrays(run, tmp_path):
    program = torch.export.export(Scaled(), (torch.zeros(4, 3), torch.tensor(1.0)))
    torch.export.save(program, tmp_path / "scaled.pt2")
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.savez(tmp_path / "x.npz", x=x, factor=np.float32(2))
    failed = run("run", "scaled.pt2", "--input", "x.npz", "--output", "y.npz", code=1)
    assert "its first dimension does not count the samples; use --batch 0" in failed.stderr
    run("run", "scaled.pt2", "--input", "x.npz", "--output", "y.npz", "--batch", 0)
    y = np.load(tmp_path / "y.npz")
    np.testing.assert_array_equal(y["mul"], 2 * x)
    assert y["sum_1"] == 66

    single = torch.export.export(torch.nn.ReLU(), (torch.zeros(4, 3),))
    torch.export.save(single, tmp_path / "relu.pt2")
    samples = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    np.save(tmp_path / "six.npy", samples)
    run("run", "relu.pt2", "--input", "six.npy", "--output", "relu.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "relu.npy"), np.maximum(samples, 0))


# ----------------------------------------------------------------------------------------------- quantize


@pytest.mark.parametrize("name", NETWORKS)
def test_quantize_writes_a_smaller_program_that_torch_runs_with_the_same_result(run, tmp_path, images, quantized, name):
    def tensor_bytes(path):
        return sum(row["bytes"] for row in json.loads(run("inspect", path, "--json").stdout)["tensors"])

    # A quarter, and scales, zero points and biases. The rest of these small files is the graph with its stack traces.
    assert tensor_bytes(quantized[name]) < 0.33 * tensor_bytes(network(name))
    assert quantized[name].stat().st_size < network(name).stat().st_size
    run("run", quantized[name], "--input", IMAGES, "--output", "y.npy", "--executor", "reference")
    import torch.ao.quantization.fx._decomposed  # noqa: F401, PLC0415: registers the quantized_decomposed ops

    y = np.load(tmp_path / "y.npy")
    expected = torch_outputs(quantized[name], images)
    step = np.abs(expected).max() / 127
    assert np.abs(y - expected).max() <= 2 * step
    assert (y.argmax(1) == expected.argmax(1)).mean() > 0.95


def test_quantize_reports_what_it_did(run):
    done = run("quantize", network(), "--calibrate", IMAGES, "--per-channel", "-o", "out.pt2", "--json")
    report = json.loads(done.stdout)
    assert report["samples"] == 64
    assert report["bytes_before"] == network().stat().st_size
    assert report["ops"]["aten.conv2d.default"] == {"quantized": 17, "in_float": 0}
    assert report["ops"]["aten.linear.default"] == {"quantized": 1, "in_float": 0}
    assert "aten.batch_norm.default" not in report["ops"]
    assert report["quantized"] == sum(op["quantized"] for op in report["ops"].values())
    assert [step["name"] for step in report["steps"]] == ["load", "prepare", "calibrate", "convert", "save"]

    text = run("quantize", network(), "--calibrate", IMAGES, "--per-channel", "-o", "out.pt2").stdout
    assert text.startswith(f"out.pt2: {report['quantized']} of {report['quantized'] + report['in_float']} ops quantized")
    assert "aten.conv2d.default" in text and "peak memory" in text
    assert "\x1b" not in text  # no colours into a pipe


def test_quantize_gives_the_same_bytes_at_any_number_of_threads(run, tmp_path):
    for threads in (1, 2):
        run("quantize", network(), "--calibrate", IMAGES, "--threads", threads, "-o", f"out{threads}.pt2")
    assert (tmp_path / "out1.pt2").read_bytes() == (tmp_path / "out2.pt2").read_bytes()


def test_quantize_leaves_excluded_nodes_in_float(run):
    arguments = ["quantize", network(), "--calibrate", IMAGES, "-o", "out.pt2", "--json"]
    by_op = json.loads(run(*arguments, "--exclude", "aten.linear.*").stdout)["ops"]
    assert by_op["aten.linear.default"] == {"quantized": 0, "in_float": 1}
    by_names = json.loads(run(*arguments, "--exclude", "conv2d", "--exclude", "conv2d_1").stdout)["ops"]
    assert by_names["aten.conv2d.default"] == {"quantized": 15, "in_float": 2}


def test_quantize_takes_quantizers_and_observers_by_name(run):
    def converted(*options):
        run("quantize", network(), "-c", IMAGES, "-o", "out.pt2", "-q", *options)
        return run("inspect", "out.pt2", "--full").stdout

    assert '"xnnpack.conv"' in converted()
    x86 = converted("--quantizer", "x86")
    assert '"x86.conv' in x86 and "quantize_per_tensor" in x86 and "quantize_per_channel" in x86
    assert converted("--quantizer", "x86", "--observer", "MinMaxObserver") != x86
    assert converted("--quantizer", "x86", "--reduce-range") != x86
    assert "x68" in run("quantize", network(), "-c", IMAGES, "-o", "out.pt2", "--quantizer", "x68", code=2).stderr


def test_quantize_warns_when_little_is_quantized(run):
    done = run("quantize", network(), "-c", IMAGES, "-o", "out.pt2", "--exclude", "aten.conv2d.*", "-q")
    assert "qdq: warning: only " in done.stderr


def test_quantize_weights_alone_needs_no_data(run):
    for dtype, options in [("int8", []), ("int4", ["--group-size", "32"])]:
        run("quantize", network(), "--weight-only", dtype, *options, "-o", "out.pt2", "-q")
        [output] = json.loads(run("compare", network(), "out.pt2", "--input", IMAGES, "--json").stdout)["outputs"]
        assert output["sqnr_db"] > (40 if dtype == "int8" else 15)
        assert "quantize_affine" in run("inspect", "out.pt2", "--full").stdout or dtype == "int8"


def test_quantize_skips_and_dumps_passes_by_name(run):
    arguments = ["quantize", network(), "--calibrate", IMAGES, "-o", "out.pt2", "-q"]
    done = run(*arguments, "--disable-pass", "fuse-conv-bn", "--dump-after", "insert-qdq")
    assert done.stderr.startswith("// after insert_qdq\n")
    assert "aten.batch_norm.default" in done.stderr
    assert "quantized_decomposed.quantize_per_tensor.default" in done.stderr
    done = run(*arguments, "--disable-pass", "fuse-conv", code=1)
    assert "expected one of inline_set_grad_enabled, fuse_conv_bn" in done.stderr


def test_quantize_refuses_a_pattern_that_matches_nothing(run, tmp_path):
    done = run("quantize", network(), "--calibrate", IMAGES, "-o", "out.pt2", "--exclude", "clasifier.*", code=2)
    assert "--exclude clasifier.*: no node has such a name, op or module path" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_quantize_needs_data_unless_it_is_dynamic(run):
    done = run("quantize", network(), "-o", "out.pt2", code=2)
    assert "--calibrate is missing" in done.stderr
    report = json.loads(run("quantize", network(), "--dynamic", "-o", "out.pt2", "--json").stdout)
    assert report["ops"]["aten.linear.default"]["quantized"] == 1
    assert report["samples"] == 0


def test_dynamic_quantization_without_data_learns_the_weights(run):
    run("quantize", network(), "--dynamic", "-o", "out.pt2")
    [output] = json.loads(run("compare", network(), "out.pt2", "--input", IMAGES, "--json").stdout)["outputs"]
    assert output["sqnr_db"] > 30


def test_quantize_may_replace_its_own_input(run, tmp_path):
    (tmp_path / "net.pt2").write_bytes(network().read_bytes())
    run("quantize", "net.pt2", "--calibrate", IMAGES, "-o", "net.pt2", "-q")
    assert (tmp_path / "net.pt2").stat().st_size < network().stat().st_size
    run("run", "net.pt2", "--input", IMAGES, "--output", "y.npy")


# ------------------------------------------------------------------------------------------------ compare


def test_compare_finds_no_error_between_a_program_and_itself(run):
    report = json.loads(run("compare", network(), network(), "--input", IMAGES, "--json").stdout)
    assert report["outputs"] == [
        {"name": "linear", "max_abs": 0.0, "mse": 0.0, "sqnr_db": None, "cosine": pytest.approx(1), "same_argmax": 1.0}
    ]
    assert all(node["max_abs"] == 0 for node in report["nodes"])


@pytest.mark.parametrize("name", NETWORKS)
def test_compare_measures_as_numpy_does(run, tmp_path, quantized, name):
    report = json.loads(run("compare", network(name), quantized[name], "--input", IMAGES, "--json").stdout)
    for model, output in ((network(name), "a.npy"), (quantized[name], "b.npy")):
        run("run", model, "--input", IMAGES, "--output", output)
    a, b = (np.load(tmp_path / file).astype(np.float64) for file in ("a.npy", "b.npy"))
    output = report["outputs"][0]
    assert output["max_abs"] == pytest.approx(np.abs(a - b).max(), rel=1e-4)
    assert output["mse"] == pytest.approx(((a - b) ** 2).mean(), rel=1e-4)
    assert output["sqnr_db"] == pytest.approx(10 * np.log10((a**2).sum() / ((a - b) ** 2).sum()), abs=0.01)
    assert output["cosine"] == pytest.approx((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()), rel=1e-6)
    assert output["same_argmax"] == pytest.approx((a.argmax(1) == b.argmax(1)).mean())
    assert output["sqnr_db"] > 15


def test_compare_pairs_folded_batch_norms_and_shows_the_worst(run, quantized):
    arguments = ["compare", network(), quantized["fmnist_mbv2"], "--input", IMAGES]
    report = json.loads(run(*arguments, "--json").stdout)
    folded = [node for node in report["nodes"] if node["op"] == "aten.batch_norm.default"]
    assert len(folded) == 17
    assert folded[0]["other"] == "conv2d"
    assert all(node["sqnr_db"] > 10 for node in report["nodes"])
    worst = json.loads(run(*arguments, "--json", "--worst", 3).stdout)["nodes"]
    lowest = sorted(node["sqnr_db"] for node in report["nodes"])[:3]
    assert [node["sqnr_db"] for node in worst] == lowest
    assert "same argmax" in run(*arguments, "--outputs-only").stdout


# ------------------------------------------------------------------------------------------------ inspect


def test_inspect_summarises(run, quantized):
    report = json.loads(run("inspect", network(), "--json").stdout)
    assert report["bytes"] == network().stat().st_size
    assert report["quantized"] == 0
    assert report["ops"]["aten.conv2d.default"] == {"quantized": 0, "in_float": 17}
    assert [(port["role"], port["name"]) for port in report["signature"]] == [("input", "input"), ("output", "linear")]
    parameters = list(torch.export.load(network()).parameters())
    total = {"count": len(parameters), "bytes": sum(p.nbytes for p in parameters)}
    assert {"kind": "parameter", "dtype": "float32", **total} in report["tensors"]
    text = run("inspect", quantized["fmnist_mbv2"]).stdout
    assert "aten.conv2d.default" in text
    assert "quantized_decomposed.dequantize_per_channel.default" in text


def test_inspect_prints_the_graph(run):
    graph = run("inspect", network(), "--graph").stdout
    assert "aten.conv2d.default(" in graph and "return (%linear)" in graph
    full = run("inspect", network(), "--full").stdout
    assert len(full) > len(graph)
    assert "demo/train.py" in full
    for text in ("--full", "--graph"):
        assert "excludes" in run("inspect", network(), text, "--json", code=2).stderr
    run("inspect", network(), "--full", "--graph", code=2)


# ------------------------------------------------------------------------------------------------- errors


def test_wrong_usage_exits_with_2_and_points_to_the_help(run):
    for arguments, message, help_text in [
        ([], "A subcommand is required", "qdq --help"),
        (["quantise"], "there is no command 'quantise'; did you mean 'quantize'?", "qdq --help"),
        (["run", network(), "--inptu", "x"], "there is no option '--inptu'; did you mean '--input'?", "qdq run --help"),
        (["inspect", network(), "x.pt2"], "'x.pt2' is one argument too many", "qdq inspect --help"),
        (["run", network()], "--input is required", "qdq run --help"),
        (["run", network(), "--input", IMAGES, "--output", "y.txt"], "expected a name that ends in .npy", "qdq run --help"),
        (["run", network(), "--input", IMAGES, "--output", "no/y.npy"], "there is no folder no", "qdq run --help"),
        (["run", network(), "--input", IMAGES, "--output", "y.npy", "--threads", "0"], "--threads", "qdq run --help"),
        (["quantize", network(), "-c", IMAGES, "-o", "x.txt"], "expected a name that ends in .pt2 or .onnx", "qdq quantize --help"),
        (["quantize", network(), "-c", IMAGES, "-o", "x.pt2", "--quantizer", "q"], "--quantizer", "qdq quantize --help"),
    ]:
        done = run(*arguments, code=2)
        assert done.stderr.startswith("qdq: error: ")
        assert message in done.stderr and f"See '{help_text}'." in done.stderr
        assert done.stdout == ""


def test_a_missing_file_exits_with_1(run):
    done = run("inspect", "absent.pt2", code=1)
    assert done.stderr.startswith("qdq: error: ") and "absent.pt2" in done.stderr


def test_a_damaged_file_exits_with_3(run, tmp_path):
    (tmp_path / "cut.pt2").write_bytes(network().read_bytes()[:5000])
    done = run("inspect", "cut.pt2", code=3)
    assert done.stderr.startswith("qdq: error: ") and "cut.pt2" in done.stderr


def test_data_that_does_not_fit_exits_with_1_and_says_why(run, tmp_path):
    np.save(tmp_path / "bytes.npy", np.zeros((4, 1, 28, 28), np.uint8))
    done = run("run", network(), "--input", "bytes.npy", "--output", "y.npy", code=1)
    assert "bytes.npy: input 'input' takes float32[*, 1, 28, 28], found uint8[4, 1, 28, 28]" in done.stderr
    assert not (tmp_path / "y.npy").exists()


class Unknown(torch.nn.Module):
    def forward(self, x):
        return torch.special.bessel_j0(x)


def test_an_op_without_a_kernel_exits_with_4_and_names_the_line(run, tmp_path):
    torch.export.save(torch.export.export(Unknown(), (torch.zeros(2, 3),)), tmp_path / "unknown.pt2")
    np.save(tmp_path / "x.npy", np.zeros((2, 3), np.float32))
    done = run("run", "unknown.pt2", "--input", "x.npy", "--output", "y.npy", code=4)
    assert "special_bessel_j0" in done.stderr and "test_cli.py" in done.stderr
    run("inspect", "unknown.pt2")


# -------------------------------------------------------------------------------------------- interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_command_leaves_nothing_behind(qdq, tmp_path, images, number):
    np.save(tmp_path / "many.npy", np.tile(images, (200, 1, 1, 1)))
    (tmp_path / "out.pt2").write_bytes(b"old")
    command = [qdq, "quantize", network(), "-c", "many.npy", "-o", "out.pt2", "--executor", "reference", "--batch", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    assert process.poll() is None, "the command ended before it could be interrupted"
    process.send_signal(number)
    assert process.wait(timeout=30) == -number
    assert sorted(file.name for file in tmp_path.iterdir()) == ["many.npy", "out.pt2"]
    assert (tmp_path / "out.pt2").read_bytes() == b"old"


def test_a_failed_command_leaves_the_old_file(run, tmp_path):
    (tmp_path / "y.npy").write_bytes(b"old")
    np.save(tmp_path / "x.npy", np.zeros((4, 3), np.float32))
    run("run", network(), "--input", "x.npy", "--output", "y.npy", code=1)
    assert (tmp_path / "y.npy").read_bytes() == b"old"


def test_progress_shows_on_a_terminal_only(qdq, tmp_path, images):
    np.save(tmp_path / "many.npy", np.tile(images, (100, 1, 1, 1)))
    arguments = [qdq, "run", network(), "-i", "many.npy", "-o", "y.npy", "--executor", "reference", "--batch", "1"]
    master, slave = pty.openpty()
    process = subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    shown = b""
    deadline = time.monotonic() + 60
    while b" left" not in shown and time.monotonic() < deadline:
        shown += os.read(master, 1000)
    process.kill()
    process.wait()
    os.close(master)
    assert b"run  [" in shown and b" / 6,400  " in shown


@pytest.mark.parametrize("command", ["run", "compare", "report", "diagnose"])
def test_data_without_samples_is_an_error(run, tmp_path, command):
    np.save(tmp_path / "none.npy", np.zeros((0, 1, 28, 28), np.float32))
    others = {"run": [], "compare": [network()], "report": [network()], "diagnose": []}[command]
    data = "--calibrate" if command == "diagnose" else "--input"
    written = {"run": ["-o", "y.npy"], "report": ["-o", "r.html"]}.get(command, [])
    assert "none.npy: no samples" in run(command, network(), *others, data, "none.npy", *written, code=1).stderr
    assert not (tmp_path / "y.npy").exists() and not (tmp_path / "r.html").exists()


def test_compare_and_report_need_a_full_batch_of_a_fixed_program(run, tmp_path):
    class Halves(torch.nn.Module):
        def forward(self, x):
            return x * 0.5

    torch.export.save(torch.export.export(Halves(), (torch.ones(4, 3),)), tmp_path / "fixed.pt2")
    np.save(tmp_path / "x.npy", np.ones((3, 3), np.float32))
    for command in (["compare"], ["report", "-o", "r.html"]):
        refused = run(command[0], "fixed.pt2", "fixed.pt2", "--input", "x.npy", *command[1:], code=1)
        assert "x.npy: 3 samples do not fill one batch of 4" in refused.stderr


def test_lost_output_is_an_error(qdq):
    for arguments in (["inspect", network()], ["explain", network(), "--json"], ["pass", network(), "-p", "fuse_conv_bn"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([qdq, *map(str, arguments)], stdout=full, stderr=subprocess.PIPE, text=True)
        assert (done.returncode, done.stderr) == (1, "qdq: error: cannot write to standard output\n"), arguments


def test_run_compare_and_bench_refuse_nan_by_the_inputs_name(run, tmp_path):
    images = np.load(IMAGES)["input"][:2].copy()
    images[1, 0, 3, 4] = np.nan
    np.save(tmp_path / "nan.npy", images)
    compare = ("compare", network(), network(), "--outputs-only")
    for command in (("run", network(), "--output", "y.npy"), ("bench", network(), "--runs", 1), compare):
        refused = run(*command, "--input", "nan.npy", "--batch", 2, code=1)
        assert "input 'input': it has a NaN" in refused.stderr
