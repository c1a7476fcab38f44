"""Everything on a device that is not the CPU: inputs are brought to the model, results come back.

The device is pretended (`tests.helpers.second_device`), so this says nothing of CUDA's kernels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from analysis import regbench_units
from analysis.attention_profile import profiles
from analysis.specialisation import story_specialisation
from analysis.story_prompts import answered, fact_storage
from analysis.story_tracing import traced
from analysis.studies.language import LanguageStudy
from analysis.studies.moons_curve import MoonsCurveStudy
from analysis.studies.three_moons import ThreeMoonsStudy
from analysis.text_tracing import explain, write
from analysis.tracing import measure
from mosaics.edit import Remove, change, stored
from mosaics.generate import generate
from mosaics.moons_model import MoonsModelConfig
from mosaics.stores.capacity import CapacityConfig
from mosaics.tasks.language import language_task
from mosaics.tasks.moons import MoonsTaskConfig
from mosaics.tasks.regbench import RegBenchTaskConfig
from mosaics.tasks.story_answers import StoryAnswersConfig
from mosaics.text import PrepareConfig, prepare_text
from mosaics.text.tokenizer import Characters
from mosaics.training import TrainConfig, train
from mosaics.training.population import train_population
from mosaics.weights import load_weights, save_model
from regbench.problems import load
from regbench.suites import RegBenchLaptop
from tests.helpers.second_device import CUDA, SecondDevice, machine_with_cuda, marked
from tests.helpers.sequence_models import CONFIGS, build
from toyworlds import Stories, ThreeMoons
from toyworlds.stories.prompts import prompts

TOKENS = torch.tensor([[1, 2, 3, 0, 6, 5, 4, 2, 1], [0, 0, 1, 5, 5, 3, 2, 6, 6]])


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with machine_with_cuda(monkeypatch):
        yield


def test_the_second_device_has_cudas_rules() -> None:
    with SecondDevice():
        here, there = torch.arange(3.0), torch.arange(3.0, device="cuda")
        assert (here.device.type, there.device, there.is_cuda, there.is_cpu) == ("cpu", CUDA, True, False)
        assert marked(there * 2 + torch.tensor(1.0))  # single numbers of the CPU may join
        assert marked(there[torch.tensor([0, 2])])  # and so may indices
        assert not marked(there.cpu())
        assert marked(here.to(there))
        assert not marked(here)
        assert torch.equal(here.copy_(there), there.cpu())
        for mixed in (lambda: here + there, lambda: torch.cat([here, there]), lambda: there.index_select(0, TOKENS[0])):
            with pytest.raises(RuntimeError, match="same device"):
                mixed()
        with pytest.raises(RuntimeError, match="same device"):
            there[:2] = here[:2]
        with pytest.raises(TypeError, match=r"Use Tensor\.cpu\(\)"):
            there.numpy()
        model = build("published").to("cuda")
        assert all(map(marked, model.parameters()))
        with pytest.raises(RuntimeError, match="same device"):
            model(TOKENS)


@pytest.mark.parametrize("name", CONFIGS)
def test_models(cuda: None, name: str) -> None:
    model = build(name)
    expected = model(TOKENS).detach()
    model.to("cuda")
    tokens = TOKENS.to("cuda")
    found = model(tokens)
    assert marked(found)
    found.square().sum().backward()
    assert torch.equal(found.detach().cpu(), expected)
    read, state = model.prefill(tokens[:, :4]) if hasattr(model, "prefill") else (None, model.initial_state(2))
    for position in range(0 if read is None else 4, TOKENS.shape[1]):
        last, state = model.step(tokens[:, position], state)
    torch.testing.assert_close(last.detach().cpu(), expected[:, -1])


@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") != "1", reason="needs Triton's interpreter")
@pytest.mark.parametrize("name", ["published", "gaussian", "peek_3", "v2", "v2_all_off"])
def test_models_choose_the_kernels_of_cuda(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pytest.importorskip("triton")
    kind, options = CONFIGS[name]
    model = kind(vocabulary=7, **options | {"width": 32}).build(0).eval()
    expected = model(TOKENS)
    expected.square().sum().backward()
    gradients = {each: parameter.grad for each, parameter in model.named_parameters()}
    model.zero_grad()
    from mosaics.memory import triton_leaky_ops, triton_retrieval

    with monkeypatch.context() as patched, machine_with_cuda(patched, triton=True):
        kernels = {"retrieve": triton_retrieval, "leaky": triton_leaky_ops}
        called = {key: Mock(wraps=getattr(module, key)) for key, module in kernels.items()}
        for key, module in kernels.items():
            patched.setattr(module, key, called[key])
        found = model.to("cuda")(TOKENS.to("cuda"))
        found.square().sum().backward()
    assert all(kernel.called for kernel in called.values())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for each, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[each], rtol=1e-3, atol=1e-4)


def tasks() -> dict[str, Callable[[Path], tuple[Any, Any]]]:
    """A model and a task of each kind, small."""
    reg = RegBenchTaskConfig(RegBenchLaptop(), train_size=4, validation_size=2, test_size=2, batch_size=2)
    answers = StoryAnswersConfig(400, 20, interviews=4, recalls=0, drills=1, batch_size=2, validation=1)

    def language(folder: Path) -> tuple[Any, Any]:
        prepare_text(PrepareConfig(stories=12, validation_stories=2, tokenizer="characters"), folder / "text")
        task = language_task(folder / "text", context=64, batch_size=3, packing="packed", training_documents=2)
        return CONFIGS["v2"][0](vocabulary=task.vocabulary, **CONFIGS["v2"][1]), task

    return {
        "moons": lambda _: (
            MoonsModelConfig(n_heads=3, head_width=2),
            MoonsTaskConfig(ThreeMoons(length=401), batch_size=2),
        ),
        "regbench": lambda _: (CONFIGS["published"][0](vocabulary=6, n_heads=2, width=8), reg),
        "story_answers": lambda _: (CONFIGS["published"][0](vocabulary=400, n_heads=2, width=8), answers),
        "language": language,
    }


@pytest.mark.parametrize("name", tasks())
def test_training_ends_as_on_the_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    model, task = tasks()[name](tmp_path)
    config = TrainConfig(steps=3, evaluate_every=2, checkpoint_every=2, clip_norm=1.0, weight_decay=0.1, threads=1)
    with monkeypatch.context() as patched, machine_with_cuda(patched):
        trained = model.build(0)
        found = train(trained, task.build(0), config, tmp_path / "run", progress=False)
        assert all(map(marked, trained.parameters()))
        read = train(model.build(0), task.build(0), config, tmp_path / "run", progress=False)
    expected = train(model.build(0), task.build(0), replace(config, device="cpu"), progress=False)
    assert read.final == found.final == pytest.approx(expected.final, rel=1e-4)


def test_a_population_ends_as_on_the_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model, task = tasks()["regbench"](tmp_path)
    config = TrainConfig(steps=2, threads=1)
    with monkeypatch.context() as patched, machine_with_cuda(patched):
        found = train_population(model, task, config, (0, 1), progress=False)
    expected = train_population(model, task, replace(config, device="cpu"), (0, 1), progress=False)
    for one, other in zip(found, expected, strict=True):
        assert one.result.final == pytest.approx(other.result.final, rel=1e-4)


STUDIES = {
    "three moons": ThreeMoonsStudy(seeds=2, one_head_seeds=1, steps=10),
    "moons curve": MoonsCurveStudy(sequences=(1,), combinations=(2,), seeds=2, steps=10),
    "language": LanguageStudy(
        stories=30, vocabulary=300, depths=(1,), models=("mosaic", "transformer"), learning_rates=(3e-3,), seeds=1,
        width=16, context=1500, batch_size=2, steps=10, evaluations=1, validation_documents=4, prompts=1,
        training_documents=2, profile_documents=2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STUDIES)
def test_jobs_of_studies(cuda: None, tmp_path: Path, name: str) -> None:
    study = STUDIES[name]
    jobs = [study.text_job(), *study.jobs()] if isinstance(study, LanguageStudy) else study.jobs()[:1]
    for job in jobs:
        assert job.compute(tmp_path, lambda *_: None)


@pytest.mark.parametrize("name", ["published", "transformer"])
def test_measures_take_models_where_they_are(cuda: None, tmp_path: Path, name: str) -> None:
    tokenizer, problems = Characters(), load(RegBenchLaptop(), "test", 0, 2, seed=0)
    kind, options = CONFIGS[name]
    options = options | ({"context": 2500} if "context" in options else {})
    tokens = (tokenizer.vocabulary, problems.vocabulary)
    model, small = (kind(vocabulary=size, **options).build(0).to("cuda").eval() for size in tokens)
    asked = [prompt for each in ("factual", "consistency") for prompt in prompts(Stories(), 0, each, 1)]
    assert len(answered(model, tokenizer, asked)) == len(asked)
    assert len(fact_storage(model, tokenizer, facts=(2,), distances=(25,), count=2, seed=0)) == 2
    assert story_specialisation(model, tokenizer, asked, n=5)[1].hurt.shape[0] >= 2
    assert profiles(model, np.zeros((2, 20), int), n=5)
    put_out = regbench_units.outputs(small, problems)
    assert regbench_units.needed(small, problems, put_out)[1].shape[2] == 4
    assert all(map(marked, generate(model, [[1, 2, 3], [4]], 3, top_k=3)))
    load_weights(model, save_model(model, tmp_path / "model"))
    if name != "transformer":
        assert len(explain(model, tokenizer, write(model, tokenizer, "Once", 3)))
        assert len(traced(model, tokenizer, [min(asked, key=lambda prompt: len(prompt.text))]))
        assert len(measure(small, problems))
        assert change(model, [1, 2, 3, 4], [Remove(0, 0, 1)]).total_variation >= 0.0
        assert len(stored(model, TOKENS[0].to("cuda"))) == 2
        assert generate(model, [[1, 2, 3]], 3, make_store=CapacityConfig(3).build)
