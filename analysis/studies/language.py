"""Language: loss by depth for Memory Mosaics and transformers of equal size, on stories.

    loss(model, depth)      nats a token on whole validation stories, at the best evaluation of a training
    difference(depth)       loss(mosaic) - loss(transformer), paired by seed and by story

A text is a file of stories of one's own, or the story world, which comes with prompts whose answers are known. Models
of one depth have one parameter count, the mosaic's; a table of positions is not counted. Claims of the paper: one block
of a mosaic is better than one block of a transformer; from 8 blocks on they are alike.

Source: Zhang et al., Memory Mosaics, ICLR 2025, section 6.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from analysis.engines import Job, run_jobs
from analysis.report.table import runs_table
from analysis.studies import STUDIES
from analysis.studies.checks import check_models
from analysis.studies.finished import finished
from analysis.studies.folder import open_study
from analysis.studies.machine import check_machine, of_machine
from toyworlds.core.validate import existing, integer, real, reject
from toyworlds.stories.world import Stories

if TYPE_CHECKING:
    import pandas as pd

JOBS = "analysis.studies.language_job:"
MODELS = ("mosaic", "mosaic_v2", "transformer")
PAPER_DEPTHS = (1, 2, 3, 4, 6, 8, 12)


@STUDIES.register("language", "text")
@dataclass(frozen=True)
class LanguageStudy:
    """Loss by depth of mosaics and transformers of equal size, on stories."""

    text: str = ""
    """Training text, a file or a folder; empty: the story world."""
    validation: str = ""
    """Validation text; empty: a share of the training text is held out."""
    lowercase: bool = False
    """Texts in lower case, as a comparison with a text that has no other may want."""
    stories: int = 20_000
    """Training stories of the story world."""
    dialect: float = 0.0
    """Probability that a sentence of the story world is told in its second dialect."""
    vocabulary: int = 2048
    """Most tokens of the byte-pair tokenizer that is trained on the text."""
    depths: tuple[int, ...] = PAPER_DEPTHS
    """Blocks."""
    models: tuple[str, ...] = MODELS
    """Models; all of one depth have the mosaic's parameter count."""
    seeds: int = 3
    """Seeds: start of the weights, order of the stories."""
    width: int = 128
    """Width of the residual stream."""
    n_heads: int = 4
    """Memories in a unit."""
    context: int = 512
    """Most tokens of a row."""
    batch_size: int = 16
    """Rows in a batch."""
    packing: Literal["stories", "packed", "stream"] = "stories"
    """A row is one story; several of them, kept apart; or a window of the plain stream of all stories."""
    steps: int = 4000
    """Updates."""
    learning_rates: tuple[float, ...] = (1.2e-2, 1.2e-2, 3e-3)
    """Learning rate after the warm-up, a tenth of the updates; it falls to a tenth along a cosine. One for all models,
    or one for each."""
    evaluations: int = 10
    """Evaluations in a training; the best one's weights are measured."""
    validation_documents: int = 250
    """Validation stories."""
    training_documents: int = 100
    """Training stories that the training loss is taken on."""
    prompts: int = 60
    """Prompts of each kind (story world only); 0 leaves them out."""
    profile_documents: int = 16
    """Validation stories that the retrieval profile is taken on; 0 leaves it out."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Numbers of the forward pass in training; bfloat16 is for GPUs, and weights stay float32."""
    compile: Literal["none", "model"] = "none"
    """Train compiled models (torch.compile): slow to begin with, for GPUs."""
    workers: int = 0
    """Processes; 0 for one a core."""

    name: ClassVar[str] = "language"
    metrics: ClassVar[dict[str, str]] = {
        "loss": "validation loss (nats a token)", "bits_per_byte": "bits a byte", "final_loss": "loss at the end",
        "training_loss": "training loss at the end",
    }  # fmt: skip

    def __post_init__(self) -> None:
        for name in ("seeds", "width", "n_heads", "context", "batch_size", "evaluations"):
            integer(name, getattr(self, name), 1)
        for name in ("validation_documents", "training_documents"):
            integer(name, getattr(self, name), 2)
        for name in ("prompts", "profile_documents", "workers"):
            integer(name, getattr(self, name), 0)
        integer("steps", self.steps, max(10, self.evaluations))
        check_machine(self)
        if len(self.learning_rates) not in (1, len(self.models)):
            wanted = f"one number for all models, or one for each of {', '.join(self.models)}"
            reject("learning_rates", wanted, self.learning_rates)
        for rate in self.learning_rates:
            real("learning_rates", rate, above=0.0)
        if not self.models or len(set(self.models)) < len(self.models):
            reject("models", "at least one model, each once", self.models)
        if self.validation and not self.text:
            reject("validation", "none with the story world, which has its own", self.validation)
        if not self.depths:
            reject("depths", "at least one depth", self.depths)
        for depth in self.depths:
            integer("depths", depth, 1)

    @classmethod
    def presets(cls) -> dict[str, LanguageStudy]:
        """`quick` takes some minutes on two cores, `laptop` hours, `full` wants a GPU."""
        two = ("mosaic", "transformer")
        quick = cls(
            stories=2500, depths=(1, 2, 4), models=two, seeds=2, width=64, batch_size=8, steps=400,
            learning_rates=(1.2e-2, 6e-3), evaluations=4, validation_documents=60, training_documents=30, prompts=40,
            profile_documents=8,
        )  # fmt: skip
        laptop = cls(depths=(1, 2, 4, 8), models=two, learning_rates=(1.2e-2, 3e-3))
        full = cls(stories=400_000, vocabulary=4096, seeds=5, width=256, n_heads=8, batch_size=64, steps=20_000)
        return {"quick": quick, "laptop": laptop, "full": full}

    def text_job(self) -> Job:
        """The job that makes the token streams."""
        source: dict[str, Any] = {"stories": self.stories, "validation_stories": self.validation_documents}
        if self.text:
            source = {"train": self.text, "validation": self.validation}
        source |= {"vocabulary": self.vocabulary, "lowercase": self.lowercase, "world": self._world()}
        return Job("text", JOBS + "text", {"text": source})

    def jobs(self) -> list[Job]:
        """Every training: seed by seed, and within a seed depth by depth, so that models take turns."""
        return [
            self.training(model, depth, seed)
            for seed in range(self.seeds)
            for depth in self.depths
            for model in self.models
        ]

    def training(self, model: str, depth: int, seed: int) -> Job:
        """The job of one training."""
        rate = self.learning_rates[self.models.index(model) % len(self.learning_rates)]
        config = {
            "text": self.text_job().id,
            "model": model,
            "size": {"n_layers": depth, "n_heads": self.n_heads, "width": self.width},
            "task": {
                "context": self.context, "batch_size": self.batch_size, "packing": self.packing,
                "validation_documents": self.validation_documents, "training_documents": self.training_documents,
            },
            "train": {
                "steps": self.steps, "learning_rate": rate, "final_learning_rate": rate / 10, "schedule": "cosine",
                "warmup_steps": self.steps // 10, "betas": [0.9, 0.95], "weight_decay": 0.1, "clip_norm": 1.0,
                "evaluate_every": self.steps // self.evaluations, "log_every": 50, "threads": 1,
                "checkpoint_every": max(self.steps // 10, 1), "seed": seed,
                **of_machine(self),
            },
            "prompts": 0 if self.text else self.prompts,
            "world": self._world(),
            "profile": self.profile_documents,
            "seed": seed,
        }  # fmt: skip
        return Job(f"{model}, depth {depth}, seed {seed}", JOBS + "train", config, self.steps)

    def check(self) -> None:
        """Raise an InputError for models that are unknown and texts that are not there."""
        check_models(self.models, "tokens", *(["segments"] if self.packing == "packed" else []))
        for name in ("text", "validation"):
            if getattr(self, name):
                existing(name, getattr(self, name), "a text file or a folder of texts")

    def run(self, out: str | Path) -> Path:
        """Run what is missing, write results and page; return the page's path."""
        self.check()
        out = open_study(out, self)
        self.prepare(out)
        run_jobs(self.jobs(), out / "jobs", workers=self.workers, label="language")
        return self.report(out)

    def prepare(self, out: Path) -> None:
        """Make the token streams, and find out before anything is trained whether all can be measured on them."""
        from analysis.studies.language_job import check_sources, rehearse

        jobs = out / "jobs"
        [made] = run_jobs([self.text_job()], jobs, workers=1, label="text")
        if self.text:
            check_sources(self.text_job().config, made["corpora"])
        if any(job.result(jobs) is None for job in self.jobs()):
            for model in self.models:
                rehearse(self.training(model, 1, 0).config, jobs)

    def table(self, out: str | Path) -> pd.DataFrame:
        """One line a training (`analysis.report.table`); its size is the number of blocks."""
        return runs_table(self, Path(out), self.jobs(), _row)

    def report(self, out: Path) -> Path:
        """Write results and page from the finished jobs; a DataError says how many are missing."""
        from analysis.studies.language_page import write_page
        from analysis.studies.language_results import collect

        jobs = [self.text_job(), *self.jobs()]
        found = dict(zip((job.name for job in jobs), finished(jobs, out), strict=True))
        return write_page(collect(self, found), out)

    def _world(self) -> dict[str, Any]:
        return dataclasses.asdict(Stories(self.dialect))


def _row(job: Job, result: dict[str, Any]) -> list[dict[str, Any]]:
    config = job.config
    where = {"model": config["model"], "size": config["size"]["n_layers"], "seed": config["seed"]}
    bits = math.log2(math.e) * sum(result["nats"]) / sum(result["bytes"])
    scores = {"loss": result["best"]["value"], "bits_per_byte": bits}
    final = {"final_loss": result["final"]["validation_loss"], "training_loss": result["final"]["training_loss"]}
    made = {"parameters": result["parameters"], "data": config["text"], "seconds": result["seconds"]}
    return [where | scores | final | made]
