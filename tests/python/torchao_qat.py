"""torchao's QAT passes export every one of their patterns anew on each call. Here they are made bearable for tests.

Patterns are exported once in a process, and kinds of convolution that a model does not have are not looked for. Neither
changes what the passes find.
"""

import copy
import functools

import torch
import torch.nn.functional as F

import torchao.testing.pt2e._xnnpack_quantizer_utils as annotators
from torchao.quantization.pt2e import qat_utils

_OP = {
    F.conv1d: torch.ops.aten.conv1d.default,
    F.conv2d: torch.ops.aten.conv2d.default,
    F.conv_transpose1d: torch.ops.aten.conv_transpose1d.default,
    F.conv_transpose2d: torch.ops.aten.conv_transpose2d.input,
}


def _remembering(export_pattern):
    known = {}

    def export_once(pattern, example_inputs, is_cuda=False, **kwargs):
        function = pattern.fn
        choices = [repr(cell.cell_contents) for cell in function.__closure__]
        key = (function.__qualname__, *choices, *(x.shape for x in example_inputs), *sorted(kwargs))
        if key not in known:
            known[key] = export_pattern(pattern, example_inputs, is_cuda, **kwargs)
        return copy.deepcopy(known[key])  # matchers change their pattern

    return export_once


def _for_kinds_present(helper):
    @functools.wraps(helper)
    def run(model, conv_fn, *args, **kwargs):
        if all(node.target is not _OP[conv_fn] for node in model.graph.nodes):
            return model
        return helper(model, conv_fn, *args, **kwargs)

    return run


export_pattern = _remembering(qat_utils._get_aten_graph_module_for_pattern)
qat_utils._get_aten_graph_module_for_pattern = export_pattern
annotators._get_aten_graph_module_for_pattern = export_pattern
qat_utils._fuse_conv_bn_qat_helper = _for_kinds_present(qat_utils._fuse_conv_bn_qat_helper)
qat_utils._fold_conv_bn_qat_helper = _for_kinds_present(qat_utils._fold_conv_bn_qat_helper)
