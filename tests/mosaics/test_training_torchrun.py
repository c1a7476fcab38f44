"""Under torchrun: killed workers are started again and change no byte, compiled workers compute the same numbers.

This file is also what the workers run: `test_training_torchrun.py OUT PARALLEL [killed] [compiled]`.
"""

import importlib
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mosaics.training import checkpoint, read_run, train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells a process's threads"),
]


def work(out, parallel, *how):
    """Be one worker; killed: of the first attempt the second in step 5, of the second the first as it writes."""
    neighbour = importlib.import_module("test_training_processes")
    attempt, rank = os.environ["TORCHELASTIC_RESTART_COUNT"], os.environ["RANK"]
    task = neighbour.CountConfig().build(2)
    task.dies_at = 5 if "killed" in how and (attempt, rank) == ("0", "1") else None
    if "killed" in how and (attempt, rank) == ("1", "0"):
        checkpoint.write_tensors = die_writing
    config = replace(neighbour.CONFIG, steps=8, parallel=parallel, compile="model" if "compiled" in how else "none")
    train(neighbour.MODEL.build(1), task, config, out, progress=False)
    threads = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    print(f"attempt {attempt}, rank {rank}, threads of gloo: {sum('gloo' in name for name in threads)};")


def die_writing(path, tensors, notes=None):
    """Leave half a file of a checkpoint."""
    path.with_name(f".{path.name}.{os.getpid()}.partial").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)


def torchrun(out, *arguments):
    """Return what torchrun prints for two workers of this file; its status has to be 0."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    environment["TORCHINDUCTOR_CACHE_DIR"] = f"{out}-compiled"  # a killed compiler leaves half a file in the usual one
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", "3", __file__, str(out), *arguments]
    with subprocess.Popen(command, env=environment, stdout=-1, stderr=subprocess.STDOUT, text=True) as process:
        try:
            printed, _ = process.communicate(timeout=600)
        finally:
            process.terminate()  # torchrun then ends its workers; nothing where it has ended
    assert process.returncode == 0, printed
    return printed


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_killed_workers_are_started_again_and_change_no_byte(tmp_path, parallel):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    for attempt, printed in (("0", torchrun(undisturbed, parallel)), ("2", torchrun(killed, parallel, "killed"))):
        assert printed.count("threads of gloo") == 2
        for rank in (0, 1):  # a thread that outlives its group can abort the process at its end
            assert f"attempt {attempt}, rank {rank}, threads of gloo: 0;" in printed
    for name in ("metrics.jsonl", "model.safetensors"):
        assert (killed / name).read_bytes() == (undisturbed / name).read_bytes()
    assert not list(killed.rglob("*.partial"))


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_compiled_processes_compute_the_same_numbers(tmp_path, parallel):
    torchrun(tmp_path / "plain", parallel)
    torchrun(tmp_path / "compiled", parallel, "compiled")
    plain, compiled = (read_run(tmp_path / name) for name in ("plain", "compiled"))
    assert (plain.result["machine"]["compile"], compiled.result["machine"]["compile"]) == ("none", "model")
    assert len(compiled.history) == len(plain.history)
    for ours, theirs in zip(compiled.history, plain.history, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-9)
    for name, item in plain.weights().items():
        torch.testing.assert_close(compiled.weights()[name], item, rtol=0, atol=1e-9)


if __name__ == "__main__":
    work(*sys.argv[1:])
