"""Inputs that a program must not trust: where torch computes, both executors compute the same; where torch refuses, they do."""

import subprocess

import numpy as np
import pytest
import torch
from torch.export import Dim

EXECUTORS = ["fast", "reference"]


def program(fn, *inputs, dynamic=None):
    class Model(torch.nn.Module):
        def forward(self, *args):
            return fn(*args)

    return torch.export.export(Model(), inputs, dynamic_shapes=None if dynamic is None else {"args": dynamic})


X = torch.arange(12, dtype=torch.float32).reshape(3, 4)
TABLE = torch.arange(20, dtype=torch.float32).reshape(5, 4)


def i64(*values):
    return torch.tensor(values, dtype=torch.int64)


FAR = [i64(0, 1, 5), i64(-1, 0, 1), i64(0, 0, 2**62), i64(0, -(2**63), 0), i64(4, -6, 0), i64(4, 4, 4)]
INDEXED = {
    "embedding": lambda i: torch.nn.functional.embedding(i, TABLE),
    "embedding_padding": lambda i: torch.nn.functional.embedding(i, TABLE, padding_idx=0),
    "index": lambda i: TABLE[i],
    "index_second": lambda i: TABLE.t()[:, i],
    "index_two": lambda i: TABLE[i, i],
    "index_select": lambda i: TABLE.index_select(0, i),
    "gather": lambda i: TABLE.gather(0, i[:, None]),
    "scatter": lambda i: TABLE.scatter(0, i[:, None], TABLE[:3]),
    "scatter_value": lambda i: TABLE.scatter(0, i[:, None], 7.0),
    "scatter_add": lambda i: TABLE.scatter_add(0, i[:, None], TABLE[:3]),
    "index_put": lambda i: TABLE.index_put((i,), torch.tensor(1.0)),
}


def check(qdq, folder, exported, inputs, executor):
    """Runs `exported` on `inputs` (arrays as the command line takes them) with qdq and with torch."""
    path = folder / "m.pt2"
    torch.export.save(exported, path)
    names = [spec.arg.name for spec in exported.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]
    np.savez(folder / "x.npz", **{name: value.numpy() for name, value in zip(names, inputs, strict=True)})
    command = [qdq, "run", path, "--input", "x.npz", "--output", "y.npz", "--batch", "0", "--executor", executor, "-q"]
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=120)
    try:
        with torch.no_grad():
            expected = exported.module()(*inputs)
    except (RuntimeError, IndexError, ValueError, AssertionError) as error:
        assert done.returncode == 1, f"torch refuses ({error}), qdq does not: {done.returncode}\n{done.stderr}"
        return
    assert done.returncode == 0, done.stderr
    found = np.load(folder / "y.npz")
    np.testing.assert_allclose(found[found.files[0]], expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", INDEXED)
def test_indices_outside_their_tensor(qdq, tmp_path, name, executor):
    exported = program(INDEXED[name], i64(0, 1, 2))
    for indices in FAR:
        check(qdq, tmp_path, exported, (indices,), executor)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(
    "wrong",
    [torch.zeros(3), torch.zeros(3, 4, 1), torch.zeros(4, 3), torch.zeros(3, 0), torch.zeros(3, 5), torch.tensor(1.0)],
    ids=lambda x: str(list(x.shape)),
)
def test_inputs_of_other_sizes(qdq, tmp_path, wrong, executor):
    weight = torch.ones(2, 4)
    check(qdq, tmp_path, program(lambda x: torch.nn.functional.linear(x, weight).relu(), X), (wrong,), executor)


F = torch.nn.functional
W = torch.linspace(-1, 1, 4 * 3 * 3 * 3).reshape(4, 3, 3, 3)
D = torch.linspace(-1, 1, 3 * 9).reshape(3, 1, 3, 3)
SIZED = {
    "conv": lambda x: F.conv2d(x, W, padding=1),
    "conv_without_padding": lambda x: F.conv2d(x, W),
    "depthwise": lambda x: F.conv2d(x, D, groups=3),
    "dilated": lambda x: F.conv2d(x, W, dilation=3),
    "max_pool": lambda x: F.max_pool2d(x, 3, 2),
    "avg_pool": lambda x: F.avg_pool2d(x, 3, 2),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, 2),
    "upsample": lambda x: F.interpolate(x, scale_factor=2.0),
    "negative_pad": lambda x: F.pad(x, (-2, -1, -1, -2)),
    "reflect": lambda x: F.pad(x, (3, 3, 3, 3), mode="reflect"),
    "mean": lambda x: x.mean((2, 3)),
    "softmax": lambda x: x.softmax(-1),
    "cat": lambda x: torch.cat([x, x.relu()], 1),
    "max": lambda x: x.amax(-1),
}
SIZES = [(0, 3, 9, 9), (1, 3, 9, 9), (7, 3, 9, 9), (64, 3, 9, 9), (65, 3, 9, 9), (2, 3, 2, 2), (2, 3, 0, 9), (2, 5, 9, 9)]


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", SIZED)
def test_sizes_that_nobody_exported(qdq, tmp_path, name, executor):
    exported = program(SIZED[name], torch.randn(2, 3, 9, 9), dynamic=({0: Dim("images", min=0, max=64)},))
    for sizes in SIZES:
        x = torch.linspace(-2, 2, int(np.prod(sizes))).reshape(sizes)
        check(qdq, tmp_path, exported, (x,), executor)


POINT = {
    "gather": (lambda x, i: x.gather(0, i), X[0]),
    "gather_nothing": (lambda x, i: x.gather(0, i), torch.zeros(0)),
    "gather_point": (lambda x, i: x.gather(0, i), torch.tensor(3.0)),
    "scatter": (lambda x, i: x.scatter(0, i, 7.0), X[0]),
    "scatter_nothing": (lambda x, i: x.scatter(0, i, 7.0), torch.zeros(0)),
}


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", POINT)
@pytest.mark.parametrize("at", [0, 2, 4, -1])
def test_an_index_without_dimensions(qdq, tmp_path, name, at, executor):
    fn, x = POINT[name]
    check(qdq, tmp_path, program(fn, x, torch.tensor(0)), (x, torch.tensor(at)), executor)
