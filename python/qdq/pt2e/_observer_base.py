"""What all observer modules share: construction with arguments filled in, and state that is a core observer's."""

from __future__ import annotations

import threading
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

import qdq
from qdq import typing

from ._bridge.tensors import core_tensor, torch_tensor


class PartialWrapper:
    """A class with some arguments filled in: ``Observer.with_args(eps=2**-12)``. Calling it builds an instance."""

    def __init__(self, p: partial[Any]) -> None:
        self.p = p
        self.callable_args: dict[str, Callable[[], Any]] = {}

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        for name, make in self.callable_args.items():
            if name not in keywords:
                keywords[name] = make()
        return self.p(*args, **keywords)

    def __repr__(self) -> str:
        return repr(self.p) + repr(self.callable_args)

    def with_args(self, **kwargs: Any) -> PartialWrapper:
        """A wrapper with more arguments; later values win."""
        result = PartialWrapper(partial(self.p, **kwargs))
        result.callable_args = dict(self.callable_args)
        return result

    def with_callable_args(self, **kwargs: Callable[[], Any]) -> PartialWrapper:
        """A wrapper that calls these functions for arguments when it builds."""
        result = self.with_args()
        result.callable_args = {**self.callable_args, **kwargs}
        return result


def _with_args(cls_or_self: Any, **kwargs: Any) -> PartialWrapper:
    return PartialWrapper(partial(cls_or_self)).with_args(**kwargs)


def _with_callable_args(cls_or_self: Any, **kwargs: Callable[[], Any]) -> PartialWrapper:
    return PartialWrapper(partial(cls_or_self)).with_callable_args(**kwargs)


class ObserverBase(nn.Module, metaclass=ABCMeta):
    """Watches the tensors that go through it and chooses scale and zero point.

    A subclass defines forward(x), which returns x, and calculate_qparams().
    """

    def __init__(self, dtype: torch.dtype, is_dynamic: bool = False) -> None:
        super().__init__()
        self._set_plain(dtype=dtype, is_dynamic=is_dynamic)

    def _set_plain(self, **attributes: Any) -> None:
        """Sets attributes that are no tensors and no modules: nn.Module's own way asks each of them what it is."""
        self.__dict__.update(attributes)

    @abstractmethod
    def forward(self, x: torch.Tensor) -> torch.Tensor: ...

    @abstractmethod
    def calculate_qparams(self, **kwargs: Any) -> Any: ...

    with_args = classmethod(_with_args)
    with_callable_args = classmethod(_with_callable_args)


class CoreState(nn.Module):
    """The buffers of a module whose state is a core observer's.

    The core's state is the truth while data runs. Reading a buffer brings it up to date; what was written to a buffer goes
    to the core before the next value is observed. Threads that run one model at once take turns in each observer.
    """

    _core: qdq.Observer
    _hidden: frozenset[str] = frozenset()  # states of the core that PyTorch's class does not show

    def _begin(self, core: qdq.Observer) -> None:
        self.__dict__.update(
            _core=core,
            _stale=False,  # the core knows more than the buffers
            _seen={},  # buffers as they were when they last agreed with the core
            _lock=threading.RLock(),
        )

    def _attach(self, core: qdq.Observer) -> None:
        self._begin(core)
        for name, tensor in core.state():
            if name not in self._hidden:
                buffer = torch_tensor(tensor)
                self._buffers[name] = buffer if buffer.numel() else buffer.clone()  # an empty one may grow
        self._agree()

    def _agree(self) -> None:
        self.__dict__["_seen"] = {name: (buffer, buffer._version) for name, buffer in self._buffers.items()}

    def _pull(self) -> None:
        """Brings the buffers up to date."""
        if not self.__dict__.get("_stale"):
            return
        with self.__dict__["_lock"]:
            for name, tensor in self._core.state():
                old = self._buffers.get(name)
                if old is None:
                    continue
                new = torch_tensor(tensor)
                if old.shape == new.shape and old.dtype == new.dtype and not old.is_inference():
                    with torch.no_grad():
                        old.copy_(new)
                else:
                    self._buffers[name] = new.clone().to(old.device)
            self._agree()
            self.__dict__["_stale"] = False

    def _push(self) -> None:
        """Tells the core what was written to the buffers."""
        seen = self.__dict__["_seen"]
        for name, buffer in self._buffers.items():
            if name not in seen or seen[name][0] is not buffer or seen[name][1] != buffer._version:
                self._core.load_state(self._buffer_state())
                self._agree()
                return

    def _buffer_state(self) -> list[tuple[str, qdq.Tensor]]:
        """The buffers as a state of the core's observer."""
        return [(name, core_tensor(buffer)) for name, buffer in self._buffers.items() if buffer is not None]

    def _written(self) -> None:
        """An operator of torch has written to the buffers, which does not show."""
        self.__dict__["_seen"] = {}

    def _observe(self, x: torch.Tensor) -> None:
        value: typing.ArrayLike = x
        if type(x) is not torch.Tensor or x.device.type != "cpu" or x.requires_grad:
            value = core_tensor(x)
            if value.is_meta:  # there are no values: a tracer asks for shapes
                return
        with self.__dict__["_lock"]:
            if not self.__dict__["_stale"]:
                self._push()
            self._core.observe(value)
            self.__dict__["_stale"] = True

    def _core_up_to_date(self) -> qdq.Observer:
        """The core's observer, which knows what was written to the buffers."""
        with self.__dict__["_lock"]:
            if not self.__dict__["_stale"]:
                self._push()
        return self._core

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("_buffers", ()):
            self._pull()
        return super().__getattr__(name)

    def named_buffers(self, *args: Any, **kwargs: Any) -> Any:
        self._pull()
        return super().named_buffers(*args, **kwargs)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self._pull()
        return super()._apply(fn, recurse)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        self._pull()
        super()._save_to_state_dict(destination, prefix, keep_vars)

    def __getstate__(self) -> dict[str, Any]:
        self._pull()
        state = self.__dict__.copy()
        for name in ("_core", "_stale", "_seen", "_lock"):
            state.pop(name, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._begin(self._make_core())
        if self._buffers:
            self._push()

    @abstractmethod
    def _make_core(self) -> qdq.Observer:
        """A core observer with this module's arguments, which has seen nothing."""
