"""Bodies of scan and while_loop, and the numeric debugger, through qdq.pt2e on torch.fx: what torchao does, live."""

import copy

import pytest
import torch
from torch import nn

pytest.importorskip("torchao")
import qdq.pt2e._numeric_debugger as our_debugger  # noqa: E402
import qdq.pt2e.testing._xnnpack_quantizer as our_xnnpack  # noqa: E402
import torchao.quantization.pt2e._numeric_debugger as their_debugger  # noqa: E402
import torchao.testing.pt2e._xnnpack_quantizer as their_xnnpack  # noqa: E402
from graph_lines import graph_lines  # noqa: E402
from pt2e_flow import assert_same_module, assert_same_observers, capture, flat  # noqa: E402
from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e  # noqa: E402
from torch._higher_order_ops.scan import scan  # noqa: E402
from torch._higher_order_ops.while_loop import while_loop  # noqa: E402
from torchao.quantization.pt2e import quantize_pt2e as theirs  # noqa: E402


def xnnpack(module, **options):
    return module.XNNPACKQuantizer().set_global(module.get_symmetric_quantization_config(**options))


class WithLinears(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.before = nn.Linear(3, 3)
        self.inside = nn.Linear(3, 3)


class Scan(WithLinears):
    def forward(self, state, xs):
        def step(carried, x):
            return torch.tanh(self.inside(carried) + x), (carried + x) * 2

        return scan(step, state, self.before(xs), dim=0)


class While(WithLinears):
    def forward(self, count, x):
        def body(i, y):
            return i - 1, torch.relu(self.inside(y)) + y

        return while_loop(lambda i, y: i > 0, body, (count, self.before(x)))


def data(*sizes):
    return torch.randn(sizes, generator=torch.Generator().manual_seed(0))


LOOPS = {
    "scan": (Scan, (data(2, 3), data(4, 2, 3))),
    "while": (While, (torch.tensor(3), data(2, 3))),
}


def bodies(model):
    """The GraphModules below `model`, by the names that its nodes read, at any depth."""
    found = {}
    for node in model.graph.nodes:
        value = getattr(model, str(node.target), None) if node.op == "get_attr" else None
        if isinstance(value, torch.fx.GraphModule):
            found[node.target] = value
            found |= {f"{node.target}.{name}": body for name, body in bodies(value).items()}
    return found


def assert_same_states(mine, expected):
    """Tensors that both have are equal; torchao's may be more: it keeps float weights that nothing reads."""
    ours, reference = mine.state_dict(), expected.state_dict()
    assert ours.keys() <= reference.keys()
    for name, value in ours.items():
        assert torch.equal(value, reference[name]), name


@pytest.mark.parametrize("is_per_channel", [False, True])
@pytest.mark.parametrize("loop", LOOPS)
def test_the_body_of_a_loop_is_quantized_as_by_torchao(loop, is_per_channel):
    module, inputs = LOOPS[loop]
    exported = torch.export.export(module().eval(), inputs).module(check_guards=False)
    expected = theirs.prepare_pt2e(copy.deepcopy(exported), xnnpack(their_xnnpack, is_per_channel=is_per_channel))
    mine = prepare_pt2e(exported, xnnpack(our_xnnpack, is_per_channel=is_per_channel))
    assert graph_lines(mine) == graph_lines(expected)
    assert bodies(mine).keys() == bodies(expected).keys() != set()
    with torch.no_grad():
        for value, other in zip(flat(mine(*inputs)), flat(expected(*inputs))):
            assert torch.equal(value, other)
    for name, body in bodies(mine).items():
        assert_same_observers(body, bodies(expected)[name])
    mine, expected = convert_pt2e(mine), theirs.convert_pt2e(expected)
    assert graph_lines(mine) == graph_lines(expected)
    assert "quantize_per_" in "\n".join(line for body in bodies(mine).values() for line in graph_lines(body))
    assert_same_states(mine, expected)
    with torch.no_grad():
        for value, other in zip(flat(mine(*inputs)), flat(expected(*inputs))):
            assert torch.equal(value, other)


def test_training_leaves_bodies_in_float_as_torchao_does():
    module, inputs = LOOPS["scan"]
    exported = torch.export.export(module(), inputs).module(check_guards=False)
    expected = theirs.prepare_qat_pt2e(copy.deepcopy(exported), xnnpack(their_xnnpack, is_qat=True))
    mine = prepare_qat_pt2e(exported, xnnpack(our_xnnpack, is_qat=True))
    assert graph_lines(mine) == graph_lines(expected)
    (body,) = bodies(mine).values()
    assert not any(node.op == "call_module" for node in body.graph.nodes)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 5)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x)))
        return self.linear(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


def accuracy(debugger, prepare, convert, quantizer, exported, inputs):
    """By node of the exported program: names in both models and the error of the quantized one."""
    reference = debugger.prepare_for_propagation_comparison(exported)
    reference(*inputs)
    prepared = prepare(copy.deepcopy(exported), quantizer)
    prepared(*inputs)
    quantized = debugger.prepare_for_propagation_comparison(convert(prepared))
    quantized(*inputs)
    summaries = debugger.compare_results(
        debugger.extract_results_from_loggers(reference), debugger.extract_results_from_loggers(quantized)
    )
    return {
        info.name: (summary.ref_node_name, summary.actual_node_name, summary.ref_module_stack, summary.actual_module_stack,
                    [(result.mse_loss.item(), result.sqnr.item()) for result in summary.results])
        for info, summary in summaries.items()
    }  # fmt: skip


def test_the_numeric_debugger_finds_what_torchaos_finds():
    inputs = (data(2, 3, 8, 8),)
    exported = torch.export.export(Network().eval(), inputs, strict=True).module(check_guards=False)
    ours = accuracy(our_debugger, prepare_pt2e, convert_pt2e, xnnpack(our_xnnpack), exported, inputs)
    expected = accuracy(
        their_debugger, theirs.prepare_pt2e, theirs.convert_pt2e, xnnpack(their_xnnpack), exported, inputs
    )
    assert ours.keys() == expected.keys() != set()
    for name, (*names, errors) in ours.items():
        *other_names, other_errors = expected[name]
        assert names == other_names
        for (mse, sqnr), (other_mse, other_sqnr) in zip(errors, other_errors):
            assert mse == other_mse
            assert sqnr == pytest.approx(other_sqnr, abs=0.1)  # torchao's signal is the quantized value, ours the reference


def test_debug_handles_are_numbered_as_torchaos():
    inputs = (data(2, 3, 8, 8),)
    program = torch.export.export(Network().eval(), inputs)
    other = copy.deepcopy(program)
    our_debugger.generate_numeric_debug_handle(program)
    their_debugger.generate_numeric_debug_handle(other)
    assert [node.meta.get("custom") for node in program.graph.nodes] == [node.meta.get("custom") for node in other.graph.nodes]
    module, loop_inputs = LOOPS["scan"]
    looped = torch.export.export(module().eval(), loop_inputs)
    other = copy.deepcopy(looped)
    our_debugger.generate_numeric_debug_handle(looped)
    their_debugger.generate_numeric_debug_handle(other)
    for mine, reference in ((looped.graph_module, other.graph_module), *zip(bodies(looped.graph_module).values(), bodies(other.graph_module).values())):
        assert [node.meta.get("custom") for node in mine.graph.nodes] == [node.meta.get("custom") for node in reference.graph.nodes]


def test_loggers_follow_the_nodes_that_come_from_the_model():
    inputs = (data(2, 3, 8, 8),)
    exported = torch.export.export(Network().eval(), inputs, strict=True).module(check_guards=False)
    lines = []
    for debugger in (our_debugger, their_debugger):
        logged = debugger.prepare_for_propagation_comparison(exported)
        assert logged is not exported
        lines.append(graph_lines(logged))
        with torch.no_grad():
            expected = exported(*inputs)
            for _ in range(2):
                assert torch.equal(logged(*inputs), expected)
        loggers = [module for module in logged.modules() if isinstance(module, debugger.OutputLogger)]
        assert all(len(logger.stats) == 2 and not logger.stats[0].requires_grad and logger._is_impure for logger in loggers)
        lines.append(sorted((logger.debug_info.name, logger.node_name) for logger in loggers))
        logged.graph.eliminate_dead_code()
        assert sum(node.op == "call_module" for node in logged.graph.nodes) == len(loggers) > 5
    assert lines[:2] == lines[2:]


@pytest.mark.parametrize("debugger", [our_debugger, their_debugger], ids=["ours", "torchao"])
def test_two_results_are_compared_by_any_measure(debugger):
    reference, actual = torch.tensor([3.0, 4.0]), torch.tensor([3.0, 3.0])
    result = debugger.QuantizationComparisonResult(actual, reference)
    assert result.mse_loss == 0.5
    assert result.loss(torch.nn.functional.l1_loss) == 0.5
    with pytest.raises(ValueError):
        debugger.QuantizationComparisonResult(actual, torch.zeros(3))
    # 20 log10(|signal| / |error|), the error being 1; torchao's signal is `actual`.
    signal = 5.0 if debugger is our_debugger else 18.0**0.5
    assert result.sqnr.item() == pytest.approx(20 * torch.tensor(signal).log10().item(), abs=1e-4)
