"""What it takes to learn of what a color was said: the form of the answer, and what a value of the memory sees.

    python -m benchmarks.binding --run runs/binding --out results/language/binding.json

Models of 3 blocks and width 128 read nothing but short interviews that state 2 or 4 new colors and ask for all of them
(the drills of `mosaics.tasks.story_answers`), and are asked, at every `EVERY` updates, for one of 2, 4 or 8 colors of
validation stories, in the words of the stories ("It is red") and in full ("The ball is red").

    model          mosaic; mosaic whose values see the input before too (`value_kernel` 3); transformer of its size
    in full        training questions that are answered in full: none; or all at first, and half after half the updates
    rate           of all 2e-3, the recipe's; of the transformer, with answers in full, `RATES` as well

Each is one training from one seed; finished ones are read, stopped ones continued. `--only` names one setting, so that
several can be trained side by side before all are measured.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from analysis.provenance import provenance
from analysis.story_prompts import PromptScore, fact_storage, prompt_scores
from benchmarks.command import configured, run_module, write
from mosaics.interface import Metrics
from mosaics.tasks.story_answers import StoryAnswersConfig, StoryAnswersTask, laptop_recipe
from mosaics.training import train
from toyworlds.core import folders
from toyworlds.core.validate import choice, integer

EVERY = 250
"""Updates between two rounds of questions."""
FACTS, DISTANCE, SEED = (2, 4, 8), 25, 78
MODELS = {"mosaic": ("mosaic", 0), "mosaic-value-3": ("mosaic", 3), "transformer": ("transformer", 0)}
SHARES = {"plain": 0.0, "half-in-full": 0.5}
BEST: dict[str, Any] = {"monitor": "8 colors", "higher_is_better": True}
RATES = (5e-4, 1e-3, 4e-3)
SETTINGS = (
    *(f"{model} {share}" for model, share in itertools.product(MODELS, SHARES)),
    *(f"transformer half-in-full {rate:g}" for rate in RATES),
)


class Drills(StoryAnswersTask):
    """The drills of the story-answers task, measured by how often new colors are recalled."""

    def __init__(self, config: StoryAnswersConfig, asked: int) -> None:
        super().__init__(config)
        self.asked_each = asked

    def evaluate(self, model: nn.Module) -> Metrics:
        """Share of prompts answered right, by their number of colors and form."""
        scores = recalled(model, self.tokenizer, self.asked_each, SEED, "validation")
        return {name: score.accuracy.estimate for name, score in scores.items()}


def recalled(model: nn.Module, tokenizer: Any, count: int, seed: int, split: str) -> dict[str, PromptScore]:
    """Score `count` prompts of each number of colors and each form."""
    found: dict[str, PromptScore] = {}
    for form, in_full in (("", False), (" in full", True)):
        how: dict[str, Any] = {"facts": FACTS, "distances": (DISTANCE,), "count": count, "seed": seed}
        table = fact_storage(model, tokenizer, **how, split=split, in_full=in_full)
        found |= {f"{facts} colors{form}": score for facts, score in prompt_scores(table, "facts").items()}
    return found


@dataclass(frozen=True)
class Binding:
    """Train models on new colors and follow what they recall."""

    run: Path
    """Folder of the trainings."""
    out: Path | None = None
    """JSON file to write."""
    steps: int = 2000
    """Updates."""
    prompts: int = 40
    """Prompts of each number of colors and each form while training; three times as many at the end."""
    only: str = ""
    """The one setting to train: a model, a share and a rate, as in "mosaic plain"; every setting by default."""

    def __post_init__(self) -> None:
        integer("steps", self.steps, 1)
        integer("prompts", self.prompts, 1)
        if self.only:
            choice("only", self.only, SETTINGS)

    def measure(self) -> None:
        """Train what is to be trained; print and write what is finished."""
        chosen = (self.only,) if self.only else SETTINGS
        found = {setting: self.trained(setting) for setting in chosen}
        show = pd.DataFrame({setting: line["recalled"] for setting, line in found.items()}).T
        print(show.map(lambda score: f"{score['accuracy']['estimate']:.2f}").to_string())
        measured = {"prompts": self.prompts, "steps": self.steps, "settings": found}
        write(folders.plain({**provenance(), **measured}), self.out)

    def trained(self, setting: str) -> dict[str, Any]:
        """Train one setting, or read it; return its curve and what it recalls in the end."""
        name, share, *rate = setting.split()
        model_name, value_kernel = MODELS[name]
        recipe = laptop_recipe(model_name, steps=self.steps)
        config = recipe.model
        if model_name == "mosaic":
            config = dataclasses.replace(config, value_kernel=value_kernel)
        options = BEST | ({"learning_rate": float(rate[0])} if rate else {})
        training = dataclasses.replace(recipe.training, schedule="constant", evaluate_every=EVERY, **options)
        task = Drills(dataclasses.replace(recipe.task, drills=self.steps, in_full=SHARES[share]), self.prompts)
        model, folder = config.build(0), self.run / setting.replace(" ", "-")
        result = train(model, task, training, folder)
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        curve = [line for line in lines if f"{FACTS[0]} colors" in line]
        scores = recalled(model, task.tokenizer, 3 * self.prompts, SEED + 1, "test")
        return {
            "model": dataclasses.asdict(config) | {"name": model_name, "parameters": model.num_parameters()},
            "in full": SHARES[share],
            "learning_rate": training.learning_rate,
            "seconds": result.seconds,
            "curve": curve,
            "recalled": {name: dataclasses.asdict(score) for name, score in scores.items()},
        }


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    configured(Binding, arguments, __doc__).measure()


if __name__ == "__main__":
    run_module(main)
