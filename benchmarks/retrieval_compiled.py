"""Compile the retrieval kernels for compute capability 9.0, with no device at hand, and show what they take.

Registers a thread and stack (bytes a thread that do not fit into registers) come from cuobjdump, which Triton brings;
so do the counts of instructions: HGMMA (matrix units, operands in shared memory), HMMA (the older, slower form), LDGSTS
(copies that run ahead), STL and LDL (to and from the stack). Shared memory, in bytes, comes from Triton; `serialized`,
1 where the assembler has the matrix units wait for each of their instructions, from ptxas.

    python -m benchmarks.retrieval_compiled --out results/speed/retrieval_compiled.json
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import provenance
from benchmarks.command import configured, run_module, write
from toyworlds.core.validate import DataError

SHORT = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
FLAGS = ("GAUSSIAN", "BOUNDED", "SEGMENTED", "DROPPED", "TIED", "PER_STEP", "SHARP")
EVERYTHING = ("GAUSSIAN", "BOUNDED", "SEGMENTED", "DROPPED", "PER_STEP", "SHARP")
OTHERS = {
    **dict.fromkeys(("norms", "beta", "log_sums", "facts", "dbeta"), "*fp32"),
    **dict.fromkeys(("starts", "ends"), "*i32"),
    **dict.fromkeys(("heads", "length", "room", "near", "far", "group", "threshold"), "i32"),
    "seeds": "*i64",
    "gain": "fp32",
}
"""Types of the arguments that are not tensors of the operands' dtype."""


@dataclass(frozen=True)
class Case:
    """One kernel with one set of compile-time options."""

    kernel: str
    """forward or backward."""
    dtype: str
    """Dtype of key and value."""
    width: int
    """Width of key and value."""
    flags: tuple[str, ...] = ()
    """Options that are on; TIED: key and query are one; PER_STEP: a beta a step; SHARP: beta has a gradient."""


CASES = (
    Case("forward", "bfloat16", 64),
    Case("forward", "bfloat16", 64, ("GAUSSIAN",)),
    Case("forward", "bfloat16", 64, EVERYTHING[:4]),
    Case("forward", "bfloat16", 80, ("GAUSSIAN",)),
    Case("forward", "float16", 128),
    Case("forward", "bfloat16", 128, EVERYTHING[:4]),
    Case("forward", "bfloat16", 256),
    Case("forward", "float32", 64),
    Case("backward", "bfloat16", 64, ("TIED",)),
    Case("backward", "bfloat16", 64, EVERYTHING),
    Case("backward", "bfloat16", 128, ("TIED",)),
    Case("backward", "float16", 128, ("TIED", "GAUSSIAN", "SHARP")),
    Case("backward", "bfloat16", 128, EVERYTHING),
    Case("backward", "bfloat16", 256, ("TIED",)),
    Case("backward", "float32", 64, ("TIED",)),
)


@dataclass(frozen=True)
class CompiledBenchmark:
    """Compile the retrieval kernels."""

    out: Path | None = None
    """JSON file to write."""


def compiled(case: Case) -> dict[str, int]:
    """Compile one kernel with the sizes that a call would choose."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from mosaics.memory import triton_backward, triton_forward
    from mosaics.memory.triton_common import tiles

    kernel = triton_forward.forward_kernel if case.kernel == "forward" else triton_backward.backward_kernel
    module = triton_forward if case.kernel == "forward" else triton_backward
    size = tiles(module.SIZES, getattr(torch, case.dtype), case.width, "DROPPED" in case.flags)
    given = constants(case, size)
    types: dict[str, Any] = {}
    values: dict[tuple[int, ...], Any] = {}
    aligned: dict[tuple[int, ...], Any] = {}
    for index, name in enumerate(kernel.arg_names):
        if name in given:
            types[name], values[index,] = "constexpr", given[name]
        elif name.endswith("_strides"):
            types[name] = ("i32",) * 3
            aligned |= {(index, axis): [["tt.divisibility", 16]] for axis in range(3) if name != "beta_strides"}
        else:
            types[name] = OTHERS.get(name, "*" + SHORT[case.dtype])
            even = types[name].startswith("*") or name == "room"
            aligned |= {(index,): [["tt.divisibility", 16]]} if even else {}
    source = ASTSource(fn=kernel, signature=types, constexprs=values, attrs=aligned)
    options = {"num_warps": size.warps, "num_stages": size.stages}
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    used = inspected(made.asm["ptx"], made.asm["cubin"], Path(triton.__file__).parent / "backends/nvidia/bin")
    return {"rows": size.rows, "columns": size.columns, **options, "shared": made.metadata.shared, **used}


def constants(case: Case, size: Any) -> dict[str, Any]:
    """Compile-time arguments of a kernel, among them those that are not there."""
    from mosaics.memory.triton_common import padded_width, precision

    given: dict[str, Any] = {flag: flag in case.flags for flag in FLAGS}
    absent = {"SEGMENTED": ("starts", "ends"), "DROPPED": ("seeds",), "SHARP": ("dbeta",)}
    names = [name for flag, hidden in absent.items() if not given[flag] for name in hidden]
    names += ["dquery"] if given["TIED"] else []
    widths = {"WIDTH": case.width, "PADDED": padded_width(case.width)}
    return {
        **given,
        **dict.fromkeys(names),
        **widths,
        **{f"VALUE_{name}": width for name, width in widths.items()},
        **dict.fromkeys(("ROWS", "OWN"), size.rows),
        **dict.fromkeys(("COLUMNS", "STREAM"), size.columns),
        "PRECISION": precision(getattr(torch, case.dtype)),
    }


def inspected(ptx: str, cubin: bytes, tools: Path) -> dict[str, int]:
    """Registers, stack and numbers of instructions in a compiled kernel."""
    if not (tools / "cuobjdump").exists():
        raise DataError(f"{tools}: this Triton comes without cuobjdump")
    with tempfile.TemporaryDirectory() as folder:
        path, source = Path(folder, "kernel.cubin"), Path(folder, "kernel.ptx")
        path.write_bytes(cubin)
        source.write_text(ptx, encoding="utf-8")
        commands = (
            f"{tools}/cuobjdump -res-usage {path}",
            f"{tools}/cuobjdump -sass {path}",
            f"{tools}/ptxas -arch=sm_90a -v {source} -o {path}.again",
        )
        used, code, said = (
            subprocess.run(shlex.split(command), check=True, capture_output=True, text=True) for command in commands
        )
    found = {name: re.search(rf"{name.upper()}:(\d+)", used.stdout) for name in ("reg", "stack")}
    counts = {name: len(re.findall(rf"\b{name}\b", code.stdout)) for name in ("HGMMA", "HMMA", "LDGSTS", "STL", "LDL")}
    taken = {name: int(match[1]) for name, match in found.items() if match}
    return {**taken, **counts, "serialized": int("serialized" in said.stderr)}


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark from command line words."""
    config = configured(CompiledBenchmark, arguments, __doc__)
    rows = [asdict(case) | compiled(case) for case in CASES]
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(" ".join(x) if isinstance(x, tuple) else str(x) for x in row.values()))
    Console().print(table)
    write({"machine": provenance(), "target": "cuda 9.0", "rows": rows}, config.out)


if __name__ == "__main__":
    run_module(main)
