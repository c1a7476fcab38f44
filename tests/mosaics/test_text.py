"""Corpora, tokenizers, token streams, duplicates: hand-worked files and the errors that damaged ones give."""

import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaics.text import HeldOut, PrepareConfig, StoryCorpus, TextCorpus, load_tokenizer, open_text, prepare_text
from mosaics.text import tokenizer as tokenizers
from mosaics.text.corpus import fingerprint, form_of, normalised
from mosaics.text.duplicates import RUN, Known, runs
from mosaics.text.stream import tokens_of
from mosaics.text.tokenizer import Characters, train_byte_pair, words
from toyworlds.core.validate import DataError, InputError

DOCUMENTS = [f"Tom had {n} red balls. He gave {n} of them to Anna, and she was glad." for n in range(40)]


def written(folder, name="text.txt", documents=DOCUMENTS):
    file = folder / name
    file.write_text("\n<|endoftext|>\n".join(documents) + "\n<|endoftext|>\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    file = written(folder)
    other = written(folder, "other.txt", [DOCUMENTS[3].upper(), "Nothing like it was ever seen in the wide world."])
    return prepare_text(PrepareConfig(str(file), str(other), vocabulary=300), folder / "data")


def test_separated_files_hold_what_stands_between_the_separators(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"One day.\nThe end.\n<|endoftext|>\nTwo.<|endoftext|> Three.\n<|endoftext|>\n")
    assert list(TextCorpus(file)) == ["One day.\nThe end.", "Two.", "Three."]
    file.write_bytes(b"No separator\nat all")
    assert list(TextCorpus(file)) == ["No separator\nat all"]
    file.write_bytes(b"First.<|endoftext|>Not closed.")
    assert list(TextCorpus(file)) == ["First.", "Not closed."]


def test_json_lines_are_told_by_their_first_line(tmp_path):
    file = tmp_path / "traindataset.txt"
    stories = ['One "day".\nIt rained.', "Caf\u00e9."]
    file.write_text("\n".join(json.dumps(story) for story in stories) + "\n")
    assert form_of(file) == "json-lines"
    assert list(TextCorpus(file)) == stories
    quoted = tmp_path / "quoted.txt"
    quoted.write_text('"Hello," said Tom.\n"Bye."\n')
    assert form_of(quoted) == "separated"
    with pytest.raises(DataError, match=r"quoted.txt: expected a JSON string at byte 0"):
        list(TextCorpus(quoted, "json-lines"))


def test_a_story_that_opens_with_a_quoted_line_says_how_to_read_it(tmp_path):
    file = tmp_path / "quoted.txt"
    file.write_text('"Where is my ball?"\nasked Tom.\n')
    with pytest.raises(DataError, match=r"expected a JSON string at byte 20; .*is it plain text \(form separated\)"):
        list(TextCorpus(file))
    assert list(TextCorpus(file, "separated")) == ['"Where is my ball?"\nasked Tom.']


def test_blank_lines_and_broken_strings_among_json_lines(tmp_path):
    file = tmp_path / "lines.txt"
    file.write_text('"One."\n\n"Two."\n\n')
    with pytest.raises(DataError, match=r"lines.txt: empty document at byte 7"):
        list(TextCorpus(file))
    assert list(TextCorpus(file, empty="skip")) == ["One.", "Two."]
    file.write_text('"One."\n"half \\ud83d of it"\n')
    with pytest.raises(DataError, match=r"the string at byte 7 is not Unicode \(it holds '.ud83d' alone\)"):
        list(TextCorpus(file))


def test_a_byte_order_mark_is_no_text(tmp_path):
    file = tmp_path / "mark.txt"
    file.write_bytes(b'\xef\xbb\xbf"One."\n"Two."\n')
    assert list(TextCorpus(file)) == ["One.", "Two."]
    file.write_bytes(b"\xef\xbb\xbfOne.<|endoftext|>\xff")
    with pytest.raises(DataError, match="not UTF-8 at byte 20"):
        list(TextCorpus(file))


def test_parquet_has_a_column_text(tmp_path):
    file = tmp_path / "train.parquet"
    pq.write_table(pa.table({"id": [1, 2], "text": DOCUMENTS[:2]}), file)
    assert list(TextCorpus(file)) == DOCUMENTS[:2]
    pq.write_table(pa.table({"story": DOCUMENTS[:2]}), file)
    with pytest.raises(DataError, match="expected a column 'text'; it has story"):
        list(TextCorpus(file))
    file.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="not a whole Parquet file"):
        list(TextCorpus(file))


@pytest.mark.parametrize("column", [pa.array([1, 2]), pa.array([["a"], ["b"]]), pa.array([b"a", b"b"])])
def test_a_parquet_column_of_something_else_is_refused(tmp_path, column):
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"expected strings in the column 'text'; it holds (int64|list|binary)"):
        list(TextCorpus(tmp_path / "a.parquet"))


def test_parquet_strings_may_be_large_or_coded(tmp_path):
    for column in (pa.array(["a", "b"], pa.large_string()), pa.array(["a", "b"]).dictionary_encode()):
        pq.write_table(pa.table({"text": column}), tmp_path / "A.PARQUET")
        assert list(TextCorpus(tmp_path / "A.PARQUET")) == ["a", "b"]


def test_the_validation_text_within_the_folder_is_left_out(tmp_path):
    for name, text in (("train-0.TXT", "a"), ("train-1.txt", "b"), ("validation-0.txt", "c")):
        (tmp_path / name).write_text(text)
    config = PrepareConfig(str(tmp_path), str(tmp_path / "validation-0.txt"))
    assert {split: list(corpus) for split, corpus in config.corpora().items()} == {
        "train": ["a", "b"],
        "validation": ["c"],
    }
    same = PrepareConfig(str(tmp_path), str(tmp_path))
    assert {split: len(list(corpus)) for split, corpus in same.corpora().items()} == {"train": 3, "validation": 3}
    with pytest.raises(InputError, match=r"path: expected a text file .*left out"):
        PrepareConfig(str(tmp_path / "train-1.txt"), str(tmp_path)).corpora()


def test_files_that_cannot_be_read_twice_or_at_all_are_refused(tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a")
    (tmp_path / "texts" / "b.txt").symlink_to(tmp_path / "nowhere.txt")
    with pytest.raises(DataError, match=r"b.txt: a link to .*nowhere.txt, where there is nothing"):
        TextCorpus(tmp_path / "texts")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"path: expected a text file or a folder of texts.*more than once"):
        TextCorpus(tmp_path / "pipe")


def test_a_corpus_is_known_by_what_its_files_hold(tmp_path):
    first, second = (written(tmp_path, name) for name in ("a.txt", "b.txt"))
    found = [TextCorpus(file).described()["sha256"] for file in (first, second, tmp_path)]
    assert found[0] == found[1] != found[2]
    second.write_text("changed")
    assert TextCorpus(second).described()["sha256"] != found[1]


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    (tmp_path / "b").mkdir()
    written(tmp_path / "b", "x.txt", ["third"])
    written(tmp_path, "a.txt", ["first", "second"])
    (tmp_path / "notes.md").write_text("no text")
    assert list(TextCorpus(tmp_path)) == ["first", "second", "third"]
    with pytest.raises(InputError, match="there is nothing of this name"):
        TextCorpus(tmp_path / "c.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"a folder with .txt or .parquet files"):
        TextCorpus(tmp_path / "empty")


def test_text_that_is_not_utf8_names_file_and_byte(tmp_path):
    file = tmp_path / "latin.txt"
    file.write_bytes(b"One day.\nA caf\xe9 opened.\n")
    with pytest.raises(DataError, match=r"latin.txt: not UTF-8 at byte 14 \(0xe9"):
        list(TextCorpus(file))


def test_an_empty_document_names_file_and_byte_or_is_skipped(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"One.\n<|endoftext|>\n\n<|endoftext|>\nTwo.\n<|endoftext|>\n")
    with pytest.raises(DataError, match=r"a.txt: empty document at byte 18"):
        list(TextCorpus(file))
    assert list(TextCorpus(file, empty="skip")) == ["One.", "Two."]
    with pytest.raises(DataError, match="empty document"):
        prepare_text(PrepareConfig(str(file)), tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_the_story_world_is_a_corpus_of_any_length():
    long, short = list(StoryCorpus(5)), list(StoryCorpus(3, start=1))
    assert long[1:4] == short
    world = StoryCorpus(1).world
    assert long[2] == world.generate(0, "train", 2, 1)["text"][0]
    endless = iter(StoryCorpus())
    assert [next(endless) for _ in range(5)] == long


def test_held_out_documents_and_the_others_are_the_whole(tmp_path):
    corpus = TextCorpus(written(tmp_path, documents=[*DOCUMENTS, DOCUMENTS[7].upper()]))
    held, kept = list(HeldOut(corpus, 0.3, True)), list(HeldOut(corpus, 0.3, False))
    assert sorted(held + kept) == sorted(corpus)
    assert 0 < len(held) < len(kept)
    sides = [{normalised(document) for document in side} for side in (held, kept)]
    assert not sides[0] & sides[1]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=5))
def test_tokenizers_give_every_text_back(texts):
    for tokenizer in (Characters(), train_byte_pair(DOCUMENTS, 280)):
        rows = tokenizer.encode(texts)
        assert [tokenizer.decode(row.tolist()) for row in rows] == texts
        assert all(tokenizer.end not in row for row in rows)


def test_the_separator_within_a_text_is_only_letters():
    tokenizer = train_byte_pair(DOCUMENTS, 280)
    (row,) = tokenizer.encode(["a<|endoftext|>b"])
    assert tokenizer.end not in row
    assert tokenizer.decode([*row.tolist(), tokenizer.end]) == "a<|endoftext|>b<|endoftext|>"


def test_training_a_tokenizer_is_deterministic_and_merges_the_commonest_pair():
    first, second = (train_byte_pair(iter(DOCUMENTS), 300) for _ in range(2))
    assert first.content() == second.content()
    assert first.vocabulary == 300
    small = train_byte_pair(["ab ab ab cd"], 258)
    assert len(small.encode(["ab"])[0]) == 1
    assert len(small.encode(["cd"])[0]) == 2


def test_gpt2_files_give_the_tokenizer_back(tmp_path):
    trained = train_byte_pair(DOCUMENTS, 300)
    model = json.loads(trained.content())["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(model["vocab"]))
    (tmp_path / "merges.txt").write_text("\n".join(" ".join(pair) for pair in model["merges"]) + "\n")
    found = load_tokenizer(tmp_path)
    assert found.end == trained.end
    for mine, theirs in zip(found.encode(DOCUMENTS), trained.encode(DOCUMENTS), strict=True):
        assert np.array_equal(mine, theirs)
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(InputError, match=r"vocab.json and merges.txt"):
        load_tokenizer(tmp_path)


def own_tokenizer(folder, **changed):
    """A trained tokenizer's file with some of its parts changed."""
    described = json.loads(train_byte_pair(DOCUMENTS, 300).content()) | changed
    (folder / "tokenizer.json").write_text(json.dumps(described))
    return str(folder / "tokenizer.json")


@pytest.mark.parametrize(
    "changed",
    [
        {"truncation": {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}},
        {"padding": {"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                     "pad_type_id": 0, "pad_token": "<|endoftext|>"}},
    ],
)  # fmt: skip
def test_a_tokenizer_that_cuts_or_pads_is_kept_from_it(tmp_path, changed):
    inner = load_tokenizer(own_tokenizer(tmp_path, **changed))
    for text, row in zip(DOCUMENTS, inner.encode(DOCUMENTS), strict=True):
        assert inner.decode(row) == text


def test_a_tokenizer_that_changes_texts_is_refused(tmp_path):
    lowering = own_tokenizer(tmp_path, normalizer={"type": "Lowercase"})
    config = PrepareConfig(str(written(tmp_path)), tokenizer=lowering, held_out=0.3)
    with pytest.raises(DataError, match="tokenizer: expected one that gives every text back unchanged; in train, 'Tom"):
        prepare_text(config, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_tokens_with_numbers_beyond_their_count_are_kept_whole(tmp_path):
    described = json.loads(train_byte_pair(DOCUMENTS, 300).content())
    token = "\u0120balls"  # a merge of the corpus, behind a blank
    described["model"]["vocab"][token] = 70_000
    path = own_tokenizer(tmp_path, model=described["model"])
    config = PrepareConfig(str(written(tmp_path)), tokenizer=path, held_out=0.3)
    data = prepare_text(config, tmp_path / "data")
    assert (data.vocabulary, data.tokens("train").values.dtype) == (70_001, np.uint32)
    assert 70_000 in data.tokens("train").values
    assert sorted([*data.documents("train"), *data.documents("validation")]) == sorted(DOCUMENTS)
    data.verify()


def test_words_begin_at_blanks_and_line_ends():
    tokenizer = Characters()
    row = tokenizer.encode(["To be\nor"])[0].tolist()
    spans = words(tokenizer, [*row, tokenizer.end])
    assert [tokenizer.decode(row[first:last]) for first, last in spans[:-1]] == ["To", " be", "\n", "or"]
    assert spans[-1] == (8, 9)
    assert words(tokenizer, []) == []


def test_characters_where_tokenizers_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(tokenizers, "have_tokenizers", lambda: False)
    file = written(tmp_path)
    data = prepare_text(PrepareConfig(str(file), held_out=0.3), tmp_path / "data")
    assert data.manifest["tokenizer"]["kind"] == "characters"
    assert sorted([*data.documents("train"), *data.documents("validation")]) == sorted(DOCUMENTS)
    with pytest.raises(InputError, match="need the package tokenizers"):
        prepare_text(PrepareConfig(str(file), tokenizer="byte-pair"), tmp_path / "other")


def test_a_stream_holds_the_documents(data):
    assert list(data.documents("train")) == DOCUMENTS
    tokens = data.tokens("train")
    assert len(tokens) == 40
    assert tokens.values.dtype == np.uint16
    assert (tokens.values[tokens.offsets[1:] - 1] == data.end).all()
    assert int((tokens.values == data.end).sum()) == 40
    assert tokens.bytes.tolist() == [len(document.encode()) for document in DOCUMENTS]
    assert data.verify() == {"train": len(tokens.values), "validation": len(data.tokens("validation").values)}
    assert tokens.first(2).lengths.tolist() == tokens.lengths[:2].tolist()
    again = tokens_of(DOCUMENTS, data.tokenizer)
    assert np.array_equal(again.values, tokens.values)
    assert np.array_equal(again.byte_offsets, tokens.byte_offsets)


def test_duplicates_are_counted(data):
    assert data.manifest["duplicates"] == {"documents": 2, "exact": 1, "near": 1, "shared": 1.0, "run": RUN}


def test_shared_runs_by_hand():
    letters = list("abcdefghijklmno")
    assert len(runs(" ".join(letters))) == 3
    assert len(runs(" ".join(letters[:12]))) == 0
    known = Known()
    known.add(" ".join(letters))
    found = known.compare([" ".join([*letters, "x"]), " ".join(letters[::-1])])
    assert (found.exact, found.near) == (0, 1)
    assert found.shared == pytest.approx((3 / 4 + 0) / 2)


def test_of_many_runs_a_share_is_kept(monkeypatch):
    from mosaics.text import duplicates

    monkeypatch.setattr(duplicates, "MOST_RUNS", 500)
    known = Known()
    texts = [" ".join(str(n * step) for n in range(300)) for step in range(1, 11)]
    for text in texts[:5]:
        known.add(text)
    assert known.keep > 1
    assert known.held <= 500
    found = known.compare(texts)
    assert (found.exact, found.near) == (5, 5)
    assert found.shared == pytest.approx(0.5, abs=0.02)


def test_fingerprints_ignore_case_and_white_space():
    assert fingerprint("One  day\n") == fingerprint("one DAY")
    assert fingerprint("One day") != fingerprint("One days")


def test_lower_case(tmp_path):
    data = prepare_text(PrepareConfig(str(written(tmp_path)), lowercase=True, tokenizer="characters", held_out=0.3),
                        tmp_path / "data")  # fmt: skip
    assert set(data.documents("train")) < {document.lower() for document in DOCUMENTS}
    assert data.manifest["corpora"]["train"]["lowercase"]


def damaged(data, tmp_path):
    import shutil

    return shutil.copytree(data.path, tmp_path / "damaged")


def test_a_truncated_stream_is_refused(data, tmp_path):
    folder = damaged(data, tmp_path)
    file = folder / "train.bin"
    size = file.stat().st_size
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(DataError, match=rf"train.bin: truncated .* expected {size:,} bytes; got {size - 10:,}"):
        open_text(folder)
    file.unlink()
    with pytest.raises(DataError, match="got no such file"):
        open_text(folder)


def test_a_changed_stream_is_found_by_verify(data, tmp_path):
    folder = damaged(data, tmp_path)
    content = bytearray((folder / "validation.bin").read_bytes())
    content[0] ^= 1
    (folder / "validation.bin").write_bytes(content)
    with pytest.raises(DataError, match=r"validation.bin: damaged; expected SHA-256"):
        open_text(folder).verify()


def test_a_wrong_tokenizer_is_refused(data, tmp_path):
    folder = damaged(data, tmp_path)
    (folder / "tokenizer.json").write_text(Characters().content())
    with pytest.raises(DataError, match=r"not the tokenizer that made these streams; expected byte-pair"):
        open_text(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(DataError, match="the streams need their tokenizer"):
        open_text(folder)


def test_a_foreign_manifest_is_refused(data, tmp_path):
    folder = damaged(data, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"schema": 99}))
    with pytest.raises(DataError, match="expected schema 1; got 99"):
        open_text(folder)
    broken = [{}, manifest | {"tokenizer": {}}, manifest | {"tokenizer": "byte-pair"}, manifest | {"splits": []}]
    for name in ("documents", "tokens", "dtype"):
        entry = {key: value for key, value in manifest["splits"]["train"].items() if key != name}
        broken.append(manifest | {"splits": {"train": entry}})
    for other in broken:
        (folder / "manifest.json").write_text(json.dumps(other))
        with pytest.raises(DataError, match="not the manifest of a token stream"):
            open_text(folder)
    with pytest.raises(DataError, match="no such file"):
        open_text(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "train, stories: expected either a training text or a number of stories"),
        ({"train": "a", "stories": 3}, "train, stories"),
        ({"stories": 3, "validation": "b"}, "validation: expected none with the story world"),
        ({"stories": 3, "vocabulary": 10}, "vocabulary"),
        ({"stories": 3, "held_out": 1.0}, "held_out"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        PrepareConfig(**options)


def test_a_split_without_documents_names_what_is_at_fault(tmp_path):
    file, empty = written(tmp_path), tmp_path / "empty.txt"
    empty.write_text("\n")
    with pytest.raises(InputError, match=r"held_out: expected a share that leaves each split .* got 1e-09"):
        prepare_text(PrepareConfig(str(file), tokenizer="characters", held_out=1e-9), tmp_path / "data")
    for texts in ((str(file), str(empty)), (str(empty), str(file)), (str(empty),)):
        with pytest.raises(DataError, match=r"empty.txt: expected at least one document; found none"):
            prepare_text(PrepareConfig(*texts, tokenizer="characters", empty="skip"), tmp_path / "data")


def test_a_tokenizer_must_be_there(tmp_path):
    file = written(tmp_path)
    with pytest.raises(InputError, match="tokenizer: expected one of auto, byte-pair, characters, or the path"):
        prepare_text(PrepareConfig(str(file), tokenizer="gpt-2"), tmp_path / "data")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match="not the file of a tokenizer"):
        load_tokenizer(tmp_path)
