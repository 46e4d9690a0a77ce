"""Settings of the quantizers that come with qdq.pt2e, and the helpers for one's own: what is annotated, as in torchao."""

import dataclasses

import pytest
import torch
from torch import nn

pytest.importorskip("torchao")
import qdq.pt2e.observer as our_observers  # noqa: E402
import qdq.pt2e.quantize_pt2e as our_flow  # noqa: E402
import qdq.pt2e.quantizer as ours  # noqa: E402
import qdq.pt2e.quantizer.arm_inductor_quantizer as our_arm  # noqa: E402
import qdq.pt2e.quantizer.utils as our_utils  # noqa: E402
import qdq.pt2e.quantizer.x86_inductor_quantizer as our_x86  # noqa: E402
import qdq.pt2e.testing._xnnpack_quantizer as our_xnnpack  # noqa: E402
import qdq.pt2e.testing._xnnpack_quantizer_utils as our_annotators  # noqa: E402
import torchao.quantization.pt2e.observer as their_observers  # noqa: E402
import torchao.quantization.pt2e.quantize_pt2e as their_flow  # noqa: E402
import torchao.quantization.pt2e.quantizer as theirs  # noqa: E402
import torchao.quantization.pt2e.quantizer.arm_inductor_quantizer as their_arm  # noqa: E402
import torchao.quantization.pt2e.quantizer.utils as their_utils  # noqa: E402
import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as their_x86  # noqa: E402
import torchao.testing.pt2e._xnnpack_quantizer as their_xnnpack  # noqa: E402
import torchao.testing.pt2e._xnnpack_quantizer_utils as their_annotators  # noqa: E402
from graph_lines import graph_lines  # noqa: E402
from pt2e_flow import capture  # noqa: E402

ATEN = torch.ops.aten
KEY = "quantization_annotation"


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.pool = nn.MaxPool2d(2)
        self.linear = nn.Linear(4, 5)
        self.head = nn.Linear(5, 5)

    def forward(self, x):
        x = nn.functional.adaptive_avg_pool2d(self.pool(self.block(x)), 1).flatten(1)
        y = nn.functional.relu(self.linear(x))
        return torch.matmul(self.head(y), y.t())


INPUTS = (torch.zeros(2, 3, 8, 8),)


class Patterns(nn.Module):
    """Each pattern of XNNPACK's annotators, but for recurrent ones."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.transposed = nn.ConvTranspose2d(3, 3, 2)
        self.linear = nn.Linear(3, 3)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(2)

    def forward(self, x, rows):
        y = self.relu(self.conv(x))
        z = self.relu(self.conv(y) + y + x)
        z = self.relu(z * y * x)
        w = self.relu(self.transposed(z))
        return self.relu(self.linear(rows)), self.linear(rows), self.pool(w), torch.cat([x, y, x], 1)


PATTERN_INPUTS = (torch.zeros(1, 3, 4, 4), torch.zeros(2, 3))


def observer_text(constructor):
    keywords = dict(constructor.p.keywords) if hasattr(constructor, "p") else {}
    inner = keywords.pop("observer", None)
    name = (constructor.p.func if hasattr(constructor, "p") else constructor).__name__
    if name == "FusedMovingAvgObsFakeQuantize" and inner is None:
        return f"{name} {keywords} around MovingAverageMinMaxObserver"  # by default
    return f"{name} {keywords}" + (f" around {observer_text(inner)[: -len(' {}')]}" if inner is not None else "")


def spec_text(spec):
    if spec is None:
        return "None"
    if hasattr(spec, "edge_or_node"):
        return f"shared with {spec.edge_or_node}"
    fields = (spec.dtype, spec.quant_min, spec.quant_max, spec.qscheme, spec.ch_axis, spec.is_dynamic)
    return f"{fields} {observer_text(spec.observer_or_fake_quant_ctr)}"


def annotations(model):
    return {
        node.name: (
            [(producer.name, spec_text(spec)) for producer, spec in node.meta[KEY].input_qspec_map.items()],
            spec_text(node.meta[KEY].output_qspec),
            node.meta[KEY]._annotated,
        )
        for node in model.graph.nodes
        if KEY in node.meta
    }


def annotated(quantizer):
    model = capture(Network().eval(), INPUTS)
    quantizer.annotate(model)
    return annotations(model)


def x86(module, **options):
    return module.get_default_x86_inductor_quantization_config(**options)


SETTINGS = {
    "nothing": lambda q, m: q,
    "all": lambda q, m: q.set_global(x86(m)),
    "training": lambda q, m: q.set_global(x86(m, is_qat=True)),
    "half": lambda q, m: q.set_global(m.get_x86_inductor_linear_dynamic_fp16_config()),
    "matmul": lambda q, m: q.set_function_type_qconfig(torch.matmul, x86(m)),
    "functions": lambda q, m: q.set_function_type_qconfig(torch.matmul, x86(m)).set_function_type_qconfig(nn.functional.linear, x86(m)),
    "types": lambda q, m: q.set_module_type_qconfig(nn.Conv2d, x86(m)).set_module_type_qconfig(nn.MaxPool2d, x86(m)),
    "all but a type": lambda q, m: q.set_global(x86(m)).set_module_type_qconfig(nn.Linear, None),
    "a name": lambda q, m: q.set_module_name_qconfig("block", x86(m)),
    "inner names": lambda q, m: q.set_module_name_qconfig("block.0", x86(m)).set_module_name_qconfig("head", x86(m)),
    "all but a name": lambda q, m: q.set_global(x86(m)).set_module_name_qconfig("linear", None),
    "a name, then not": lambda q, m: q.set_module_name_qconfig("block", x86(m)).set_module_name_qconfig("block", None),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_of_the_x86_quantizer(setting):
    found, expected = (annotated(SETTINGS[setting](module.X86InductorQuantizer(), module)) for module in (our_x86, their_x86))
    for texts in (found, expected):  # torchao's class for a placeholder is not wrapped, ours is
        for name, (inputs, output, taken) in texts.items():
            texts[name] = ([(producer, text.replace("PlaceholderObserver {}", "PlaceholderObserver")) for producer, text in inputs], output, taken)
    assert found == expected
    assert bool(expected) == (setting != "nothing")


MIXED = {
    "training": lambda q, m: q.set_module_name_qconfig("block", x86(m)).set_module_name_qconfig("linear", x86(m, is_qat=True)),
    "run time": lambda q, m: q.set_module_name_qconfig("block", x86(m)).set_module_name_qconfig("linear", x86(m, is_dynamic=True)),
    "name and type": lambda q, m: q.set_module_name_qconfig("block", x86(m)).set_module_type_qconfig(nn.Linear, x86(m, is_dynamic=True)),
    "global and type": lambda q, m: q.set_global(x86(m)).set_module_type_qconfig(nn.Linear, x86(m, is_qat=True)),
    "no recipe": lambda q, m: q.set_function_type_qconfig(torch.sin, x86(m)),
}


@pytest.mark.parametrize("setting", MIXED)
def test_what_does_not_fit_is_skipped_with_a_warning(setting):
    results = []
    for module in (our_x86, their_x86):
        with pytest.warns(UserWarning):
            results.append(annotated(MIXED[setting](module.X86InductorQuantizer(), module)))
    assert results[0] == results[1]


KINDS = [{}, {"is_qat": True}, {"is_dynamic": True}, {"is_qat": True, "is_dynamic": True}]
CHANNELS = [{"is_per_channel": True}, {"is_per_channel": True, "is_qat": True}]
BOUNDS = {"act_qmin": 0, "act_qmax": 100, "weight_qmin": -7, "weight_qmax": 7}
CONFIGS = [
    (ours_of, theirs_of, function, options)
    for ours_of, theirs_of, function, choices in (
        (our_x86, their_x86, "get_default_x86_inductor_quantization_config", [*KINDS, {"reduce_range": True}]),
        (our_arm, their_arm, "get_default_arm_inductor_quantization_config", KINDS),
        (our_xnnpack, their_xnnpack, "get_symmetric_quantization_config", [*KINDS, *CHANNELS, BOUNDS]),
    )
    for options in choices
]


@pytest.mark.parametrize("ours_of, theirs_of, function, options", CONFIGS)
def test_configurations_are_torchaos(ours_of, theirs_of, function, options):
    mine, expected = (getattr(module, function)(**options) for module in (ours_of, theirs_of))
    for role in ("input_activation", "output_activation", "weight", "bias"):
        assert spec_text(getattr(mine, role)) == spec_text(getattr(expected, role)), role
    assert mine.is_qat == expected.is_qat
    assert (mine.input_activation is mine.output_activation) == (expected.input_activation is expected.output_activation)
    assert getattr(ours_of, function)(**options) is mine  # built once


@pytest.mark.parametrize("name", ["linear", "linear_relu", "conv", "conv_relu", "adaptive_avg_pool2d", "cat", "add", "mul"])
def test_an_annotator_without_configuration_takes_nodes_and_leaves_them_in_float(name):
    results = []
    for annotators in (our_annotators, their_annotators):
        model = capture(Network().eval(), INPUTS)
        annotators.OP_TO_ANNOTATOR[name](model, None)
        results.append(annotations(model))
    assert results[0] == results[1]


def test_the_annotators_have_torchaos_names():
    assert sorted(our_annotators.OP_TO_ANNOTATOR) == sorted(their_annotators.OP_TO_ANNOTATOR)


XNNPACK_SETTINGS = {
    "linears": lambda q, config: q.set_module_type(nn.Linear, config()),
    "a linear": lambda q, config: q.set_module_name("linear", config()),
    "one otherwise": lambda q, config: q.set_global(config()).set_module_name("linear", config(is_per_channel=True)),
    "nothing": lambda q, config: q.set_global(None),
    "not used": lambda q, config: q.set_operator_type(ATEN.linear.default, config()),
}


@pytest.mark.parametrize("setting", XNNPACK_SETTINGS)
def test_settings_of_the_xnnpack_quantizer(setting):
    found, expected = (
        annotated(XNNPACK_SETTINGS[setting](module.XNNPACKQuantizer(), module.get_symmetric_quantization_config))
        for module in (our_xnnpack, their_xnnpack)
    )
    assert found == expected
    for module in (our_xnnpack, their_xnnpack):
        with pytest.raises(AssertionError):
            module.XNNPACKQuantizer().set_module_name("linear", None)


def test_a_type_without_configuration_stays_in_float():
    lines = []
    for module, flow in ((our_xnnpack, our_flow), (their_xnnpack, their_flow)):
        quantizer = module.XNNPACKQuantizer().set_global(module.get_symmetric_quantization_config())
        prepared = flow.prepare_pt2e(capture(Network().eval(), INPUTS), quantizer.set_module_type(nn.Linear, None))
        lines.append(graph_lines(prepared))
    assert lines[0] == lines[1]
    assert any("activation_post_process" in line for line in lines[0])
    (linear,) = [line for line in lines[0] if line.startswith("linear = ")]
    assert "linear_weight" in linear and "linear_bias" in linear


def test_every_annotator_annotates_as_torchaos():
    for name in our_annotators.OP_TO_ANNOTATOR:
        results = []
        for module, annotators in ((our_xnnpack, our_annotators), (their_xnnpack, their_annotators)):
            model = capture(Patterns().eval(), PATTERN_INPUTS)
            partitions = annotators.OP_TO_ANNOTATOR[name](model, module.get_symmetric_quantization_config())
            results.append((annotations(model), [partition[0].name for partition in partitions or []]))
        assert results[0] == results[1], name


def test_both_inputs_of_a_gru_are_observed():
    """torchao's second annotation takes the place of the first, and the weights of the partition are marked."""

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(3, 3)

        def forward(self, x, state):
            return self.gru(x, state)

    model = capture(Recurrent().eval(), (torch.zeros(2, 1, 3), torch.zeros(1, 1, 3)))
    our_annotators.OP_TO_ANNOTATOR["gru_io_only"](model, our_xnnpack.get_symmetric_quantization_config())
    found = annotations(model)
    (inputs, output, _) = found["gru"]
    assert [name for name, _ in inputs] == ["x", "state"] and output == "None"
    assert all("HistogramObserver" in found[name][1] for name in ("getitem", "getitem_1"))


def test_module_names_and_types_find_convolutions_too():
    """torchao asks the weights for their module as well, and export notes none for them."""
    config = our_xnnpack.get_symmetric_quantization_config()
    for quantizer in (
        our_xnnpack.XNNPACKQuantizer().set_module_name("block.0", config),
        our_xnnpack.XNNPACKQuantizer().set_module_type(nn.Conv2d, config),
    ):
        assert len(annotated(quantizer)["conv2d"][0]) == 3


def test_specs_are_equal_frozen_and_checked_as_torchaos():
    for q, o in ((ours, our_observers), (theirs, their_observers)):
        spec = q.QuantizationSpec(torch.int8, o.MinMaxObserver)
        assert spec == q.QuantizationSpec(torch.int8, o.MinMaxObserver) != q.QuantizationSpec(torch.uint8, o.MinMaxObserver)
        with pytest.raises(dataclasses.FrozenInstanceError):
            spec.dtype = torch.uint8
        for wrong in ({"quant_min": 5, "quant_max": 1}, {"ch_axis": -1}):
            with pytest.raises(ValueError):
                q.QuantizationSpec(torch.int8, o.MinMaxObserver, **wrong)
    for name in ("QuantizationSpec", "FixedQParamsQuantizationSpec", "SharedQuantizationSpec", "DerivedQuantizationSpec", "QuantizationAnnotation"):
        fields = [[(field.name, field.default) for field in dataclasses.fields(getattr(q, name))] for q in (ours, theirs)]
        assert fields[0] == fields[1], name


def outcome(call):
    try:
        return call()
    except (ValueError, AssertionError) as error:
        return type(error).__name__ if type(error) in (ValueError, AssertionError) else ValueError.__name__


@pytest.mark.parametrize("function", ["get_input_act_qspec", "get_output_act_qspec", "get_weight_qspec", "get_bias_qspec"])
def test_the_specs_of_roles_are_asked_for_as_in_torchao(function):
    schemes = [None, torch.per_tensor_affine, torch.per_tensor_symmetric, torch.per_channel_symmetric, torch.per_channel_affine]
    results = []
    for q, utils, o in ((ours, our_utils, our_observers), (theirs, their_utils, their_observers)):
        found = [getattr(utils, function)(None)]
        for qscheme in schemes:
            for dtype in (torch.int8, torch.float):
                spec = q.QuantizationSpec(dtype, o.MinMaxObserver, qscheme=qscheme)
                config = q.QuantizationConfig(spec, spec, spec, spec) if hasattr(q, "QuantizationConfig") else utils.QuantizationConfig(spec, spec, spec, spec)
                found.append(outcome(lambda: getattr(utils, function)(config) is spec))
        results.append(found)
    assert results[0] == results[1]
    assert True in results[0]


def test_a_filter_by_module_name_accepts_the_module_and_what_is_inside():
    model = capture(Network().eval(), INPUTS)
    for name in ("block", "block.0", "block.1", "blo", "0", "", "head"):
        accepts = [utils.get_module_name_filter(name) for utils in (our_utils, their_utils)]
        found, expected = ([node.name for node in model.graph.nodes if accept(node)] for accept in accepts)
        assert found == expected, name


def test_what_counts_as_an_annotation():
    for q, utils in ((ours, our_utils), (theirs, their_utils)):
        node = next(node for node in capture(Network().eval(), INPUTS).graph.nodes if node.target is ATEN.linear.default)
        is_valid = getattr(utils, "is_valid_annotation", None) or q.utils.is_valid_annotation
        assert not is_valid(None) and not is_valid(q.QuantizationAnnotation())
        utils.annotate_input_qspec_map(node, node.args[0], None)
        assert is_valid(node.meta[KEY]) and not node.meta[KEY]._annotated
        utils.annotate_output_qspec(node, "spec")
        assert node.meta[KEY].output_qspec == "spec" and list(node.meta[KEY].input_qspec_map) == [node.args[0]]


def removed(model):
    for node in model.graph.nodes:
        node.meta.pop(KEY, None)


def replaced(model):
    for node in model.graph.nodes:
        if KEY in node.meta:
            node.meta[KEY] = type(node.meta[KEY])(_annotated=True)


def edited(model):
    for node in model.graph.nodes:
        if KEY in node.meta:
            node.meta[KEY].allow_implicit_sharing = False


@pytest.mark.parametrize("second", [removed, replaced, edited], ids=lambda rule: rule.__name__)
def test_a_composed_quantizer_notices_what_torchaos_notices(second):
    results = []
    for q, module in ((ours, our_xnnpack), (theirs, their_xnnpack)):

        class Second(q.Quantizer):
            def annotate(self, model):
                second(model)

            def validate(self, model):
                pass

        first = module.XNNPACKQuantizer().set_global(module.get_symmetric_quantization_config())
        try:
            q.ComposableQuantizer([first, Second()]).annotate(capture(Network().eval(), INPUTS))
            results.append("taken")
        except RuntimeError as error:
            assert "Second" in str(error)
            results.append("refused")
    assert results == ["taken" if second is edited else "refused"] * 2
