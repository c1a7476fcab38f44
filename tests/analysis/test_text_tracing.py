"""Generated text and the pairs that made it, on a small mosaic; the commands around it."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from analysis.cli import run
from analysis.cli.generate_text_command import pairs_table, shown
from analysis.text_tracing import BEGINNINGS, COLUMNS, RIVALS, beginnings, explain, key_words, pairs_of, write
from mosaics.catalogue import MODELS
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.mosaic_v2 import MemoryMosaicV2Config
from mosaics.origins import origins
from mosaics.tasks.language import quick_recipe
from mosaics.text import PrepareConfig, prepare_text
from mosaics.text.tokenizer import Characters
from mosaics.trace import trace
from toyworlds.core.validate import InputError

TEXT = "\n<|endoftext|>\n".join(["Tom had a red ball.", "Anna had a blue ball.", "Tom and Anna had fun."] * 8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generate")
    (folder / "train.txt").write_text(TEXT)
    data = prepare_text(
        PrepareConfig(str(folder / "train.txt"), str(folder / "train.txt"), vocabulary=300), folder / "d"
    )
    model, _ = quick_recipe("mosaic", data.path, steps=60).train(0, folder / "run", progress=False)
    return model, data, folder


def test_a_text_is_continued_up_to_its_end(trained):
    model, data, _ = trained
    text = write(model, data.tokenizer, "Tom had", 30, temperature=0.0)
    assert text.continuation(data.tokenizer) == " a red ball.<|endoftext|>"
    assert text.tokens[0] == text.tokens[-1] == data.end
    words = [data.tokenizer.decode(text.tokens[first:last]) for first, last in text.words()]
    assert words == [" a", " red", " ball.", "<|endoftext|>"]
    first, second = (write(model, data.tokenizer, "", 9, temperature=2.0, seed=3) for _ in range(2))
    assert first == second
    assert first != write(model, data.tokenizer, "", 9, temperature=2.0, seed=4)


def test_a_word_that_the_prompt_began_counts_from_the_continuation_on():
    tokenizer = Characters()

    from analysis.text_tracing import Written
    from mosaics.text.tokenizer import words

    tokens = (tokenizer.end, *b"To be")
    text = Written(tokens, 2, tuple(words(tokenizer, tokens)))
    assert text.words() == [(2, 3), (3, 6)]


def test_pairs_are_those_of_the_trace(trained):
    model, data, _ = trained
    text = write(model, data.tokenizer, "Anna had", 5, temperature=0.0)
    read, token = text.tokens[:-2], text.tokens[-2]
    peek, pairs = pairs_of(model, read, token)
    assert peek == 1
    logits = trace(model, list(read)).predicted
    rivals = sorted({token, *np.argsort(-logits)[:RIVALS].tolist()})
    found = trace(model, list(read), outputs=rivals)
    kept = (found.parts["kind"] == "pair").to_numpy()
    expected = found.contributions[kept][:, rivals.index(token)] - found.contributions[kept].mean(1)
    assert pairs["contribution"].to_numpy() == pytest.approx(expected)
    assert pairs["index"].max() == len(read) - 2


def test_explanations_name_the_levels_of_the_second_version(trained, tmp_path, capsys):
    _, data, folder = trained
    recipe = quick_recipe("mosaic", data.path, steps=2)
    second = MemoryMosaicV2Config(vocabulary=recipe.model.vocabulary, n_heads=2, width=16, window=4, delay=3)
    model, _ = recipe._replace(model=second).train(0, folder / "second", progress=False)
    text = write(model, data.tokenizer, "Tom had a red", 2, temperature=0.0)
    table = explain(model, data.tokenizer, text, top=1000)
    assert set(table["memory"]) == {"short", "long"}
    assert (table["where"] == [f"blocks.{line.layer}.contextual.{line.memory}" for line in table.itertuples()]).all()
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(pairs_table(table))
    said = console.export_text()
    assert " 1.short.0 " in said
    assert " 1.long.0 " in said
    words = ["generate-text", str(folder / "second"), "--prompt", "Tom had a red", "--tokens", "1", "--trace"]
    assert run([*words, "--weights", "last", "--top", "1000", "--table", str(tmp_path / "pairs.csv")]) == 0
    assert set(pd.read_csv(tmp_path / "pairs.csv")["memory"]) == {"short", "long"}
    assert ".long." in capsys.readouterr().out


def test_explanations_name_words(trained):
    model, data, _ = trained
    text = write(model, data.tokenizer, "Tom and Anna had fun. Tom had", 4, temperature=0.0)
    table = explain(model, data.tokenizer, text, top=2)
    assert list(dict.fromkeys(table["text"])) == [data.tokenizer.decode(text.tokens[a:b]) for a, b in text.words()]
    assert (table.groupby(["word", "token"], sort=False).size() % 2 == 0).all()
    assert (table["share"] <= 1.0).all()
    for line in table.itertuples():
        assert line.value == data.tokenizer.decode([text.tokens[line.step + 1]])
        assert data.tokenizer.decode(text.tokens[: line.step + 1]).endswith(line.key)
    assert key_words(data.tokenizer, text, 0) == "<|endoftext|>"


@pytest.mark.parametrize("peek", [0, 2])
def test_explanations_name_the_token_that_a_value_peeks_at(trained, peek):
    _, data, _ = trained
    config = MemoryMosaicConfig(vocabulary=data.tokenizer.vocabulary, n_layers=1, n_heads=1, width=8, peek=peek)
    text = write(config.build(0), data.tokenizer, "Tom and Anna had fun. Tom had", 2, temperature=0.0)
    table = explain(config.build(0), data.tokenizer, text, top=1000)
    expected = [data.tokenizer.decode([text.tokens[step + 2]]) if peek else "" for step in table["step"]]
    assert table["value"].tolist() == expected
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(pairs_table(table))
    assert ("->" in console.export_text()) == (peek > 0)


def test_beginnings_are_the_origins_by_word(trained):
    model, data, _ = trained
    text = write(model, data.tokenizer, "Tom and Anna had fun. Tom had", 4, temperature=0.0)
    table = beginnings(model, data.tokenizer, text, top=100)
    assert tuple(table) == BEGINNINGS
    read, token = text.tokens[:-1], text.tokens[-1]
    likeliest = np.argsort(-trace(model, read).predicted)[:RIVALS].tolist()
    found = origins(model, read, token, against="mean", among=sorted({token, *likeliest}))
    lines = table.tail(sum(start < len(read) for start, _ in text.spans)).set_index("from")
    for number, (start, end) in enumerate(text.spans):
        if start < len(read):
            assert lines.loc[number, "contribution"] == pytest.approx(found.contributions[start:end].sum())
            assert lines.loc[number, "from_text"] == data.tokenizer.decode(text.tokens[start:end])
    assert lines["contribution"].is_monotonic_decreasing
    raised = lines["contribution"].clip(lower=0.0)
    assert lines["share"].clip(lower=0.0).to_numpy() == pytest.approx((raised / raised.sum()).to_numpy())
    few = beginnings(model, data.tokenizer, text, top=2)
    assert len(few) == 2 * (len(text.tokens) - text.prompt)


def test_text_beyond_the_context_is_refused():
    model = MODELS["transformer"](vocabulary=257, n_layers=1, n_heads=2, width=8, context=10).build(0)
    with pytest.raises(InputError, match="tokens: expected a prompt and new tokens of at most 10 tokens together"):
        write(model, Characters(), "abcde", 6)
    assert len(write(model, Characters(), "abcde", 5).tokens) <= 11


def test_attention_is_explained_by_the_tokens_that_it_looks_at(trained, tmp_path, capsys):
    _, data, folder = trained
    model, _ = quick_recipe("transformer", data.path, steps=2).train(0, folder / "transformer", progress=False)
    text = write(model, data.tokenizer, "Tom had a red", 2, temperature=0.0)
    table = explain(model, data.tokenizer, text, top=1000)
    places = range(text.prompt, len(text.tokens))
    assert len(table) == sum(model.config.n_layers * model.config.n_heads * place for place in places)
    for line in table.itertuples():
        assert line.value == ""
        assert line.key.endswith(data.tokenizer.decode([text.tokens[line.step]]))
    words = beginnings(model, data.tokenizer, text, top=1)
    assert len(words) == 2
    asked = ["generate-text", str(folder / "transformer"), "--prompt", "Tom had a red", "--tokens", "1", "--trace"]
    assert run([*asked, "--origins", "--top", "2", "--table", str(tmp_path / "pairs.csv")]) == 0
    said = capsys.readouterr().out
    assert "->" not in said
    assert "number" in said
    assert len(pd.read_csv(tmp_path / "pairs.csv")) == 2


def test_models_without_pairs_are_refused():
    model = MODELS["lstm"](vocabulary=257, n_layers=1, width=8).build(0)
    text = write(model, Characters(), "abc", 2, temperature=0.0)
    with pytest.raises(InputError, match=r"a MemoryMosaic, .* or a Transformer; got 'LSTM'"):
        explain(model, Characters(), text)


def test_commands(trained, capsys, tmp_path):
    _, data, folder = trained
    place = str(folder / "run")
    words = ["generate-text", place, "--prompt", "Tom had", "--temperature", "0", "--tokens", "30"]
    assert run(words) == 0
    assert capsys.readouterr().out.strip() == "Tom had a red ball.<|endoftext|>"
    table = tmp_path / "pairs.csv"
    assert run([*words, "--trace", "--table", str(table)]) == 0
    said = capsys.readouterr().out
    assert "stored pair" in said
    assert " -> " in said
    assert set(pd.read_csv(table)["text"]) == {" a", " red", " ball.", "<|endoftext|>"}
    assert run([*words, "--table", str(table)]) == 2
    assert run([*words, "--origins", "--top", "1"]) == 0
    said = capsys.readouterr().out
    assert "ball." in said
    assert "followed through all layers" in said
    assert "stored pair" not in said
    assert run([*words[:3], "", "--tokens", "1", "--origins"]) == 0
    assert "<|endoftext|>" in capsys.readouterr().out
    moved = folder / "elsewhere"
    data.path.rename(moved)
    assert run(words) == 1
    assert "d/manifest.json: no such file" in capsys.readouterr().err
    assert run([*words, "--data", str(moved)]) == 0
    moved.rename(data.path)


def test_a_text_that_rests_on_no_pair(trained, capsys, tmp_path):
    model, data, folder = trained
    text = write(model, data.tokenizer, "", 1, temperature=0.0)
    assert explain(model, data.tokenizer, text).empty
    table = tmp_path / "pairs.csv"
    words = ["generate-text", str(folder / "run"), "--prompt", "", "--tokens", "1", "--trace", "--table", str(table)]
    assert run(words) == 0
    assert "no stored pair had a part in it" in capsys.readouterr().out
    assert list(pd.read_csv(table).columns) == list(COLUMNS)


def test_a_prompt_that_is_no_text_is_refused(trained, capsys):
    model, data, folder = trained
    with pytest.raises(InputError, match="prompt: expected Unicode text; its character 1 is no part of one"):
        write(model, data.tokenizer, "a\udcff", 1)
    assert run(["generate-text", str(folder / "run"), "--prompt", "Tom", "--top-k", "-1"]) == 2
    assert "top_k: expected a whole number of at least 0; got -1" in capsys.readouterr().err


def test_prompts_are_read_in_the_case_of_the_training_text(tmp_path, capsys):
    (tmp_path / "train.txt").write_text(TEXT)
    options = PrepareConfig(str(tmp_path / "train.txt"), tokenizer="characters", held_out=0.5, lowercase=True)
    data = prepare_text(options, tmp_path / "data")
    quick_recipe("mosaic", data.path, steps=1).train(0, tmp_path / "run", progress=False)
    assert run(["generate-text", str(tmp_path / "run"), "--prompt", "Tom HAD", "--tokens", "1"]) == 0
    assert capsys.readouterr().out.startswith("tom had")


def test_text_is_prepared_and_learned_from_the_command_line(tmp_path, capsys):
    file = tmp_path / "train.txt"
    file.write_text(TEXT)
    out, trained = str(tmp_path / "data"), str(tmp_path / "run")
    assert run(["prepare-text", "--out", out, "--train", str(file), "--validation", str(file)]) == 0
    said = capsys.readouterr().out
    assert "byte-pair tokenizer" in said
    assert "of 24 validation documents 24 are in the training text" in said
    assert run(["prepare-text", "--out", out, "--train", str(file)]) == 2
    options = ["--out", trained, "--data", out, "--preset", "quick", "--layers", "1", "--steps", "3"]
    assert run(["train", "language", *options, "--packing", "packed", "--model", "lstm"]) == 2
    assert "model: expected one that takes packed rows" in capsys.readouterr().err
    packed = [str(tmp_path / "packed") if word == trained else word for word in options]
    assert run(["train", "language", *packed, "--packing", "packed"]) == 0
    assert run(["train", "language", *options, "--packing", "stories"]) == 0
    assert "validation_bits_per_byte" in capsys.readouterr().out
    assert run(["generate-text", trained, "--prompt", "Tom", "--tokens", "2", "--weights", "last"]) == 0


def test_another_run_is_refused(tmp_path, capsys):
    assert run(["generate-text", str(tmp_path), "--prompt", "x"]) == 1
    assert "config.json" in capsys.readouterr().err


def test_what_cannot_be_seen_is_written_out():
    assert [shown(text) for text in (" a b ", " ", "\n", "\x00\x1b", "é")] == ["a b", "' '", "\\n", "\\x00\\x1b", "é"]
