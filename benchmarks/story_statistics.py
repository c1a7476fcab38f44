"""What is measured of the story world: text statistics, entropy rate, grammar check, prompts, word lists.

    python -m benchmarks.story_statistics --texts tinystories_train.txt --out results/stories

writes four files into the folder, or those of `--parts`:

    statistics.json   lengths, types and repetition of as many stories as `words` words need, and of the texts
    entropy.json      nats a story, a word, a character, for each split and several dials of the dialect
    grammar.json      stories read back from their text: state, choices and cost compared
    prompts.json      prompts of each kind answered by the solver, and by rules that look at the surface alone
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.provenance import provenance
from analysis.story_guesses import guess_scores
from benchmarks.command import configured, run_module
from toyworlds import Stories
from toyworlds.core import folders
from toyworlds.core.validate import DataError, choice, integer
from toyworlds.stories.entropy import entropy
from toyworlds.stories.grammar import events
from toyworlds.stories.hero import SPLITS, share
from toyworlds.stories.parse import parse
from toyworlds.stories.prompts import KINDS, prompts
from toyworlds.stories.reading import retell
from toyworlds.stories.solver import answer
from toyworlds.stories.statistics import text_statistics
from toyworlds.stories.teller import Teller

SEPARATOR = "<|endoftext|>"
CHUNK = 500
PARTS = ("statistics", "entropy", "grammar", "prompts")


@dataclass(frozen=True)
class StoryStatistics:
    """Measure the story world."""

    out: Path
    """Folder to write into."""
    texts: Path | None = None
    """Text file to measure beside it: stories separated by lines `<|endoftext|>`."""
    words: int = 1_755_000
    """Words of the world to measure."""
    stories: int = 10_000
    """Stories to read back."""
    count: int = 1000
    """Prompts of each kind."""
    parts: tuple[str, ...] = PARTS
    """Files to write."""
    seed: int = 0
    """Seed of the stories."""

    def __post_init__(self) -> None:
        for name in ("words", "stories", "count"):
            integer(name, getattr(self, name), 1)
        for part in self.parts:
            choice("parts", part, PARTS)
        integer("seed", self.seed, 0)

    def run(self) -> None:
        """Measure and write."""
        self.out.mkdir(parents=True, exist_ok=True)
        for name in self.parts:
            measured = {**provenance(), "seed": self.seed, **getattr(self, name)()}
            folders.write_json(self.out / f"{name}.json", measured)
            print(f"{self.out / name}.json")

    def told(self, dial: float, split: str, count: int) -> Iterator[Teller]:
        """Stories 0 .. count - 1 of a split."""
        for start in range(0, count, CHUNK):
            yield from Stories(dialect=dial).tell(self.seed, split, start, min(CHUNK, count - start))

    def statistics(self) -> dict[str, Any]:
        """Statistics of the world's text, and of the file."""
        texts, words = [], 0
        for teller in self.told(0.0, "train", 10**7):
            texts.append("".join(teller.texts))
            words += teller.words
            if words > self.words:
                break
        grammar = events().values()
        measured = {
            "world": text_statistics(texts),
            "events": len(grammar),
            "templates": sum(len(event.templates[0]) for event in grammar),
        }
        if self.texts is not None:
            parts = self.texts.read_text(encoding="utf-8").split(SEPARATOR)
            measured[self.texts.stem] = text_statistics([part.strip() for part in parts if part.strip()])
        return measured

    def entropy(self) -> dict[str, Any]:
        """Entropy by split and by dial."""
        cases = [(0.0, split) for split in SPLITS] + [(dial, "train") for dial in (0.25, 0.5, 1.0)]
        found = {
            f"dialect {dial:g}, {split}": dataclasses.asdict(entropy(Stories(dialect=dial), self.seed, split, 10_000))
            for dial, split in cases
        }
        return {"shares_of_splits": {split: share(split) for split in SPLITS}, "entropy": found}

    def grammar(self) -> dict[str, Any]:
        """Stories read back."""
        return {
            f"dialect {dial:g}": self.read_back(dial, self.stories if dial == 0.0 else self.stories // 5)
            for dial in (0.0, 0.5, 1.0)
        }

    def read_back(self, dial: float, count: int) -> dict[str, int]:
        """Count the stories that are read in one way, as they were told."""
        checks = {"stories": 0, "one_reading": 0, "same_state": 0, "same_choices": 0, "same_cost": 0, "sentences": 0}
        for teller in self.told(dial, "train", count):
            text = "".join(teller.texts)
            checks["stories"] += 1
            checks["sentences"] += len(teller.texts)
            try:
                story = parse(text)
            except DataError:
                continue
            checks["one_reading"] += 1
            checks["same_state"] += [sentence.row for sentence in story.sentences] == teller.rows
            choices = [(s.event.number, s.template, s.spoken, s.roles) for s in story.sentences]
            told = zip(teller.events, teller.templates, teller.flags, map(dict, teller.roles), strict=True)
            checks["same_choices"] += choices == list(told)
            checks["same_cost"] += retell(text, dial).nats == teller.nats
        return checks

    def prompts(self) -> dict[str, Any]:
        """Prompts answered by the solver."""
        measured: dict[str, Any] = {}
        for dial in (0.0, 0.5):
            for kind in KINDS:
                found = prompts(Stories(dialect=dial), self.seed, kind, self.count)
                right = sum(answer(prompt.text)[0] == prompt.answer for prompt in found)
                measured[f"dialect {dial:g}, {kind}"] = {
                    "prompts": len(found),
                    "solver_agrees": right,
                    "mean_chance": sum(prompt.chance for prompt in found) / len(found),
                    "mean_distance_in_words": sum(prompt.distance for prompt in found) / len(found),
                    "different_stories": len({prompt.story for prompt in found}),
                }
                if dial == 0.0:
                    measured[f"surface guesses, {kind}"] = guess_scores(found, "kind").to_dict("records")[0]
                    measured[f"surface guesses, {kind}, by question"] = guess_scores(found).to_dict("index")
        return measured


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    configured(StoryStatistics, arguments, __doc__).run()


if __name__ == "__main__":
    run_module(main)
