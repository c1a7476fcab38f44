"""The story world; the world itself is `toyworlds.stories.world.Stories`, and its parts load when they are needed."""

from toyworlds.stories.world import Stories

__all__ = ["Stories"]
