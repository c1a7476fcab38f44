"""The benchmark of retrieval says what is chosen and why, and counts operations."""

import json

import pytest

from benchmarks.retrieval import RetrievalBenchmark, main, operations
from toyworlds.core.validate import InputError


def test_it_prints_the_choice_and_records_all_ways(capsys, tmp_path):
    out = tmp_path / "times.json"
    words = ["--batch", "1", "--heads", "2", "--length", "40", "--widths", "20", "--repeats", "1", "--window", "8"]
    main([*words, "--score", "dot", "--out", str(out)])
    printed = capsys.readouterr().out
    assert "width 20, dot: fused is chosen: the C kernel knows no oldest pair" in printed
    assert "native, dot: left out" in printed
    recorded = json.loads(out.read_text())
    assert [row["way"] for row in recorded["rows"]] == ["torch attention", "reference, dot", "fused, dot"]
    assert recorded["rows"][0]["ratio"] == 1.0
    assert (recorded["window"], recorded["length"]) == (8, 40)


def test_operations_by_hand():
    # 4 steps: 0 + 1 + 2 + 3 pairs; two products of 2 width operations a pair, seven with the backward pass
    plain = RetrievalBenchmark(batch=1, heads=1, length=4, backward=False)
    assert operations(plain, 5) == 6 * 2 * 2 * 5
    assert operations(RetrievalBenchmark(batch=2, heads=3, length=4), 5) == 6 * 6 * 7 * 2 * 5
    assert operations(RetrievalBenchmark(batch=1, heads=1, length=4, window=2, delay=2, backward=False), 1) == 2 * 4


@pytest.mark.parametrize("change", [{"dtype": "float8"}, {"window": 3, "delay": 4}, {"tune": True}, {"repeats": 0}])
def test_bad_options_are_named(change):
    with pytest.raises(InputError, match=list(change)[-1]):
        RetrievalBenchmark(**change)
