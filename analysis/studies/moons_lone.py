"""One model on three moons, by the recipes of the three-moons study: what `train moons` and other studies train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from analysis.studies.three_moons import OURS, PUBLISHED, ThreeMoonsStudy
from toyworlds.core.validate import choice, from_dict

if TYPE_CHECKING:
    from mosaics.moons_model import MoonsModelConfig
    from mosaics.tasks.moons import MoonsTaskConfig
    from mosaics.training import TrainConfig

RECIPES: dict[str, dict[str, Any]] = {"ours": OURS, "published": PUBLISHED}


class Parts(NamedTuple):
    """Configs of model, task and training."""

    model: MoonsModelConfig
    task: MoonsTaskConfig
    training: TrainConfig


def parts(
    recipe: str = "ours", *, heads: int = 3, linear: str = "complex", mixing: str = "none", steps: int = 500
) -> Parts:
    """Return the configs of one model of a recipe, "ours" or "published"."""
    from mosaics.moons_model import MoonsModelConfig
    from mosaics.tasks.moons import MoonsTaskConfig
    from mosaics.training import TrainConfig
    from toyworlds.three_moons import ThreeMoons

    chosen = RECIPES[choice("recipe", recipe, RECIPES)]
    study = ThreeMoonsStudy(steps=steps)
    job = study.group("run", 1, recipe=chosen, n_heads=heads, linear=linear, mixing=mixing)[0].config
    world = from_dict(ThreeMoons, job["world"], "world")
    task = MoonsTaskConfig(world=world, batch_size=chosen["batch_size"], clip=chosen["clip"])
    return Parts(MoonsModelConfig(**job["model"]), task, TrainConfig(**job["train"]))
