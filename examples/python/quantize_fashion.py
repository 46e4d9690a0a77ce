# %% [markdown]
# # A trained network, quantized and trained on in its quantized form
#
# The residual network of `demo/`, trained on Fashion-MNIST, goes through `qdq.pt2e`: quantized after training, looked at node by node,
# trained on with fake quantizers, and run in int8. Cells are marked as editors and Jupytext know them; as a script it runs in seconds:
#
#     python examples/python/quantize_fashion.py

# %%
import copy
import pathlib
import tempfile

import numpy as np
import torch

import qdq
import qdq.pt2e
from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e
from qdq.pt2e.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

DEMO = pathlib.Path(__file__).resolve().parents[2] / "demo"
images = torch.from_numpy(np.load(DEMO / "images.npz")["input"])
labels = torch.from_numpy(np.load(DEMO / "images.npz")["label"])
calibration, rest = images.split(32)
network = torch.export.load(DEMO / "fmnist_resnet.pt2").module(check_guards=False)


def accuracy(model) -> float:
    with torch.no_grad():
        return (model(images).argmax(1) == labels).float().mean().item()


def signal_to_noise(values: torch.Tensor, reference: torch.Tensor) -> float:
    """In dB: 20 is an error of a tenth."""
    return (20 * torch.log10(reference.norm() / (reference - values).norm())).item()


with torch.no_grad():
    float_scores = network(rest)
print(f"float: {accuracy(network):.1%} of 64 images")

# %% [markdown]
# ## After training
# Prepare puts observers in, data runs through them, convert puts quantize and dequantize in their places.

# %%
quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
prepared = prepare_pt2e(copy.deepcopy(network), quantizer)
with torch.no_grad():
    for batch in calibration.split(8):
        prepared(batch)
quantized = convert_pt2e(prepared)
with torch.no_grad():
    quantized_noise = signal_to_noise(quantized(rest), float_scores)
print(f"quantized: {accuracy(quantized):.1%}, scores at {quantized_noise:.1f} dB")

# %% [markdown]
# ## Where does the error come from?
# Loggers behind the nodes that both models have; the noisiest come first. The value of a convolution is another one once its batch
# norm is folded in: those are left out.

# %%
float_copy = qdq.pt2e.prepare_for_propagation_comparison(network)
quantized_copy = qdq.pt2e.prepare_for_propagation_comparison(quantized)
with torch.no_grad():
    float_copy(rest)
    quantized_copy(rest)
comparison = qdq.pt2e.compare_results(
    qdq.pt2e.extract_results_from_loggers(float_copy), qdq.pt2e.extract_results_from_loggers(quantized_copy)
)
noise = {
    summary.ref_node_name: summary.results[0].sqnr.item()
    for summary in comparison.values()
    if not summary.ref_node_name.startswith("conv2d")
}
for name, decibels in sorted(noise.items(), key=lambda item: item[1])[:5]:
    print(f"  {name:24} {decibels:5.1f} dB")

# %% [markdown]
# ## Trained on
# Convolutions and batch norms train as one, on weights that are rounded in each step. Here the float network is the teacher.

# %%
config = get_symmetric_quantization_config(is_per_channel=True, is_qat=True)
student = prepare_qat_pt2e(copy.deepcopy(network), XNNPACKQuantizer().set_global(config))
with torch.no_grad():
    teacher = network(calibration)
optimizer = torch.optim.SGD([p for p in student.parameters() if p.is_floating_point()], lr=1e-3, momentum=0.9)
losses = []
for _ in range(10):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(student(calibration), teacher)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
qdq.pt2e.move_exported_model_to_eval(student)
trained = convert_pt2e(student)
print(f"trained: loss {losses[0]:.3f} -> {losses[-1]:.3f}, {accuracy(trained):.1%}")

# %% [markdown]
# ## In int8
# The converted model is saved by torch and run by qdq's own kernels, without torch.

# %%
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "fashion.int8.pt2"
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(quantized, (rest,), dynamic_shapes=shapes), path)
    program = qdq.load(path)
    size = path.stat().st_size
(scores,) = qdq.Session(program).run([rest.numpy()])
int8_noise = signal_to_noise(torch.from_dlpack(scores), float_scores)
print(f"int8: {size / 1024:.0f} KiB on disk, scores at {int8_noise:.1f} dB, {qdq.summarize_quantization(program).quantized} ops")
