"""Three moons: n moons on periodic orbits around a planet, seen one time step after the other.

    x_t = A (x_1, ..., x_n),   x_m = (sin a_m, cos a_m),   a_m = 2 pi t dt / p_m + offset,   t = start + 0 .. length - 1

A is the identity, the view from the last moon, an unknown mixing, or both. A sequence draws one tuple of periods
from the split's list and one start step (for all moons, or one each). Each moon returns after p_m / dt steps, all
together only after the joint period: a predictor that treats the moons one by one can predict sooner.

    step    moon 1 (sin cos)   moon 2 (sin cos)   moon 3 (sin cos)
    0        0.30   0.96        0.30   0.96        0.30   0.96
    1        0.43   0.90        0.36   0.93        0.34   0.94      periods 1, 2, 3; start 0

Source: Zhang et al., Memory Mosaics, ICLR 2025, section 4 (periods, time step, offset, held-out triple).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np

from toyworlds import orbits
from toyworlds.core import exact, seeds
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import choice, integer, real, reject
from toyworlds.world import WORLDS, Column

Periods = tuple[float, ...]

PUBLISHED_TRAIN: tuple[Periods, ...] = (
    (0.5, 1.0, 2.0),
    (0.5, 1.0, 1.5),
    (0.5, 1.0, 3.0),
    (0.5, 1.5, 3.0),
    (1.0, 1.5, 3.0),
    (0.5, 1.0, 2.5),
    (1.0, 1.5, 2.0),
    (0.5, 1.5, 2.0),
)
PUBLISHED_HELD_OUT: tuple[Periods, ...] = ((1.0, 2.0, 3.0),)
LONGEST_JOINT_PERIOD = 10**9
"""A joint period of more steps than this is reported as infinite: the periods are incommensurate in practice."""
MOST_STEPS = 100_000
"""Largest length and largest start range; positions at all of these steps are kept in memory."""
MOST_TURNS = 1_000_000
"""Turns of a moon within the steps a sequence can reach: phases stay exact to 1e-9 turns."""


@WORLDS.register("three_moons", "periodic", "continuous")
@dataclass(frozen=True)
class ThreeMoons:
    """Moons on periodic orbits around a planet; the paper's toy world of predictive disentanglement."""

    train_periods: tuple[Periods, ...] = PUBLISHED_TRAIN
    """Tuples of periods, in days, that a training sequence may have; each has one period a moon."""
    held_out_periods: tuple[Periods, ...] = PUBLISHED_HELD_OUT
    """Tuples of periods of the validation sequences, none of them in `train_periods`."""
    length: int = 800
    """Steps in a sequence."""
    time_step: float = 0.0225
    """Days between two steps."""
    phase_offset: float = 0.3
    """Radians added to every angle."""
    start_range: int = 8399
    """A start step is drawn from 0 .. start_range - 1."""
    start: Literal["shared", "separate"] = "shared"
    """One start step for all moons of a sequence (published), or one for each."""
    observer: Literal["planet", "moon"] = "planet"
    """Where the observer stands: on the planet, or on the last moon."""
    mixing: Literal["none", "orthogonal", "general"] = "none"
    """An unknown invertible mixing of the coordinates, drawn from the seed and stored with the data."""
    noise: float = 0.0
    """Standard deviation of normal noise on every observed coordinate."""
    missing_stretches: int = 0
    """Number of stretches per sequence that go unseen (NaN, and False in the mask)."""
    missing_length: int = 20
    """Steps in an unseen stretch."""
    eccentricities: tuple[float, ...] = ()
    """Eccentricity of each moon's orbit, 0 <= e < 1; empty for circles."""

    name: ClassVar[str] = "three_moons"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        for field in ("train_periods", "held_out_periods"):
            object.__setattr__(self, field, _checked_periods(field, getattr(self, field)))
        sizes = {len(periods) for periods in self.train_periods + self.held_out_periods}
        if len(sizes) != 1:
            reject("held_out_periods", "tuples of one length, as in train_periods", sorted(sizes))
        shared = [periods for periods in self.held_out_periods if periods in self.train_periods]
        if shared:
            reject("held_out_periods", "tuples that train_periods does not have", shared[0])
        integer("length", self.length, 2, MOST_STEPS)
        integer("start_range", self.start_range, 1, MOST_STEPS)
        real("time_step", self.time_step, above=0.0)
        real("phase_offset", self.phase_offset, -MOST_TURNS, MOST_TURNS)
        choice("start", self.start, ("shared", "separate"))
        choice("observer", self.observer, ("planet", "moon"))
        choice("mixing", self.mixing, ("none", "orthogonal", "general"))
        real("noise", self.noise, 0.0, 1e6)
        integer("missing_stretches", self.missing_stretches, 0, self.length)
        integer("missing_length", self.missing_length, 1)
        if self.missing_stretches and self.missing_length > self.length:
            reject("missing_length", f"at most the length, {self.length}", self.missing_length)
        object.__setattr__(self, "eccentricities", _checked_eccentricities(self.eccentricities, self.n_moons))
        fastest = min(min(periods) for periods in self.train_periods + self.held_out_periods)
        if (self.start_range + self.length) * self.time_step / fastest > MOST_TURNS:
            reject("time_step", f"at most {MOST_TURNS:,} turns of a moon of period {fastest:g}", self.time_step)

    @property
    def n_moons(self) -> int:
        """Number of moons."""
        return len(self.train_periods[0])

    @property
    def channels(self) -> int:
        """Coordinates of one observation, 2 n."""
        return 2 * self.n_moons

    def splits(self) -> tuple[str, ...]:
        """`train` draws from `train_periods`, `validation` from `held_out_periods`."""
        return ("train", "validation")

    def periods_of(self, split: str) -> tuple[Periods, ...]:
        """Return the tuples of periods that `split` draws from."""
        return self.train_periods if choice("split", split, self.splits()) == "train" else self.held_out_periods

    def columns(self) -> list[Column]:
        """Observation, periods and start phases; the mask when stretches are missing."""
        n, t = self.n_moons, self.length
        columns = [
            Column("observation", "observation", "float32", (t, 2 * n), ("step", "coordinate"), "orbit radius"),
            Column("periods", "factor", "float64", (n,), ("moon",), "days", low=0.0),
            Column("start", "factor", "int64", (n,), ("moon",), "steps", 0, self.start_range - 1),
            Column("phase", "factor", "float64", (n,), ("moon",), "turns", 0.0, 1.0, "mean anomaly at step 0"),
        ]
        if self.missing_stretches:
            columns.append(Column("mask", "mask", "bool", (t,), ("step",), description="True where seen"))
        return columns

    def constants(self, seed: int) -> dict[str, np.ndarray]:
        """`mixing`, the (2 n, 2 n) matrix A from the moons' coordinates to the observed ones."""
        return {"mixing": self.mixing_matrix(seed)}

    def mixing_matrix(self, seed: int) -> np.ndarray:
        """A of the module's equation, float64: the observer's place, then the mixing drawn from `seed`."""
        return _mixing_matrix(self.n_moons, self.observer, self.mixing, seed).copy()

    def draw(self, seed: int, split: str, start: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(index into the split's list of periods (count,), start step of each moon (count, n)), int64."""
        n = self.n_moons
        words = Stream(seed, self.name, split, "orbit").words(start * (n + 1), count * (n + 1)).reshape(count, n + 1)
        which = seeds.below(words[:, 0], len(self.periods_of(split)))
        steps = seeds.below(words[:, 1:], self.start_range)
        return which, np.repeat(steps[:, :1], n, axis=1) if self.start == "shared" else steps

    def generate(self, seed: int, split: str, start: int, count: int) -> dict[str, np.ndarray]:
        """Rows start .. start + count - 1 of `split`; see :meth:`columns`."""
        integer("start", start, 0)
        integer("count", count, 0)
        which, steps = self.draw(seed, split, start, count)
        periods = np.asarray(self.periods_of(split))[which]
        rows = {
            "observation": self._observe(seed, split, which, steps),
            "periods": periods,
            "start": steps,
            "phase": orbits.mean_anomaly(steps, periods, self.time_step, self.phase_offset),
        }
        if self.noise:
            size = self.length * self.channels
            noise = Stream(seed, self.name, split, "noise").normal(start * size, count * size)
            noisy = rows["observation"] + self.noise * noise.reshape(count, self.length, self.channels)
            rows["observation"] = noisy.astype(np.float32)
        if self.missing_stretches:
            rows["mask"] = self._mask(seed, split, start, count)
            rows["observation"][~rows["mask"]] = np.nan
        return rows

    def _observe(self, seed: int, split: str, which: np.ndarray, steps: np.ndarray) -> np.ndarray:
        matrix, plain = self.mixing_matrix(seed), self.mixing == "none" and self.observer == "planet"
        out = np.empty((len(which), self.length, self.channels), dtype=np.float32)
        if self.start == "shared":
            tables = [_shared_table(self, periods, matrix.tobytes()) for periods in self.periods_of(split)]
            for row, (index, first) in enumerate(zip(which.tolist(), steps[:, 0].tolist(), strict=True)):
                out[row] = tables[index][first : first + self.length]
            return out
        window = np.arange(self.length)
        for index, periods in enumerate(self.periods_of(split)):
            rows = np.flatnonzero(which == index)
            moons = [_moon_table(self, m, p)[steps[rows, m, None] + window] for m, p in enumerate(periods)]
            seen = np.concatenate(moons, axis=-1)
            out[rows] = seen if plain else exact.matvec(matrix, seen)
        return out

    def _mask(self, seed: int, split: str, start: int, count: int) -> np.ndarray:
        k, length = self.missing_stretches, self.missing_length
        stream = Stream(seed, self.name, split, "missing")
        first = stream.below(self.length - length + 1, start * k, count * k).reshape(count, k)
        begun = np.zeros((count, self.length + 1), dtype=np.int64)
        row = np.arange(count)[:, None]
        np.add.at(begun, (row, first), 1)
        np.add.at(begun, (row, first + length), -1)
        return begun.cumsum(axis=1)[:, :-1] == 0


@dataclass(frozen=True)
class GroundTruth:
    """When moons return, in steps, and from which context length on an ideal table can predict.

    `separate_context` is the slowest moon's period, `joint_context` that of all moons together, each rounded up to
    whole steps; infinite where the joint period exceeds a billion steps (incommensurate periods).
    """

    periods: tuple[float, ...]
    joint_period: float
    separate_context: int
    joint_context: float


def ground_truth(periods: Periods, time_step: float = 0.0225) -> GroundTruth:
    """Return the ideal context lengths of moons with `periods` (days), `time_step` days a step.

    >>> ground_truth((1.0, 2.0, 3.0)).separate_context, ground_truth((1.0, 2.0, 3.0)).joint_context
    (134, 267)
    """
    fractions = [Fraction(str(period)) for period in _checked("periods", periods)]
    real("time_step", time_step, above=0.0)
    denominator = math.lcm(*(fraction.denominator for fraction in fractions))
    joint_days = Fraction(math.lcm(*(int(fraction * denominator) for fraction in fractions)), denominator)
    joint = joint_days / Fraction(str(time_step))
    slowest = max(fractions) / Fraction(str(time_step))
    endless = joint > LONGEST_JOINT_PERIOD
    return GroundTruth(
        periods=tuple(float(fraction / Fraction(str(time_step))) for fraction in fractions),
        joint_period=math.inf if endless else float(joint),
        separate_context=math.ceil(slowest),
        joint_context=math.inf if endless else math.ceil(joint),
    )


def _checked_periods(field: str, lists: object) -> tuple[Periods, ...]:
    if not isinstance(lists, tuple | list) or not lists:
        reject(field, "at least one tuple of periods", lists)
    return tuple(_checked(field, periods) for periods in lists)


def _checked(field: str, periods: object) -> Periods:
    if not isinstance(periods, tuple | list) or not periods:
        reject(field, "tuples of at least one period (at least one moon)", periods)
    return tuple(real(field, period, above=0.0) for period in periods)


def _checked_eccentricities(values: object, n_moons: int) -> tuple[float, ...]:
    if not isinstance(values, tuple | list) or len(values) not in (0, n_moons):
        reject("eccentricities", f"{n_moons} numbers, one a moon, or none", values)
    return tuple(real("eccentricities", value, 0.0, 0.99) for value in values)


@lru_cache(maxsize=1024)
def _mixing_matrix(n_moons: int, observer: str, mixing: str, seed: int) -> np.ndarray:
    size = 2 * n_moons
    view = orbits.observer_matrix(n_moons) if observer == "moon" else np.eye(size)
    if mixing == "none":
        return view
    draw = orbits.orthogonal_matrix if mixing == "orthogonal" else orbits.general_matrix
    return exact.matvec(draw(Stream(seed, ThreeMoons.name, "mixing"), size), view.T).T


@lru_cache(maxsize=256)
def _moon_table(world: ThreeMoons, moon: int, period: float) -> np.ndarray:
    """Positions (start_range + length, 2), float64, of one moon at every step a sequence can reach."""
    steps = np.arange(world.start_range + world.length)
    turns = orbits.mean_anomaly(steps, period, world.time_step, world.phase_offset)
    return orbits.position(turns, world.eccentricities[moon] if world.eccentricities else 0.0)


@lru_cache(maxsize=1024)
def _shared_table(world: ThreeMoons, periods: Periods, matrix: bytes) -> np.ndarray:
    """Observations (start_range + length, 2 n), float32, of all moons at every step a sequence can reach."""
    size = world.channels
    moons = np.concatenate([_moon_table(world, m, p) for m, p in enumerate(periods)], axis=-1)
    return exact.matvec(np.frombuffer(matrix).reshape(size, size), moons).astype(np.float32)
