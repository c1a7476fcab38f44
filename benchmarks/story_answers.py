"""A language model of the story world: which prompts it answers, from where, by which heads, and what it keeps.

    python -m benchmarks.story_answers --run runs/story_answers --out results/language/world.json

trains the laptop recipe of `mosaics.tasks.story_answers` (a finished run is read, a stopped one continued) and measures

    prompts           share answered right by kind, question and factor, against chance (analysis.story_prompts)
    guesses           how often rules that look at the surface alone are right (analysis.story_guesses)
    new facts         1 to 8 colors stated, one asked for 50 to 200 words later
    in full           the same of questions whose answer names its subject again ("The drum is with" for "It is with")
    tracing           the sentence that adds the most to the right answer, the one without whose pairs the most is
                      lost, and the one whose words add the most when followed through all layers; the one where the
                      answer's word, exchanged, moves the answer the most (analysis.story_tracing)
    profile           where memories or attention heads look (analysis.attention_profile)
    specialisation    which head's removal hurts which factor's prompts (analysis.specialisation)

on stories of the test split. Intervals are over prompts: the model is one, trained from one seed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.attention_profile import profile_table, profiles
from analysis.bootstrap import rate_interval
from analysis.provenance import provenance
from analysis.specialisation import story_specialisation
from analysis.story_guesses import guess_scores
from analysis.story_prompts import answered, fact_storage, prompt_scores, story_prompts
from analysis.story_tracing import traced
from benchmarks.command import configured, run_module, write
from toyworlds import Stories
from toyworlds.core import folders
from toyworlds.core.validate import integer
from toyworlds.stories.prompts import prompts

TRACEABLE = ("factual", "logical", "consistency")
TRACED = ("traced", "hidden", "followed", "rests", "followed_rests", "holds")
NAMED = ("stated", "source", "needed", "origin")
PROFILE_LENGTH = 192
SURE = 0.9
"""A right answer of this probability among its candidates is not a guess."""


@dataclass(frozen=True)
class StoryAnswers:
    """Train a model of the story world and measure what it answers."""

    run: Path
    """Folder of the training."""
    out: Path | None = None
    """JSON file to write."""
    model: str = "mosaic"
    """Model, a mosaic or a transformer; any other than the mosaic has its parameter count."""
    steps: int = 15_000
    """Updates."""
    prompts: int = 240
    """Prompts of each kind."""
    facts: int = 40
    """Prompts for each number and distance of new facts."""
    removals: int = 40
    """Prompts of each kind that every head's removal is tried on."""
    sequences: int = 32
    """Stories that the profile is taken on."""
    seed: int = 5
    """Seed of the prompts."""
    training_seed: int = 0
    """Seed of the weights and of the order of the data."""

    def __post_init__(self) -> None:
        for name in ("steps", "prompts", "facts", "removals", "sequences"):
            integer(name, getattr(self, name), 1)
        integer("seed", self.seed, 0)
        integer("training_seed", self.training_seed, 0)

    def measure(self) -> None:
        """Train, measure, print and write."""
        from mosaics.lookups import memories
        from mosaics.tasks.story_answers import laptop_recipe
        from mosaics.training import train

        recipe = laptop_recipe(self.model, steps=self.steps)
        model, task = recipe.model.build(self.training_seed), recipe.task.build(self.training_seed)
        memories(model)  # a model without any is refused before it is trained
        result = train(model, task, recipe.training, self.run)
        measured = {
            "model": dataclasses.asdict(recipe.model) | {"name": self.model, "parameters": model.num_parameters()},
            "task": dataclasses.asdict(recipe.task),
            "training": {"seed": self.training_seed, "steps": result.steps, "seconds": result.seconds, **result.final},
            **self.scores(model, task.tokenizer),
        }
        write(folders.plain({**provenance(), **measured}), self.out)

    def scores(self, model: Any, tokenizer: Any) -> dict[str, Any]:
        """Everything that is measured of a model in evaluation mode."""
        asked = story_prompts(Stories(), self.seed, self.prompts)
        table = answered(model, tokenizer, asked)
        found: dict[str, Any] = {
            f"prompts by {by}": {name: dataclasses.asdict(score) for name, score in prompt_scores(table, by).items()}
            for by in ("kind", "question", "factor")
        }
        for by in ("kind", "question"):
            found[f"guesses by {by}"] = guess_scores(asked, by).to_dict("index")
        show(pd.DataFrame({name: line["accuracy"] for name, line in found["prompts by question"].items()}).T)
        full = answered(model, tokenizer, story_prompts(Stories(), self.seed, self.prompts, in_full=True))
        found["in full by question"] = {
            name: dataclasses.asdict(score) for name, score in prompt_scores(full, "question").items()
        }
        show(full.groupby("question")[["correct", "chance", "probability"]].mean())
        found["new facts"] = self.stored(model, tokenizer, in_full=False)
        found["new facts in full"] = self.stored(model, tokenizer, in_full=True)
        found["tracing"] = self.tracing(model, tokenizer, in_full=False)
        found["tracing in full"] = self.tracing(model, tokenizer, in_full=True)
        found["profile"] = self.profile(model, tokenizer)
        few = [prompt for kind in TRACEABLE for prompt in prompts(Stories(), self.seed + 1, kind, self.removals)]
        heads, special = story_specialisation(model, tokenizer, few)
        found["specialisation"] = dataclasses.asdict(special) | {"heads": [tuple(head) for head in heads]}
        hurt = pd.DataFrame(
            special.hurt, columns=list(special.factors), index=[f"{h.module} {h.number}" for h in heads]
        )
        show(hurt.assign(p=special.p_values).round(3))
        return found

    def stored(self, model: Any, tokenizer: Any, *, in_full: bool) -> list[dict[str, Any]]:
        """How often new colors are recalled, by their number and distance."""
        table = fact_storage(model, tokenizer, count=self.facts, seed=self.seed, in_full=in_full)
        cells = table.groupby(["facts", "asked_distance"])
        show(cells[["correct", "chance", "probability"]].mean())
        return [
            {"facts": number, "distance": distance, **dataclasses.asdict(prompt_scores(some)["factual"])}
            for (number, distance), some in cells
        ]

    def tracing(self, model: Any, tokenizer: Any, *, in_full: bool) -> dict[str, Any]:
        """Share of the correctly answered prompts whose largest contribution comes from the stating sentence."""
        table = traced(model, tokenizer, story_prompts(Stories(), self.seed, self.prompts, in_full=in_full))
        right = table[table["correct"]]
        show(right.astype({"moved": float}).groupby("question")[[*TRACED, "moved", "mentions", "sentences"]].mean())
        return {
            "statement in the story": len(table),
            "answered right": len(right),
            "both the same sentence": float((right["source"] == right["needed"]).mean()),
            "all": shares(right),
            "answer's word in one sentence only": shares(right[right["mentions"] == 1]),
            f"probability at least {SURE}": shares(right[right["probability"] >= SURE]),
            "by question": {str(name): shares(lines) for name, lines in right.groupby("question")},
            "exchanged": exchanges(right),
        }

    def profile(self, model: Any, tokenizer: Any) -> list[dict[str, Any]]:
        """Profile of every head on the beginnings of stories."""
        texts = Stories().generate(self.seed, "test", 0, self.sequences)["text"]
        rows = [[tokenizer.end, *row[: PROFILE_LENGTH - 1]] for row in tokenizer.encode(list(texts))]
        table = profile_table(profiles(model, np.array([row for row in rows if len(row) == PROFILE_LENGTH])))
        show(table.round(3))
        return [{str(name): value for name, value in line.items()} for line in table.to_dict("records")]


def shares(lines: pd.DataFrame) -> dict[str, Any]:
    """Shares of traced prompts, with intervals, and the chance level of picking a sentence blindly."""
    if lines.empty:
        return {"prompts": 0}
    intervals = {name: rate_interval(int(lines[name].sum()), len(lines)) for name in TRACED}
    return {
        "prompts": len(lines),
        **{name: dataclasses.asdict(interval) for name, interval in intervals.items()},
        "chance of traced, hidden and followed": float((1.0 / lines["sentences"]).mean()),
        "chance of rests and followed_rests": float((lines["support"] / lines["sentences"]).mean()),
        "chance of holds": float((lines["mentions"] / lines["sentences"]).mean()),
    }


def exchanges(lines: pd.DataFrame) -> dict[str, Any]:
    """Say how often the exchange of the answer's word moves the answer, and where it does so the most.

    The second where several sentences hold the word: shares of prompts in which the sentence that states the answer,
    adds the most, is needed the most, or is the origin, is the same as the exchanged one.
    """
    tried = lines[lines["exchanged"].notna()]
    several = tried[tried["mentions"] > 1]
    found: dict[str, Any] = {"prompts": len(tried), "several sentences hold the word": len(several)}
    if len(tried):
        found["moved"] = dataclasses.asdict(rate_interval(int(tried["moved"].sum()), len(tried)))
    if len(several):
        for name in NAMED:
            same = int((several[name] == several["exchanged"]).sum())
            found[f"{name} is the same"] = dataclasses.asdict(rate_interval(same, len(several)))
        found["chance of the same"] = float((1.0 / several["mentions"]).mean())
    return found


def show(table: pd.DataFrame) -> None:
    """Print a table."""
    print(table.to_string(), "\n", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    configured(StoryAnswers, arguments, __doc__).measure()


if __name__ == "__main__":
    run_module(main)
