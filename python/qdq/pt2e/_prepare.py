"""prepare: the model goes to the core, the quantizer is asked on the way, observers come back as modules."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch

import qdq

from . import _specs as specs
from ._bridge.annotations import build_module, carry_annotations, put_annotations
from ._bridge.graphs import Crossing
from ._bridge.metadata import ANNOTATION_KEY
from ._bridge.observers import ModuleObserver
from ._core_quantizer import CoreQuantizer
from ._derived import DerivedObserverOrFakeQuantize
from .fake_quantize import FixedQParamsFakeQuantize
from .observer import FixedQParamsObserver

Places = list[tuple[Any, "qdq.Observer | None"]]


class AskOnTheWay(qdq.Quantizer):
    """The core's view of a Quantizer that annotates fx graphs.

    When prepare has folded the batch norms, the graph goes back to fx, the quantizer annotates it there, and it comes to the
    core again with its annotations. A quantizer of the core's annotates where the graph is.
    """

    def __init__(self, crossing: Crossing, quantizer: specs.Quantizer, is_qat: bool) -> None:
        super().__init__()
        self.crossing = crossing
        self._quantizer = quantizer
        self._is_qat = is_qat
        self._hidden: type[specs.QuantizationAnnotation] | None = None  # class of annotations that only the core has yet

    def name(self) -> str:
        return type(self._quantizer).__name__

    def transform_for_annotation(self, program: qdq.Program) -> None:
        for name, step, reason in program.graph.notes:
            batch_norm = program.graph.find(name) if step == "fuse_linear_bn" else None
            if batch_norm is not None:
                linear = batch_norm.all_input_nodes[0].name
                warnings.warn(f"Not fusing linear+bn for node '{linear}': {reason}", stacklevel=2)
        if isinstance(self._quantizer, CoreQuantizer) and self._quantizer.annotates_in_core():
            self._annotate_in_core(program, self._quantizer)
            return
        model = self.crossing.gm
        if self.crossing.put_back(program.graph, program.attributes):
            model.recompile()
        model = self._quantizer.transform_for_annotation(model)
        self._quantizer.annotate(model)
        self._quantizer.validate(model)
        self.crossing = Crossing(model)
        carry_annotations(self.crossing, self.name(), for_prepare=True)
        program._replace_with(self.crossing.program)

    def _annotate_in_core(self, program: qdq.Program, quantizer: CoreQuantizer) -> None:
        """What the general way does, without a trip to fx and back."""
        core = quantizer._core_quantizer(carry_annotations(self.crossing, for_prepare=True))
        core.transform_for_annotation(program)
        core.annotate(program)
        self._hidden = quantizer._annotation

    def _show(self, program: qdq.Program) -> None:
        """Puts graph and annotations back as they are now, for who wants to see them before observers are inserted."""
        self.crossing.put_back(program.graph, program.attributes)
        put_annotations(self.crossing, self._hidden or specs.QuantizationAnnotation)
        self._hidden = None

    def finish(self, prepared: qdq.PreparedProgram) -> torch.fx.GraphModule:
        """Puts the observers and the graph that reads them into the model."""
        gm = self.crossing.gm
        device = next((tensor.device for tensors in (gm.parameters(), gm.buffers()) for tensor in tensors), None)
        for name, observer in prepared.observers.items():
            assert isinstance(observer, ModuleObserver)
            if device is not None and device.type != "cpu":
                observer.module.to(device)
            gm.add_module(name, observer.module)
        self.crossing.put_back(prepared.graph, prepared.attributes)
        if self._hidden:
            put_annotations(self.crossing, self._hidden)
        return gm

    def annotate(self, program: qdq.Program) -> None:
        """Done in transform_for_annotation."""

    def prepare_obs_or_fq_callback(
        self, program: qdq.Program, observers: Sequence[tuple[Any, qdq.Observer | None]]
    ) -> Places:
        written = type(self._quantizer).prepare_obs_or_fq_callback is not specs.Quantizer.prepare_obs_or_fq_callback
        if not (self._is_qat or written) and all(
            observer is None or isinstance(observer, ModuleObserver) for _, observer in observers
        ):
            return list(observers)
        if self._is_qat or self._hidden:  # for training, convolutions have another form than when they were annotated
            self._show(program)
        modules = _Modules(self.crossing, observers, self._is_qat)
        by_place = {self._fx_place(place): modules.of(place, observer) for place, observer in observers}
        self._quantizer.prepare_obs_or_fq_callback(self.crossing.gm, by_place)
        seen: dict[int, ModuleObserver] = {}
        chosen: Places = []
        for place, _ in observers:
            module = by_place.get(self._fx_place(place))
            if module is not None and id(module) not in seen:
                seen[id(module)] = ModuleObserver(module)
            chosen.append((place, None if module is None else seen[id(module)]))
        return chosen

    def _fx_place(self, place: Any) -> specs.EdgeOrNode:
        if isinstance(place, qdq.Node):
            return self.crossing.fx_of[place]
        return (self.crossing.fx_of[place[0]], self.crossing.fx_of[place[1]])


class _Modules:
    """The module of each observer that the core chose: one module for one observer."""

    def __init__(self, crossing: Crossing, observers: Sequence[tuple[Any, qdq.Observer | None]], is_qat: bool) -> None:
        self._crossing = crossing
        self._is_qat = is_qat
        self._observer_at = dict(observers)
        self._done: dict[int, torch.nn.Module] = {}

    def of(self, place: Any, observer: qdq.Observer | None) -> torch.nn.Module | None:
        if observer is None:
            return None
        if isinstance(observer, ModuleObserver):
            return observer.module
        if id(observer) not in self._done:
            spec = self._spec_of(place)
            if isinstance(spec, qdq.FixedQParamsQuantizationSpec):
                self._done[id(observer)] = self._fixed(place)
            elif isinstance(spec, qdq.QuantizationSpec):  # a quantizer of the core's chose one of the core's observers
                self._done[id(observer)] = build_module(self._python_spec(place))
            else:
                self._done[id(observer)] = self._derived(place, spec)
        return self._done[id(observer)]

    def _annotated_spec(self, place: Any) -> Any:
        """The core's spec of a place, as annotated."""
        if isinstance(place, qdq.Node):
            assert place.annotation is not None
            return place.annotation.output_qspec
        annotation = place[1].annotation
        return dict(annotation.input_qspec_map)[place[0]]

    def _spec_of(self, place: Any) -> Any:
        spec = self._annotated_spec(place)
        while isinstance(spec, qdq.SharedQuantizationSpec):
            place, spec = spec.edge_or_node, self._annotated_spec(spec.edge_or_node)
        return spec

    def _python_spec(self, place: Any) -> Any:
        """The spec that the quantizer wrote."""
        spec = self._annotated_spec(place)
        if isinstance(spec, qdq.SharedQuantizationSpec):
            return self._python_spec(spec.edge_or_node)
        fx_of = self._crossing.fx_of
        if isinstance(place, qdq.Node):
            return fx_of[place].meta[ANNOTATION_KEY].output_qspec
        return fx_of[place[1]].meta[ANNOTATION_KEY].input_qspec_map[fx_of[place[0]]]

    def _fixed(self, place: Any) -> torch.nn.Module:
        spec = self._python_spec(place)
        options = {
            "scale": spec.scale,
            "zero_point": spec.zero_point,
            "dtype": spec.dtype,
            "quant_min": spec.quant_min,
            "quant_max": spec.quant_max,
            "qscheme": spec.qscheme,
            "is_dynamic": spec.is_dynamic,
        }
        constructor = FixedQParamsObserver.with_args(**options)
        if self._is_qat:
            return FixedQParamsFakeQuantize(observer=constructor)
        return constructor()

    def _derived(self, place: Any, spec: Any) -> torch.nn.Module:
        written = self._python_spec(place)
        sources = [self.of(source, self._observer_at[source]) for source in spec.derived_from]
        return DerivedObserverOrFakeQuantize(
            dtype=written.dtype,
            obs_or_fqs=sources,  # type: ignore[arg-type]
            derive_qparams_fn=written.derive_qparams_fn,
            quant_min=written.quant_min,
            quant_max=written.quant_max,
            qscheme=written.qscheme,
            ch_axis=written.ch_axis,
        )


def prepare(model: torch.fx.GraphModule, quantizer: specs.Quantizer, is_qat: bool) -> torch.fx.GraphModule:
    """Folds batch norms (unless is_qat), asks the quantizer and inserts observer modules, in the model's own graph.

    Returns the model of transform_for_annotation.
    """
    crossing = Crossing(model)
    ask = AskOnTheWay(crossing, quantizer, is_qat)
    return ask.finish(qdq._core._prepare_taking(crossing.program, ask, is_qat))
