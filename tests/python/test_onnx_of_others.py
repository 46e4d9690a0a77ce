"""ONNX files that others made: torch's exporter, ONNX Runtime's and NNCF's quantizers, and models from packages. Our reference
computes what ONNX Runtime does; quantized models run on the int8 engine."""

import logging
from importlib import metadata

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx_runs  # noqa: E402
import qdq  # noqa: E402
from onnx_runs import check_close  # noqa: E402
from tools import load_recipe  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
NETWORKS = [("digits_nets", "resnet"), ("digits_nets", "mbv2"), ("digits_nets", "vit")]


def images(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 1, 8, 8)).astype(np.float32)


def by_torch(entry, path, opset=17):
    """What torch's exporter makes of a recipe, with a dynamic batch."""
    model, (example, *_) = load_recipe(*entry)
    torch.onnx.export(
        model, (example,), str(path), dynamo=False, opset_version=opset, input_names=["image"], dynamic_axes={"image": {0: "batch"}}
    )  # fmt: skip
    return model


def run(program, inputs, executor="reference"):
    return [tensor.numpy() for tensor in qdq.Session(program, executor=executor).run(inputs)]


@pytest.mark.parametrize("opset", [11, 13, 17])
@pytest.mark.parametrize("entry", NETWORKS, ids="-".join)
def test_float_models_of_torchs_exporter(entry, opset, tmp_path):
    if entry[1] == "vit" and opset < 14:
        pytest.skip("torch does not export attention with this opset")
    model = by_torch(entry, tmp_path / "model.onnx", opset)
    program = qdq.load(tmp_path / "model.onnx")
    assert program.range_constraints == {"batch": (1, None)}
    with torch.no_grad():
        check_close(run(program, [images(3)]), [model(torch.from_numpy(images(3))).numpy()])


@pytest.mark.parametrize("entry", NETWORKS, ids="-".join)
def test_a_float_model_is_quantized_like_the_exported_program(entry, tmp_path):
    by_torch(entry, tmp_path / "model.onnx")
    program = qdq.load(tmp_path / "model.onnx")
    quantizer = qdq.XnnpackQuantizer()
    quantizer.set_global(qdq.symmetric_config(per_channel=True))
    prepared = qdq.prepare(program, quantizer)
    prepared.run(images(16))
    converted = qdq.convert(prepared)
    expected, found = run(program, [images(4, 1)])[0], run(converted, [images(4, 1)])[0]
    noise = ((found - expected) ** 2).sum() / (expected**2).sum()
    assert noise < 0.05


class Reader:
    """The calibration data of ONNX Runtime's quantizer."""

    def __init__(self):
        self.batches = iter([{"image": images(16, seed)} for seed in range(4)])

    def get_next(self):
        return next(self.batches, None)


def by_onnxruntime(source, target, **options):
    quantization = pytest.importorskip("onnxruntime.quantization")
    quantization.quantize_static(
        str(source), str(target), Reader(), quant_format=quantization.QuantFormat.QDQ, **options
    )  # fmt: skip


def check_quantized(path, inputs, executors=("reference", "fast")):
    """Our reference and the int8 engine beside ONNX Runtime."""
    expected = onnx_runs.run(path, inputs)
    program = qdq.load(path)
    step = max(1e-6, np.abs(expected[0]).max() / 64)
    for executor in executors:
        for got, want in zip(run(program, inputs, executor), expected, strict=True):
            assert np.abs(got - want).max() <= step
    return program


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("entry", NETWORKS, ids="-".join)
def test_models_of_onnxruntimes_quantizer(entry, per_channel, tmp_path):
    by_torch(entry, tmp_path / "float.onnx")
    by_onnxruntime(tmp_path / "float.onnx", tmp_path / "int8.onnx", per_channel=per_channel)
    # The int8 engine does not yet take the quantized views of the transformer's heads.
    executors = ("reference",) if entry[1] == "vit" else ("reference", "fast")
    program = check_quantized(tmp_path / "int8.onnx", [images(4, 9)], executors)
    products = [n for n in program.graph.nodes if n.target in ("aten.conv2d.default", "aten.linear.default")]
    assert products
    for node in products:
        assert all("dequantize" in str(argument.target) for argument in node.args[:2]), node.name


def test_models_of_nncf(tmp_path):
    nncf = pytest.importorskip("nncf")
    logging.getLogger("nncf").setLevel(logging.ERROR)
    by_torch(NETWORKS[0], tmp_path / "float.onnx")
    data = nncf.Dataset([{"image": images(1, seed)} for seed in range(8)])
    onnx.save(nncf.quantize(onnx.load(tmp_path / "float.onnx"), data, subset_size=8), tmp_path / "int8.onnx")
    check_quantized(tmp_path / "int8.onnx", [images(4, 9)])


def test_fake_quantized_models_of_torchs_exporter(tmp_path):
    class Fake(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(8, 4)
            self.register_buffer("scales", torch.tensor([0.01, 0.02, 0.03, 0.04]))
            self.register_buffer("zeros", torch.zeros(4, dtype=torch.int32))

        def forward(self, x):
            x = torch.fake_quantize_per_tensor_affine(x, 0.05, 3, -128, 127)
            weight = torch.fake_quantize_per_channel_affine(self.linear.weight, self.scales, self.zeros, 0, -128, 127)
            return torch.nn.functional.linear(x, weight, self.linear.bias)

    torch.manual_seed(0)
    x = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    torch.onnx.export(Fake().eval(), (torch.from_numpy(x),), str(tmp_path / "fake.onnx"), dynamo=False, opset_version=17)
    check_quantized(tmp_path / "fake.onnx", [x])


@pytest.mark.parametrize("name", ["ch_PP-OCRv4_det_infer", "ch_ppocr_mobile_v2.0_cls_infer"])
def test_models_of_the_text_reader(name, tmp_path):
    try:
        files = metadata.files("rapidocr-onnxruntime") or []
    except metadata.PackageNotFoundError:
        pytest.skip("rapidocr-onnxruntime is not installed")
    path = next(str(file.locate()) for file in files if file.name == f"{name}.onnx")
    height, width = {"det": (64, 96), "cls": (48, 192)}[name.split("_")[-2]]
    image = np.random.default_rng(0).normal(size=(1, 3, height, width)).astype(np.float32)
    check_close(run(qdq.load(path), [image]), onnx_runs.run(path, [image]))
    check_close(run(qdq.load(path), [image], "fast"), onnx_runs.run(path, [image]))
