"""Training: the loop, its optimizer and schedules, run folders with exact resume, populations of models."""

from mosaics.training.config import TrainConfig
from mosaics.training.folder import SavedRun, read_run
from mosaics.training.loop import Result, TrainingError, train

__all__ = ["Result", "SavedRun", "TrainConfig", "TrainingError", "read_run", "train"]
