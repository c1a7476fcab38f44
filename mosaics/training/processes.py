"""The processes of one run: which one this is, how many there are, and what they tell each other.

torchrun starts them and sets RANK, WORLD_SIZE and LOCAL_RANK; they exchange tensors through gloo (CPU) or NCCL (CUDA).
Only the first process writes records and results.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from toyworlds.core.validate import DataError, InputError, reject


@dataclass(frozen=True)
class Processes:
    """The number of this process and how many there are; `sharded` where each holds a part of every parameter."""

    rank: int = 0
    size: int = 1
    sharded: bool = False

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    @property
    def writers(self) -> int:
        """Processes that write a file of a checkpoint."""
        return self.size if self.sharded else 1

    def sum(self, value: Tensor) -> Tensor:
        """Add up a tensor over all processes."""
        if self.size > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def tell(self, value: Any) -> Any:
        """Return the first process's `value` (what JSON can hold) in every process."""
        if self.size == 1:
            return value
        message = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        length = torch.tensor([len(message)])
        dist.broadcast(length, 0)
        message = message if self.first else torch.empty(int(length), dtype=torch.uint8)
        dist.broadcast(message, 0)
        return json.loads(bytes(message.tolist()))

    def first_says(self, make: Callable[[], Any]) -> Any:
        """Return what `make()` returns in the first process; an error of it is one in every process."""
        if self.size == 1:
            return make()
        if not self.first:
            told = self.tell(None)
            if told["error"]:
                raise DataError(told["error"])
            return told["value"]
        try:
            value = make()
        except (InputError, DataError) as error:
            self.tell({"value": None, "error": str(error)})
            raise
        return self.tell({"value": value, "error": ""})["value"]

    def gather(self, text: str) -> list[str]:
        """Return the texts of all processes, which have one length (digests, say)."""
        if self.size == 1:
            return [text]
        own = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
        texts = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(texts, own)
        return [bytes(item.tolist()).decode() for item in texts]


ALONE = Processes()


@contextlib.contextmanager
def joined(parallel: str) -> Iterator[Processes]:
    """Join the processes that torchrun started, and leave them in the end; alone where `parallel` is none."""
    started = dist.is_available() and (dist.is_initialized() or "RANK" in os.environ)
    if parallel == "none":
        if started and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            reject("parallel", "ddp or fsdp where torchrun has started several processes", parallel)
        yield ALONE
        return
    if not started:
        reject("parallel", "none, or to be started by torchrun (RANK is not set)", parallel)
    own = not dist.is_initialized()
    if own:
        _join()
    processes = Processes(dist.get_rank(), dist.get_world_size(), parallel == "fsdp")
    yield processes
    if own:  # not after an error: the group may wait for a process that is gone
        processes.sum(torch.zeros(1))  # nobody leaves before all are done
        _leave()


def _leave() -> None:
    """End the process group and its threads.

    gloo's threads drop the tensors that they exchanged, for which they need the interpreter; one that is late and
    finds the interpreter at its end aborts the process (SIGABRT), which torchrun takes for a death. The destructor of
    the group waits for them; models in reference cycles (DistributedDataParallel) hold the group, so they go first.
    """
    gc.collect()
    dist.destroy_process_group()


def _join() -> None:
    """Start the process group. On one machine addresses of an earlier attempt are kept out of the way.

    torchrun keeps its store when it starts workers again, and gloo would find there the addresses of the dead.
    torch.distributed.nn takes the group there is when it is imported for its functions' default, and would hold it to
    the end of the process (see :func:`_leave`); DistributedDataParallel imports it. Before the start there is none.
    """
    importlib.import_module("torch.distributed.nn.functional")
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if os.environ.get("LOCAL_WORLD_SIZE") != os.environ["WORLD_SIZE"]:
        dist.init_process_group(backend)
        return
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, rank, size = next(rendezvous("env://"))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    dist.init_process_group(backend, store=PrefixStore(f"attempt-{attempt}", store), rank=rank, world_size=size)
