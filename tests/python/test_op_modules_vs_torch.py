"""Operators that need more of a module around them than one call with the outputs compared."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch.ao.quantization.fx._decomposed")

from test_ops_vs_torch import f, run_reference  # noqa: E402


class ViewBehindTranspose(torch.nn.Module):
    """torch keeps the transposed order through relu, so that it can take the view."""

    def __init__(self, writes):
        super().__init__()
        self.writes = writes

    def forward(self, x):
        y = torch.relu(x.transpose(0, 1)).transpose(0, 1)
        z = y.view(-1)
        return (y.mul_(2), z) if self.writes else (y, z)


def test_a_view_that_only_torch_can_take_is_copied(tmp_path):
    found = run_reference(ViewBehindTranspose(False), (f(3, 4),), tmp_path)
    assert np.array_equal(found[1], f(3, 4).relu().reshape(-1).numpy())


def test_but_not_where_a_write_must_show_through_it(tmp_path):
    assert "cannot be viewed" in run_reference(ViewBehindTranspose(True), (f(3, 4),), tmp_path)


class Bags(torch.nn.Module):
    """Only the bags' sums are used: what else the op returns serves training."""

    def __init__(self, settings):
        super().__init__()
        self.settings = settings

    def forward(self, weight, indices, offsets, factors):
        given = {"per_sample_weights": factors} if self.settings["mode"] == "sum" else {}
        return torch.nn.functional.embedding_bag(indices, weight, offsets, **given, **self.settings)


@pytest.mark.parametrize("mode", ("sum", "mean", "max"))
@pytest.mark.parametrize("settings", ({}, {"padding_idx": 3}, {"padding_idx": -2}, {"include_last_offset": True}), ids=str)
def test_embedding_bag(mode, settings, tmp_path):
    model = Bags({"mode": mode, **settings})
    indices, offsets = torch.tensor([3, 1, 5, 3, 0, 6, 2, 5]), torch.tensor([0, 3, 3, 4, 8])
    inputs = (f(7, 4), indices, offsets, f(8, seed=1))
    found = run_reference(model, inputs, tmp_path)
    assert not isinstance(found, str), found
    np.testing.assert_allclose(found[0], model(*inputs).numpy(), rtol=1e-5, atol=1e-5)


class Random(torch.nn.Module):
    def __init__(self, op):
        super().__init__()
        self.op = op

    def forward(self, x):
        return x + self.op(x)


RANDOM = {
    "rand": lambda x: torch.rand(2, 3),
    "randn_like": torch.randn_like,
    "bernoulli": torch.bernoulli,
    "randint": lambda x: torch.randint(5, (2, 3)),
    "randperm": lambda x: torch.randperm(3),
    "normal": lambda x: torch.normal(x, 1.0),
    "multinomial": lambda x: torch.multinomial(x, 3),
    "uniform_": lambda x: x.clone().uniform_(),
    "dropout": lambda x: torch.nn.functional.dropout(x, 0.5, training=True),
}


@pytest.mark.parametrize("name", RANDOM)
def test_random_numbers_are_refused(name, tmp_path):
    message = run_reference(Random(RANDOM[name]), (torch.full((2, 3), 0.5),), tmp_path)
    assert isinstance(message, str) and f"aten.{name}" in message and "random" in message, message


class ReshapedInPlace(torch.nn.Module):
    def __init__(self, reads_old):
        super().__init__()
        self.reads_old = reads_old

    def forward(self, x):
        flat = x.mul(2).unsqueeze_(0).transpose_(1, 2).squeeze_().t_().unsqueeze_(1).squeeze_(1)
        y = x.clone()
        z = y.t_()
        return flat, z + 1, y + 1 if self.reads_old else z


def test_reshaping_in_place_gives_the_new_sizes(tmp_path):
    model, x = ReshapedInPlace(False), f(3, 4)
    found = run_reference(model, (x,), tmp_path)
    assert not isinstance(found, str), found
    for got, want in zip(found, model(x)):
        assert np.array_equal(got, want.numpy())


def test_reading_the_old_value_after_it_is_refused_or_right(tmp_path):
    """What torch.export makes of `y` after `y.t_()` may be the node before or the one after."""
    model, x = ReshapedInPlace(True), f(3, 4)
    found = run_reference(model, (x,), tmp_path)
    if isinstance(found, str):
        assert "after its sizes were changed in place" in found
    else:
        assert np.array_equal(found[2], model(x)[2].numpy())
