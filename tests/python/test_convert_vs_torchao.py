"""The converted graph equals torchao's: same nodes, names, edges and order, qparams to the last bit."""

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from tools import ROOT, load_recipe

pytest.importorskip("torchao")
from torchao_flow import compare, export, images  # noqa: E402
from torchao.testing.pt2e._xnnpack_quantizer import (  # noqa: E402
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)


def xnnpack(**options):
    return XNNPACKQuantizer().set_global(get_symmetric_quantization_config(**options))


class Small(nn.Module):
    """Residual, concatenation, pooling, scalar add, batch norm, in-place activations."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.conv3 = nn.Conv2d(16, 8, 1)
        self.linear = nn.Linear(8, 5)
        self.linear2 = nn.Linear(5, 4)
        self.bn2 = nn.BatchNorm1d(4)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.hardtanh(self.conv2(x), 0.0, 6.0, inplace=True)
        z = torch.cat([x, y], 1)
        z = self.conv3(z) + x
        z = F.max_pool2d(z, 2)
        z = F.adaptive_avg_pool2d(z * 2.0, 1).flatten(1)
        return self.bn2(self.linear2(F.relu(self.linear(z)))), z.mean(1)


def randomized(model):
    """Batch-norm statistics that change something."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator) * 0.3)
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
            module.weight.data.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
            module.bias.data.copy_(torch.randn(module.num_features, generator=generator) * 0.1)
    return model.eval()


@pytest.mark.parametrize("per_channel", [False, True])
def test_small_network_converts_to_the_same_graph(tmp_path, per_channel):
    options = ["--per-channel"] if per_channel else []
    batches = images((2, 3, 8, 8))
    quantizer = xnnpack(is_per_channel=per_channel)
    compare(tmp_path, export(tmp_path, randomized(Small()), batches[0]), batches, options, quantizer)


def test_dynamic_quantization_converts_to_the_same_graph(tmp_path):
    batches = images((2, 3, 8, 8))
    path = export(tmp_path, randomized(Small()), batches[0])
    options = ["--per-channel", "--dynamic"]
    compare(tmp_path, path, batches, options, xnnpack(is_per_channel=True, is_dynamic=True))


@pytest.mark.parametrize(
    "network, annotators",
    [
        ("conv_with_obs_sharing_ops", "linear,conv,adaptive_avg_pool2d"),
        ("conv_with_shared_dq", "linear,conv,add"),
        ("conv_with_shared_dq", "linear,conv"),
        ("different_qconfig", "conv,add,adaptive_avg_pool2d"),
    ],
)
def test_seed_scenarios_convert_to_the_same_graph(tmp_path, network, annotators):
    from torchao.quantization.pt2e.quantizer import Quantizer
    from torchao.testing.pt2e._xnnpack_quantizer_utils import OP_TO_ANNOTATOR

    class BackendAQuantizer(Quantizer):
        def annotate(self, gm):
            config = get_symmetric_quantization_config(is_per_channel=True)
            for name in annotators.split(","):
                OP_TO_ANNOTATOR[name](gm, config)

        def validate(self, model):
            pass

    compare(
        tmp_path,
        str(ROOT / "tests" / "e2e" / "data" / f"{network}.pt2"),
        images((1, 3, 5, 7)),
        ["--per-channel", "--annotators", annotators],
        BackendAQuantizer(),
    )


@pytest.mark.parametrize("name", ["resnet_cifar", "mobilenet_v2", "minilm_plain", "tiny_gpt", "crepe_tiny"])
def test_recipe_converts_to_the_same_graph(tmp_path, name):
    model, inputs = load_recipe(name)
    inputs = tuple(inputs)
    quantizer = xnnpack(is_per_channel=True)
    compare(tmp_path, export(tmp_path, model, inputs), [inputs], ["--per-channel"], quantizer)
