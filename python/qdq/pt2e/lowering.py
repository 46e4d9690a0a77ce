"""A converted model made ready for PyTorch's Inductor on x86: quantized ops become calls of torch.ops.onednn."""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import GraphModule

__all__ = ["lower_pt2e_quantized_to_x86"]


def lower_pt2e_quantized_to_x86(model: GraphModule, example_inputs: tuple[Any, ...]) -> GraphModule:
    """model: of convert_pt2e with an X86InductorQuantizer; example_inputs: one of the batches that it takes.

    Returns a new GraphModule whose quantized linears and convolutions are onednn's, with packed weights. The patterns are
    Inductor's, which has no public way to ask for them alone: this function goes with the torch that it was tested with.
    """
    from torch._inductor.constant_folding import constant_fold
    from torch._inductor.fx_passes.freezing_patterns import freezing_passes

    composite = {
        op: decomposition
        for op, decomposition in torch.export.default_decompositions().items()
        if torch._export.utils._is_cia_op(op)
    }
    lowered = torch.export.export(model, example_inputs, strict=True).run_decompositions(composite).module()
    _transposes_to_permutes(lowered)
    freezing_passes(lowered, example_inputs)
    constant_fold(lowered)
    return lowered


def _transposes_to_permutes(model: GraphModule) -> None:
    """The form in which Inductor's patterns have the weight of a linear."""
    graph = model.graph
    for node in graph.find_nodes(op="call_function", target=torch.ops.aten.t.default):
        with graph.inserting_before(node):
            permuted = graph.call_function(torch.ops.aten.permute.default, (node.args[0], [1, 0]))
        permuted.meta = dict(node.meta)
        node.replace_all_uses_with(permuted)
        graph.erase_node(node)
    model.recompile()
