"""Networks, quantizers and data that hypothesis draws, through qdq.pt2e and through torchao: same graphs, same bits."""

import operator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

pytest.importorskip("torchao")
import qdq.pt2e.observer as our_observers  # noqa: E402
import qdq.pt2e.quantizer as our_quantizers  # noqa: E402
import qdq.pt2e.quantizer.x86_inductor_quantizer as our_x86  # noqa: E402
import qdq.pt2e.testing._xnnpack_quantizer as our_xnnpack  # noqa: E402
import torchao.quantization.pt2e.observer as their_observers  # noqa: E402
import torchao.quantization.pt2e.quantizer as their_quantizers  # noqa: E402
import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as their_x86  # noqa: E402
import torchao.testing.pt2e._xnnpack_quantizer as their_xnnpack  # noqa: E402
from pt2e_flow import assert_same_flow  # noqa: E402

# Drawn anew with each seed, the same in each run; one example takes a second or two.
examples = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
CHANNELS = 4


class Layer(nn.Module):
    """One of the kinds below on [n, 4, h, w], of the same sizes again."""

    def __init__(self, kind, bias):
        super().__init__()
        self.kind = kind
        if kind.startswith("conv"):
            groups = CHANNELS if kind == "conv_depthwise" else 1
            self.conv = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=groups, bias=bias)
        if kind in ("conv_bn", "conv_bn_relu"):
            self.bn = nn.BatchNorm2d(CHANNELS)
            self.bn.running_mean.normal_()
            self.bn.running_var.uniform_(0.5, 2)
        if kind == "linear":
            self.linear = nn.Linear(CHANNELS, CHANNELS, bias=bias)

    def forward(self, x):
        if self.kind.startswith("conv"):
            y = self.conv(x)
            y = self.bn(y) if "bn" in self.kind else y
            return torch.relu(y) if "relu" in self.kind else y
        return {
            "linear": lambda: self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
            "hardtanh": lambda: nn.functional.hardtanh(x, -1, 1),
            "pool": lambda: nn.functional.max_pool2d(x, 3, 1, 1),
            "residual": lambda: x + torch.relu(x),
            "times": lambda: x * torch.sigmoid(x),
            "add_number": lambda: x + 0.5,
            "cat": lambda: torch.cat([x[:, :2], torch.relu(x[:, 2:])], 1),
        }[self.kind]()


KINDS = ["conv", "conv_depthwise", "conv_relu", "conv_bn", "conv_bn_relu", "linear", "hardtanh", "pool", "residual", "times",
         "add_number", "cat"]  # fmt: skip


@st.composite
def networks(draw, kinds=tuple(KINDS)):
    torch.manual_seed(draw(st.integers(0, 1000)))
    layers = [Layer(draw(st.sampled_from(kinds)), draw(st.booleans())) for _ in range(draw(st.integers(1, 5)))]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS, 3)] if draw(st.booleans()) else []
    return nn.Sequential(*layers, *head).eval()


# Seed, size and kind of the values, number of batches.
DATA = st.tuples(
    st.integers(0, 1000), st.sampled_from([1.0, 1e-4, 1e3]), st.sampled_from(["normal", "positive", "constant"]), st.integers(1, 2)
)


def batches_of(seed, scale, kind, count):
    generator = torch.Generator().manual_seed(seed)

    def batch():
        values = torch.randn(2, CHANNELS, 5, 5, generator=generator) * scale
        return {"normal": values, "positive": values.abs(), "constant": torch.full_like(values, scale)}[kind]

    return [(batch(),) for _ in range(count)]


QUANTIZERS = {
    "xnnpack": lambda xnnpack, x86: xnnpack.XNNPACKQuantizer().set_global(xnnpack.get_symmetric_quantization_config()),
    "xnnpack per channel": lambda xnnpack, x86: xnnpack.XNNPACKQuantizer().set_global(
        xnnpack.get_symmetric_quantization_config(is_per_channel=True)
    ),
    "xnnpack dynamic": lambda xnnpack, x86: xnnpack.XNNPACKQuantizer().set_global(
        xnnpack.get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True)
    ),
    "x86 on linears": lambda xnnpack, x86: x86.X86InductorQuantizer().set_module_type_qconfig(
        nn.Linear, x86.get_default_x86_inductor_quantization_config()
    ),
}


@examples
@given(networks(), st.sampled_from(sorted(QUANTIZERS)), DATA, st.booleans())
def test_a_drawn_network_is_quantized_as_by_torchao(network, kind, data, fold_quantize):
    make = QUANTIZERS[kind]
    assert_same_flow(
        network,
        batches_of(*data),
        make(our_xnnpack, our_x86),
        make(their_xnnpack, their_x86),
        convert={"fold_quantize": fold_quantize},
    )


class DrawnQuantizer:
    """Annotates each call by a list of choices: specs for its inputs and its output, or sharing with a place before."""

    def __init__(self, quantizers, observers, choices):
        self.quantizers, self.choices = quantizers, choices
        spec = quantizers.QuantizationSpec
        self.specs = [
            None,
            spec(torch.int8, observers.MinMaxObserver, -128, 127, torch.per_tensor_affine),
            spec(torch.uint8, observers.HistogramObserver, 0, 255, torch.per_tensor_affine),
            spec(torch.int8, observers.MovingAverageMinMaxObserver, -127, 127, torch.per_tensor_symmetric),
            spec(torch.int16, observers.MinMaxObserver, -(2**15), 2**15 - 1, torch.per_tensor_symmetric),
        ]

    def annotate(self, model):
        choices = iter(self.choices * 100)
        places = []
        for node in model.graph.nodes:
            if node.op != "call_function" or node.target is operator.getitem:
                continue
            annotation = self.quantizers.QuantizationAnnotation(_annotated=True)
            for producer in node.all_input_nodes:
                annotation.input_qspec_map[producer] = self.choose(next(choices), places, (producer, node))
            annotation.output_qspec = self.choose(next(choices), places, node)
            annotation.allow_implicit_sharing = next(choices) % 3 != 0
            node.meta["quantization_annotation"] = annotation

    def choose(self, choice, places, here):
        """A spec, nothing, or sharing with one of the places that have a spec of their own."""
        if choice >= len(self.specs) and places:
            return self.quantizers.SharedQuantizationSpec(places[choice % len(places)])
        spec = self.specs[choice % len(self.specs)]
        if spec is not None:
            places.append(here)
        return spec


def drawn(quantizers, observers, choices):
    class Drawn(DrawnQuantizer, quantizers.Quantizer):
        def annotate(self, model):
            DrawnQuantizer.annotate(self, model)
            return model

        def validate(self, model):
            pass

    return Drawn(quantizers, observers, choices)


@examples
@given(
    networks(("conv", "conv_relu", "linear", "hardtanh", "residual", "times", "cat")),
    st.lists(st.integers(0, 7), min_size=5, max_size=25),
    DATA,
)
def test_drawn_annotations_are_followed_as_by_torchao(network, choices, data):
    assert_same_flow(
        network,
        batches_of(*data),
        drawn(our_quantizers, our_observers, choices),
        drawn(their_quantizers, their_observers, choices),
    )
