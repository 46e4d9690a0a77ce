"""The fast executor against torch eager, on the model recipes and on small programs with traps."""

import subprocess

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tools import load_recipe, tool  # noqa: E402


def run_fast(program, inputs, folder, threads=1):
    torch.export.save(program, folder / "model.pt2")
    np.savez(folder / "inputs.npz", **{str(i): x.numpy() for i, x in enumerate(inputs)})
    outputs = folder / f"outputs{threads}.npz"
    subprocess.run([tool("run_program"), folder / "model.pt2", folder / "inputs.npz", outputs, str(threads)], check=True)
    with np.load(outputs) as results:
        return [results[str(i)] for i in range(len(results))]


def check(model, inputs, folder, tolerance=2e-5, dynamic_shapes=None, other_inputs=None):
    program = torch.export.export(model, inputs, dynamic_shapes=dynamic_shapes)
    for given in (inputs, other_inputs) if other_inputs else (inputs,):
        with torch.no_grad():
            expected = torch.utils._pytree.tree_leaves(model(*(x.clone() for x in given)))
        one = run_fast(program, given, folder, threads=1)
        two = run_fast(program, given, folder, threads=2)
        for got, same, wanted in zip(one, two, expected, strict=True):
            assert got.tobytes() == same.tobytes(), "the number of threads shows in the result"
            np.testing.assert_allclose(got, wanted.numpy(), rtol=0, atol=tolerance * max(1.0, wanted.abs().max().item()))


@pytest.mark.parametrize("name", ["mobilenet_v2", "minilm_plain", "tiny_gpt", "crepe_tiny", "resnet_cifar", "ppocr_det", "resnet50_random"])
def test_recipe_gives_torchs_result(name, tmp_path):
    model, inputs = load_recipe(name)
    check(model, inputs, tmp_path)


@pytest.mark.parametrize("name", ["digits_nets", "fmnist_nets"])
@pytest.mark.parametrize("kind", ["resnet", "mbv2", "vit"])
def test_small_net_gives_torchs_result(name, kind, tmp_path):
    model, inputs = load_recipe(name, kind)
    check(model, inputs, tmp_path)


def test_dynamic_batch(tmp_path):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU6(inplace=True),
                                torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 5)).eval()
    batch = torch.export.Dim("batch")
    check(model, (torch.randn(2, 3, 9, 7),), tmp_path, dynamic_shapes=({0: batch},), other_inputs=(torch.randn(5, 3, 9, 7),))


class SkipBeforeInPlace(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 3, 3, padding=1)
        self.second = torch.nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        skip = self.first(x)
        return self.second(torch.relu_(skip)) + skip  # skip has changed


def test_skip_taken_before_an_in_place_relu(tmp_path):
    check(SkipBeforeInPlace().eval(), (torch.randn(1, 3, 6, 5),), tmp_path)
