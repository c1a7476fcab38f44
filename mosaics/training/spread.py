"""A model on one device, copied to many (DDP) or sharded over many (FSDP2): one look at it for the loop.

    work     the module that is evaluated, whose parameters are updated
    call     what the loss calls: `work`, compiled, or wrapped in DistributedDataParallel
    own      tensors of this process by name; with FSDP2 the rows of each that lie here: with n rows and P processes,
             process r has rows r c .. (r + 1) c - 1, c = n / P rounded up

The loss must call the model and nothing else of it, because the exchange of gradients (and with FSDP2 of parameters)
hangs on that call. With FSDP2 the caller's model stays whole, on the CPU, and gets the weights at the end.

Reference: Zhao et al., PyTorch FSDP, VLDB 2023; its second version is torch.distributed.fsdp.fully_shard.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mosaics.training.checkpoint import weights_of
from mosaics.training.config import TrainConfig
from mosaics.training.processes import Processes
from toyworlds.core.validate import reject

MODES = {"model": "default", "graphs": "reduce-overhead"}


class Spread:
    """The model of one run on the devices of its processes."""

    def __init__(self, model: nn.Module, config: TrainConfig, device: torch.device, processes: Processes) -> None:
        dtype = torch.float64 if config.dtype == "float64" else torch.float32
        self.processes, self.parallel, self.compiled = processes, config.parallel, config.compile != "none"
        if config.parallel != "none" and getattr(model, "members", None):
            reject("parallel", "none for a population, which one process trains", config.parallel)
        if processes.sharded:
            model.to(dtype=dtype)
            self.work = _sharded(model, device)
        else:
            self.work = model.to(device, dtype)
        self.call: Any = self.work
        if self.compiled:
            self.call = torch.compile(self.work, mode=MODES[config.compile])
        if config.parallel == "ddp":
            ids = [device.index] if device.type == "cuda" else None
            self.call = nn.parallel.DistributedDataParallel(self.call, device_ids=ids)
        named = weights_of(self.work)
        self.shards = {name: item for name, item in named.items() if hasattr(item, "placements")}
        self.own = {name: self.local(item) for name, item in named.items()}
        self.parameters = {name: p for name, p in self.work.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def local(self, item: Tensor) -> Tensor:
        """Return the part of a parameter or gradient that lies in this process; it shares its memory."""
        return cast(Any, item).to_local() if hasattr(item, "to_local") else item.detach()

    def gradients(self) -> list[Tensor]:
        """Return this process's part of the gradients, zeros where the loss does not hang on a parameter."""
        lacking = [name for name, p in self.parameters.items() if p.grad is None]
        if lacking and self.parallel != "none":
            reject("parallel", "a model whose loss hangs on every parameter", self.parallel, lacking[0])
        return [torch.zeros_like(p) if p.grad is None else self.local(p.grad) for p in self.parameters.values()]

    def forget_gradients(self) -> None:
        """Free the gradients."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def begin_step(self) -> None:
        """Tell CUDA graphs that the outputs of the step before are no longer needed."""
        if self.compiled:
            torch.compiler.cudagraph_mark_step_begin()

    @contextlib.contextmanager
    def exchange(self, last: bool) -> Iterator[None]:
        """Average gradients over the processes in the backward pass of the `last` part, before it only add them."""
        if self.processes.sharded:
            cast(Any, self.work).set_requires_gradient_sync(last)
        with contextlib.nullcontext() if last or self.parallel != "ddp" else self.call.no_sync():
            yield

    def share_of(self, name: str, whole: Tensor) -> Tensor:
        """Return the rows of a whole tensor that lie in this process."""
        if name not in self.shards:
            return whole
        rows = whole.chunk(self.processes.size)
        return rows[self.processes.rank] if self.processes.rank < len(rows) else whole[:0]

    def whole(self, own: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return whole tensors from every process's own, on the CPU where they are sharded."""
        return {name: self._joined(name, item) if name in self.shards else item for name, item in own.items()}

    def _joined(self, name: str, own: Tensor) -> Tensor:
        from torch.distributed.tensor import DTensor

        like: Any = self.shards[name]
        tensor = DTensor.from_local(own, like.device_mesh, like.placements, shape=like.shape, stride=like.stride())
        return tensor.full_tensor().cpu()


def _sharded(model: nn.Module, device: torch.device) -> nn.Module:
    """Return a copy of `model` on `device` whose parameters are sharded, block by block, over all processes."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    for name, parameter in model.named_parameters():
        if parameter.dim() == 0:
            reject("parallel", "ddp for a model with a scalar parameter", "fsdp", name)
    work = copy.deepcopy(model).to(device)
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    # DTensor's caches keep the mesh, which must not keep the group to the end of the process (processes._leave): it
    # also finds it by name.
    getattr(mesh, "_pg_registry", {}).clear()
    for block in blocks_of(work):
        fully_shard(block, mesh=mesh)
    return cast(nn.Module, fully_shard(work, mesh=mesh, reshard_after_forward=True))


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """Return the blocks of a stack, none of any other model."""
    blocks = getattr(model, "blocks", None)
    return list(blocks) if isinstance(blocks, nn.ModuleList) else []


@contextlib.contextmanager
def recomputed(model: nn.Module, wanted: bool) -> Iterator[None]:
    """Inside, each block of `model` keeps its inputs alone and computes its inside again in the backward pass.

    Dropout is drawn again from the generator's state of the first time, so gradients are the same.
    """
    blocks: list[Any] = blocks_of(model) if wanted else []
    if wanted and not blocks:
        reject("activation_checkpointing", "False for a model without blocks", type(model).__name__)
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward
