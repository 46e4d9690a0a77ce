"""qdq.pt2e against torchao.quantization.pt2e, live: graphs, names, numbers."""

import pytest
import torch
from torch import nn

from tools import load_recipe

pytest.importorskip("torchao")
import qdq.pt2e.quantizer as ours  # noqa: E402
import qdq.pt2e.quantizer.x86_inductor_quantizer as our_x86  # noqa: E402
import qdq.pt2e.testing._xnnpack_quantizer as our_xnnpack  # noqa: E402
import torchao.quantization.pt2e.quantizer as theirs  # noqa: E402
import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as their_x86  # noqa: E402
import torchao.testing.pt2e._xnnpack_quantizer as their_xnnpack  # noqa: E402
from pt2e_flow import assert_same_flow  # noqa: E402


def xnnpack(module, **options):
    return module.XNNPACKQuantizer().set_global(module.get_symmetric_quantization_config(**options))


def x86(module, **options):
    quantizer = module.X86InductorQuantizer()
    return quantizer.set_global(module.get_default_x86_inductor_quantization_config(**options))


def batches_like(inputs, n=2):
    generator = torch.Generator().manual_seed(0)

    def like(value):
        if value.is_floating_point():
            return torch.randn(value.shape, generator=generator)
        return value

    return [tuple(like(value) for value in inputs) for _ in range(n)]


@pytest.mark.parametrize("recipe", ["mobilenet_v2", "resnet_cifar", "minilm_plain"])
@pytest.mark.parametrize("kind", ["xnnpack", "xnnpack_per_channel", "x86"])
def test_a_network_is_quantized_as_by_torchao(recipe, kind):
    model, inputs = load_recipe(recipe)[:2]
    make = {
        "xnnpack": lambda mine: xnnpack(our_xnnpack if mine else their_xnnpack),
        "xnnpack_per_channel": lambda mine: xnnpack(our_xnnpack if mine else their_xnnpack, is_per_channel=True),
        "x86": lambda mine: x86(our_x86 if mine else their_x86),
    }[kind]
    assert_same_flow(model.eval(), batches_like(inputs), make(True), make(False))
