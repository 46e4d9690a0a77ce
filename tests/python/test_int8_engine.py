"""Small networks of odd sizes, drawn at random, on the int8 engine: the same bytes on every instruction set, each op
a step from the float graph at most, and in int8 what the engine takes."""

import os
import subprocess

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn as nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from tools import tool  # noqa: E402

SEEDS = range(4)


class Transposed(nn.Module):
    """A transposed convolution of one to three dimensions in groups, which may be depthwise."""

    def __init__(self, random):
        super().__init__()
        dims = int(random.integers(1, 4))
        groups = int(random.integers(2, 6))
        per_group, out_per_group = (int(n) for n in (random.integers(1, 7, 2) if random.integers(2) else (1, 1)))
        stride = int(random.integers(1, 4))
        kernel, dilation = int(random.integers(1, 5)), int(random.integers(1, 3))
        conv = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[dims]
        self.up = conv(
            per_group * groups,
            out_per_group * groups,
            kernel,
            stride,
            padding=int(random.integers(0, (kernel - 1) * dilation // 2 + 1)),
            output_padding=int(random.integers(0, max(stride, dilation))),
            groups=groups,
            dilation=dilation,
        )
        self.sizes = (per_group * groups, *(int(n) for n in random.integers(1, 12 if dims < 3 else 6, dims)))

    def forward(self, x):
        return torch.relu(self.up(x))


class Gated(nn.Module):
    """Squeeze and excitation, and a learned shift of each channel."""

    def __init__(self, random):
        super().__init__()
        channels = int(random.integers(1, 70))
        self.conv = nn.Conv2d(3, channels, 3, padding=1)
        self.gate = nn.Conv2d(channels, channels, 1)
        self.shift = nn.Parameter(torch.randn(channels, 1, 1))
        self.last = nn.Conv2d(channels, 5, 1)
        self.sizes = (3, *(int(n) for n in random.integers(1, 20, 2)))

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return self.last(x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True))) + self.shift)


class Embedded(nn.Module):
    """Positions are added and features scaled."""

    def __init__(self, random):
        super().__init__()
        length, width = (int(n) for n in random.integers(1, 50, 2))
        self.first, self.last = nn.Linear(7, width), nn.Linear(width, 3)
        self.positions = nn.Parameter(torch.randn(1, length, width))
        self.scale = nn.Parameter(torch.randn(width))
        self.sizes = (length, 7)

    def forward(self, x):
        return self.last((self.positions + torch.relu(self.first(x))) * self.scale)


class Attention(nn.Module):
    def __init__(self, random):
        super().__init__()
        self.heads, width = int(random.integers(1, 4)), int(random.integers(1, 20))
        self.query, self.key, self.value = (nn.Linear(12, self.heads * width) for _ in range(3))
        self.out = nn.Linear(self.heads * width, 9)
        self.causal = bool(random.integers(2))
        self.sizes = (int(random.integers(1, 70)), 12)

    def forward(self, x):
        batch, length, _ = x.shape
        query, key, value = (
            layer(x).view(batch, length, self.heads, -1).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        result = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.out(result.transpose(1, 2).reshape(batch, length, -1))


class Moved(nn.Module):
    """Padded and enlarged, normalised behind a quantized value, scaled by numbers."""

    def __init__(self, random):
        super().__init__()
        channels = int(random.integers(1, 40))
        self.first, self.last = nn.Conv2d(3, channels, 3), nn.Conv2d(channels, 4, 1)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.normal_(self.norm.weight)
        self.pad = [int(n) for n in random.integers(0, 3, 4)]
        self.sizes = (3, *(int(n) for n in random.integers(3, 12, 2)))

    def forward(self, x):
        x = F.interpolate(F.pad(torch.relu(self.first(x)), self.pad), scale_factor=2, mode="nearest")
        return self.last(F.relu(self.norm(x)) * 0.75 / 6)


def run(folder, isa):
    environment = dict(os.environ, QDQ_ISA=isa)
    output = folder / f"{isa}.npy"
    done = subprocess.run(
        [tool("qdq"), "run", folder / "int8.pt2", "--input", folder / "x.npz", "--output", output, "-q"],
        capture_output=True,
        text=True,
        env=environment,
    )
    if "QDQ_ISA" in done.stderr:
        pytest.skip(f"this machine has no {isa}")
    assert done.returncode == 0, done.stderr
    return np.load(output)


def kernels(folder):
    """The kernels of the plan's steps."""
    done = subprocess.run(
        [tool("qdq"), "bench", folder / "int8.pt2", "--per-node", "--runs", "1", "--threads", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = done.stdout[done.stdout.index("kernel") :].splitlines()[1:]
    return {row.split()[1] for row in rows if len(row.split()) > 2}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "network, wanted",
    [
        (Transposed, set()),
        (Gated, {"int8:mul", "int8:add"}),
        (Embedded, {"int8:mul", "int8:add"}),
        (Attention, {"int8:attention"}),
        (Moved, {"int8:table"}),
    ],
)
def test_odd_sizes_run_in_int8_with_the_same_bytes_everywhere(network, wanted, seed, tmp_path):
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    model = network(random).eval()
    x = torch.randn(2, *model.sizes)
    torch.export.save(torch.export.export(model, (x,)), tmp_path / "float.pt2")
    np.savez(tmp_path / "x.npz", x=x.numpy())
    subprocess.run(
        [tool("qdq"), "quantize", tmp_path / "float.pt2", "--calibrate", tmp_path / "x.npz", "--quantizer", "xnnpack"]
        + ["--accuracy", "fast", "-o", tmp_path / "int8.pt2", "-q"],
        check=True,
    )
    found = kernels(tmp_path)
    assert wanted <= found
    assert not found & {"binary", "attention", "deconvolution", "unary"}, found
    bytes_of = {run(tmp_path, isa).tobytes() for isa in ("portable", "avx2", "avx512_vnni")}
    assert len(bytes_of) == 1
    done = subprocess.run(
        [tool("steps_off"), tmp_path / "int8.pt2", tmp_path / "x.npz", "2", "2"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(int(line.split()[1]) <= 1 for line in done.stdout.splitlines()), done.stdout
