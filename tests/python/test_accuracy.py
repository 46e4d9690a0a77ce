"""The accuracy algorithms from Python, on a network with data."""

import numpy as np
import pytest

import qdq
from conftest import IMAGES, network


@pytest.fixture(scope="module")
def program():
    return qdq.load(network())


@pytest.fixture(scope="module")
def batches():
    return [np.random.default_rng(i).random((8, 1, 28, 28), dtype=np.float32) for i in range(4)]


def prepared(program, batches, **options):
    result = qdq.prepare(program, qdq.quantizer_by_name("xnnpack", **options))
    qdq.calibrate(result, batches)
    return result


def sqnr(program, converted, batches):
    expected = np.concatenate([qdq.run(program, [batch])[0].numpy() for batch in batches])
    found = np.concatenate([qdq.run(converted, [batch])[0].numpy() for batch in batches])
    return 10 * np.log10(np.square(expected).sum() / np.square(expected - found).sum())


def plain(program, batches, **options):
    return sqnr(program, qdq.convert(prepared(program, batches, **options)), batches)


@pytest.mark.parametrize(("name", "split_relu6"), [("fmnist_resnet", False), ("fmnist_mbv2", True)])
def test_equalization_computes_the_same(batches, name, split_relu6):
    program = qdq.load(network(name))
    expected = qdq.run(program, [batches[0]])[0].numpy()
    report = qdq.equalize_layers(program, split_relu6)
    assert report.changed > 0
    np.testing.assert_allclose(qdq.run(program, [batches[0]])[0].numpy(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["fmnist_resnet", "fmnist_mbv2"])
def test_equalizing_activations_computes_the_same_on_what_it_saw(batches, name):
    program = qdq.load(network(name))
    expected = [qdq.run(program, [batch])[0].numpy() for batch in batches]
    report = qdq.equalize_activations(program, qdq.quantizer_by_name("xnnpack", per_channel=True), batches)
    assert report.changed > 0
    for batch, values in zip(batches, expected):
        np.testing.assert_allclose(qdq.run(program, [batch])[0].numpy(), values, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["fast", "full"])
def test_bias_correction_helps(program, batches, kind):
    corrected = prepared(program, batches, weight_bits=4)
    assert qdq.correct_biases(corrected, batches, kind).changed > 0
    assert sqnr(program, qdq.convert(corrected), batches) > plain(program, batches, weight_bits=4)


@pytest.mark.parametrize("algorithm", [qdq.adaround, qdq.gptq])
def test_rounding_by_data_helps_weights_of_4_bits(program, batches, algorithm):
    rounded = prepared(program, batches, weight_bits=4, per_channel=True)
    report = algorithm(rounded, batches)
    assert report.changed > 0
    assert sqnr(program, qdq.convert(rounded), batches) > plain(program, batches, weight_bits=4, per_channel=True) + 3


def test_rounding_gives_the_same_twice(program, batches):
    texts = []
    for _ in range(2):
        rounded = prepared(program, batches, weight_bits=4, per_channel=True)
        qdq.adaround(rounded, batches, iterations=20)
        texts.append(qdq.convert(rounded).text(attributes=True, data="all"))
    assert texts[0] == texts[1]


def test_rounded_weights_stay_on_their_grid(program, batches):
    rounded = prepared(program, batches, weight_bits=4, per_channel=True)
    qdq.gptq(rounded, batches)
    converted = qdq.convert(rounded)
    quantized = [a.value.numpy() for a in converted.attributes if a.value.dtype is qdq.DType.int8]
    assert quantized
    for weight in quantized:
        assert weight.min() >= -8 and weight.max() <= 7


@pytest.fixture(scope="module")
def pictures():
    """What the network was trained on."""
    images = np.load(IMAGES)["input"]
    return [images[at : at + 8] for at in range(0, 64, 8)]


def with_biases_corrected(program, prepared, batches):
    qdq.correct_biases(prepared, batches)
    return sqnr(program, qdq.convert(prepared), batches)


def test_first_and_last_layers_get_8_bits(program, pictures):
    before = with_biases_corrected(program, prepared(program, pictures, weight_bits=4, per_channel=True), pictures)
    wide = qdq.prepare(program, qdq.quantizer_by_name("xnnpack", weight_bits=4, per_channel=True))
    assert qdq.widen_weights(wide).changed >= 2
    qdq.calibrate(wide, pictures)
    assert with_biases_corrected(program, wide, pictures) > before


def wide_values(program):
    return [
        node.args[0].name
        for node in program.graph.nodes
        if node.target == "quantized_decomposed.quantize_per_tensor.default" and node.args[4] == 32767
    ]


def test_a_share_of_the_activations_gets_16_bits(program, pictures):
    before = plain(program, pictures, per_channel=True)
    for share, least in ((0.125, before), (1, before + 3)):
        wide = prepared(program, pictures, per_channel=True)
        changed = qdq.widen_activations(wide, pictures, target_sqnr_db=200, share=share, float_work=1).changed
        assert changed > 0
        converted = qdq.convert(wide)
        assert len(wide_values(converted)) >= changed
        assert sqnr(program, converted, pictures) > least


def test_an_own_quantizer_profits_as_well(program, batches):
    class Mine(qdq.Quantizer):
        def annotate(self, program):
            spec = qdq.QuantizationSpec(
                qdq.DType.int8, qdq.ObserverFactory("MinMaxObserver"), quant_min=-8, quant_max=7, qscheme=qdq.QScheme.per_tensor_symmetric
            )
            for node in program.graph.nodes:
                if node.target in ("aten.conv2d.default", "aten.linear.default"):
                    qdq.annotation_of(node).input_qspec_map = [(node.args[1], spec)]

    before = qdq.convert(qdq.prepare(program, Mine()))
    corrected = qdq.prepare(program, Mine())
    assert qdq.correct_biases(corrected, batches, "full").changed > 0
    assert sqnr(program, qdq.convert(corrected), batches) > sqnr(program, before, batches)


def test_errors_say_what_was_expected(program, batches):
    with pytest.raises(qdq.InvalidArgumentError, match="'fast' or 'full' expected, found 'slow'"):
        qdq.correct_biases(prepared(program, batches), batches, "slow")
    with pytest.raises(qdq.InvalidArgumentError, match="one or more batches expected"):
        qdq.gptq(prepared(program, batches), [])


@pytest.mark.parametrize("accuracy", ["balanced", "best"])
def test_presets_win_accuracy_back(program, batches, accuracy):
    improved = qdq.quantize(program, "xnnpack", batches, accuracy=accuracy)
    assert sqnr(program, improved, batches) > sqnr(program, qdq.quantize(program, "xnnpack", batches), batches) + 1


def test_the_diagnosis_names_what_is_wrong(program, batches):
    class OneBadRange(qdq.Quantizer):
        """8 bits everywhere but at the input of one convolution, which has 2."""

        def annotate(self, program):
            for node in program.graph.nodes:
                if node.target not in ("aten.conv2d.default", "aten.linear.default"):
                    continue
                low, high = (-2, 1) if node.name == "conv2d_3" else (-128, 127)
                spec = qdq.QuantizationSpec(
                    qdq.DType.int8,
                    qdq.ObserverFactory("MinMaxObserver"),
                    quant_min=low,
                    quant_max=high,
                    qscheme=qdq.QScheme.per_tensor_affine,
                )
                qdq.annotation_of(node).input_qspec_map = [(node.args[0], spec)]

    found = qdq.diagnose(program, OneBadRange(), batches, ops=3)
    bad = next(node for node in program.graph.nodes if node.name == "conv2d_3")
    assert found.tensors[0].node == bad.args[0].name
    assert found.tensors[0].added.sqnr_db < found.tensors[1].added.sqnr_db - 6
    assert found.ops[0].node == "conv2d_3" and found.ops[0].gain_db > 3
    assert found.exclude[0] == "conv2d_3"
    assert len(found.ops) == 3


def test_mixed_precision_keeps_the_fewest_ops_in_float(program, batches):
    scores, bounds = [], []
    expected = np.concatenate([qdq.run(program, [batch])[0].numpy() for batch in batches])

    def evaluate(tried):
        found = np.concatenate([qdq.run(tried, [batch])[0].numpy() for batch in batches])
        error = np.square(expected - found).sum()
        scores.append(min(100.0, 10 * np.log10(np.square(expected).sum() / error)) if error else 100.0)
        return scores[-1]

    quantizer = qdq.quantizer_by_name("xnnpack", weight_bits=4)
    found = qdq.quantize_within_drop(program, quantizer, batches, evaluate, 75, start=bounds.append)
    assert found.in_16_bits == []
    assert found.reached and found.score >= 25 > scores[1]
    assert 0 < len(found.in_float) < 30
    assert found.evaluations == len(scores) <= bounds[0]
    summary = qdq.summarize_quantization(found.program)
    assert summary.ops["aten.conv2d.default"].quantized > 0


def test_mixed_precision_gives_the_fewest_values_16_bits(program, batches):
    quantizer = qdq.quantizer_by_name("xnnpack", per_channel=True)
    lost = sqnr(program, qdq.convert(prepared(program, batches, per_channel=True)), batches)
    bounds, scores = [], []

    def evaluate(tried):
        scores.append(100.0 if not scores else sqnr(program, tried, batches))
        return scores[-1]

    found = qdq.quantize_within_drop(
        program, quantizer, batches, evaluate, 100 - lost - 2, sixteen_bits=True, start=bounds.append
    )
    assert found.reached and found.score >= lost + 2 > scores[1]
    assert found.in_float == []
    assert found.in_16_bits and set(found.in_16_bits) == set(wide_values(found.program))
    assert found.evaluations == len(scores) <= bounds[0]
