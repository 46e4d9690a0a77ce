"""torch.export's programs to ours and back, in memory: the graph as torch's own JSON, the tensors shared.

torch is imported when these are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _core

if TYPE_CHECKING:
    import torch


def from_exported_program(exported: torch.export.ExportedProgram) -> _core.Program:
    """The program of a torch.export.ExportedProgram: same names, order and metadata; the tensors are shared.

    Raises FormatError for a graph that qdq cannot read.
    """
    from torch._export.serde.serialize import serialize

    from .pt2e._bridge.tensors import core_tensor

    artifact = serialize(
        exported, serialize_state_dict=False, serialize_constants=False, serialize_example_inputs=False
    )
    tensors = {**exported.constants, **exported.state_dict}
    return _core._read_pt2_model(
        artifact.exported_program.decode(),
        [(name, core_tensor(value), value.requires_grad) for name, value in tensors.items() if _is_tensor(value)],
    )


def to_exported_program(program: _core.Program) -> torch.export.ExportedProgram:
    """A torch.export.ExportedProgram that shares the program's tensors.

    Raises FormatError, which names the node, for a graph that torch.export has no form for.
    """
    import torch
    import torch.ao.quantization.fx._decomposed  # noqa: F401  defines quantized_decomposed, which converted programs call
    from torch._export.serde.serialize import SerializedArtifact, deserialize

    from .pt2e._bridge.tensors import torch_tensor

    state_dict: dict[str, torch.Tensor] = {}
    constants: dict[str, torch.Tensor] = {}
    for attribute in program.attributes:
        if attribute.value is None:
            continue
        tensor = torch_tensor(attribute.value)
        if attribute.kind is _core.AttributeKind.parameter:
            state_dict[attribute.name] = torch.nn.Parameter(tensor, requires_grad=attribute.requires_grad)
        elif attribute.kind is _core.AttributeKind.buffer and attribute.persistent:
            state_dict[attribute.name] = tensor
        else:
            constants[attribute.name] = tensor
    json = _core._write_pt2_model(program).encode()
    return deserialize(SerializedArtifact(json, state_dict, constants, None))  # type: ignore[arg-type]


def _is_tensor(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor)
