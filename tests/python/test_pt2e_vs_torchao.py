"""qdq.pt2e against torchao.quantization.pt2e, live: graphs, names, numbers."""

import copy

import pytest
import torch
from torch import nn

from tools import load_recipe

pytest.importorskip("torchao")
import qdq.pt2e.quantizer as ours  # noqa: E402
import qdq.pt2e.quantizer.embedding_quantizer as our_embedding  # noqa: E402
import qdq.pt2e.quantizer.x86_inductor_quantizer as our_x86  # noqa: E402
import qdq.pt2e.testing._xnnpack_quantizer as our_xnnpack  # noqa: E402
import torchao.quantization.pt2e.quantizer as theirs  # noqa: E402
import torchao.quantization.pt2e.quantizer.embedding_quantizer as their_embedding  # noqa: E402
import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as their_x86  # noqa: E402
import torchao.testing.pt2e._xnnpack_quantizer as their_xnnpack  # noqa: E402
from pt2e_flow import assert_same_flow  # noqa: E402


def xnnpack(module, **options):
    return module.XNNPACKQuantizer().set_global(module.get_symmetric_quantization_config(**options))


def x86(module, **options):
    quantizer = module.X86InductorQuantizer()
    return quantizer.set_global(module.get_default_x86_inductor_quantization_config(**options))


def batches_like(inputs, n=2):
    generator = torch.Generator().manual_seed(0)

    def like(value):
        if value.is_floating_point():
            return torch.randn(value.shape, generator=generator)
        return value

    return [tuple(like(value) for value in inputs) for _ in range(n)]


@pytest.mark.parametrize("recipe", ["mobilenet_v2", "resnet_cifar", "minilm_plain"])
@pytest.mark.parametrize("kind", ["xnnpack", "xnnpack_per_channel", "x86"])
def test_a_network_is_quantized_as_by_torchao(recipe, kind):
    model, inputs = load_recipe(recipe)[:2]
    make = {
        "xnnpack": lambda mine: xnnpack(our_xnnpack if mine else their_xnnpack),
        "xnnpack_per_channel": lambda mine: xnnpack(our_xnnpack if mine else their_xnnpack, is_per_channel=True),
        "x86": lambda mine: x86(our_x86 if mine else their_x86),
    }[kind]
    assert_same_flow(model.eval(), batches_like(inputs), make(True), make(False))


class Small(nn.Module):
    """A convolution with its batch norm, an addition, pooling, a linear."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 5)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x))) + 2
        return self.linear(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


IMAGES = batches_like((torch.zeros(2, 3, 8, 8),))


@pytest.mark.parametrize("options", [{}, {"is_per_channel": True}, {"is_per_channel": True, "is_dynamic": True}])
def test_xnnpack_configurations_do_what_torchaos_do(options):
    assert_same_flow(Small().eval(), IMAGES, xnnpack(our_xnnpack, **options), xnnpack(their_xnnpack, **options))


@pytest.mark.parametrize("options", [{}, {"reduce_range": True}, {"is_dynamic": True}])
def test_x86_configurations_do_what_torchaos_do(options):
    assert_same_flow(Small().eval(), IMAGES, x86(our_x86, **options), x86(their_x86, **options))


@pytest.mark.parametrize("flags", [{"fold_quantize": False}, {"use_reference_representation": True}])
def test_the_flags_of_convert_do_what_torchaos_do(flags):
    assert_same_flow(Small().eval(), IMAGES, xnnpack(our_xnnpack), xnnpack(their_xnnpack), convert=flags)


def test_the_result_holds_no_float_weight_that_nothing_reads():
    converted, _ = assert_same_flow(Small().eval(), IMAGES, xnnpack(our_xnnpack), xnnpack(their_xnnpack))
    assert {name for name, tensor in converted.state_dict().items() if tensor.is_floating_point()} == {
        "conv.weight_bias",
        "linear.bias",
    }


def test_the_result_can_be_exported_and_compiled_for_export_again():
    converted, _ = assert_same_flow(Small().eval(), IMAGES, xnnpack(our_xnnpack), xnnpack(their_xnnpack))
    again = torch.export.export(converted, IMAGES[0]).module()
    torch.testing.assert_close(again(*IMAGES[0]), converted(*IMAGES[0]))


def test_metadata_comes_through():
    from pt2e_flow import capture
    from qdq.pt2e.quantize_pt2e import prepare_pt2e

    exported = capture(Small().eval(), IMAGES[0])
    before = {node.name: dict(node.meta) for node in exported.graph.nodes}
    prepared = prepare_pt2e(exported, xnnpack(our_xnnpack))
    assert prepared.graph is exported.graph
    for node in prepared.graph.nodes:
        for key, value in before.get(node.name, {}).items():
            assert node.meta[key] is value, f"{node.name}: {key}"
    (relu,) = (node for node in prepared.graph.nodes if node.target == torch.ops.aten.relu.default)
    (observer,) = relu.users
    assert observer.meta["from_node"] is relu.meta["from_node"]


def annotations(graph):
    """Of each annotated node: the names of its annotated inputs, whether its output has a spec, x86's mark of a pattern's end."""
    return {
        node.name: (
            [producer.name for producer in made.input_qspec_map],
            made.output_qspec is not None,
            getattr(made, "_is_output_of_quantized_pattern", None),
        )
        for node in graph.nodes
        if (made := node.meta.get("quantization_annotation")) is not None
    }


@pytest.mark.parametrize("kind", ["xnnpack", "x86"])
def test_a_prepared_graph_keeps_the_annotations_that_torchao_leaves_there(kind):
    from pt2e_flow import capture
    from qdq.pt2e.quantize_pt2e import prepare_pt2e
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e as their_prepare

    mine, other = (xnnpack(our_xnnpack), xnnpack(their_xnnpack)) if kind == "xnnpack" else (x86(our_x86), x86(their_x86))
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5))
    exported = capture(model.eval(), IMAGES[0])
    upstream = their_prepare(copy.deepcopy(exported), other)
    assert annotations(prepare_pt2e(exported, mine).graph) == annotations(upstream.graph)


def test_a_copy_of_a_prepared_model_converts_as_the_original():
    from pt2e_flow import assert_same_module, capture
    from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    prepared = prepare_pt2e(capture(Small().eval(), IMAGES[0]), xnnpack(our_xnnpack))
    prepared(*IMAGES[0])
    twin = copy.deepcopy(prepared)
    assert_same_module(convert_pt2e(twin), convert_pt2e(prepared))


def test_train_and_eval_of_a_prepared_model_say_what_to_call():
    from pt2e_flow import capture
    from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    prepared = prepare_pt2e(capture(Small().eval(), IMAGES[0]), xnnpack(our_xnnpack))
    for call in (prepared.train, prepared.eval):
        with pytest.raises(NotImplementedError, match="move_exported_model_to_"):
            call()
    with pytest.raises(AssertionError, match="prepare_pt2e"):
        convert_pt2e(capture(Small().eval(), IMAGES[0]))
    with pytest.raises(ValueError, match="use_reference_representation"):
        convert_pt2e(prepared, use_reference_representation=1)


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(10, 6)
        self.linear = nn.Linear(6, 3)

    def forward(self, ids):
        return self.linear(self.embedding(ids).mean(1))


@pytest.mark.parametrize("with_linears", [False, True])
def test_embeddings_are_quantized_as_by_torchao(with_linears):
    def make(quantizers, embedding_module, xnnpack_module):
        embedding = embedding_module.EmbeddingQuantizer()
        return quantizers.ComposableQuantizer([embedding, xnnpack(xnnpack_module)]) if with_linears else embedding

    batches = [(torch.randint(0, 10, (2, 4), generator=torch.Generator().manual_seed(i)),) for i in range(2)]
    converted, _ = assert_same_flow(Text().eval(), batches, make(ours, our_embedding, our_xnnpack), make(theirs, their_embedding, their_xnnpack))
    assert converted._frozen_param0.dtype is torch.uint8


CONVOLUTIONS = {
    "conv1d": (nn.Conv1d, nn.BatchNorm1d, (6,)),
    "conv2d": (nn.Conv2d, nn.BatchNorm2d, (6, 5)),
    "conv3d": (nn.Conv3d, nn.BatchNorm3d, (4, 4, 4)),
    "conv_transpose1d": (nn.ConvTranspose1d, nn.BatchNorm1d, (6,)),
    "conv_transpose2d": (nn.ConvTranspose2d, nn.BatchNorm2d, (6, 5)),
    "conv_transpose3d": (nn.ConvTranspose3d, nn.BatchNorm3d, (4, 4, 4)),
    "linear": (nn.Linear, nn.BatchNorm1d, ()),
}


def with_statistics(norm):
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    return norm


# torchao fails on a linear whose batch norm has no weights.
@pytest.mark.parametrize("kind, affine", [(kind, affine) for kind in CONVOLUTIONS for affine in (True, False) if affine or kind != "linear"])
@pytest.mark.parametrize("bias", [True, False])
def test_batch_norms_are_folded_as_by_torchao(kind, bias, affine):
    op, norm, sizes = CONVOLUTIONS[kind]
    torch.manual_seed(0)
    model = nn.Sequential(op(3, 4, *([2] if sizes else []), bias=bias), with_statistics(norm(4, affine=affine, eps=1e-3)))
    quantizers = our_xnnpack.XNNPACKQuantizer(), their_xnnpack.XNNPACKQuantizer()
    converted, _ = assert_same_flow(model.eval(), batches_like((torch.zeros(2, 3, *sizes),)), *quantizers)
    assert not any("batch_norm" in str(node.target) for node in converted.graph.nodes)


class Chunks(nn.Module):
    """A convolution and its batch norm, twice."""

    def __init__(self, bias):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3, bias=bias)
        self.bn = with_statistics(nn.BatchNorm2d(6))

    def forward(self, x):
        return torch.cat([self.bn(self.conv(part)) for part in torch.chunk(x, 2)])


def test_a_weight_that_is_used_twice_is_folded_once():
    batches = batches_like((torch.zeros(4, 3, 6, 6),))
    quantizers = our_xnnpack.XNNPACKQuantizer(), their_xnnpack.XNNPACKQuantizer()
    folded, _ = assert_same_flow(Chunks(bias=True).eval(), batches, *quantizers)
    torch.testing.assert_close(folded(*batches[0]), Chunks(bias=True).eval()(*batches[0]))


def test_the_bias_that_two_convolutions_get_from_their_batch_norm_stays():
    """In torchao it becomes zeros when the second one is folded."""
    from pt2e_flow import capture
    from qdq.pt2e.quantize_pt2e import prepare_pt2e

    (batch,) = batches_like((torch.zeros(4, 3, 6, 6),), 1)
    folded = prepare_pt2e(capture(Chunks(bias=False).eval(), batch), our_xnnpack.XNNPACKQuantizer())
    assert not any("batch_norm" in str(node.target) for node in folded.graph.nodes)
    assert all("val" in node.meta for node in folded.graph.nodes if node.op != "output")
    torch.testing.assert_close(folded(*batch), Chunks(bias=False).eval()(*batch))


def test_a_linear_with_a_batch_norm_over_another_dimension_is_named():
    from pt2e_flow import capture
    from qdq.pt2e.quantize_pt2e import prepare_pt2e

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), with_statistics(nn.BatchNorm1d(4))).eval()
    x = torch.randn(2, 4, 3)
    with pytest.warns(UserWarning, match="Not fusing linear.bn for node 'linear': the linear's input has 3 dimensions"):
        prepared = prepare_pt2e(capture(model, (x,)), our_xnnpack.XNNPACKQuantizer())
    assert torch.equal(prepared(x), model(x))
