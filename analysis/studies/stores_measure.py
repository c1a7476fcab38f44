"""The jobs of the stores study: train a mosaic, read test problems with one family of stores, time the stores.

    train      the laptop recipe; its run lies in the job's folder
    quality    loss and recall of retrieval mass for each store of a family, problems read step by step
    cost       seconds and bytes of each store that holds n pairs, one pair stored and one query asked a step

Losses are sums over the labelled rows of one problem, so that intervals can be taken over problems. Recall and the
number of pairs looked at are means over all rows but the first (where nothing is stored), heads and problems.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.engines.jobs import Report
from regbench.problems import IGNORED, load
from regbench.suites import RegBenchLaptop
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import from_dict

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mosaics.stores import Measured, Store

VERSION = [1, RegBenchLaptop.version]
"""Of this file and of the data; results of other versions are computed anew (`analysis.engines.jobs`)."""
AT_ONCE = 32
"""Problems read side by side."""
COST_HEADS, COST_WIDTH, COST_STEPS = 8, 16, 60
"""Memories and width of the published RegBench model; timed steps."""
KEY_NORM = 2.718281828459045
"""Norm of an untrained model's keys."""


def recipe(steps: int) -> dict[str, Any]:
    """Return the laptop recipe as plain values, evaluated at the end only: {"model", "world", "task", "train"}."""
    from mosaics.tasks.regbench import laptop_recipe

    made = laptop_recipe("mosaic", steps=steps)
    training = replace(made.training, threads=1, evaluate_every=None, log_every=50)
    task = {name: value for name, value in vars(made.task).items() if name != "world"}
    parts = {"model": vars(made.model), "world": vars(made.task.world), "task": task, "train": vars(training)}
    plain: dict[str, Any] = json.loads(json.dumps(parts))
    return plain


def train(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Train the recipe's model; return its metrics on the test set and the key norms of each block."""
    from mosaics.mosaic import MemoryMosaicConfig
    from mosaics.tasks.regbench import RegBenchTaskConfig
    from mosaics.training import TrainConfig
    from mosaics.training import train as trained

    training = from_dict(TrainConfig, config["train"], "train")
    task = RegBenchTaskConfig(world=from_dict(RegBenchLaptop, config["world"], "world"), **config["task"])
    model = from_dict(MemoryMosaicConfig, config["model"], "model").build(config["seed"])
    result = trained(model, task.build(config["seed"]), training, out=folder / "run", progress=False)
    report(training.steps, "trained")
    blocks: list[Any] = list(model.blocks)
    norms = [block.contextual.key.scale().detach().tolist() for block in blocks]
    return {"metrics": result.final, "seconds": result.seconds, "key_norms": norms}


def quality(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Read the problems with every store of config["stores"]; return one entry a store."""
    import torch

    from mosaics.mosaic import MemoryMosaicConfig
    from mosaics.training import read_run

    model = from_dict(MemoryMosaicConfig, config["model"], "model").build()
    model.load_state_dict(read_run(folder.parent / config["training"] / "run").weights())
    model.eval()
    world = from_dict(RegBenchLaptop, config["world"], "world")
    problems = load(world, "test", 0, config["problems"], seed=config["data_seed"])
    tokens, labels = (torch.from_numpy(part).long() for part in (problems.tokens, problems.labels))
    entries = []
    for store in config["stores"]:
        parts = [
            _read(model, store, tokens[first : first + AT_ONCE], labels[first : first + AT_ONCE])
            for first in range(0, len(tokens), AT_ONCE)
        ]
        sums = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        entry: dict[str, Any] = {name: sums[name].tolist() for name in ("loss", "labelled")}
        for name in ("recall", "looked"):
            entry[name] = (sums[name].sum(0) / sums["rows"].sum()).tolist()
        entries.append(entry)
        report(1, str(store["label"]))
    return {"stores": entries, "rows": int((problems.lengths - 1).sum())}


def _read(model: nn.Module, store: Mapping[str, Any], tokens: Tensor, labels: Tensor) -> dict[str, np.ndarray]:
    """Sums over the rows of each problem: loss, labelled rows, rows that count, recall and looked a layer."""
    import torch

    measured = []

    def make_store(score: str) -> Measured:
        measured.append(_measured(store, score))
        return measured[-1]

    with torch.no_grad():
        state: Any = model.initial_state(len(tokens), make_store)  # type: ignore[operator]
        logits = torch.stack([model.step(token, state)[0] for token in tokens.unbind(1)], 1)  # type: ignore[operator]
    loss = torch.nn.functional.cross_entropy(logits.mT, labels, ignore_index=IGNORED, reduction="none")
    counted = tokens[:, 1:] != 0
    out = {"loss": loss.double().sum(1), "labelled": (labels != IGNORED).sum(1), "rows": counted.sum(1)}
    for name, parts in (("recall", [m.recalls for m in measured]), ("looked", [m.looked for m in measured])):
        rows = [torch.cat(steps[1:], 2).double().mean(1).masked_fill(~counted, 0.0).sum(1) for steps in parts]
        out[name] = torch.stack(rows, 1)
    return {name: part.numpy() for name, part in out.items()}


def _measured(store: Mapping[str, Any], score: str) -> Measured:
    from mosaics.stores import Measured

    return Measured(_built(store, score, keep=True))


def _built(store: Mapping[str, Any], score: str, *, keep: bool = False) -> Store:
    from mosaics.stores import STORES

    options = dict(store["options"]) | ({"keep_pairs": True} if keep and store["store"] == "features" else {})
    built: Store = STORES[store["store"]](**options).build(score)
    return built


def cost(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Seconds of a step and bytes a memory of each store, at each number of pairs; the stores take turns."""
    import torch

    torch.set_num_threads(1)
    seconds: list[list[float]] = [[] for _ in config["stores"]]
    sizes: list[list[float]] = [[] for _ in config["stores"]]
    for pairs in config["pairs"]:
        key, value = _random_pairs(pairs + 2 * COST_STEPS)
        stores = [_built(store, "dot") for store in config["stores"]]
        for index, store in enumerate(stores):
            store.store(key[:, :, :pairs], value[:, :, :pairs])
            sizes[index].append(store.nbytes / COST_HEADS)
        taken = np.array([[_timed(store, key, value, pairs + t) for store in stores] for t in range(2 * COST_STEPS)])
        for index, median in enumerate(np.median(taken[COST_STEPS:], axis=0).tolist()):
            seconds[index].append(median)
        report(1, f"{pairs} pairs")
    return {"seconds": seconds, "bytes": sizes}


def _timed(store: Store, key: Tensor, value: Tensor, t: int) -> float:
    begin = time.perf_counter()
    store.store(key[:, :, t : t + 1], value[:, :, t : t + 1])
    store.retrieve(key[:, :, t : t + 1])
    return time.perf_counter() - begin


def _random_pairs(n: int) -> tuple[Tensor, Tensor]:
    """Keys in random directions and random values, (1, heads, n, w) float32."""
    import torch

    draws = Stream(0, "stores", "pairs").normal(0, 2 * COST_HEADS * n * COST_WIDTH)
    key, value = torch.from_numpy(draws).float().view(2, 1, COST_HEADS, n, COST_WIDTH).unbind(0)
    return KEY_NORM * key / key.norm(dim=-1, keepdim=True), value
