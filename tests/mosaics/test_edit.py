"""Editing memories: against retrieval by hand, effects from a step on, what is refused."""

import numpy as np
import pytest
import torch

from mosaics.baselines.transformer import TransformerConfig
from mosaics.edit import Change, Insert, Remove, Replace, change, edited, entries, hiding, stored
from mosaics.lookups import memories
from mosaics.moons_model import MoonsModelConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.mosaic_v2 import MemoryMosaicV2Config
from mosaics.trace import trace
from toyworlds.core.validate import InputError

CONFIG = MemoryMosaicConfig(vocabulary=7, n_layers=2, n_heads=2, width=8, persistent_size=5, persistent_banks=2)
TOKENS = torch.tensor([1, 4, 2, 2, 6, 0, 3, 1, 5, 2, 4, 1])
GAUSSIAN = MemoryMosaicConfig(vocabulary=7, n_layers=1, n_heads=2, width=8, key_norm="gaussian", peek=2)

TRANSFORMER = TransformerConfig(vocabulary=7, n_layers=2, n_heads=2, width=8, context=12)
VERSION_2 = MemoryMosaicV2Config(vocabulary=7, n_layers=2, n_heads=2, width=8, window=4, delay=2)


@pytest.fixture(params=[CONFIG, GAUSSIAN], ids=["unit", "gaussian"])
def model(request):
    return request.param.build(1).double().eval()


@pytest.fixture
def mosaic():
    return CONFIG.build(1).double().eval()


def by_hand(model, tokens, keep, layer):
    """Outputs where head 1 of a contextual memory sees, at every step, only the pairs for which `keep` is true."""
    unit = model.blocks[layer].contextual

    def retrieve(key, value, segments=None):
        found = type(unit).retrieve(unit, key, value).clone()
        for step in range(len(tokens)):
            pairs = [t for t in range(step - unit.peek + 1) if keep(t, step)]
            products = key[0, 1, pairs] @ key[0, 1, step]
            if unit.score == "gaussian":
                products = products - key[0, 1, pairs].square().sum(-1) / 2
            found[0, step, 1] = torch.softmax(products, 0) @ value[0, 1, pairs]
        return found

    unit.retrieve = retrieve
    with torch.no_grad():
        outputs = model(tokens[None])[0]
    del unit.retrieve
    return outputs.numpy()


def test_no_edit_changes_nothing(model):
    found = change(model, TOKENS, [])
    assert np.array_equal(found.before, found.after)
    assert found.total_variation == 0.0


def test_removed_pairs_were_never_stored(model):
    edits = [Remove(0, 1, 3), Remove(0, 1, 5)]
    expected = by_hand(model, TOKENS, lambda t, step: t not in (3, 5), 0)
    for position in (2, 4, 6, -1):
        np.testing.assert_allclose(change(model, TOKENS, edits, position).after, expected[position], atol=1e-12)


def test_pairs_removed_from_a_step_on_are_in_use_before(mosaic):
    expected = by_hand(mosaic, TOKENS, lambda t, step: t != 3 or step < 8, 0)
    with edited(mosaic, [Remove(0, 1, 3)], since=8), torch.no_grad():
        outputs = mosaic(TOKENS[None])[0].numpy()
    np.testing.assert_allclose(outputs, expected, atol=1e-12)
    np.testing.assert_array_equal(outputs[:8], mosaic(TOKENS[None])[0, :8].detach().numpy())


def test_a_memory_without_pairs_returns_nothing():
    config = MemoryMosaicConfig(vocabulary=7, n_layers=1, n_heads=1, width=8, second="none")
    model = config.build(0).double().eval()
    found = change(model, TOKENS[:4], [Remove(0, 0, 0), Remove(0, 0, 1), Remove(0, 0, 2)])
    with torch.no_grad():
        expected = model.read_out(model.ends.embedding.weight[TOKENS[3]])
    np.testing.assert_allclose(found.after, expected.numpy(), atol=1e-12)


def test_replacing_and_inserting(model):
    key, value = stored(model, TOKENS)
    same = [Replace(0, 1, 3, key[1, 3]), Replace(0, 1, 4, value=value[1, 4])]
    np.testing.assert_allclose(change(model, TOKENS, same).after, change(model, TOKENS, []).before, atol=1e-12)
    moved = [Remove(0, 1, 3), Insert(0, 1, key[1, 3], value[1, 3])]
    np.testing.assert_allclose(
        change(model, TOKENS, moved, since=9).after, change(model, TOKENS, []).before, atol=1e-12
    )
    swapped = [Replace(0, 1, 3, key[1, 4], value[1, 4]), Replace(0, 1, 4, key[1, 3], value[1, 3])]
    np.testing.assert_allclose(
        change(model, TOKENS, swapped, since=9).after, change(model, TOKENS, []).before, atol=1e-12
    )
    other = change(model, TOKENS, [Replace(0, 1, 3, value=-value[1, 3])])
    assert other.total_variation > 1e-6


def test_an_inserted_pair_is_found_by_its_key(mosaic):
    """A pair whose key is the query itself, much enlarged, is all that the memory returns."""
    key = stored(mosaic, TOKENS, 1)[0]
    target = torch.full((4,), 2.0, dtype=torch.float64)
    edits = [Insert(1, 0, 1e4 * key[0, -1], target)]
    seen = {}
    unit = mosaic.blocks[1].contextual
    hook = unit.output.register_forward_pre_hook(lambda module, inputs: seen.update(found=inputs[0][0, -1]))
    with edited(mosaic, edits):
        mosaic(TOKENS[None])
    hook.remove()
    np.testing.assert_allclose(seen["found"][:4].detach().numpy(), target.numpy(), rtol=1e-9)


def test_persistent_entries(mosaic):
    key, value = entries(mosaic, 1, 1)
    before = change(mosaic, TOKENS, []).before
    moved = [Remove(1, 1, 3, bank=1), Insert(1, 1, key[1, 3], value[1, 3], bank=1)]
    np.testing.assert_allclose(change(mosaic, TOKENS, moved).after, before, atol=1e-12)
    same = [Replace(1, 0, 2, key[0, 2], value[0, 2], bank=1)]
    np.testing.assert_allclose(change(mosaic, TOKENS, same).after, before, atol=1e-12)
    removed = change(mosaic, TOKENS, [Remove(1, 1, index, bank=1) for index in range(5)])
    with torch.no_grad():
        mosaic.blocks[1].second.values[1, 1] = 0.0
    np.testing.assert_allclose(removed.after, mosaic(TOKENS[None])[0, -1].detach().numpy(), atol=1e-12)


def test_moons_memories():
    model = MoonsModelConfig().build(2).double()
    x = torch.randn(9, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = trace(model, x)
    key, value = stored(model, x)
    weights = torch.tensor(found.parts.query("head == 2")["weight"].to_numpy())
    kept = torch.arange(8) != 4
    lacking = (weights[kept] / weights[kept].sum()) @ value[2, :8][kept]
    expected = found.predicted + (model.maps()["output"][:, 4:] @ (lacking - weights @ value[2, :8])).detach().numpy()
    np.testing.assert_allclose(change(model, x, [Remove(0, 2, 4)]).after, expected, atol=1e-12)
    np.testing.assert_allclose(change(model, x, [Remove(0, 2, 4)], since=8).after, expected, atol=1e-12)
    moved = [Remove(0, 1, 4), Insert(0, 1, key[1, 4], value[1, 4])]
    np.testing.assert_allclose(change(model, x, moved).after, found.predicted, atol=1e-12)


def test_heads_of_a_transformer_look_at_other_pairs():
    """What the second head finds where pair 3 has another value, pair 5 is gone, and one pair is put in."""
    model = TRANSFORMER.build(1).double().eval()
    key, value = stored(model, TOKENS, layer=0)
    assert key.shape == value.shape == (2, 12, 4)
    other = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    edits = [Replace(0, 1, 3, value=other), Remove(0, 1, 5), Insert(0, 1, key[1, 2] * 2, -other)]
    unit = model.blocks[0].attention
    with torch.no_grad():
        stream = model.enter(TOKENS[None])
        x = model.blocks[0].norm(stream)
        query = (x @ unit.qkv.weight.chunk(3)[0].mT + unit.qkv.bias.chunk(3)[0])[0].view(12, 2, 4)
        found = torch.zeros(12, 2, 4).double()
        for step in range(12):
            for head in range(2):
                pairs = [(key[head, t], value[head, t]) for t in range(step + 1)]
                if head == 1:
                    pairs = [(k, other if t == 3 else v) for t, (k, v) in enumerate(pairs) if t != 5]
                    pairs.append((key[1, 2] * 2, -other))
                keys, values = (torch.stack(vectors) for vectors in zip(*pairs, strict=True))
                found[step, head] = torch.softmax(keys @ query[step, head] / 2.0, 0) @ values
        stream = stream + unit.output(found.flatten(1))[None]
        stream = stream + model.blocks[0].second(model.blocks[0].second_norm(stream))
        expected = model.read_out(model.blocks[1](stream))[0, -1]
    np.testing.assert_allclose(change(model, TOKENS, edits).after, expected.numpy(), atol=1e-12)
    with pytest.raises(InputError, match="without persistent memories"):
        entries(model, 0)


def test_the_model_is_itself_again_after_an_error(mosaic):
    before = mosaic(TOKENS[None])
    with pytest.raises(ZeroDivisionError), edited(mosaic, [Remove(0, 0, 0), Remove(1, 0, 2, bank=0)]):
        raise ZeroDivisionError
    assert torch.equal(mosaic(TOKENS[None]), before)
    assert "lookup" not in vars(mosaic.blocks[0].contextual)
    assert "retrieve" not in vars(mosaic.blocks[1].second)


def test_probabilities_and_distance_by_hand():
    found = Change(np.log([0.5, 0.25, 0.25]), np.log([0.25, 0.25, 0.5]) + 7.0)
    np.testing.assert_allclose(found.probabilities[1], [0.25, 0.25, 0.5])
    assert found.total_variation == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Remove(2, 0, 0), "layer: expected a whole number from 0 to 1; got 2"),
        (Remove(0, 2, 0), r"edits\[0\].head: expected a whole number from 0 to 1; got 2"),
        (Remove(0, 0, 11), r"edits\[0\].index: expected a whole number from 0 to 10; got 11"),
        (Remove(0, 0, 5, bank=0), r"edits\[0\].index: expected a whole number from 0 to 4; got 5"),
        (Remove(0, 0, 0, bank=2), r"edits\[0\].bank: expected a whole number from 0 to 1; got 2"),
        (Replace(0, 0, 0, key=torch.zeros(3)), r"edits\[0\].key: expected a tensor \(4,\)"),
        (Insert(0, 0, torch.zeros(4), torch.zeros(1)), r"edits\[0\].value: expected a tensor \(4,\)"),
    ],
)
def test_edits_that_do_not_fit(mosaic, edit, message):
    with pytest.raises(InputError, match=message):
        change(mosaic, TOKENS, [edit])


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (Remove(0, 0, 0), r"^edits: expected a sequence of Remove, Replace and Insert; got Remove\("),
        ([Remove(0, 0, 0), (0, 0, 0)], r"^edits\[1\]: expected Remove, Replace or Insert; got \(0, 0, 0\)"),
        ([Replace(0, 0, 0)], r"^edits\[0\]: expected a key, a value or both, to replace; got Replace\("),
        (
            [Remove(0, 1, 3), Replace(0, 1, 3, torch.ones(4))],
            r"^edits\[1\].index: expected a pair or entry that",
        ),
        (
            [Remove(1, 1, 3, bank=1), Replace(1, 1, 3, value=torch.ones(4), bank=1)],
            r"^edits\[1\].index: expected a pair or entry that no edit before has removed; got 3",
        ),
    ],
)
def test_lists_of_edits_that_do_not_fit(mosaic, edits, message):
    with pytest.raises(InputError, match=message):
        change(mosaic, TOKENS, edits)


def test_every_pair_can_be_replaced_where_another_was_removed(mosaic):
    everything = [Remove(0, 1, index) for index in range(11)]
    expected = change(mosaic, TOKENS, everything).after
    for index in range(11):
        others = [edit for edit in everything if edit.index != index]
        found = change(mosaic, TOKENS, [*others, Replace(0, 1, index, torch.ones(4)), everything[index]])
        np.testing.assert_allclose(found.after, expected, atol=1e-12)


@pytest.mark.parametrize(("position", "since"), [(-1, 12), (-1, 50), (2, 4), (-10, 3), (0, 1)])
def test_edits_after_the_position_are_refused(mosaic, position, since):
    last = range(len(TOKENS))[position]
    with pytest.raises(InputError, match=f"^since: expected a whole number from 0 to {last}; got {since}"):
        change(mosaic, TOKENS, [Remove(0, 0, 0)], position, since=since)


def test_models_that_cannot_be_edited(mosaic):
    with (
        pytest.raises(InputError, match=r"a MemoryMosaic, .*, a MoonsModel or a Transformer; got 'Linear'"),
        edited(torch.nn.Linear(1, 1), [Remove(0, 0, 0)]),
    ):
        pass
    moons, x = MoonsModelConfig().build(0), torch.zeros(4, 6)
    with pytest.raises(InputError, match=r"edits\[0\].layer: expected a whole number from 0 to 0; got 1"):
        change(moons, x, [Remove(1, 0, 0)])
    with pytest.raises(InputError, match="without persistent memories"):
        change(moons, x, [Remove(0, 0, 0, bank=0)])
    with (
        pytest.raises(InputError, match="a lone model; got 'a population'"),
        edited(MoonsModelConfig().build((0, 1)), [Remove(0, 0, 0)]),
    ):
        pass
    with edited(moons, [Remove(0, 0, 0)]), pytest.raises(InputError, match="seen: expected none"):
        moons(x[None], seen=torch.ones(1, 4, dtype=torch.bool))
    config = MemoryMosaicConfig(vocabulary=7, n_heads=2, width=8, second="none")
    with pytest.raises(InputError, match="without persistent memories"):
        entries(config.build(0), 0)
    twice = edited(mosaic, [Remove(0, 0, 1)])
    with edited(mosaic, [Remove(0, 0, 0)]), pytest.raises(InputError, match="being edited already"), twice:
        pass


@pytest.mark.parametrize("since", [0, 7])
@pytest.mark.parametrize(
    "config", [CONFIG, GAUSSIAN, VERSION_2, TRANSFORMER], ids=["unit", "gaussian", "version 2", "transformer"]
)
def test_hidden_pairs_are_removed_pairs_of_one_sequence(config, since):
    model = config.build(1).double().eval()
    groups = [(), (3, 5), (0, 1, 2), (8,)]
    hidden = torch.zeros(len(groups), len(TOKENS), dtype=torch.bool)
    for row, pairs in enumerate(groups):
        hidden[row, list(pairs)] = True
    with torch.no_grad(), hiding(model, hidden, since=since):
        found = model(TOKENS.expand(len(groups), -1))
    names = [(layer, name) for layer, named in enumerate(memories(model)) for name in named]
    for row, pairs in enumerate(groups):
        edits = [Remove(layer, head, t, name) for layer, name in names for head in range(2) for t in pairs]
        for position in (since, -1):
            expected = change(model, TOKENS, edits, position, since=since).after
            np.testing.assert_allclose(found[row, position], expected, atol=1e-12)
    assert not torch.allclose(found[0, -1], found[1, -1])


def test_what_is_hidden_is_checked(mosaic):
    with pytest.raises(InputError, match="hidden: expected truth values"), hiding(mosaic, torch.zeros(1, 12)):
        pass
    wrong = torch.zeros(1, 5, dtype=torch.bool)
    with pytest.raises(InputError, match=r"hidden: expected one value a pair, \(1, 12\)"), hiding(mosaic, wrong):
        mosaic(TOKENS[None])
