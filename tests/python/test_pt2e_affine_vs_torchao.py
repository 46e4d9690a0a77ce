"""Specs with affine observers (blocks of weights, tokens of activations) go through qdq.pt2e as through torchao."""

import pytest
import torch
from torch import nn

pytest.importorskip("torchao")
import qdq.pt2e._affine_quantization as ours  # noqa: E402
import qdq.pt2e.quantizer as our_quantizers  # noqa: E402
import torchao.quantization.pt2e._affine_quantization as theirs  # noqa: E402
import torchao.quantization.pt2e.quantizer as their_quantizers  # noqa: E402
from pt2e_flow import assert_same_flow  # noqa: E402
from torchao.quantization.granularity import PerAxis, PerBlock, PerGroup, PerRow, PerTensor, PerToken  # noqa: E402
from torchao.quantization.quant_primitives import MappingType  # noqa: E402


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(32, 16)
        self.second = nn.Linear(16, 8, bias=False)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


def batches():
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(2, 4, 32, generator=generator),) for _ in range(2)]


def quantizer(q, observers, weight=None, activation=None):
    """`weight` and `activation`: (observer's class name, its arguments, is_dynamic)."""

    def spec(kind, arguments, is_dynamic=False):
        observer = getattr(observers, kind).with_args(**arguments)
        return q.QuantizationSpec(torch.int8, observer, -127, 127, is_dynamic=is_dynamic)

    class Linears(q.Quantizer):
        def annotate(self, model):
            for node in model.graph.nodes:
                if node.target != torch.ops.aten.linear.default:
                    continue
                specs = {node.args[0]: activation and spec(*activation), node.args[1]: weight and spec(*weight)}
                specs = {place: chosen for place, chosen in specs.items() if chosen}
                node.meta["quantization_annotation"] = q.QuantizationAnnotation(specs, _annotated=True)

        def validate(self, model):
            pass

    return Linears()


def arguments(granularity, mapping=MappingType.SYMMETRIC, **more):
    return dict(mapping_type=mapping, target_dtype=torch.int8, granularity=granularity, eps=2**-20, **more)


WEIGHTS = {
    "per tensor": arguments(PerTensor()),
    "per channel": arguments(PerAxis(0)),
    "per row": arguments(PerRow()),
    "per group": arguments(PerGroup(8)),
    "per block": arguments(PerBlock([4, 8])),
    "per group, asymmetric": arguments(PerGroup(16), MappingType.ASYMMETRIC),
    "per group, without clipping": arguments(PerGroup(8), MappingType.SYMMETRIC_NO_CLIPPING_ERR),
    "per channel, zero points as int32": arguments(PerAxis(0), MappingType.ASYMMETRIC, zero_point_dtype=torch.int32),
}


def same(**specs):
    assert_same_flow(
        Mlp().eval(),
        batches(),
        quantizer(our_quantizers, ours, **specs),
        quantizer(their_quantizers, theirs, **specs),
    )


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_in_blocks(name):
    same(weight=("AffineQuantizedMinMaxObserver", WEIGHTS[name]))


@pytest.mark.parametrize("mapping", list(MappingType))
@pytest.mark.parametrize("granularity", [PerTensor(), PerToken()], ids=["per tensor", "per token"])
def test_activations_at_run_time(granularity, mapping):
    same(activation=("AffineQuantizedPlaceholderObserver", arguments(granularity, mapping), True))


def test_tokens_at_run_time_and_weights_in_groups():
    same(
        weight=("AffineQuantizedMinMaxObserver", arguments(PerGroup(8))),
        activation=("AffineQuantizedPlaceholderObserver", arguments(PerToken(), MappingType.ASYMMETRIC), True),
    )


@pytest.mark.parametrize("mapping", list(MappingType))
def test_activations_with_a_moving_average(mapping):
    kind = "AffineQuantizedMovingAverageMinMaxObserver"
    same(activation=(kind, arguments(PerTensor(), mapping, averaging_constant=0.1)))
