"""The quantizers besides XNNPACK's annotate as torchao's: the prepared and converted graphs are equal."""

import pytest
import torch
import torch.nn as nn

from tools import load_recipe

pytest.importorskip("torchao")
from torchao.quantization.pt2e.quantizer import (  # noqa: E402
    ComposableQuantizer,
    QuantizationAnnotation,
    QuantizationSpec,
    Quantizer,
)
from torchao.quantization.pt2e.quantizer.embedding_quantizer import EmbeddingQuantizer  # noqa: E402
from torchao.testing.pt2e._xnnpack_quantizer import (  # noqa: E402
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from torchao_flow import compare, export, images  # noqa: E402


class TextNet(nn.Module):
    """Two embeddings, a convolution over time and linears."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(50, 12)
        self.kinds = nn.Embedding(3, 12, padding_idx=0)
        self.conv = nn.Conv1d(12, 8, 3, padding=1)
        self.head = nn.Linear(8, 4)

    def forward(self, ids, kinds):
        x = self.words(ids) + self.kinds(kinds)
        x = torch.relu(self.conv(x.permute(0, 2, 1)))
        return self.head(x.mean(2))


def text_batches():
    generator = torch.Generator().manual_seed(0)
    return [
        (
            torch.randint(0, 50, (2, 9), generator=generator),
            torch.randint(0, 3, (2, 9), generator=generator),
        )
        for _ in range(3)
    ]


def test_embeddings_are_quantized_as_by_torchao(tmp_path):
    batches = text_batches()
    path = export(tmp_path, TextNet().eval(), batches[0])
    compare(tmp_path, path, batches, ["--quantizer", "embedding"], EmbeddingQuantizer())


@pytest.mark.parametrize("dynamic", [False, True])
def test_composed_quantizers_annotate_as_torchaos(tmp_path, dynamic):
    batches = text_batches()
    path = export(tmp_path, TextNet().eval(), batches[0])
    options = ["--quantizer", "embedding,xnnpack", "--per-channel"] + (["--dynamic"] if dynamic else [])
    xnnpack = XNNPACKQuantizer().set_global(
        get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic)
    )
    compare(tmp_path, path, batches, options, ComposableQuantizer([EmbeddingQuantizer(), xnnpack]))


class Branches(nn.Module):
    """Every recipe of the Inductor quantizers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.convs = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(6))
        self.acts = nn.ModuleList([nn.ReLU(), nn.Hardtanh(), nn.Hardswish(), nn.ReLU6(), nn.SiLU()])
        self.last = nn.Conv2d(16, 8, 1)
        self.avg = nn.AvgPool2d(2)
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.linears = nn.ModuleList(nn.Linear(8, 8) for _ in range(7))
        self.relu = nn.ReLU()
        self.posts = nn.ModuleList([nn.ReLU(), nn.LeakyReLU(), nn.Tanh(), nn.GELU()])

    def forward(self, x):
        x = self.pool(self.relu(self.stem(x)))
        y = self.acts[0](self.convs[0](x) + x)
        z = self.convs[1](y) + y
        for conv, act in zip(self.convs[2:], self.acts[1:]):
            z = act(conv(z))
        z = self.last(torch.cat([self.relu(self.convs[0](z)), self.relu(self.convs[1](z))], 1))
        z = torch.flatten(self.gap(self.avg(self.acts[0](z))), 1)
        u = self.relu(self.linears[0](z) + z)
        u = self.linears[1](u) + z
        for linear, post in zip(self.linears[2:], self.posts):
            u = post(linear(u))
        return self.linears[6](u * z), torch.matmul(u, z.t())


def inductor(name, **options):
    from torchao.quantization.pt2e.quantizer import arm_inductor_quantizer as arm
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86
    from torchao.quantization.pt2e.quantizer import xpu_inductor_quantizer as xpu

    quantizer, config = {
        "x86": (x86.X86InductorQuantizer, x86.get_default_x86_inductor_quantization_config),
        "arm": (arm.ArmInductorQuantizer, arm.get_default_arm_inductor_quantization_config),
        "xpu": (xpu.XPUInductorQuantizer, xpu.get_default_xpu_inductor_quantization_config),
    }[name]
    return quantizer().set_global(config(**options))


@pytest.mark.parametrize("name", ["x86", "arm", "xpu"])
def test_inductor_recipes_annotate_as_torchaos(tmp_path, name):
    batches = images((2, 3, 8, 8))
    path = export(tmp_path, Branches().eval(), batches[0])
    compare(tmp_path, path, batches, ["--quantizer", name], inductor(name))


@pytest.mark.parametrize(
    "name, options",
    [("x86", {"is_dynamic": True}), ("x86", {"reduce_range": True}), ("arm", {"is_dynamic": True})],
)
def test_inductor_configurations_are_torchaos(tmp_path, name, options):
    batches = images((2, 3, 8, 8))
    path = export(tmp_path, Branches().eval(), batches[0])
    flags = {"is_dynamic": "--dynamic", "reduce_range": "--reduce-range"}
    ours = ["--quantizer", name] + [flags[option] for option in options]
    compare(tmp_path, path, batches, ours, inductor(name, **options))


@pytest.mark.parametrize(
    "quantizer, name",
    [("x86", name) for name in ["resnet_cifar", "mobilenet_v2", "minilm_plain"]]
    + [(quantizer, name) for quantizer in ["arm", "xpu"] for name in ["resnet_cifar", "minilm_plain"]],
)
def test_inductor_quantizers_annotate_real_networks_as_torchaos(tmp_path, quantizer, name):
    model, inputs = load_recipe(name)
    inputs = tuple(inputs)
    path = export(tmp_path, model, inputs)
    compare(tmp_path, path, [inputs], ["--quantizer", quantizer], inductor(quantizer))


class WeightOnly(Quantizer):
    """Weights of linears and convolutions by one spec, with torchao's observers."""

    def __init__(self, spec):
        self.spec = spec

    def annotate(self, model):
        for node in model.graph.nodes:
            if node.target in (torch.ops.aten.linear.default, torch.ops.aten.conv2d.default):
                node.meta["quantization_annotation"] = QuantizationAnnotation(
                    input_qspec_map={node.args[1]: self.spec}, _annotated=True
                )

    def validate(self, model):
        pass


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(32, 16)
        self.second = nn.Linear(16, 8, bias=False)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


def test_int8_weights_are_quantized_as_by_torchao(tmp_path):
    from torchao.quantization.pt2e import PerChannelMinMaxObserver

    spec = QuantizationSpec(
        torch.int8, PerChannelMinMaxObserver.with_args(eps=2**-23), -127, 127, torch.per_channel_symmetric, 0
    )
    batches = [(torch.randn(4, 32),)]
    path = export(tmp_path, Mlp().eval(), batches[0])
    compare(tmp_path, path, batches, ["--quantizer", "weight_only"], WeightOnly(spec))


@pytest.mark.parametrize("bits", [4, 8])
def test_weights_in_groups_are_quantized_as_by_torchao(tmp_path, bits):
    from torchao.quantization.granularity import PerGroup
    from torchao.quantization.pt2e._affine_quantization import AffineQuantizedMinMaxObserver
    from torchao.quantization.quant_primitives import MappingType

    limit = 2 ** (bits - 1)
    observer = AffineQuantizedMinMaxObserver.with_args(
        mapping_type=MappingType.SYMMETRIC, target_dtype=torch.int8, granularity=PerGroup(8), eps=2**-23
    )
    spec = QuantizationSpec(torch.int8, observer, -limit, limit - 1)
    batches = [(torch.randn(4, 32),)]
    path = export(tmp_path, Mlp().eval(), batches[0])
    options = ["--quantizer", "weight_only", "--bits", str(bits), "--group-size", "8"]
    compare(tmp_path, path, batches, options, WeightOnly(spec))


def test_float16_weights_convert_as_torchaos():
    """Through qdq.pt2e: weights in float16, all else in float32."""
    import qdq.pt2e.quantizer.x86_inductor_quantizer as ours
    import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as theirs
    from pt2e_flow import assert_same_flow

    def quantizer(q):
        return q.X86InductorQuantizer().set_global(q.get_x86_inductor_linear_dynamic_fp16_config())

    assert_same_flow(Mlp().eval(), [(torch.randn(4, 32),)], quantizer(ours), quantizer(theirs))
