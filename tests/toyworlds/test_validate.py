from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from toyworlds.core import validate
from toyworlds.core.validate import DataError, InputError


@dataclass(frozen=True)
class Config:
    length: int = 3
    sizes: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        validate.integer("length", self.length, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: validate.integer("n", 0, 1), "n: expected a whole number of at least 1; got 0"),
        (lambda: validate.integer("n", 9, 1, 8), "n: expected a whole number from 1 to 8; got 9"),
        (lambda: validate.integer("n", 9, high=8), "n: expected a whole number of at most 8; got 9"),
        (lambda: validate.integer("n", 2.0), "n: expected a whole number; got 2.0"),
        (lambda: validate.integer("n", True), "n: expected a whole number; got True"),
        (lambda: validate.integer("n", "2"), "n: expected a whole number; got '2'"),
        (lambda: validate.real("p", -1.0, above=0.0), "p: expected a finite number above 0; got -1.0"),
        (lambda: validate.real("p", math.nan), "p: expected a finite number; got nan"),
        (lambda: validate.real("p", math.inf, 0.0), "p: expected a finite number of at least 0; got inf"),
        (lambda: validate.real("p", 10**400), "p: expected a finite number; got"),
        (lambda: validate.real("p", "x", 0.0, 1.0), "p: expected a finite number from 0 to 1; got 'x'"),
        (
            lambda: validate.choice("split", "trian", ["train", "test"]),
            "split: expected one of train, test; got 'trian' (did you mean 'train'?)",
        ),
        (lambda: validate.choice("split", 7, ["train", "test"]), "split: expected one of train, test; got 7"),
        (lambda: validate.choice("split", np.zeros(2), ["train"]), "split: expected one of train; got array("),
        (
            lambda: validate.from_dict(Config, {"lenght": 3}, "config"),
            "config: expected a field among length, sizes; got 'lenght' (did you mean 'length'?)",
        ),
        (lambda: validate.from_dict(Config, [3], "config"), "config: expected a table of the fields of Config"),  # type: ignore[arg-type]
        (lambda: validate.from_dict(Config, {"length": 0}, "config"), "length: expected a whole number of at least 1"),
    ],
)
def test_errors_say_argument_expected_got_and_nearest(call: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        call()  # type: ignore[operator]
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_what_is_valid_comes_back_as_a_plain_value() -> None:
    assert type(validate.integer("n", np.int64(3), 3, 3)) is int
    assert type(validate.real("p", np.float32(0.5), 0.5, 0.5)) is float
    assert type(validate.real("p", 2)) is float
    assert type(validate.choice("c", np.str_("a"), ["a"])) is str


def test_from_dict_makes_tuples_of_lists() -> None:
    assert validate.from_dict(Config, {"sizes": [[1, 2], [3]]}, "config") == Config(sizes=((1, 2), (3,)))


def test_the_two_kinds_of_error_are_apart() -> None:
    assert issubclass(InputError, ValueError)
    assert not issubclass(DataError, ValueError)
