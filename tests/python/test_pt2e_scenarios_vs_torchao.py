"""Less common ways through qdq.pt2e, each beside torchao: rewritten, traced and nested models, mutated buffers, other dtypes,
observers of one's own, graphs that users edit in between, metadata."""

import copy

import pytest
import torch
from torch import nn

pytest.importorskip("torchao")
import qdq.pt2e  # noqa: E402
import qdq.pt2e.fake_quantize as our_fakes  # noqa: E402
import qdq.pt2e.observer as our_observers  # noqa: E402
import qdq.pt2e.quantize_pt2e as our_flow  # noqa: E402
import qdq.pt2e.quantizer as our_quantizers  # noqa: E402
import qdq.pt2e.testing._xnnpack_quantizer as our_xnnpack  # noqa: E402
import torchao.quantization.pt2e  # noqa: E402
import torchao.quantization.pt2e.fake_quantize as their_fakes  # noqa: E402
import torchao.quantization.pt2e.observer as their_observers  # noqa: E402
import torchao.quantization.pt2e.quantize_pt2e as their_flow  # noqa: E402
import torchao.quantization.pt2e.quantizer as their_quantizers  # noqa: E402
import torchao.testing.pt2e._xnnpack_quantizer as their_xnnpack  # noqa: E402
import torchao_qat  # noqa: E402, F401
from graph_lines import graph_lines  # noqa: E402
from pt2e_flow import assert_same_module, capture, flat  # noqa: E402

ATEN = torch.ops.aten
KEY = "quantization_annotation"


class Library:
    """One of the two, under the same names."""

    def __init__(self, package, flow, quantizers, observers, fakes, xnnpack):
        self.package, self.flow, self.q, self.o, self.f = package, flow, quantizers, observers, fakes
        self.xnnpack = xnnpack

    def spec(self, dtype=torch.uint8, low=0, high=255, kind="MinMaxObserver", qscheme=torch.per_tensor_affine, **options):
        return self.q.QuantizationSpec(dtype, getattr(self.o, kind), low, high, qscheme, **options)

    def annotate(self, node, inputs, output=None):
        node.meta[KEY] = self.q.QuantizationAnnotation(inputs, output, _annotated=True)

    def quantizer(self, annotate, **methods):
        class Custom(self.q.Quantizer):
            def annotate(self, model):
                annotate(model)
                return model

            def validate(self, model):
                pass

        for name, method in methods.items():
            setattr(Custom, name, method)
        return Custom()


OURS = Library(qdq.pt2e, our_flow, our_quantizers, our_observers, our_fakes, our_xnnpack)
THEIRS = Library(torchao.quantization.pt2e, their_flow, their_quantizers, their_observers, their_fakes, their_xnnpack)


def data(*sizes, seed=0, dtype=torch.float32):
    return torch.randn(sizes, generator=torch.Generator().manual_seed(seed)).to(dtype)


def nodes_of(model, *targets):
    return [node for node in model.graph.nodes if node.target in targets]


def every_call(library, spec, *targets):
    """Annotates the tensors that calls of these targets read, and what they return."""

    def annotate(model):
        for node in nodes_of(model, *targets):
            inputs = {argument: spec for argument in node.args if isinstance(argument, torch.fx.Node)}
            library.annotate(node, inputs, spec)

    return library.quantizer(annotate)


def assert_same(model, inputs, make, edit=None, lines=True, **options):
    """make(library) is the quantizer, edit(model) what the user does to the calibrated model; lines: compare the prepared graphs
    too. Returns our converted model."""
    exported = capture(model, inputs, **options) if not isinstance(model, torch.fx.GraphModule) else model
    results = []
    for library, graph_module in ((OURS, exported), (THEIRS, copy.deepcopy(exported))):
        prepared = library.flow.prepare_pt2e(graph_module, make(library))
        prepared_lines = graph_lines(prepared)
        with torch.no_grad():
            observed = flat(prepared(*inputs))
            if edit is not None:
                edit(prepared)
            converted = library.flow.convert_pt2e(prepared)
            results.append((prepared_lines, observed, converted, flat(converted(*inputs))))
    (mine, observed, converted, values), (theirs, other_observed, expected, other_values) = results
    assert mine == theirs or not lines
    assert_same_module(converted, expected)
    for value, other in zip(observed + values, other_observed + other_values, strict=True):
        assert torch.equal(value, other)
    return converted


class Times(nn.Module):
    def forward(self, x, y):
        return torch.add(x * 2, y)


def test_a_quantizer_may_return_another_graph_module():
    def additions_become_products(self, model):
        class Rewrite(torch.fx.Transformer):
            def call_function(self, target, args, kwargs):
                return super().call_function(ATEN.mul.Tensor if target is ATEN.add.Tensor else target, args, kwargs)

        return Rewrite(model).transform()

    def make(library):
        quantizer = every_call(library, library.spec(), ATEN.mul.Tensor)
        type(quantizer).transform_for_annotation = additions_become_products
        return quantizer

    converted = assert_same(Times(), (data(3), data(3, seed=1)), make)
    assert not nodes_of(converted, ATEN.add.Tensor)


def test_a_traced_model_without_values_has_no_observers_of_outputs():
    traced = torch.fx.symbolic_trace(Times())
    converted = assert_same(traced, (data(3), data(3, seed=1)), lambda library: every_call(library, library.spec(), torch.add))
    (add,) = nodes_of(converted, torch.add)
    assert [user.op for user in add.users] == ["output"]


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.block = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.linear = nn.Linear(6, 3)

    def forward(self, x):
        return self.linear(self.block(x))


def test_a_part_that_was_trained_quantized_may_be_part_of_another_model():
    inputs = (data(2, 3, 8, 8),)
    results = []
    for library in (OURS, THEIRS):
        model = Nested().train()
        config = library.xnnpack.get_symmetric_quantization_config(is_per_channel=True, is_qat=True)
        block = library.flow.prepare_qat_pt2e(capture(model.block, inputs), library.xnnpack.XNNPACKQuantizer().set_global(config))
        model.block = block
        for _ in range(3):
            model(*inputs)
        library.package.move_exported_model_to_eval(block)
        model.block = library.flow.convert_pt2e(block)
        config = library.xnnpack.get_symmetric_quantization_config()
        quantizer = library.xnnpack.XNNPACKQuantizer().set_module_type(nn.Linear, config)
        prepared = library.flow.prepare_pt2e(capture(model, inputs), quantizer)
        prepared(*inputs)
        results.append(library.flow.convert_pt2e(prepared))
    assert_same_module(*results)
    assert sum("quantize_per_channel" in str(node.target) for node in results[0].graph.nodes) == 1


def test_who_ignores_what_is_returned_finds_all_in_the_model_that_was_given():
    inputs = (data(2, 3, 8, 8),)
    exported = capture(Nested().eval(), inputs)
    graph = exported.graph
    exported.meta["a note"] = "of the user"
    config = our_xnnpack.get_symmetric_quantization_config()
    prepared = our_flow.prepare_pt2e(exported, our_xnnpack.XNNPACKQuantizer().set_global(config))
    assert prepared.graph is exported.graph is graph
    observers = [node.target for node in graph.nodes if node.op == "call_module"]
    assert len(observers) == 5
    assert all(getattr(exported, name) is getattr(prepared, name) for name in observers)
    prepared(*inputs)
    converted = our_flow.convert_pt2e(prepared)
    assert converted.graph is graph
    for model in (prepared, converted):
        assert model.meta["a note"] == "of the user" and model.meta["dynamo_flat_name_to_original_fqn"]
    assert prepared.meta["_observed_graph_module_attrs"].is_qat is False


class TwoConvolutions(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.linear = nn.Linear(6, 5)

    def forward(self, x):
        return self.linear(self.conv(x))


def only(target):
    def annotate(model):
        for node in nodes_of(model, target):
            OURS.annotate(node, {node.args[0]: OURS.spec(), node.args[1]: OURS.spec(torch.int8, -128, 127)}, OURS.spec())

    return OURS.quantizer(annotate)


def quantized_by(model, inputs, quantizer):
    prepared = our_flow.prepare_pt2e(model, quantizer)
    prepared(*inputs)
    return our_flow.convert_pt2e(prepared)


def test_a_converted_model_can_be_quantized_further():
    """In two steps as in one, but for the pair between the two: what was quantized is not observed again, as it is in torchao."""
    inputs = (data(2, 3, 8, 8),)
    first = quantized_by(capture(TwoConvolutions().eval(), inputs), inputs, only(ATEN.conv2d.default))
    (conv,) = nodes_of(first, ATEN.conv2d.default)
    before = [str(argument) for argument in conv.args]
    both = quantized_by(first, inputs, only(ATEN.linear.default))
    (conv,), (linear,) = nodes_of(both, ATEN.conv2d.default), nodes_of(both, ATEN.linear.default)
    assert [str(argument) for argument in conv.args] == before
    assert len(conv.users) == 1
    assert all("dequantize" in str(argument.target) for argument in linear.args[:2])
    assert sum(value.dtype is torch.int8 for value in both.state_dict().values()) == 2
    torch.testing.assert_close(both(*inputs), TwoConvolutions().eval()(*inputs), atol=0.05, rtol=0.05)


def test_the_passes_of_convert_run_on_a_converted_model_again():
    inputs = (data(2, 3, 8, 8),)
    converted = quantized_by(capture(TwoConvolutions().eval(), inputs), inputs, only(ATEN.conv2d.default))
    lines = graph_lines(converted)
    before = metadata(converted)
    for step in (our_quantizers.DuplicateDQPass(), our_quantizers.PortNodeMetaForQDQ()):
        step(converted)
    assert graph_lines(converted) == lines
    assert metadata(converted) == before


class IndexPut(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("table", data(4, 3, seed=3))

    def forward(self, x, rows):
        self.table[rows] = x
        return self.table + 1


class IndexPutIntoView(IndexPut):
    def forward(self, x, rows):
        self.table.view(2, 6).view(4, 3).index_put_((rows,), x)
        return self.table + 1


@pytest.mark.parametrize("model", [IndexPut, IndexPutIntoView])
def test_a_buffer_that_is_written_to_stays_itself(model):
    targets = (ATEN.index_put_.default, ATEN.add.Tensor)
    assert_same(model(), (data(2, 3), torch.tensor([0, 2])), lambda library: every_call(library, library.spec(), *targets))


def test_an_addition_into_a_buffer_is_not_folded():
    """torchao runs it once more while it folds constants."""

    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("count", torch.zeros(3))

        def forward(self, x):
            self.count += 1
            return x + self.count

    model = quantized_by(capture(Counter(), (data(2, 3),)), (data(2, 3),), every_call(OURS, OURS.spec(), ATEN.add.Tensor))
    before = model.count.clone()
    model(data(2, 3))
    assert torch.equal(model.count, before + 1)


class Linears(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


DTYPES = {
    torch.int8: (-128, 127), torch.int16: (-(2**15), 2**15 - 1), torch.uint16: (0, 2**16 - 1),
    torch.float8_e5m2: (-100, 100), torch.float8_e4m3fn: (-100, 100), torch.qint8: (-128, 127), torch.quint8: (0, 255),
}  # fmt: skip


@pytest.mark.parametrize("values", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("dtype", DTYPES)
def test_quantized_dtypes_of_values_of_any_width(dtype, values):
    converted = assert_same(
        Linears().to(values).eval(),
        (data(2, 4, dtype=values),),
        lambda library: every_call(library, library.spec(dtype, *DTYPES[dtype]), ATEN.linear.default),
    )
    dequantizes = [node for node in converted.graph.nodes if ".dequantize_" in str(node.target)]
    assert all(node.kwargs.get("out_dtype", torch.float32) is values for node in dequantizes)


class SeveralValues(nn.Module):
    def forward(self, x):
        first, second = torch.split(x, 2)
        values, places = torch.max(x, 1)
        return first.relu() + second, values.exp(), places


def test_an_operator_with_several_values_has_no_observer_behind_it():
    targets = (ATEN.split.Tensor, ATEN.max.dim, ATEN.relu.default, ATEN.add.Tensor, ATEN.exp.default)
    with pytest.warns(UserWarning, match=r"the output_qspec of 'split' .* is not followed: .* annotate the operator.getitem"):
        converted = assert_same(SeveralValues(), (data(4, 4),), lambda library: every_call(library, library.spec(), *targets))
    (split,) = nodes_of(converted, ATEN.split.Tensor)
    assert {user.name for user in split.users} == {"getitem", "getitem_1"}


class NobodyReads(nn.Module):
    def forward(self, x):
        values, _ = torch.max(x, 1)
        return values.relu()


def test_prepare_drops_what_nobody_reads():
    """torchao drops it in convert, and in prepare where there are batch norms."""
    prepared = our_flow.prepare_pt2e(capture(NobodyReads(), (data(4, 4),)), every_call(OURS, OURS.spec(), ATEN.relu.default))
    assert [node.name for node in prepared.graph.nodes if node.name.startswith("getitem")] == ["getitem"]
    assert_same(NobodyReads(), (data(4, 4),), lambda library: library.quantizer(lambda model: None), lines=False)


def test_activations_by_channels():
    """Their scales are called after the module that the value comes from."""

    def make(library):
        options = {"kind": "PerChannelMinMaxObserver", "qscheme": torch.per_channel_affine, "ch_axis": 1}
        return every_call(library, library.spec(torch.int8, -128, 127, **options), ATEN.relu.default)

    converted = assert_same(nn.Sequential(Linears(), nn.ReLU()).eval(), (data(2, 4),), make)
    scales = [node.target for node in converted.graph.nodes if node.op == "get_attr" and "_scale_" in node.target]
    assert scales == ["first_scale_0", "0_scale_0", "second_scale_0", "1_scale_0"]


def test_an_axis_reaches_the_observer_inside_a_fake_quantizer():
    """torchao passes it on only to classes called PerChannel..."""
    fake = our_fakes.FakeQuantize.with_args(observer=our_observers.MovingAveragePerChannelMinMaxObserver)
    spec = our_quantizers.QuantizationSpec(torch.int8, fake, -128, 127, torch.per_channel_symmetric, ch_axis=1)

    def annotate(model):
        for node in nodes_of(model, ATEN.linear.default):
            OURS.annotate(node, {node.args[1]: spec})

    converted = quantized_by(capture(Linears().eval(), (data(2, 4),)), (data(2, 4),), OURS.quantizer(annotate))
    assert {node.args[3] for node in converted.graph.nodes if "dequantize_per_channel" in str(node.target)} == {1}


def dynamic_inputs(library, qscheme, kind="PlaceholderObserver"):
    observer = getattr(library.o, kind).with_args(eps=2**-12)
    spec = library.q.QuantizationSpec(torch.int8, observer, -128, 127, qscheme, is_dynamic=True)

    def annotate(model):
        for node in nodes_of(model, ATEN.linear.default):
            library.annotate(node, {node.args[0]: spec})

    return library.quantizer(annotate)


@pytest.mark.parametrize("values", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("qscheme", [torch.per_tensor_affine, torch.per_tensor_symmetric])
def test_inputs_that_are_quantized_at_run_time(qscheme, values):
    assert_same(Linears().to(values).eval(), (data(2, 4, dtype=values),), lambda library: dynamic_inputs(library, qscheme))


class Twice(Linears):
    def forward(self, x):
        y = torch.relu(x)
        return self.first(y) + self.second(y)


def test_two_readers_of_one_input_that_is_quantized_at_run_time():
    assert_same(Twice().eval(), (data(2, 4),), lambda library: dynamic_inputs(library, torch.per_tensor_affine))
    # torchao fails on the symmetric one.
    converted = quantized_by(capture(Twice().eval(), (data(2, 4),)), (data(2, 4),), dynamic_inputs(OURS, torch.per_tensor_symmetric))
    assert sum("choose_qparams_symmetric" in str(node.target) for node in converted.graph.nodes) == 1
    torch.testing.assert_close(converted(data(2, 4)), Twice().eval()(data(2, 4)), atol=0.05, rtol=0.05)


class Sizes(Linears):
    def forward(self, x):
        y = torch.relu(x)
        return self.first(y).view(y.size(0) * 4) + self.second(y).reshape(y.size(0) * 4)


def test_a_question_for_a_size_has_no_dequantize_of_its_own():
    converted = assert_same(
        Sizes().eval(),
        (data(3, 4),),
        lambda library: every_call(library, library.spec(), ATEN.linear.default, ATEN.relu.default),
        dynamic_shapes=({0: torch.export.Dim("batch", min=2)},),
    )
    assert nodes_of(converted, ATEN.sym_size.int)


def test_users_may_delete_an_observer_before_convert():
    def delete_the_one_behind_relu(model):
        (relu,) = nodes_of(model, ATEN.relu.default)
        (observer,) = relu.users
        observer.replace_all_uses_with(relu)
        model.graph.erase_node(observer)
        model.recompile()

    make = lambda library: every_call(library, library.spec(), ATEN.linear.default, ATEN.relu.default)  # noqa: E731
    converted = assert_same(Linears().eval(), (data(2, 4),), make, delete_the_one_behind_relu)
    (relu,) = nodes_of(converted, ATEN.relu.default)
    assert [user.target for user in relu.users] == [ATEN.linear.default]


def test_an_observer_may_convert_itself():
    def make(library):
        class Negates(library.o.ObserverBase):
            def __init__(self, **_):
                super().__init__(torch.int8)

            def forward(self, x):
                return x

            def calculate_qparams(self):
                raise AssertionError("nobody asks")

            def convert(self, model, node):
                with model.graph.inserting_before(node):
                    negated = model.graph.call_function(ATEN.neg.default, (node.args[0],))
                node.replace_all_uses_with(negated)
                model.graph.erase_node(node)

        def annotate(model):
            for node in nodes_of(model, ATEN.linear.default):
                library.annotate(node, {node.args[0]: library.q.QuantizationSpec(torch.int8, Negates), node.args[1]: library.spec()})

        return library.quantizer(annotate)

    assert len(nodes_of(assert_same(Linears().eval(), (data(2, 4),), make), ATEN.neg.default)) == 2


def test_an_observer_with_arithmetic_of_its_own():
    def make(library):
        class Largest(library.o.ObserverBase):
            def __init__(self, dtype, quant_min, quant_max, qscheme, is_dynamic):
                super().__init__(dtype, is_dynamic)
                self.quant_min, self.quant_max, self.qscheme, self.largest = quant_min, quant_max, qscheme, 0.0

            def forward(self, x):
                self.largest = max(self.largest, float(x.abs().max()))
                return x

            def calculate_qparams(self):
                return torch.tensor([self.largest / 127]), torch.tensor([0])

        spec = library.q.QuantizationSpec(torch.int8, Largest, -128, 127, torch.per_tensor_symmetric)
        return every_call(library, spec, ATEN.linear.default)

    assert_same(Linears().eval(), (data(2, 4),), make)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_places_that_only_have_another_float_dtype(dtype):
    converted = assert_same(
        Linears().eval(),
        (data(2, 4),),
        lambda library: every_call(library, library.q.QuantizationSpec(dtype, library.o.PlaceholderObserver), ATEN.linear.default),
    )
    casts = sum("convert_element_type" in str(node.target) for node in converted.graph.nodes)
    assert casts == (0 if dtype is torch.float32 else 16)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 5)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x)))
        x = torch.cat([x, x + 1], 1)[:, :4]
        return self.linear(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


# Of ours alone: for reports, and for what comes after.
OWN_KEYS = {"quantization_rule", "quantization_why_not", "quantization_observer", "quantization_scheme", "quantization_tensor"}


def metadata(model):
    lines = []
    for node in model.graph.nodes:
        sources = [(source.name, source.pass_name, str(source.action)) for source in node.meta.get("from_node", [])]
        keys = sorted(node.meta.keys() - OWN_KEYS)
        lines.append((node.name, keys, node.meta.get("stack_trace"), node.meta.get("quantization_tag"), sources))
    return lines


@pytest.mark.parametrize("fold_quantize", [True, False])
@pytest.mark.parametrize("options", [{}, {"is_per_channel": True}, {"is_per_channel": True, "is_dynamic": True}])
def test_every_node_has_the_metadata_that_it_has_in_torchao(options, fold_quantize):
    inputs = (data(2, 3, 8, 8),)
    exported = capture(Network().eval(), inputs)
    found = []
    for library, model in ((OURS, exported), (THEIRS, copy.deepcopy(exported))):

        class Tags(library.xnnpack.XNNPACKQuantizer):
            def annotate(self, model):
                super().annotate(model)
                for node in model.graph.nodes:
                    node.meta["quantization_tag"] = f"tag of {node.name}"
                return model

        quantizer = Tags().set_global(library.xnnpack.get_symmetric_quantization_config(**options))
        prepared = library.flow.prepare_pt2e(model, quantizer)
        lines = metadata(prepared)
        prepared(*inputs)
        found.append((lines, metadata(library.flow.convert_pt2e(prepared, fold_quantize=fold_quantize))))
    (prepared, converted), (their_prepared, their_converted) = found
    assert prepared == their_prepared
    assert converted == their_converted
    assert any(tag is None for *_, tag, _ in converted) and any(tag is not None for *_, tag, _ in converted)


@pytest.mark.parametrize("bias", [True, False])
def test_a_model_of_sizes_alone_is_prepared_on_its_device(bias):
    """The observers sit where the model does; batch norms are folded by their sizes."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3, bias=bias), nn.BatchNorm2d(4), nn.ReLU()).eval().to("meta")
    x = torch.empty(2, 3, 8, 8, device="meta")
    exported = capture(model, (x,))
    results = []
    for library, graph_module in ((OURS, exported), (THEIRS, copy.deepcopy(exported))):
        config = library.xnnpack.get_symmetric_quantization_config(is_per_channel=True)
        prepared = library.flow.prepare_pt2e(graph_module, library.xnnpack.XNNPACKQuantizer().set_global(config))
        state = {name: (value.shape, value.dtype, value.device.type) for name, value in prepared.state_dict().items()}
        results.append((graph_lines(prepared), state))
        if library is OURS:
            assert prepared(x).shape == (2, 4, 6, 6)  # torchao's histograms ask for values
    assert results[0] == results[1]
    assert {device for _, _, device in results[0][1].values()} == {"meta"}


def test_what_counts_batches_goes_where_a_batch_norm_stays():
    """A convolution with padding by a word does not train as one with its batch norm."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding="same"), nn.BatchNorm2d(4)).train()
    inputs = (data(2, 3, 8, 8),)
    exported = capture(model, inputs)
    results = []
    for library, graph_module in ((OURS, exported), (THEIRS, copy.deepcopy(exported))):
        config = library.xnnpack.get_symmetric_quantization_config(is_qat=True)
        prepared = library.flow.prepare_qat_pt2e(graph_module, library.xnnpack.XNNPACKQuantizer().set_global(config))
        prepared(*inputs)
        results.append(library.flow.convert_pt2e(prepared))
    assert_same_module(*results)
    assert nodes_of(results[0], ATEN.batch_norm.default) and not nodes_of(results[0], ATEN.add_.Tensor)


def test_everything_sits_on_one_device():
    exported = capture(Linears().eval(), (data(2, 4),))
    exported.first.weight = nn.Parameter(exported.first.weight.to("meta"))
    with pytest.raises(AssertionError, match=r"one device expected, found \['cpu', 'meta'\]"):
        our_flow.prepare_pt2e(exported, our_xnnpack.XNNPACKQuantizer())
