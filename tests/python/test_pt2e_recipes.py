"""Real networks through qdq.pt2e: what a converted module holds, and where it can go from there."""

import copy
import gc
import shutil
import weakref

import pytest
import torch

import qdq
from qdq.pt2e import move_exported_model_to_eval
from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e
from qdq.pt2e.quantizer.x86_inductor_quantizer import X86InductorQuantizer, get_default_x86_inductor_quantization_config
from qdq.pt2e.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config
from tools import load_recipe

RECIPES = ["mobilenet_v2", "resnet_cifar", "minilm_plain"]


def capture(name, train=False):
    model, inputs = load_recipe(name)[:2]
    model = copy.deepcopy(model).train(train)
    exported = torch.export.export(model, inputs, strict=True).module(check_guards=False)
    return copy.deepcopy(exported), inputs  # torch keeps the parameters of what it has exported


def quantizer(is_qat=False):
    config = get_symmetric_quantization_config(is_per_channel=True, is_qat=is_qat)
    return XNNPACKQuantizer().set_global(config)


def calibrated(name):
    exported, inputs = capture(name)
    prepared = prepare_pt2e(exported, quantizer())
    with torch.no_grad():
        prepared(*inputs)
    return prepared, inputs


def converted(name):
    prepared, inputs = calibrated(name)
    return convert_pt2e(prepared), inputs


def nbytes(tensors):
    return sum(tensor.nbytes for tensor in tensors)


def unread(model):
    """Names in the state dict that no node reads."""
    read = {node.target for node in model.graph.nodes if node.op == "get_attr"}
    return sorted(set(model.state_dict()) - read)


def matrices(model):
    """Names of the floating-point tensors of two and more dimensions: weights that were not quantized."""
    return sorted(name for name, value in model.state_dict().items() if value.is_floating_point() and value.dim() > 1)


def test_no_float_weight_stays_behind():
    prepared, inputs = calibrated("mobilenet_v2")
    size = nbytes(prepared.parameters())
    weights = [weakref.ref(parameter) for _, parameter in prepared.named_parameters() if parameter.dim() > 1]
    assert len(weights) > 50
    model = convert_pt2e(prepared)
    del prepared
    gc.collect()
    assert [weight for weight in weights if weight() is not None] == []
    assert unread(model) == []
    assert matrices(model) == []
    assert nbytes(model.state_dict().values()) < 0.3 * size


def test_float_weights_are_kept_for_who_asks_for_them():
    prepared, inputs = calibrated("mobilenet_v2")
    other = convert_pt2e(copy.deepcopy(prepared))
    model = convert_pt2e(prepared, keep_float_weights=True)
    assert len(matrices(model)) > 50
    assert set(other.state_dict()) < set(model.state_dict())
    assert torch.equal(model(*inputs), other(*inputs))


def test_training_leaves_no_float_weight_and_no_batch_norm_behind():
    exported, inputs = capture("mobilenet_v2", train=True)
    prepared = prepare_qat_pt2e(exported, quantizer(is_qat=True))
    prepared(*inputs)
    move_exported_model_to_eval(prepared)
    model = convert_pt2e(prepared)
    assert unread(model) == []
    assert matrices(model) == []
    assert [name for name in model.state_dict() if "running" in name or "num_batches" in name] == []
    assert all("batch_norm" not in str(node.target) for node in model.graph.nodes)
    with torch.no_grad():
        assert model(*inputs).isfinite().all()


def outputs(value):
    return [leaf for leaf in torch.utils._pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]


@pytest.mark.parametrize("name", RECIPES)
def test_a_converted_module_goes_through_torch_export_and_the_core_and_back(name):
    model, inputs = converted(name)
    with torch.no_grad():
        expected = outputs(model(*inputs))
        program = torch.export.export(model, inputs)
        core = qdq.from_exported_program(program)
        again = core.to_exported_program()
        for found in (program.module()(*inputs), again.module()(*inputs)):
            assert all(torch.equal(mine, value) for mine, value in zip(outputs(found), expected, strict=True))
    weight = next(attribute for attribute in core.attributes if attribute.value.dtype is qdq.DType.int8)
    assert weight.value.data_ptr == dict(program.state_dict, **program.constants)[weight.name].data_ptr()  # shared
    assert again.graph_signature.buffers_to_mutate == {}
    assert str(qdq.from_exported_program(again)) == str(core)


@pytest.mark.parametrize("name", RECIPES)
def test_a_converted_module_runs_in_int8_in_the_core(name):
    model, inputs = converted(name)
    core = qdq.from_exported_program(torch.export.export(model, inputs))
    with torch.no_grad():
        expected = outputs(model(*inputs))
    found = qdq.Session(core, "simulated").run([x.numpy() for x in inputs])
    for mine, value in zip(found, expected, strict=True):
        cosine = torch.nn.functional.cosine_similarity(torch.from_dlpack(mine).flatten().double(), value.flatten().double(), 0)
        assert cosine > 0.99


@pytest.mark.parametrize("name", RECIPES)
def test_a_converted_module_can_be_compiled(name):
    model, inputs = converted(name)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        for mine, value in zip(outputs(compiled(*inputs)), outputs(model(*inputs)), strict=True):
            assert torch.equal(mine, value)


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(3, 8, 3)
        self.relu = torch.nn.ReLU()
        self.linear = torch.nn.Linear(8 * 36, 5)

    def forward(self, x):
        return self.linear(self.relu(self.conv(x)).flatten(1))


def x86():
    return X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="Inductor needs a C++ compiler")
@pytest.mark.parametrize("make", [quantizer, x86], ids=["xnnpack", "x86"])
def test_inductor_compiles_a_converted_module(make):
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    prepared = prepare_pt2e(torch.export.export(Small().eval(), (x,)).module(), make())
    prepared(x)
    model = convert_pt2e(prepared)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(model, backend="inductor", fullgraph=True)(x), model(x), rtol=0, atol=0.01)  # a step or two
