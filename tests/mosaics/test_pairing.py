"""The estimated pairing: it finds what a quarter turn is under any mixing, and the model keeps its equations."""

import numpy as np
import pytest
import torch

from mosaics.moons_model import MoonsModelConfig
from mosaics.pairing import estimate_basis
from toyworlds import ThreeMoons
from toyworlds.core.validate import InputError


@pytest.mark.parametrize("mixing", ["none", "orthogonal", "general"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_moons_quarter_turn_becomes_that_of_every_pair(mixing, seed):
    world = ThreeMoons(length=400, mixing=mixing)
    basis = estimate_basis(world.generate(seed, "train", 0, 64)["observation"])
    turn = np.kron(np.eye(3), [[0.0, -1.0], [1.0, 0.0]])
    moons = basis @ world.mixing_matrix(seed)
    # x = (sin a, cos a) turns the other way round from (cos a, sin a); the pairing may find either sense
    found = moons @ turn @ np.linalg.inv(moons)
    assert min(np.abs(found - turn).max(), np.abs(found + turn).max()) < 0.05


def test_a_hand_worked_plane():
    angle = 2 * np.pi * np.arange(101) / 100
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)[None]
    assert np.allclose(estimate_basis(circle), np.eye(2), atol=1e-12)
    assert np.allclose(estimate_basis(circle[:, ::-1]), [[1, 0], [0, -1]], atol=1e-12)


@pytest.mark.parametrize(
    "observation",
    [np.zeros((2, 10, 2)), np.ones((1, 10, 3)), np.random.default_rng(0).normal(size=(1, 1, 2)), np.ones((4, 6))],
)
def test_what_neither_varies_nor_turns_is_refused(observation):
    with pytest.raises(InputError, match="observation"):
        estimate_basis(observation)


def test_the_model_s_maps_include_the_basis():
    world = ThreeMoons(length=50, mixing="general")
    x = torch.from_numpy(world.generate(3, "train", 0, 8)["observation"]).double()
    model = MoonsModelConfig(pairing="estimated").build(0).double()
    given = MoonsModelConfig(pairing="given").build(0).double()
    assert torch.allclose(model(x), given(x)), "before it is prepared, the basis is the identity"
    model.prepare(x)
    inner = x @ model.basis.mT
    assert torch.allclose(model(x) @ model.basis.mT, given(inner), atol=1e-9)
    assert torch.allclose(model.maps()["key"], given.maps()["key"] @ model.basis)
    assert "basis" in model.state_dict()


def test_each_member_of_a_population_has_its_own_basis():
    world = ThreeMoons(length=50, mixing="orthogonal")
    x = torch.stack([torch.from_numpy(world.generate(s, "train", 0, 4)["observation"]) for s in (0, 1)])
    both = MoonsModelConfig(pairing="estimated").build((0, 1))
    both.prepare(x)
    for member, seed in enumerate((0, 1)):
        lone = MoonsModelConfig(pairing="estimated").build(seed)
        lone.prepare(x[member])
        assert torch.allclose(both.basis[member], lone.basis, atol=1e-6)
