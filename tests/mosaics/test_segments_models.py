"""Packed rows through whole models: outputs and gradients are those of each sequence alone."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sequence_models import CONFIGS, build, inputs, mosaics, second_versions

from mosaics.attending import head_weights
from mosaics.baselines.library import LibraryModel
from mosaics.catalogue import MODELS
from mosaics.edit import Remove, edited
from mosaics.interface import check_takes_segments, takes_segments
from mosaics.lookups import caught, memories
from mosaics.moons_model import MoonsModel
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.stacked import StackedModel
from mosaics.training.spread import recomputed
from toyworlds.core.validate import InputError

PACKED = [name for name in CONFIGS if name != "lstm"]
ROWS = [[1, 5, 1, 4, 2], [7, 6], [13]]
"""Lengths of the sequences of each row."""


def numbered(rows):
    """Segments of rows of sequences; numbers come again where another lies between."""
    return torch.tensor([[i % 2 for i, length in enumerate(row) for _ in range(length)] for row in rows])


def alone(model, x, rows):
    """Outputs of each sequence read by itself, laid side by side."""
    cut = [part.split(row) for part, row in zip(x, rows, strict=True)]
    return torch.stack([torch.cat([model(one[None])[0] for one in row]) for row in cut])


def assert_each_alone(model, x, rows, **options):
    """Compare outputs, and the gradients of a sum of them with random factors."""
    packed, each = model(x, numbered(rows), **options), alone(model, x, rows)
    assert (packed - each).abs().max() < 1e-9
    factors = torch.randn(packed.shape, generator=torch.Generator().manual_seed(1), dtype=packed.dtype)
    parameters = dict(model.named_parameters())
    found = [
        torch.autograd.grad((outputs * factors).sum(), parameters.values(), allow_unused=True)
        for outputs in (packed, each)
    ]
    for name, ours, theirs in zip(parameters, *found, strict=True):
        assert ours is theirs or (ours - theirs).abs().max() < 1e-9, name


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("ends", [{"vocabulary": 7}, {"channels": 3}])
def test_a_packed_row_equals_each_sequence_alone(name, ends):
    model = build(name, **ends)
    x = inputs(model, len(ROWS), 13)
    assert_each_alone(model, x, ROWS)
    assert (model(x, numbered(ROWS)) - model(x))[0].abs().max() > 1e-3  # and segments matter


@st.composite
def lengths_of_rows(draw):
    row = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    return [row, draw(st.permutations(row))]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.one_of(mosaics(), second_versions()), lengths_of_rows(), st.integers(0, 2**31))
def test_packed_rows_of_random_models(config, rows, seed):
    model = config.build(seed).double().eval()
    assert_each_alone(model, inputs(model, 2, sum(rows[0]), seed), rows)


@pytest.mark.parametrize("name", ["peek_3", "v2", "convolutions", "rotary"])
def test_no_gradient_reaches_another_sequence(name):
    model = build(name, channels=3)
    x, row = inputs(model, 1, 13).requires_grad_(), ROWS[0]
    outputs = model(x, numbered([row]))[0].split(row)
    for number, own in enumerate(outputs):
        (gradient,) = torch.autograd.grad(own.square().sum(), x, retain_graph=True)
        for other, part in enumerate(gradient[0].split(row)):
            assert part.any() == (other == number)


@pytest.mark.parametrize("name", ["peek_3", "gaussian", "v2"])
def test_the_readable_ways_agree(name, monkeypatch):
    model = build(name)
    x = inputs(model, len(ROWS), 13)
    found = model(x, numbered(ROWS))
    monkeypatch.setenv("MOSAICBENCH_RETRIEVAL", "reference")
    monkeypatch.setenv("MOSAICBENCH_LEAKY_AVERAGE", "reference")
    assert (model(x, numbered(ROWS)) - found).abs().max() < 1e-11


@pytest.mark.parametrize("name", ["published", "gaussian", "v2", "transformer", "rotary"])
def test_16_bit_numbers(name):
    exact, model = build(name), build(name).float()
    x = inputs(exact, len(ROWS), 13)
    expected = exact(x, numbered(ROWS))
    with torch.autocast("cpu", torch.bfloat16):
        assert (model(x, numbered(ROWS)) - expected).abs().max() < 0.06 * expected.abs().max()


def test_version_2_in_training_draws_one_delay_for_all_segments():
    model = build("v2").train()
    x = inputs(model, len(ROWS), 13)
    for seed in range(3):  # two layers draw delays from 1 to 4
        torch.manual_seed(seed)
        packed = model(x, numbered(ROWS))
        torch.manual_seed(seed)
        delays = [int(torch.randint(1, 5, ())) for _ in model.blocks]
        for block, delay in zip(model.blocks, delays, strict=True):
            block.contextual.training_delay = (delay, delay)
        assert (packed - alone(model, x, ROWS)).abs().max() < 1e-11
        for block in model.blocks:
            block.contextual.training_delay = (1, 4)


@pytest.mark.parametrize("name", ["published", "v2_one_level", "transformer"])
def test_activation_checkpointing_changes_no_bit(name):
    model = build(name)
    x, segments = inputs(model, len(ROWS), 13), numbered(ROWS)
    parameters = [p for p in model.parameters() if p.requires_grad]
    expected = torch.autograd.grad(model(x, segments).square().sum(), parameters)
    with recomputed(model, True):
        found = torch.autograd.grad(model(x, segments).square().sum(), parameters)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))


@pytest.mark.filterwarnings("ignore")  # of torch's own deprecations
@pytest.mark.parametrize(
    ("name", "backend"),
    [("published", "aot_eager"), ("v2", "aot_eager"), pytest.param("published", "inductor", marks=pytest.mark.slow)],
)
def test_a_compiled_model_is_one_graph(name, backend):
    kind, options = CONFIGS[name]
    model = kind(vocabulary=7, n_layers=1, **options).build().double().eval()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    x, segments, parameters = inputs(model, len(ROWS), 13), numbered(ROWS), list(model.parameters())
    outputs = [each(x, segments) for each in (model, compiled)]
    assert (outputs[0] - outputs[1]).abs().max() < 1e-11
    for ours, theirs in zip(*(torch.autograd.grad(out.square().sum(), parameters) for out in outputs), strict=True):
        assert (ours - theirs).abs().max() < 1e-9
    assert takes_segments(compiled)


@pytest.mark.parametrize("name", ["published", "convolutions", "gaussian", "v2", "transformer", "rotary"])
def test_members_of_a_population_read_packed_rows(name):
    kind, options = CONFIGS[name]
    population = StackedModel(kind(vocabulary=7, **options), seeds=(1, 2)).double().eval()
    x = torch.stack([inputs(population.like, 2, 13, seed) for seed in range(2)])
    segments = torch.stack([numbered(ROWS[:2]), numbered(ROWS[1:])])
    found = population(x, segments)
    for index in range(2):
        assert (population.member(index)(x[index], segments[index]) - found[index]).abs().max() < 1e-11
    assert takes_segments(population.like)


def test_bad_segments_are_named():
    model = build("published")
    x, segments = inputs(model, 1, 13), numbered(ROWS[1:2])
    with pytest.raises(InputError, match=r"segments: expected whole numbers \(1, 13\) on the device of the inputs"):
        model(x, segments[:, 1:])
    with pytest.raises(InputError, match="segments: expected whole numbers"):
        model(x, segments.double())
    with pytest.raises(InputError, match="segments: expected whole numbers"):
        model(x, [[0] * 13])
    with pytest.raises(InputError, match="segments: expected none with a state"):
        model.hidden_states(x, model.initial_state(1), segments)


def test_models_tell_whether_they_take_segments():
    """The tag in the registry and the signature of the forward pass say the same."""
    for name in MODELS.names("tokens"):
        needs_library = hasattr(MODELS[name], "backbone")
        kind = LibraryModel if needs_library else type(MODELS[name](vocabulary=5, width=16).build())
        assert takes_segments(kind.__new__(kind)) == (name in MODELS.names("segments")), name
    assert not takes_segments(MoonsModel.__new__(MoonsModel))
    with pytest.raises(InputError, match=r"model: expected one that takes packed rows.*got 'LSTM'"):
        check_takes_segments(build("lstm"))


@pytest.mark.parametrize("name", ["published", "v2"])
def test_looking_at_memories_and_editing_them_refuse_packed_rows(name):
    model = build(name)
    x, segments = inputs(model, 1, 13), numbered(ROWS[1:2])
    memory = "" if name == "published" else "short"
    with edited(model, [Remove(0, 1, 2, memory=memory)]):
        assert model(x).isfinite().all()
        with pytest.raises(InputError, match="segments: expected none, for a model whose memories are traced or edit"):
            model(x, segments)
    assert len(caught(memories(model)[0], partial(model, x))) == len(memories(model)[0])
    with pytest.raises(InputError, match="segments: expected none"):
        caught(memories(model)[0], partial(model, x, segments))
    assert head_weights(model, x)[0].weights.shape == (1, 2, 13, 13)


def test_a_longer_row_than_the_model_s_context_is_refused():
    model = MemoryMosaicConfig(vocabulary=7, width=8, n_heads=2, context=12).build()
    with pytest.raises(InputError, match="a context of at most 12 steps"):
        model(torch.zeros(1, 13, dtype=torch.int64), numbered(ROWS[:1]))
