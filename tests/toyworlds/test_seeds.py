from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from toyworlds.core import seeds
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import InputError

WORD = 1 << 64


def philox(counter: int, key: tuple[int, int]) -> list[int]:
    """Philox-4x64-10 as Salmon et al. (2011) define it, in whole numbers."""
    c = [(counter >> (64 * i)) % WORD for i in range(4)]
    k0, k1 = key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(second >> 64) ^ c[1] ^ k0, second % WORD, (first >> 64) ^ c[3] ^ k1, first % WORD]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) % WORD, (k1 + 0xBB67AE8584CAA73B) % WORD
    return c


def test_the_reference_of_this_test_gives_the_published_known_answer() -> None:
    published = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    assert philox(0, (0, 0)) == published


def test_words_are_philox_with_the_key_of_the_names() -> None:
    stream = Stream(7, "three_moons", "train")
    digest = hashlib.sha256(b"int:7\x1fstr:three_moons\x1fstr:train").digest()
    key = (int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little"))
    assert stream.key == key
    for place in (0, 1, 5, 1003, 4 * (2**64 + 1) + 2):
        assert stream.words(place, 1).tolist() == [philox(place // 4 + 1, key)[place % 4]]


@given(start=st.integers(0, 10**12), cuts=st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_any_stretch_can_be_had_alone(start: int, cuts: list[int]) -> None:
    stream = Stream(3, "a")
    whole = stream.words(start, sum(cuts))
    place, parts = start, []
    for count in cuts:
        parts.append(stream.words(place, count))
        place += count
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    for draw in (stream.uniform, stream.normal):
        np.testing.assert_array_equal(draw(start + 3, 4), draw(start, 9)[3:7])
    np.testing.assert_array_equal(stream.below(10, start + 3, 4), stream.below(10, start, 9)[3:7])


def test_other_seeds_and_names_are_other_streams() -> None:
    names = [(0,), (1,), (0, "a"), (0, "b"), (0, "a", "b"), (0, "ab"), (0, 1), (0, "1"), (0, "a", ""), (0, "b", "a")]
    streams = [Stream(*name).words(0, 2000) for name in names]
    firsts = {tuple(words[:4].tolist()) for words in streams}
    assert len(firsts) == len(names)
    bits = np.stack([np.unpackbits(words.view(np.uint8)) for words in streams]).astype(float) - 0.5
    correlation = np.corrcoef(bits)[~np.eye(len(names), dtype=bool)]
    assert np.abs(correlation).max() < 5 / np.sqrt(bits.shape[1])


def test_neighbouring_seeds_share_no_items() -> None:
    words = [set(Stream(seed, "w").words(0, 1000).tolist()) for seed in range(5)]
    assert len(set.union(*words)) == 5000


def test_the_global_generator_is_neither_used_nor_disturbed() -> None:
    np.random.seed(1)  # noqa: NPY002 -- the global generator is what this test is about
    before = Stream(0).words(0, 3).tolist()
    state = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    assert Stream(0).words(0, 3).tolist() == before
    np.random.seed(1)  # noqa: NPY002
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index, union-attr]  # noqa: NPY002


@pytest.mark.parametrize("seed", [-1, 1.0, "7", None, True])
def test_a_seed_is_a_whole_number_from_zero(seed: object) -> None:
    with pytest.raises(InputError, match="seed: expected a whole number of at least 0"):
        Stream(seed)  # type: ignore[arg-type]


def test_below_is_the_floor_of_word_times_high_over_two_to_the_64() -> None:
    half = WORD // 2
    words = np.array([0, 1, half - 1, half, half + half // 2, WORD - 1], dtype=np.uint64)
    assert seeds.below(words, 4).tolist() == [0, 0, 1, 2, 3, 3]
    assert seeds.below(words, 3).tolist() == [0, 0, 1, 1, 2, 2]
    assert seeds.below(words, 1).tolist() == [0] * 6
    carry = np.array([0x5555555555555555, 0x5555555555555556, 0x55555555FFFFFFFF], dtype=np.uint64)
    assert seeds.below(carry, 3).tolist() == [0, 1, 1]
    assert seeds.below(words[[3, 3]], np.array([10, 7])).tolist() == [5, 3]


@given(st.lists(st.integers(0, WORD - 1), min_size=1), st.integers(1, 2**32 - 1))
def test_below_agrees_with_unlimited_arithmetic_up_to_the_lost_low_bits(words: list[int], high: int) -> None:
    """The product of the low halves is cut to 32 bits, which never changes the floor."""
    got = seeds.below(np.array(words, dtype=np.uint64), high).tolist()
    assert got == [word * high >> 64 for word in words]


def test_below_is_uniform() -> None:
    counts = np.bincount(Stream(11, "chi").below(97, 0, 200_000), minlength=97)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_bytes_of_words_are_uniform() -> None:
    counts = np.bincount(Stream(12, "bytes").words(0, 100_000).view(np.uint8), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_uniform_takes_the_top_53_bits() -> None:
    words = np.array([0, 2047, 2048, WORD // 2, WORD - 1], dtype=np.uint64)
    assert seeds.uniform(words).tolist() == [0.0, 0.0, 2.0**-53, 0.5, 1.0 - 2.0**-53]
    assert stats.kstest(Stream(13, "u").uniform(0, 50_000), "uniform").pvalue > 1e-4


def test_normal_is_box_and_muller_from_a_pair_of_words() -> None:
    quarter = WORD // 4
    words = np.array(
        [[0, 5], [WORD - 1, 0], [3 * quarter, 0], [3 * quarter, 2 * quarter], [quarter, quarter]], np.uint64
    )
    expected = [0.0, np.sqrt(106 * np.log(2.0)), np.sqrt(4 * np.log(2.0)), -np.sqrt(4 * np.log(2.0)), 0.0]
    np.testing.assert_allclose(seeds.normal(words), expected, rtol=0, atol=1e-14)


def test_normal_has_the_normal_law() -> None:
    z = Stream(14, "z").normal(0, 100_000)
    assert stats.kstest(z, "norm").pvalue > 1e-4
    for power, moment, error in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)):
        assert abs((z**power).mean() - moment) < 4.5 * np.sqrt(error / len(z))
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 4.5 / np.sqrt(len(z))
