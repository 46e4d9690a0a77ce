"""A GraphModule's graph to the core and the core's result back into the same graph.

    crossing = Crossing(gm)          # crossing.program: the core's program; tensors shared, names kept
    qdq.run_pass(crossing.program, "duplicate_dq")
    crossing.put_back(crossing.program.graph, crossing.program.attributes)

Nodes that the core leaves alone stay the same fx nodes, with their metadata. What the core changed, added, renamed, moved or
removed is changed, added, renamed, moved or removed in fx.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

import qdq
from qdq import Attribute, AttributeKind, Graph, InputKind, InputSpec, Node, OutputKind, OutputSpec, Program

from .. import _ops  # noqa: F401  defines operators that targets may name
from .arguments import ArgumentTable
from .metadata import ANNOTATION_KEY, MetadataTable, fake_mode_of, fake_tensor_of, value_type
from .modules import delete_attribute, get_attribute, set_attribute
from .targets import target_from_text, target_text
from .tensors import core_tensor, torch_tensor

# Calls that the core must not take for its own: modules that are no observers, methods, bodies of control flow.
_FOREIGN = "python."


class Crossing:
    """One trip of a GraphModule's graph to the core and back.

    is_observer: says which call_module nodes are observers; the others are carried and left alone.
    """

    def __init__(self, gm: torch.fx.GraphModule, is_observer: Callable[[torch.nn.Module], bool] | None = None) -> None:
        self.gm = gm
        self.program = Program()
        self.core_of: dict[torch.fx.Node, Node] = {}
        self.fx_of: dict[Node, torch.fx.Node] = {}
        self._is_observer = is_observer
        self._meta = MetadataTable()
        self._arguments = ArgumentTable()
        self._tensors: dict[str, tuple[int, tuple[int, ...]]] = {}  # address and sizes of what was carried
        self._carry()
        self._state = qdq._core._GraphState(self.program.graph)  # as it was when fx had the same

    # To the core.

    def _carry(self) -> None:
        graph = self.program.graph
        for node in self.gm.graph.nodes:
            core = self._carry_node(graph, node)
            self.core_of[node] = core
            self.fx_of[core] = node
            if "val" in node.meta:
                core.value_type = value_type(node.meta["val"])
            text = self._meta.text
            core._set_metadata([(key, text(key, value)) for key, value in node.meta.items() if key != ANNOTATION_KEY])
        # Names that fx gave away earlier stay taken.
        live = {node.name for node in self.gm.graph.nodes}
        for name in sorted(self.gm.graph._graph_namespace._used_names - live, key=lambda name: (len(name), name)):
            graph.reserve_name(name)
        self.program.inputs = [
            InputSpec(InputKind.user_input, node.name) for node in graph.nodes if node.op == "placeholder"
        ]
        self.program.outputs = [OutputSpec(OutputKind.user_output)]

    def _carry_node(self, graph: Graph, node: torch.fx.Node) -> Node:
        if node.op == "placeholder":
            return graph.create_node("placeholder", str(node.target), [], name=node.name)
        if node.op == "output":
            results = self._arguments.to_core(node.args[0], self.core_of)
            return graph.create_node("output", "output", [[results]], name=node.name)
        if node.op == "get_attr" and self._carry_tensor(str(node.target)):
            return graph.create_node("get_attr", str(node.target), [], name=node.name)
        op, target = "call_function", f"{_FOREIGN}{node.op}.{node.target}"
        if node.op == "call_function":
            target = target_text(node.target)
        elif node.op == "call_module" and self._is_observer and self._is_observer(self.gm.get_submodule(node.target)):
            op, target = "call_module", node.target
        args = [self._arguments.to_core(argument, self.core_of) for argument in node.args]
        kwargs = {key: self._arguments.to_core(value, self.core_of) for key, value in node.kwargs.items()}
        return graph.create_node(op, target, args, kwargs, node.name)

    def _carry_tensor(self, target: str) -> bool:
        if target in self._tensors:
            return True
        path, _, name = target.rpartition(".")
        owner = get_attribute(self.gm, path)
        value = owner._parameters.get(name)  # most are
        if value is None:
            value = getattr(owner, name)
        if not isinstance(value, torch.Tensor) or is_traceable_wrapper_subclass(value):
            return False  # a wrapper of other tensors has no bytes of its own
        if value.layout is not torch.strided:
            return False
        kind = AttributeKind.buffer if name in owner._buffers else AttributeKind.constant
        if isinstance(value, torch.nn.Parameter):
            kind = AttributeKind.parameter
        tensor = core_tensor(value)
        self.program.add_attribute(target, kind, tensor, True, value.requires_grad)
        self._tensors[target] = (0 if tensor.is_meta else tensor.data_ptr, tuple(tensor.shape))
        return True

    def core_node(self, node: torch.fx.Node) -> Node:
        """The core's node. A copied graph has annotations that name the nodes of its original: they are found by name.

        Raises LookupError for a node that is not in the graph.
        """
        core = self.core_of.get(node)
        if core is None and node.graph is not self.gm.graph:
            core = self.program.graph.find(node.name)
        if core is None:
            raise LookupError(node.name)
        return core

    def set_meta(self, node: torch.fx.Node, key: str, value: Any) -> None:
        """Gives a core node metadata that the fx node does not have."""
        self.core_of[node].meta[key] = self._meta.text(key, value)

    # And back.

    def put_back(self, graph: Graph, attributes: Iterable[Attribute], keep_tensors: bool = False) -> bool:
        """Makes the GraphModule's graph and tensors those of the core, in place. Does not recompile.

        keep_tensors: those that the core has dropped stay. Returns whether nodes came, went or changed their arguments.
        """
        nodes = graph.nodes
        calls, metadata, places = self._state.changes()
        alive = {self.fx_of[node] for node in nodes if node in self.fx_of}
        self._put_tensors(attributes, keep_tensors)
        dead = [node for node in self.gm.graph.nodes if node not in alive]
        self._changed = False
        new = self._put_nodes(nodes, alive)
        self._changed |= bool(dead or new)
        for node in calls:
            self._put_call(node, self.fx_of[node])
        for node in reversed(dead):
            self.gm.graph.erase_node(node)
        for node in metadata:
            self._put_metadata(node, self.fx_of[node])
        # torch.fx moves a node to the end of the users of whatever it reads when its arguments are set.
        read = [producer for node in (*calls, *new) for producer in node.all_input_nodes]
        self._put_names_and_users([*places, *new, *read])
        self._state = qdq._core._GraphState(graph)
        return self._changed

    def _put_tensors(self, attributes: Iterable[Attribute], keep_tensors: bool) -> None:
        present = set()
        for attribute in attributes:
            present.add(attribute.name)
            tensor = attribute.value
            if tensor is None or (tensor.is_meta and attribute.name in self._tensors):
                continue
            identity = (0 if tensor.is_meta else tensor.data_ptr, tuple(tensor.shape))
            if self._tensors.get(attribute.name) != identity:
                set_attribute(self.gm, attribute.name, torch_tensor(tensor), attribute.kind, attribute.requires_grad)
                self._tensors[attribute.name] = identity
        if not keep_tensors:
            for name in self._tensors.keys() - present:
                delete_attribute(self.gm, name)

    def _put_nodes(self, nodes: list[Node], alive: set[torch.fx.Node]) -> list[Node]:
        """Puts fx's nodes into the core's order and creates those that are new. Returns the new ones."""
        following: Iterator[torch.fx.Node] = iter([node for node in self.gm.graph.nodes if node in alive])
        cursor = next(following)
        moved: set[torch.fx.Node] = set()
        new = []
        for node in nodes:
            fx_node = self.fx_of.get(node)
            if fx_node is None:
                self._create(node, cursor)
                new.append(node)
            elif fx_node is cursor:
                cursor = next((other for other in following if other not in moved), cursor)
            else:
                cursor.prepend(fx_node)
                moved.add(fx_node)
                self._changed = True
        return new

    def _create(self, node: Node, before: torch.fx.Node) -> None:
        graph = self.gm.graph
        target: Any = target_from_text(node.target) if node.op == "call_function" else node.target
        args = tuple(self._torch_argument(argument, None) for argument in node.args)
        kwargs = {key: self._torch_argument(value, None) for key, value in node.kwargs.items()}
        with graph.inserting_before(before):
            fx_node = graph.create_node(node.op, target, args, kwargs, name=node.name)
        if fx_node.name != node.name:  # the name of a node that goes away: not this one's for good
            graph._graph_namespace._used_names.discard(fx_node.name)
        self.core_of[fx_node] = node
        self.fx_of[node] = fx_node
        for key, text in node.meta.items():
            fx_node.meta[key] = self._meta.value(text)
        if self._is_observer is None and "val" not in fx_node.meta:  # convert's new nodes have no value
            self._give_value(fx_node)

    def _give_value(self, fx_node: torch.fx.Node) -> None:
        mode = fake_mode_of(self.gm.graph)
        if mode is None:
            return
        if fx_node.op == "get_attr":
            fx_node.meta["val"] = fake_tensor_of(get_attribute(self.gm, fx_node.target), mode)
        elif fx_node.op == "call_function" and all("val" in node.meta for node in fx_node.all_input_nodes):
            args, kwargs = torch.fx.map_arg((fx_node.args, fx_node.kwargs), lambda node: node.meta["val"])
            with mode, torch.no_grad():
                fx_node.meta["val"] = fx_node.target(*args, **kwargs)

    def _torch_argument(self, argument: Any, old: Any) -> Any:
        return self._arguments.to_torch(argument, old, self.fx_of.__getitem__)

    def _put_call(self, node: Node, fx_node: torch.fx.Node) -> None:
        if node.op == "output":
            (wrapped,) = node.args
            assert isinstance(wrapped, list)
            results = self._torch_argument(wrapped[0], fx_node.args[0])
            if results != fx_node.args[0]:
                fx_node.args = (results,)
                self._changed = True
            return
        old = fx_node.args
        args = tuple(
            self._torch_argument(argument, old[i] if i < len(old) else None) for i, argument in enumerate(node.args)
        )
        if args != old:
            fx_node.args = args
            self._changed = True
        kwargs = {key: self._torch_argument(value, fx_node.kwargs.get(key)) for key, value in node.kwargs.items()}
        if kwargs != fx_node.kwargs:
            fx_node.kwargs = kwargs
            self._changed = True
        if node.op == "call_function" and not node.target.startswith(_FOREIGN):
            target = target_from_text(node.target)
            if target is not fx_node.target:
                fx_node.target = target
                self._changed = True

    def _put_metadata(self, node: Node, fx_node: torch.fx.Node) -> None:
        before, present = dict(self._state.metadata(node)), dict(node.meta.items())
        for key in before.keys() - present.keys():
            fx_node.meta.pop(key, None)
        for key, text in present.items():
            if before.get(key) != text:
                fx_node.meta[key] = self._meta.value(text)

    def _put_names_and_users(self, nodes: list[Node]) -> None:
        namespace = self.gm.graph._graph_namespace
        for node in nodes:
            fx_node = self.fx_of[node]
            if fx_node.name != node.name:
                fx_node.name = node.name
                namespace._used_names.add(node.name)
            users = [self.fx_of[user] for user in node.users]
            if list(fx_node.users) != users:
                fx_node.users.clear()
                fx_node.users.update(dict.fromkeys(users))
