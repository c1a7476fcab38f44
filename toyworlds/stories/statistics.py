"""What a text looks like from outside: lengths, words, how often they come back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from toyworlds.core.validate import reject

WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
SENTENCE = re.compile(r'[.!?]+["\')]*(?:\s|$)')
PERCENTILES = (0, 1, 25, 50, 75, 99, 100)
SIZES = (100_000, 500_000, 1_500_000)


def text_statistics(texts: Sequence[str]) -> dict[str, Any]:
    """Measure stories: words are runs of letters, with apostrophes inside, lower-cased.

    Types are counted in the first 100,000, 500,000 and 1,500,000 words, so that texts of different size compare;
    `distinct_runs` are the shares of runs of 2, 3, 5 and 10 words, in the first 100,000, that are all different.

    >>> text_statistics(["Tom ran. Tom ran home.", "Stop!"])["words"]
    6
    """
    stories = [WORD.findall(text.lower()) for text in texts]
    words = [word for story in stories for word in story]
    if not words:
        reject("texts", "at least one text with a word", texts)
    lengths = np.asarray([len(story) for story in stories])
    counts = Counter(words)
    sentences = sum(len(SENTENCE.findall(text)) for text in texts)
    shares = np.asarray(sorted(counts.values(), reverse=True)) / len(words)
    sample = words[: SIZES[0]]
    return {
        "stories": len(texts),
        "words": len(words),
        "types": len(counts),
        "types_in_first_words": {str(size): len(set(words[:size])) for size in SIZES if size <= len(words)},
        "types_seen_once": sum(count == 1 for count in counts.values()),
        "share_of_100_most_frequent": float(shares[:100].sum()),
        "unigram_entropy_nats": float(-(shares * np.log(shares)).sum()),
        "words_a_story": float(lengths.mean()),
        "percentiles_of_words_a_story": {
            str(p): float(value) for p, value in zip(PERCENTILES, np.percentile(lengths, PERCENTILES), strict=True)
        },
        "words_a_sentence": len(words) / max(sentences, 1),
        "letters_a_word": sum(len(word) * count for word, count in counts.items()) / len(words),
        "stories_with_speech": sum('"' in text for text in texts) / len(texts),
        "distinct_runs": {str(size): _distinct(sample, size) for size in (2, 3, 5, 10)},
    }


def _distinct(words: Sequence[str], size: int) -> float:
    runs = list(zip(*(words[start:] for start in range(size)), strict=False))
    return len(set(runs)) / max(len(runs), 1)
