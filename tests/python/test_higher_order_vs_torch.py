"""Loops and maps over sub-graphs: torch's results against the reference interpreter's."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test_ops_vs_torch import f, run_reference  # noqa: E402
from torch._higher_order_ops.map import map as torch_map  # noqa: E402
from torch._higher_order_ops.scan import scan  # noqa: E402
from torch._higher_order_ops.while_loop import while_loop  # noqa: E402


class WithLinear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(3, 3)


class While(WithLinear):
    def forward(self, count, x):
        return while_loop(lambda i, y: i > 0, lambda i, y: (i - 1, torch.tanh(self.linear(y))), (count, x))


class Scan(WithLinear):
    """A recurrent net: what is carried, the last of it, and a result of every step."""

    reverse = False

    def forward(self, state, xs):
        return scan(lambda c, x: (torch.tanh(self.linear(c) + x), (c + x) * 2), state, xs, dim=0, reverse=self.reverse)


class ScanBackwards(Scan):
    reverse = True


class ScanOfPairs(WithLinear):
    def forward(self, a, b, xs, ys):
        def step(carried, elements):
            (a, b), (x, y) = carried, elements
            return (a + x, b * y), (self.linear(a), b - x.sum())

        return scan(step, (a, b), (xs, ys), dim=1)


class Map(WithLinear):
    def forward(self, xs, shift):
        return torch_map(lambda x, shift: self.linear(x) + shift, xs, shift)


class ScanOfMaps(WithLinear):
    """One body inside the other."""

    def forward(self, state, xs):
        def step(carried, x):
            y = torch_map(lambda row: torch.relu(self.linear(row)), x)
            return carried + y, y.sum(0)

        return scan(step, state, xs, dim=0)


PROGRAMS = [
    (While, torch.tensor(4), f(2, 3)),
    (While, torch.tensor(0), f(2, 3)),
    (Scan, f(2, 3), f(5, 2, 3, seed=1)),
    (ScanBackwards, f(2, 3), f(5, 2, 3, seed=1)),
    (ScanOfPairs, f(3), f(1), f(3, 4, seed=1), f(1, 4, seed=2)),
    (Map, f(5, 2, 3), f(3, seed=1)),
    (ScanOfMaps, f(2, 3), f(5, 2, 3, seed=1)),
]


@pytest.mark.parametrize("program", PROGRAMS, ids=[f"{i}-{p[0].__name__}" for i, p in enumerate(PROGRAMS)])
def test_bodies_run_as_in_torch(program, tmp_path):
    module, inputs = program[0]().eval(), tuple(program[1:])
    found = run_reference(module, inputs, tmp_path)
    assert not isinstance(found, str), found
    expected = torch.utils._pytree.tree_leaves(module(*inputs))
    assert len(found) == len(expected)
    for got, want in zip(found, expected):
        assert got.dtype == want.numpy(force=True).dtype and got.shape == tuple(want.shape)
        np.testing.assert_allclose(got, want.numpy(force=True), rtol=1e-5, atol=1e-5)
