"""The moons model: answers by hand, strict causality, incremental equals recomputed, unseen pairs, populations."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from mosaics import complex_linear
from mosaics.memory import retrieve
from mosaics.moons_model import MoonsModelConfig
from toyworlds.core.validate import InputError

OPTIONS = [
    MoonsModelConfig(
        n_heads=2,
        head_width=2,
        channels=4,
        linear=linear,
        score=score,
        beta=2.0,
        normalise_keys=normalised,
        normalise_values=normalised,
        learn_beta=learned,
        peek=peek,
        tied=tied,
    )
    for linear, score, normalised, learned, peek, tied in product(
        ("complex", "plain"), ("dot", "gaussian"), (False, True), (False, True), (0, 1), (False, True)
    )
]


def name_of(c: MoonsModelConfig) -> str:
    return f"{c.linear}-{c.score}-norm{c.normalise_keys:d}-learn{c.learn_beta:d}-peek{c.peek}-tied{c.tied:d}"


every_option = pytest.mark.parametrize("config", OPTIONS, ids=name_of)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def identity_model(peek: int = 1, score: str = "dot"):
    """One head whose maps are identities, with weights of 3 to 1 for equal against orthogonal unit vectors."""
    beta = np.log(3.0) / (1 if score == "dot" else 2)
    shape = {"channels": 2, "n_heads": 1, "head_width": 2, "linear": "plain"}
    model = MoonsModelConfig(**shape, score=score, beta=beta, peek=peek).build(0).double()
    with torch.no_grad():
        for name in ("key_map", "value_map", "output_map"):
            getattr(model, name).copy_(torch.eye(2))
    return model


@pytest.mark.parametrize("score", ["dot", "gaussian"])
def test_by_hand(score):
    x = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)
    expected = [[0.0, 0.0], [0.0, 1.0], [0.25, 0.75], [0.6, 0.4]]  # the last: 1, 3, 1 parts of x_1, x_2, x_3
    torch.testing.assert_close(identity_model(score=score)(x)[0], torch.tensor(expected, dtype=torch.float64))
    without_peek = [[0.0, 0.0], [1.0, 0.0], [0.75, 0.25], [0.4, 0.6]]
    torch.testing.assert_close(identity_model(0, score)(x)[0], torch.tensor(without_peek, dtype=torch.float64))


@every_option
def test_output_does_not_depend_on_the_future(config):
    model, x = config.build(3).double(), noise(2, 7, 4).requires_grad_()
    y = model(x)
    for step in range(7):
        changed = x.detach().clone()
        changed[:, step + 1 :] += 1.0
        torch.testing.assert_close(model(changed)[:, : step + 1], y[:, : step + 1], rtol=0, atol=0)
        (gradient,) = torch.autograd.grad(y[:, step].square().sum(), x, retain_graph=True)
        assert gradient[:, step + 1 :].abs().max() == 0 if step < 6 else True
        assert step < 2 or gradient[:, : step + 1].abs().amax((0, 2)).min() > 0
    assert y[:, 0].abs().max() == 0


@every_option
def test_steps_equal_the_whole_sequence(config):
    x, some = noise(3, 8, 4), torch.rand(3, 8, generator=torch.Generator().manual_seed(2)) > 0.3
    for model in (config.build(3).double(), config.build((3, 4)).double()):
        lead = () if model.members is None else (2,)
        for seen in (None, some):
            expected, state = model(x, seen), model.initial_state(3)
            for step in range(8):
                mask = None if seen is None else seen[:, step].expand(*lead, 3)
                got, state = model.step(x[:, step].expand(*lead, 3, 4), state, mask)
                torch.testing.assert_close(got, expected[..., step, :], rtol=1e-11, atol=1e-12)
            got, _ = model.read(x.expand(*lead, 3, 8, 4), None if seen is None else seen.expand(*lead, 3, 8))
            torch.testing.assert_close(got, expected[..., -1, :], rtol=1e-11, atol=1e-12)


@every_option
def test_free_run_equals_recomputing(config):
    model, x = config.build(3).double(), noise(2, 5, 4)
    longer = x
    for _ in range(4):
        longer = torch.cat([longer, model(longer)[:, -1:]], dim=1)
    torch.testing.assert_close(model.free_run(x, 4), longer[:, 5:], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("peek", [0, 1])
def test_frozen_free_run_uses_the_pairs_of_the_context_alone(peek):
    model = identity_model(peek)
    x = noise(2, 5, 2)
    keys, values = (x[:, :-1], x[:, 1:]) if peek else (x, x)
    first = model(x)[:, -1]
    expected = [first]
    for _ in range(3):
        weights = (model.config.beta * torch.einsum("btc,bc->bt", keys, expected[-1])).softmax(-1)
        expected.append(torch.einsum("bt,btc->bc", weights, values))
    torch.testing.assert_close(model.free_run(x, 4, frozen=True), torch.stack(expected, dim=1))


@every_option
def test_unseen_pairs_are_not_stored(config):
    model, x = config.build(5).double(), noise(1, 9, 4)
    seen = torch.tensor([[True, True, False, True, True, False, False, True, True]])
    blank = x.clone()
    blank[~seen] = torch.nan
    key, value = model._heads("key", x), model._heads("value", x)
    stored = [0, 3, 7] if config.peek else [0, 1, 3, 4, 7]
    value = value.roll(-1, dims=-2) if config.peek else value
    keys = torch.cat([key[..., stored, :], key[..., 8:, :]], dim=-2)
    values = torch.cat([value[..., stored, :], value[..., 8:, :]], dim=-2)
    found = retrieve(keys, values, beta=model.beta(), score=config.score)[..., -1:, :]
    expected = model.output(found)[0, 0]
    got = model(blank, seen)
    torch.testing.assert_close(got[0, -1], expected)
    assert got.isfinite().all()
    gradients = torch.autograd.grad(got.square().sum(), list(model.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)
    torch.testing.assert_close(model(x, torch.ones_like(seen)), model(x))


def test_nothing_seen_is_an_empty_memory():
    for score in ("dot", "gaussian"):
        model = MoonsModelConfig(score=score).build(0)
        assert model(torch.full((1, 4, 6), torch.nan), torch.zeros(1, 4, dtype=torch.bool)).abs().max() == 0


@every_option
def test_population_gives_what_its_members_give(config):
    population = config.build((3, 9)).double()
    x = noise(2, 2, 6, 4)
    together, shared = population(x), population(x[0])
    for index, seed in enumerate((3, 9)):
        lone = config.build(seed).double()
        torch.testing.assert_close(together[index], lone(x[index]), rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(shared[index], lone(x[0]), rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(population.maps()["output"][index], lone.maps()["output"])
    assert population.num_parameters() == lone.num_parameters()


def test_retrieval_weights_are_those_of_the_prediction():
    model, x = MoonsModelConfig().build(0).double(), noise(2, 6, 6)
    keys, values = model.pairs(x)
    torch.testing.assert_close(keys.transpose(1, 2).flatten(-2), x @ model.maps()["key"].T)
    torch.testing.assert_close(values[..., :-1, :].transpose(1, 2).flatten(-2), x[:, 1:] @ model.maps()["value"].T)
    weights = model.weights(x)
    torch.testing.assert_close(weights @ values, model.retrieved(x))
    assert weights.triu().abs().max() == 0


def test_complex_maps_are_scaled_rotations():
    plain = noise(4, 6)
    matrix = complex_linear.matrix(complex_linear.project(plain))
    blocks = matrix.reshape(2, 2, 3, 2)
    torch.testing.assert_close(blocks[:, 0, :, 0], blocks[:, 1, :, 1])
    torch.testing.assert_close(blocks[:, 1, :, 0], -blocks[:, 0, :, 1])
    torch.testing.assert_close(complex_linear.matrix(complex_linear.project(matrix)), matrix)
    assert ((plain - matrix) * matrix).sum().abs() < 1e-12  # the rest is orthogonal: the nearest such matrix
    by_hand = complex_linear.project(torch.tensor([[1.0, 2.0], [6.0, 5.0]]))
    assert by_hand.flatten().tolist() == [3.0, 2.0]


def test_training_equals_that_of_a_plain_matrix_projected_in_the_forward_pass():
    plain, x, target = noise(4, 6), noise(50, 6), noise(60, 4)[10:]
    ours, theirs = complex_linear.project(plain).requires_grad_(), plain.clone().requires_grad_()
    optimisers = [torch.optim.AdamW([ours], 1e-2, eps=2e-8), torch.optim.AdamW([theirs], 1e-2, eps=1e-8)]
    with torch.no_grad():
        theirs.copy_(complex_linear.matrix(ours))
    for _ in range(30):
        for optimiser, map_of in zip(
            optimisers,
            (lambda: complex_linear.matrix(ours), lambda: complex_linear.matrix(complex_linear.project(theirs))),
            strict=True,
        ):
            optimiser.zero_grad()
            (x @ map_of().T - target).square().mean().backward()
            optimiser.step()
    torch.testing.assert_close(complex_linear.matrix(ours), theirs, rtol=1e-11, atol=1e-12)


def test_start_is_uniform_projected_and_of_the_seed_alone():
    maps = MoonsModelConfig(channels=60, n_heads=10, linear="plain").build(7).maps()
    for role, fan_in in (("key", 60), ("value", 60), ("output", 20)):
        scaled = (maps[role] * fan_in**0.5).detach().flatten().numpy()
        assert abs(scaled).max() <= 1.0
        assert abs(scaled.mean()) < 0.1
        assert abs(scaled.var() - 1 / 3) < 0.03
    projected = MoonsModelConfig(channels=60, n_heads=10).build(7).maps()
    for role, plain in maps.items():
        torch.testing.assert_close(projected[role], complex_linear.matrix(complex_linear.project(plain)))
    before = torch.random.get_rng_state()
    torch.testing.assert_close(MoonsModelConfig().build(7).maps(), MoonsModelConfig().build(7).maps(), rtol=0, atol=0)
    assert torch.equal(before, torch.random.get_rng_state())
    assert not torch.equal(MoonsModelConfig().build(8).key_map, MoonsModelConfig().build(7).key_map)


def test_moons_are_exchangeable():
    """Exchanging pairs of coordinates, and the maps' columns and rows alike, exchanges the predictions."""
    order = [4, 5, 0, 1, 2, 3]
    model, other, x = (*(MoonsModelConfig().build(1).double() for _ in range(2)), noise(2, 9, 6))
    with torch.no_grad():
        for name in ("key_map", "value_map"):
            getattr(other, name).copy_(getattr(model, name)[:, [2, 0, 1]])
        other.output_map.copy_(model.output_map[[2, 0, 1]])
    torch.testing.assert_close(other(x[..., order]), model(x)[..., order])


def test_counts():
    assert MoonsModelConfig().build().num_parameters() == 3 * 18
    assert MoonsModelConfig(linear="plain", learn_beta=True).build((1, 2)).num_parameters() == 3 * 36 + 3
    assert MoonsModelConfig(n_heads=1, head_width=6, tied=True).build().num_parameters() == 2 * 18
    assert MoonsModelConfig().build().flops_per_token(10) == 2 * 3 * 36 + 4 * 6 * 10


def test_learned_beta_starts_at_beta_and_gets_a_gradient():
    x = noise(1, 9, 6)
    fixed, learned = MoonsModelConfig(beta=3.0).build(1).double(), MoonsModelConfig(beta=3.0, learn_beta=True).build(1)
    learned.double()
    torch.testing.assert_close(learned(x), fixed(x), rtol=1e-6, atol=1e-7)
    learned(x).square().sum().backward()
    assert learned.log_beta.grad.abs().min() > 0


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"channels": 5}, "channels"),
        ({"head_width": 3}, "head_width"),
        ({"beta": 0.0}, "beta"),
        ({"n_heads": 0}, "n_heads"),
        ({"score": "gausian"}, "did you mean 'gaussian'"),
        ({"linear": "complx"}, "did you mean 'complex'"),
        ({"peek": 2}, "peek"),
    ],
)
def test_bad_options(options, word):
    with pytest.raises(InputError, match=word):
        MoonsModelConfig(**options)
    with pytest.raises(InputError, match="seed"):
        MoonsModelConfig().build(())


def test_seeds_are_whole_numbers_of_any_kind():
    config = MoonsModelConfig()
    lone, population = config.build(np.int64(3)), config.build(np.array([3, 4]))
    assert (type(lone.seed), lone.seed, lone.members) == (int, 3, None)
    assert population.seed == (3, 4)
    assert {type(seed) for seed in population.seed} == {int}
    for name, values in config.build(3).state_dict().items():
        assert torch.equal(lone.state_dict()[name], values)
        assert torch.equal(population.state_dict()[name][0], values)
    for wrong in (1.5, (1, 1.5), -1, "ab", None):
        with pytest.raises(InputError, match=r"^seed: expected a whole number of at least 0; got"):
            config.build(wrong)
