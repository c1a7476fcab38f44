"""The jobs of the language study: make the token streams, train a model on them and measure it.

    text     PrepareConfig -> token streams in the job's folder
    train    one model, one depth, one seed: losses along the way, losses of single documents, prompts, profile

Losses of documents, prompts and profiles are taken with the weights of the best evaluation, so a model that begins to
learn its training text by heart is measured before it does.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.engines import Report
from toyworlds.core import folders
from toyworlds.core.validate import DataError, InputError, from_dict, reject
from toyworlds.stories.world import Stories

if TYPE_CHECKING:
    from mosaics.text import PrepareConfig
    from toyworlds.stories.prompts import Prompt

VERSION = [2, Stories.version]
DATA = "data"
ROOM = 16
"""Tokens of the context kept for the answer of a prompt."""
CURVE = ("step", "validation_loss", "training_loss")


def text(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Make the token streams; return what the manifest says of them."""
    from mosaics.text import prepare_text

    shutil.rmtree(folder / DATA, ignore_errors=True)
    data = prepare_text(text_config(config), folder / DATA)
    report(1, "text")
    kept = ("corpora", "tokenizer", "duplicates", "splits")
    return {name: data.manifest[name] for name in kept} | {"fingerprint": data.fingerprint}


def text_config(config: Mapping[str, Any]) -> PrepareConfig:
    """Return what the job `text` makes of its config."""
    from mosaics.text import PrepareConfig

    options = dict(config["text"])
    world = from_dict(Stories, options.pop("world"), "world")
    return from_dict(PrepareConfig, options | {"world": world}, "text")


def check_sources(config: Mapping[str, Any], read: Mapping[str, Any]) -> None:
    """Raise a DataError where the files of the text are no longer those that the job `text` has read."""
    for split, corpus in text_config(config).corpora().items():
        if corpus.described()["sha256"] != read[split]["sha256"]:
            name = config["text"].get(split) or config["text"]["train"]
            raise changed(name)


def changed(name: str) -> DataError:
    """Return the error of a text that is no longer the one that a study has read."""
    return DataError(f"{name}: changed since this study has read it (another SHA-256); choose a new folder")


def rehearse(config: Mapping[str, Any], jobs: Path) -> None:
    """Raise now the InputError that measuring a training of `config` would end in.

    A model of one block, not trained, shows whether its retrieval profile can be taken.
    """
    from mosaics.tasks.language import language_task
    from mosaics.tasks.recipe import sized

    config_of_task = language_task(jobs.resolve() / config["text"] / DATA, **config["task"])
    task = config_of_task.build(config["seed"])
    documents = len(task.data.tokens("validation"))
    if documents < 2:
        reject("validation", "a text of two documents at least", documents)
    if config["prompts"]:
        fitting(task, config)
    if config["profile"]:
        model = sized(config["model"], config_of_task, config["size"] | {"n_layers": 1}, positions_counted=False)
        try:
            profile(model.build(0).eval(), task, config["profile"])
        except InputError as error:
            context = config["task"]["context"]
            reject("profile_documents", f"0 for {config['model']} on this text with a context of {context}",
                   config["profile"], str(error))  # fmt: skip


def train(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Train one model; return sizes, losses along the way and what `measure` finds."""
    from mosaics.tasks.language import language_task
    from mosaics.tasks.recipe import Recipe, positions_of, sized
    from mosaics.training import TrainConfig
    from mosaics.training.checkpoint import copy_into, weights_of

    data = folder.parent.resolve() / config["text"] / DATA
    task = language_task(data, **config["task"])
    model = sized(config["model"], task, config["size"], positions_counted=False)
    recipe = Recipe(model, task, from_dict(TrainConfig, config["train"], "train"))
    model, result = recipe.train(config["seed"], folder / "run", progress=False)
    copy_into(weights_of(model), result.best_weights, "", folder / "run")
    report(recipe.training.steps, f"{config['model']} {config['size']['n_layers']}")
    curve = [{name: line[name] for name in CURVE} for line in result.history if "validation_loss" in line]
    built = task.build(config["seed"])
    return {
        "parameters": model.num_parameters() - positions_of(recipe.model),
        "curve": curve,
        "best": result.best,
        "final": result.final,
        "seconds": result.seconds,
        "steps_per_epoch": built.steps_per_epoch,
        "padding": built.padding(),
        **measure(model.eval(), built, config),
    }


def measure(model: Any, task: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Losses of the validation documents; where asked for, prompts answered and the retrieval profile."""
    import numpy as np

    from mosaics.tasks.language import token_losses

    tokens = task.data.tokens("validation").first(task.config.validation_documents)
    nats = token_losses(model, tokens, task.data.end, task.config.context)
    sums = np.add.reduceat(nats, tokens.offsets[:-1])
    found = {"nats": sums.tolist(), "tokens": tokens.lengths.tolist(), "bytes": (tokens.bytes + 1).tolist()}
    found["prompts"] = prompts(model, task, config) if config["prompts"] else None
    found["profile"] = profile(model, task, config["profile"]) if config["profile"] else None
    return found


def prompts(model: Any, task: Any, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Let the model answer the prompts that fit into its context."""
    from analysis.story_prompts import answered

    table = answered(model, task.data.tokenizer, fitting(task, config))
    columns = ["kind", "question", "distance", "correct", "chance", "probability"]
    lines: list[dict[str, Any]] = folders.plain(table[columns].to_dict("records"))
    return lines


def fitting(task: Any, config: Mapping[str, Any]) -> list[Prompt]:
    """Return prompts, so many of each kind, that fit into the context."""
    from analysis.story_prompts import story_prompts

    tokenizer, room = task.data.tokenizer, task.config.context - ROOM
    asked = story_prompts(from_dict(Stories, config["world"], "world"), 0, 3 * config["prompts"])
    lengths = [len(row) for row in tokenizer.encode([prompt.text for prompt in asked])]
    chosen: dict[str, list[Prompt]] = {}
    shortest: dict[str, int] = {}
    for prompt, length in zip(asked, lengths, strict=True):
        kept = chosen.setdefault(prompt.kind, [])
        shortest[prompt.kind] = min(length, shortest.get(prompt.kind, length))
        if length <= room and len(kept) < config["prompts"]:
            kept.append(prompt)
    if not all(chosen.values()):
        least, kind = max((length, kind) for kind, length in shortest.items())
        expected = f"{least + ROOM} tokens at least, for {kind} prompts of {least} (or prompts 0)"
        reject("context", expected, task.config.context, f"the tokenizer is {tokenizer.kind}")
    return [prompt for kept in chosen.values() for prompt in kept]


def profile(model: Any, task: Any, documents: int) -> dict[str, Any]:
    """Retrieval profile of every head on the beginnings of the first validation documents that are long enough."""
    import numpy as np

    from analysis.attention_profile import profile_table, profiles

    length, tokens = task.config.context // 2, task.data.tokens("validation")
    if length < 2:
        reject("context", "4 tokens at least", task.config.context)
    long = [row for row in range(len(tokens)) if tokens.lengths[row] >= length][:documents]
    if len(long) < 2:
        reject("profile_documents", f"2 validation stories of {length} tokens or more", len(long))
    rows = np.array([[task.data.end, *tokens[row][: length - 1]] for row in long])
    found = profiles(model, rows)
    whole = [head for head in found if not head.where.furthest]
    nearest = max(head.where.nearest for head in whole)
    reach = min(head.where.nearest + len(head.by_distance) for head in whole)
    distance = [head.by_distance[nearest - head.where.nearest : reach - head.where.nearest] for head in whole]
    return {
        "heads": profile_table(found).to_dict("records"),
        "nearest": nearest,
        "by_distance": np.mean(distance, axis=0).tolist(),
        "by_position": np.mean([head.by_position for head in whole], axis=0).tolist(),
    }
