"""`mosaicbench score RUN`: score the disentanglement of trained moons models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from analysis.cli.need import need
from toyworlds.core import folders
from toyworlds.core.validate import DataError, from_dict, reject
from toyworlds.three_moons import ThreeMoons


@dataclass(frozen=True)
class Command:
    """Score runs of `mosaicbench train moons`: alignment, causal alignment, DCI, MIG, SAP, errors, horizon."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of runs."""
    out: Path | None = None
    """File to write the scores to, as JSON; none: they are only printed."""

    def run(self) -> None:
        """Print a table and write the file."""
        if not self.runs:
            reject("runs", "at least one folder of a run", ())
        if self.out is not None and self.out.exists():
            reject("out", "a file that does not exist yet", str(self.out))
        if self.out is not None and not self.out.parent.is_dir():
            reject("out", "a file in a folder that exists", str(self.out))
        need("torch", "train", "score a run")
        scores = {str(run): score_run(run) for run in self.runs}
        names = list(dict.fromkeys(name for row in scores.values() for name in row))
        width = max(map(len, names))
        for run, row in scores.items():
            print(run)
            print("\n".join(f"  {name:<{width}}  {row[name]:.4g}" for name in names if name in row))
        if self.out is not None:
            folders.write_json(self.out, scores)
            print(f"written: {self.out}")


def score_run(path: Path) -> dict[str, Any]:
    """Return every score of one run's model on the held-out moons."""
    import torch

    from analysis.studies.moons_population import evaluate
    from mosaics.moons_model import MoonsModelConfig
    from mosaics.training import read_run

    run = read_run(path)
    options = path / "config.json"
    try:
        named, task = run.config["model"], run.config["task"]
        name, seed, written, moons = named["name"], named["seed"], named["options"], task["options"]["world"]
    except (KeyError, TypeError) as error:
        expected = "the name, seed and options of a model and the world of its task"
        raise DataError(f"{options}: expected {expected} ({error!r})") from None
    if name != "moons":
        raise DataError(f"{path}: expected a run of the moons model; got one of {name!r}")
    seeds = tuple(seed) if isinstance(seed, list) else (seed,)
    try:
        config, world = from_dict(MoonsModelConfig, written, "model"), from_dict(ThreeMoons, moons, "world")
        model = config.build(seeds)
    except ValueError as error:
        raise DataError(f"{options}: {error}") from None
    if config.channels != world.channels:
        raise DataError(f"{options}: {world.n_moons} moons have {world.channels} channels; the model {config.channels}")
    weights = run.weights()
    if not isinstance(seed, list):
        weights = {name: tensor[None] for name, tensor in weights.items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path / 'model.safetensors'}: does not fit the options in config.json ({reason})") from None
    with torch.no_grad():
        _, scores = evaluate(model, world, seeds, np.stack([world.mixing_matrix(s) for s in seeds]))
    plain: dict[str, Any] = json.loads(json.dumps(scores))
    return {name: values[0] if len(values) == 1 else float(np.median(values)) for name, values in plain.items()}
