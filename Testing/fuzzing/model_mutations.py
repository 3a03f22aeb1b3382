"""Faults of model files."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .file_mutations import Change, Mutation, changed_bytes, damaged_entry, ignore


def _model(edit: Callable[[dict[str, Any], bytearray, random.Random], None]) -> Change:
    """Change the header and the data of a safetensors file; the description is decoded under "thyroidsynth"."""

    def change(path: Path, rng: random.Random) -> None:
        content = path.read_bytes()
        size = int.from_bytes(content[:8], "little")
        header, data = json.loads(content[8 : 8 + size]), bytearray(content[8 + size :])
        header["thyroidsynth"] = json.loads(header["__metadata__"]["thyroidsynth"])
        edit(header, data, rng)
        header["__metadata__"]["thyroidsynth"] = json.dumps(header.pop("thyroidsynth"))
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(data))

    return change


def _values(name: str, value: float) -> Change:
    def edit(header: dict[str, Any], data: bytearray, rng: random.Random) -> None:
        entry = header[name]
        form = {"F32": "<f", "F64": "<d"}[entry["dtype"]]
        first, end = entry["data_offsets"]
        struct.pack_into(form, data, rng.randrange(first, end, struct.calcsize(form)), value)

    return _model(edit)


def _described(*keys: str, value: Any) -> Change:
    def edit(header: dict[str, Any], data: bytearray, rng: random.Random) -> None:
        place = header["thyroidsynth"]
        for key in keys[:-1]:
            place = place[key]
        if value is _GONE:
            del place[keys[-1]]
        else:
            place[keys[-1]] = value

    return _model(edit)


def _tensor(name: str, **values: Any) -> Change:
    return _model(lambda header, data, rng: header[name].update(values))


def _any_description(path: Path, rng: random.Random) -> None:
    _model(lambda header, data, rng: ignore(damaged_entry(header["thyroidsynth"], rng)))(path, rng)


_GONE = object()
_NAN = float("nan")
MODEL = [
    *[Mutation("entry of the description", _any_description, True)] * 6,
    Mutation("NaN in the weights", _values("network.layers.0.weight", _NAN)),
    Mutation("infinity in a bias", _values("network.layers.1.bias", float("inf"))),
    Mutation("NaN in the latent table", _values("latent_table", _NAN)),
    Mutation("NaN in the features", _values("features", _NAN)),
    Mutation("volume below 0 in the features", _values("features", -5.0)),
    Mutation("SD of 0", _values("conditioning.sd", 0.0)),
    Mutation("integer weights", _tensor("network.layers.0.weight", dtype="I32")),
    Mutation("integer features", _tensor("features", dtype="I64")),
    Mutation("wrong shape", _model(lambda header, data, rng: header["features"]["shape"].reverse())),
    Mutation("missing tensor", _model(lambda header, data, rng: ignore(header.pop("latent_table")))),
    Mutation("offsets outside the file", _tensor("features", data_offsets=[10**12, 10**12 + 144])),
    Mutation("negative offsets", _tensor("features", data_offsets=[-8, 136])),
    Mutation("unknown alignment", _described("frame", "alignment", value="sideways")),
    Mutation("alignment of another type", _described("frame", "alignment", value=["trachea"])),
    Mutation("unknown variant", _described("settings", "variant", value="best")),
    Mutation("unknown prior", _described("settings", "prior", value="wild")),
    Mutation("unknown conditioning", _described("conditioning", value="psychic")),
    Mutation("10^9 hidden units", _described("settings", "hidden_width", value=10**9)),
    Mutation("text as the latent size", _described("settings", "latent_size", value="six")),
    Mutation("future version", _described("format_version", value=99)),
    Mutation("text as the version", _described("format_version", value="2")),
    Mutation("NaN as the scale", _described("frame", "scale_mm", value=[_NAN, 1, 1])),
    Mutation("infinite box", _described("frame", "upper_mm", value=[float("inf"), 1, 1])),
    Mutation("box of 100 km", _described("frame", "upper_mm", value=[1e8, 1e8, 1e8])),
    Mutation("no ids", _described("ids", value=[])),
    Mutation("ids of another type", _described("ids", value={"a": 1})),
    Mutation("ids twice", _described("ids", value=["tiny00"] * 6)),
    Mutation("no provenance", _described("provenance", value=_GONE)),
    Mutation("provenance of another type", _described("provenance", value="home")),
    Mutation("no settings", _described("settings", value=_GONE)),
    Mutation("no frame", _described("frame", value=_GONE)),
    Mutation("other features", _described("feature_names", value=["a", "b", "c"])),
    Mutation("header of 10 GB", changed_bytes(lambda content, rng: (10 << 30).to_bytes(8, "little") + content[8:])),
    Mutation("tensor twice", changed_bytes(lambda content, rng: _twice(content))),
    Mutation("nested header", changed_bytes(lambda content, rng: _header(b'{"a":' * 100_000 + b"1" + b"}" * 100_000))),
    Mutation("no description", changed_bytes(lambda content, rng: _header(b'{"__metadata__":{"format":"pt"}}'))),
]


def _header(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


def _twice(content: bytes) -> bytes:
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    entry = json.dumps({"features": {**header["features"], "data_offsets": [0, 144]}}).encode()
    return _header(entry[:-1] + b"," + content[9 : 8 + size].rstrip()) + content[8 + size :]
