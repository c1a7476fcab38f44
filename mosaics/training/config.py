"""How to train: one frozen dataclass for all tasks.

Most fields say what is computed; those named in `MACHINE` say how, and change a result by no more than rounding
(dropout masks also depend on `micro_batch` and the number of processes). A run may be continued with other values of
them, so they are no part of its identity.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from mosaics.training.schedule import SCHEDULES, learning_rate
from toyworlds.core.validate import choice, integer, real, reject

DTYPES = ("float32", "bfloat16", "float64")
DEVICES = ("auto", "cpu", "cuda")
COMPILE = ("none", "model", "graphs")
PARALLEL = ("none", "ddp", "fsdp")
MACHINE = ("micro_batch", "compile", "activation_checkpointing", "prefetch", "parallel", "tensorboard", "peak_flops")
"""Fields that say how a run is computed, not what."""
FLAGS = ("bias_correction", "decay_vectors", "higher_is_better", "activation_checkpointing", "tensorboard")


@dataclass(frozen=True)
class TrainConfig:
    """Optimizer, schedule, evaluation, checkpoints and the machine; the batch belongs to the task."""

    steps: int = 500
    """Updates."""
    learning_rate: float = 1e-3
    """Learning rate at the start (after the warm-up)."""
    final_learning_rate: float = 0.0
    """Learning rate that the schedule falls to."""
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    """Shape of the way from the first to the final learning rate."""
    warmup_steps: int = 0
    """Updates of linear warm-up before the schedule."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay rates of AdamW's two averages."""
    epsilon: float = 1e-8
    """Added to the denominator of AdamW."""
    bias_correction: bool = True
    """Correct AdamW's averages for their start at zero (torch always does, MLX does not by default)."""
    weight_decay: float = 0.0
    """Weight decay of AdamW."""
    decay_vectors: bool = False
    """Decay every parameter, not only those of two or more dimensions."""
    clip_norm: float | None = None
    """Largest norm of the gradient, over all parameters of a model; none: gradients are not clipped."""
    evaluate_every: int | None = None
    """Evaluate at step 0 and every so many steps, and keep the best weights; none: only at the end."""
    monitor: str = "validation_loss"
    """Metric that tells which weights are the best."""
    higher_is_better: bool = False
    """The larger monitored metric is the better one."""
    patience: int | None = None
    """Stop after so many evaluations in a row without a new best."""
    checkpoint_every: int | None = None
    """Write what an exact resume needs every so many steps; none: never."""
    log_every: int = 1
    """Keep the loss of every so many steps."""
    dtype: Literal["float32", "bfloat16", "float64"] = "float32"
    """Numbers of the forward pass; with bfloat16 the weights stay float32 (autocast)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a CUDA device where there is one."""
    threads: int | None = None
    """CPU threads; an exact resume on a CPU needs the number of the run before. None: torch's own number."""
    seed: int = 0
    """Seed of dropout; the model's start and the batches have their own."""
    micro_batch: int | None = None
    """Rows that a process computes at once; gradients add up to those of the whole batch. None: all its rows."""
    compile: Literal["none", "model", "graphs"] = "none"
    """Compile the model with torch.compile; graphs also replays CUDA graphs, for batches of one shape."""
    activation_checkpointing: bool = False
    """Keep only the inputs of each block and compute its inside again in the backward pass: less memory."""
    prefetch: int | None = None
    """Batches that a thread makes ahead. None: 2 on a CUDA device, 0 on a CPU."""
    parallel: Literal["none", "ddp", "fsdp"] = "none"
    """Processes of torchrun that share each batch: copies of the model (ddp) or shards of it (fsdp)."""
    tensorboard: bool = False
    """Write events for TensorBoard into the run's folder."""
    peak_flops: float | None = None
    """Operations a second of a device, for the model-FLOPs utilisation. None: known for some GPUs, else left out."""

    def __post_init__(self) -> None:
        integer("steps", self.steps, 1)
        real("learning_rate", self.learning_rate, 0.0)
        real("final_learning_rate", self.final_learning_rate, 0.0)
        choice("schedule", self.schedule, SCHEDULES)
        integer("warmup_steps", self.warmup_steps, 0, self.steps)
        if not isinstance(self.betas, tuple) or len(self.betas) != 2:
            reject("betas", "a tuple of two numbers", self.betas)
        for beta in self.betas:
            if not 0.0 <= real("betas", beta) < 1.0:
                reject("betas", "numbers of at least 0 and below 1", self.betas)
        real("epsilon", self.epsilon, above=0.0)
        real("weight_decay", self.weight_decay, 0.0)
        if self.clip_norm is not None:
            real("clip_norm", self.clip_norm, above=0.0)
        for name in ("evaluate_every", "patience", "checkpoint_every", "threads", "micro_batch"):
            if getattr(self, name) is not None:
                integer(name, getattr(self, name), 1)
        if self.patience is not None and self.evaluate_every is None:
            reject("patience", "evaluate_every to be set with it", self.patience)
        integer("log_every", self.log_every, 1)
        for name in FLAGS:
            if not isinstance(getattr(self, name), bool):
                reject(name, "True or False", getattr(self, name))
        choice("dtype", self.dtype, DTYPES)
        choice("device", self.device, DEVICES)
        integer("seed", self.seed, 0)
        choice("compile", self.compile, COMPILE)
        choice("parallel", self.parallel, PARALLEL)
        if self.prefetch is not None:
            integer("prefetch", self.prefetch, 0)
        if self.peak_flops is not None:
            real("peak_flops", self.peak_flops, above=0.0)

    def identity(self) -> dict[str, Any]:
        """Return the fields that tell this run from any other: all but those of `MACHINE`."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in MACHINE}

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of update `step`, 0 .. steps - 1."""
        return learning_rate(
            self.schedule,
            step,
            self.steps,
            first=self.learning_rate,
            final=self.final_learning_rate,
            warmup=self.warmup_steps,
        )
