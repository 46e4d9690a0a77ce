"""The core's passes as torch.fx passes."""

from __future__ import annotations

import torch
from torch.fx.passes.infra.pass_base import PassBase, PassResult

import qdq

from ._bridge.annotations import carry_annotations
from ._bridge.graphs import Crossing


class CorePass(PassBase):
    """Runs one of the core's passes on a GraphModule, in place."""

    _name = ""

    def call(self, graph_module: torch.fx.GraphModule) -> PassResult:
        crossing = Crossing(graph_module)
        carry_annotations(crossing)
        changes = qdq.run_pass(crossing.program, self._name)
        crossing.put_back(crossing.program.graph, crossing.program.attributes)
        graph_module.recompile()
        return PassResult(graph_module, changes > 0)
