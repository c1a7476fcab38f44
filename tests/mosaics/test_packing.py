"""Packed batches: the packer by hand and by its rules, and the language task with packed rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from resuming import check_exact_resume

from mosaics.catalogue import MODELS
from mosaics.tasks.batching import Packer, best_fit
from mosaics.tasks.language import language_task
from mosaics.text import PrepareConfig, prepare_text
from mosaics.text.rows import read, read_packed, windows
from mosaics.text.stream import tokens_of
from mosaics.text.tokenizer import Characters
from mosaics.training import TrainConfig, train
from mosaics.training.parts import Size, cut, size_of
from mosaics.training.population import train_population
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import InputError

E = Characters.end
MODEL = MODELS["mosaic"](vocabulary=257, n_layers=1, n_heads=2, width=16, output_dropout=0.1)
CONFIG = TrainConfig(steps=4, learning_rate=1e-2, dtype="float64", threads=1)


@pytest.fixture(scope="module")
def texts():
    draws = Stream(1, "packing").below(26, 0, 40 * 45).reshape(40, 45)
    return ["".join(chr(97 + n) for n in row[: 1 + row[0] + row[1] % 20]) for row in draws]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, texts):
    place = tmp_path_factory.mktemp("packing")
    (place / "train.txt").write_text("\n<|endoftext|>\n".join(texts))
    (place / "validation.txt").write_text("abc\n<|endoftext|>\nhello")
    options = PrepareConfig(str(place / "train.txt"), str(place / "validation.txt"), tokenizer="characters")
    return prepare_text(options, place / "data").path


def packing(folder, **options):
    return language_task(folder, **({"context": 24, "batch_size": 4, "packing": "packed"} | options))


def test_best_fit_by_hand():
    assert best_fit(np.array([7, 6, 5, 4, 3, 3, 2]), 10).tolist() == [0, 1, 2, 1, 0, 2, 2]
    assert best_fit(np.array([4, 4, 4]), 4).tolist() == [0, 1, 2]
    assert best_fit(np.array([3, 2, 1]), 6).tolist() == [0, 0, 0]


def plain_best_fit(lengths, size):
    """Number of rows, one look at every row for every sequence."""
    rooms = []
    for length in sorted(lengths, reverse=True):
        fitting = [index for index, room in enumerate(rooms) if room >= length]
        if not fitting:
            rooms.append(size - length)
        else:
            rooms[min(fitting, key=lambda index: rooms[index])] -= length
    return len(rooms)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(30, 45), st.integers(0, 2**31))
def test_what_packing_promises(lengths, size, seed):
    packer = Packer(np.array(lengths), size)
    assert packer.rows == plain_best_fit(lengths, size)
    assert packer.padding == pytest.approx(1 - sum(lengths) / (packer.rows * size))
    found = packer.pack(Stream(seed, "words").words(0, len(lengths) + packer.rows))
    assert sorted(found.sequence.tolist()) == list(range(len(lengths)))
    assert (np.diff(found.row) >= 0).all()
    assert set(found.row) == set(range(packer.rows))
    for row in range(packer.rows):
        own = found.take(row, row + 1)
        ends = np.cumsum(np.array(lengths)[own.sequence])
        assert own.start.tolist() == [0, *ends[:-1]]
        assert ends[-1] <= size
        assert (own.row == 0).all()


def test_words_choose_partners_and_order():
    packer = Packer(np.repeat([3, 2], 50), 5)
    first, again, other = (packer.pack(Stream(seed, "words").words(0, 150)) for seed in (0, 0, 1))
    assert packer.rows == 50
    assert packer.padding == 0
    assert np.array_equal(first.sequence, again.sequence)
    pairs = [{tuple(pair) for pair in found.sequence.reshape(50, 2).tolist()} for found in (first, other)]
    assert len(pairs[0] & pairs[1]) < 10
    assert not np.array_equal(first.sequence[::2], np.sort(first.sequence[::2]))


def test_lengths_that_no_row_holds():
    for bad in ([3, 9], [0, 3]):
        with pytest.raises(InputError, match="lengths: expected numbers from 1 to 8, the size of a row"):
            Packer(np.array(bad), 8)


def test_packed_rows_by_hand():
    tokens = tokens_of(["abcde", "x", "yz"], Characters())
    rows = windows(tokens, 4)
    some = rows.take(np.array([2, 1, 3]))
    where = {"row": np.array([0, 0, 2]), "place": np.array([0, 2, 0]), "shape": (3, 5)}
    batch = read_packed(tokens, some, E, **where)
    a, d, e, x, y, z = b"adexyz"
    assert batch["tokens"].tolist() == [[E, x, d, e, E], [E] * 5, [E, y, z, E, E]]
    assert batch["labels"].tolist() == [[x, E, e, E, -1], [-1] * 5, [y, z, E, -1, -1]]
    assert batch["segments"].tolist() == [[1, 1, 2, 2, 0], [0] * 5, [1, 1, 1, 0, 0]]
    assert a not in batch["tokens"]


def test_each_sequence_of_a_packed_row_counts(folder):
    task = packing(folder).build(3)
    batch = task.batch(0)
    sequences = sum(len(set(row) - {0}) for row in batch["segments"].tolist())
    assert sequences > len(batch["segments"])
    assert size_of(task, batch, 0) == Size(sequences, int((batch["labels"] >= 0).sum()), batch["labels"].numel())


def test_every_batch_has_one_shape_and_an_epoch_every_window_once(folder):
    task = packing(folder).build(3)
    expected = windows(task.training_set, 24)
    places = 0
    for epoch in range(2):
        seen = []
        for step in range(task.steps_per_epoch):
            batch = task.batch(epoch * task.steps_per_epoch + step)
            assert {name: tuple(item.shape) for name, item in batch.items()} == dict.fromkeys(batch, (4, 24))
            places += batch["labels"].numel()
            for tokens, labels, segments in zip(*(batch[name].tolist() for name in batch), strict=True):
                assert segments == sorted(segments, key=lambda number: number or 99)
                for number in range(max(segments) + 1):
                    own = [place for place, segment in enumerate(segments) if segment == number]
                    if number == 0:
                        assert all(tokens[place] == E and labels[place] == -1 for place in own)
                    else:
                        assert [tokens[place] for place in own[1:]] == [labels[place] for place in own[:-1]]
                        seen.append((tokens[own[0]], *(labels[place] for place in own)))
        alone = read(task.training_set, expected, E)
        rows = zip(alone["tokens"].tolist(), alone["labels"].tolist(), strict=True)
        assert sorted(seen) == sorted((tokens[0], *(n for n in labels if n >= 0)) for tokens, labels in rows)
    assert task.padding() == pytest.approx(1 - 2 * expected.length.sum() / places)
    batch = task.batch(0)
    assert task.tokens(batch) == (int((batch["segments"] > 0).sum()), 96)


def test_batches_are_a_function_of_seed_and_step(folder):
    first, second, other = packing(folder).build(5), packing(folder).build(5), packing(folder).build(6)
    epoch = first.steps_per_epoch
    for step in (2 * epoch + 1, 0, 2 * epoch + 1):
        assert all(torch.equal(item, second.batch(step)[name]) for name, item in first.batch(step).items())
    assert not torch.equal(first.batch(1)["labels"], other.batch(1)["labels"])
    assert not torch.equal(first.batch(1)["labels"], first.batch(1 + epoch)["labels"])


def summed_gradients(model, task, batch):
    """Loss times its terms, and the gradients of that."""
    total = task.loss(model, batch) * task.weight(batch)
    return total.item(), torch.autograd.grad(total, list(model.parameters()))


@pytest.mark.parametrize("name", ["mosaic", "mosaic_v2", "transformer", "rotary_transformer"])
def test_an_epoch_of_packed_rows_has_the_loss_of_one_of_stories(folder, name):
    small = {"vocabulary": 257, "n_layers": 1, "n_heads": 2, "width": 8}
    model = MODELS[name](**small).build(0).double().eval()
    sums = []
    for way in ("packed", "stories"):
        task = packing(folder, packing=way).build(0)
        found = [summed_gradients(model, task, task.batch(step)) for step in range(task.steps_per_epoch)]
        sums.append(
            (sum(loss for loss, _ in found), [sum(parts) for parts in zip(*(g for _, g in found), strict=True)])
        )
    assert sums[0][0] == pytest.approx(sums[1][0], rel=1e-12)
    for ours, theirs in zip(sums[0][1], sums[1][1], strict=True):
        assert (ours - theirs).abs().max() < 1e-9 * max(1.0, theirs.abs().max())


@pytest.mark.parametrize(("processes", "micro_batch"), [(1, 1), (1, 3), (2, None), (3, 1)])
def test_parts_of_a_batch_add_up_with_empty_rows_too(folder, processes, micro_batch):
    task = packing(folder, batch_size=7).build(0)
    batch = task.batch(task.steps_per_epoch - 1)
    empty = (batch["labels"] < 0).all(1)
    assert empty.any()
    assert not empty.all()
    model = replace(MODEL, output_dropout=0.0).build(0).double()
    whole = task.loss(model, batch)
    parts = [
        part.share * task.loss(model, part.batch) / processes
        for rank in range(processes)
        for part in cut(task, batch, micro_batch=micro_batch, rank=rank, processes=processes)
    ]
    assert sum(parts).item() == pytest.approx(whole.item(), rel=1e-12)


def test_resume_in_the_middle_of_an_epoch_is_exact(folder, tmp_path):
    task, config = packing(folder, batch_size=2), replace(CONFIG, steps=9, checkpoint_every=5, evaluate_every=3)
    assert task.build(1).steps_per_epoch > 9
    check_exact_resume(MODEL, task, config, tmp_path, killed=6)


def test_blocks_computed_twice_and_parts_train_alike(folder):
    model = replace(MODEL, output_dropout=0.0)
    ends = []
    for how in ({}, {"activation_checkpointing": True}, {"micro_batch": 3}):
        own = model.build(1)
        train(own, packing(folder).build(1), replace(CONFIG, **how), progress=False)
        ends.append(torch.cat([p.detach().flatten() for p in own.parameters()]))
    assert torch.equal(ends[0], ends[1])
    assert (ends[0] - ends[2]).abs().max() < 1e-10


@pytest.mark.parametrize("name", ["mosaic_v2", "transformer"])
def test_members_of_a_population_end_where_their_lone_runs_do(folder, name):
    model = MODELS[name](vocabulary=257, n_layers=1, n_heads=2, width=8)
    for one in train_population(model, packing(folder), CONFIG, (1, 2), progress=False):
        lone = model.build(one.seed)
        train(lone, packing(folder).build(one.seed), CONFIG, progress=False)
        for ours, theirs in zip(one.model.parameters(), lone.parameters(), strict=True):
            assert (ours - theirs).abs().max() < 1e-9


def test_a_model_without_segments_is_refused_before_anything_is_written(folder, tmp_path):
    lstm = MODELS["lstm"](vocabulary=257, width=8, n_layers=1)
    task = packing(folder)
    message = r"model: expected one that takes packed rows, forward\(inputs, segments\); got 'LSTM'"
    with pytest.raises(InputError, match=message):
        train(lstm.build(0), task.build(0), CONFIG, tmp_path / "run", progress=False)
    with pytest.raises(InputError, match=message):
        train_population(lstm, task, CONFIG, (0, 1), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match=message):
        task.build(0).loss(lstm.build(0), task.build(0).batch(0))
    train(lstm.build(0), packing(folder, packing="stories").build(0), replace(CONFIG, steps=1), progress=False)
