"""Training convolutions as one with their batch norms, live against torchao: same graphs, same numbers, same results."""

import copy

import pytest
import torch
from torch import nn

pytest.importorskip("torchao")
import qdq.pt2e  # noqa: E402
import qdq.pt2e.quantizer.arm_inductor_quantizer as our_arm  # noqa: E402
import qdq.pt2e.quantizer.x86_inductor_quantizer as our_x86  # noqa: E402
import qdq.pt2e.testing._xnnpack_quantizer as our_xnnpack  # noqa: E402
import torchao.quantization.pt2e  # noqa: E402
import torchao.quantization.pt2e.quantizer.arm_inductor_quantizer as their_arm  # noqa: E402
import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as their_x86  # noqa: E402
import torchao.testing.pt2e._xnnpack_quantizer as their_xnnpack  # noqa: E402
import torchao_qat  # noqa: E402, F401
from pt2e_flow import assert_same_module, assert_same_observers, attribute, capture, flat  # noqa: E402
from qdq.pt2e import quantize_pt2e as ours  # noqa: E402
from torchao.quantization.pt2e import quantize_pt2e as theirs  # noqa: E402

CONVOLUTIONS = {
    "conv1d": (nn.Conv1d, nn.BatchNorm1d, (3, 11)),
    "conv2d": (nn.Conv2d, nn.BatchNorm2d, (3, 11, 9)),
    "conv_transpose1d": (nn.ConvTranspose1d, nn.BatchNorm1d, (3, 5)),
    "conv_transpose2d": (nn.ConvTranspose2d, nn.BatchNorm2d, (3, 5, 4)),
}


class Block(nn.Module):
    """Two convolutions with batch norms: the first with a stride and, if wanted, a bias; a ReLU behind them if wanted."""

    def __init__(self, kind, bias, relu):
        super().__init__()
        conv, norm, _ = CONVOLUTIONS[kind]
        self.conv = conv(3, 4, 3, stride=2, padding=1, bias=bias)
        self.bn = norm(4)
        self.conv2 = conv(4, 4, 2, bias=False)
        self.bn2 = norm(4)
        self.activation = nn.ReLU() if relu else nn.Identity()

    def forward(self, x):
        return self.bn2(self.conv2(self.activation(self.bn(self.conv(x)))))


def xnnpack(module, **options):
    return module.XNNPACKQuantizer().set_global(module.get_symmetric_quantization_config(is_qat=True, **options))


def batches_of(sizes, count=3):
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn((2, *sizes), generator=generator),) for _ in range(count)]


def prepared_by_both(model, batch, quantizer, their_quantizer):
    exported = capture(model, batch)
    expected = theirs.prepare_qat_pt2e(copy.deepcopy(exported), their_quantizer)
    mine = ours.prepare_qat_pt2e(exported, quantizer)
    assert_same_module(mine, expected)
    return mine, expected


def assert_same_training(mine, expected, batches):
    """The same outputs and the same parameters, to the bit, step by step."""
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.05) for model in (mine, expected)]
    for batch in batches:
        losses = []
        for model, optimizer in zip((mine, expected), optimizers):
            optimizer.zero_grad()
            losses.append(sum(value.square().mean() for value in flat(model(*batch))))
            losses[-1].backward()
            optimizer.step()
        assert torch.equal(*losses)
        for (name, parameter), (_, other) in zip(mine.named_parameters(), expected.named_parameters()):
            assert torch.equal(parameter, other), name


def assert_same_conversion(mine, expected, batch, to_eval_first=False):
    if to_eval_first:
        qdq.pt2e.move_exported_model_to_eval(mine)
        torchao.quantization.pt2e.move_exported_model_to_eval(expected)
    mine, expected = ours.convert_pt2e(mine), theirs.convert_pt2e(expected)
    for node in expected.graph.nodes:  # torchao's constant folding runs the counting of batches that is left
        if node.op == "get_attr" and node.target.endswith("num_batches_tracked"):
            attribute(expected, node.target).sub_(1)
    assert_same_module(mine, expected)
    for value, other in zip(flat(mine(*batch)), flat(expected(*batch))):
        assert torch.equal(value, other)
    return mine


def assert_same_flow(model, batches, quantizer, their_quantizer, **options):
    mine, expected = prepared_by_both(model, batches[0], quantizer, their_quantizer)
    assert_same_training(mine, expected, batches)
    assert_same_observers(mine, expected)
    return assert_same_conversion(mine, expected, batches[0], **options)


@pytest.mark.parametrize("is_per_channel", [False, True])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_a_block_trains_and_converts_as_in_torchao(kind, bias, relu, is_per_channel):
    torch.manual_seed(0)
    converted = assert_same_flow(
        Block(kind, bias, relu),
        batches_of(CONVOLUTIONS[kind][2]),
        xnnpack(our_xnnpack, is_per_channel=is_per_channel),
        xnnpack(their_xnnpack, is_per_channel=is_per_channel),
    )
    assert not any("batch_norm" in str(node.target) for node in converted.graph.nodes)


@pytest.mark.parametrize("to_eval_first", [False, True])
def test_converting_before_or_after_the_move_to_evaluation(to_eval_first):
    torch.manual_seed(0)
    assert_same_flow(
        Block("conv2d", True, True),
        batches_of((3, 11, 9)),
        xnnpack(our_xnnpack),
        xnnpack(their_xnnpack),
        to_eval_first=to_eval_first,
    )


class Residual(nn.Module):
    """Each pattern of the Inductor quantizers' training recipes: an addition with and without ReLU, activations, none."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1, bias=i % 2 == 0) for i in range(6))
        self.norms = nn.ModuleList(nn.BatchNorm2d(4) for _ in range(6))
        self.activations = nn.ModuleList([nn.ReLU(), nn.Hardswish(), nn.ReLU6()])
        self.relu = nn.ReLU()
        self.linear = nn.Linear(4, 3)

    def layer(self, i, x):
        return self.norms[i](self.convs[i](x))

    def forward(self, x):
        for i, activation in enumerate(self.activations):
            x = activation(self.layer(i, x))
        x = self.relu(self.layer(3, x) + x)
        x = self.layer(4, x) + x
        return self.linear(self.layer(5, x).mean((2, 3)))


def inductor(module, name, function):
    return getattr(module, name)().set_global(getattr(module, function)(is_qat=True))


@pytest.mark.parametrize(
    "name, module, their_module, function",
    [
        ("X86InductorQuantizer", our_x86, their_x86, "get_default_x86_inductor_quantization_config"),
        ("ArmInductorQuantizer", our_arm, their_arm, "get_default_arm_inductor_quantization_config"),
    ],
)
def test_the_training_recipes_of_the_inductor_quantizers(name, module, their_module, function):
    torch.manual_seed(0)
    assert_same_flow(
        Residual(), batches_of((4, 8, 8)), inductor(module, name, function), inductor(their_module, name, function)
    )


def test_a_residual_network_trains_as_in_torchao():
    torch.manual_seed(0)
    assert_same_flow(
        Residual(),
        batches_of((4, 8, 8)),
        xnnpack(our_xnnpack, is_per_channel=True),
        xnnpack(their_xnnpack, is_per_channel=True),
    )


def derive_bias(observers):
    """The scale of a bias: that of the input times that of the weight, for each channel of the weight."""
    (input_scale, _), (weight_scale, _) = (observer.calculate_qparams() for observer in observers)
    scale = input_scale * weight_scale
    return scale, torch.zeros_like(scale, dtype=torch.int32)


def bias_quantizer(library, per_channel):
    """Convolutions with a quantized bias whose parameters follow from those of input and weight; outputs share."""
    quantizer, fake, observer = library
    act = quantizer.QuantizationSpec(
        dtype=torch.uint8,
        quant_min=0,
        quant_max=255,
        qscheme=torch.per_tensor_affine,
        observer_or_fake_quant_ctr=fake.FusedMovingAvgObsFakeQuantize.with_args(
            observer=observer.MovingAverageMinMaxObserver
        ),
    )
    inner = observer.MovingAveragePerChannelMinMaxObserver if per_channel else observer.MovingAverageMinMaxObserver
    weight = quantizer.QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        ch_axis=0,
        qscheme=torch.per_channel_symmetric if per_channel else torch.per_tensor_symmetric,
        observer_or_fake_quant_ctr=fake.FusedMovingAvgObsFakeQuantize.with_args(observer=inner),
    )

    class BiasQuantizer(quantizer.Quantizer):
        def annotate(self, model):
            for node in model.graph.nodes:
                if node.target is torch.ops.aten.conv2d.default:
                    self.annotate_conv(node)
                elif node.target is torch.ops.aten.max_pool2d.default:
                    shared = quantizer.SharedQuantizationSpec((self.conv.args[0], self.conv))
                    node.meta["quantization_annotation"] = quantizer.QuantizationAnnotation(
                        input_qspec_map={node.args[0]: act}, output_qspec=shared, _annotated=True
                    )
            return model

        def annotate_conv(self, node):
            self.conv = node
            image, kernel, bias = node.args[:3]
            node.meta["quantization_annotation"] = quantizer.QuantizationAnnotation(
                input_qspec_map={
                    image: act,
                    kernel: weight,
                    bias: quantizer.DerivedQuantizationSpec(
                        derived_from=[(image, node), (kernel, node)],
                        derive_qparams_fn=derive_bias,
                        dtype=torch.int32,
                        quant_min=-(2**31),
                        quant_max=2**31 - 1,
                        qscheme=torch.per_channel_symmetric if per_channel else torch.per_tensor_symmetric,
                        ch_axis=0 if per_channel else None,
                    ),
                },
                _annotated=True,
            )

        def validate(self, model):
            pass

    return BiasQuantizer()


class WithBias(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(self.bn(self.conv(x)))


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_quantized_bias_and_specs_that_name_the_rewritten_nodes(per_channel):
    import qdq.pt2e.quantizer as our_quantizer
    import torchao.quantization.pt2e.quantizer as their_quantizer
    from qdq.pt2e import fake_quantize as our_fake, observer as our_observer
    from torchao.quantization.pt2e import fake_quantize as their_fake, observer as their_observer

    torch.manual_seed(0)
    converted = assert_same_flow(
        WithBias(),
        batches_of((3, 9, 9)),
        bias_quantizer((our_quantizer, our_fake, our_observer), per_channel),
        bias_quantizer((their_quantizer, their_fake, their_observer), per_channel),
    )
    conv = next(node for node in converted.graph.nodes if node.target is torch.ops.aten.conv2d.default)
    assert "dequantize" in str(conv.args[2].target)


# What torchao's pattern brings along and belongs to no node of the user's model.
PATTERN = ("add", "sqrt", "div", "reshape")
CARRIED = ("stack_trace", "nn_module_stack", "torch_fn", "source_fn_stack", "quantization_tag")


def metadata(model):
    lines = {}
    for node in model.graph.nodes:
        if node.name.rstrip("_0123456789") in PATTERN:
            continue
        sources = [(source.name, source.pass_name) for source in node.meta.get("from_node", [])]
        lines[node.name] = {key: str(node.meta[key]) for key in CARRIED if key in node.meta} | {"from_node": sources}
    return lines


def test_metadata_is_carried_as_in_torchao():
    torch.manual_seed(0)
    batch = batches_of((3, 11, 9))[0]
    exported = capture(Block("conv2d", True, True), batch)
    for node in exported.graph.nodes:
        node.meta["quantization_tag"] = node.name
    expected = theirs.prepare_qat_pt2e(copy.deepcopy(exported), xnnpack(their_xnnpack, is_per_channel=True))
    mine = ours.prepare_qat_pt2e(exported, xnnpack(our_xnnpack, is_per_channel=True))
    assert metadata(mine) == metadata(expected)
    mine(*batch), expected(*batch)
    assert metadata(ours.convert_pt2e(mine)) == metadata(theirs.convert_pt2e(expected))


def learned_quantizer(quantizer, learnable, observer):
    """Input and weight of every convolution with scales that are learned. Inputs have no zero points below 0: torch's backward
    takes those one too high, another than its forward takes."""

    def spec(dtype, levels, qscheme):
        limits = {"quant_min": levels[0], "quant_max": levels[1]}
        constructor = learnable.LearnableFakeQuantize.with_args(observer=observer.MinMaxObserver, use_grad_scaling=True, **limits)
        return quantizer.QuantizationSpec(dtype, constructor, qscheme=qscheme, **limits)

    activation = spec(torch.uint8, (0, 255), torch.per_tensor_affine)
    weight = spec(torch.int8, (-127, 127), torch.per_tensor_symmetric)

    class LearnedQuantizer(quantizer.Quantizer):
        def annotate(self, model):
            for node in model.graph.nodes:
                if node.target is torch.ops.aten.conv2d.default:
                    inputs = {node.args[0]: activation, node.args[1]: weight}
                    node.meta["quantization_annotation"] = quantizer.QuantizationAnnotation(inputs, _annotated=True)
            return model

        def validate(self, model):
            pass

    return LearnedQuantizer()


def assert_same_learning(mine, expected, batches):
    """The same outputs to the bit; gradients up to the float32 in which torch sums those of the scales. Each step begins from
    torchao's parameters, so that the differences do not add up."""
    optimizer = torch.optim.SGD(expected.parameters(), lr=0.05)
    for batch in batches:
        losses = []
        for model in (mine, expected):
            model.zero_grad()
            losses.append(sum(value.square().mean() for value in flat(model(*batch))))
            losses[-1].backward()
        assert torch.equal(*losses)
        for (name, parameter), (other_name, other) in zip(mine.named_parameters(), expected.named_parameters(), strict=True):
            assert name == other_name
            torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")
        optimizer.step()
        for value, other in zip(mine.state_dict().values(), expected.state_dict().values(), strict=True):
            value.copy_(other)


def test_learned_scales_train_and_convert_as_in_torchao():
    import qdq.pt2e.quantizer as our_quantizer
    import torchao.quantization.pt2e.quantizer as their_quantizer
    from qdq.pt2e import learnable_fake_quantize as our_learnable, observer as our_observer
    from torchao.quantization.pt2e import learnable_fake_quantize as their_learnable, observer as their_observer

    torch.manual_seed(0)
    batches = batches_of((3, 11, 9))
    mine, expected = prepared_by_both(
        Block("conv2d", True, True),
        batches[0],
        learned_quantizer(our_quantizer, our_learnable, our_observer),
        learned_quantizer(their_quantizer, their_learnable, their_observer),
    )
    for model, learnable in ((mine, our_learnable), (expected, their_learnable)):
        model(*batches[0])  # the observers see values before the scales are learned
        model.apply(learnable.enable_range_learning)
    assert_same_learning(mine, expected, batches)
    assert_same_conversion(mine, expected, batches[0])
