"""Quantizers that users write in Python do in qdq.pt2e what they do in torchao, and sharing works in any order."""

import copy

import pytest
import torch
from torch import nn

pytest.importorskip("torchao")
import qdq.pt2e.observer as our_observers  # noqa: E402
import qdq.pt2e.quantizer as ours  # noqa: E402
import torchao.quantization.pt2e.observer as their_observers  # noqa: E402
import torchao.quantization.pt2e.quantizer as theirs  # noqa: E402
from pt2e_flow import assert_same_flow, capture  # noqa: E402
from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e  # noqa: E402

ATEN = torch.ops.aten
ANNOTATION = "quantization_annotation"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.other = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return torch.cat([torch.sigmoid(self.conv(x)), self.other(x)], 1)


def batches(n=2):
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(2, 3, 6, 6, generator=generator),) for _ in range(n)]


class Specs:
    """The same specs, made of one of the two libraries."""

    def __init__(self, q, o):
        self.q = q
        self.activation = q.QuantizationSpec(
            torch.uint8, o.HistogramObserver.with_args(eps=2**-12), 0, 255, torch.per_tensor_affine
        )
        self.weight = q.QuantizationSpec(
            torch.int8, o.PerChannelMinMaxObserver, -128, 127, torch.per_channel_symmetric, ch_axis=0
        )
        self.annotation = q.QuantizationAnnotation
        self.shared = q.SharedQuantizationSpec


def nodes_of(model, *targets):
    return [node for node in model.graph.nodes if node.target in targets]


def annotate_convs(model, s, bias=None):
    for node in nodes_of(model, ATEN.conv2d.default):
        x, weight, b = node.args[:3]
        specs = {x: s.activation, weight: s.weight}
        if bias is not None:
            specs[b] = bias(node)
        node.meta[ANNOTATION] = s.annotation(specs, s.activation, _annotated=True)


def conv_only(model, s):
    annotate_convs(model, s)


def cat_shares_its_inputs(model, s):
    annotate_convs(model, s)
    (cat,) = nodes_of(model, ATEN.cat.default)
    first, second = cat.args[0]
    shared = s.shared((first, cat))
    cat.meta[ANNOTATION] = s.annotation({first: s.activation, second: shared}, shared, _annotated=True)


def bias_is_derived(model, s):
    def derive(observers):
        x, weight = observers
        scale = x.calculate_qparams()[0] * weight.calculate_qparams()[0]
        return scale.to(torch.float32), torch.zeros_like(scale, dtype=torch.int32)

    def bias(node):
        return s.q.DerivedQuantizationSpec(
            [(node.args[0], node), (node.args[1], node)], derive, torch.int32, -(2**31), 2**31 - 1,
            torch.per_channel_symmetric, ch_axis=0,
        )  # fmt: skip

    annotate_convs(model, s, bias)


def sigmoid_is_fixed(model, s):
    annotate_convs(model, s)
    (sigmoid,) = nodes_of(model, ATEN.sigmoid.default)
    fixed = s.q.FixedQParamsQuantizationSpec(torch.uint8, 1.0 / 256.0, 0, 0, 255, torch.per_tensor_affine)
    sigmoid.meta[ANNOTATION] = s.annotation({sigmoid.args[0]: s.activation}, fixed, _annotated=True)


def no_implicit_sharing(model, s):
    annotate_convs(model, s)
    for node in nodes_of(model, ATEN.conv2d.default):
        node.meta[ANNOTATION].allow_implicit_sharing = False


def quantizer(q, o, annotate):
    class Custom(q.Quantizer):
        def annotate(self, model):
            annotate(model, Specs(q, o))

        def validate(self, model):
            pass

    return Custom()


RULES = [conv_only, cat_shares_its_inputs, bias_is_derived, sigmoid_is_fixed, no_implicit_sharing]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_custom_quantizer_does_what_it_does_in_torchao(rule):
    assert_same_flow(
        Net().eval(), batches(), quantizer(ours, our_observers, rule), quantizer(theirs, their_observers, rule)
    )


def cat_shares_with_a_later_place(model, s):
    """The spec of the first input names the second, which comes later."""
    annotate_convs(model, s)
    (cat,) = nodes_of(model, ATEN.cat.default)
    first, second = cat.args[0]
    first.meta.pop(ANNOTATION, None)
    second.meta[ANNOTATION].output_qspec = None
    shared = s.shared((second, cat))
    cat.meta[ANNOTATION] = s.annotation({first: shared, second: s.activation}, shared, _annotated=True)


def test_sharing_with_a_later_place_works():
    exported = capture(Net().eval(), batches()[0])
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e as their_prepare

    with pytest.raises(AssertionError):  # PyTorch's known limit: the shared place must come first
        their_prepare(
            copy.deepcopy(exported), quantizer(theirs, their_observers, cat_shares_with_a_later_place)
        )
    prepared = prepare_pt2e(exported, quantizer(ours, our_observers, cat_shares_with_a_later_place))
    (cat,) = nodes_of(prepared, ATEN.cat.default)
    first, second = (getattr(prepared, node.target) for node in cat.args[0])
    (output,) = cat.users
    assert first is second is getattr(prepared, output.target)
    for batch in batches():
        prepared(*batch)
    converted = convert_pt2e(prepared)
    scales = {node.args[1] for node in converted.graph.nodes if "quantize_per_tensor" in str(node.target)}
    assert len(scales) == 3, "the input, the two convolutions' shared one, and the first convolution's output before sigmoid"


def test_the_callback_replaces_observers():
    class Replaces(ours.Quantizer):
        def annotate(self, model):
            conv_only(model, Specs(ours, our_observers))

        def validate(self, model):
            pass

        def prepare_obs_or_fq_callback(self, model, observers):
            for place, observer in list(observers.items()):
                if isinstance(observer, our_observers.HistogramObserver):
                    observers[place] = our_observers.MinMaxObserver(dtype=torch.uint8, quant_min=0, quant_max=255)

    prepared = prepare_pt2e(capture(Net().eval(), batches()[0]), Replaces())
    kinds = {type(module).__name__ for module in prepared.children() if isinstance(module, our_observers.ObserverBase)}
    assert kinds == {"MinMaxObserver", "PerChannelMinMaxObserver"}


def test_an_edge_that_does_not_exist_is_named():
    def rule(model, s):
        annotate_convs(model, s)
        first, second = nodes_of(model, ATEN.conv2d.default)
        second.meta[ANNOTATION].output_qspec = s.shared((first, second))

    with pytest.raises(ValueError, match=r"conv2d.*which does not exist"):
        prepare_pt2e(capture(Net().eval(), batches()[0]), quantizer(ours, our_observers, rule))


def test_quantizers_compose_and_a_replaced_annotation_is_refused():
    one, two = (quantizer(ours, our_observers, conv_only) for _ in range(2))
    with pytest.raises(RuntimeError, match="Quantizer Custom has replaced the annotation of 'conv2d'"):
        prepare_pt2e(capture(Net().eval(), batches()[0]), ours.ComposableQuantizer([one, two]))
