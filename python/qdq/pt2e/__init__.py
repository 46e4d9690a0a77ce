"""A drop-in for torchao.quantization.pt2e on the C++ core: change the import prefix and keep the code."""

from typing import Any, Union

from . import export_utils, graph_utils, observer, quantizer, utils
from ._derived import DerivedObserverOrFakeQuantize
from ._numeric_debugger import (
    CUSTOM_KEY,
    FROM_NODE_KEY,
    NUMERIC_DEBUG_HANDLE_KEY,
    compare_results,
    extract_results_from_loggers,
    generate_numeric_debug_handle,
    prepare_for_propagation_comparison,
)
from .export_utils import (
    WrapperModule,
    allow_exported_model_train_eval,
    capture_pre_autograd_graph,
    model_is_exported,
    move_exported_model_to_eval,
    move_exported_model_to_train,
)
from .fake_quantize import (
    AffineFakeQuantize,
    FakeQuantize,
    FakeQuantizeBase,
    FixedQParamsFakeQuantize,
    FusedMovingAvgObsFakeQuantize,
    default_dynamic_fake_quant,
    default_fake_quant,
    disable_fake_quant,
    disable_observer,
    enable_fake_quant,
    enable_observer,
)
from .graph_utils import (
    bfs_trace_with_node_process,
    find_sequential_partitions,
    get_equivalent_types,
    update_equivalent_types_dict,
)
from .learnable_fake_quantize import LearnableFakeQuantize, disable_range_learning, enable_range_learning
from .observer import (
    AffineQuantizedObserverBase,
    FixedQParamsObserver,
    Granularity,
    HistogramObserver,
    MappingType,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    NoopObserver,
    ObserverBase,
    PartialWrapper,
    PerAxis,
    PerBlock,
    PerChannelMinMaxObserver,
    PerGroup,
    PerRow,
    PerTensor,
    PerToken,
    PlaceholderObserver,
    RecordingObserver,
    ReuseInputObserver,
    TorchAODType,
    UniformQuantizationObserverBase,
    ZeroPointDomain,
    get_block_size,
)
from .quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e

ObserverOrFakeQuantize = Union[ObserverBase, FakeQuantizeBase]
ObserverOrFakeQuantizeConstructor = Union[PartialWrapper, type[ObserverBase], type[FakeQuantizeBase], Any]

__all__ = sorted(name for name in globals() if not name.startswith("_") and name not in ("Any", "Union"))
