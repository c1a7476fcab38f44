"""Worlds with known generating factors; importing this package registers them all."""

from toyworlds.three_moons import ThreeMoons
from toyworlds.world import WORLDS, Column, World

__all__ = ["WORLDS", "Column", "ThreeMoons", "World"]
