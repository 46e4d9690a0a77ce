"""One network through torchao.quantization.pt2e and through qdq.pt2e: same graphs, same names, same bits."""

import copy

import torch

from graph_lines import graph_lines
from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e import quantize_pt2e as theirs


def capture(model, inputs, **options):
    # torchao finds cat and pooling by the module or function that they came from, which only strict export records.
    return torch.export.export(model, inputs, strict=True, **options).module(check_guards=False)


def attribute(module, name):
    for part in name.split("."):
        module = getattr(module, part)
    return module


def assert_same_module(ours, expected):
    """Same graph text, same tensors under the same names, to the bit."""
    assert graph_lines(ours) == graph_lines(expected)
    for node, other in zip(ours.graph.nodes, expected.graph.nodes):
        assert [user.name for user in node.users] == [user.name for user in other.users], node.name
        if node.op == "get_attr":
            mine, reference = attribute(ours, node.target), attribute(expected, other.target)
            assert mine.dtype == reference.dtype, node.name
            assert torch.equal(mine, reference), node.name


def observers(model):
    return {node.target: getattr(model, node.target) for node in model.graph.nodes if node.op == "call_module"}


def assert_same_observers(ours, expected):
    """Same classes, shared alike, with the same state."""
    mine, reference = observers(ours), observers(expected)
    assert list(mine) == list(reference)
    for name, observer in mine.items():
        other = reference[name]
        assert type(observer).__name__ == type(other).__name__, name
        assert [n for n, o in mine.items() if o is observer] == [n for n, o in reference.items() if o is other], name
        state, expected_state = observer.state_dict(), other.state_dict()
        # torchao's affine observers keep bounds and blocks beside the state dict, where a checkpoint loses them.
        assert list(state) == list(expected_state) or not expected_state, name
        for key, value in state.items():
            expected_value = torch.as_tensor(attribute(other, key))
            assert value.dtype == expected_value.dtype, f"{name}.{key}"
            assert torch.equal(value, expected_value), f"{name}.{key}"


def assert_same_flow(model, batches, quantizer, their_quantizer, convert=None, **options):
    """Both flows on the same data. Returns both converted models."""
    exported = capture(copy.deepcopy(model), batches[0], **options)
    expected = theirs.prepare_pt2e(copy.deepcopy(exported), their_quantizer)
    ours = prepare_pt2e(exported, quantizer)
    assert graph_lines(ours) == graph_lines(expected)
    with torch.no_grad():
        for batch in batches:
            for mine, reference in zip(flat(ours(*batch)), flat(expected(*batch))):
                assert torch.equal(mine, reference)
    assert_same_observers(ours, expected)
    expected = theirs.convert_pt2e(expected, **convert or {})
    ours = convert_pt2e(ours, **convert or {})
    assert_same_module(ours, expected)
    with torch.no_grad():
        for mine, reference in zip(flat(ours(*batches[0])), flat(expected(*batches[0]))):
            assert torch.equal(mine, reference)
    return ours, expected


def flat(value):
    return torch.utils._pytree.tree_leaves(value)
