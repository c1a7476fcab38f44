"""Transformers, the LSTM, and models of other libraries."""

from __future__ import annotations

import importlib.util
import math

import pytest
import torch
from torch.nn import functional

from mosaics.baselines.recurrent import LSTMConfig
from mosaics.baselines.transformer import RotaryTransformerConfig, TransformerConfig, turned
from mosaics.catalogue import MODELS
from toyworlds.core.validate import InputError

TOKENS = torch.randint(7, (2, 9), generator=torch.Generator().manual_seed(0))


def test_gpt2_written_down_plainly():
    model = TransformerConfig(vocabulary=7, n_heads=2, width=8, context=16).build().double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    x = model.ends.embedding.weight[TOKENS] + model.positions.weight[:9]
    for block in model.blocks:
        y = functional.layer_norm(x, (8,), block.norm.weight, block.norm.bias)
        q, k, v = (y @ block.attention.qkv.weight.T + block.attention.qkv.bias).split(8, -1)
        heads = []
        for part in (slice(0, 4), slice(4, 8)):
            scores = (q[..., part] @ k[..., part].mT / 2).masked_fill(torch.ones(9, 9).tril() == 0, -torch.inf)
            heads.append(scores.softmax(-1) @ v[..., part])
        x = x + torch.cat(heads, -1) @ block.attention.output.weight.T + block.attention.output.bias
        y = functional.layer_norm(x, (8,), block.second_norm.weight, block.second_norm.bias)
        hidden = functional.gelu(y @ block.second.hidden.weight.T + block.second.hidden.bias)
        x = x + hidden @ block.second.output.weight.T + block.second.output.bias
    expected = functional.layer_norm(x, (8,), model.norm.weight, model.norm.bias) @ model.ends.embedding.weight.T
    torch.testing.assert_close(model(TOKENS), expected)


def test_rotary_scores_depend_on_the_distance_alone():
    q, k = torch.randn(2, 1, 1, 1, 6, dtype=torch.float64)
    near = turned(q, 3) @ turned(k, 1).mT
    torch.testing.assert_close(turned(q, 103) @ turned(k, 101).mT, near)
    torch.testing.assert_close(turned(q, 0), q)
    torch.testing.assert_close(turned(q, 7).norm(), q.norm())
    one = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert turned(one.expand(1, 1, 3, 2), 0)[0, 0, 2].tolist() == pytest.approx([math.cos(2), math.sin(2)])


def test_rotary_contexts_have_no_limit():
    model = RotaryTransformerConfig(vocabulary=7, n_heads=2, width=8).build().eval()
    assert model(TOKENS.repeat(1, 300)).isfinite().all()


def test_the_lstm_written_down_plainly():
    model = LSTMConfig(vocabulary=7, width=5, n_layers=1).build().double()
    layer = model.layers
    assert (layer.bias_ih_l0 + layer.bias_hh_l0).view(4, 5).tolist() == [[0] * 5, [1] * 5, [0] * 5, [0] * 5]
    h = c = torch.zeros(2, 5, dtype=torch.float64)
    for step in range(9):
        x = model.ends.embedding.weight[TOKENS[:, step]]
        gates = x @ layer.weight_ih_l0.T + h @ layer.weight_hh_l0.T + layer.bias_ih_l0 + layer.bias_hh_l0
        i, f, g, o = gates.chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
    torch.testing.assert_close(model(TOKENS)[:, -1], h @ model.ends.embedding.weight.T)


LIBRARY = ["mamba2", "rwkv"]
GPU = ["linear_attention", "retnet", "gla", "deltanet", "gated_deltanet", "hgrn2"]


@pytest.mark.parametrize("name", [*LIBRARY, *GPU])
def test_what_a_model_needs_is_said(name):
    config = MODELS[name](vocabulary=7)
    assert config.needs in ("transformers", "flash-linear-attention and a GPU")
    package = "transformers" if name in LIBRARY else "fla"
    if importlib.util.find_spec(package) is None:
        with pytest.raises(InputError, match=r"pip install 'mosaicbench\[baselines\]'"):
            config.build()


@pytest.fixture
def library():
    return pytest.importorskip("transformers")


@pytest.mark.usefixtures("library")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("ends", [{"vocabulary": 7}, {"channels": 3}])
def test_library_models_keep_the_contract(name, ends):
    heads = {"n_heads": 2, "chunk_size": 4} if name == "mamba2" else {}
    model = MODELS[name](width=8, n_layers=2, **heads, **ends).build().eval()
    x = TOKENS if "vocabulary" in ends else torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(0))
    full = model(x)
    changed = x.clone()
    changed[:, 5:] = (x[:, 5:] + 1) % 7 if "vocabulary" in ends else x[:, 5:] + 1
    torch.testing.assert_close(model(changed)[:, :5], full[:, :5])
    assert not torch.allclose(model(changed)[:, 5:], full[:, 5:])
    with torch.no_grad():
        for start in (0, 4):
            outputs, state = model.prefill(x[:, :start]) if start else (None, model.initial_state(2))
            for position in range(start, 9):
                output, state = model.step(x[:, position], state)
                torch.testing.assert_close(output, full[:, position], rtol=1e-3, atol=2e-5)
            assert outputs is None or torch.allclose(outputs, full[:, :start], atol=1e-5)
    again = MODELS[name](width=8, n_layers=2, **heads, **ends).build().eval()
    assert torch.equal(again(x), full)
    full.square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert model.flops_per_token(1) > model.num_parameters()


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS.summary(name)])
def test_every_model_has_a_first_line(name):
    assert MODELS.summary(name).endswith(".")
