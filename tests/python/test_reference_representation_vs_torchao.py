"""Quantized ops written out in integers: torchao's graph, torch's numbers."""

import subprocess

import numpy as np
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from tools import tool

pytest.importorskip("torchao")
from torchao_flow import compare, export  # noqa: E402
from torchao.testing.pt2e._xnnpack_quantizer import (  # noqa: E402
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)

pytestmark = pytest.mark.filterwarnings("ignore")


def f(*sizes, seed=0):
    return torch.randn(sizes, generator=torch.Generator().manual_seed(seed))


class Linears(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(5, 6)
        self.second = nn.Linear(6, 4)

    def forward(self, x):
        return self.second(self.first(x))


class WithoutBias(nn.Module):
    """torchao divides None by the bias's scale, which nothing can run; ours stays in float between integers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(5, 6, bias=False)

    def forward(self, x):
        return self.linear(x)


class Add(nn.Module):
    def forward(self, x, y):
        return x + y


class AddRelu(nn.Module):
    def forward(self, x, y):
        return F.relu(x + y)


class Pictures(nn.Module):
    """Torch exports no aten.convolution: the convolution stays in float between integers, and so does the pool."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return F.max_pool2d(self.conv(x), 2)


NETWORKS = {
    "linear": (Linears, [(f(2, 5),), (f(2, 5, seed=1),)], []),
    "linear_per_channel": (Linears, [(f(2, 5),), (f(2, 5, seed=1),)], ["--per-channel"]),
    "add": (Add, [(f(2, 5), f(2, 5, seed=1))], []),
    "add_relu": (AddRelu, [(f(2, 5), f(2, 5, seed=1))], []),
    "conv_and_pool": (Pictures, [(f(1, 3, 6, 6),)], []),
    "conv_and_pool_per_channel": (Pictures, [(f(1, 3, 6, 6),)], ["--per-channel"]),
}


def quantizer_for(options):
    config = get_symmetric_quantization_config(
        is_per_channel="--per-channel" in options, is_dynamic="--dynamic" in options
    )
    return XNNPACKQuantizer().set_global(config)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_is_that_of_torchao(tmp_path, name):
    network, batches, options = NETWORKS[name]
    path = export(tmp_path, network().eval(), batches[0])
    converted = compare(
        tmp_path, path, batches, [*options, "--reference-representation"], quantizer_for(options), True
    )
    assert not [node for node in converted.graph.nodes if "quantize_per" in str(node.target)]


def run(program, inputs, output):
    command = [tool("qdq"), "run", program, "--input", inputs, "--output", output, "--executor", "reference", "-q"]
    subprocess.run(command, check=True)
    return np.load(output)


NETWORKS_OF_OURS = NETWORKS | {
    "linear_without_bias": (WithoutBias, [(f(2, 5),)], []),
    # torchao passes a float64 on to the second linear, which refuses it; ours is float32 again.
    "dynamic_linears": (Linears, [(f(2, 5),)], ["--dynamic"]),
}


@pytest.mark.parametrize("name", NETWORKS_OF_OURS)
def test_torch_runs_it_to_the_same_numbers(tmp_path, name):
    network, batches, options = NETWORKS_OF_OURS[name]
    sizes = tuple({0: torch.export.Dim("batch", min=1, max=64)} for _ in batches[0])
    inputs = tuple(torch.cat([batch[i], -batch[i]]) for i in range(len(batches[0])) for batch in batches[:1])
    exported = torch.export.export(network().eval(), inputs, dynamic_shapes=sizes)
    torch.export.save(exported, tmp_path / "float.pt2")
    names = ["x", "y"][: len(inputs)]
    np.savez(tmp_path / "inputs.npz", **{key: value.numpy() for key, value in zip(names, inputs)})
    quantize = [tool("qdq"), "quantize", tmp_path / "float.pt2", "--calibrate", tmp_path / "inputs.npz", "-q", "--accuracy", "fast", *options]
    subprocess.run([*quantize, "-o", tmp_path / "int8.pt2"], check=True)
    subprocess.run([*quantize, "--reference-representation", "-o", tmp_path / "integers.pt2"], check=True)

    ours = run(tmp_path / "integers.pt2", tmp_path / "inputs.npz", tmp_path / "y.npy")
    with torch.no_grad():
        theirs = torch.export.load(tmp_path / "integers.pt2").module()(*inputs).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    plain = run(tmp_path / "int8.pt2", tmp_path / "inputs.npz", tmp_path / "plain.npy")
    assert np.abs(ours - plain).max() <= 0.05 * np.abs(plain).max()
