"""Mistakes in annotations on fx graphs: the message names the node, its line in the user's model, the quantizer, rule and remedy."""

import gc
import inspect
import re

import pytest
import torch
from torch import nn

import qdq
from qdq.pt2e.observer import MinMaxObserver, PerChannelMinMaxObserver
from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e
from qdq.pt2e.quantizer import (
    ComposableQuantizer,
    DerivedQuantizationSpec,
    QuantizationAnnotation,
    QuantizationSpec,
    Quantizer,
    SharedQuantizationSpec,
)

INT8 = QuantizationSpec(torch.int8, MinMaxObserver, -128, 127, torch.per_tensor_affine)
PER_CHANNEL = QuantizationSpec(torch.int8, PerChannelMinMaxObserver, -128, 127, torch.per_channel_symmetric, ch_axis=0)
KEY = "quantization_annotation"


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x):
        linear = self.linear(x)
        relu = torch.relu(linear)
        return torch.mul(relu, other=relu)


def line_of(text):
    """Where that stands in Model.forward: what a message has to say."""
    source, first = inspect.getsourcelines(Model)
    return first + next(i for i, line in enumerate(source) if text in line)


INPUTS = (torch.randn(2, 3),)


def captured():
    batch = torch.export.Dim("batch", min=1)
    return torch.export.export(Model().eval(), INPUTS, dynamic_shapes={"x": {0: batch}}, strict=True).module(check_guards=False)


def quantizer(annotate):
    class Faulty(Quantizer):
        def annotate(self, model):
            nodes = {node.name: node for node in model.graph.nodes}
            annotate(model, **{name: nodes[name] for name in ("x", "linear", "relu", "mul")})
            return model

        def validate(self, model):
            pass

    return Faulty()


def annotation(node, inputs=None, output=None):
    node.meta[KEY] = QuantizationAnnotation(inputs or {}, output, _annotated=True)


def no_spec(model, x, linear, relu, mul):
    annotation(relu, output=SharedQuantizationSpec(linear))


def no_edge(model, x, linear, relu, mul):
    annotation(relu, output=SharedQuantizationSpec((x, relu)))


def circle(model, x, linear, relu, mul):
    annotation(linear, output=SharedQuantizationSpec(relu))
    annotation(relu, output=SharedQuantizationSpec(linear))


def not_read(model, x, linear, relu, mul):
    annotation(relu, {x: INT8})


def by_keyword(model, x, linear, relu, mul):
    mul.args, mul.kwargs = (relu,), {"other": relu}
    annotation(mul, output=INT8)


def changing_axis(model, x, linear, relu, mul):
    annotation(linear, {x: PER_CHANNEL})


def no_axis(model, x, linear, relu, mul):
    spec = QuantizationSpec(torch.int8, PerChannelMinMaxObserver, -128, 127, torch.per_channel_symmetric, ch_axis=5)
    annotation(linear, {linear.args[1]: spec})


def impossible_bounds(model, x, linear, relu, mul):
    annotation(linear, {x: QuantizationSpec(torch.int8, MinMaxObserver, 0, 255, torch.per_tensor_affine)})


def derived_from_nothing(model, x, linear, relu, mul):
    spec = DerivedQuantizationSpec([(x, linear)], lambda observers: observers[0].calculate_qparams(), torch.int32)
    annotation(linear, {linear.args[2]: spec})


def erased(model, x, linear, relu, mul):
    with model.graph.inserting_before(relu):
        gone = model.graph.call_function(torch.ops.aten.neg.default, (linear,))
    annotation(relu, {linear: INT8, gone: INT8})
    model.graph.erase_node(gone)


# The mistake; the name of the node and a piece of its line; what is wrong; the remedy.
MISTAKES = {
    no_spec: ("'relu'", "torch.relu", r"shares with the output of 'linear' .* which has no spec", "give 'linear' an output_qspec"),
    no_edge: ("'relu'", "torch.relu", r"shares with the edge 'x' .* which does not exist", "an edge goes from a node"),
    circle: ("'linear'", "self.linear(x)", "SharedQuantizationSpec goes in a circle", "give one of them a QuantizationSpec"),
    not_read: ("'relu'", "torch.relu", r"gives a spec to 'x', which it does not read; it reads 'linear'", "annotate the node that does"),
    by_keyword: ("'mul'", "torch.mul", "takes the tensor 'relu' as keyword argument 'other'", "pass it by position"),
    changing_axis: ("'linear'", "self.linear(x)", "along axis 0, whose size changes", "per_tensor"),
    no_axis: ("'linear'", "self.linear(x)", "along axis 5 of a tensor with 2 dimensions", "choose an axis that the tensor has"),
    impossible_bounds: ("'linear'", "self.linear(x)", r"quant_min\.\.quant_max is \[0, 255\], but int8 holds \[-128, 127\]", "narrow the bounds"),
    derived_from_nothing: ("'linear'", "self.linear(x)", r"is derived from edge 'x' .* which has no observer", "give that place a spec"),
    erased: ("'relu'", "torch.relu", "names 'neg_default', which is not in the graph", "look nodes up in annotate()"),
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
@pytest.mark.parametrize("wrap", [lambda q: q, lambda q: ComposableQuantizer([q])], ids=["alone", "composed"])
def test_a_mistake_is_explained(mistake, wrap):
    node, line, wrong, remedy = MISTAKES[mistake]
    with pytest.raises(ValueError) as raised:
        prepare_pt2e(captured(), wrap(quantizer(mistake)))
    assert isinstance(raised.value, qdq.InvalidArgumentError)
    text = str(raised.value)
    assert node in text, text
    assert f"test_pt2e_errors.py:{line_of(line)}" in text, text
    assert re.search(wrong, text), text
    assert remedy in text, text
    assert "Faulty" in text, text


def test_a_node_that_is_no_node_is_named():
    def by_name(model, x, linear, relu, mul):
        annotation(linear, {"x": INT8})

    with pytest.raises(ValueError, match=r"'linear'.*a torch.fx.Node expected.*found str"):
        prepare_pt2e(captured(), quantizer(by_name))


def test_a_spec_that_is_no_spec_is_named():
    def by_number(model, x, linear, relu, mul):
        annotation(linear, {x: 8})

    with pytest.raises(ValueError, match=r"'linear'.*a QuantizationSpecBase expected, found int"):
        prepare_pt2e(captured(), quantizer(by_number))


def test_what_a_quantizer_raises_comes_through_with_its_traceback():
    def fails(model, x, linear, relu, mul):
        raise LookupError("no such backend")

    with pytest.raises(LookupError, match="no such backend") as raised:
        prepare_pt2e(captured(), quantizer(fails))
    assert any(entry.name == "fails" for entry in raised.traceback)
    assert gc.isenabled()  # it rests while the graph crosses


def nothing(model, x, linear, relu, mul):
    pass


def test_steps_in_the_wrong_order_say_what_is_missing():
    with pytest.raises(AssertionError, match="prepare_pt2e or prepare_qat_pt2e"):
        convert_pt2e(captured())
    with pytest.raises(AssertionError, match="export the model first"):
        prepare_pt2e(Model(), quantizer(no_spec))
    with pytest.raises(AssertionError, match="export the model first"):
        prepare_qat_pt2e(Model(), quantizer(no_spec))
    with pytest.raises(AssertionError, match="is prepared, what is left is convert_pt2e"):
        prepare_pt2e(prepare_pt2e(captured(), quantizer(nothing)), quantizer(nothing))
    with pytest.raises(ValueError, match="use_reference_representation: True or False expected, found 1"):
        convert_pt2e(captured(), use_reference_representation=1)


def test_train_and_eval_say_what_to_call():
    prepared = prepare_pt2e(captured(), quantizer(nothing))
    for call in (prepared.train, prepared.eval):
        with pytest.raises(NotImplementedError, match="move_exported_model_to_"):
            call()
