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


def _fault(name: str, change: Change, message: str) -> Mutation:
    return Mutation(name, change, message=message)


_GONE = object()
_NAN = float("nan")
_INF = float("inf")
MODEL = [
    *[Mutation("entry of the description", _any_description, True)] * 6,
    _fault("NaN in the weights", _values("network.layers.0.weight", _NAN), "values that are not finite"),
    _fault("infinity in a bias", _values("network.layers.1.bias", _INF), "values that are not finite"),
    _fault("NaN in the latent table", _values("latent_table", _NAN), "'latent_table' has values that are not finite"),
    _fault("NaN in the features", _values("features", _NAN), "'features' has values that are not finite"),
    _fault("volume below 0", _values("features", -5.0), "the features of its training cases are impossible"),
    _fault("SD of 0", _values("conditioning.sd", 0.0), "'conditioning.sd' has values that are not above 0"),
    _fault("integer weights", _tensor("network.layers.0.weight", dtype="I32"), "'network.layers.0.weight' is int32"),
    _fault("integer features", _tensor("features", dtype="I64"), "'features' is int64"),
    _fault("half precision", _tensor("features", dtype="BF16"), "type BF16"),
    _fault("missing tensor", _model(lambda header, data, rng: _renamed(header)), "'latent_table' is missing"),
    _fault("wrong shape", _model(lambda header, data, rng: header["features"]["shape"].reverse()), "is float64"),
    _fault("fractional shape", _tensor("features", shape=[1e9, 3]), "invalid shape"),
    _fault("huge shape", _tensor("features", shape=[1 << 40, 3]), "wrong size"),
    _fault("offsets outside the file", _tensor("features", data_offsets=[10**12, 10**12 + 144]), "wrong size"),
    _fault("negative offsets", _tensor("features", data_offsets=[-8, 136]), "invalid shape or position"),
    _fault("one offset", _tensor("features", data_offsets=[0]), "position"),
    _fault("tensor of another type", _model(lambda header, data, rng: header.update(features=[])), "is not an object"),
    _fault("unknown alignment", _described("frame", "alignment", value="sideways"), "alignment 'sideways' is unknown"),
    _fault("alignment of another type", _described("frame", "alignment", value=["x"]), "'frame/alignment' is not text"),
    _fault("unknown variant", _described("settings", "variant", value="best"), "'variant' is 'best'"),
    _fault("unknown activation", _described("settings", "activation", value="tanh"), "'activation' is 'tanh'"),
    _fault("omega of ReLU units", _described("settings", "omega", value=1e9), "'omega' is 1000000000.0"),
    _fault("unknown prior", _described("settings", "prior", value="wild"), "'prior' is 'wild'"),
    _fault("unknown conditioning", _described("conditioning", value="psychic"), "conditioning 'psychic' is unknown"),
    _fault("10^9 hidden units", _described("settings", "hidden_width", value=10**9), "the layers that its settings"),
    _fault("text as the latent size", _described("settings", "latent_size", value="six"), "'latent_size' is 'six'"),
    _fault("truth as the epochs", _described("settings", "epochs", value=True), "'epochs' is True"),
    _fault("future version", _described("format_version", value=99), "was written by a newer ThyroidSynth"),
    _fault("text as the version", _described("format_version", value="2"), "'format_version' is not a whole number"),
    _fault("NaN as the scale", _described("frame", "scale_mm", value=[_NAN, 1, 1]), "'frame/scale_mm' is not three"),
    _fault("large scale", _described("frame", "scale_mm", value=[1e6, 1, 1]), "'frame/scale_mm' is not three"),
    _fault("infinite box", _described("frame", "upper_mm", value=[_INF, 1, 1]), "'frame/upper_mm' is not three"),
    _fault("no ids", _described("ids", value=[]), "ids are missing"),
    _fault("ids of another type", _described("ids", value={"a": 1}), "'ids' is not a list"),
    _fault("ids twice", _described("ids", value=["tiny00"] * 24), "occur twice"),
    _fault("no provenance", _described("provenance", value=_GONE), "'provenance' is missing"),
    _fault("provenance of another type", _described("provenance", value="home"), "'provenance' is not an object"),
    _fault("cohort of another type", _described("provenance", "cohort", value=3), "'cohort' is not an object"),
    _fault("no settings", _described("settings", value=_GONE), "'settings' is missing"),
    _fault("no frame", _described("frame", value=_GONE), "'frame' is missing"),
    _fault("other features", _described("feature_names", value=["a", "b", "c"]), "its features are not volume_ml"),
    _fault(
        "header of 10 GB",
        changed_bytes(lambda content, rng: (10 << 30).to_bytes(8, "little") + content[8:]),
        "is not a model file, or its beginning is damaged",
    ),
    _fault("tensor twice", changed_bytes(lambda content, rng: _twice(content)), "an array occurs twice"),
    _fault("nested header", changed_bytes(lambda content, rng: _header(b"[" * 200_000)), "its header is not JSON"),
    _fault(
        "no description",
        changed_bytes(lambda content, rng: _header(b'{"__metadata__":{"format":"pt"}}')),
        "was not written by ThyroidSynth",
    ),
    _fault("cut at the end", changed_bytes(lambda content, rng: content[:-100]), "cut short"),
]


def _renamed(header: dict[str, Any]) -> None:
    header["latent_tables"] = header.pop("latent_table")


def _header(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


def _twice(content: bytes) -> bytes:
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    entry = json.dumps({"features": {**header["features"], "data_offsets": [0, 144]}}).encode()
    return _header(entry[:-1] + b"," + content[9 : 8 + size].rstrip()) + content[8 + size :]
