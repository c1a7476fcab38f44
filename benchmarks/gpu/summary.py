"""A table of what the GPU suite measured, from its JSON files alone; plain text, no further libraries.

python -m benchmarks.gpu.summary results/gpu
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toyworlds.core.validate import DataError


def lines(folder: Path) -> Iterator[str]:
    """Lines of the table."""
    overall = _read(folder / "suite.json")
    rates = overall["ceilings"]
    yield f"{overall['provenance']['device']}, {overall['provenance']['date']}, torch {overall['provenance']['torch']}"
    yield f"matrix product {rates['matmul'] / 1e12:.0f} TFLOP/s, copy {rates['copy'] / 1e12:.2f} TB/s"
    for name, state in overall["sections"].items():
        seconds = f"{state['seconds']:.0f} s" if "seconds" in state else ""
        yield f"\n{name}: {state['state']} {seconds} {state.get('error', '')}".rstrip()
        if (folder / f"{name}.json").exists():
            for row in _read(folder / f"{name}.json")["rows"]:
                yield from TABLES[name](row)


def _correctness(row: dict[str, Any]) -> Iterator[str]:
    worst = max(row["errors"].values()) if "errors" in row else row.get("error", "")
    shown = f"{worst:.1e}" if isinstance(worst, float) else worst
    races = "" if row.get("repeats_agree", True) else " repeats differ"
    verdict, dtype = "ok" if row["passes"] else "FAILS", row["dtype"].removeprefix("torch.")
    yield f"  {verdict:<6}{row['case']:<72}{dtype:<10}{shown}{races}"


def _retrieval(row: dict[str, Any]) -> Iterator[str]:
    if row["what"] == "memory":
        taken = row["bytes_a_token"]
        yield f"  memory {row['shape']}: {'not measured' if taken is None else f'{taken:,.0f} bytes a token'}"
        return
    yield f"  {row['what']} {row['shape']}"
    for name, way in row["ways"].items():
        longer = row["times_as_long_as_triton"].get(name)
        rate = f"{way['flops'] / 1e12:7.1f} TFLOP/s {100 * way['share_of_matmul']:5.1f} %" if "flops" in way else ""
        yield _way(name, way, rate + (f"   {longer:.2f} x triton" if longer else ""))


def _averages(row: dict[str, Any]) -> Iterator[str]:
    yield f"  {row['what']} {row['shape']} {row['dtype'].removeprefix('torch.')}"
    for name, way in row["ways"].items():
        yield _way(name, way, f"{100 * way['share_of_copy']:5.1f} % of a copy" if "share_of_copy" in way else "")


def _steps(row: dict[str, Any]) -> Iterator[str]:
    yield f"  block {row['length']}: " + ", ".join(f"{k} {v:.2f}" for k, v in row["tokens_a_second"].items())
    for name, way in row["ways"].items():
        rate = ""
        if "tokens_a_second" in way:
            room = "" if way["bytes"] is None else f", {way['bytes'] / 2**30:.1f} GiB"
            rate = f"{way['tokens_a_second']:,.0f} tokens/s, {100 * way['share_of_matmul']:.1f} % of matmul{room}"
        yield _way(name, way, rate)


def _small_models(row: dict[str, Any]) -> Iterator[str]:
    gains = ", ".join(f"{name} {value:.2f}" for name, value in row.items() if name.startswith("gain"))
    yield f"  {row['model']}, {row['members']} members: {gains}"
    for name, way in row["ways"].items():
        yield _way(name, way, "")


def _training(row: dict[str, Any]) -> Iterator[str]:
    if "error" in row:
        yield f"  {row['way']}: {row['error']}"
    elif row["way"] == "both":
        yield f"  {'ok' if row['alike'] else 'FAILS'}: {row['apart']:.4f} nats apart at the end"
    else:
        verdict = "ok" if row["falls"] else "FAILS"
        yield f"  {verdict}: {row['way']}, {row['steps']} steps, loss {row['first']:.3f} -> {row['last']:.3f}"


def _stories(row: dict[str, Any]) -> Iterator[str]:
    if "error" in row:
        yield f"  {row['what']}: {row['error']}"
    elif row["what"] == "tokens":
        yield f"  {row['tokens']:,} tokens of {row['stories']:,} stories in {row['seconds']:.0f} s"
    else:
        asked = ", ".join(f"{kind} {score['accuracy']['estimate']:.2f}" for kind, score in row["prompts"].items())
        rate = f"{row['tokens_a_second']:,.0f} tokens/s"
        yield f"  {row['what']}: {row['steps']} steps, {rate}, loss {row['validation_loss']:.3f}; {asked}"


TABLES = {
    "correctness": _correctness,
    "retrieval": _retrieval,
    "averages": _averages,
    "steps": _steps,
    "small_models": _small_models,
    "training": _training,
    "stories": _stories,
}


def _way(name: str, way: dict[str, Any], more: str) -> str:
    time = f"{1e3 * way['median']:10.3f} ms  " if "median" in way else f"  {way['error']}"
    return f"    {name:<26}{time}{more}".rstrip()


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a result of the GPU suite ({error})") from None
    return found


def main() -> None:
    """Print the table of the folders that are named."""
    parser = argparse.ArgumentParser(prog="summary", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("results/gpu")], help="folders of the suite")
    for folder in parser.parse_args().folders:
        for line in lines(folder):
            print(line)


if __name__ == "__main__":
    try:
        main()
    except DataError as error:
        raise SystemExit(f"summary: {error}") from None
