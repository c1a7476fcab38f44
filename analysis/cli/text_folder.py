"""Folders of token streams (`mosaicbench prepare-text`) beside those of datasets: which is which, what one holds."""

from __future__ import annotations

from pathlib import Path

from toyworlds.core import folders


def holds_text(folder: Path) -> bool:
    """Tell whether a folder holds token streams; what is damaged beyond telling counts as a dataset."""
    manifest = folder / "manifest.json"
    return manifest.is_file() and "tokenizer" in folders.read_json(manifest, "the manifest of a folder")


def verify_text(folder: Path) -> dict[str, int]:
    """Recompute the hashes of a folder of token streams; tokens of each split."""
    from mosaics.text.stream import open_text

    return open_text(folder).verify()


def describe_text(folder: Path) -> str:
    """Tokenizer, splits, and what the splits share."""
    from mosaics.text.stream import open_text

    manifest = open_text(folder).manifest
    tokenizer, found = manifest["tokenizer"], manifest["duplicates"]
    lines = [f"{folder}: {tokenizer['kind']} tokenizer, {tokenizer['vocabulary']:,} tokens"]
    for split, entry in manifest["splits"].items():
        rate = entry["bytes"] / entry["tokens"]
        lines.append(
            f"  {split:<11} {entry['documents']:,} documents, {entry['tokens']:,} tokens, {rate:.2f} bytes a token"
        )
    lines.append(
        f"  of {found['documents']:,} validation documents {found['exact']:,} are in the training text, "
        f"{found['near']:,} share half of their {found['run']}-word runs with it (mean {found['shared']:.1%})"
    )
    return "\n".join(lines)
