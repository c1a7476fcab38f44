"""`mosaicbench train TASK`: train one model and keep the run in a folder; the same command again continues it."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from analysis.cli.list_command import lines
from analysis.cli.need import need
from analysis.cli.parse import parse
from toyworlds.core.validate import InputError, choice, integer, reject


@dataclass(frozen=True)
class Training:
    """Options that every task shares."""

    out: Path
    """Folder of the run; one that holds the same run is continued, or read if it is finished."""
    seed: int = 0
    """Seed of the model's start and of the order of its data."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a CUDA device where there is one."""
    dtype: Literal["float32", "bfloat16", "float64"] = "float32"
    """Numbers of the forward pass; with bfloat16 the weights stay float32."""
    threads: int = 1
    """CPU threads, of which an exact resume needs as many as the run had; 0 for torch's own number."""
    checkpoint_every: int = 100
    """Updates between two checkpoints; a killed run continues from the last."""
    parallel: Literal["none", "ddp", "fsdp"] = "none"
    """Processes of torchrun that share each batch: copies of the model (ddp) or shards of it (fsdp)."""
    micro_batch: int | None = None
    """Rows that a process computes at once; none: all its rows."""
    activation_checkpointing: bool = False
    """Compute the inside of each block again in the backward pass: less memory."""
    compile: Literal["none", "model", "graphs"] = "none"
    """Compile the model with torch.compile; graphs also replays CUDA graphs."""
    tensorboard: bool = False
    """Write events for TensorBoard into the run's folder."""

    def parts(self) -> tuple[Any, Any, Any]:
        """Return the configs of model, task and training."""
        raise NotImplementedError

    def run(self) -> None:
        """Train and print the metrics at the end."""
        from mosaics.training import train

        model_config, task_config, training = self.parts()
        integer("threads", self.threads, 0)
        training = dataclasses.replace(
            training, device=self.device, dtype=self.dtype, threads=self.threads or None, seed=self.seed,
            checkpoint_every=self.checkpoint_every, parallel=self.parallel, micro_batch=self.micro_batch,
            activation_checkpointing=self.activation_checkpointing, compile=self.compile, tensorboard=self.tensorboard,
        )  # fmt: skip
        model, task = model_config.build(self.seed), task_config.build(self.seed)
        if hasattr(model, "prepare"):
            model.prepare(task.batch(0)["observation"])
        result = train(model, task, training, self.out)
        if os.environ.get("RANK", "0") != "0":
            return
        print(f"{self.out}: {result.steps} steps, {model.num_parameters():,} parameters, {result.seconds:.1f} s")
        for name, value in result.final.items():
            print(f"  {name:<38} {value:.5g}")


@dataclass(frozen=True)
class Moons(Training):
    """Train memories on three moons."""

    heads: Literal[1, 3] = 3
    """Memories: three of width 2, or one of width 6."""
    recipe: Literal["ours", "published"] = "ours"
    """400 steps, batch 16, loss not clipped; or the published 800 steps, batch 64, clipped loss."""
    linear: Literal["complex", "plain"] = "complex"
    """Maps made of scaled rotations of pairs of coordinates, or any matrices."""
    mixing: Literal["none", "orthogonal", "general"] = "none"
    """An unknown mixing of the coordinates, drawn from the seed."""
    steps: int = 500
    """Updates."""

    def parts(self) -> tuple[Any, Any, Any]:
        """Return the configs of model, task and training."""
        from analysis.studies.moons_lone import parts

        return parts(self.recipe, heads=self.heads, linear=self.linear, mixing=self.mixing, steps=self.steps)


@dataclass(frozen=True)
class RegBench(Training):
    """Train a sequence model on languages of random automata."""

    model: str = "mosaic"
    """Name of the model (`mosaicbench list models`), sized to the mosaic's parameter count."""
    preset: Literal["laptop", "published"] = "laptop"
    """A small family of languages, learned in minutes; or the published languages, model and schedule."""
    train_size: int | None = None
    """Training problems of the published preset; none: 5000."""
    epochs: int | None = None
    """Epochs of the published preset; none: 200."""
    steps: int | None = None
    """Updates of the laptop preset; none: 2000."""

    def parts(self) -> tuple[Any, Any, Any]:
        """Return the configs of model, task and training."""
        from mosaics.catalogue import MODELS
        from mosaics.tasks.regbench import RegBenchTaskConfig, laptop_recipe, published_recipe

        choice("model", self.model, MODELS.names("tokens"))
        laptop = self.preset == "laptop"
        for name in ("train_size", "epochs") if laptop else ("steps",):
            if getattr(self, name) is not None:
                reject(name, f"none with the preset {self.preset}", getattr(self, name))
        if laptop:
            return laptop_recipe(self.model, **given(steps=self.steps))
        task = RegBenchTaskConfig(**given(train_size=self.train_size))
        return published_recipe(self.model, task, **given(epochs=self.epochs))


def given(**options: Any) -> dict[str, Any]:
    """Return the options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True)
class Language(Training):
    """Train a language model on token streams (`mosaicbench prepare-text`)."""

    data: Path = dataclasses.field(kw_only=True)
    """Folder of token streams."""
    model: str = "mosaic"
    """Name of the model (`mosaicbench list models`), sized to the mosaic's parameter count."""
    preset: Literal["laptop", "quick", "published"] = "laptop"
    """Width 128, a core and some minutes; width 64, a minute or two; or the published model and schedule."""
    layers: int = 2
    """Blocks (published: 1, 8, 12, 18)."""
    steps: int = 0
    """Updates; 0 for the preset's."""
    packing: Literal["preset", "stories", "packed", "stream"] = "preset"
    """A row is one story; several, kept apart, so that all batches have one shape; or a window of the plain stream of
    all stories, as published."""

    def parts(self) -> tuple[Any, Any, Any]:
        """Return the configs of model, task and training."""
        from mosaics.tasks.language import RECIPES

        steps = {"steps": self.steps} if integer("steps", self.steps, 0) else {}
        model, task, training = RECIPES[self.preset](self.model, self.data, n_layers=self.layers, **steps)
        task = task if self.packing == "preset" else dataclasses.replace(task, packing=self.packing)
        return model, task, training


TASKS: dict[str, type[Training]] = {"moons": Moons, "regbench": RegBench, "language": Language}


def choose(arguments: list[str]) -> Any:
    """Pick the task by the first word, then parse its options."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: mosaicbench train TASK --out DIR [options]\n\nTrain one model and keep the run in a folder.\n")
        print(lines((name, (task.__doc__ or "").strip()) for name, task in TASKS.items()))
        print("\n`mosaicbench train TASK --help` explains the options of a task.")
        return None
    name = choice("task", arguments[0], TASKS)
    command: Training = parse(TASKS[name], arguments[1:], f"mosaicbench train {name}")
    need("torch", "train", "train a model")
    if command.out.exists() and not command.out.is_dir():
        raise InputError(f"out: expected a folder; got the file {str(command.out)!r}")
    return command
