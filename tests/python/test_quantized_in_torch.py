"""What qdq quantizes, torch loads and runs: dynamic sizes, int8 weights, nothing float that nobody reads."""

import subprocess

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401  registers the quantized_decomposed ops
import torch.nn as nn
import torch.nn.functional as F
from tools import ROOT, tool


class Attention(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.embed = nn.Embedding(50, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, 4)

    def forward(self, ids):
        x = self.embed(ids)
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.out(torch.softmax(q @ k.transpose(-1, -2) / 4.0, -1) @ v + x)


def quantize_and_run(folder, exported, calibration, inputs, *options):
    """Our outputs for `inputs`, and the quantized program loaded by torch."""
    torch.export.save(exported, folder / "float.pt2")
    np.savez(folder / "calibration.npz", x=calibration)
    np.savez(folder / "inputs.npz", x=inputs)
    qdq = tool("qdq")
    subprocess.run(
        [qdq, "quantize", folder / "float.pt2", "--calibrate", folder / "calibration.npz", "--per-channel", "-q", "--accuracy", "fast"]
        + ["-o", folder / "int8.pt2", *options],
        check=True,
    )
    subprocess.run(
        [qdq, "run", folder / "int8.pt2", "--input", folder / "inputs.npz", "--output", folder / "y.npy", "-q"]
        + ["--batch", str(len(inputs))],
        check=True,
    )
    return np.load(folder / "y.npy"), torch.export.load(folder / "int8.pt2")


def test_dynamic_batch_and_sequence_length_survive(tmp_path):
    torch.manual_seed(0)
    model = Attention().eval()
    sizes = {0: torch.export.Dim("batch", min=1, max=64), 1: torch.export.Dim("length", min=2, max=128)}
    exported = torch.export.export(model, (torch.randint(0, 50, (2, 8)),), dynamic_shapes=(sizes,))
    generator = np.random.default_rng(0)
    inputs = generator.integers(0, 50, (5, 11))
    ours, program = quantize_and_run(tmp_path, exported, generator.integers(0, 50, (16, 8)), inputs)
    module = program.module()
    with torch.no_grad():
        for batch, length in [(5, 11), (1, 3)]:
            ids = torch.from_numpy(inputs[:batch, :length])
            theirs = module(ids).numpy()
            assert theirs.shape == (batch, length, 4)
            assert np.abs(theirs - model(ids).numpy()).max() < 0.1
        np.testing.assert_allclose(ours, module(torch.from_numpy(inputs)).numpy(), atol=0.05)
    assert {str(value) for value in program.range_constraints.values()} == {"VR[1, 64]", "VR[2, 128]"}


def test_weights_are_int8_and_no_unread_float_weight_is_left(tmp_path):
    model = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    exported = torch.export.export(
        model.eval(), (torch.randn(2, 1, 8, 8),), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},)
    )
    images = np.random.default_rng(0).standard_normal((16, 1, 8, 8)).astype(np.float32)
    ours, program = quantize_and_run(tmp_path, exported, images, images)
    kinds = {name: tensor.dtype for name, tensor in program.state_dict.items()}
    assert [kinds[f"_frozen_param{i}"] for i in range(2)] == [torch.int8, torch.int8]
    used = {node.name for node in program.graph.nodes if node.op == "placeholder" and node.users}
    assert used == {node.name for node in program.graph.nodes if node.op == "placeholder"}
    assert not any(name.endswith(".weight") for name in kinds)
    with torch.no_grad():
        theirs = program.module()(torch.from_numpy(images)).numpy()
    step = max(abs(theirs).max(), 1.0) / 100
    np.testing.assert_allclose(ours, theirs, atol=step)
    assert np.abs(theirs - model(torch.from_numpy(images)).detach().numpy()).max() < 0.1


def test_dynamic_quantization_chooses_ranges_at_run_time(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3)).eval()
    exported = torch.export.export(
        model, (torch.randn(2, 8),), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},)
    )
    inputs = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)
    ours, program = quantize_and_run(tmp_path, exported, inputs, inputs, "--dynamic")
    targets = [str(node.target) for node in program.graph.nodes]
    assert targets.count("quantized_decomposed.choose_qparams.tensor") == 2
    with torch.no_grad():
        np.testing.assert_allclose(ours, program.module()(torch.from_numpy(inputs)).numpy(), atol=0.02)
        assert np.abs(ours - model(torch.from_numpy(inputs)).numpy()).max() < 0.1


@pytest.mark.parametrize("network", ["fmnist_resnet", "fmnist_mbv2"])
def test_the_demo_networks_answer_as_in_torch(tmp_path, network):
    images = np.load(ROOT / "demo" / "images.npz")
    images = images[images.files[0]]
    exported = torch.export.load(ROOT / "demo" / f"{network}.pt2")
    ours, program = quantize_and_run(tmp_path, exported, images, images)
    with torch.no_grad():
        theirs = F.softmax(program.module()(torch.from_numpy(images)), -1).argmax(-1).numpy()
    assert (ours.argmax(-1) == theirs).mean() >= 0.95
