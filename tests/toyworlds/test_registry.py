from __future__ import annotations

import pytest

from toyworlds.core.registry import Registry
from toyworlds.core.validate import InputError


def filled() -> Registry:
    shapes = Registry("shape")
    shapes.register("square", "flat", "angular")(dict)
    shapes.register("circle", "flat")(list)
    return shapes


def test_names_come_in_order_of_registration_and_by_tag() -> None:
    shapes = filled()
    assert list(shapes) == shapes.names() == ["square", "circle"]
    assert shapes.names("flat", "angular") == ["square"]
    assert shapes.names("round") == []
    assert shapes.tags("square") == ("flat", "angular")
    assert (len(shapes), "circle" in shapes, "disc" in shapes) == (2, True, False)
    assert shapes["circle"] is list


def test_a_duplicate_raises_and_leaves_the_first() -> None:
    shapes = filled()
    with pytest.raises(InputError, match=r"shape: expected a name not yet registered; got 'circle'"):
        shapes.register("circle")(set)
    assert shapes["circle"] is list


@pytest.mark.parametrize("look_up", [lambda s: s["cirle"], lambda s: s.tags("cirle"), lambda s: s.summary("cirle")])
def test_an_unknown_name_raises_and_names_the_nearest(look_up: object) -> None:
    with pytest.raises(InputError, match=r"shape: expected one of square, circle; got 'cirle'.*'circle'"):
        look_up(filled())  # type: ignore[operator]


def test_summary_is_the_first_line_of_the_docstring() -> None:
    shapes = Registry("shape")

    @shapes.register("dot")
    class Dot:
        """A dot.

        More.
        """

    assert Dot is shapes["dot"]
    assert shapes.summary("dot") == "A dot."
