"""One job of the three-moons study: a population of moons models is trained, then every member is scored.

The job's config holds the options of model, world, task and training, and the seeds; its result holds one number a
seed for each score, and `arrays.npz` in its folder what the figures need:

    one_step        (seeds, 800)              measure (a), context lengths 1 .. 800
    free, frozen    (seeds, len(CONTEXTS))    measures (b) and (c): 25 free-running steps after each context
    key_share, value_share, effect            (seeds, heads, moons)
    profile         (seeds, heads, AGES)      mean retrieval weight against the age of the pair, contexts 600 .. 800
    alignment       (records, seeds)          alignment score at `steps`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.engines.jobs import Report
from analysis.scores import alignment as aligning
from analysis.scores import causal
from analysis.scores.codes import phase_targets
from analysis.scores.dci import dci
from analysis.scores.horizon import horizon
from analysis.scores.mig import mig_score
from analysis.scores.sap import sap_score
from toyworlds.core.validate import from_dict
from toyworlds.three_moons import ThreeMoons

if TYPE_CHECKING:
    from mosaics.moons_model import MoonsModel

VERSION = [1, ThreeMoons.version]
"""Of this file and of the data; results of other versions are computed anew (`analysis.engines.jobs`)."""
EVALUATION_LENGTH = 801
EVALUATION_ROWS = 32
FIRST_EVALUATION_ROW = 100_000
"""Evaluation sequences come from far behind those that training looks at while it runs."""
CONTEXTS = (1, 5, 10, 20, 30, 44, 60, 75, 89, 105, 120, 134, 150, 175, 200, 230, 267, 300, 400, 500, 600, 700, 774)
FREE_STEPS = 25
AGES = 400
CODE_STEPS = tuple(range(400, 800, 40))
HORIZON_THRESHOLD = 0.015
"""A model can predict once its error stays below this: a quarter of what answering with the last observation gets."""


def run(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Train and score the members; return {"seeds": [...], score: [one a seed], "seconds": float}."""
    from mosaics.moons_model import MoonsModelConfig
    from mosaics.tasks.moons import MoonsTaskConfig
    from mosaics.training import TrainConfig, train

    world = from_dict(ThreeMoons, config["world"], "world")
    task_config = MoonsTaskConfig(world=world, **config["task"])
    seeds = tuple(config["seeds"])
    model_config = from_dict(MoonsModelConfig, config["model"], "model")
    model, task = model_config.build(seeds), task_config.build(seeds)
    model.prepare(task.batch(0)["observation"])
    mixing = np.stack([world.mixing_matrix(seed) for seed in seeds])
    progress = {"step": 0}

    def observe(step: int, now: Any) -> dict[str, float | list[float]]:
        alignment = np.atleast_1d(align(now, mixing).score)
        heads = "1 head" if model_config.n_heads == 1 else f"{model_config.n_heads} heads"
        report((step - progress["step"]) * len(seeds), f"alignment {alignment.mean():.2f} ({heads})")
        progress["step"] = step
        return {"alignment": alignment.tolist()}

    training = from_dict(TrainConfig, config["train"], "train")
    result = train(model, task, training, folder / "run", progress=False, observe=observe)
    arrays, scores = evaluate(model, world, seeds, mixing)
    records = [record for record in result.history if "alignment" in record]
    arrays["steps"] = np.array([record["step"] for record in records])
    arrays["alignment"] = np.array([record["alignment"] for record in records])
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]
    losses = [record["loss"] for record in result.history[-20:] if "loss" in record]
    scores["training_loss"] = np.mean(losses, axis=0).tolist()
    scores["alignment_at_start"] = arrays["alignment"][0].tolist()
    return {"seeds": list(seeds), "seconds": result.seconds, **scores}


def align(model: MoonsModel, mixing: np.ndarray) -> aligning.Alignment:
    """Alignment of every member from its maps and its world's mixing."""
    maps = model.maps()
    heads = model.config.n_heads
    key, value = (maps[role].detach().double().cpu().numpy() for role in ("key", "value"))
    shape = (len(key), heads, -1, key.shape[-1])
    return aligning.alignment(key.reshape(shape), value.reshape(shape), mixing)


def evaluate(
    model: MoonsModel, world: ThreeMoons, seeds: tuple[int, ...], mixing: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, list[Any]]]:
    """Score every member on the held-out periods: (arrays for figures, one number a seed for each score)."""
    import torch

    from mosaics.moons_measures import free_running_error, one_step_error

    long = replace(world, length=EVALUATION_LENGTH, missing_stretches=0)
    observation = _rows(long, seeds)
    one_step = one_step_error(model, observation)
    contexts = [n for n in CONTEXTS if n + FREE_STEPS <= EVALUATION_LENGTH]
    few = observation[:, : EVALUATION_ROWS // 2]
    alignment = align(model, mixing)
    with torch.no_grad():
        effect = _effects(model, _placed(few, model), mixing)
        profile = _profile(model, _placed(few[:, :8], model))
    arrays = {
        "one_step": one_step,
        "free": free_running_error(model, few, contexts, steps=FREE_STEPS),
        "frozen": free_running_error(model, few, contexts, steps=FREE_STEPS, frozen=True),
        "key_share": alignment.key_share,
        "value_share": alignment.value_share,
        "effect": effect,
        "profile": profile,
    }
    scores: dict[str, list[Any]] = {
        "alignment": np.atleast_1d(alignment.score).tolist(),
        "causal_alignment": [causal.causal_alignment(matrix).score for matrix in effect],
        "error_134_200": one_step[:, 133:200].mean(axis=1).tolist(),
        "error_267_on": one_step[:, 266:].mean(axis=1).tolist(),
        "horizon": np.atleast_1d(horizon(one_step, HORIZON_THRESHOLD)).tolist(),
    }
    if model.config.n_heads > 1:
        scores |= _code_scores(model, world, seeds)
    return arrays, scores


def _rows(world: ThreeMoons, seeds: tuple[int, ...], rows: int = EVALUATION_ROWS) -> np.ndarray:
    parts = [world.generate(seed, "validation", FIRST_EVALUATION_ROW, rows)["observation"] for seed in seeds]
    return np.stack(parts)


def _placed(observation: np.ndarray, model: MoonsModel) -> Any:
    """The observations as a tensor on the model's device."""
    import torch

    from mosaics.training.placement import place

    return place({"x": torch.from_numpy(observation)}, model)["x"]


def _effects(model: MoonsModel, x: Any, mixing: np.ndarray) -> np.ndarray:
    """(seeds, heads, moons): mean squared change of the prediction of each moon when a head finds nothing."""
    import torch

    found = model.retrieved(x)[..., -400:, :]
    baseline = model.output(found)
    heads = found.shape[-3]
    changed = []
    for head in range(heads):
        kept = found.new_ones(heads, 1, 1)
        kept[head] = 0.0
        changed.append(model.output(found * kept))
    unmix = np.linalg.inv(mixing)
    stacked = torch.stack(changed, dim=1).double().cpu().numpy()
    pairs = zip(baseline.double().cpu().numpy(), stacked, unmix, strict=True)
    return np.stack([causal.effect_matrix(base, without, inverse) for base, without, inverse in pairs])


def _profile(model: MoonsModel, x: Any) -> np.ndarray:
    """(seeds, heads, AGES): mean retrieval weight of the pair stored `age` steps before, ages 1 .. AGES."""
    weights = model.weights(x)
    by_age = [weights.diagonal(-age, -2, -1)[..., 600 - age :].mean((-1, 1)) for age in range(1, AGES + 1)]
    return np.stack([row.double().cpu().numpy() for row in by_age], axis=-1)


def _code_scores(model: MoonsModel, world: ThreeMoons, seeds: tuple[int, ...]) -> dict[str, list[Any]]:
    """DCI, MIG and SAP of retrieved values against phases, on moons that start separately (independent phases)."""
    import torch

    apart = replace(world, length=EVALUATION_LENGTH, start="separate", missing_stretches=0)
    steps = np.array(CODE_STEPS)
    scores: dict[str, list[Any]] = {"dci_disentanglement": [], "dci_completeness": [], "dci_informativeness": []}
    scores |= {"mutual_information_gap": [], "sap": []}
    parts = [apart.generate(seed, "validation", FIRST_EVALUATION_ROW, 2 * EVALUATION_ROWS) for seed in seeds]
    with torch.no_grad():
        found = model.retrieved(_placed(np.stack([part["observation"] for part in parts]), model))
    codes = found[..., steps, :].movedim(-2, 2).flatten(1, 2).double().cpu().numpy()
    for part, code in zip(parts, codes, strict=True):
        turns = part["phase"][:, None, :] + (steps[:, None] + 1) * world.time_step / part["periods"][:, None, :]
        factors = phase_targets(turns.reshape(-1, turns.shape[-1]) % 1.0)
        result = dci(code, factors)
        scores["dci_disentanglement"].append(result.disentanglement)
        scores["dci_completeness"].append(result.completeness)
        scores["dci_informativeness"].append(result.informativeness)
        scores["mutual_information_gap"].append(mig_score(code, factors))
        scores["sap"].append(sap_score(code, factors))
    return scores
