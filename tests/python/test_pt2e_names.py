"""Users' imports find what they look for after the prefix is changed."""

import importlib
import subprocess
import sys

import pytest

from tools import build_dir

# The names that code written for torchao.quantization.pt2e, and for the older torch.ao.quantization, imports.
NAMES = {
    "": """FROM_NODE_KEY FakeQuantize FusedMovingAvgObsFakeQuantize HistogramObserver MappingType MinMaxObserver
        MovingAverageMinMaxObserver MovingAveragePerChannelMinMaxObserver ObserverBase ObserverOrFakeQuantize PerAxis
        PerChannelMinMaxObserver PerGroup PerTensor PerToken PlaceholderObserver allow_exported_model_train_eval
        default_fake_quant move_exported_model_to_eval move_exported_model_to_train prepare_for_propagation_comparison
        generate_numeric_debug_handle extract_results_from_loggers compare_results export_utils observer
        capture_pre_autograd_graph""",
    ".quantize_pt2e": "prepare_pt2e prepare_qat_pt2e convert_pt2e",
    ".quantizer": """ComposableQuantizer DerivedQuantizationSpec EdgeOrNode FixedQParamsQuantizationSpec
        QuantizationAnnotation QuantizationSpec QuantizationSpecBase Quantizer SharedQuantizationSpec DuplicateDQPass
        PortNodeMetaForQDQ get_module_name_filter""",
    ".quantizer.quantizer": "Q_ANNOTATION_KEY QuantizationAnnotation QuantizationSpec Quantizer SharedQuantizationSpec",
    ".quantizer.composable_quantizer": "ComposableQuantizer",
    ".quantizer.embedding_quantizer": "EmbeddingQuantizer",
    ".quantizer.duplicate_dq_pass": "DuplicateDQPass",
    ".quantizer.port_metadata_pass": "PortNodeMetaForQDQ",
    ".quantizer.utils": "annotate_input_qspec_map annotate_output_qspec",
    ".quantizer.x86_inductor_quantizer": """QUANT_ANNOTATION_KEY X86InductorQuantizer
        get_default_x86_inductor_quantization_config get_x86_inductor_linear_dynamic_fp16_config""",
    ".quantizer.arm_inductor_quantizer": "ArmInductorQuantizer get_default_arm_inductor_quantization_config",
    ".quantizer.xpu_inductor_quantizer": "XPUInductorQuantizer get_default_xpu_inductor_quantization_config",
    ".quantizer.xnnpack_quantizer": "XNNPACKQuantizer get_symmetric_quantization_config",
    ".quantizer.xnnpack_quantizer_utils": "OP_TO_ANNOTATOR QuantizationConfig",
    ".testing._xnnpack_quantizer": "XNNPACKQuantizer get_symmetric_quantization_config",
    ".testing._xnnpack_quantizer_utils": "OP_TO_ANNOTATOR QuantizationConfig",
    ".observer": """FixedQParamsObserver HistogramObserver MappingType MinMaxObserver MovingAverageMinMaxObserver
        MovingAveragePerChannelMinMaxObserver ObserverBase PerChannelMinMaxObserver PerGroup PerToken PlaceholderObserver
        default_observer default_weight_observer weight_observer_range_neg_127_to_127 default_histogram_observer
        default_per_channel_weight_observer per_channel_weight_observer_range_neg_127_to_127
        default_dynamic_quant_observer default_float_qparams_observer default_float_qparams_observer_4bit
        default_fixed_qparams_range_0to1_observer default_fixed_qparams_range_neg1to1_observer
        default_symmetric_fixed_qparams_observer default_affine_fixed_qparams_observer default_placeholder_observer
        default_debug_observer default_reuse_input_observer get_observer_state_dict load_observer_state_dict""",
    ".fake_quantize": """AffineFakeQuantize default_affine_fake_quant default_affine_per_axis_fake_quant
        default_groupwise_fake_quant default_fake_quant default_weight_fake_quant default_per_channel_weight_fake_quant
        default_dynamic_fake_quant default_fused_act_fake_quant default_fused_wt_fake_quant
        default_fused_per_channel_wt_fake_quant fused_wt_fake_quant_range_neg_127_to_127
        fused_per_channel_wt_fake_quant_range_neg_127_to_127 default_histogram_fake_quant default_embedding_fake_quant
        default_embedding_fake_quant_4bit default_fixed_qparams_range_0to1_fake_quant
        default_fixed_qparams_range_neg1to1_fake_quant""",
    ".learnable_fake_quantize": "LearnableFakeQuantize enable_range_learning disable_range_learning",
    "._affine_quantization": """AffineQuantizedMinMaxObserver AffineQuantizedMovingAverageMinMaxObserver
        AffineQuantizedPlaceholderObserver""",
    ".quant_primitives": "_fake_quantize_affine",
    ".graph_utils": """bfs_trace_with_node_process collect_producer_nodes find_sequential_partitions get_equivalent_types
        update_equivalent_types_dict""",
    ".export_utils": "WrapperModule model_is_exported capture_pre_autograd_graph",
    "._numeric_debugger": """CUSTOM_KEY FROM_NODE_KEY NUMERIC_DEBUG_HANDLE_KEY NodeAccuracySummary NodeSourceDebugInfo
        OutputLogger QuantizationComparisonResult _extract_node_source_debug_info""",
    ".utils": """_get_aten_graph_module_for_pattern _is_conv_node _is_conv_transpose_node
        get_new_attr_name_with_prefix determine_qparams calculate_qmin_qmax check_min_max_valid validate_qmin_qmax
        get_qparam_dict get_fqn_to_example_inputs""",
    ".reference_representation_rewrite": """reference_representation_rewrite
        _qdq_dynamic_quantized_linear_4bit_groupwise _reference_dynamic_quantized_linear_4bit_groupwise""",
    ".constant_fold": "constant_fold replace_node_with_constant",
    ".lowering": "lower_pt2e_quantized_to_x86",
}


@pytest.mark.parametrize("module, name", [(module, name) for module in NAMES for name in NAMES[module].split()])
def test_the_name_is_there(module, name):
    assert hasattr(importlib.import_module("qdq.pt2e" + module), name)


@pytest.mark.parametrize("module", ["observer", "fake_quantize", "quantizer", "quantizer.utils"])
def test_every_public_name_of_torchaos_module_is_there(module):
    pytest.importorskip("torchao")
    theirs = importlib.import_module(f"torchao.quantization.pt2e.{module}")
    ours = importlib.import_module(f"qdq.pt2e.{module}")
    public = getattr(theirs, "__all__", None) or [
        name
        for name, value in vars(theirs).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == theirs.__name__
    ]
    assert [name for name in public if not hasattr(ours, name)] == []


def test_importing_it_leaves_torch_as_it_is():
    code = """
import sys, torch
import qdq.pt2e.quantize_pt2e, qdq.pt2e.quantizer.x86_inductor_quantizer
assert "torchao" not in sys.modules and "torch._inductor" not in sys.modules
assert not hasattr(torch.ops.quantized_decomposed, "quantize_per_tensor")
"""
    environment = {"PYTHONPATH": str(build_dir() / "python")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
