"""One network through torchao's flow and through ours, compared line by line and bit by bit."""

import subprocess

import numpy as np
import torch

from graph_lines import graph_lines
from tools import tool
from torchao.quantization.pt2e import ObserverBase
from torchao.quantization.pt2e.observer import AffineQuantizedObserverBase
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e


def record_and_convert(path, quantizer, batches, use_reference_representation=False):
    """torchao's flow on the saved program; every observer's inputs are kept."""
    gm = prepare_pt2e(torch.export.load(path).module(check_guards=False), quantizer)
    prepared = graph_lines(gm)
    recorded, handles = {}, []
    for name, module in gm.named_modules():  # those of bodies too; one at several places has its first name
        if not isinstance(module, (ObserverBase, AffineQuantizedObserverBase)):
            continue

        def hook(_, args, name=name):
            count = sum(k.startswith(name + "/") for k in recorded)
            recorded[f"{name}/{count}"] = args[0].detach().clone().contiguous().numpy()

        handles.append(module.register_forward_pre_hook(hook))
    with torch.no_grad():
        for batch in batches:
            gm(*batch)
    for handle in handles:
        handle.remove()
    converted = convert_pt2e(gm, use_reference_representation)
    return prepared, recorded, converted


def export(tmp_path, model, inputs):
    path = str(tmp_path / "float.pt2")
    # torchao finds cat and pooling by the module or function that they came from, which only strict export records;
    # ours goes by the op.
    torch.export.save(torch.export.export(model, inputs, strict=True), path)
    return path


def tensors_read(module, prefix=""):
    """The names of the tensors that the graph of `module` and the bodies in it read."""
    names = set()
    for node in module.graph.nodes:
        if node.op != "get_attr":
            continue
        value = module
        for part in node.target.split("."):
            value = getattr(value, part)
        is_body = isinstance(value, torch.fx.GraphModule)
        names |= tensors_read(value, f"{prefix}{node.target}.") if is_body else {prefix + node.target}
    return names


def compare(tmp_path, path, batches, options, quantizer, use_reference_representation=False):
    """Both flows on the same data; `options` are those of convert_recorded, `quantizer` is torchao's."""
    prepared, recorded, converted = record_and_convert(path, quantizer, batches, use_reference_representation)
    np.savez(tmp_path / "recorded.npz", **recorded)
    subprocess.run(
        [tool("convert_recorded"), path, tmp_path / "recorded.npz", tmp_path / "ours", *options], check=True
    )
    assert (tmp_path / "ours.prepared.txt").read_text().splitlines() == prepared
    assert (tmp_path / "ours.txt").read_text().splitlines() == graph_lines(converted)
    ours = np.load(tmp_path / "ours.npz")
    read = tensors_read(converted)
    assert set(ours.files) == read, "an attribute that nothing reads, or one that is missing"
    for name in ours.files:
        theirs = converted
        for part in name.split("."):
            theirs = getattr(theirs, part)
        theirs = theirs.detach().numpy()
        assert ours[name].dtype == theirs.dtype, name
        np.testing.assert_array_equal(ours[name], theirs, err_msg=name)
    return converted


def images(shape, n=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randn(shape, generator=generator),) for _ in range(n)]
