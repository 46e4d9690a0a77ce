"""`qdq compare` node by node: totals against torchao's numeric debugger, own errors against torch's ops."""

import json
import subprocess

import numpy as np
import pytest
import torch
import torch.nn as nn
from tools import load_recipe, tool

pytestmark = pytest.mark.filterwarnings("ignore")


def sqnr(reference, value):
    return float(10 * torch.log10(reference.double().square().sum() / (reference - value).double().square().sum()))


def compare(folder, *options):
    command = [tool("qdq"), "compare", folder / "float.pt2", folder / "int8.pt2", "--input", folder / "x.npy"]
    done = subprocess.run([*command, "--json", "-q", *options], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["nodes"]


def test_totals_are_those_of_torchao(tmp_path):
    pytest.importorskip("torchao")
    from torchao.quantization.pt2e import prepare_for_propagation_comparison
    from torchao.quantization.pt2e._numeric_debugger import OutputLogger, QuantizationComparisonResult
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

    model, inputs = load_recipe("resnet_cifar")
    batch = torch.randn((64, *inputs[0].shape[1:]), generator=torch.Generator().manual_seed(0))
    exported = torch.export.export(model.eval(), (batch,))
    torch.export.save(exported, tmp_path / "float.pt2")
    in_float = exported.module(check_guards=False)
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    with torch.no_grad():
        quantized = prepare_pt2e(exported.module(check_guards=False), quantizer)
        quantized(batch)
        quantized = convert_pt2e(quantized)
        logged = []
        for module in (in_float, quantized):
            module = prepare_for_propagation_comparison(module)
            module(batch)
            # Not by extract_results_from_loggers(): there a dequantize takes the place of the op in front of it.
            loggers = [child for child in module.modules() if isinstance(child, OutputLogger)]
            logged.append({logger.node_name: logger.stats[0] for logger in loggers})
        torch.export.save(torch.export.export(quantized, (batch,)), tmp_path / "int8.pt2")
    np.save(tmp_path / "x.npy", batch.numpy())
    ours = {row["name"]: row["sqnr_db"] for row in compare(tmp_path, "--batch", "64", "--executor", "reference")}
    # A convolution that a batch norm was folded into is compared with that batch norm, which is in one program only.
    both = [name for name in ours if name in logged[0] and name in logged[1]]
    assert len(both) > 25
    for name in both:
        theirs = QuantizationComparisonResult(actual=logged[1][name], ref=logged[0][name])
        # The order of a sum decides about values between two steps, and twenty layers pass that on.
        assert ours[name] == pytest.approx(float(theirs.sqnr), abs=0.2), name


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.linear = nn.Linear(8, 4)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        y = self.second(x) + x
        return self.linear(torch.sigmoid(y).mean((2, 3)))


class Recorder(torch.fx.Interpreter):
    """The values of the nodes of some names; where `instead` has one, later nodes read that."""

    def __init__(self, module, names, instead):
        super().__init__(module)
        self.names, self.instead, self.values = names, instead, {}

    def run_node(self, node):
        value = super().run_node(node)
        if node.name not in self.names:
            return value
        self.values[node.name] = value
        return self.instead.get(node.name, value)


def test_own_errors_are_those_of_the_op_on_float_values(tmp_path):
    batch = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    model = Net().eval()
    torch.export.save(torch.export.export(model, (batch,)), tmp_path / "float.pt2")
    np.save(tmp_path / "x.npy", batch.numpy())
    subprocess.run(
        [tool("qdq"), "quantize", tmp_path / "float.pt2", "--calibrate", tmp_path / "x.npy", "--batch", "4", "-q", "--accuracy", "fast"]
        + ["-o", tmp_path / "int8.pt2"],
        check=True,
    )
    rows = {row["name"]: row for row in compare(tmp_path, "--batch", "4", "--own-errors", "--executor", "reference")}
    assert {"conv2d", "relu", "conv2d_1", "add", "sigmoid", "mean", "linear"} == set(rows)

    modules = [torch.export.load(tmp_path / name).module(check_guards=False) for name in ("float.pt2", "int8.pt2")]
    with torch.no_grad():
        in_float = Recorder(modules[0], rows, {})
        in_float.run(batch)
        alone = Recorder(modules[1], rows, in_float.values)
        alone.run(batch)
        together = Recorder(modules[1], rows, {})
        together.run(batch)
    for name, row in rows.items():
        expected = in_float.values[name]
        assert row["sqnr_db"] == pytest.approx(sqnr(expected, together.values[name]), abs=0.01), name
        own = sqnr(expected, alone.values[name])
        assert row["own"]["sqnr_db"] == (None if own == float("inf") else pytest.approx(own, abs=0.01)), name
        error = (expected - alone.values[name]).double().square().mean()
        assert row["own"]["mse"] == pytest.approx(float(error), rel=1e-3, abs=1e-12), name
    assert rows["relu"]["own"]["sqnr_db"] is None  # it works on float values: all of its error is inherited
    assert rows["relu"]["sqnr_db"] is not None

    worst = compare(tmp_path, "--batch", "4", "--own-errors", "--worst", "2", "--executor", "reference")
    by_own = sorted(rows.values(), key=lambda row: row["own"]["sqnr_db"] or np.inf)
    assert [row["name"] for row in worst] == [row["name"] for row in by_own[:2]]


def test_handles_are_read_from_what_torch_saved(tmp_path):
    pytest.importorskip("torchao")
    from torchao.quantization.pt2e import generate_numeric_debug_handle

    batch = torch.randn(1, 3, 8, 8)
    exported = torch.export.export(Net().eval(), (batch,))
    generate_numeric_debug_handle(exported)
    for name in ("float.pt2", "int8.pt2"):
        torch.export.save(exported, tmp_path / name)
        for node in exported.graph.nodes:  # the second program's ops have other names, but for the result
            if node.op == "call_function" and node.name != "linear":
                node.name = f"renamed_{node.name}"
    np.save(tmp_path / "x.npy", batch.numpy())
    rows = compare(tmp_path)
    assert len(rows) == 7
    for row in rows:
        assert row["other"] == ("linear" if row["name"] == "linear" else "renamed_" + row["name"])
        assert row["sqnr_db"] is None
