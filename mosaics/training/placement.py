"""Where and in which numbers a model is trained: device, dtype, threads, the state of random generators."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from mosaics.training.config import TrainConfig
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import reject


def device_of(config: TrainConfig) -> torch.device:
    """Return the device to train on, of several processes each its own; an InputError where CUDA is not there."""
    available = torch.cuda.is_available()
    if config.device == "cuda" and not available:
        reject("device", "cpu or auto, for torch finds no CUDA device", config.device)
    if not available or config.device == "cpu":
        return torch.device("cpu")
    if config.parallel == "none":
        return torch.device("cuda")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def autocast(config: TrainConfig, device: torch.device) -> torch.autocast:
    """Return the context in which the loss is computed: bfloat16 where asked for, else nothing changes."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=config.dtype == "bfloat16")


def place(batch: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Move a batch to the model's device, and its floating-point numbers to the model's dtype."""
    like = next(model.parameters())
    return {
        name: item.to(like.device, like.dtype if item.is_floating_point() else None, non_blocking=True)
        for name, item in batch.items()
    }


@contextlib.contextmanager
def environment(config: TrainConfig, device: torch.device) -> Iterator[None]:
    """Set threads and arithmetic for a run; put them and torch's random generators back at the end.

    Numbers below the smallest normal one (1e-38 in float32) count as 0 in this thread: sharp retrieval weights
    make many of them, and processors take a hundred times as long for each.
    """
    threads, flushing = torch.get_num_threads(), flushes_denormals()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            torch.set_flush_denormal(True)
            if config.threads is not None:
                torch.set_num_threads(config.threads)
            yield
        finally:
            torch.set_num_threads(threads)
            torch.set_flush_denormal(flushing)


def seed_dropout(config: TrainConfig, step: int, first_row: int = 0) -> None:
    """Seed torch's generators from (seed, step, first row of the part), so that a resume needs no generator's state."""
    names = ("training", "dropout") + ((first_row,) if first_row else ())
    torch.manual_seed(int(Stream(config.seed, *names).words(step, 1)[0] >> 1))


def pinned(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Return a batch in memory that a CUDA device reads by itself; as it is for a CPU."""
    return {name: item.pin_memory() for name, item in batch.items()} if device.type == "cuda" else batch


def flushes_denormals() -> bool:
    """Tell whether numbers below the smallest normal one count as 0 in this thread."""
    return (torch.tensor(1e-310, dtype=torch.float64) * 1.0).item() == 0.0
