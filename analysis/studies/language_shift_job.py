"""The job of the shift study: read texts with one trained model, position by position, and ask it for new facts.

measure    weights of the best evaluation of a training -> losses summed within bins of positions, by document
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.engines import Job, Report
from analysis.studies.language_job import changed
from toyworlds.core import folders
from toyworlds.core.validate import reject
from toyworlds.stories.world import Stories

if TYPE_CHECKING:
    from mosaics.text import TextCorpus, TextData
    from mosaics.text.stream import Tokens

VERSION = [2, Stories.version]
DATA = "data"
FACT_COLUMNS = ["facts", "asked_distance", "distance", "correct", "chance", "probability"]


def measure(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Return the losses on each text, and how new facts were answered."""
    import torch

    from analysis.loss_by_position import bin_edges, binned, document_losses
    from analysis.runs import load_run
    from mosaics.text import open_text

    torch.set_num_threads(1)
    jobs = folder.parent.resolve()
    model, data = load_run(jobs / config["training"] / "run", "best").model, open_text(jobs / config["text"] / DATA)
    found: dict[str, Any] = {"texts": {}}
    for name, source in config["texts"].items():
        tokens = tokens_from(source, data, config["documents"], lowercase=config["lowercase"])
        losses = document_losses(model, tokens, data.end, config["context"])
        edges = bin_edges(int(min(config["context"], tokens.lengths.max())), config["bins"])
        summed = binned(losses[None], edges)
        found["texts"][name] = {
            "sha256": corpus_of(source).described()["sha256"] if source["kind"] == "text" else None,
            "edges": edges.tolist(),
            "sums": summed.sums[0].tolist(),
            "counts": summed.counts.tolist(),
            "bytes_per_token": float(tokens.bytes.sum() / tokens.lengths.sum()),
        }
        report(1, f"{config['model']}: {name}")
    found["facts"] = facts(model, data, config) if config["facts"]["count"] else None
    return found


def tokens_from(source: Mapping[str, Any], data: TextData, documents: int, *, lowercase: bool = False) -> Tokens:
    """Tokens of the first documents of a text, in the tokenizer (and the case) of the training text."""
    from mosaics.text import StoryCorpus
    from mosaics.text.stream import tokens_of

    if source["kind"] == "validation":
        return data.tokens("validation").first(documents)
    stories = source["kind"] == "stories"
    corpus = StoryCorpus(documents, "validation", world=Stories(source["dialect"])) if stories else corpus_of(source)
    texts = list(islice(corpus, documents))
    if len(texts) < 2:
        reject("shifted", "texts of two documents at least", source["path"])
    return tokens_of([text.lower() if lowercase else text for text in texts], data.tokenizer)


def corpus_of(source: Mapping[str, Any]) -> TextCorpus:
    """Return the documents of a text's files."""
    from mosaics.text import TextCorpus

    return TextCorpus(Path(source["path"]), empty="skip")


def check_texts(jobs: Sequence[Job], place: Path) -> None:
    """Find out before anything is trained whether the texts can be read; a DataError for one that has changed since."""
    texts = {name: source for name, source in jobs[0].config["texts"].items() if source["kind"] == "text"}
    results = [result for job in jobs if (result := job.result(place))]
    for name, source in texts.items():
        if len(list(islice(corpus_of(source), 2))) < 2:
            reject("shifted", "texts of two documents at least", source["path"])
        now = corpus_of(source).described()["sha256"]
        if any(result["texts"][name]["sha256"] != now for result in results):
            raise changed(source["path"])


def facts(model: Any, data: TextData, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tell the model new facts and ask for one; prompts that its context cannot hold are left out."""
    from analysis.story_prompts import answered
    from toyworlds.stories.recall import recall_prompts

    world, how = Stories(config["dialect"]), config["facts"]
    lines: list[dict[str, Any]] = []
    for number in how["facts"]:
        for distance in how["distances"]:
            asked = recall_prompts(world, 0, how["count"], facts=number, distance=distance)
            lengths = data.tokenizer.encode([prompt.text for prompt in asked])
            fitting = [p for p, row in zip(asked, lengths, strict=True) if len(row) + 8 < config["context"]]
            if fitting:
                table = answered(model, data.tokenizer, fitting).assign(asked_distance=distance)
                lines += folders.plain(table[FACT_COLUMNS].to_dict("records"))
    return lines
