"""Editing the memories of version 2: against explicit T x T tables, what bandwidth and window do, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from far_models import far
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaics.edit import Insert, Remove, Replace, change, edited, entries, stored
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.mosaic_v2 import MemoryMosaicV2Config
from toyworlds.core.validate import InputError

CONFIG = MemoryMosaicV2Config(vocabulary=7, n_layers=2, n_heads=2, width=8, hidden_size=6, window=4, delay=3)
TOKENS = torch.tensor([1, 4, 2, 2, 6, 0, 3, 1, 5, 2, 4, 1])
ABLATED = [
    {"levels": "one"},
    {"gated_key": False},
    {"adaptive_bandwidth": False},
    {"levels": "one", "gated_key": False, "adaptive_bandwidth": False},
]


def build(config=CONFIG):
    return far(config, seed=1)


@pytest.fixture(scope="module")
def model():
    return build()


def level_of(model, layer, memory):
    unit = model.blocks[layer].contextual
    return getattr(unit, memory or "level")


def reach(level, step):
    """Pairs that a level sees at a step."""
    return list(range(max(step - level.window, 0), step) if level.window else range(max(step - level.delay + 1, 0)))


def kept(left_out=(), instead=None, more=()):
    """Pairs (key, value) that the edited head holds at a step, of the pairs that it sees there."""
    instead = instead or {}

    def held(seen, key, value):
        return [instead.get(t, (key[t], value[t])) for t in seen if t not in left_out] + list(more)

    return held


@torch.no_grad()
def by_hand(model, layer, memory, held, *, since=0, head=1, counted=False, inputs=TOKENS):
    """Outputs where a head of a level retrieves, from step `since` on, from held(pairs in reach, key, value).

    Weights are softmax(2 beta q . k), beta = beta_1 n^alpha + beta_0; n is the number of pairs in reach, or, `counted`,
    that of the pairs held.
    """
    level = level_of(model, layer, memory)

    def forward(x, delay, state=None, segments=None):
        found = type(level).forward(level, x, delay).clone()
        key, value = level.key(x)[0][0, head], level.value(x)[0, head]
        for step in range(since, x.shape[1]):
            seen = reach(level, step)
            pairs = held(seen, key, value)
            found[0, step, head] = 0.0
            if pairs:
                n = max(len(pairs) if counted else len(seen), 1)
                weights = torch.softmax(2.0 * beta(level.bandwidth, n, head) * torch.stack([
                    key[step] @ other for other, _ in pairs]), 0)  # fmt: skip
                found[0, step, head] = sum(weight * value for weight, (_, value) in zip(weights, pairs, strict=True))
        return found

    level.forward = forward
    outputs = model(inputs[None])[0]
    del level.forward
    return outputs.numpy()


def beta(bandwidth, n, head):
    """Bandwidth from its parameters, those of version 2 or of the ablation."""
    if hasattr(bandwidth, "log_beta"):
        return bandwidth.log_beta[head].exp()
    alpha = torch.sigmoid(bandwidth.logit_alpha[head])
    return bandwidth.log_beta_1[head].exp() * n**alpha + bandwidth.log_beta_0[head].exp()


def outputs_of(model, edits, since=0, inputs=TOKENS):
    with edited(model, edits, since=since), torch.no_grad():
        return model(inputs[None])[0].numpy()


def found_by(model, layer, edits):
    """What the memories of a layer find, (T, 2 d), short-term first."""
    found = []
    hook = model.blocks[layer].contextual.output.register_forward_pre_hook(lambda _, x: found.append(x[0][0]))
    outputs_of(model, edits)
    hook.remove()
    return found[0]


PLACES = [(layer, memory) for layer in (0, 1) for memory in ("short", "long")]


@pytest.mark.parametrize(("layer", "memory"), PLACES)
@pytest.mark.parametrize("since", [0, 7])
def test_removed_pairs(model, layer, memory, since):
    edits = [Remove(layer, 1, 4, memory), Remove(layer, 1, 6, memory)]
    found = outputs_of(model, edits, since)
    np.testing.assert_allclose(found, by_hand(model, layer, memory, kept((4, 6)), since=since), atol=1e-12)
    np.testing.assert_allclose(change(model, TOKENS, edits, 9, since=since).after, found[9], atol=1e-12)
    assert np.abs(found - outputs_of(model, [])).max() > 1e-4


@pytest.mark.parametrize(("layer", "memory"), PLACES)
def test_a_step_that_has_lost_a_pair_keeps_its_bandwidth(model, layer, memory):
    """The weights of the pairs that are left keep their ratios; with a bandwidth of the pairs held they would not."""
    found = outputs_of(model, [Remove(layer, 1, 2, memory)])
    np.testing.assert_allclose(found, by_hand(model, layer, memory, kept((2,))), atol=1e-12)
    other = by_hand(model, layer, memory, kept((2,)), counted=True)
    assert np.abs(found - other).max() > 1e-7


@pytest.mark.parametrize(("layer", "memory"), PLACES)
@pytest.mark.parametrize("since", [0, 7])
def test_replaced_and_inserted_pairs(model, layer, memory, since):
    generator = torch.Generator().manual_seed(3)
    key, value, new, other = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    before, values = (x[1] for x in stored(model, TOKENS, layer, memory))
    edits = [Replace(layer, 1, 5, key, value, memory), Replace(layer, 1, 6, value=other, memory=memory)]
    edits += [Insert(layer, 1, new, other, memory), Replace(layer, 1, 7, key=new, memory=memory)]
    instead = {5: (key, value), 6: (before[6], other), 7: (new, values[7])}
    expected = by_hand(model, layer, memory, kept((), instead, [(new, other)]), since=since)
    np.testing.assert_allclose(outputs_of(model, edits, since), expected, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    memory=st.sampled_from(["short", "long"]),
    window=st.integers(1, 13),
    delay=st.integers(1, 11),
    gone=st.sets(st.integers(0, 10), max_size=4),
    since=st.integers(0, 13),
    inserted=st.booleans(),
)
def test_any_edit_of_any_level(*, memory, window, delay, gone, since, inserted):
    model = build(replace(CONFIG, n_layers=1, window=window, delay=delay))
    gone = {index for index in gone if memory == "short" or index <= 11 - delay}
    pair = torch.linspace(-1.0, 1.0, 4, dtype=torch.float64)
    edits = [Remove(0, 1, index, memory) for index in gone] + [Insert(0, 1, pair, pair, memory)] * inserted
    expected = by_hand(model, 0, memory, kept(gone, None, [(pair, pair)] * inserted), since=since)
    np.testing.assert_allclose(outputs_of(model, edits, since), expected, atol=1e-12)


@pytest.mark.parametrize("options", ABLATED, ids=str)
def test_ablations(options):
    model = build(replace(CONFIG, **options))
    memory = "" if options.get("levels") == "one" else "long"
    found = outputs_of(model, [Remove(1, 1, 3, memory), Remove(1, 1, 8, memory)], 6)
    np.testing.assert_allclose(found, by_hand(model, 1, memory, kept((3, 8)), since=6), atol=1e-12)


def test_both_levels_at_once(model):
    """In the same layer the two levels do not know of each other: edits of both are those of each."""
    edits = [Remove(1, 0, 9, "short"), Remove(1, 0, 5, "long")]
    both, short, long = (found_by(model, 1, some) for some in (edits, edits[:1], edits[1:]))
    torch.testing.assert_close(both, torch.cat([short[:, :8], long[:, 8:]], 1))
    assert not torch.equal(both[:, :8], long[:, :8])
    assert not torch.equal(both[:, 8:], short[:, 8:])


@pytest.mark.parametrize("options", [{}, {"vocabulary": 0, "channels": 3}, *ABLATED], ids=str)
@pytest.mark.parametrize("memory", ["short", "long"])
def test_edits_that_change_nothing(options, memory):
    config = replace(CONFIG, **options)
    model = build(config)
    memory = "" if config.levels == "one" else memory
    inputs = TOKENS if config.vocabulary else torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
    before = change(model, inputs, [])
    assert np.array_equal(before.before, before.after)
    key, value = stored(model, inputs, 1, memory)
    same = [Replace(1, 1, 8, key[1, 8], value[1, 8], memory), Replace(1, 0, 7, key[0, 7], memory=memory)]
    np.testing.assert_allclose(change(model, inputs, same).after, before.before, atol=1e-12)
    moved = [Remove(1, 1, 8, memory), Insert(1, 1, key[1, 8], value[1, 8], memory)]
    np.testing.assert_allclose(change(model, inputs, moved, since=11).after, before.before, atol=1e-12)


def test_ages_bound_stored_pairs_and_not_inserted_ones(model):
    """No older pair moves into the window; a pair outside of it is not missed; an inserted one is there at any step."""
    before = change(model, TOKENS, []).before
    outside = [Remove(1, 0, 6, "short"), Remove(1, 0, 3, "short")]
    np.testing.assert_allclose(change(model, TOKENS, outside, since=11).after, before, atol=1e-14)
    nothing = build(replace(CONFIG, n_heads=1))
    edits = [Remove(0, 0, index, "short") for index in range(7, 11)]
    pair = torch.full((8,), 2.0, dtype=torch.float64)
    for more, expected in (([], 0.0), ([Insert(0, 0, pair, pair, "short")], 2.0)):
        np.testing.assert_allclose(found_by(nothing, 0, edits + more)[-1, :8], expected, atol=1e-12)


def test_stored_pairs_are_those_of_the_level(model):
    streams = {}
    hook = model.blocks[1].contextual.register_forward_pre_hook(lambda _, x: streams.update(x=x[0]))
    with torch.no_grad():
        model(TOKENS[None])
    hook.remove()
    for memory in ("short", "long"):
        level = level_of(model, 1, memory)
        key, value = stored(model, TOKENS, 1, memory)
        torch.testing.assert_close(key, level.key(streams["x"])[0][0])
        torch.testing.assert_close(value, level.value(streams["x"])[0])


def test_a_model_in_training_is_edited_in_a_copy():
    model = CONFIG.build(1).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = change(model, TOKENS, [Remove(0, 1, 4, "long")])
    expected = change(CONFIG.build(1).double().eval(), TOKENS, [Remove(0, 1, 4, "long")])
    np.testing.assert_allclose(found.after, expected.after, atol=1e-14)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert "lookup" not in vars(model.blocks[0].contextual.long)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Remove(0, 0, 0), r"^edits\[0\].memory: expected one of short, long; got ''$"),
        (Remove(0, 0, 0, "shrt"), r"edits\[0\].memory: .*; got 'shrt' \(did you mean 'short'\?\)"),
        (Remove(2, 0, 0, "long"), r"^edits\[0\].layer: expected a whole number from 0 to 1; got 2"),
        (Remove(0, 2, 0, "long"), r"^edits\[0\].head: expected a whole number from 0 to 1; got 2"),
        (Remove(0, 0, 9, "long"), r"^edits\[0\].index: expected a whole number from 0 to 8; got 9"),
        (Remove(0, 0, 11, "short"), r"^edits\[0\].index: expected a whole number from 0 to 10; got 11"),
        (Remove(0, 0, 0, bank=0), r"^edits\[0\].bank: expected none, for a model without persistent memories; got 0"),
        (Replace(0, 0, 0, torch.zeros(3), memory="long"), r"^edits\[0\].key: expected a tensor \(4,\)"),
        (Insert(0, 0, torch.zeros(4), torch.zeros(1), "long"), r"^edits\[0\].value: expected a tensor \(4,\)"),
    ],
)
def test_edits_that_do_not_fit(model, edit, message):
    with pytest.raises(InputError, match=message):
        change(model, TOKENS, [edit])


def test_a_memory_that_holds_no_pair_yet(model):
    with pytest.raises(InputError, match=r"^edits\[0\].index: expected no pair, for the memory holds none yet; got 0"):
        change(model, TOKENS[:3], [Remove(0, 0, 0, "long")])
    pair = torch.ones(4, dtype=torch.float64)
    assert change(model, TOKENS[:3], [Insert(0, 0, pair, pair, "long")]).total_variation > 0.0


def test_names_that_are_not_there(model):
    with pytest.raises(InputError, match=r"^memory: expected one of short, long; got 'Long' \(did you mean 'long'"):
        stored(model, TOKENS, 0, "Long")
    one = build(replace(CONFIG, levels="one"))
    with pytest.raises(InputError, match=r"^memory: expected no name, where there are no levels; got 'long'"):
        stored(one, TOKENS, 0, "long")
    first = MemoryMosaicConfig(vocabulary=7, n_heads=2, width=8).build(0)
    for bank in (None, 0):
        with pytest.raises(InputError, match=r"edits\[0\].memory: expected no name"):
            change(first, TOKENS, [Remove(0, 0, 0, "short", bank)])
    with pytest.raises(InputError, match="bank: expected none"):
        entries(model, 0)
    twice = edited(model, [Remove(0, 0, 1, "long")])
    with edited(model, [Remove(0, 0, 0, "long")]), pytest.raises(InputError, match="being edited already"), twice:
        pass
