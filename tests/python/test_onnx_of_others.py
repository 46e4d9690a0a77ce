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
from tools import has_vnni, load_recipe  # noqa: E402

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
def test_float_models_of_torchs_newer_exporter(entry, tmp_path):
    pytest.importorskip("onnxscript", reason="torch's newer exporter needs onnxscript")
    model, (example, *_) = load_recipe(*entry)
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    torch.onnx.export(model, (example,), str(tmp_path / "model.onnx"), dynamo=True, dynamic_shapes=shapes)
    program = qdq.load(tmp_path / "model.onnx")
    with torch.no_grad():
        check_close(run(program, [images(3)]), [model(torch.from_numpy(images(3))).numpy()])


@pytest.mark.parametrize("dynamo", [False, True], ids=["older", "newer"])
def test_the_sentence_encoder_of_transformers(dynamo, tmp_path):
    """Its mask is made by many small ops on sizes."""
    model, (ids, mask) = load_recipe("minilm_l6")
    path = tmp_path / "model.onnx"
    if dynamo:
        pytest.importorskip("onnxscript", reason="torch's newer exporter needs onnxscript")
        sizes = {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}
        torch.onnx.export(model, (ids, mask), str(path), dynamo=True, dynamic_shapes=(sizes, sizes))
    else:
        axes = {name: {0: "batch", 1: "length"} for name in ("ids", "mask")}
        torch.onnx.export(
            model, (ids, mask), str(path), dynamo=False, opset_version=17, input_names=["ids", "mask"], dynamic_axes=axes
        )  # fmt: skip
    program = qdq.load(path)
    shorter = [ids[:1, :12].contiguous(), mask[:1, :12].contiguous()]
    with torch.no_grad():
        expected = [model(*shorter).numpy()]
    for executor in ("reference", "fast"):
        check_close(run(program, [x.numpy() for x in shorter], executor), expected)


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


def by_onnxruntime(source, target, quant_format="QDQ", **options):
    quantization = pytest.importorskip("onnxruntime.quantization")
    quantization.quantize_static(
        str(source), str(target), Reader(), quant_format=quantization.QuantFormat[quant_format], **options
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


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("entry", NETWORKS, ids="-".join)
def test_models_of_operators_on_integers(entry, per_channel, tmp_path):
    by_torch(entry, tmp_path / "float.onnx")
    by_onnxruntime(tmp_path / "float.onnx", tmp_path / "int8.onnx", "QOperator", per_channel=per_channel)
    ops = {node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node}
    assert ops & {"QLinearConv", "QLinearMatMul"} and "QLinearAdd" in ops
    program = check_quantized(tmp_path / "int8.onnx", [images(4, 9)])
    for node in program.graph.nodes:
        if node.target in ("aten.conv2d.default", "aten.linear.default", "aten.add.Tensor"):
            assert any("dequantize" in str(argument.target) for argument in node.args[:2]), node.name


@pytest.mark.parametrize("weights", ["QInt8", "QUInt8"])
def test_models_that_onnxruntime_quantizes_when_they_run(weights, tmp_path):
    quantization = pytest.importorskip("onnxruntime.quantization")
    if weights == "QInt8" and not has_vnni():
        pytest.skip("without VNNI ONNX Runtime's MatMulInteger saturates with signed weights")
    by_torch(("digits_nets", "vit"), tmp_path / "float.onnx")
    quantization.quantize_dynamic(
        str(tmp_path / "float.onnx"), str(tmp_path / "int8.onnx"), weight_type=quantization.QuantType[weights]
    )
    assert any(node.op_type == "DynamicQuantizeLinear" for node in onnx.load(tmp_path / "int8.onnx").graph.node)
    expected = onnx_runs.run(tmp_path / "int8.onnx", [images(4, 9)])
    for executor in ("reference", "fast"):
        check_close(run(qdq.load(tmp_path / "int8.onnx"), [images(4, 9)], executor), expected)


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


def text_reader(name):
    """A model of rapidocr-onnxruntime."""
    try:
        files = metadata.files("rapidocr-onnxruntime") or []
    except metadata.PackageNotFoundError:
        pytest.skip("rapidocr-onnxruntime is not installed")
    return next(str(file.locate()) for file in files if file.name == f"{name}.onnx")


def check_float(path, image):
    for executor in ("reference", "fast"):
        check_close(run(qdq.load(path), [image], executor), onnx_runs.run(path, [image]))


@pytest.mark.parametrize("name", ["ch_PP-OCRv4_det_infer", "ch_ppocr_mobile_v2.0_cls_infer"])
def test_models_of_the_text_reader(name):
    height, width = {"det": (64, 96), "cls": (48, 192)}[name.split("_")[-2]]
    check_float(text_reader(name), np.random.default_rng(0).normal(size=(1, 3, height, width)).astype(np.float32))


def test_the_recognizer_of_the_text_reader_takes_only_one_height(tmp_path):
    path = text_reader("ch_PP-OCRv4_rec_infer")
    with pytest.raises(qdq.FormatError, match="fits only certain sizes of its inputs: fix them in the file"):
        qdq.load(path)
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 48
    onnx.save(model, tmp_path / "model.onnx")
    check_float(tmp_path / "model.onnx", np.random.default_rng(0).normal(size=(1, 3, 48, 160)).astype(np.float32))
