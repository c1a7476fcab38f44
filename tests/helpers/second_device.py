"""A second device for machines that have only one: tensors that say they are on CUDA and refuse to meet others.

    with SecondDevice():
        model.to("cuda")            # stays where it is, marked
        model(tokens)               # RuntimeError: tokens are not marked
        model(tokens.to("cuda"))    # fine; the output is marked
        output.numpy()              # TypeError, as of a CUDA tensor

The rules are CUDA's: tensors of one operation are on one device, but for single numbers, indices in brackets and the
source of a copy. What Python does not see is not watched: backward passes, and the insides of operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name

from mosaics.memory import api, leaky_average
from mosaics.training import loop

CUDA = torch.device("cuda", 0)
MIXING = ("copy_", "_has_compatible_shallow_copy_type")
"""Operations that take tensors of several devices."""


@contextmanager
def machine_with_cuda(monkeypatch: pytest.MonkeyPatch, *, triton: bool = False) -> Iterator[None]:
    """Let `torch.cuda` answer for the second device; with kernels for a CPU, or those of CUDA in the interpreter."""
    answers = {
        "is_available": True, "is_bf16_supported": True, "device_count": 1, "current_device": 0,
        "get_device_name": "pretended", "max_memory_allocated": 0, "synchronize": None, "set_device": None,
        "reset_peak_memory_stats": None, "manual_seed_all": None, "set_rng_state": None, "get_rng_state": None,
    }  # fmt: skip
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
    monkeypatch.setattr(loop, "AHEAD_ON_CUDA", 0)  # the mode is this thread's alone
    if not triton:
        monkeypatch.setenv(api.VARIABLE, "fused")
        monkeypatch.setenv(leaky_average.VARIABLE, "chunked")
    with torch.backends.cudnn.flags(enabled=False), SecondDevice():
        yield


class SecondDevice(TorchFunctionMode):
    """See the module."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func` with what is on one device; mark what comes out."""
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        if name == "__get__":
            return _attribute(func, args[0])
        if name == "__set__":
            func(*args)
            if "data" in str(resolve_name(func)):
                args[0].second = marked(args[1])
            return None
        if name in ("to", "cpu", "cuda") and isinstance(args[0], Tensor):
            return _moved(func, name, *args, **kwargs)
        if name == "pin_memory":
            return args[0]
        if name in ("numpy", "__array__") and marked(args[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy it first")
        place = _wanted(kwargs.get("device"))
        if place is not None:
            kwargs["device"] = "cpu"
        given = tensors([*args, *kwargs.values()])
        together = [args[0], *tensors(args[2:])] if name in ("__getitem__", "__setitem__") else given
        on = {marked(tensor) for tensor in together if tensor.dim()}
        if len(on) > 1 and name not in MIXING and place is None:
            raise RuntimeError(f"Expected all tensors to be on the same device ({resolve_name(func)})")
        result = func(*args, **kwargs)
        if place is None:
            place = marked(args[0]) if name in MIXING else any(map(marked, together))
        if not place:
            return result
        if any(result is tensor and not marked(tensor) for tensor in given):
            result = result.clone()
        for tensor in tensors(result):
            tensor.second = True
        return result


def marked(item: Any) -> bool:
    """Tell whether a tensor is on the second device."""
    return getattr(item, "second", False)


def tensors(item: Any) -> list[Any]:
    """Return the tensors within arguments or results."""
    if isinstance(item, Tensor):
        return [item]
    parts = list(item.values()) if isinstance(item, dict) else item if isinstance(item, list | tuple) else []
    return [found for part in parts for found in tensors(part)]


def _wanted(device: Any) -> bool | None:
    return None if device is None else torch.device(device).type == "cuda"


def _attribute(func: Any, item: Any) -> Any:
    found = func(item)
    if not marked(item):
        return found
    if isinstance(found, torch.device):
        return CUDA
    name = str(resolve_name(func))
    if "is_cuda" in name or "is_cpu" in name:
        return "is_cuda" in name
    for tensor in tensors(found):
        tensor.second = True
    return found


def _moved(func: Any, name: str, item: Any, *args: Any, **kwargs: Any) -> Any:
    """Move a tensor: another one with the same numbers, marked or not."""
    place: bool | None = name == "cuda"
    result = item
    if name == "to":
        other = tensors([*args, *kwargs.values()])
        device, dtype, _, _ = (None, other[0].dtype, 0, 0) if other else torch._C._nn._parse_to(*args, **kwargs)
        place = marked(other[0]) if other else _wanted(device)
        result = item if dtype is None else func(item, dtype)
    place = marked(item) if place is None else place
    if place != marked(item) and result is item:
        result = item.clone()
    result.second = place
    return result
