"""Switching captured models between training and evaluation, beside torchao; ours keep probabilities, eps and momentum."""

import copy

import pytest
import torch
from torch import nn

pytest.importorskip("torchao")
import qdq.pt2e  # noqa: E402
import qdq.pt2e.export_utils as our_utils  # noqa: E402
import qdq.pt2e.testing._xnnpack_quantizer as our_xnnpack  # noqa: E402
import torchao.quantization.pt2e  # noqa: E402
import torchao.quantization.pt2e.export_utils as their_utils  # noqa: E402
from pt2e_flow import capture  # noqa: E402
from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e  # noqa: E402

ATEN = torch.ops.aten
PACKAGES = [qdq.pt2e, torchao.quantization.pt2e]


class Network(nn.Module):
    """A batch norm and both kinds of dropout, with the numbers that torchao's patterns have."""

    def __init__(self, p=0.5, **norm):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4, **norm)
        self.dropout = nn.Dropout(p)
        self.in_place = nn.Dropout(p, inplace=True)

    def forward(self, x):
        return self.in_place(self.dropout(torch.relu(self.bn(self.conv(x)))) + 1)


INPUTS = (torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)),)


def modes(model):
    """Operator and arguments that are no nodes; torchao puts new nodes of other names in place of the old."""
    names = ("dropout", "batch_norm")
    nodes = [node for node in model.graph.nodes if any(name in str(node.target) for name in names) and node.op == "call_function"]
    return [(str(node.target), [value for value in node.args if not isinstance(value, torch.fx.Node)]) for node in nodes]


@pytest.mark.parametrize("begins_in_training", [True, False])
def test_dropouts_and_batch_norms_change_as_in_torchao(begins_in_training):
    exported = capture(Network().train(begins_in_training), INPUTS)
    models = [copy.deepcopy(exported) for _ in PACKAGES]
    results = []
    for model, package in zip(models, PACKAGES):
        found = [modes(model)]
        for move in (package.move_exported_model_to_eval, package.move_exported_model_to_train, package.move_exported_model_to_eval):
            assert move(model) is model
            found.append((modes(model), model._exported_training))
        results.append(found)
        torch.manual_seed(0)
        found.append([model(*INPUTS) for _ in range(2)])
    (*mine, outputs), (*expected, other_outputs) = results
    assert mine == expected
    assert torch.equal(outputs[0], outputs[1])  # it evaluates
    assert all(torch.equal(value, other) for value, other in zip(outputs, other_outputs))


def test_numbers_of_the_model_survive():
    model = capture(Network(p=0.25, eps=0.1, momentum=0.7).train(), INPUTS)
    for move, training in ((qdq.pt2e.move_exported_model_to_eval, False), (qdq.pt2e.move_exported_model_to_train, True)):
        move(model)
        assert modes(model) == [
            ("aten.batch_norm.default", [training, 0.7, 0.1, False]),
            ("aten.dropout.default", [0.25, training]),
            ("aten.dropout_.default", [0.25, training]),
        ]


@pytest.mark.parametrize("package", PACKAGES, ids=["ours", "torchao"])
def test_a_model_that_is_in_the_mode_is_not_touched(package):
    model = capture(Network().train(), INPUTS)
    package.move_exported_model_to_eval(model)

    def recompile():
        raise AssertionError("it was touched")

    model.recompile = recompile
    package.move_exported_model_to_eval(model)
    with pytest.raises(AssertionError, match="it was touched"):
        package.move_exported_model_to_train(model)


@pytest.mark.parametrize("package", PACKAGES, ids=["ours", "torchao"])
def test_train_and_eval_can_be_given_to_a_model(package):
    model = capture(Network().train(), INPUTS)
    with pytest.raises(NotImplementedError):
        model.eval()
    assert package.allow_exported_model_train_eval(model) is model
    for switch, training in ((model.eval, False), (model.train, True), (lambda: model.train(False), False), (lambda: model.train(True), True)):
        switch()
        assert model._exported_training is training
        assert modes(model)[0][1][0] is training


def test_each_step_takes_train_and_eval_away_again():
    model = qdq.pt2e.allow_exported_model_train_eval(capture(Network().train(), INPUTS))
    config = our_xnnpack.get_symmetric_quantization_config(is_qat=True)
    for step in (
        lambda model: prepare_qat_pt2e(model, our_xnnpack.XNNPACKQuantizer().set_global(config)),
        lambda model: convert_pt2e(model),
    ):
        model = step(model)
        for switch in (model.train, model.eval):
            with pytest.raises(NotImplementedError):
                switch()
        qdq.pt2e.allow_exported_model_train_eval(model)
        model.train(), model.eval()
        model(*INPUTS)


@pytest.mark.parametrize("utils", [our_utils, their_utils], ids=["ours", "torchao"])
def test_what_counts_as_an_exported_model(utils):
    assert utils.model_is_exported(capture(Network(), INPUTS))
    assert not utils.model_is_exported(torch.fx.symbolic_trace(nn.Linear(2, 2)))
    assert not utils.model_is_exported(nn.Linear(2, 2))


@pytest.mark.parametrize("utils", [our_utils, their_utils], ids=["ours", "torchao"])
def test_a_function_as_a_module_can_be_exported(utils):
    module = utils.WrapperModule(lambda x, factor=2: x * factor)
    assert torch.equal(module(torch.ones(2), factor=3), torch.full((2,), 3.0))
    exported = torch.export.export(module, (torch.ones(2),)).module()
    assert torch.equal(exported(torch.ones(2)), torch.full((2,), 2.0))
