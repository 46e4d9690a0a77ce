"""Bodies of loops are quantized as torchao does it; blocks of torch.no_grad() as if the block were not there."""

import contextlib
import json
import subprocess

import numpy as np
import pytest
import torch
import torch.nn as nn
from tools import tool

pytest.importorskip("torchao")
from graph_lines import graph_lines  # noqa: E402
from torch._higher_order_ops.map import map as torch_map  # noqa: E402
from torch._higher_order_ops.scan import scan  # noqa: E402
from torch._higher_order_ops.while_loop import while_loop  # noqa: E402
from torchao_flow import compare, export  # noqa: E402
from torchao.testing.pt2e._xnnpack_quantizer import (  # noqa: E402
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)

# torch cannot save a body with tensors of its own, so it has no counterpart to our last step.
KEEP_ATTRIBUTES = ["--disable-pass", "lift_loop_attributes"]


def xnnpack(per_channel):
    return XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=per_channel))


def f(*sizes, seed=0):
    return torch.randn(sizes, generator=torch.Generator().manual_seed(seed))


class WithLinears(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.before = nn.Linear(3, 3)
        self.inside = nn.Linear(3, 3)


class Scan(WithLinears):
    """A linear in front of a recurrent net; the body has a constant of its own, 2."""

    def forward(self, state, xs):
        def step(carried, x):
            return torch.tanh(self.inside(carried) + x), (carried + x) * 2

        return scan(step, state, self.before(xs), dim=0)


class While(WithLinears):
    def forward(self, count, x):
        def body(i, y):
            return i - 1, torch.relu(self.inside(y)) + y

        return while_loop(lambda i, y: i > 0, body, (count, self.before(x)))


class ScanOfScans(WithLinears):
    def forward(self, state, xs):
        def inner(carried, x):
            y = self.inside(carried) + x
            return y, y.clone()

        def outer(carried, rows):
            last, all_rows = scan(inner, carried, rows, dim=0)
            return self.before(last), all_rows

        return scan(outer, state, xs, dim=0)


PROGRAMS = {
    "scan": (Scan, [(f(2, 3, seed=i), f(5, 2, 3, seed=10 + i)) for i in range(2)]),
    "while_loop": (While, [(torch.tensor(3), f(2, 3, seed=i)) for i in range(2)]),
}


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("name", PROGRAMS)
def test_bodies_convert_to_the_same_graph(tmp_path, name, per_channel):
    program, batches = PROGRAMS[name]
    options = KEEP_ATTRIBUTES + (["--per-channel"] if per_channel else [])
    converted = compare(tmp_path, export(tmp_path, program().eval(), batches[0]), batches, options, xnnpack(per_channel))
    assert any(line.endswith("_graph_0:") for line in graph_lines(converted)), "there is no body"


def quantize(folder, exported, inputs, *options):
    """`qdq quantize`, calibrated on `inputs`, one array for each input. Returns what it reports."""
    torch.export.save(exported, folder / "float.pt2")
    np.savez(folder / "x.npz", **inputs)
    done = subprocess.run(
        [tool("qdq"), "quantize", folder / "float.pt2", "--calibrate", folder / "x.npz", "--json", "-q", "--accuracy", "fast"]
        + ["-o", folder / "int8.pt2", "--batch", str(len(next(iter(inputs.values())))), *options],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


# torchao fails on the loop in a loop: it loses the outer one's body.
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("model, sizes", [(Scan, (5, 5, 3)), (ScanOfScans, (5, 4, 5, 3))])
def test_torch_loads_and_runs_a_loop_with_scales_of_its_own(tmp_path, model, sizes, per_channel):
    model, inputs = model().eval(), {"state": f(5, 3), "xs": f(*sizes, seed=1)}
    exported = torch.export.export(model, tuple(inputs.values()))
    quantize(tmp_path, exported, inputs, *(["--per-channel"] if per_channel else []))
    run = [tool("qdq"), "run", tmp_path / "int8.pt2", "--input", tmp_path / "x.npz", "--batch", "5", "-q"]
    subprocess.run([*run, "--output", tmp_path / "y.npz"], check=True)
    ours = list(np.load(tmp_path / "y.npz").values())

    module = torch.export.load(tmp_path / "int8.pt2").module()
    lines = graph_lines(module)
    body = lines[lines.index("scan_combine_graph_0:") :]
    assert sum(".dequantize_per_" in line for line in body) > 5
    assert not [line for line in body if " get_attr " in line]
    with torch.no_grad():
        theirs, in_float = module(*inputs.values()), model(*inputs.values())
    assert len(ours) == len(theirs) == 2
    for got, want, exact in zip(ours, theirs, in_float):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-5)
        assert np.abs(got - exact.numpy()).max() < 0.1


class Blocks(nn.Module):
    """A batch norm after a convolution, all inside of a block."""

    def __init__(self, block):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 2)
        self.block = block

    def forward(self, x):
        with self.block():
            x = torch.relu(self.bn(self.conv(x))).mean((2, 3))
        return self.linear(x)


def test_a_block_without_gradients_is_quantized_like_any_other(tmp_path):
    graphs = []
    batch = f(2, 3, 6, 6)
    for block in (torch.no_grad, contextlib.nullcontext):
        exported = torch.export.export(Blocks(block).eval(), (batch,))
        has_block = any("set_grad_enabled" in str(node.target) for node in exported.graph.nodes)
        assert has_block == (block is torch.no_grad)
        folder = tmp_path / block.__name__
        folder.mkdir()
        quantize(folder, exported, {"x": batch.numpy()})
        inspect = [tool("qdq"), "inspect", folder / "int8.pt2", "--graph"]
        graphs.append(subprocess.run(inspect, check=True, capture_output=True, text=True).stdout)
    assert graphs[0] == graphs[1]
    assert graphs[0].count(".quantize_per_tensor.") == 4  # the input, conv with relu, mean, linear


class Branches(WithLinears):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: self.inside(x), lambda x: x * 2, (self.before(x),))


class Mapped(WithLinears):
    def forward(self, x):
        return torch_map(lambda row: self.inside(row), self.before(x))


class Autocast(WithLinears):
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.inside(x)
        return self.before(x) + y


@pytest.mark.parametrize(
    "model, op, reason",
    [
        (Branches, "higher_order.cond", "its branches stay in float: an observer in the branch"),
        (Mapped, "higher_order.map_impl", "its body stays in float: prepare goes into the bodies of scan and while_loop"),
        (Autocast, "higher_order.wrap_with_autocast", "its block stays in float: what it computes depends on the dtypes"),
    ],
)
def test_bodies_that_stay_in_float_are_named(tmp_path, model, op, reason):
    exported = torch.export.export(model().eval(), (f(4, 3),))
    torch.export.save(exported, tmp_path / "float.pt2")
    weights_only = ["--weight-only", "int8"]  # nothing has to run
    command = [tool("qdq"), "quantize", tmp_path / "float.pt2", "-o", tmp_path / "int8.pt2", *weights_only]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    (line,) = [line for line in said.splitlines() if op in line]
    assert reason in line
    if model is not Autocast:  # torch keeps no line for it
        assert f"({op}) at " in line and "test_bodies_vs_torchao.py:" in line
