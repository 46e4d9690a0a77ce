"""Every case of test_ops_vs_torch.py as ONNX: the checker accepts the file, ONNX Runtime agrees with torch, and what we read back
does too. What cannot be written is refused for a reason."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

import subprocess  # noqa: E402

import qdq  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from test_ops_vs_torch import CASES, Caller, overload, target, tensors_of  # noqa: E402
from tools import tool  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

TRAINING = "ONNX does not compute this result"
UNEVEN = "adaptive pooling of a size that is symbolic or not a multiple"
# What the writer says of calls that ONNX has no words for; other calls of the same op are written.
REFUSALS = {
    "elu": "input_scale",
    "elu_": "input_scale",
    "scaled_dot_product_attention": "grouped heads",
    "_scaled_dot_product_flash_attention_for_cpu": TRAINING,
    "_native_batch_norm_legit_no_training": TRAINING,
    "native_group_norm": TRAINING,
    "native_dropout": TRAINING,
    "linalg_vector_norm": "a norm of order 3",
    "max_pool2d": "a window behind the input that torch leaves out",
    "avg_pool2d": ("a window behind the input that torch leaves out", "divisor_override"),
    "adaptive_avg_pool1d": UNEVEN,
    "adaptive_avg_pool2d": UNEVEN,
    "_adaptive_avg_pool2d": UNEVEN,
    "adaptive_avg_pool3d": UNEVEN,
    "adaptive_max_pool2d": UNEVEN,
    "_upsample_nearest_exact1d.vec": "no whole number",
    "_upsample_nearest_exact2d.vec": "no whole number",
    "_upsample_nearest_exact3d.vec": "no whole number",
    "slice_scatter": "a step other than 1",
    "einsum": "different numbers of dimensions",
    "masked_select": "a mask of other sizes",
    "scatter_reduce.two": ("without the values of self", "to the mean"),
    "scatter_reduce_.two": ("without the values of self", "to the mean"),
    "lstm.input": "projections",
    "quantized_decomposed::quantize_per_channel": "int32 per channel",
    "quantized_decomposed::quantize_per_tensor.tensor2": "'quant_min' is computed",
    "quantized_decomposed::dequantize_per_tensor.tensor2": "'quant_min' is computed",
    "quantized_decomposed::_choose_qparams_per_token_asymmetric_impl": "a choice of qparams for",
    "quantized_decomposed::choose_qparams_per_token_asymmetric": "a choice of qparams for",
    "fake_quantize_per_tensor_affine": "a fake quantize of",
    "torchao::quantize_affine": "larger than 1 in more than one dimension",
    "torchao::dequantize_affine": "larger than 1 in more than one dimension",
    "torchao::choose_qparams_affine": "blocks that are part of a dimension",
}
# What the reader says of files that we write. The inputs of these cases are weights and scales that a real model stores.
STORED = "computed"
READ_REFUSALS = {
    "max_pool2d_with_indices": "the places of the maxima are asked for",
    "masked_select": "the operator is not read",
    "col2im": "the operator is not read",
    **{f"{name}.input": STORED for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
    **{
        f"quantized_decomposed::{way}quantize_per_{kind}": STORED
        for way in ("", "de")
        for kind in ("channel", "token", "channel_group")
    },
}


def listed(kind):
    rows = subprocess.run([tool("run_program"), "--onnx"], capture_output=True, text=True, check=True).stdout
    return {line.split("\t")[1] for line in rows.splitlines() if line.startswith(f"{kind}\t")}


NOT_WRITTEN = listed("refuse")


def is_listed(refusals, op, error):
    reasons = refusals.get(op, ())
    return any(reason in str(error) for reason in ([reasons] if isinstance(reasons, str) else reasons))


def run_elsewhere(path, inputs):
    """In ONNX Runtime, or where that has no kernel for a dtype in ONNX's own reference."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    names = [port.name for port in onnx.load(path).graph.input]
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        session = ReferenceEvaluator(str(path))
    return session.run(None, dict(zip(names, inputs, strict=True)))


def check_close(found, expected, steps=0):
    """`steps`: how far integers may be apart."""
    assert len(found) == len(expected)
    for got, want in zip(found, expected):
        assert got.dtype == want.dtype and got.shape == want.shape
        if want.dtype.kind in "iub":
            np.testing.assert_allclose(got.astype(np.float64), want.astype(np.float64), rtol=0, atol=steps)
            continue
        scale = np.nanmax(np.abs(want[np.isfinite(want)]), initial=1e-30)
        narrow = 2e-3 if want.dtype == np.float16 else 2e-5
        np.testing.assert_allclose(got, want, rtol=narrow, atol=narrow * 0.1 * scale)


@pytest.mark.parametrize("op,args,kwargs", CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_op_in_onnx(op, args, kwargs, tmp_path):
    if "quantize" in op or "choose" in op:  # ONNX and torch make other integers of NaN and of what is out of range
        args = [torch.nan_to_num(a, nan=0.0, posinf=1e4, neginf=-1e4) if isinstance(a, torch.Tensor) else a for a in args]
        args = [a.clamp(-1e4, 1e4) if isinstance(a, torch.Tensor) and a.is_floating_point() else a for a in args]
    inputs = [t.clone() for t in tensors_of(args)]
    module = Caller(overload(op), args, kwargs)
    torch.export.save(torch.export.export(module, tuple(t.clone() for t in inputs)), tmp_path / "model.pt2")
    expected = [t.detach().numpy() for t in module(*[t.clone() for t in inputs])]
    path = tmp_path / "model.onnx"
    program = qdq.load(tmp_path / "model.pt2")
    try:
        qdq.save(program, path)
    except qdq.FormatError as error:
        if "there is no translation" in str(error):
            assert target(op).replace("_.", ".") in NOT_WRITTEN
        else:
            assert is_listed(REFUSALS, op, error), error
        return
    onnx.checker.check_model(str(path), full_check=True)
    steps = 1 if "::quantize" in op else 0  # torch multiplies by the reciprocal of the scale, ONNX divides
    check_close(run_elsewhere(path, [t.numpy() for t in inputs]), expected, steps)
    try:
        again = qdq.load(path)
    except qdq.FormatError as error:
        assert is_listed(READ_REFUSALS, op, error), error
        return
    found = qdq.Executor(again, executor="reference").run([t.numpy() for t in inputs])
    check_close([tensor.numpy() for tensor in found], expected)
