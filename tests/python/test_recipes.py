"""Every model recipe of ../shared/models: exported with dynamic sizes, run in float on both executors, quantized, run again."""

import copy
import os
import subprocess
from typing import Callable, NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tools import load_recipe, recipe, tool  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def pictures(name, size):
    """Two photographs, made small."""
    recipe(name)
    common = recipe("_common")
    if not common.os.path.isdir(f"{common.DATA}/imagenet_sample_256"):
        pytest.skip("the sample of ImageNet is not on this machine")
    batch, _ = next(common.imagenet_sample(2, size, batch=2, every=100, resize=size))
    return (batch,)


def first_batch(name, **kwargs):
    """The inputs of the first two samples of the recipe's own data."""
    batch = next(iter(recipe(name).data(**kwargs)))
    return (batch[0][:2],)


def sentences(name):
    return recipe(name).encode(["A man is playing a guitar.", "Two dogs run across a field of grass."], 16)


def speech_frames(name):
    """Two frames from the middle of a recording, with states that are not empty."""
    wave, _ = next(iter(recipe(name).data(1)))
    generator = torch.Generator().manual_seed(0)
    states = torch.tanh(torch.randn(2, 2, 128, generator=generator)) / 2
    return (torch.from_numpy(np.stack([wave[at : at + 576] for at in (16000, 40000)])), states[0], states[1])


def lines_of_text(name, height, width, channels):
    """White pictures with a word each, as the text networks read them."""
    from PIL import Image, ImageDraw, ImageFont

    result = []
    for word in ("quantize", "observer"):
        image = Image.new("L", (width, height), 235)
        font = ImageFont.load_default(size=height // 3)
        ImageDraw.Draw(image).text((6, height // 2), word, font=font, fill=20, anchor="lm")
        result.append(np.asarray(image, np.float32) / 127.5 - 1)
    return (torch.from_numpy(np.stack(result))[:, None].repeat(1, channels, 1, 1),)


class Recipe(NamedTuple):
    name: str
    samples: Callable
    least_sqnr: float | None  # dB between the float and the quantized outputs; None: only that it runs
    arguments: tuple = ()


# The text detector loses its output in int8 with these settings, and the sentence encoders most of their accuracy.
RECIPES = [
    Recipe("mobilenet_v2", lambda name: pictures(name, 64), 15),
    Recipe("resnet_cifar", lambda name: first_batch(name, n=2), 25),
    Recipe("resnet50_random", lambda name: (torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)),), 30),
    Recipe("minilm_plain", sentences, None),
    Recipe("minilm_l6", sentences, None),
    Recipe("tiny_gpt", lambda name: tuple(t[:, :64] for t in first_batch(name)), 25),
    *[Recipe("fmnist_nets", lambda name: first_batch(name, n=2, batch=2), 30, (kind,)) for kind in ("resnet", "mbv2", "vit")],
    *[Recipe("digits_nets", first_batch, 30, (kind,)) for kind in ("resnet", "mbv2", "vit")],
    Recipe("silero_vad16k", speech_frames, 14),
    Recipe("crepe_tiny", lambda name: first_batch(name, n=2), 30),
    Recipe("ppocr_det", lambda name: lines_of_text(name, 64, 96, 3), None),
    Recipe("crnn_english", lambda name: lines_of_text(name, 64, 128, 1), 30),
]


def run(program, folder, *threads, isa=""):
    """The outputs of a program: on the reference interpreter, or with a number of threads on the fast executor."""
    outputs = folder / f"outputs_{program}_{'_'.join(map(str, threads))}.npz"
    command = [tool("run_program"), folder / f"{program}.pt2", folder / "samples.npz", outputs, *map(str, threads)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "QDQ_ISA": isa})
    assert done.returncode == 0, done.stderr
    with np.load(outputs) as arrays:
        return [arrays[str(i)] for i in range(len(arrays))]


def steps_off(program, samples, count):
    """(op, by how many steps of its scale int8 is off the float graph at most) for each op, on its own inputs"""
    done = subprocess.run([tool("steps_off"), program, samples, str(count), str(count)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [(op, int(most)) for op, most, *_ in map(str.split, done.stdout.splitlines())]


def check_close(found, expected):
    for got, wanted in zip(found, expected, strict=True):
        assert got.shape == wanted.shape and got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-5 * max(1.0, np.abs(wanted).max()))


def sqnr(reference, found):
    """In dB, over all outputs."""
    signal = sum(float((r.astype(np.float64) ** 2).sum()) for r in reference)
    noise = sum(float(((r.astype(np.float64) - f) ** 2).sum()) for r, f in zip(reference, found, strict=True))
    return 10 * np.log10(signal / max(noise, 1e-30))


def in_double(model, samples):
    """What the model computes in double precision, rounded once: torch in floats can be further from it than we are."""
    exact = copy.deepcopy(model).double()
    with torch.no_grad():
        results = exact(*(t.double() if t.is_floating_point() else t for t in samples))
    results = torch.utils._pytree.tree_leaves(results)
    return [t.float().numpy() if t.is_floating_point() else t.numpy() for t in results]


@pytest.mark.parametrize("entry", RECIPES, ids=["-".join((r.name, *r.arguments)) for r in RECIPES])
def test_recipe_runs_in_float_and_quantized(entry, tmp_path):
    model, _ = load_recipe(entry.name, *entry.arguments)
    samples = entry.samples(entry.name)
    auto = torch.export.Dim.AUTO
    shapes = tuple({0: auto, 1: auto} if t.dtype == torch.int64 else {0: auto} for t in samples)
    program = torch.export.export(model, samples, dynamic_shapes=shapes)
    expected = in_double(model, samples)
    torch.export.save(program, tmp_path / "float.pt2")
    decomposed = torch.export.export(model, samples).run_decompositions({})  # torch fails on some with dynamic sizes
    torch.export.save(decomposed, tmp_path / "decomposed.pt2")
    np.savez(tmp_path / "samples.npz", **{f"input{i}": t.numpy() for i, t in enumerate(samples)})

    check_close(run("float", tmp_path), expected)
    for name in ("float", "decomposed"):
        one = run(name, tmp_path, 1)
        two = run(name, tmp_path, 2)
        check_close(one, expected)
        for a, b in zip(one, two, strict=True):
            assert a.tobytes() == b.tobytes(), "the number of threads shows in the result"

    command = [tool("qdq"), "quantize", tmp_path / "float.pt2", "-c", tmp_path / "samples.npz", "--per-channel", "--batch", "0", "-o"]
    done = subprocess.run([*command, tmp_path / "int8.pt2", "-q"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = run("int8", tmp_path, 1)
    assert all(np.isfinite(f).all() for f in found)
    for isa, threads in (("portable", 1), ("", 2)):
        for a, b in zip(found, run("int8", tmp_path, threads, isa=isa), strict=True):
            assert a.tobytes() == b.tobytes(), f"the result depends on {isa or 'the number of threads'}"
    assert [op for op, most in steps_off(tmp_path / "int8.pt2", tmp_path / "samples.npz", len(samples[0])) if most > 1] == []
    if entry.least_sqnr is not None:
        assert sqnr(expected, found) > entry.least_sqnr
