"""Call targets as text, the core's way, and back."""

from __future__ import annotations

import importlib
import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch._ops import HigherOrderOperator, OpOverload, OpOverloadPacket

# Of every target that crossed: what it is called and what it was. Functions live as long as the process.
_text_of: dict[Any, str] = {}
_target_of: dict[str, Any] = {}


def _define_quantized_decomposed() -> None:
    importlib.import_module("torch.ao.quantization.fx._decomposed")


# What defines the operators of a namespace that torch does not have by itself.
DEFINES: dict[str, Callable[[], None]] = {"quantized_decomposed": _define_quantized_decomposed}


def _name(target: Any) -> str:
    if isinstance(target, (OpOverload, OpOverloadPacket)):
        return str(target)
    if isinstance(target, HigherOrderOperator):
        return f"higher_order.{target.name()}"
    if target is operator.getitem:
        return "operator.getitem"
    module = getattr(target, "__module__", None)
    name = getattr(target, "__name__", None)
    if module == "_operator" and getattr(operator, str(name), None) is target:
        return f"_operator.{name}"
    if module == "math" and getattr(math, str(name), None) is target:
        return f"math.{name}"
    if getattr(torch, str(name), None) is target:
        return f"torch.{name}"
    # Anything else is carried under a name that the core does not know.
    return f"python.{getattr(target, '__qualname__', type(target).__name__)}"


def target_text(target: Callable[..., Any]) -> str:
    text = _text_of.get(target)
    if text is None:
        text = _name(target)
        while text in _target_of:  # two functions of the same name
            text += "_"
        _text_of[target] = text
        _target_of[text] = target
    return text


def target_from_text(text: str) -> Any:
    """The operator or function of that name. Raises LookupError when torch has none."""
    if text not in _target_of:
        namespace, *names = text.split(".")
        if namespace in DEFINES:
            DEFINES[namespace]()
        roots = {"operator": operator, "_operator": operator, "math": math, "torch": torch, "higher_order": torch.ops.higher_order}
        target: Any = roots.get(namespace) or getattr(torch.ops, namespace)
        try:
            for name in names:
                target = getattr(target, name)
        except AttributeError:
            raise LookupError(f"torch has no operator '{text}'") from None
        _text_of.setdefault(target, text)
        _target_of[text] = target
    return _target_of[text]
