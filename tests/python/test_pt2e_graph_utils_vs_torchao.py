"""Patterns by the modules they came from, traversal and producers: what torchao's functions find in the same graphs."""

import operator

import pytest
import torch
import torch.nn.functional as F
from torch import nn

pytest.importorskip("torchao")
import qdq.pt2e.graph_utils as ours  # noqa: E402
import torchao.quantization.pt2e.graph_utils as theirs  # noqa: E402
from pt2e_flow import capture  # noqa: E402
from torch._higher_order_ops.scan import scan  # noqa: E402
from torch._higher_order_ops.while_loop import while_loop  # noqa: E402


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3)
        self.bn1, self.bn2 = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.relu = nn.ReLU()

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        z = F.relu(self.bn2(self.conv2(y)))
        return z + F.relu(F.conv2d(z, self.conv1.weight, padding=1))


INPUTS = (torch.zeros(1, 3, 9, 9),)
LIBRARIES = [ours, theirs]


def found(library, types, **options):
    model = capture(Blocks().eval(), INPUTS)
    partitions = library.find_sequential_partitions(model, types, **options)
    return sorted([sorted(node.name for node in partition.nodes) for partition in match] for match in partitions)


@pytest.mark.parametrize(
    "types, count",
    [
        ([nn.Conv2d, nn.BatchNorm2d, nn.ReLU], 2),
        ([nn.Conv2d, nn.BatchNorm2d], 2),
        ([nn.Conv2d, nn.ReLU], 1),
        ([nn.BatchNorm2d, F.relu], 2),
        ([nn.ReLU, nn.Conv2d], 2),
        ([nn.Conv2d, nn.Linear], 0),
        ([operator.add], 1),
    ],
)
def test_sequences_of_modules_are_found_as_by_torchao(types, count):
    mine, expected = (found(library, types) for library in LIBRARIES)
    assert mine == expected
    assert len(mine) == count


def test_modules_alone_without_the_functions_that_do_the_same():
    """torchao does not look at include_functional_equivalent."""
    with_functions = found(ours, [nn.Conv2d, nn.BatchNorm2d, nn.ReLU])
    alone = found(ours, [nn.Conv2d, nn.BatchNorm2d, nn.ReLU], include_functional_equivalent=False)
    assert [match[2] for match in with_functions] == [["relu"], ["relu_1"]]
    assert alone == with_functions[:1]
    assert found(theirs, [nn.Conv2d, nn.BatchNorm2d, nn.ReLU], include_functional_equivalent=False) == with_functions


def test_a_filter_leaves_nodes_out():
    mine, expected = (found(library, [nn.Conv2d, nn.BatchNorm2d], filter_fn=lambda node: "1" not in node.name) for library in LIBRARIES)
    assert mine == expected


@pytest.mark.parametrize("library", LIBRARIES, ids=["ours", "torchao"])
def test_two_types_that_count_as_one_are_refused(library):
    for types in ([nn.ReLU, F.relu], [nn.Conv2d, nn.Conv2d]):
        with pytest.raises(ValueError):
            found(library, types)


def test_the_table_of_equivalents_is_torchaos_and_can_be_replaced():
    assert ours.get_equivalent_types() == theirs.get_equivalent_types()
    results = []
    for library in LIBRARIES:
        table = library.get_equivalent_types()
        with pytest.raises(ValueError):
            library.update_equivalent_types_dict(None)
        try:
            library.update_equivalent_types_dict([{nn.Conv2d, nn.BatchNorm2d}])
            results.append((found(library, [nn.Conv2d]), found(library, [nn.ReLU])))
        finally:
            library.update_equivalent_types_dict(table)
    assert results[0] == results[1]


class Loops(nn.Module):
    def forward(self, x):
        x = torch.cond(x.sum() > 0, lambda x: x.sin(), lambda x: x.cos(), (x,))
        _, x = while_loop(lambda i, y: i > 0, lambda i, y: (i - 1, y.exp()), (torch.tensor(2), x))
        return scan(lambda carried, row: (carried + row, carried.neg()), x[0], x, dim=0)


def test_every_node_is_visited_and_those_of_bodies_after_them():
    exported = torch.export.export(Loops(), (torch.ones(2, 3),))
    for model in (exported, exported.module(check_guards=False)):
        visited = []
        for library in LIBRARIES:
            names = []
            library.bfs_trace_with_node_process(model, lambda node: names.append((node.op, node.name, str(node.target))))
            visited.append(names)
        assert visited[0] == visited[1]
        assert {"sin", "cos", "exp", "neg"} <= {name for _, name, _ in visited[0]}


def test_producers_up_to_the_parameters():
    class Weights(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 3))

        def forward(self, x):
            return x @ (self.weight.t() * 2) + self.weight

    model = capture(Weights(), (torch.ones(2, 3)[:1].expand(3, 3).clone(),))
    for node in model.graph.nodes:
        if node.op == "output":
            continue
        mine, expected = (library.collect_producer_nodes(node) for library in LIBRARIES)
        if node.op == "placeholder":
            continue  # what it is itself made of is not asked
        assert (mine is None) == (expected is None), node
        assert mine is None or {n.name for n in mine} == {n.name for n in expected}
