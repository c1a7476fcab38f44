"""Compile the kernels of leaky keys for compute capability 9.0, with no device at hand, and show what they take.

Each is compiled with the constants that `mosaics.memory.triton_leaky_ops` launches it with; the columns are those of
`benchmarks.retrieval_compiled`. A kernel can be compiled only where Triton's interpreter is off.

    python -m benchmarks.leaky_compiled --out results/speed/leaky_compiled.json
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import provenance
from benchmarks.command import configured, run_module, write
from benchmarks.retrieval_compiled import SHORT, inspected

INPUTS = ("x", "out", "gradient", "dx")
"""Arguments of the dtype of x; `starts` is int8, other tensors are float32."""
TENSORS = (*INPUTS, "decay", "gate", "scale", "norm", "ends", "totals", "ddecay", "dgate", "dscale")
ALIGNED = ("heads", "width", "stretch", "length", "time", "head", "batch")
"""Last words of the names of sizes and strides that are multiples of 16 in practice."""
SHAPE = (8, 2048, 12)
KERNELS = ("forward_ends", "forward", "backward_ends", "backward")


@dataclass(frozen=True)
class CompiledBenchmark:
    """Compile the kernels of leaky keys."""

    out: Path | None = None
    """JSON file to write."""
    widths: tuple[int, ...] = (16, 64, 128, 256)
    """Widths of a head."""


def rows(widths: Sequence[int], dtypes: Sequence[str] = ("bfloat16", "float32")) -> Iterator[dict[str, Any]]:
    """One row a kernel, width, dtype and kind: one decay a head, or decays of steps with gates and starts."""
    for width in widths:
        for dtype in dtypes:
            for varying in (False, True):
                for kernel in KERNELS:
                    used = compiled(kernel, width, getattr(torch, dtype), varying)
                    yield {"kernel": kernel, "dtype": dtype, "width": width, "varying": varying, **used}


def compiled(name: str, width: int, dtype: torch.dtype, varying: bool) -> dict[str, int]:
    """Compile one kernel and look at it."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from mosaics.memory import triton_leaky

    kernel: Any = getattr(triton_leaky, name)
    constants = constants_of(width, dtype, varying)
    options = {option: constants.pop(option) for option in ("num_warps", "num_stages")}
    absent = () if varying else ("gate", "starts", *(("x", "dgate") if name == "backward" else ()))
    types: dict[str, str] = {}
    values: dict[tuple[int, ...], Any] = {}
    aligned: dict[tuple[int, ...], Any] = {}
    for index, argument in enumerate(kernel.arg_names):
        if argument in constants or argument in absent:
            types[argument], values[index,] = "constexpr", constants.get(argument)
            continue
        types[argument] = type_of(argument, dtype)
        if types[argument].startswith("*") or argument.rpartition("_")[2] in ALIGNED:
            aligned[index,] = [["tt.divisibility", 16]]
    source = ASTSource(fn=kernel, signature=types, constexprs=values, attrs=aligned)
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    used = inspected(made.asm["ptx"], made.asm["cubin"], Path(triton.__file__).parent / "backends/nvidia/bin")
    return {**options, "shared": made.metadata.shared, **used}


def constants_of(width: int, dtype: torch.dtype, varying: bool) -> dict[str, Any]:
    """Constants of a launch on x (8, 2048, 12, width)."""
    from mosaics.memory.triton_leaky_ops import Plan

    with torch.device("meta"):
        x, decay = torch.empty(*SHAPE, width, dtype=dtype), torch.empty(1, SHAPE[1] if varying else 1, SHAPE[2])
        gate, starts = (torch.empty(SHAPE), torch.empty(SHAPE[:2], dtype=torch.int8)) if varying else (None, None)
    plan = Plan.of(x, decay, gate, starts)
    return plan.constants | plan.products(dtype, True)


def type_of(argument: str, dtype: torch.dtype) -> str:
    """Triton's word for the type of an argument."""
    if argument in INPUTS:
        return "*" + SHORT[str(dtype).removeprefix("torch.")]
    if argument in TENSORS:
        return "*fp32"
    return {"starts": "*i8", "offset": "fp32"}.get(argument, "i32")


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark from command line words."""
    config = configured(CompiledBenchmark, arguments, __doc__)
    found = list(rows(config.widths))
    table = Table(*found[0])
    for row in found:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    write({"machine": provenance(), "target": "cuda 9.0", "rows": found}, config.out)


if __name__ == "__main__":
    run_module(main)
