"""Specs and annotations in both directions. A spec that Python made comes back as the same object."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch

import qdq

from .. import _specs as specs
from .dtypes import core_dtype, core_qscheme, torch_dtype, torch_qscheme
from .graphs import Crossing
from .metadata import ANNOTATED_BY, ANNOTATION_KEY, CONVERTED, PATTERN_OUTPUT
from .observers import CoreBuild, ModuleObserver, observer_constructor


class ModuleBuild:
    """Builds the observer module of a spec when the core asks for it."""

    def __init__(self, spec: specs.QuantizationSpec) -> None:
        self.spec = spec

    def __call__(self, options: qdq.ObserverOptions) -> qdq.Observer:
        return ModuleObserver(build_module(self.spec))


def build_module(spec: specs.QuantizationSpec) -> torch.nn.Module:
    constructor = spec.observer_or_fake_quant_ctr
    options: dict[str, Any] = {
        "dtype": spec.dtype,
        "quant_min": spec.quant_min,
        "quant_max": spec.quant_max,
        "qscheme": spec.qscheme,
        "is_dynamic": spec.is_dynamic,
    }
    if _takes_channel_axis(constructor):
        options["ch_axis"] = spec.ch_axis
    return constructor.with_args(**options)()


def _class_of(constructor: Any) -> Any:
    return constructor.p.func if hasattr(constructor, "p") else constructor


def _takes_channel_axis(constructor: Any) -> bool:
    """Per-channel observers do, and fake quantizers around one."""
    if "PerChannel" in _class_of(constructor).__name__:
        return True
    inner = constructor.p.keywords.get("observer") if hasattr(constructor, "p") else None
    return inner is not None and "PerChannel" in _class_of(inner).__name__


def _optional(value: Any, convert: Callable[[Any], Any]) -> Any:
    return None if value is None else convert(value)


_KINDS = (
    specs.SharedQuantizationSpec, specs.FixedQParamsQuantizationSpec, specs.DerivedQuantizationSpec, specs.QuantizationSpec,
)  # fmt: skip


class SpecsToCore:
    """Specs of fx nodes as specs of core nodes; one core spec for one Python spec."""

    def __init__(self, crossing: Crossing | None) -> None:
        self._crossing = crossing
        self._done: dict[int, tuple[Any, Any]] = {}  # with the Python spec, so that its id stays its own

    def __call__(self, spec: specs.QuantizationSpecBase | None) -> Any:
        if spec is None:
            return None
        known = self._done.get(id(spec))
        if known is None:
            known = self._done[id(spec)] = (spec, self._convert(spec))
        return known[1]

    def _place(self, place: Any) -> Any:
        assert self._crossing is not None
        if isinstance(place, torch.fx.Node):
            return self._crossing.core_node(place)
        producer, consumer = place
        return (self._crossing.core_node(producer), self._crossing.core_node(consumer))

    def _convert(self, spec: Any) -> Any:
        if not isinstance(spec, _KINDS):
            raise TypeError(f"a QuantizationSpecBase expected, found {type(spec).__name__}")
        if isinstance(spec, specs.SharedQuantizationSpec):
            return qdq.SharedQuantizationSpec(self._place(spec.edge_or_node))
        common = {
            "dtype": core_dtype(spec.dtype),
            "quant_min": spec.quant_min,
            "quant_max": spec.quant_max,
            "qscheme": _optional(spec.qscheme, core_qscheme),
            "is_dynamic": bool(spec.is_dynamic),
        }
        if isinstance(spec, specs.FixedQParamsQuantizationSpec):
            return qdq.FixedQParamsQuantizationSpec(scale=spec.scale, zero_point=spec.zero_point, **common)
        if isinstance(spec, specs.DerivedQuantizationSpec):
            places = [self._place(place) for place in spec.derived_from]
            return qdq.DerivedQuantizationSpec(places, spec.derive_qparams_fn, ch_axis=spec.ch_axis, **common)
        constructor = spec.observer_or_fake_quant_ctr
        factory = qdq.ObserverFactory(_class_of(constructor).__name__, ModuleBuild(spec))
        return qdq.QuantizationSpec(observer_or_fake_quant_ctr=factory, ch_axis=spec.ch_axis, **common)


def carry_annotations(crossing: Crossing, quantizer: str = "", for_prepare: bool = False) -> SpecsToCore:
    """Gives the core's nodes the annotations of the fx nodes.

    quantizer: who made them, for messages. for_prepare: those that an earlier convert has followed only say that the node is
    taken: it is not to be observed again. Raises InvalidArgumentError where one names what is no node of the graph.
    """
    to_core = SpecsToCore(crossing)
    for node, core in list(crossing.core_of.items()):
        annotation = node.meta.get(ANNOTATION_KEY)
        if annotation is None:
            continue
        who = getattr(annotation, ANNOTATED_BY, quantizer)
        if for_prepare and annotation.output_qspec is not None and isinstance(node.meta.get("val"), (list, tuple)):
            _leave_outputs(core, who)
        try:
            core.annotation = _carried(annotation, crossing, to_core, for_prepare)
        except LookupError as error:
            raise qdq.InvalidArgumentError(
                f"[prepare] {core.describe()}: its annotation names '{error.args[0]}', which is not in the graph\n"
                "  rule: annotations name nodes of the graph that transform_for_annotation leaves behind\n"
                "  remedy: look nodes up in annotate(), after the graph was changed"
                + (f"\n  annotated by: {who}" if who else "")
            ) from None
        except TypeError as error:
            raise qdq.InvalidArgumentError(
                f"[prepare] {core.describe()}: {error}\n"
                "  rule: input_qspec_map has a spec for each torch.fx.Node that the node reads"
                + (f"\n  annotated by: {who}" if who else "")
            ) from error
    return to_core


def _leave_outputs(core: qdq.Node, who: str) -> None:
    """torchao observes no output of an operator with several; the core refuses the spec, unless it does not know the values."""
    warnings.warn(
        f"the output_qspec of {core.describe()} is not followed: it returns several values; annotate the operator.getitem nodes"
        + (f" (annotated by: {who})" if who else ""),
        stacklevel=2,
    )
    core.value_type = None


def mark_converted(graph: torch.fx.Graph) -> None:
    """Notes on the annotations that their specs have been followed. They stay, for passes of users that look at them."""
    for node in graph.nodes:
        if node.meta.get(ANNOTATION_KEY) is not None:
            setattr(node.meta[ANNOTATION_KEY], CONVERTED, True)


def _carried(
    annotation: Any, crossing: Crossing, to_core: SpecsToCore, for_prepare: bool
) -> qdq.QuantizationAnnotation:
    carried = qdq.QuantizationAnnotation()
    carried.annotated = annotation._annotated
    carried.allow_implicit_sharing = annotation.allow_implicit_sharing
    carried.is_output_of_quantized_pattern = getattr(annotation, PATTERN_OUTPUT, False)
    carried.quantizer = getattr(annotation, ANNOTATED_BY, "")
    is_converted = getattr(annotation, CONVERTED, False)
    if is_converted and for_prepare:
        return carried
    entries = []
    for producer, spec in annotation.input_qspec_map.items():
        if is_converted and producer.graph is crossing.gm.graph and producer not in crossing.core_of:
            continue  # a weight whose place its quantized form has taken
        if not isinstance(producer, torch.fx.Node):
            raise TypeError(f"a torch.fx.Node expected as key of input_qspec_map, found {type(producer).__name__}")
        entries.append((crossing.core_node(producer), to_core(spec)))
    carried.input_qspec_map = entries
    carried.output_qspec = to_core(annotation.output_qspec)
    return carried


class SpecsFromCore:
    """The way back. Equal specs of the core's own become one Python spec."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._done: dict[tuple[Any, ...], specs.QuantizationSpec] = {}

    def _place(self, place: Any) -> Any:
        if isinstance(place, qdq.Node):
            return self._crossing.fx_of[place]
        return (self._crossing.fx_of[place[0]], self._crossing.fx_of[place[1]])

    def __call__(self, spec: Any) -> specs.QuantizationSpecBase | None:
        if spec is None:
            return None
        if isinstance(spec, qdq.SharedQuantizationSpec):
            return specs.SharedQuantizationSpec(self._place(spec.edge_or_node))
        common = {
            "dtype": torch_dtype(spec.dtype),
            "quant_min": spec.quant_min,
            "quant_max": spec.quant_max,
            "qscheme": _optional(spec.qscheme, torch_qscheme),
            "is_dynamic": spec.is_dynamic,
        }
        if isinstance(spec, qdq.FixedQParamsQuantizationSpec):
            return specs.FixedQParamsQuantizationSpec(scale=spec.scale, zero_point=spec.zero_point, **common)
        if isinstance(spec, qdq.DerivedQuantizationSpec):
            places = [self._place(place) for place in spec.derived_from]
            assert spec.derive_qparams_fn is not None  # the core's own have none that Python could call, and are not made here
            return specs.DerivedQuantizationSpec(places, spec.derive_qparams_fn, ch_axis=spec.ch_axis, **common)
        build = spec.observer_or_fake_quant_ctr.build
        if isinstance(build, ModuleBuild):
            return build.spec
        return spec_from_core(spec, self._done)


def spec_from_core(spec: qdq.QuantizationSpec, done: dict[tuple[Any, ...], specs.QuantizationSpec]) -> Any:
    """The Python spec of a core spec that names one of the core's observers."""
    constructor = observer_constructor(CoreBuild(spec.observer_or_fake_quant_ctr))
    fields = {
        "dtype": torch_dtype(spec.dtype),
        "quant_min": spec.quant_min,
        "quant_max": spec.quant_max,
        "qscheme": _optional(spec.qscheme, torch_qscheme),
        "ch_axis": spec.ch_axis,
        "is_dynamic": spec.is_dynamic,
    }
    key = (*fields.values(), constructor.p.func, *sorted(constructor.p.keywords.items()))
    if key not in done:
        done[key] = specs.QuantizationSpec(observer_or_fake_quant_ctr=constructor, **fields)
    return done[key]


def put_annotations(crossing: Crossing, make: Callable[..., Any] = specs.QuantizationAnnotation) -> None:
    """Gives the fx nodes the annotations that the core made or changed. `make` is the annotation class for new ones."""
    from_core = SpecsFromCore(crossing)
    for core, node in crossing.fx_of.items():
        made = core.annotation
        if made is None:
            continue
        old = node.meta.get(ANNOTATION_KEY)
        if getattr(old, CONVERTED, False):
            continue
        entries = {crossing.fx_of[producer]: from_core(spec) for producer, spec in made.input_qspec_map}
        output = from_core(made.output_qspec)
        is_output = made.is_output_of_quantized_pattern
        if old is not None:
            if (
                (old._annotated, old.input_qspec_map, old.output_qspec) == (made.annotated, entries, output)
                and getattr(old, PATTERN_OUTPUT, False) == is_output
            ):  # fmt: skip
                continue
        elif not made.annotated and not entries and output is None:
            continue  # the core's note why the node stays in float
        annotation = old if old is not None else make()
        annotation.input_qspec_map = entries
        annotation.output_qspec = output
        annotation._annotated = made.annotated
        annotation.allow_implicit_sharing = made.allow_implicit_sharing
        if hasattr(annotation, PATTERN_OUTPUT):
            setattr(annotation, PATTERN_OUTPUT, is_output)
        node.meta[ANNOTATION_KEY] = annotation
