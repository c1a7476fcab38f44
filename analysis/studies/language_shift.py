"""Language shift: loss by position in the context, on text like the training text and on other text.

    curve(model, text)    loss in nats a token against the number of tokens read before it   (analysis.loss_by_position)
    crossing(text)        the position behind which a model stays below the transformer

Models of one size are trained on the story world and read its validation stories, as they are and in the world's
second dialect: `dials` gives the share of sentences in it, from a slight shift to a full one. Or they are trained on a
text and read another. The claim of the paper: trained on stories, a mosaic reads an encyclopedia better than a
transformer does once it has read about 50 tokens of it. On the world the models are also told new facts and asked for
them later.

Source: Zhang et al., Memory Mosaics, ICLR 2025, section 6 and figure 8.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from analysis.engines import Job, run_jobs
from analysis.report.table import runs_table
from analysis.studies import STUDIES
from analysis.studies.finished import finished
from analysis.studies.folder import open_study
from analysis.studies.language import LanguageStudy
from toyworlds.core.validate import existing, integer, real, reject

if TYPE_CHECKING:
    import pandas as pd

JOBS = "analysis.studies.language_shift_job:"
REFERENCE = "transformer"
FACTS, DISTANCES = (1, 2, 4, 8), (50, 100, 200)


def trainings(**options: Any) -> LanguageStudy:
    """Return the trainings of a shift study: one depth, mosaic and transformer, nothing else measured."""
    known = {"depths": (2,), "models": ("mosaic", REFERENCE), "learning_rates": (1.2e-2, 3e-3)}
    return LanguageStudy(**(known | {"prompts": 0, "profile_documents": 0} | options))


@STUDIES.register("language-shift", "text")
@dataclass(frozen=True)
class LanguageShiftStudy:
    """Loss by position of mosaics and transformers, on text like their training text and on other text."""

    language: LanguageStudy = field(default_factory=trainings)
    """The trainings, with one depth."""
    shifted: tuple[str, ...] = ()
    """Other texts, files or folders; none: the dialect of the story world."""
    dials: tuple[float, ...] = (0.25, 0.5, 1.0)
    """Shares of sentences told in the dialect (story world only)."""
    documents: int = 250
    """Documents read of each text, the first ones."""
    bins: int = 16
    """Most points of a curve, even in the logarithm of the position."""
    facts: int = 24
    """Prompts for each number and distance of new facts (story world only); 0 leaves them out."""

    name: ClassVar[str] = "language-shift"
    metrics: ClassVar[dict[str, str]] = {
        "loss": "nats a token, text like the training text",
        "shifted_loss": "nats a token, mean over the other texts",
    }

    def __post_init__(self) -> None:
        integer("documents", self.documents, 2)
        integer("bins", self.bins, 2)
        integer("facts", self.facts, 0)
        if len(self.language.depths) != 1:
            reject("language.depths", "one depth", self.language.depths)
        if REFERENCE not in self.language.models or len(self.language.models) < 2:
            reject("language.models", f"{REFERENCE} and another model", self.language.models)
        if self.language.text and not self.shifted:
            reject("shifted", "at least one other text, where the models are trained on a text", self.shifted)
        if not self.shifted and not self.dials:
            reject("dials", "at least one, where no other text is given", self.dials)
        for dial in self.dials:
            real("dials", dial, 0.0, 1.0)
        if len(self.texts()) < 1 + len(self.shifted or self.dials):
            expected = "each once, and named otherwise than the validation text: a file's name without its ending"
            reject(*(("shifted", f"texts, {expected}", self.shifted) if self.shifted else
                     ("dials", "shares that differ in six digits", self.dials)))  # fmt: skip

    @classmethod
    def presets(cls) -> dict[str, LanguageShiftStudy]:
        """`quick` takes some minutes on two cores, `laptop` an hour or two, `full` wants a GPU."""
        quick = trainings(
            stories=2500, seeds=2, width=64, batch_size=8, steps=600, evaluations=3, validation_documents=60,
            training_documents=20,
        )  # fmt: skip
        full = trainings(stories=400_000, vocabulary=4096, seeds=5, width=256, n_heads=8, batch_size=64, steps=20_000)
        return {
            "quick": cls(quick, documents=60, facts=8),
            "laptop": cls(),
            "full": cls(full, documents=1000, facts=100),
        }

    def texts(self) -> dict[str, dict[str, Any]]:
        """The texts that are read: name -> where from; the first is like the training text."""
        like = {"validation": {"kind": "validation"}}
        if self.shifted:
            return like | {Path(path).stem: {"kind": "text", "path": str(path)} for path in self.shifted}
        return like | {f"dialect {dial:g}": {"kind": "stories", "dialect": dial} for dial in self.dials}

    def measurement(self, model: str, seed: int) -> Job:
        """The job that measures one training."""
        training = self.language.training(model, self.language.depths[0], seed)
        config = {
            "training": training.id,
            "text": self.language.text_job().id,
            "model": model,
            "seed": seed,
            "context": self.language.context,
            "texts": self.texts(),
            "documents": self.documents,
            "bins": self.bins,
            "facts": {"count": 0 if self.language.text else self.facts, "facts": FACTS, "distances": DISTANCES},
            "lowercase": self.language.lowercase,
            "dialect": self.language.dialect,
        }
        return Job(f"shift, {training.name}", JOBS + "measure", config, len(self.texts()))

    def measurements(self) -> list[Job]:
        """Every measurement."""
        return [self.measurement(model, seed) for seed in range(self.language.seeds) for model in self.language.models]

    def run(self, out: str | Path) -> Path:
        """Run what is missing, write results and page; return the page's path."""
        from analysis.studies.language_shift_job import check_texts

        self.language.check()
        for path in self.shifted:
            existing("shifted", path, "a text file or a folder of texts")
        out, workers = open_study(out, self), self.language.workers
        self.language.prepare(out)
        check_texts(self.measurements(), out / "jobs")
        run_jobs(self.language.jobs(), out / "jobs", workers=workers, label="trainings")
        run_jobs(self.measurements(), out / "jobs", workers=workers, label="shift")
        return self.report(out)

    def table(self, out: str | Path) -> pd.DataFrame:
        """One line a training (`analysis.report.table`); its size is the number of blocks."""
        return runs_table(self, Path(out), self.measurements(), self._row)

    def _row(self, job: Job, result: dict[str, Any]) -> list[dict[str, Any]]:
        losses = [sum(map(sum, text["sums"])) / sum(map(sum, text["counts"])) for text in result["texts"].values()]
        where = {"model": job.config["model"], "size": self.language.depths[0], "seed": job.config["seed"]}
        return [where | {"loss": losses[0], "shifted_loss": sum(losses[1:]) / (len(losses) - 1)}]

    def report(self, out: Path) -> Path:
        """Write results and page from the finished jobs; a DataError says how many are missing."""
        from analysis.studies.language_shift_page import collect, write_page

        jobs = [self.language.text_job(), *self.language.jobs(), *self.measurements()]
        found = dict(zip((job.name for job in jobs), finished(jobs, out), strict=True))
        return write_page(collect(self, found), out)
