"""The texts beside the data: a dataset card with the header the Hugging Face hub reads, and Croissant JSON-LD."""

from __future__ import annotations

import json
from typing import Any

CROISSANT_TYPES = {
    "b": "sc:Boolean",
    "i": "sc:Integer",
    "u": "sc:Integer",
    "f": "sc:Float",
}
LICENSE = "https://www.apache.org/licenses/LICENSE-2.0"


def dataset_card(manifest: dict[str, Any], summary: str) -> str:
    """Return README.md of a dataset folder, with the YAML header that `datasets.load_dataset` reads."""
    name = manifest["world"]
    header = ["---", f"pretty_name: mosaicbench {name}", "license: apache-2.0", "configs:", "- config_name: default"]
    header.append("  data_files:")
    for split, entry in manifest["splits"].items():
        header += [f"  - split: {split}", "    path:"]
        header += [f"    - {file['name']}" for file in entry["files"]]
    header.append("---")
    rows = "\n".join(f"| {s} | {e['rows']:,} | `{e['sha256']}` |" for s, e in manifest["splits"].items())
    columns = "\n".join(_column_row(column) for column in manifest["columns"])
    return (
        "\n".join(header)
        + f"\n# {name}\n\n{summary}\n\n"
        + f"Made by mosaicbench, version {manifest['generator_version']} of the world, seed {manifest['seed']}.\n"
        + "The hash is taken over the content, so the same config and seed give it on every machine; "
        + "`mosaicbench verify` recomputes it.\n\n"
        + f"| split | rows | SHA-256 of the content |\n|---|---|---|\n{rows}\n\n"
        + "A row's axes are flattened in the files, last axis fastest: reshape them to the shape below.\n\n"
        + f"| column | role | type | shape | unit | |\n|---|---|---|---|---|---|\n{columns}\n\n"
        + f"## Config\n\n```json\n{json.dumps(manifest['config'], indent=2)}\n```\n"
    )


def _column_row(column: dict[str, Any]) -> str:
    shape = " x ".join("any" if axis is None else str(axis) for axis in column["shape"]) or "one"
    axes = f" ({', '.join(column['axes'])})" if column["axes"] else ""
    cells = (column["name"], column["role"], column["dtype"], shape + axes, column["unit"], column["description"])
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def croissant(manifest: dict[str, Any], summary: str) -> dict[str, Any]:
    """croissant.json of a dataset folder (Croissant 1.0, MLCommons): one record set per split."""
    files, records = [], []
    for split, entry in manifest["splits"].items():
        for number, file in enumerate(entry["files"]):
            files.append(
                {
                    "@type": "cr:FileObject",
                    "@id": file["name"],
                    "name": file["name"],
                    "contentUrl": file["name"],
                    "contentSize": f"{file['bytes']} B",
                    "encodingFormat": "application/x-parquet",
                    "sha256": file["file_sha256"],
                }
            )
            suffix = f"-{number:05d}" if len(entry["files"]) > 1 else ""
            records.append(_record_set(split + suffix, file["name"], manifest["columns"]))
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"mosaicbench-{manifest['world']}",
        "description": summary,
        "license": LICENSE,
        "version": f"{manifest['generator_version']}.0.0",
        "distribution": files,
        "recordSet": records,
    }


def _record_set(name: str, file: str, columns: list[dict[str, Any]]) -> dict[str, Any]:
    fields = []
    for column in columns:
        kind = "sc:Text" if column["dtype"] == "string" else _croissant_type(column["dtype"])
        field = {
            "@type": "cr:Field",
            "@id": f"{name}/{column['name']}",
            "name": column["name"],
            "description": column["description"] or f"{column['role']} {column['name']}",
            "dataType": kind,
            "source": {"fileObject": {"@id": file}, "extract": {"column": column["name"]}},
        }
        if column["shape"]:
            field["repeated"] = True
        fields.append(field)
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields}


def _croissant_type(dtype: str) -> str:
    return CROISSANT_TYPES["b" if dtype == "bool" else dtype[0]]


CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
