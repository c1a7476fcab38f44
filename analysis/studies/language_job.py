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
from typing import Any

from analysis.engines import Report
from toyworlds.core import folders
from toyworlds.core.validate import from_dict, reject
from toyworlds.stories.world import Stories

VERSION = [1, Stories.version]
DATA = "data"
ROOM = 16
"""Tokens of the context kept for the answer of a prompt."""
CURVE = ("step", "validation_loss", "training_loss")


def text(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Make the token streams; return what the manifest says of them."""
    from mosaics.text import PrepareConfig, prepare_text

    options = dict(config["text"])
    world = from_dict(Stories, options.pop("world"), "world")
    shutil.rmtree(folder / DATA, ignore_errors=True)
    data = prepare_text(from_dict(PrepareConfig, options | {"world": world}, "text"), folder / DATA)
    report(1, "text")
    kept = ("corpora", "tokenizer", "duplicates", "splits")
    return {name: data.manifest[name] for name in kept} | {"fingerprint": data.fingerprint}


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
    """Let the model answer prompts, so many of each kind, that fit into its context."""
    from analysis.story_prompts import answered, story_prompts

    tokenizer, room = task.data.tokenizer, task.config.context - ROOM
    asked = story_prompts(from_dict(Stories, config["world"], "world"), 0, 3 * config["prompts"])
    lengths = [len(row) for row in tokenizer.encode([prompt.text for prompt in asked])]
    chosen: dict[str, list[Any]] = {}
    for prompt, length in zip(asked, lengths, strict=True):
        kept = chosen.setdefault(prompt.kind, [])
        if length <= room and len(kept) < config["prompts"]:
            kept.append(prompt)
    if not all(chosen.values()):
        reject(
            "prompts", f"0, or a context in which prompts fit; none of a kind has {room} tokens or fewer", min(lengths)
        )
    table = answered(model, tokenizer, [prompt for kept in chosen.values() for prompt in kept])
    columns = ["kind", "question", "distance", "correct", "chance", "probability"]
    lines: list[dict[str, Any]] = folders.plain(table[columns].to_dict("records"))
    return lines


def profile(model: Any, task: Any, documents: int) -> dict[str, Any]:
    """Retrieval profile of every head on the beginnings of the first validation documents that are long enough."""
    import numpy as np

    from analysis.attention_profile import profile_table, profiles

    length, tokens = task.config.context // 2, task.data.tokens("validation")
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
