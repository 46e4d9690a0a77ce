"""The rewrites of qdq.pt2e that stand on their own: 4-bit linears in integers, constant folding, Inductor's kernels."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from qdq.pt2e.constant_fold import constant_fold, replace_node_with_constant
from qdq.pt2e.lowering import lower_pt2e_quantized_to_x86
from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from qdq.pt2e.quantizer.x86_inductor_quantizer import X86InductorQuantizer, get_default_x86_inductor_quantization_config
from qdq.pt2e.reference_representation_rewrite import (
    _qdq_dynamic_quantized_linear_4bit_groupwise,
    _reference_dynamic_quantized_linear_4bit_groupwise,
    reference_representation_rewrite,
)
from tools import build_dir, has_vnni


def int4_linear(rows=(3,), features=32, outputs=8, group=8, bias=True):
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(*rows, features, generator=generator),
        torch.finfo(torch.float32).eps,
        torch.randint(-8, 8, (outputs, features), dtype=torch.int8, generator=generator),
        torch.rand(outputs, features // group, generator=generator) + 0.1,
        torch.zeros(outputs, features // group, dtype=torch.int32),
        torch.randn(outputs, generator=generator) if bias else None,
        group,
    )


@pytest.mark.parametrize("options", [{}, {"rows": (2, 3)}, {"bias": False}, {"group": 32}])
def test_the_integer_form_of_a_4_bit_linear_agrees_with_the_float_form(options):
    arguments = int4_linear(**options)
    expected = _qdq_dynamic_quantized_linear_4bit_groupwise(*arguments)
    actual = _reference_dynamic_quantized_linear_4bit_groupwise(*arguments)
    # Its scales are kept in bfloat16: 8 bits.
    torch.testing.assert_close(actual, expected, rtol=2**-6, atol=0.05 * expected.abs().max().item())


@pytest.mark.parametrize("options", [{}, {"rows": (2, 3)}, {"bias": False}])
def test_both_forms_are_those_of_torchao(options):
    theirs = pytest.importorskip("torchao.quantization.pt2e.reference_representation_rewrite")
    arguments = int4_linear(**options)
    for ours in (_qdq_dynamic_quantized_linear_4bit_groupwise, _reference_dynamic_quantized_linear_4bit_groupwise):
        torch.testing.assert_close(ours(*arguments), getattr(theirs, ours.__name__)(*arguments))


def test_a_weight_that_is_not_in_groups_is_refused():
    with pytest.raises(AssertionError, match="groups of 7 expected, found \\(8, 32\\)"):
        _qdq_dynamic_quantized_linear_4bit_groupwise(*int4_linear()[:-1], 7)


def targets(model):
    return [str(node.target) for node in model.graph.nodes]


def test_a_network_with_4_bit_weights_is_rewritten():
    quantization = pytest.importorskip("torchao.quantization")
    from torchao.quantization.granularity import PerGroup

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 16, bias=False), nn.ReLU(), nn.Linear(16, 8)).eval()
    config = quantization.Int8DynamicActivationIntxWeightConfig(
        weight_dtype=torch.int4, weight_granularity=PerGroup(8)
    )
    quantization.quantize_(model, config)
    inputs = (torch.randn(2, 32),)
    exported = torch.export.export(model, inputs).module()
    expected = exported(*inputs)
    stack = next(node for node in exported.graph.nodes if "linear" in str(node.target)).meta["nn_module_stack"]
    rewritten = reference_representation_rewrite(exported)
    assert targets(rewritten).count("torchao.reference_dqlinear_int4.default") == 2
    assert not any("quantize_affine" in target for target in targets(rewritten))
    call = next(node for node in rewritten.graph.nodes if "reference_dqlinear_int4" in str(node.target))
    assert call.meta["nn_module_stack"] == stack
    torch.testing.assert_close(rewritten(*inputs), expected, rtol=0.02, atol=0.02)


def test_the_operators_exist_without_torchao():
    """In a process that cannot import torchao they are the core's; the numbers are those of the formulas."""
    code = """
import sys, importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torchao" else find(name, *rest)
import torch
from qdq.pt2e._ops import define_affine_ops
define_affine_ops(); define_affine_ops()
ops = torch.ops.torchao
x = torch.tensor([[1.0, -2.0, 0.5, 4.0]])
scale, zero_point = ops.choose_qparams_affine(x, "SYMMETRIC", [1, 2], torch.int8)
assert torch.allclose(scale, torch.tensor([[2 / 127.5, 4 / 127.5]])), scale
q = ops.quantize_affine(x, [1, 2], scale, zero_point, torch.int8, -128, 127)
assert q.tolist() == [[64, -127, 16, 127]], q
assert torch.allclose(ops.dequantize_affine(q, [1, 2], scale, zero_point, torch.int8, -128, 127), x, atol=0.02)
from qdq.pt2e.reference_representation_rewrite import _reference_dynamic_quantized_linear_4bit_groupwise as linear
w = torch.tensor([[1, -2, 3, 4]], dtype=torch.int8)
y = linear(x, 1e-7, w, torch.tensor([[1.0, 0.5]]), torch.zeros(1, 2, dtype=torch.int32), torch.ones(1), 2)
assert torch.allclose(y, torch.tensor([[1 + 4 + 0.5 * (1.5 + 16) + 1]]), atol=0.1), y
def f(x, scale, zero_point):
    return ops.dequantize_affine(ops.quantize_affine(x, [1, 2], scale, zero_point, torch.int8), [1, 2], scale, zero_point, torch.int8)
exported = torch.export.export(type("M", (torch.nn.Module,), {"forward": lambda self, *a: f(*a)})(), (x, scale, zero_point))
assert torch.equal(exported.module()(x, scale, zero_point), f(x, scale, zero_point))
assert "torchao" not in sys.modules
"""
    environment = {"PYTHONPATH": str(build_dir() / "python")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def quantized(fold_quantize=True):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5)).eval()
    inputs = (torch.randn(2, 3, 8, 8),)
    quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())
    prepared = prepare_pt2e(torch.export.export(model, inputs).module(), quantizer)
    prepared(*inputs)
    return convert_pt2e(prepared, fold_quantize=fold_quantize), inputs


class Constants(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.arange(6.0).reshape(2, 3))
        self.weight = nn.Parameter(torch.ones(3, 3))

    def forward(self, x):
        doubled = (self.weight * 2).t()
        return nn.functional.linear(x, doubled + 1) + self.table.sum(0) + torch.rand(3) * 0


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(3))

    def forward(self, x):
        self.count.add_(1)
        return x + self.count * 3


def captured(module):
    return torch.export.export(module, (torch.zeros(2, 3),), strict=True).module(check_guards=False)


@pytest.mark.parametrize(
    "constraint", [None, lambda node: "add" in str(node.target), lambda node: False], ids=["all", "additions", "none"]
)
def test_constant_folding_replaces_what_torchao_replaces(constraint):
    theirs = pytest.importorskip("torchao.quantization.pt2e.constant_fold")
    folded = []
    for fold in (constant_fold, theirs.constant_fold):
        model = captured(Constants())
        fold(model, constraint)
        calls = [str(node.target) for node in model.graph.nodes if node.op == "call_function"]
        names = [node.name for node in model.graph.nodes if "_frozen_param" in str(node.target)]
        folded.append((calls, names, model(torch.ones(2, 3))))
    (calls, names, value), (other_calls, other_names, other_value) = folded
    assert calls == other_calls
    assert names == other_names
    assert torch.equal(value, other_value)


def test_what_the_graph_writes_to_is_no_constant():
    """torchao runs the addition once more while it folds."""
    model = captured(Counter())
    constant_fold(model)
    assert [model(torch.zeros(2, 3))[0, 0].item() for _ in range(2)] == [3, 6]


def test_constant_folding_on_its_own_stores_the_weights_quantized():
    model, inputs = quantized(fold_quantize=False)
    expected = model(*inputs)
    assert targets(model).count("quantized_decomposed.quantize_per_channel.default") == 2
    constant_fold(model)
    assert "quantized_decomposed.quantize_per_channel.default" not in targets(model)
    assert model._frozen_param0.dtype == torch.int8 and model._frozen_param1.dtype == torch.int8
    assert torch.equal(model(*inputs), expected)


def test_a_node_is_replaced_by_a_constant_that_takes_its_name_and_metadata():
    model, inputs = quantized(fold_quantize=False)
    node = next(node for node in model.graph.nodes if node.name.startswith("quantize_per_channel"))
    name, meta = node.name, dict(node.meta)
    replace_node_with_constant(model, node, torch.zeros(8, 3, 3, 3, dtype=torch.int8))
    model.recompile()
    (constant,) = (node for node in model.graph.nodes if node.name == name)
    assert constant.op == "get_attr" and constant.target == "_frozen_param0"
    assert constant.meta == meta
    model(*inputs)


def test_lowering_gives_onednns_quantized_kernels_as_torchao_does():
    theirs = pytest.importorskip("torchao.quantization.pt2e.lowering")
    model, inputs = quantized()
    lowered = lower_pt2e_quantized_to_x86(model, inputs)
    assert any("qconv" in target for target in targets(lowered))
    assert any("qlinear" in target for target in targets(lowered))
    assert not any(target.startswith(("aten.conv", "aten.linear")) for target in targets(lowered))
    expected = targets(theirs.lower_pt2e_quantized_to_x86(model, inputs))
    # torch leaves its guards' call out of the second of two exports of a module.
    assert [target for target in targets(lowered) if target != "_guards_fn"] == expected


def test_a_lowered_model_computes_what_the_converted_one_does():
    torch.manual_seed(0)
    inputs = (torch.randn(4, 16),)
    config = get_default_x86_inductor_quantization_config(reduce_range=not has_vnni())
    quantizer = X86InductorQuantizer().set_global(config)
    model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 5)).eval()
    prepared = prepare_pt2e(torch.export.export(model, inputs).module(), quantizer)
    prepared(*inputs)
    converted = convert_pt2e(prepared)
    expected = converted(*inputs)
    lowered = lower_pt2e_quantized_to_x86(converted, inputs)
    assert sum("qlinear" in target for target in targets(lowered)) >= 2
    torch.testing.assert_close(lowered(*inputs), expected, rtol=0.02, atol=0.02)
