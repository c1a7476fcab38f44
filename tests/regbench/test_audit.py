"""The audit finds what two datasets share, from the automata alone."""

import dataclasses

import numpy as np
import pytest

import regbench
from regbench.audit import audit_rows, canonical_hashes
from regbench.suites import RegBench, RegBenchLaptop
from toyworlds.core.ragged import Ragged
from toyworlds.core.storage import write_dataset
from toyworlds.core.validate import DataError, InputError

SHORT = RegBenchLaptop(strings=(1, 2), lengths=(1, 2))


def test_counts_by_hand():
    found = audit_rows({"a": ["x", "y", "x"], "b": ["y", "z", "y"], "c": ["w"]})
    assert found.rows == {"a": 3, "b": 3, "c": 1}
    assert found.repeats == {"a": 1, "b": 1, "c": 0}
    assert found.shared == {("a", "b"): 2, ("a", "c"): 0, ("b", "c"): 0}
    assert not found.clean
    assert "b: 2 of 3 problems have a language of a" in str(found)


def test_split_datasets_are_clean_across_seeds_and_presets(tmp_path):
    write_dataset(SHORT, 1, {"train": 400, "validation": 40, "test": 40}, tmp_path / "one")
    other = dataclasses.replace(RegBench(), strings=(1, 1), lengths=(1, 2))
    write_dataset(other, 2, {"train": 60, "test": 40}, tmp_path / "two")
    found = regbench.audit([tmp_path / "one", tmp_path / "two"])
    assert found.rows["one: train"] == 400
    assert found.repeats == dict.fromkeys(found.rows, 0)
    assert all(count == 0 for (a, b), count in found.shared.items() if a.split(": ")[1] != b.split(": ")[1])


def test_independent_draws_leak(tmp_path):
    world = dataclasses.replace(SHORT, independent=True)
    data = write_dataset(world, 1, {"train": 2000, "test": 200}, tmp_path / "data")
    found = regbench.audit([data])
    train, test = (set(data.read(split)["language"]) for split in ("train", "test"))
    assert found.repeats["data: train"] == 2000 - len(train) > 0
    assert found.shared["data: train", "data: test"] >= len(train & test) > 0


def test_audit_looks_at_the_automata_not_at_the_stored_hash(tmp_path):
    rows = SHORT.generate(0, "train", 0, 50)
    hashes = canonical_hashes(rows, SHORT)
    assert hashes == list(rows["language"])
    edges = rows["raw_edges"]
    values = edges.values.copy()
    first = values[edges.offsets[0] : edges.offsets[1]]
    first[:, 1] = (first[:, 1] + 1) % 4
    changed = canonical_hashes({**rows, "raw_edges": Ragged(values, edges.offsets)}, SHORT)
    assert changed[0] != hashes[0]
    assert changed[1:] == hashes[1:]


def test_a_stored_hash_that_is_not_the_automatons(tmp_path, monkeypatch):
    rows = SHORT.generate
    monkeypatch.setattr(
        RegBenchLaptop, "generate", lambda self, *a: {**rows(*a), "language": np.array(["0" * 32] * a[3], dtype=object)}
    )
    write_dataset(SHORT, 0, {"test": 5}, tmp_path / "data")
    with pytest.raises(DataError, match="row 0 of test has hash 0000"):
        regbench.audit([tmp_path / "data"])


def test_folder_without_languages(tmp_path):
    from toyworlds.three_moons import ThreeMoons

    write_dataset(ThreeMoons(), 0, {"validation": 2}, tmp_path / "moons")
    with pytest.raises(InputError, match="a dataset of languages"):
        regbench.audit([tmp_path / "moons"])


def audit_of_sizes(train, test, seeds, **options):
    """Audit of train, validation and test sets of several seeds, in memory."""
    world = RegBench(strings=(1, 1), lengths=(1, 1), **options)
    hashes = {}
    for seed in seeds:
        for split, rows in (("train", train), ("validation", test), ("test", test)):
            hashes[f"{seed}: {split}"] = canonical_hashes(world.generate(seed, split, 0, rows), world)
    return audit_rows(hashes)


def between_splits(found):
    return {pair: count for pair, count in found.shared.items() if pair[0].split(": ")[1] != pair[1].split(": ")[1]}


def test_no_leak_where_independent_draws_have_one():
    clean = audit_of_sizes(4000, 300, [0, 1])
    assert set(clean.repeats.values()) == {0}
    assert set(between_splits(clean).values()) == {0}
    leaky = audit_of_sizes(4000, 300, [0, 1], independent=True)
    assert leaky.shared["0: train", "0: test"] > 0
    assert leaky.repeats["0: train"] > 0


@pytest.mark.slow
def test_no_leak_at_full_size_under_five_seeds():
    found = audit_of_sizes(40_000, 500, range(5))
    assert set(found.repeats.values()) == {0}
    assert set(between_splits(found).values()) == {0}
