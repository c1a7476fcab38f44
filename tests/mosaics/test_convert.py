"""The five reference files hold what the public code computes in float64; ours computes the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mosaics import convert
from mosaics.mosaic import MemoryMosaic, MemoryMosaicConfig
from toyworlds.core.validate import DataError, InputError

DATA = Path(__file__).parents[1] / "data"
FILES = ["mosaic_reference_a", "mosaic_reference_b", "mosaic_reference_c", "mosaic_reference_d", "nano_reference_a"]
FLOAT32 = {"mosaic_reference_d": 2e-3}
"""Relative error of float32 gradients: the keys of file d have norm e^5, so scores reach 22026 and round to 1e-3."""


def reference(name):
    with safe_open(DATA / f"{name}.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, json.loads(file.metadata()["config"])  # noqa: SIM118


def part(tensors, prefix):
    return {name.removeprefix(prefix): item for name, item in tensors.items() if name.startswith(prefix)}


def loss_of(model, tensors):
    logits = model(tensors["input_ids"])
    return logits, torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), tensors["targets"].flatten(), ignore_index=-1
    )


@pytest.mark.parametrize("name", FILES)
def test_logits_hidden_states_loss_and_every_gradient_equal_the_reference(name):
    tensors, config = reference(name)
    model = convert.from_public(part(tensors, "param."), config).eval()
    logits, loss = loss_of(model, tensors)
    loss.backward()
    assert (logits - tensors["logits"]).abs().max() < 1e-9
    assert (loss - tensors["loss"]).abs() < 1e-9
    hidden = part(tensors, "hidden.")
    states = model.hidden_states(tensors["input_ids"])[1:]
    for index, expected in hidden.items():
        assert (states[int(index)] - expected).abs().max() < 1e-9
    assert len(hidden) == (0 if name.startswith("nano") else len(states))
    gradients, seen = part(tensors, "grad."), 0
    ours = dict(model.named_parameters())
    for entry in convert.table(model.config, "nano" if name.startswith("nano") else "library"):
        gradient = ours[entry.ours].grad if entry.bank is None else ours[entry.ours].grad[entry.bank]
        assert (gradient.reshape(entry.shape) - gradients[entry.public]).abs().max() < 1e-9, entry.public
        seen += 1
    assert seen == len(gradients)


@pytest.mark.parametrize("name", FILES)
def test_float32_is_close_to_the_reference(name):
    tensors, config = reference(name)
    model = convert.from_public(part(tensors, "param."), config).float().eval()
    logits, loss = loss_of(model, tensors)
    loss.backward()
    assert (logits - tensors["logits"]).abs().max() < 2e-5 * tensors["logits"].abs().max()
    gradients, ours = part(tensors, "grad."), dict(model.named_parameters())
    for entry in convert.table(model.config, "nano" if name.startswith("nano") else "library"):
        gradient = ours[entry.ours].grad if entry.bank is None else ours[entry.ours].grad[entry.bank]
        expected = gradients[entry.public]
        error = (gradient.reshape(entry.shape) - expected).abs().max()
        assert error < FLOAT32.get(name, 1e-4) * expected.abs().max() + 1e-7, entry.public


@pytest.mark.parametrize("name", FILES)
def test_reading_and_writing_back_loses_nothing(name):
    tensors, config = reference(name)
    variant = config.get("variant", "library")
    weights, written = convert.to_public(convert.from_public(part(tensors, "param."), config), variant)
    for key, tensor in part(tensors, "param.").items():
        assert weights[key].dtype == tensor.dtype
        assert torch.equal(weights[key], tensor), key
    known = {key: value for key, value in config.items() if key != "ignore_index"}
    assert {key: written[key] for key in known} == known


OURS = [
    ("library", {"persistent_banks": 2, "pre_norm": False, "peek": 2, "key_kernel": 3, "bias": True}),
    ("library", {"value_kernel": 2, "second": "none", "tied_embedding": False}),
    ("eft", {"persistent_dropout": 0.05, "output_dropout": 0.1}),
    ("nano", {"variant": "nano", "bias": True, "persistent_banks": 2}),
]


def small(**options):
    return MemoryMosaicConfig(vocabulary=11, n_heads=2, width=8, persistent_size=5, context=12, **options)


@pytest.mark.parametrize(("variant", "options"), OURS)
def test_ours_survives_the_public_form(variant, options):
    model = small(**options).build(seed=3)
    tensors, config = convert.to_public(model, variant)
    again = convert.from_public({f"_orig_mod.{name}": tensor for name, tensor in tensors.items()}, config)
    assert again.config == model.config
    for (name, ours), other in zip(model.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, other), name


def test_the_public_names_of_each_variant():
    eft = convert.to_public(small().build(), "eft")[0]
    assert torch.equal(
        eft["blocks.1.pmem.leaky_average.leaky_beta_u_under"], eft["blocks.1.pmem.leaky_average.leaky_beta_w_under"]
    )
    assert eft["emb.weight"].shape == eft["head.weight"].shape == (11, 8)
    nano = convert.to_public(small(variant="nano").build(), "nano")[0]
    assert nano["mosaic.h.0.attn.bias"][0, 0, :3, :3].tolist() == [
        [False] * 3,
        [True, False, False],
        [True, True, False],
    ]
    assert nano["mosaic.h.0.mlp.k_featurizer.leaky_avg.coef"][:3, :3].tolist() == [[0, 0, 0], [-1, 0, 0], [-2, -1, 0]]


def test_files_of_both_kinds_are_read(tmp_path):
    model = small().build(seed=1)
    tensors, config = convert.to_public(model, "library")
    save_file(tensors, tmp_path / "a.safetensors", {"config": json.dumps(config)})
    torch.save({"model": tensors, "model_args": config | {"learning_rate": 5e-3}}, tmp_path / "a.pt")
    torch.save(tensors, tmp_path / "bare.pt")
    for path, given in (("a.safetensors", None), ("a.pt", None), ("bare.pt", config)):
        again = convert.read(tmp_path / path, config=given)
        assert isinstance(again, MemoryMosaic)
        assert torch.equal(again.blocks[1].second.keys, model.blocks[1].second.keys)
    with pytest.raises(InputError, match=r"the model's config, since bare\.pt holds none"):
        convert.read(tmp_path / "bare.pt")


def test_damage_is_named(tmp_path):
    tensors, config = convert.to_public(small().build(), "library")
    without = {name: tensor for name, tensor in tensors.items() if name != "blocks.1.attn.kernel_beta"}
    with pytest.raises(DataError, match=r"blocks\.1\.attn\.kernel_beta \(2,\) is missing"):
        convert.from_public(without, config)
    with pytest.raises(DataError, match=r"unknown tensor blocks.1.attn.kernel_bet for.*did you mean"):
        convert.from_public(without | {"blocks.1.attn.kernel_bet": tensors["blocks.1.attn.kernel_beta"]}, config)
    with pytest.raises(DataError, match=r"M_k0: expected shape \(1, 2, 6, 4\); got \(1, 2, 5, 4\)"):
        convert.from_public(tensors, config | {"pmem_size": 6})
    with pytest.raises(DataError, match="shared by the config but differ"):
        convert.from_public(tensors | {"head.weight": tensors["head.weight"] + 1}, config)
    (tmp_path / "broken.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00 not json")
    (tmp_path / "broken.pt").write_bytes(b"PK nothing")
    for name in ("broken.safetensors", "broken.pt", "absent.safetensors"):
        with pytest.raises(DataError, match=name.replace(".", r"\.")):
            convert.read(tmp_path / name, config=config)


@pytest.mark.parametrize(
    ("variant", "options", "field"),
    [
        ("library", {"leaky": False}, "leaky"),
        ("library", {"second": "feedforward"}, "second"),
        ("nano", {}, "variant"),
        ("nano", {"variant": "nano", "peek": 2}, "peek"),
        ("library", {"contextual_dropout": 0.1}, "contextual_dropout"),
        ("eft", {"key_kernel": 2}, "key_kernel"),
    ],
)
def test_what_the_public_code_has_no_words_for(variant, options, field):
    with pytest.raises(InputError, match=rf"config\.{field}: expected"):
        convert.to_public(small(**options).build(), variant)


def test_public_options_that_are_not_supported():
    with pytest.raises(InputError, match=r"config\.v_leaky: expected False; got True"):
        convert.config_from_public({"vocab_size": 10, "v_leaky": True}, "library")
