"""The kernels of retrieval compiled for compute capability 9.0, no device needed: they fit, and use its matrix units.

Spills (stack bytes a thread) are bounded, for a kernel that spills in its loops is slow.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is not installed")

import triton

from benchmarks.retrieval_compiled import CASES

ROOT = Path(__file__).resolve().parents[2]
SHARED = 227 * 1024
"""Bytes of shared memory that a program can have."""
TOOL = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
SCRIPT = """
import json, sys
from benchmarks.retrieval_compiled import CASES, compiled
print(json.dumps(compiled(CASES[int(sys.argv[1])])))
"""
QUICK = "forward, float16, 128"


def name(case):
    return ", ".join([case.kernel, case.dtype, str(case.width), *case.flags])


@pytest.mark.skipif(not TOOL.exists(), reason="this Triton comes without cuobjdump")
@pytest.mark.parametrize(
    "number",
    [pytest.param(i, id=name(c), marks=[] if name(c) == QUICK else pytest.mark.slow) for i, c in enumerate(CASES)],
)
def test_compiles_for_hopper(number, tmp_path):
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SCRIPT, str(number)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    used = json.loads(done.stdout)
    assert used["shared"] <= SHARED
    assert used["stack"] <= (128 if CASES[number].kernel == "forward" else 384), used
    assert used["HGMMA"] + used["HMMA"] > 0
    assert used["LDGSTS"] > 0  # tiles are read ahead
    if CASES[number].dtype != "float32":
        assert used["HGMMA"] > 0 == used["HMMA"]
        assert not used["serialized"]


LAUNCHES = """
import torch, triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction
from mosaics.memory import retrieve, triton_retrieval

class Driver:
    get_current_device = get_current_stream = lambda self, *_: 0
    get_current_target = lambda self: GPUTarget("cuda", 90, 32)

def compiled(kernel, *arguments, run=JITFunction.run, **options):
    print(kernel.__name__)
    return run(kernel, *arguments, **options | {"warmup": True})

triton.runtime.driver.set_active(Driver())
JITFunction.run = compiled
triton_retrieval.obstacle = lambda *_: None
for width, options in ((1, {"window": (0, 3), "segments": torch.zeros(7).int(), "dropout": 0.1}), (16, {})):
    key = torch.randn(2, 1, 7, width, dtype=torch.bfloat16, requires_grad=True)
    beta = torch.rand(1, requires_grad=True) if width == 1 else 1.0
    retrieve(key, key, beta=beta, implementation="triton", **options).sum().backward()
"""


@pytest.mark.slow
def test_calls_compile_with_the_arguments_they_pass(tmp_path):
    # a device of which only the kind is known: kernels are compiled for the call and not launched
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", LAUNCHES]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    once = ["products_kernel", "forward_kernel", "products_kernel", "facts_kernel", "backward_kernel"]
    assert done.stdout.split() == once * 2
