"""torch.export.save -> qdq::load -> qdq::save -> torch.export.load gives the same program."""

import subprocess
import sys
from pathlib import Path

import pytest
from tools import tool

torch = pytest.importorskip("torch")

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import make_compat_files  # noqa: E402


@pytest.fixture(scope="module")
def copy():
    program = tool("pt2_copy")

    def run(source, target):
        result = subprocess.run([program, source, target], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return target

    return run


def graph_text(graph_module):
    """Every graph below, each node with its arguments and its value's type."""
    lines = []
    for name, module in graph_module.named_modules():
        if not isinstance(module, torch.fx.GraphModule):
            continue
        lines.append(f"graph {name}")
        for node in module.graph.nodes:
            value = node.meta.get("val")
            kind = torch.utils._pytree.tree_map(describe, value)
            lines.append(f"{node.op} {node.name} {node.target} {node.args} {node.kwargs} {kind}")
    return "\n".join(lines)


def describe(value):
    if isinstance(value, torch.Tensor):
        return f"{value.dtype} {tuple(value.shape)} {value.stride()} {value.requires_grad} {value.device}"
    return repr(value)


def metadata(graph_module):
    keys = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "custom")
    return {
        (name, node.name): {key: node.meta[key] for key in keys if key in node.meta}
        for name, module in graph_module.named_modules()
        if isinstance(module, torch.fx.GraphModule)
        for node in module.graph.nodes
    }


def ranges(program):
    return {str(symbol): str(values) for symbol, values in program.range_constraints.items()}


def assert_same_program(expected, actual):
    assert graph_text(actual.graph_module) == graph_text(expected.graph_module)
    assert metadata(actual.graph_module) == metadata(expected.graph_module)
    assert str(actual.graph_signature) == str(expected.graph_signature)
    assert ranges(actual) == ranges(expected)
    assert actual._guards_code == expected._guards_code
    assert str(actual.module_call_graph) == str(expected.module_call_graph)
    assert list(actual.state_dict) == list(expected.state_dict)
    assert set(actual.constants) == set(expected.constants)
    for name, tensor in [*expected.state_dict.items(), *expected.constants.items()]:
        other = actual.state_dict.get(name, actual.constants.get(name))
        assert type(other) is type(tensor), name
        assert (other.dtype, other.shape, other.stride()) == (tensor.dtype, tensor.shape, tensor.stride()), name
        assert other.requires_grad == tensor.requires_grad, name
        assert same_bits(other, tensor), name


def same_bits(a, b):
    def raw(tensor):
        return tensor.detach().contiguous().reshape(-1).view(torch.uint8)

    return torch.equal(raw(a), raw(b))


def assert_same_outputs(expected, actual, args, kwargs):
    def run(program):
        torch.manual_seed(0)
        copied = torch.utils._pytree.tree_map(lambda x: x.clone() if isinstance(x, torch.Tensor) else x, (args, kwargs))
        return torch.utils._pytree.tree_flatten(program.module()(*copied[0], **copied[1]))

    values, spec = run(expected)
    others, other_spec = run(actual)
    assert other_spec == spec
    for value, other in zip(values, others, strict=True):
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, other) or torch.allclose(value, other, rtol=0, atol=0, equal_nan=True)
        else:
            assert value == other


def round_trip(program, copy, folder):
    source, target = folder / "source.pt2", folder / "copy.pt2"
    torch.export.save(program, source)
    copy(source, target)
    return torch.export.load(source), torch.export.load(target), target


PROGRAMS = {}


def compat_programs():
    if not PROGRAMS:
        PROGRAMS.update(make_compat_files.exported_programs())
    return PROGRAMS


NAMES = [
    *make_compat_files.programs(),
    *(f"{name}_decomposed" for name in ("conv_net", "counter", "dict_outputs")),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_program_survives_the_round_trip(name, copy, tmp_path):
    program = compat_programs()[name]
    expected, actual, _ = round_trip(program, copy, tmp_path)
    assert_same_program(expected, actual)
    assert_same_outputs(program, actual, *program.example_inputs)


@pytest.mark.parametrize("name", NAMES)
def test_a_second_copy_has_the_same_bytes(name, copy, tmp_path):
    source = tmp_path / "source.pt2"
    torch.export.save(compat_programs()[name], source)
    first = copy(source, tmp_path / "first.pt2")
    second = copy(first, tmp_path / "second.pt2")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("file", sorted((make_compat_files.ROOT / "tests" / "compat" / "pt2").glob("*/*.pt2"), key=str))
def test_frozen_files_still_open_in_torch_after_a_copy(file, copy, tmp_path):
    if file.stem == "unknown_op":
        compat_programs()  # registers the operators
    assert_same_program(torch.export.load(file), torch.export.load(copy(file, tmp_path / "copy.pt2")))


def test_get_attr_nodes_have_the_names_that_torch_gives_them(copy, tmp_path):
    program = compat_programs()["conv_net"]
    _, actual, _ = round_trip(program, copy, tmp_path)

    def names(exported):
        return [node.name for node in exported.module(check_guards=False).graph.nodes]

    assert names(actual) == names(program)
