"""Tensors cross by DLPack, without a copy."""

from __future__ import annotations

import torch
from torch._subclasses.fake_tensor import FakeTensor

from qdq import DType, Tensor

from .dtypes import core_dtype, torch_dtype

# torch exports these by DLPack only to consumers of its newest version: their bytes cross as uint8.
_AS_BYTES = {
    getattr(torch, name)
    for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
    if hasattr(torch, name)
}


def core_tensor(tensor: torch.Tensor) -> Tensor:
    """A view of a torch tensor: of sizes only for fake and meta tensors, of a copy for tensors on other devices."""
    if isinstance(tensor, FakeTensor) or tensor.device.type == "meta":
        return Tensor.meta(core_dtype(tensor.dtype), [int(s) for s in tensor.shape], [int(s) for s in tensor.stride()])
    tensor = tensor.detach()
    if tensor.device.type != "cpu":
        tensor = tensor.cpu()
    if tensor.dtype in _AS_BYTES:
        return Tensor(tensor.view(torch.uint8)).view(core_dtype(tensor.dtype))
    return Tensor(tensor)


def torch_tensor(tensor: Tensor) -> torch.Tensor:
    """A view of a core tensor; a meta tensor of one without memory."""
    dtype = torch_dtype(tensor.dtype)
    if tensor.is_meta:
        return torch.empty_strided(tensor.shape, tensor.strides, dtype=dtype, device="meta")
    if dtype in _AS_BYTES:
        return torch.from_dlpack(tensor.view(DType.uint8)).view(dtype)
    return torch.from_dlpack(tensor.__dlpack__())  # given a capsule, torch has no questions
