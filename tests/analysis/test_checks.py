"""Checks of studies: leaks are found and named, sizes, models and seeds refused with what would do."""

import shutil

import numpy as np
import pytest

from analysis.studies.checks import check_disjoint, check_models, check_seeds, check_sizes
from regbench.automaton import Automata, Automaton
from regbench.problems import from_texts, load
from regbench.suites import RegBench, RegBenchLaptop
from toyworlds.core.storage import write_dataset
from toyworlds.core.validate import DataError, InputError


def problems(*edges):
    automata = Automata.of([Automaton.from_edges(each, symbols=3) for each in edges])
    return from_texts([np.array([1], np.int8) for _ in edges], automata)


def test_a_shared_language_is_found_though_its_states_are_renamed():
    ping = [(0, 0, 1), (1, 1, 0)]
    renamed_and_doubled = [(0, 0, 3), (3, 1, 2), (2, 0, 1), (1, 1, 0)]
    other = [(0, 0, 1), (1, 2, 0)]
    check_disjoint(problems(ping), problems(other))
    with pytest.raises(DataError, match=r"1 of 2 problems .*problem 1 has that of problem 0: [0-9a-f]{32} .*0 -0-> 1"):
        check_disjoint(problems(ping), problems(other, renamed_and_doubled))


def test_folders_that_share_a_language_are_refused(tmp_path):
    world = RegBenchLaptop(independent=True)
    write_dataset(world, 0, {"train": 300, "test": 50}, tmp_path / "leaky")
    write_dataset(RegBenchLaptop(), 0, {"train": 300, "test": 50}, tmp_path / "clean")
    check_disjoint(tmp_path / "clean", tmp_path / "clean")
    with pytest.raises(DataError, match=r"leaky, split test: \d+ of 50 problems have a language of .*leaky, split tra"):
        check_disjoint(tmp_path / "leaky", tmp_path / "leaky")
    shutil.copytree(tmp_path / "clean", tmp_path / "copy")
    with pytest.raises(DataError, match=r"300 of 300 problems"):
        check_disjoint(tmp_path / "clean", tmp_path / "copy", test_split="train")


def test_worlds_of_the_project_are_disjoint():
    world = RegBench()
    check_disjoint(load(world, "train", 0, 400, seed=3), load(world, "test", 0, 100, seed=4))


def test_sizes():
    assert check_sizes([1000, 10], 1000) == (10, 1000)
    for sizes in ([], [10, 10], [0], [1.5], 10, [10, 1001]):
        with pytest.raises(InputError, match="sizes: "):
            check_sizes(sizes, 1000)
    with pytest.raises(InputError, match=r"at most 1000.*got 1001"):
        check_sizes([10, 1001], 1000)


def test_models():
    check_models(["mosaic", "mosaic_v2"], "tokens")
    with pytest.raises(InputError, match="did you mean 'transformer'"):
        check_models(["transfomer"])
    with pytest.raises(InputError, match=r"got 'mosaic-v2' .did you mean 'mosaic_v2'"):
        check_models(["mosaic-v2"])
    for names in ([], "mosaic", ["lstm", "lstm"]):
        with pytest.raises(InputError, match="models: "):
            check_models(names)
    with pytest.raises(InputError, match="models: "):
        check_models(["moons"], "tokens")


def test_seeds():
    assert check_seeds(3) == (0, 1, 2)
    assert check_seeds([5, 2]) == (5, 2)
    for seeds in (0, [], -1, 1.0, [1, 1], [-1]):
        with pytest.raises(InputError, match="seeds: "):
            check_seeds(seeds)
