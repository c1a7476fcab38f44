"""Retrieval by our own C kernel: CPU, key and value widths up to 16, any number of leading sizes.

The equations stand at the head of `native_kernel.c`. The kernel is compiled on first use with the system's C
compiler (`$CC`, cc, gcc or clang) for this processor and these two widths, about a second, and kept in the user's
cache folder ($XDG_CACHE_HOME or ~/.cache, then mosaicbench/kernels) under a name that holds the hash of source,
flags, compiler version and processor features. It is written aside and renamed, so that many processes may start at
once.

float64 is computed in float64, all else in float32. The number of threads is torch's (torch.get_num_threads()), the
threads are those of torch where the compiler has OpenMP (else one thread), and the result does not depend on their
number. Gradients reach query, key, value and beta, once: a second derivative raises RuntimeError.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import math
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mosaics.memory.options import Options
from mosaics.memory.reference import column
from mosaics.memory.windowed import pad

WIDEST = 16
SOURCE = Path(__file__).with_name("native_kernel.c")
FLAGS = ("-O3", "-std=gnu11", "-fPIC", "-fno-math-errno", "-fno-trapping-math")
PROCESSOR_FLAGS = (("-march=native", "-fopenmp"), ("-mcpu=native", "-fopenmp"), ("-march=native",), ("-mcpu=native",))
"""Tried in order: not every compiler knows each of them."""


def retrieve(query: Tensor, key: Tensor, value: Tensor, beta: float | Tensor, options: Options) -> Tensor:
    """Retrieve at every step from the pairs that it sees: (..., T, e); later windows move rows against each other."""
    late, length = options.near - 1, key.shape[-2]
    if isinstance(beta, Tensor) and beta.dim() == key.dim() - 1:
        query, beta = query * column(beta, query), 1.0
    if options.near > length:
        return _strict(query, key, pad(value[..., :0, :], length, 0), beta, options.score)
    query, key, value = pad(query, -late, 0), pad(key, 0, -late), pad(value, 0, -late)
    return pad(_strict(query, key, value, beta, options.score), late, 0)


def _strict(query: Tensor, key: Tensor, value: Tensor, beta: float | Tensor, score: str) -> Tensor:
    """Retrieve at every step from the pairs before it."""
    leading, dtype = key.shape[:-2], torch.float64 if key.dtype == torch.float64 else torch.float32
    sharpness = beta.to(dtype) if isinstance(beta, Tensor) else key.new_tensor(beta, dtype=dtype)
    sharpness = (sharpness * (2.0 if score == "gaussian" else 1.0)).expand(leading).reshape(math.prod(leading))
    flat = [x.to(dtype).reshape(math.prod(leading), *x.shape[-2:]).contiguous() for x in (query, key, value)]
    return _Retrieval.apply(score == "gaussian", *flat, sharpness)[0].to(value.dtype).reshape(value.shape)


class _Retrieval(torch.autograd.Function):
    """The kernel on (items, T, width) tensors; sharpness (items,) is beta, times 2 for gaussian.

    Under torch.vmap the members of a population count as items.
    """

    @staticmethod
    def forward(gaussian: bool, *tensors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value, sharpness = (x.contiguous() for x in tensors)
        out, top, inverse = torch.empty_like(value), key.new_empty(key.shape[:2]), key.new_empty(key.shape[:2])
        _call("forward", gaussian, query, key, value, sharpness / math.log(2), out, top, inverse)
        return out, top, inverse

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.gaussian, query, key, value, sharpness = inputs
        ctx.mark_non_differentiable(*output[1:])
        tensors = (x.contiguous() for x in (query, key, value, sharpness / math.log(2)))
        ctx.save_for_backward(*tensors, *output)

    @staticmethod
    def backward(ctx: Any, dout: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph=True
            raise RuntimeError("retrieval: 'native' has no second derivative; use implementation='reference'")
        saved = ctx.saved_tensors  # once: activation checkpointing hands them out a single time
        gradients = [torch.empty_like(x) for x in saved[:4]]
        _call("backward", ctx.gaussian, *saved, dout.contiguous(), *gradients)
        return (None, *gradients)

    @staticmethod
    def vmap(info: Any, places: Any, gaussian: bool, *tensors: Tensor) -> Any:
        whole = (
            x.expand(info.batch_size, *x.shape) if place is None else x.movedim(place, 0)
            for x, place in zip(tensors, places[1:], strict=True)
        )
        found = _Retrieval.apply(gaussian, *(x.flatten(0, 1) for x in whole))
        return tuple(x.unflatten(0, (info.batch_size, -1)) for x in found), 0


def _call(function: str, gaussian: bool, *tensors: Tensor) -> None:
    """Call the C function on contiguous tensors, of which the first three are query, key and value."""
    _, key, value = tensors[:3]
    library = build(key.dtype == torch.float64, key.shape[-1], value.shape[-1])
    sizes = (ctypes.c_long(key.shape[0]), ctypes.c_long(key.shape[1]))
    pointers = [ctypes.c_void_p(x.data_ptr()) for x in tensors]
    if getattr(library, function)(*sizes, int(gaussian), torch.get_num_threads(), *pointers):
        raise MemoryError(f"retrieval: no room for the pairs of {key.shape[1]} steps")


def obstacle(key: Tensor, value: Tensor, beta: float | Tensor, options: Options) -> str | None:
    """Say why the kernel cannot do what is asked; None when it can."""
    if options.far is not None or options.segments is not None or options.dropout:
        return "the C kernel knows no oldest pair, no segments and no dropout"
    if options.score == "gaussian" and isinstance(beta, Tensor) and beta.dim() == key.dim() - 1:
        return "the Gaussian C kernel has one beta for all steps"
    if key.device.type != "cpu":
        return f"tensors on {key.device.type}, and the C kernel is for cpu"
    if max(key.shape[-1], value.shape[-1]) > WIDEST:
        return f"wider than {WIDEST}, the C kernel's limit"
    built = build(key.dtype == torch.float64, key.shape[-1], value.shape[-1])
    return built if isinstance(built, str) else None


@functools.cache
def build(double: bool, key_width: int, value_width: int) -> ctypes.CDLL | str:
    """Load the kernel for these widths, compiled if need be; a text that says why when that fails."""
    return compiled(SOURCE, f"-DKEY={key_width}", f"-DVALUE={value_width}", *(["-DDOUBLE"] if double else []))


def compiled(source: Path, *macros: str) -> ctypes.CDLL | str:
    """Load the library that `source` makes with `macros`; a text that says why when that fails."""
    compiler = find_compiler()
    if not compiler:
        return "no C compiler found"
    problem = ""
    for processor in PROCESSOR_FLAGS:
        try:
            return _library([*compiler, *FLAGS, *processor, *macros], source)
        except subprocess.CalledProcessError as error:
            problem = problem or error.stderr.decode(errors="replace").strip()
        except OSError as error:
            problem = problem or str(error)
    return f"the C kernel could not be built: {problem}"


def find_compiler() -> list[str]:
    """Command of the system's C compiler; empty when there is none."""
    for command in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        words = shlex.split(command)
        if words and shutil.which(words[0]):
            return words
    return []


def cache_folder() -> Path:
    """Where compiled kernels are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mosaicbench" / "kernels"


def _library(command: list[str], source: Path) -> ctypes.CDLL:
    """Load what `command` makes of `source`, from the cache or anew."""
    probe = [*command, "-dM", "-E", "-x", "c", os.devnull]
    macros = subprocess.run(probe, check=True, capture_output=True).stdout
    command = [*command, "-shared", str(source), *(_thread_libraries() if "-fopenmp" in command else [])]
    digest = hashlib.sha256(source.read_bytes() + repr(command).encode() + macros).hexdigest()
    path = cache_folder() / f"{source.stem}-{digest[:32]}.so"
    if path.exists():
        return ctypes.CDLL(str(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as aside:
        made = Path(aside, path.name)
        subprocess.run([*command, "-o", str(made)], check=True, capture_output=True)
        library = ctypes.CDLL(str(made))  # before it is kept: what cannot be loaded is not kept
        made.replace(path)
    return library


def _thread_libraries() -> list[str]:
    """Torch's own OpenMP library, for two of them in one process would compete for the cores."""
    folder = Path(torch.__file__).with_name("lib")
    return sorted(str(path) for name in ("libgomp*", "libomp*", "libiomp*") for path in folder.glob(name))
