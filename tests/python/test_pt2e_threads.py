"""Threads that run one prepared model at once: what its observers have seen is what one thread would have shown them."""

import threading

import pytest
import torch
from torch import nn

from qdq.pt2e.observer import HistogramObserver, MinMaxObserver, PerChannelMinMaxObserver
from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e
from qdq.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer
from qdq.pt2e.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

THREADS = 4


class Calls(Quantizer):
    """Observes what every call reads."""

    def __init__(self, observer, **options):
        self.spec = QuantizationSpec(torch.int8, observer, -128, 127, **options)

    def annotate(self, model):
        for node in model.graph.nodes:
            if node.op == "call_function":
                node.meta["quantization_annotation"] = QuantizationAnnotation({node.args[0]: self.spec}, _annotated=True)
        return model

    def validate(self, model):
        pass


class Relu(nn.Module):
    def forward(self, x):
        return torch.relu(x)


def batches(count=48):
    """With the same ends in each, so that no order changes what is counted where."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        x = torch.randn(4, 3, 64, 64, generator=generator)
        x[:, :, 0, 0], x[:, :, 0, 1] = -8.0, 8.0
        yield x


def in_threads(*works):
    failures = []

    def run(work):
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def calibrate(model, data):
    with torch.no_grad():
        for x in data:
            model(x)


OBSERVERS = {
    "histogram": Calls(HistogramObserver, qscheme=torch.per_tensor_affine),
    "bounds": Calls(MinMaxObserver, qscheme=torch.per_tensor_symmetric),
    "channels": Calls(PerChannelMinMaxObserver, qscheme=torch.per_channel_symmetric, ch_axis=1),
}


def prepared(quantizer):
    return prepare_pt2e(torch.export.export(Relu(), (torch.zeros(4, 3, 64, 64),)).module(), quantizer)


@pytest.mark.parametrize("reads", [False, True], ids=["", "while the state is read"])
@pytest.mark.parametrize("kind", OBSERVERS)
def test_observers_see_what_one_thread_would_show_them(kind, reads):
    data = list(batches())
    alone, together = prepared(OBSERVERS[kind]), prepared(OBSERVERS[kind])
    calibrate(alone, data)
    done = threading.Event()

    def read():
        while not done.is_set():
            for name, value in together.state_dict().items():
                assert name.endswith(("eps", "min_val", "max_val", "histogram")), value

    def observe(part):
        try:
            calibrate(together, part)
        finally:
            done.set()

    works = [lambda part=data[i::THREADS]: observe(part) for i in range(THREADS)]
    in_threads(*works, *([read] if reads else []))
    found, expected = together.state_dict(), alone.state_dict()
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    assert torch.equal(convert_pt2e(together)(data[0]), convert_pt2e(alone)(data[0]))


def test_fake_quantizers_stay_whole():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    data = list(batches(16))
    config = get_symmetric_quantization_config(is_per_channel=True, is_qat=True)
    exported = torch.export.export(model.train(), (data[0],)).module()
    model = prepare_qat_pt2e(exported, XNNPACKQuantizer().set_global(config))
    outputs = []

    def train(part):
        for x in part:
            y = model(x)
            y.square().mean().backward()
            outputs.append(y.detach())

    in_threads(*(lambda part=data[i::THREADS]: train(part) for i in range(THREADS)))
    assert len(outputs) == len(data) and all(y.isfinite().all() for y in outputs)
    sizes = {tuple(value.shape) for name, value in model.state_dict().items() if name.endswith(("min_val", "scale"))}
    assert sizes == {(), (1,), (8,)}
    assert convert_pt2e(model)(data[0]).isfinite().all()
