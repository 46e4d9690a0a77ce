"""The C++ core of qdq."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import enum
import os
from typing import Annotated, Any, overload

from numpy.typing import NDArray
import torch.export

import qdq.typing


VERSION: str = '0.1.0'

class Error(Exception):
    """
    Every exception of qdq. The message says what was expected, what was found and where.
    """

class InvalidArgumentError(Error, ValueError):
    """Something was asked for that cannot be done."""

class FormatError(Error, ValueError):
    """A file is damaged, hostile or of a version that qdq does not read."""

class UnsupportedOpError(Error, NotImplementedError):
    """An operator has no kernel."""

class IoError(Error, OSError):
    """The operating system refused: a missing file, a full disk."""

class InternalError(Error, RuntimeError):
    """A promise inside qdq was broken: a bug."""

class DType(enum.Enum):
    """Element types, under PyTorch's names."""

    uint8 = 0

    int8 = 1

    int16 = 2

    int32 = 3

    int64 = 4

    float16 = 5

    float32 = 6

    float64 = 7

    complex32 = 8

    complex64 = 9

    complex128 = 10

    bool_ = 11

    bfloat16 = 12

    uint16 = 13

    uint32 = 14

    uint64 = 15

    float8_e4m3fn = 16

    float8_e5m2 = 17

    float8_e4m3fnuz = 18

    float8_e5m2fnuz = 19

    quint8 = 20

    qint8 = 21

    qint32 = 22

    quint4x2 = 23

    uint1 = 24

    uint2 = 25

    uint3 = 26

    uint4 = 27

    uint5 = 28

    uint6 = 29

    uint7 = 30

    int1 = 31

    int2 = 32

    int3 = 33

    int4 = 34

    int5 = 35

    int6 = 36

    int7 = 37

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""

class QScheme(enum.Enum):
    """How scale and zero point are laid out and chosen."""

    per_tensor_affine = 0

    per_tensor_symmetric = 1

    per_channel_affine = 2

    per_channel_symmetric = 3

    per_channel_affine_float_qparams = 4

class Tensor:
    """
    A strided array of numbers: dtype, shape, strides in elements.

    ``np.asarray(tensor)``, ``np.from_dlpack(tensor)`` and ``torch.from_dlpack(tensor)`` share its memory; ``Tensor(array)``
    shares that of a numpy array, a torch tensor or anything else with DLPack or the buffer protocol, on the CPU.
    """

    def __init__(self, array: qdq.typing.ArrayLike) -> None: ...

    @staticmethod
    def meta(dtype: DType, shape: Sequence[int], strides: Sequence[int] | None = None) -> Tensor:
        """Sizes without data."""

    @property
    def dtype(self) -> DType: ...

    @property
    def shape(self) -> tuple: ...

    @property
    def strides(self) -> tuple:
        """In elements."""

    @property
    def is_meta(self) -> bool:
        """True for sizes without data."""

    @property
    def nbytes(self) -> int: ...

    @property
    def data_ptr(self) -> int:
        """The address of the first element."""

    def item(self) -> float:
        """
        The one element as a float. Raises InvalidArgumentError for more than one.
        """

    def numpy(self) -> Annotated[NDArray, dict(Any, Any)]:
        """
        A numpy array that shares the memory. numpy has no bfloat16 and no float8.
        """

    def view(self, dtype: DType) -> Tensor:
        """The same bytes as elements of another dtype of the same size."""

    def bit_equal(self, other: qdq.typing.ArrayLike) -> bool:
        """Same dtype, shape and bits; NaNs compare by their bits."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Annotated[NDArray, dict(Any, Any)]: ...

    def __dlpack__(self, **options: Any) -> Any: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...

    def __len__(self) -> int: ...

    def __repr__(self) -> str: ...

class SymInt:
    """A size that is an expression of symbols, as sympy text."""

    def __init__(self, expr: str, hint: int | None = None) -> None: ...

    @property
    def expr(self) -> str: ...

    @property
    def hint(self) -> int | None:
        """The value at export time."""

    def __eq__(self, other: object) -> bool: ...

    def __repr__(self) -> str: ...

class Device:
    """Where a tensor lives: 'cpu', 'cuda' and an index."""

    def __init__(self, type: str, index: int | None = None) -> None: ...

    @property
    def type(self) -> str: ...

    @property
    def index(self) -> int | None: ...

class Layout(enum.Enum):
    strided = 0

    sparse_coo = 1

    sparse_csr = 2

    sparse_csc = 3

    sparse_bsr = 4

    sparse_bsc = 5

    mkldnn = 6

class MemoryFormat(enum.Enum):
    contiguous = 0

    channels_last = 1

    channels_last_3d = 2

    preserve = 3

class TensorMeta:
    """dtype, shape and strides of a tensor; sizes may be symbolic."""

    def __init__(self, dtype: DType, shape: Sequence[int | SymInt], strides: Sequence[int | SymInt], storage_offset: int | SymInt = 0, requires_grad: bool = False, device: Device = ..., layout: Layout = Layout.strided) -> None: ...

    @property
    def dtype(self) -> DType: ...

    @property
    def shape(self) -> list[int | SymInt]: ...

    @property
    def strides(self) -> list[int | SymInt]: ...

    @property
    def requires_grad(self) -> bool: ...

    def __repr__(self) -> str: ...

class SymBool:
    """A symbolic bool, as sympy text."""

    def __init__(self, expr: str, hint: bool | None = None) -> None: ...

    @property
    def expr(self) -> str: ...

    @property
    def hint(self) -> bool | None: ...

class SymFloat:
    """A symbolic float, as sympy text."""

    def __init__(self, expr: str, hint: float | None = None) -> None: ...

    @property
    def expr(self) -> str: ...

    @property
    def hint(self) -> float | None: ...

class Node:
    """
    One operation of a graph, with torch.fx's names.

    A node keeps its graph alive.
    """

    @property
    def op(self) -> str:
        """'placeholder', 'get_attr', 'call_function', 'call_module' or 'output'."""

    @property
    def name(self) -> str: ...

    @property
    def target(self) -> str:
        """
        The operator ("aten.conv2d.default"), or the dotted name of a tensor or observer.
        """

    @target.setter
    def target(self, arg: str, /) -> None: ...

    @property
    def args(self) -> tuple[qdq.typing.Argument, ...]:
        """
        Positional arguments: nodes, numbers, strings, dtypes, None, lists and dicts of these.
        """

    @args.setter
    def args(self, args: Sequence[qdq.typing.Argument], /) -> None: ...

    @property
    def kwargs(self) -> dict[str, qdq.typing.Argument]: ...

    @kwargs.setter
    def kwargs(self, kwargs: dict[str, qdq.typing.Argument], /) -> None: ...

    @property
    def users(self) -> list[Node]:
        """The nodes that read this one, each once, in torch.fx's order."""

    @property
    def all_input_nodes(self) -> list[Node]:
        """The nodes that this one reads, each once."""

    @property
    def next(self) -> Node | None: ...

    @property
    def prev(self) -> Node | None: ...

    @property
    def graph(self) -> Graph: ...

    @property
    def meta(self) -> Metadata: ...

    def _set_metadata(self, entries: Sequence[tuple[str, str]]) -> None:
        """
        Replaces all metadata: for graphs that cross as a whole, one call for each node.
        """

    @property
    def erased(self) -> bool: ...

    @property
    def annotation(self) -> QuantizationAnnotation | None:
        """What a quantizer says about this node."""

    @annotation.setter
    def annotation(self, annotation: QuantizationAnnotation | None, /) -> None: ...

    @property
    def value_type(self) -> qdq.typing.ValueType:
        """
        What is known about the value: a TensorMeta, a SymInt, an int, a list of these, or None.
        """

    @value_type.setter
    def value_type(self, value_type: qdq.typing.ValueType, /) -> None: ...

    def replace_all_uses_with(self, replacement: Node) -> list[Node]:
        """Returns the users, which read `replacement` from now on."""

    def replace_input_with(self, old: Node, new: Node) -> None: ...

    def describe(self) -> str:
        """"'conv2d' (aten.conv2d.default) at model.py:12", for messages."""

    def __repr__(self) -> str: ...

    def __str__(self) -> str: ...

class Graph:
    """A list of nodes in execution order, with unique names."""

    def __init__(self) -> None: ...

    @property
    def nodes(self) -> list[Node]:
        """All nodes in execution order."""

    def __len__(self) -> int: ...

    def find(self, name: str) -> Node | None:
        """The node of that name."""

    def placeholder(self, name: str) -> Node: ...

    def get_attr(self, target: str) -> Node: ...

    def call_function(self, target: str, args: Sequence[qdq.typing.Argument], kwargs: qdq.typing.Argument | None = None) -> Node:
        """A new node at the end."""

    def output(self, results: Sequence[qdq.typing.Argument]) -> Node: ...

    def create_node(self, op: str, target: str, args: Sequence[qdq.typing.Argument], kwargs: dict[str, qdq.typing.Argument] | None = None, name: str = '', before: Node | None = None) -> Node:
        """A new node in front of `before`, or at the end. `name` is made unique."""

    def erase_node(self, node: Node) -> None:
        """
        Raises InternalError while the node has users, and for one that is not in the graph.
        """

    def reserve_name(self, name: str) -> str:
        """
        Takes `name`, or a name made from it that is free, so that no node gets it.
        """

    @property
    def notes(self) -> list[tuple[str, str, str]]:
        """Why a pass left a node alone: (node, pass, reason)."""

    def __str__(self) -> str: ...

    def __repr__(self) -> str: ...

class Metadata:
    """
    The string metadata of a node, in order: a mapping that writes through.
    """

    def __getitem__(self, arg: str, /) -> str: ...

    def __setitem__(self, arg0: str, arg1: str, /) -> None: ...

    def __delitem__(self, arg: str, /) -> None: ...

    def __contains__(self, arg: str, /) -> bool: ...

    def get(self, key: str, default: str | None = None) -> str | None: ...

    def items(self) -> list[tuple[str, str]]: ...

    def __repr__(self) -> str: ...

class Subgraph:
    """The body of a higher-order op."""

    def __init__(self, name: str, graph: Graph) -> None: ...

    @property
    def name(self) -> str: ...

    @property
    def graph(self) -> Graph: ...

class Operator:
    """An operator passed as a value."""

    def __init__(self, target: str) -> None: ...

    @property
    def target(self) -> str: ...

class Opaque:
    """An argument that qdq only carries."""

    def __init__(self, kind: str, json: str) -> None: ...

    @property
    def kind(self) -> str: ...

    @property
    def json(self) -> str: ...

class _GraphState:
    """A graph as it was when this was made."""

    def __init__(self, graph: Graph) -> None: ...

    def changes(self) -> tuple[list[Node], list[Node], list[Node]]:
        """
        The nodes that have changed since: arguments or target; metadata; name or users. None that are new.
        """

    def metadata(self, node: Node) -> list[tuple[str, str]]:
        """The entries that the node had."""

class AttributeKind(enum.Enum):
    parameter = 0

    buffer = 1

    constant = 2

    custom_obj = 3

class Attribute:
    """
    A tensor that belongs to a program: weight, running statistic, lifted literal.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> AttributeKind: ...

    @property
    def value(self) -> Tensor | None: ...

    @property
    def persistent(self) -> bool:
        """Buffers: part of the state dict."""

    @property
    def requires_grad(self) -> bool: ...

    def __repr__(self) -> str: ...

class OutputKind(enum.Enum):
    user_output = 0

    loss_output = 1

    buffer_mutation = 2

    user_input_mutation = 3

    parameter_mutation = 4

    gradient_to_parameter = 5

    gradient_to_user_input = 6

    token = 7

class OutputSpec:
    """One result of a program: its kind, and what it is written to."""

    def __init__(self, kind: OutputKind, target: str = '') -> None: ...

    @property
    def kind(self) -> OutputKind: ...

    @property
    def target(self) -> str: ...

class InputKind(enum.Enum):
    user_input = 0

    constant_input = 1

    token = 2

class InputSpec:
    """One input of a program."""

    def __init__(self, kind: InputKind, name: str, constant: qdq.typing.Argument | None = None) -> None: ...

    @property
    def kind(self) -> InputKind: ...

    @property
    def name(self) -> str: ...

    @property
    def constant(self) -> object: ...

class Program:
    """
    A captured network: graph, tensors and signature. Mirrors torch.export.ExportedProgram.
    """

    def __init__(self) -> None: ...

    def text(self, *, attributes: bool = False, metadata: bool = False, passthrough: bool = False, data: str = 'small') -> str:
        """
        The graph's text form, which qdq.parse_program reads back (docs/graph_text.md).

        attributes: a line for each tensor. metadata: what torch.export noted, below its node. passthrough: the JSON beside the
        graph. data: which tensors print their values: 'none', 'small' or 'all'.
        """

    def __str__(self) -> str: ...

    def __repr__(self) -> str: ...

    @property
    def graph(self) -> Graph: ...

    @property
    def inputs(self) -> list[InputSpec]: ...

    @inputs.setter
    def inputs(self, arg: Sequence[InputSpec], /) -> None: ...

    @property
    def outputs(self) -> list[OutputSpec]: ...

    @outputs.setter
    def outputs(self, arg: Sequence[OutputSpec], /) -> None: ...

    @property
    def attributes(self) -> list[Attribute]:
        """The tensors, in order."""

    def tensor(self, name: str) -> Tensor:
        """
        The tensor of that dotted name. Raises InvalidArgumentError when there is none.
        """

    def add_attribute(self, name: str, kind: AttributeKind, value: qdq.typing.ArrayLike, persistent: bool = True, requires_grad: bool = False, lifted_name: str = '') -> None:
        """Raises InvalidArgumentError when the name is taken."""

    @property
    def range_constraints(self) -> dict[str, tuple[int | None, int | None]]:
        """
        The (smallest, largest) value of each symbol; None where there is no bound.
        """

    @range_constraints.setter
    def range_constraints(self, arg: Mapping[str, tuple[int | None, int | None]], /) -> None: ...

    @property
    def passthrough(self) -> dict[str, str]:
        """JSON texts that a .pt2 file carries beside the graph."""

    @passthrough.setter
    def passthrough(self, arg: Mapping[str, str], /) -> None: ...

    def clone(self) -> Program:
        """A copy that shares the tensors."""

    def to_exported_program(self) -> torch.export.ExportedProgram:
        """
        qdq.to_exported_program(self): a torch.export.ExportedProgram that shares the tensors.
        """

    def _replace_with(self, other: Program) -> None:
        """Takes over what `other` holds; `other` is empty afterwards."""

def load(path: str | os.PathLike, verify_weights: bool = False) -> Program:
    """
    Reads a program; the extension says the format (.pt2 is what torch.export.save writes, .onnx is ONNX).

    Weights are mapped from the file. verify_weights: compare their checksums, which reads them all.
    Raises IoError when the file cannot be opened, FormatError when it is damaged, InvalidArgumentError for an unknown
    extension.
    """

def save(program: Program, path: str | os.PathLike, *, opset: int = 21, keep_int8: bool = False, round_biases: bool = False) -> None:
    """
    Writes a program; the extension says the format. The file appears when it is complete.

    Of ONNX files: opset is the version of its operators, 13 to 23. keep_int8: activations in int8 stay int8. By default they
    become uint8 with a zero point higher by 128: the same numbers, for kernels that want them so. round_biases: biases become
    multiples of input scale * weight scale, which is all that int8 kernels with int32 biases keep of them.
    Raises IoError, InvalidArgumentError for an unknown extension, and FormatError, which names the node, for a graph that the
    format cannot express.
    """

def _read_pt2_model(json: str, tensors: Sequence[tuple[str, qdq.typing.ArrayLike, bool]]) -> Program:
    """A program from torch's JSON and (name, tensor, requires_grad) triples."""

def _write_pt2_model(program: Program) -> str:
    """The program's JSON as torch.export writes it."""

def parse_program(text: str, where: str = 'text') -> Program:
    """The program of a text form. Raises FormatError with line and column."""

def load_tensors(path: str | os.PathLike) -> list[tuple[str, Tensor]]:
    """
    The (name, tensor) pairs of a .npy, .npz or .safetensors file, mapped where the file allows it.
    """

class PerTensor:
    """One scale for the tensor."""

    def __init__(self) -> None: ...

class PerAxis:
    """One scale for each index of `axis`."""

    def __init__(self, axis: int) -> None: ...

    @property
    def axis(self) -> int: ...

class PerGroup:
    """One scale for each run of `group_size` elements of the last dimension."""

    def __init__(self, group_size: int) -> None: ...

    @property
    def group_size(self) -> int: ...

class PerToken:
    """One scale for each row of the last dimension."""

    def __init__(self) -> None: ...

class PerRow:
    """One scale for each run along dimension `dim`."""

    def __init__(self, dim: int = -1) -> None: ...

    @property
    def dim(self) -> int: ...

class PerBlock:
    """One scale for each block of these sizes."""

    def __init__(self, block_size: Sequence[int]) -> None: ...

    @property
    def block_size(self) -> list[int]: ...

class MappingType(enum.Enum):
    """How bounds become a scale and a zero point."""

    SYMMETRIC = 0

    SYMMETRIC_NO_CLIPPING_ERR = 1

    ASYMMETRIC = 2

class ZeroPointDomain(enum.Enum):
    """What a zero point is."""

    INT = 0

    FLOAT = 1

    NONE = 2

class AffineConfig:
    """What an affine observer was built with."""

    def __init__(self, mapping_type: MappingType, target_dtype: DType, granularity: PerTensor | PerAxis | PerGroup | PerToken | PerRow | PerBlock, quant_min: int | None = None, quant_max: int | None = None, eps: float | None = None, scale_dtype: DType | None = None, zero_point_dtype: DType | None = None, preserve_zero: bool = True, zero_point_domain: ZeroPointDomain = ZeroPointDomain.INT, block_size: Sequence[int] | None = None) -> None: ...

    @property
    def mapping_type(self) -> MappingType: ...

    @property
    def target_dtype(self) -> DType: ...

    @property
    def granularity(self) -> PerTensor | PerAxis | PerGroup | PerToken | PerRow | PerBlock: ...

    @property
    def quant_min(self) -> int | None: ...

    @property
    def quant_max(self) -> int | None: ...

    @property
    def block_size(self) -> list[int] | None:
        """Of the newest value; None before the first."""

def block_size_of(granularity: PerTensor | PerAxis | PerGroup | PerToken | PerRow | PerBlock, shape: Sequence[int]) -> list[int]:
    """
    The size of a block in each dimension. Raises InvalidArgumentError where blocks do not divide the shape.
    """

class _AffineQParams:
    """
    How the blocks of a tensor are quantized; quantized values lie within the bounds.
    """

    def __init__(self, block_size: Sequence[int], scale: qdq.typing.ArrayLike, zero_point: qdq.typing.ArrayLike | None, quant_min: float, quant_max: float, zero_point_domain: ZeroPointDomain) -> None: ...

def _fake_quantize_affine(input: qdq.typing.ArrayLike, qparams: _AffineQParams) -> tuple[Tensor, Tensor]:
    """
    The quantized and dequantized values, and a mask of those that a gradient goes through.
    """

def _fake_quantize_affine_backward(gradient: qdq.typing.ArrayLike, inside: qdq.typing.ArrayLike, qparams: _AffineQParams) -> Tensor:
    """The gradient of the input."""

def _fake_quantize(input: qdq.typing.ArrayLike, scale: qdq.typing.ArrayLike, zero_point: qdq.typing.ArrayLike, ch_axis: int | None, quant_min: int, quant_max: int, values: qdq.typing.ArrayLike, inside: qdq.typing.ArrayLike) -> None:
    """
    Writes the quantized and dequantized values, and the mask of those that a gradient goes through.
    """

def _fake_quantize_backward(gradient: qdq.typing.ArrayLike, inside: qdq.typing.ArrayLike, result: qdq.typing.ArrayLike) -> None:
    """Writes the gradient of the input."""

def _fake_quantize_learnable_backward(gradient: qdq.typing.ArrayLike, input: qdq.typing.ArrayLike, scale: qdq.typing.ArrayLike, zero_point: qdq.typing.ArrayLike, ch_axis: int | None, quant_min: int, quant_max: int, factor: float, input_gradient: qdq.typing.ArrayLike) -> tuple[Tensor, Tensor]:
    """
    Writes the gradient of the input; returns those of scale and zero point.
    """

class _MovingAverageFakeQuantizer:
    """
    A moving-average observer and a fake quantizer on four tensors of the caller's, which it writes to.
    """

    def __init__(self, min_val: qdq.typing.ArrayLike, max_val: qdq.typing.ArrayLike, scale: qdq.typing.ArrayLike, zero_point: qdq.typing.ArrayLike, averaging_constant: float, quant_min: int, quant_max: int, ch_axis: int | None, is_symmetric: bool) -> None: ...

    def observe(self, input: qdq.typing.ArrayLike) -> None:
        """Updates min_val and max_val."""

    def fake_quantize(self, input: qdq.typing.ArrayLike, observe: bool, values: qdq.typing.ArrayLike, inside: qdq.typing.ArrayLike) -> None:
        """
        Observes if asked to, updates scale and zero_point, and writes values and mask.
        """

class ObserverOptions:
    """
    What an observer is built with, under the names of PyTorch's constructors.

    Each observer reads the options that its PyTorch constructor has; one that is None takes that observer's default.
    """

    def __init__(self, *, dtype: DType | None = None, qscheme: QScheme | None = None, quant_min: int | None = None, quant_max: int | None = None, ch_axis: int | None = None, is_dynamic: bool | None = None, reduce_range: bool | None = None, eps: float | None = None, averaging_constant: float | None = None, bins: int | None = None, scale: float | None = None, zero_point: int | None = None, percentile: float | None = None, mapping_type: MappingType | None = None, granularity: PerTensor | PerAxis | PerGroup | PerToken | PerRow | PerBlock | None = None, scale_dtype: DType | None = None, zero_point_dtype: DType | None = None, preserve_zero: bool | None = None, zero_point_domain: ZeroPointDomain | None = None) -> None: ...

    @property
    def dtype(self) -> DType | None: ...

    @property
    def qscheme(self) -> QScheme | None: ...

    @property
    def quant_min(self) -> int | None: ...

    @property
    def quant_max(self) -> int | None: ...

    @property
    def ch_axis(self) -> int | None: ...

    @property
    def is_dynamic(self) -> bool | None: ...

    @property
    def reduce_range(self) -> bool | None: ...

    @property
    def eps(self) -> float | None: ...

    @property
    def averaging_constant(self) -> float | None: ...

    @property
    def bins(self) -> int | None: ...

    @property
    def scale(self) -> float | None: ...

    @property
    def zero_point(self) -> int | None: ...

    @property
    def percentile(self) -> float | None: ...

    @property
    def mapping_type(self) -> MappingType | None: ...

    @property
    def granularity(self) -> PerTensor | PerAxis | PerGroup | PerToken | PerRow | PerBlock | None: ...

    @property
    def scale_dtype(self) -> DType | None: ...

    @property
    def zero_point_dtype(self) -> DType | None: ...

    @property
    def preserve_zero(self) -> bool | None: ...

    @property
    def zero_point_domain(self) -> ZeroPointDomain | None: ...

class Observer:
    """
    Watches the values of one place and chooses scale and zero point.

    The core's observers come from ObserverFactory. A subclass defines observe(value) and calculate_qparams() -> (scale,
    zero_point); it may define has_observed() and is_idempotent(). The memory of `value` is used again after the call: copy what you
    keep.
    """

    def __init__(self, dtype: DType, qscheme: QScheme = QScheme.per_tensor_affine, quant_min: int = 0, quant_max: int = 255, ch_axis: int | None = None, is_dynamic: bool = False, eps: float = 1.1920928955078125e-07, kind: str = 'Observer', affine: AffineConfig | None = None) -> None: ...

    @property
    def kind(self) -> str:
        """The class name, PyTorch's: 'HistogramObserver'."""

    def observe(self, value: qdq.typing.ArrayLike) -> None:
        """
        Any shape, any dtype that converts to float32. Raises InvalidArgumentError for values that the observer cannot digest (NaN in a histogram).
        """

    def calculate_qparams(self) -> tuple[Tensor, Tensor | None]:
        """
        (scale, zero_point): float32 of shape [1] or [channels], and int64, int32 or float32 of the same shape.

        An affine observer has an element for each block. Raises InvalidArgumentError where PyTorch's observer has none.
        """

    def has_observed(self) -> bool:
        """False until the first value came."""

    def is_idempotent(self) -> bool:
        """True when observing everything again would change nothing."""

    def state(self) -> list[tuple[str, Tensor]]:
        """
        (name, tensor) pairs: the buffers of PyTorch's state dict, in memory of their own.
        """

    def load_state(self, state: Sequence[tuple[str, qdq.typing.ArrayLike]]) -> None:
        """Raises InvalidArgumentError for missing buffers and wrong shapes."""

    def merge(self, other: Observer) -> None:
        """Adds what `other` has seen."""

    @property
    def can_merge(self) -> bool: ...

    @property
    def recorded(self) -> list[Tensor]:
        """What a RecordingObserver kept."""

    @property
    def dtype(self) -> DType: ...

    @property
    def qscheme(self) -> QScheme: ...

    @property
    def quant_min(self) -> int: ...

    @property
    def quant_max(self) -> int: ...

    @property
    def ch_axis(self) -> int | None: ...

    @property
    def is_dynamic(self) -> bool: ...

    @property
    def eps(self) -> float: ...

    @property
    def affine(self) -> AffineConfig | None: ...

    def __repr__(self) -> str: ...

class ObserverFactory:
    """
    Builds observers of one kind: PyTorch's ``Observer.with_args(...)``.

    ObserverFactory('HistogramObserver') is one of the core's (qdq.observer_names()). ObserverFactory(name, build) calls the
    Python function build(options) -> Observer.
    """

    @overload
    def __init__(self, name: str) -> None: ...

    @overload
    def __init__(self, kind: str, build: Callable[[ObserverOptions], Observer], defaults: ObserverOptions = ...) -> None: ...

    @property
    def kind(self) -> str: ...

    @property
    def defaults(self) -> ObserverOptions: ...

    @property
    def build(self) -> Callable[[ObserverOptions], Observer] | None:
        """The Python function that builds, None for the core's observers."""

    def with_args(self, options: ObserverOptions) -> ObserverFactory:
        """A factory whose `options` win over the present ones."""

    def __call__(self, options: ObserverOptions = ...) -> Observer:
        """
        A new observer. Raises InvalidArgumentError for options that PyTorch's constructor refuses.
        """

def observer_names() -> list[str]:
    """The names that ObserverFactory knows."""

class QuantizationSpec:
    """
    How to quantize a place: build an observer for it.

    Bounds that are None are the observer's defaults for the dtype.
    """

    def __init__(self, dtype: DType, observer_or_fake_quant_ctr: ObserverFactory, quant_min: int | None = None, quant_max: int | None = None, qscheme: QScheme | None = None, ch_axis: int | None = None, is_dynamic: bool = False) -> None: ...

    @property
    def dtype(self) -> DType: ...

    @property
    def observer_or_fake_quant_ctr(self) -> ObserverFactory: ...

    @property
    def quant_min(self) -> int | None: ...

    @property
    def quant_max(self) -> int | None: ...

    @property
    def qscheme(self) -> QScheme | None: ...

    @property
    def ch_axis(self) -> int | None: ...

    @property
    def is_dynamic(self) -> bool: ...

class FixedQParamsQuantizationSpec:
    """Scale and zero point that are known beforehand."""

    def __init__(self, dtype: DType, scale: float, zero_point: int, quant_min: int | None = None, quant_max: int | None = None, qscheme: QScheme | None = None, is_dynamic: bool = False) -> None: ...

    @property
    def dtype(self) -> DType: ...

    @property
    def scale(self) -> float: ...

    @property
    def zero_point(self) -> int: ...

    @property
    def quant_min(self) -> int | None: ...

    @property
    def quant_max(self) -> int | None: ...

    @property
    def qscheme(self) -> QScheme | None: ...

    @property
    def is_dynamic(self) -> bool: ...

class SharedQuantizationSpec:
    """The observer of another place, annotated earlier or later."""

    def __init__(self, edge_or_node: Node | tuple[Node, Node]) -> None: ...

    @property
    def edge_or_node(self) -> Node | tuple[Node, Node]: ...

class DerivedQuantizationSpec:
    """
    Computed from the observers of other places when it is needed.

    derive_qparams_fn(observers) -> (scale, zero_point).
    """

    def __init__(self, derived_from: Sequence[Node | tuple[Node, Node]], derive_qparams_fn: Callable[[list[Observer]], tuple[qdq.typing.ArrayLike, qdq.typing.ArrayLike | None]], dtype: DType, quant_min: int | None = None, quant_max: int | None = None, qscheme: QScheme | None = None, ch_axis: int | None = None, is_dynamic: bool = False) -> None: ...

    @property
    def derived_from(self) -> list[Node | tuple[Node, Node]]: ...

    @property
    def derive_qparams_fn(self) -> Callable[[list[Observer]], Any] | None: ...

    @property
    def dtype(self) -> DType: ...

    @property
    def quant_min(self) -> int | None: ...

    @property
    def quant_max(self) -> int | None: ...

    @property
    def qscheme(self) -> QScheme | None: ...

    @property
    def ch_axis(self) -> int | None: ...

    @property
    def is_dynamic(self) -> bool: ...

class QuantizationAnnotation:
    """
    What a quantizer says about one node. prepare reads it and nothing else.

    Producers and places of specs are nodes of one graph; InvalidArgumentError otherwise.
    """

    def __init__(self) -> None: ...

    @property
    def input_qspec_map(self) -> list[tuple[Node, None | QuantizationSpec | FixedQParamsQuantizationSpec | SharedQuantizationSpec | DerivedQuantizationSpec]]:
        """
        (producer, spec) pairs, in order; a spec of None leaves that input alone.
        """

    @input_qspec_map.setter
    def input_qspec_map(self, arg: Sequence[tuple[Node, None | QuantizationSpec | FixedQParamsQuantizationSpec | SharedQuantizationSpec | DerivedQuantizationSpec]], /) -> None: ...

    def set_input_qspec(self, producer: Node, spec: QuantizationSpec | FixedQParamsQuantizationSpec | SharedQuantizationSpec | DerivedQuantizationSpec | None) -> None:
        """Sets or replaces one entry."""

    @property
    def output_qspec(self) -> None | QuantizationSpec | FixedQParamsQuantizationSpec | SharedQuantizationSpec | DerivedQuantizationSpec: ...

    @output_qspec.setter
    def output_qspec(self, arg: QuantizationSpec | FixedQParamsQuantizationSpec | SharedQuantizationSpec | DerivedQuantizationSpec | None, /) -> None: ...

    @property
    def allow_implicit_sharing(self) -> bool: ...

    @allow_implicit_sharing.setter
    def allow_implicit_sharing(self, arg: bool, /) -> None: ...

    @property
    def is_output_of_quantized_pattern(self) -> bool:
        """For the Inductor quantizers: ops behind the node may stay in int8."""

    @is_output_of_quantized_pattern.setter
    def is_output_of_quantized_pattern(self, arg: bool, /) -> None: ...

    @property
    def annotated(self) -> bool:
        """For quantizers, to skip what is taken; prepare does not look at it."""

    @annotated.setter
    def annotated(self, arg: bool, /) -> None: ...

    @property
    def quantizer(self) -> str: ...

    @quantizer.setter
    def quantizer(self, arg: str, /) -> None: ...

    @property
    def rule(self) -> str: ...

    @rule.setter
    def rule(self, arg: str, /) -> None: ...

    @property
    def why_not(self) -> str:
        """Without specs: why the node stays in float."""

    @why_not.setter
    def why_not(self, arg: str, /) -> None: ...

def is_valid_annotation(node: Node) -> bool:
    """False for no annotation and for one without specs."""

def annotation_of(node: Node) -> QuantizationAnnotation:
    """The node's annotation, made when it has none."""

class Quantizer:
    """
    Decides what is quantized and how, by annotating nodes.

    A subclass defines annotate(program); it may define name(), transform_for_annotation(program), validate(program) and
    prepare_obs_or_fq_callback(program, observers) -> observers | None, where observers is a list of (node or edge, Observer)
    pairs. prepare calls them in this order. A `program` that is kept beyond the call shares its graph with the prepared one.
    """

    def __init__(self) -> None: ...

    def name(self) -> str: ...

    def transform_for_annotation(self, program: Program) -> None: ...

    def annotate(self, program: Program) -> None: ...

    def validate(self, program: Program) -> None: ...

    def prepare_obs_or_fq_callback(self, program: Program, observers: Sequence[tuple[Node | tuple[Node, Node], Observer | None]]) -> list[tuple[Node | tuple[Node, Node], Observer | None]]: ...

class ComposableQuantizer(Quantizer):
    """Several quantizers as one: the first to annotate a node keeps it."""

    def __init__(self, quantizers: Sequence[Quantizer]) -> None: ...

class QuantizationConfig:
    """
    What a backend asks for: one spec per role; a role that is None stays in float.
    """

    def __init__(self, input_activation: QuantizationSpec | None = None, output_activation: QuantizationSpec | None = None, weight: QuantizationSpec | None = None, bias: QuantizationSpec | None = None, is_qat: bool = False) -> None: ...

    @property
    def input_activation(self) -> QuantizationSpec | None: ...

    @property
    def output_activation(self) -> QuantizationSpec | None: ...

    @property
    def weight(self) -> QuantizationSpec | None: ...

    @property
    def bias(self) -> QuantizationSpec | None: ...

    @property
    def is_qat(self) -> bool: ...

def symmetric_config(per_channel: bool = False, is_dynamic: bool = False, act_qmin: int = -128, act_qmax: int = 127, weight_qmin: int = -127, weight_qmax: int = 127) -> QuantizationConfig:
    """XNNPACK's: int8 affine activations, int8 symmetric weights."""

def x86_config(is_dynamic: bool = False, reduce_range: bool = False) -> QuantizationConfig:
    """uint8 affine activations, int8 weights symmetric per output channel."""

def x86_linear_dynamic_fp16_config() -> QuantizationConfig:
    """Weights in float16, all else in float32."""

def arm_config(is_dynamic: bool = False) -> QuantizationConfig:
    """int8 affine activations, int8 weights symmetric per tensor."""

def xpu_config() -> QuantizationConfig:
    """int8 affine activations, int8 weights symmetric per output channel."""

def embedding_config() -> QuantizationConfig:
    """uint8 with a float scale and zero point for each row of the table."""

class XnnpackQuantizer(Quantizer):
    """PyTorch's XNNPACKQuantizer."""

    def __init__(self) -> None: ...

    def set_global(self, config: QuantizationConfig) -> None: ...

    def set_module_type(self, qualified_type: str, config: QuantizationConfig) -> None: ...

    def set_module_name(self, module_name: str, config: QuantizationConfig) -> None: ...

    def exclude(self, pattern: str) -> None:
        """
        Nodes whose name, op or module path matches a shell pattern stay in float.
        """

    def set_observe_masks(self, observe: bool) -> None: ...

def op_annotators() -> list[str]:
    """The names of XNNPACK's annotators, fusions before their parts."""

def annotate_op(name: str, program: Program, config: QuantizationConfig, filter: Callable[[Node], bool] | None = None) -> list[list[Node]]:
    """
    Runs one of XNNPACK's annotators. Returns the partitions that it annotated, output node first.

    Raises InvalidArgumentError for an unknown name.
    """

def propagate_annotation(program: Program) -> None:
    """
    Ops that only pass values on take over the output spec of their annotated producer.
    """

class X86Quantizer(Quantizer):
    """PyTorch's X86InductorQuantizer."""

    def __init__(self) -> None: ...

    def set_global(self, config: QuantizationConfig) -> None: ...

    def set_module_name(self, module_name: str, config: QuantizationConfig | None) -> None:
        """None keeps what it names in float."""

    def set_module_type(self, qualified_type: str, config: QuantizationConfig | None) -> None: ...

    def set_function_type(self, op: str, config: QuantizationConfig | None) -> None:
        """Raises InvalidArgumentError for an op without recipe."""

    def exclude(self, pattern: str) -> None:
        """
        Nodes whose name, op or module path matches a shell pattern stay in float.
        """

    def set_observe_masks(self, observe: bool) -> None: ...

class ArmQuantizer(Quantizer):
    """PyTorch's ArmInductorQuantizer."""

    def __init__(self) -> None: ...

    def set_global(self, config: QuantizationConfig) -> None: ...

    def set_module_name(self, module_name: str, config: QuantizationConfig | None) -> None:
        """None keeps what it names in float."""

    def set_module_type(self, qualified_type: str, config: QuantizationConfig | None) -> None: ...

    def set_function_type(self, op: str, config: QuantizationConfig | None) -> None:
        """Raises InvalidArgumentError for an op without recipe."""

    def exclude(self, pattern: str) -> None:
        """
        Nodes whose name, op or module path matches a shell pattern stay in float.
        """

    def set_observe_masks(self, observe: bool) -> None: ...

class XpuQuantizer(Quantizer):
    """PyTorch's XPUInductorQuantizer."""

    def __init__(self) -> None: ...

    def set_global(self, config: QuantizationConfig) -> None: ...

    def set_module_name(self, module_name: str, config: QuantizationConfig | None) -> None:
        """None keeps what it names in float."""

    def set_module_type(self, qualified_type: str, config: QuantizationConfig | None) -> None: ...

    def set_function_type(self, op: str, config: QuantizationConfig | None) -> None:
        """Raises InvalidArgumentError for an op without recipe."""

    def exclude(self, pattern: str) -> None:
        """
        Nodes whose name, op or module path matches a shell pattern stay in float.
        """

    def set_observe_masks(self, observe: bool) -> None: ...

class EmbeddingQuantizer(Quantizer):
    """The tables of embeddings, nothing else."""

    def __init__(self) -> None: ...

class WeightOnlyQuantizer(Quantizer):
    """Weights of convolutions and linears, nothing else."""

    def __init__(self, bits: int = 8, group_size: int | None = None) -> None: ...

def quantizer_by_name(name: str, *, per_channel: bool | None = None, is_dynamic: bool = False, reduce_range: bool = False, symmetric_activations: bool = False, observer: str | None = None, weight_observer: str | None = None, weight_bits: int = 8, group_size: int | None = None, least_scale: float | None = None, observe_masks: bool = False, also: Sequence[str] = [], exclude: Sequence[str] = []) -> Quantizer:
    """
    'xnnpack', 'x86', 'arm', 'xpu', 'embedding', 'weight_only', or several as 'embedding,x86'.

    Raises InvalidArgumentError for an unknown name and for an option that the quantizer does not have.
    """

def quantizer_names() -> list[str]:
    """The names that quantizer_by_name knows."""

def run_pass(program: Program, name: str) -> int:
    """
    Runs one pass in place. Returns the number of changes. Raises InvalidArgumentError for an unknown name.
    """

def pass_names() -> list[str]:
    """The names that run_pass knows."""

def move_exported_model_to_eval(program: Program) -> int:
    """Dropouts and batch norms evaluate. Returns how many ops changed."""

def move_exported_model_to_train(program: Program) -> int:
    """Dropouts and batch norms train. Returns how many ops changed."""

class Session:
    """
    A program ready to run, from any number of threads at the same time.

    Session(program, executor='fast', threads=0): 'fast' has float and int8 kernels, 'simulated' computes quantized ops in float
    between dequantize and quantize, as torch does, 'reference' is the readable interpreter. threads: of each run; 0 uses all
    cores. The session has the program as it is now: later changes do not reach it.
    """

    def __init__(self, program: Program, executor: str = 'fast', threads: int = 0) -> None: ...

    def run(self, inputs: Sequence[qdq.typing.ArrayLike]) -> list[Tensor]:
        """
        One array per user input, in order; the results in the order of the program's user outputs.

        A program that changes its buffers has one run after the other.
        Raises InvalidArgumentError for inputs of the wrong number, rank, dtype or size and for a NaN in one, and
        UnsupportedOpError, which names op, node and source line, for an op without a kernel.
        """

class Executor:
    """
    What looks into the runs of a program: as Session, but one run after the other.

    Takes NaNs.
    """

    def __init__(self, program: Program, executor: str = 'fast', threads: int = 0) -> None: ...

    def run(self, inputs: Sequence[qdq.typing.ArrayLike]) -> list[Tensor]:
        """As Session.run."""

    def keep_values(self, nodes: Sequence[str]) -> None:
        """Makes run() keep the values of these nodes, by name."""

    def kept_value(self, node: str) -> Tensor | None:
        """The value of that node in the latest run; None when it did not run."""

class PreparedProgram:
    """A program with observers in it. Calibrate it, then convert it."""

    def __init__(self, program: Program, observers: Mapping[str, Observer]) -> None:
        """
        Takes over `program`, whose call_module nodes name `observers`; `program` is empty afterwards.
        """

    @property
    def graph(self) -> Graph: ...

    @property
    def observers(self) -> dict[str, Observer]:
        """
        By the target of their call_module nodes. One observer may stand under several names.
        """

    @property
    def attributes(self) -> list[Attribute]: ...

    @property
    def warnings(self) -> list[str]:
        """What to know of the annotation: nothing or little was annotated."""

    def text(self) -> str: ...

    def __str__(self) -> str: ...

    def set_executor(self, executor: str = 'fast', threads: int = 0) -> None:
        """Which executor calibrates. Call it before the first calibration."""

    def run(self, batch: object) -> list[Tensor]:
        """
        Calibrates on one batch: an array, or a tuple with one array per user input. Returns the float results.

        Raises InvalidArgumentError for inputs of the wrong number, rank, dtype or size.
        """

    def _calibrate(self, batches: Iterable, workers: int = 1, after_batch: Callable[[int], None] | None = None) -> int: ...

def prepare(program: Program, quantizer: Quantizer, disabled_passes: Sequence[str] = []) -> PreparedProgram:
    """
    Folds batch norms, asks the quantizer, inserts observers. `program` stays as it is.

    Raises InvalidArgumentError for annotations that cannot be followed (dangling or cyclic sharing, an edge that does not
    exist), naming the nodes and their source lines.
    """

def _prepare_taking(program: Program, quantizer: Quantizer, is_qat: bool = False) -> PreparedProgram:
    """
    prepare() that takes over `program`, which is empty afterwards; is_qat: for training.
    """

def convert(prepared: PreparedProgram, fold_quantize: bool = True, use_reference_representation: bool = False, disabled_passes: Sequence[str] = []) -> Program:
    """
    Replaces observers by quantize and dequantize nodes. `prepared` cannot be used afterwards.

    fold_quantize: weights are stored quantized; False keeps float weights followed by a quantize.
    use_reference_representation: quantized ops are written out in integer arithmetic, to be read; it is not fast.
    Raises InvalidArgumentError when an activation's observer has seen no values.
    """

class OpCount:
    @property
    def quantized(self) -> int: ...

    @property
    def in_float(self) -> int: ...

class QuantizationSummary:
    """What is quantized in a converted program."""

    @property
    def ops(self) -> dict[str, OpCount]:
        """By op."""

    @property
    def quantized(self) -> int: ...

    @property
    def in_float(self) -> int: ...

def summarize_quantization(program: Program) -> QuantizationSummary:
    """How many calls of each op are quantized and how many are in float."""

def _quantizer_for(name: str, preset: str) -> Quantizer:
    """The quantizer of that name as a preset wants it."""

def _prepare_improved(program: Program, quantizer: Quantizer, preset: str, batches: Iterable) -> PreparedProgram:
    """prepare() with what a preset does before calibration."""

def _improve(prepared: PreparedProgram, preset: str, batches: Iterable) -> None:
    """What a preset does between calibration and convert()."""

class SkippedLayer:
    """A layer that an algorithm left alone."""

    @property
    def node(self) -> str: ...

    @property
    def reason(self) -> str: ...

class AccuracyReport:
    """What an accuracy algorithm did."""

    @property
    def changed(self) -> int:
        """Layers, or pairs of layers."""

    @property
    def skipped(self) -> list[SkippedLayer]:
        """In graph order."""

def equalize_layers(program: Program, split_relu6: bool = False) -> AccuracyReport:
    """
    Scales neighbouring layers against each other so that their weights use their ranges equally; changes `program`.

    Cross-layer equalization (Nagel et al. 2019). Needs no data; call it before prepare. The program computes the same.
    split_relu6: a ReLU6 between two layers becomes a ReLU and a minimum per channel; False leaves such pairs alone.
    """

def absorb_high_biases(program: Program, batches: Iterable) -> AccuracyReport:
    """
    Moves what lifts a layer's values off zero into the bias of the next layer; changes `program`.

    High-bias absorption (Nagel et al. 2019), on the means and deviations measured on `batches`. Call it before prepare.
    """

def equalize_activations(program: Program, quantizer: Quantizer, batches: Iterable) -> AccuracyReport:
    """
    Scales the channels of values between layers so that they use one range equally; changes `program`.

    Activation equalization (Meller et al. 2019). The strength is chosen for each group of values that share their channels.
    Call it before prepare, with the quantizer that prepare gets. The program computes the same, but that a channel is cut by a
    ReLU6 where it grows beyond what `batches` show.
    """

def smooth_quant(program: Program, quantizer: Quantizer, batches: Iterable) -> AccuracyReport:
    """
    Divides what linears read by a factor per channel that their weights take over; changes `program`.

    SmoothQuant (Xiao et al. 2022). The strength is chosen for each group of linears that read one value. Call it before
    prepare, with the quantizer that prepare gets. The program computes the same.
    """

def observe_behind_clamps(prepared: PreparedProgram) -> AccuracyReport:
    """
    Lets the observer behind a relu, hardtanh or clamp see the value alone where the op in front has the same one.

    Call it before calibration. What the clamp cuts off takes no part of the range any more.
    """

def widen_activations(prepared: PreparedProgram, batches: Iterable, *, target_sqnr_db: float = 40.0, share: float = 0.125, at_least: int = 4, float_work: float = 0.05) -> AccuracyReport:
    """
    Gives 16 bits to the activations of a calibrated program whose 8 bits cost its outputs most.

    Until the outputs lose no more than target_sqnr_db says by what is left, or share of the quantized values has 16 bits
    (at_least values, however few there are). Layers that read such values run in float: float_work is the share of the
    multiply-accumulates that may.
    """

def widen_weights(prepared: PreparedProgram) -> AccuracyReport:
    """
    Gives 8 bits to weights of fewer bits in first and last layers and in depthwise convolutions.

    Call it before calibration.
    """

def correct_biases(prepared: PreparedProgram, batches: Iterable, kind: str = 'fast', samples: int = 32) -> AccuracyReport:
    """
    Takes what quantized weights shift the mean of each channel by out of the biases of a calibrated program.

    Bias correction (Nagel et al. 2019). kind: 'fast', each layer on the float program's values for the first samples, or
    'full', layer by layer on what the quantized layers before it make, from all samples. Raises InvalidArgumentError for
    batches that do not fit the program.
    """

def adaround(prepared: PreparedProgram, batches: Iterable, iterations: int = 1000, regularizer: float = 1.0) -> AccuracyReport:
    """
    Learns for each weight of a calibrated program whether it is rounded up or down, layer by layer.

    Adaptive rounding (Nagel et al. 2020). The rounded weights take the place of the float ones; convert() finds their integers
    again. regularizer: beside a loss in which rounding one weight the other way costs about 1.
    """

def gptq(prepared: PreparedProgram, batches: Iterable, damping: float = 0.01) -> AccuracyReport:
    """
    Rounds the weights of a calibrated program one after the other, each making up for those before it.

    GPTQ (Frantar et al. 2022), layer by layer. damping: added to the diagonal of the inputs' second moments, relative to its
    mean.
    """

class ErrorStats:
    """How far values are from their reference, gathered over batches."""

    @property
    def count(self) -> int: ...

    @property
    def max_abs(self) -> float:
        """The largest absolute difference."""

    @property
    def mse(self) -> float:
        """The mean squared difference."""

    @property
    def mean_error(self) -> float:
        """The mean of value - reference."""

    @property
    def sqnr_db(self) -> float:
        """10 log10(sum of squares / sum of squared differences)."""

    @property
    def cosine(self) -> float:
        """Of the angle between the two as vectors."""

class TensorDiagnosis:
    """What quantizing one tensor costs."""

    @property
    def node(self) -> str:
        """The node that makes the value."""

    @property
    def observer(self) -> str:
        """The class that chose the range."""

    @property
    def is_weight(self) -> bool: ...

    @property
    def added(self) -> ErrorStats:
        """The float program's value, quantized, against itself."""

    @property
    def inherited(self) -> ErrorStats | None:
        """
        The quantized program's value, before it is quantized, against the float program's.
        """

    @property
    def clipped(self) -> float:
        """The share of the float values outside of the range."""

class OpDiagnosis:
    """What keeping one op in float would bring."""

    @property
    def node(self) -> str: ...

    @property
    def op(self) -> str: ...

    @property
    def own_sqnr_db(self) -> float:
        """Of its value, with what quantizes its inputs, on float inputs."""

    @property
    def gain_db(self) -> float:
        """By which the SQNR of the program's outputs rises with it in float."""

class Diagnosis:
    @property
    def sqnr_db(self) -> float:
        """Of the program's outputs."""

    @property
    def tensors(self) -> list[TensorDiagnosis]:
        """What adds most first."""

    @property
    def ops(self) -> list[OpDiagnosis]:
        """Those that were tried in float, what brings most first."""

    @property
    def exclude(self) -> list[str]:
        """The ops that bring 0.5 dB or more."""

def diagnose(program: Program, quantizer: Quantizer, batches: Iterable, *, accuracy: str = 'fast', ops: int = 8) -> Diagnosis:
    """
    Quantizes a program and shows where its accuracy is lost. `program` stays as it is.

    accuracy: the preset that it is quantized with. ops: how many are tried in float, each at the price of a calibration.
    """

class MixedPrecision:
    """A program with the fewest ops in float that a score allows."""

    @property
    def program(self) -> Program:
        """Quantized."""

    @property
    def in_float(self) -> list[str]:
        """The ops that the search left in float, the most sensitive first."""

    @property
    def in_16_bits(self) -> list[str]:
        """The nodes whose values it gave 16 bits, in graph order."""

    @property
    def float_score(self) -> float: ...

    @property
    def score(self) -> float: ...

    @property
    def evaluations(self) -> int: ...

    @property
    def reached(self) -> bool:
        """score >= float_score - max_drop"""

def quantize_within_drop(program: Program, quantizer: Quantizer, batches: Iterable, evaluate: Callable[[object], float], max_drop: float, *, accuracy: str = 'fast', sixteen_bits: bool = False, start: Callable[[int], None] | None = None) -> MixedPrecision:
    """
    Quantizes as much of a program as max_drop allows. `program` stays as it is.

    evaluate: from a program to a number, higher is better. max_drop: in its units. start: called before the first
    evaluation with the most that there can be. sixteen_bits: give activations 16 bits instead of leaving ops in float.
    """
