"""Where calibration data comes from: folders of images and of arrays, streams, compressed files."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import IMAGES, network
from tools import load_recipe, recipe

IMAGENET = ("--preprocess", "imagenet")


class Same(torch.nn.Module):
    """Returns its input, so that `qdq run` shows what became of the images."""

    def forward(self, x):
        return x + 0


@pytest.fixture(scope="session")
def same(tmp_path_factory):
    """A folder with programs: that one for float and uint8 images, and a linear layer."""
    folder = tmp_path_factory.mktemp("same")
    sizes = {axis: torch.export.Dim(name) for axis, name in enumerate(("batch", "channels", "height", "width"))}
    for name, dtype in (("float", torch.float32), ("pixels", torch.uint8)):
        program = torch.export.export(Same(), (torch.zeros(2, 3, 5, 6, dtype=dtype),), dynamic_shapes=(sizes,))
        torch.export.save(program, folder / f"{name}.pt2")
    batch = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(torch.nn.Linear(784, 4), (torch.zeros(2, 784),), dynamic_shapes=batch)
    torch.export.save(program, folder / "linear.pt2")
    return folder


def photograph(seed=0, size=(200, 150)):
    """Width and height; smooth, so that JPEG keeps most of it, with noise, so that every weight counts."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    waves = np.stack([np.sin(x / (3 + c) + seed) + np.cos(y / (5 - c)) for c in range(3)], -1)
    return Image.fromarray(np.clip(waves * 60 + 128 + rng.normal(0, 20, waves.shape), 0, 255).astype(np.uint8))


def as_input(run, same, tmp_path, folder, *options, program="float"):
    """What the network gets for the images of a folder."""
    run("run", same / f"{program}.pt2", "--input", folder, "-o", "out.npy", "--batch", 1, *options)
    return np.load(tmp_path / "out.npy")


def folder_of(tmp_path, images, name="images"):
    folder = tmp_path / name
    for file, image in images.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / file)
    return folder


# ------------------------------------------------------------------------------------------------ decoding and resizing

MODES = {
    "rgb.jpg": lambda image: image,
    "gray.jpg": lambda image: image.convert("L"),
    "cmyk.jpg": lambda image: image.convert("CMYK"),
    "rgb.png": lambda image: image,
    "gray.png": lambda image: image.convert("L"),
    "bits.png": lambda image: image.convert("1"),
    "palette.png": lambda image: image.quantize(17),
    "alpha.png": lambda image: Image.merge("RGBA", [*image.split(), image.convert("L")]),
    "gray_alpha.png": lambda image: Image.merge("LA", [image.convert("L"), image.split()[0]]),
}


@pytest.mark.parametrize("name", MODES)
def test_pixels_are_those_of_pillow(run, same, tmp_path, name):
    folder = folder_of(tmp_path, {name: MODES[name](photograph())})
    found = as_input(run, same, tmp_path, folder, "--layout", "nhwc", program="pixels")
    assert np.array_equal(found[0], np.asarray(Image.open(folder / name).convert("RGB")))


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 2, "quality": 30}, {"subsampling": 0}])
def test_every_kind_of_jpeg_is_read_as_pillow_reads_it(run, same, tmp_path, options):
    (tmp_path / "images").mkdir()
    file = tmp_path / "images" / "a.JPEG"
    photograph(size=(101, 67)).save(file, **options)
    found = as_input(run, same, tmp_path, file.parent, "--layout", "nhwc", program="pixels")
    assert np.array_equal(found[0], np.asarray(Image.open(file)))


def resize(image, size, resample=Image.Resampling.BILINEAR):
    """Rows first, then columns, each rounded. In one step, Pillow 13 goes the other way round where that is cheaper."""
    return image.resize((size[0], image.height), resample).resize(size, resample)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("height,width", [(64, 64), (37, 191), (150, 90), (149, 200), (400, 611), (1, 1)])
def test_resized_pixels_are_those_of_pillow(run, same, tmp_path, interpolation, height, width):
    image = photograph(1)
    folder = folder_of(tmp_path, {"a.png": image})
    options = ("--image-size", f"{height}x{width}", "--interpolation", interpolation, "--layout", "nhwc")
    found = as_input(run, same, tmp_path, folder, *options, program="pixels")
    resample = Image.Resampling[interpolation.upper()]
    assert np.array_equal(found[0], np.asarray(resize(image, (width, height), resample)))
    if interpolation == "bilinear":  # cubic weights overshoot, and what is cut off between the two steps is lost
        one_step = np.asarray(image.resize((width, height), resample), int)
        assert np.abs(one_step - found[0]).max() <= 1


# ------------------------------------------------------------------------------------------------ torchvision's transforms


def resize_shorter(image, size):
    """torchvision.transforms.Resize(size) on a PIL image."""
    w, h = image.size
    new = (size, int(size * h / w)) if w <= h else (int(size * w / h), size)
    return resize(image, new)


def center_crop(image, size):
    """torchvision.transforms.CenterCrop(size) on a PIL image."""
    top, left = int(round((image.height - size) / 2.0)), int(round((image.width - size) / 2.0))
    return image.crop((left, top, left + size, top + size))


def normalized(image, mean, std):
    """ToTensor and Normalize."""
    tensor = torch.from_numpy(np.asarray(image)).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
    return tensor.sub_(torch.tensor(mean)[:, None, None]).div_(torch.tensor(std)[:, None, None]).numpy()


@pytest.mark.parametrize("size", [(300, 500), (500, 301), (256, 256), (1000, 227)])
def test_imagenet_is_torchvisions_recipe(run, same, tmp_path, size):
    image = photograph(2, size)
    folder = folder_of(tmp_path, {"a.png": image})
    found = as_input(run, same, tmp_path, folder, *IMAGENET)
    cropped = center_crop(resize_shorter(image, 256), 224)
    assert np.array_equal(found[0], normalized(cropped, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def test_options_override_parts_of_a_preset(run, same, tmp_path):
    image = photograph(3)
    folder = folder_of(tmp_path, {"a.png": image})
    options = (*IMAGENET, "--image-size", 64, "--crop", "none", "--channels", "bgr", "--mean", 0.5, "--std", "0.1,0.2,0.3")
    found = as_input(run, same, tmp_path, folder, *options)
    bgr = Image.merge("RGB", resize_shorter(image, 64).split()[::-1])
    assert np.array_equal(found[0], normalized(bgr, (0.5,) * 3, (0.1, 0.2, 0.3)))
    gray = as_input(run, same, tmp_path, folder, "--channels", "gray", "--pixel-range", 255)
    assert np.array_equal(gray[0, 0], np.asarray(image.convert("L"), np.float32))


# ------------------------------------------------------------------------------------------------ folders, streams, archives


def test_a_folder_is_read_in_the_order_of_its_paths(run, same, tmp_path):
    names = ["b/1.png", "a.png", "B.png", "a/2.png", "a/10.png"]
    folder = folder_of(tmp_path, {name: Image.new("RGB", (2, 2), (i,) * 3) for i, name in enumerate(names)})
    (folder / "labels.txt").write_text("not an image")
    (folder / ".hidden.png").write_text("not looked at")
    done = run("run", same / "float.pt2", "--input", folder, "-o", "out.npy", "--pixel-range", 255)
    assert "holds 1 other file(s)" in done.stderr and "labels.txt" in done.stderr
    found = np.load(tmp_path / "out.npy")[:, 0, 0, 0]
    assert found.tolist() == [names.index(name) for name in sorted(names)]


def quantized(run, tmp_path, *options, name="q.pt2", **more):
    run("quantize", network(), "--calibrate", *options, "-q", "-o", name, **more)
    return (tmp_path / name).read_bytes()


def test_arrays_in_a_folder_count_as_one_array(run, tmp_path):
    images = np.load(IMAGES)["input"]
    expected = quantized(run, tmp_path, IMAGES)
    (tmp_path / "parts" / "more").mkdir(parents=True)
    np.save(tmp_path / "parts" / "a.npy", images[:13])
    np.savez(tmp_path / "parts" / "b.npz", input=images[13:21])
    np.savez_compressed(tmp_path / "parts" / "c.npz", input=images[21:63])
    np.save(tmp_path / "parts" / "more" / "d.npy", images[63])  # one sample, without a dimension for their number
    assert quantized(run, tmp_path, "parts", name="parts.pt2") == expected
    np.savez_compressed(tmp_path / "all.npz", input=images)
    assert quantized(run, tmp_path, "all.npz", "--workers", 3, name="all.pt2") == expected
    run("calibrate", network(), "--data", "all.npz", "-o", "a.safetensors")
    run("calibrate", network(), "--data", IMAGES, "-o", "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def piped(qdq, tmp_path, data, *arguments, code=0):
    command = [qdq, *map(str, arguments)]
    done = subprocess.run(command, cwd=tmp_path, input=data, capture_output=True, timeout=300)
    assert done.returncode == code, done.stderr.decode()
    return done


def stream_of(arrays):
    stream = io.BytesIO()
    for array in arrays:
        np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("workers", [1, 3])
def test_standard_input_calibrates_batch_by_batch(qdq, run, tmp_path, workers):
    images = np.load(IMAGES)["input"]
    data = stream_of(np.split(images, 8))
    expected = quantized(run, tmp_path, IMAGES, "--batch", 8)
    piped(qdq, tmp_path, data, "quantize", network(), "--calibrate", "-", "--workers", workers, "-q", "-o", "piped.pt2")
    assert (tmp_path / "piped.pt2").read_bytes() == expected
    plain = quantized(run, tmp_path, IMAGES, "--batch", 8, "--accuracy", "fast")
    piped(qdq, tmp_path, data, "calibrate", network(), "--data", "-", "-o", "s.safetensors", "-q")
    run("convert", network(), "--statistics", "s.safetensors", "-o", "two.pt2")
    assert (tmp_path / "two.pt2").read_bytes() == plain


def test_shards_of_a_stream_add_up(qdq, run, tmp_path):
    data = stream_of(np.split(np.load(IMAGES)["input"], 8))
    calibrate = ("calibrate", network(), "--data", "-", "--observer", "MinMaxObserver", "-q", "-o")
    piped(qdq, tmp_path, data, *calibrate, "whole.safetensors")
    for number in (1, 2, 3):
        piped(qdq, tmp_path, data, *calibrate, f"{number}.safetensors", "--shard", f"{number}/3")
    run("merge", "1.safetensors", "2.safetensors", "3.safetensors", "-o", "all.safetensors")
    assert (tmp_path / "all.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    done = piped(qdq, tmp_path, data, *calibrate, "x.safetensors", "--shard", "9/9", code=1)
    assert b"8 batches are too few for shard 9/9" in done.stderr


def test_a_damaged_stream_is_refused_with_the_place(qdq, tmp_path):
    images = np.load(IMAGES)["input"]
    arguments = ("quantize", network(), "--calibrate", "-", "-o", "x.pt2")
    data = stream_of([images[:8], images[8:16]])
    done = piped(qdq, tmp_path, data[:-5], *arguments, code=3)
    assert b"standard input, array 2 at byte" in done.stderr and b"5 bytes too early" in done.stderr
    done = piped(qdq, tmp_path, stream_of([images[:8], images[:, :, :5]]), *arguments, code=1)
    assert b"standard input, batch 2: input 'input' takes" in done.stderr
    done = piped(qdq, tmp_path, data, *arguments, "--batch", 8, code=2)
    assert b"batches on standard input are taken as they come" in done.stderr
    assert not (tmp_path / "x.pt2").exists()


# ------------------------------------------------------------------------------------------------ refusals


def test_images_that_do_not_fit_are_refused_with_the_file_and_a_remedy(run, same, tmp_path):
    folder = folder_of(tmp_path, {"a.png": photograph(), "b.png": photograph(size=(10, 20))})
    program = same / "float.pt2"
    done = run("run", program, "--input", folder, "-o", "x.npy", code=2)
    assert "say how images become inputs: --preprocess imagenet" in done.stderr
    done = run("run", program, "--input", folder, "-o", "x.npy", "--preprocess", "to_tensor", code=1)
    assert "b.png: becomes [3, 20, 10]" in done.stderr and "--image-size 256 --crop 224" in done.stderr
    done = run("run", program, "--input", folder, "-o", "x.npy", "--crop", 50, code=1)
    assert "b.png: [image] an image of 20 x 10 pixels is smaller than the crop of 50 x 50" in done.stderr
    done = run("run", program, "--input", folder, "-o", "x.npy", "--mean", "1,2", code=2)
    assert "one for each of the 3 channel(s); found 2" in done.stderr
    done = run("run", program, "--input", folder, "-o", "x.npy", "--image-size", "12y", code=2)
    assert "224x160 (height x width)" in done.stderr
    done = run("quantize", network(), "--calibrate", IMAGES, *IMAGENET, "-o", "x.pt2", code=2)
    assert "is no folder of images" in done.stderr
    (tmp_path / "empty").mkdir()
    done = run("quantize", network(), "--calibrate", "empty", "-o", "x.pt2", code=2)
    assert "neither images (.jpg, .png) nor arrays" in done.stderr
    np.save(folder / "c.npy", np.zeros(3))
    done = run("run", program, "--input", folder, "-o", "x.npy", *IMAGENET, code=2)
    assert "has both images" in done.stderr
    done = run("quantize", network(), "--calibrate", folder_of(tmp_path, {"a.png": photograph()}, "one"), *IMAGENET, "-o",
               "x.pt2", code=1)  # fmt: skip
    assert "a.png: input 'input' takes float32[*, 1, 28, 28], found float32[1, 3, 224, 224]" in done.stderr


def test_data_is_asked_for_where_an_observer_needs_it(run, tmp_path):
    class Bag(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(10, 4)
            self.out = torch.nn.Linear(4, 2)

        def forward(self, x):
            return self.out(self.table(x))

    torch.export.save(torch.export.export(Bag().eval(), (torch.zeros(3, dtype=torch.int64),)), tmp_path / "bag.pt2")
    run("quantize", "bag.pt2", "--quantizer", "embedding", "-o", "table.pt2")
    run("quantize", "bag.pt2", "--quantizer", "weight_only", "-o", "weights.pt2")
    refused = run("quantize", "bag.pt2", "--quantizer", "embedding,xnnpack", "-o", "both.pt2", code=2)
    assert "--calibrate is missing" in refused.stderr


# ------------------------------------------------------------------------------------------------ a real network


def test_photographs_give_mobilenet_the_ranges_of_the_arrays(run, tmp_path):
    """The recipe decodes, crops and normalises with Pillow and numpy; the folder goes through our own code."""
    model, _ = load_recipe("mobilenet_v2")
    common = recipe("_common")
    images = sorted((tmp_path / p for p in common.os.listdir(f"{common.DATA}/imagenet_sample_256")))[:24]
    folder = tmp_path / "photographs"
    folder.mkdir()
    for image in images:
        (folder / image.name).symlink_to(f"{common.os.path.abspath(common.DATA)}/imagenet_sample_256/{image.name}")
    batches = [x for x, _ in common.imagenet_sample(24, 224, batch=8)]
    np.savez(tmp_path / "arrays.npz", x=torch.cat(batches).numpy())
    dynamic = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(model, (batches[0],), dynamic_shapes=dynamic), tmp_path / "mobilenet_v2.pt2")
    run("calibrate", "mobilenet_v2.pt2", "--data", "arrays.npz", "-o", "arrays.safetensors")
    run("calibrate", "mobilenet_v2.pt2", "--data", "photographs", *IMAGENET, "-o", "photographs.safetensors")
    assert (tmp_path / "photographs.safetensors").read_bytes() == (tmp_path / "arrays.safetensors").read_bytes()
    done = run("quantize", "mobilenet_v2.pt2", "--calibrate", "photographs", *IMAGENET, "--json", "-o", "q.pt2")
    assert json.loads(done.stdout)["samples"] == 24


# ------------------------------------------------------------------------------------------------ memory

PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(code)
"""


def peak_memory(qdq, tmp_path, model, data):
    """Most resident memory of a calibration, in bytes."""
    command = [qdq, "calibrate", model, "--data", data, "-q", "-o", "s.safetensors", "--threads", "1"]
    done = subprocess.run([sys.executable, "-c", PEAK, *map(str, command)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "compressed.npz", "folder", "x.safetensors"])
def test_memory_does_not_grow_with_the_number_of_samples(qdq, same, tmp_path, name):
    from safetensors.numpy import save_file

    def write(count):
        rng = np.random.default_rng(0)
        images = rng.normal(size=(count, 784)).astype(np.float32)
        if name == "folder":
            (tmp_path / name).mkdir(exist_ok=True)
            for i, part in enumerate(np.split(images, 4)):
                np.save(tmp_path / name / f"{i}.npy", part)
        elif name.endswith(".npy"):
            np.save(tmp_path / name, images)
        elif name.endswith(".safetensors"):
            save_file({"x": images}, tmp_path / name)
        else:
            (np.savez_compressed if name == "compressed.npz" else np.savez)(tmp_path / name, x=images)
        return images.nbytes

    write(64)
    few = peak_memory(qdq, tmp_path, same / "linear.pt2", name)
    size = write(16384)
    many = peak_memory(qdq, tmp_path, same / "linear.pt2", name)
    assert size > 48 << 20
    assert many - few < 8 << 20, f"{few} bytes for 64 samples, {many} for 16,384"
