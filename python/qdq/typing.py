"""Names for the types that qdq's functions take and return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Union

if TYPE_CHECKING:
    from ._core import Device, DType, Layout, MemoryFormat, Node, Opaque, Operator, Subgraph, SymBool, SymFloat, SymInt
    from ._core import Tensor, TensorMeta


class SupportsDLPack(Protocol):
    """An array on the CPU that shares its memory: numpy's, torch's, JAX's."""

    def __dlpack__(self, *args: Any, **options: Any) -> Any: ...

    def __dlpack_device__(self) -> tuple[Any, int]: ...


ArrayLike = Union["Tensor", SupportsDLPack]
# One argument of a node, as torch.fx has it.
Argument = Union[
    "Node", None, bool, int, float, complex, str, "DType", "Layout", "MemoryFormat", "Device", "Subgraph", "Operator",
    "Opaque", "list[Argument]", "tuple[Argument, ...]", "dict[str, Argument]",
]  # fmt: skip
# What is known about a node's value.
ValueType = Union["TensorMeta", "SymInt", "SymBool", "SymFloat", int, "list[ValueType]", None]
