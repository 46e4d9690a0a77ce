"""torch's dtypes and quantization schemes under the core's names, which are the same."""

from __future__ import annotations

import torch

from qdq import DType, QScheme

_BY_TORCH = {
    getattr(torch, name): dtype
    for name, dtype in ((dtype.name.rstrip("_"), dtype) for dtype in DType)
    if hasattr(torch, name)
}
_TO_TORCH = {dtype: torch_dtype for torch_dtype, dtype in _BY_TORCH.items()}
_QSCHEMES = {getattr(torch, qscheme.name): qscheme for qscheme in QScheme}
_TORCH_QSCHEMES = {qscheme: torch_qscheme for torch_qscheme, qscheme in _QSCHEMES.items()}


def core_dtype(dtype: torch.dtype) -> DType:
    """Raises ValueError for a dtype that the core does not have."""
    try:
        return _BY_TORCH[dtype]
    except KeyError:
        raise ValueError(f"qdq has no dtype {dtype}") from None


def torch_dtype(dtype: DType) -> torch.dtype:
    return _TO_TORCH[dtype]


def core_qscheme(qscheme: torch.qscheme) -> QScheme:
    return _QSCHEMES[qscheme]


def torch_qscheme(qscheme: QScheme) -> torch.qscheme:
    return _TORCH_QSCHEMES[qscheme]
