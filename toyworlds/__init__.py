"""Worlds with known generating factors; importing this package registers them all."""

from toyworlds.period_pool import period_combinations
from toyworlds.stories import Stories
from toyworlds.three_moons import ThreeMoons
from toyworlds.world import WORLDS, Column, World

__all__ = ["WORLDS", "Column", "Stories", "ThreeMoons", "World", "period_combinations"]
