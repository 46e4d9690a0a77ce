"""Quantization-aware training through qdq.pt2e."""

import pytest
import torch
from qdq.pt2e.fake_quantize import FakeQuantizeBase
from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e
from qdq.pt2e.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config


def capture(*layers):
    torch.manual_seed(0)
    module = torch.nn.Sequential(*layers)
    inputs = (torch.randn(2, 3, 8, 8),)
    return torch.export.export(module, inputs, strict=True).module(), inputs


def quantizer():
    return XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_qat=True))


def test_a_network_without_batch_norm_trains_and_converts():
    model, inputs = capture(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 2))
    model = prepare_qat_pt2e(model, quantizer())
    assert any(isinstance(module, FakeQuantizeBase) for module in model.modules())
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    target = torch.tensor([0, 1])
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(*inputs), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(not torch.equal(before[name], parameter) for name, parameter in model.named_parameters())
    trained = model(*inputs)
    converted = convert_pt2e(model)
    assert torch.equal(converted(*inputs).argmax(1), trained.argmax(1))
    assert any("quantize_per_tensor" in str(node.target) for node in converted.graph.nodes)


def test_a_batch_norm_behind_a_convolution_is_refused_by_name():
    model, _ = capture(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    with pytest.raises(NotImplementedError, match="'batch_norm' is a batch norm behind the convolution 'conv2d'"):
        prepare_qat_pt2e(model, quantizer())
