"""Quantization-aware training through qdq.pt2e."""

import copy

import pytest
import torch
from qdq.pt2e.fake_quantize import FakeQuantizeBase
from qdq.pt2e import move_exported_model_to_eval
from qdq.pt2e.learnable_fake_quantize import LearnableFakeQuantize
from qdq.pt2e.observer import MinMaxObserver
from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e
from qdq.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer
from qdq.pt2e.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config


@pytest.fixture(autouse=True)
def same_weights_each_time():
    torch.manual_seed(0)


def capture(*layers):
    module = torch.nn.Sequential(*layers)
    inputs = (torch.randn(2, 3, 8, 8),)
    return torch.export.export(module, inputs, strict=True).module(), inputs


def quantizer():
    return XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_qat=True))


def test_a_network_without_batch_norm_trains_and_converts():
    model, inputs = capture(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 2))
    model = prepare_qat_pt2e(model, quantizer())
    assert any(isinstance(module, FakeQuantizeBase) for module in model.modules())
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    target = torch.tensor([0, 1])
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(*inputs), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(not torch.equal(before[name], parameter) for name, parameter in model.named_parameters())
    trained = model(*inputs)
    converted = convert_pt2e(model)
    assert torch.equal(converted(*inputs).argmax(1), trained.argmax(1))
    assert any("quantize_per_tensor" in str(node.target) for node in converted.graph.nodes)


def convolution_and_batch_norm(**options):
    return torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4, **options), torch.nn.ReLU()


def call(model, name):
    return next(node for node in model.graph.nodes if name in str(node.target))


def test_eps_and_momentum_of_a_batch_norm_survive_training():
    model, inputs = capture(*convolution_and_batch_norm(eps=0.5, momentum=0.3))
    model = prepare_qat_pt2e(model, quantizer())
    assert call(model, "aten.add.Tensor").args[1] == 0.5
    assert call(model, "aten.batch_norm").args[5:8] == (True, 0.3, 0.5)
    for _ in range(3):
        model(*inputs)
    weight, mean, var = model.state_dict()["0.weight"], model.state_dict()["1.running_mean"], model.state_dict()["1.running_var"]
    bias = model.state_dict()["0.bias"]
    converted = convert_pt2e(model, fold_quantize=False)
    torch.testing.assert_close(converted.state_dict()["0.weight"], weight / (var + 0.5).sqrt().reshape(-1, 1, 1, 1))
    torch.testing.assert_close(converted.state_dict()["0.bias"], (bias - mean) / (var + 0.5).sqrt())


def test_every_new_node_says_where_it_comes_from_and_what_its_value_is():
    model, _ = capture(*convolution_and_batch_norm())
    prepared = prepare_qat_pt2e(model, quantizer())
    for name in ("aten.add.Tensor", "aten.sqrt", "aten.reshape", "aten.mul", "aten.zeros_like", "aten.conv2d", "aten.batch_norm"):
        node = call(prepared, name)
        assert node.meta["nn_module_stack"] if name != "aten.zeros_like" else "from_node" in node.meta, name
        assert isinstance(node.meta["val"], torch.Tensor), name
        assert node.meta["val"].grad_fn is None, name
    assert call(prepared, "aten.reshape").meta["val"].shape == (4, 1, 1, 1)


def test_a_model_in_training_can_be_copied_and_its_state_loaded():
    model, inputs = capture(*convolution_and_batch_norm())
    prepared = prepare_qat_pt2e(model, quantizer())
    twin = copy.deepcopy(prepared)
    prepared(*inputs)
    prepared(*inputs)
    twin.load_state_dict(prepared.state_dict())
    assert torch.equal(twin(*inputs), prepared(*inputs))
    assert torch.equal(convert_pt2e(twin)(*inputs), convert_pt2e(prepared)(*inputs))


def test_the_batch_dimension_stays_free():
    inputs = (torch.randn(2, 3, 8, 8),)
    shapes = ({0: torch.export.Dim("batch")},)
    module = torch.nn.Sequential(*convolution_and_batch_norm())
    model = torch.export.export(module, inputs, dynamic_shapes=shapes, strict=True).module()
    model = prepare_qat_pt2e(model, quantizer())
    model(torch.randn(5, 3, 8, 8))
    converted = convert_pt2e(model)
    assert converted(torch.randn(7, 3, 8, 8)).shape == (7, 4, 6, 6)
    assert not any("batch_norm" in str(node.target) for node in converted.graph.nodes)


def test_a_weight_that_two_convolutions_share_is_folded_for_each():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 3, 3, bias=False)
            self.first, self.second = torch.nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3)

        def forward(self, x):
            return self.second(self.conv(self.first(self.conv(x))))

    inputs = (torch.randn(2, 3, 9, 9),)
    model = prepare_qat_pt2e(torch.export.export(Twice(), inputs).module(), EachConvolution())
    for _ in range(20):
        model(*inputs)
    move_exported_model_to_eval(model)
    trained = model(*inputs)
    torch.testing.assert_close(convert_pt2e(model)(*inputs), trained, atol=0.1, rtol=0.05)


class EachConvolution(Quantizer):
    """Input and weight of every convolution, whatever else reads the weight."""

    def annotate(self, model):
        config = get_symmetric_quantization_config(is_qat=True)
        for node in model.graph.nodes:
            if node.target is torch.ops.aten.conv2d.default:
                inputs = {node.args[0]: config.input_activation, node.args[1]: config.weight}
                node.meta["quantization_annotation"] = QuantizationAnnotation(inputs, _annotated=True)
        return model

    def validate(self, model):
        pass


def test_a_scale_that_is_learned_trains_with_the_batch_norm():
    spec = QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_tensor_symmetric,
        observer_or_fake_quant_ctr=LearnableFakeQuantize.with_args(observer=MinMaxObserver, use_grad_scaling=True),
    )

    class Learned(EachConvolution):
        def annotate(self, model):
            for node in model.graph.nodes:
                if node.target is torch.ops.aten.conv2d.default:
                    inputs = {node.args[0]: spec, node.args[1]: spec}
                    node.meta["quantization_annotation"] = QuantizationAnnotation(inputs, _annotated=True)
            return model

    model, inputs = capture(*convolution_and_batch_norm())
    model = prepare_qat_pt2e(model, Learned())
    model(*inputs)
    fake_quantizers = [module for module in model.modules() if isinstance(module, LearnableFakeQuantize)]
    for module in fake_quantizers:
        module.enable_range_learning()
    before = [module.scale.detach().clone() for module in fake_quantizers]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        model(*inputs).square().mean().backward()
        optimizer.step()
    assert len(before) == 2
    assert all(not torch.equal(module.scale, scale) for module, scale in zip(fake_quantizers, before))
    weight_scale = fake_quantizers[1].scale.item()
    converted = convert_pt2e(model)
    dequantize = call(converted, "aten.conv2d").args[1]
    assert dequantize.args[1] == pytest.approx(weight_scale)
    assert not any("batch_norm" in str(node.target) for node in converted.graph.nodes)


def test_quantize_and_dequantize_say_which_fake_quantizer_they_replace():
    model, inputs = capture(*convolution_and_batch_norm())
    model = prepare_qat_pt2e(model, quantizer())
    model(*inputs)
    converted = convert_pt2e(model)
    for node in converted.graph.nodes:
        if "quantize_per_tensor" in str(node.target):
            (source,) = node.meta["from_node"]
            assert source.name.startswith("activation_post_process_"), node.name
            assert source.pass_name == "replace_observer_with_quantize_dequantize_node"
