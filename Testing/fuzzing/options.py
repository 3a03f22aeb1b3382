"""Trials of bad option values: every option of every command, found in the parser itself."""

from __future__ import annotations

import argparse
import os
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from .files import run_command
from .judge import Action, Trial

NOT_NUMBERS = (
    *("", " ", "x", "nan", "NaN", "inf", "-inf", "1e309", "-1e309", "1,5x", "10 mL", "10mL", "5 %", "0x10", "1_000"),
    *(
        "١٢",
        "１２",
        "½",
        "--",
        "1.2.3",
        "1e",
        "+-3",
        "True",
        "None",
        "[1]",
        "1;2",
        "9" * 5000,
        "\udcff",
        "\u2212" + "5",
    ),
)
NOT_WHOLE = ("1.5", "1e3", "1,5", "-1.0")
NOT_ONE = ("1,5", "3,14")

# By the name of the option: what is out of its range.
TOO_MUCH = ("1000000000", "1" + "0" * 12, "9" * 30)
WHOLE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("--count", "--cases"), ("0", "-3", *TOO_MUCH)),
    "--workers": ("0", "-1", "10000", *TOO_MUCH),
    **dict.fromkeys(("--samples", "--folds"), ("0", "-1", *TOO_MUCH)),
    **dict.fromkeys(("--seed", "--seeds", "--split-seed"), ("-1", "9" * 30)),
    **dict.fromkeys(("--epochs", "--to-target", "--moves", "--completions"), ("-1", *TOO_MUCH)),
    "--thyroid-label": ("0", "-1", "9" * 30, "70000"),
    "--old-thyroid": ("-1", "9" * 30, "70000"),
}
REAL: dict[str, tuple[str, ...]] = {
    "--checkpoint-every": ("-1", "1e300"),
    "--defective-share": ("-0.1", "1.5", "30%x"),
    "--volume": ("0", "-5", "1e12"),
    "--isthmus-area": ("-5", "1e12"),
    "--symmetry": ("-0.1", "1.5", "80"),
    "--spacing": ("0", "-1", "0.001", "1e9", "1,2", "1,2,3,4", "1,,2", "1,0,1", "nan,1,1"),
}
OTHER: dict[str, tuple[str, ...]] = {
    "--mesh": ("vtk", "", ",", "ply,vtk", "ply;stl"),
    "--held-out": ("-1", "150%", "x", "nan", "inf", "1e309", "1,5", "", "-20%", "10^3"),
    "--device": ("tpu", "", "cuda:99", "cuda:x", "cpu:0:1", "mps9"),
    "--class-map": ("bogus", "", "total-v9"),
    "--volume-distribution": ("", "normal", "normal(15)", "normal(15,-3)", "normal(nan,1)", "lognormal(1e9,1)", "-5"),
    "--isthmus-area-distribution": ("weibull(1,2)", "uniform(5,1)", "uniform(1,inf)", "-3", "normal(1,2"),
    "--symmetry-distribution": ("3", "uniform(2,3)", "normal(0.5;0.1)", "cohort(1)"),
    "--without-isthmus": ("", "150%", "-1", "nan", "1,5", "x", "inf"),
    "--reconstruct": ("nobody",),
    "--dask-scheduler": ("", "nowhere", "tcp://", "http://127.0.0.1:1"),
    "--scale-mm": ("", "0", "-5", "1,2", "1,2,3,4", "nan", "x", "published1", "1e9"),
    "--features": ("", "x", "volume,volume", "volume,x"),
    "--labels": ("", "thyroid", "thyroid=", "=1", "thyroid=x", "thyroid=-1", "liver=1", "1,2"),
}

# Complete command lines, to which an option is added.
BASES = {
    "example-cohort": "--cases 1 --no-ct --workers 1 --quiet --out {out}",
    "prepare": "{m}/case --samples 100 --workers 1 --quiet --out {out}",
    "train": "{m}/cohort --epochs 1 --quiet --device cpu --out {out}/model.safetensors",
    "generate": "{m}/model.safetensors --quiet --workers 1 --out {out}",
    "phantom": "{m}/model.safetensors --count 1 --spacing 4 --quiet --workers 1 --out {out}",
    "fit": "{m}/model.safetensors {m}/case --quiet --out {out}",
    "edit": "{m}/model.safetensors {m}/case --quiet --out {out}",
    "evaluate": "{m}/model.safetensors {m}/cohort --quick --quiet --out {out}",
    "compare": "{m}/evaluation --quiet --out {out}",
    "cross-validate": "{m}/cohort --folds 2 --epochs 1 --quick --quiet --out {out}",
    "info": "{m}/model.safetensors",
    "reader-study": "{m}/study --quiet",
    "import": "{m}/checkpoint.ckpt --quiet --out {out}/model.safetensors",
    # Nothing listens there.
    "download": "authors --base-url http://127.0.0.1:9 --quiet --out {out}",
    "reproduce": "--authors {m}/authors --preset fast --epochs 1 --count 1 --device cpu --quiet --out {out}",
}
# Some options need another one.
TOGETHER = {
    "--thyroid-label": "--merge-into {m}/case",
    "--old-thyroid": "--merge-into {m}/case",
    "--structures": "--at {m}/case --overlap report",
}
WITHOUT = {"--held-out": "--folds 2"}

CONTRADICTIONS = (
    ("generate", "--count 1 --count 2", "--count"),
    ("generate", "--seed 1 --seed 2", "--seed"),
    ("edit", "--volume 5 --volume 6", "--volume"),
    ("generate", "--volume 5 --from-table {m}/targets.csv", "--from-table"),
    ("generate", "--volume 5 --volume-distribution 15", "distribution"),
    ("generate", "--count 5 --from-table {m}/targets.csv", "--count"),
    ("generate", "--count 5 --reconstruct tiny00", "--reconstruct"),
    ("generate", "--grid {m}/ct.nii.gz --spacing 2", "--spacing"),
    ("generate", "--overlap remove", "--overlap"),
    ("generate", "--structures {m}/trachea.nii.gz", "--structures"),
    ("generate", "--thyroid-label 3 --format none", "--thyroid-label"),
    ("generate", "--old-thyroid 3 --format none", "--old-thyroid"),
    ("edit", "--thyroid {m}/thyroid.nii.gz", "--t"),
    ("fit", "--trachea {m}/trachea.nii.gz", "--t"),
    ("prepare", "--thyroid {m}/thyroid.nii.gz", "--t"),
    ("prepare", "--include case --exclude case", "case"),
    ("train", "--include tiny00", "cohort"),
    ("prepare", "--authors {m}/authors", "--authors"),
    ("prepare", "--scale-mm 50", "--scale-mm"),
    ("prepare", "--input-space RAS", "--input-space"),
    ("fit", "--input-space RAS", "--input-space"),
    ("import", "--cohort {m}/cohort", "cohort"),
    ("import", "--features volume", "--features"),
    ("cross-validate", "--held-out 20%", "--held-out"),
    ("generate", "--bogus", "--bogus"),
    ("generate", "extra", "extra"),
    ("info", "extra", "extra"),
    ("generate", "--coun 3", "--coun"),
)


def option_trials(material: Path, seed: int) -> Iterator[Trial]:
    """Yield one trial for each pair of an option and a bad value, in random order."""
    found = [*_values(material), *_paths(material), *_contradictions(material)]
    random.Random(seed).shuffle(found)
    yield from found


def _values(material: Path) -> Iterator[Trial]:
    for command, action in _actions():
        option = action.option_strings[-1] if action.option_strings else ""
        if not option or isinstance(action.type, type) or action.nargs == 0:
            continue
        values = list((WHOLE | REAL | OTHER).get(option, ()))
        if option in WHOLE:
            values += (*NOT_NUMBERS, *NOT_WHOLE)
        elif option in REAL:
            values += (*NOT_NUMBERS, *(NOT_ONE if option != "--spacing" else ()))
        if action.choices is not None:
            values += ["bogus", "", "X" * 5000, "é"]
        # A share or a relative change is written with a percent sign.
        values = [value for value in values if not (command == "edit" and value in ("5 %", "-5"))]
        for value in dict.fromkeys(values):
            yield _trial(
                material, command, f"{option}={value}", (option, option[2:].replace("-", " "), "training cases")
            )


def _actions() -> Iterator[tuple[str, argparse.Action]]:
    from ThyroidSynthLib.cli.main import make_parser

    parser = make_parser()
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        for action in command._actions:
            if action.dest not in ("help", "version"):
                yield name, action


def _trial(material: Path, command: str, added: str, names: tuple[str, ...], *, acceptable: bool = False) -> Trial:
    def make(given: Path, out: Path) -> Action:
        option = added.partition("=")[0]
        base = BASES[command].replace(WITHOUT.get(option, "\n"), "--folds 1")
        words = f"{base} {TOGETHER.get(option, '')}".split()
        # An option that the base has is replaced, because it may be given only once.
        if option in words and option.startswith("--") and "=" in added:
            at = words.index(option)
            del words[at : at + 2]
        words = [word.format(m=material, out=out) for word in words]
        return run_command([command, *words, added], out)

    shown = added if len(added) < 60 else f"{added[:57]}…"
    return Trial(command, f"option {shown!r}", names, make, acceptable)


# --- Paths -----------------------------------------------------------------------------------------------------------

_INPUTS: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "folder": Path.mkdir,
    "FIFO": os.mkfifo,
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "empty": Path.touch,
    "text": lambda path: path.write_text("patient notes"),
    "archive": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)),
}
_ODD = (
    "x" * 5000,
    "a/" * 2000 + "b",
    "/proc/cpuinfo",
    "/dev/full",
    "/dev/stdin",
    "\udcff.nii.gz",
    "a\nb.nii.gz",
    "~",
    "-",
)


def _paths(material: Path) -> Iterator[Trial]:
    for command, action in _actions():
        if action.type is None or not _is_path(action):
            continue
        option = action.option_strings[-1] if action.option_strings else ""
        if option in ("--out", "--job"):
            yield from _outputs(material, command, option)
            continue
        for fault, write in _INPUTS.items():
            for suffix in (".nii.gz", ".seg.nrrd", ""):
                yield _path_trial(material, command, action, fault, write, f"input{suffix}")
        for name in _ODD:
            yield _path_trial(material, command, action, "odd name", None, name)


def _is_path(action: argparse.Action) -> bool:
    try:
        return isinstance(action.type("a") if callable(action.type) else None, Path)
    except (ValueError, argparse.ArgumentTypeError):
        return False


def _path_trial(
    material: Path, command: str, action: argparse.Action, fault: str, write: Callable[[Path], object] | None, name: str
) -> Trial:
    option = action.option_strings[-1] if action.option_strings else ""

    def make(given: Path, out: Path) -> Action:
        path = given / name if write is not None else Path(name)
        if write is not None:
            write(path)
        words = [word.format(m=material, out=out) for word in (BASES[command] + " " + TOGETHER.get(option, "")).split()]
        if option in words:
            at = words.index(option)
            del words[at : at + 2]
        if option in ("--thyroid", "--trachea"):
            other = {"--thyroid": "trachea", "--trachea": "thyroid"}[option]
            words = [word for word in words if word != f"{material}/case"]
            words += [f"--{other}={material}/{other}.nii.gz"]
        if option:
            words += [f"{option}={path}"]
        else:
            words[_position(command, action)] = str(path)
        return run_command([command, *words], out)

    # A name that the file system cannot hold is shown shortened or escaped.
    names = ("input", name, name[:20], ascii(name)[1:10], "File name too long", option or "\0")
    return Trial(command, f"{option or action.dest} = {name[:40]!r} ({fault})", names, make)


def _position(command: str, action: argparse.Action) -> int:
    return 1 if action.dest in ("patient", "thyroids") or (command == "evaluate" and action.dest == "cohort") else 0


def _outputs(material: Path, command: str, option: str) -> Iterator[Trial]:
    def file(out: Path) -> Path:
        out.write_text("thesis")
        return out

    def below_file(out: Path) -> Path:
        return file(out) / "below"

    def fifo(out: Path) -> Path:
        os.mkfifo(out)
        return out

    def bound(out: Path) -> Path:
        before = Path.cwd()
        os.chdir(out.parent)
        socket.socket(socket.AF_UNIX).bind(out.name)
        os.chdir(before)
        return out

    def foreign(out: Path) -> Path:
        out.mkdir()
        for name in _FOREIGN:
            (out / name).write_text("{}")
        return out

    def loop(out: Path) -> Path:
        out.symlink_to(out.name)
        return out

    places: dict[str, Callable[[Path], Path]] = {
        "a file": file,
        "below a file": below_file,
        "a FIFO": fifo,
        "a socket": bound,
        "files of others": foreign,
        "a link to itself": loop,
        "below /proc": lambda out: Path("/proc/nowhere"),
        "below /dev/null": lambda out: Path("/dev/null/x"),
        "a long name": lambda out: out / ("x" * 300),
        "a long path": lambda out: out / ("x/" * 3000),
        "empty": lambda out: Path("\0empty"),
    }
    if command == "fit":
        del places["files of others"]  # It writes to a folder in it for each case.
    for fault, place in places.items():

        def make(given: Path, out: Path, place: Callable[[Path], Path] = place) -> Action:
            path = place(given / "result")
            text = "" if str(path) == "\0empty" else str(path)
            words = [word.format(m=material, out=out) for word in BASES[command].split()]
            if "--out" in words:
                at = words.index("--out")
                del words[at : at + 2]
            more = ["--out=" + str(out / "model.safetensors")] if command == "train" and option == "--job" else []
            return run_command([command, *words, *more, f"{option}={text}"])

        names = ("result", "/proc/nowhere", "/dev/null", "x" * 20, option)
        yield Trial(command, f"{option} is {fault}", names, make)


_FOREIGN = (
    *("cohort.json", "prepare.json", "manifest.json", "manifest.csv", "edit.json", "fit.json", "evaluation.json"),
    *("comparison.json", "cross_validation.json", "config.json", "thyroid.nii.gz", "report.html", "meta.csv"),
)


def _contradictions(material: Path) -> Iterator[Trial]:
    for command, added, name in CONTRADICTIONS:

        def make(given: Path, out: Path, command: str = command, added: str = added) -> Action:
            words = [word.format(m=material, out=out) for word in f"{BASES[command]} {added}".split()]
            return run_command([command, *words], out)

        yield Trial(command, f"options {added!r}", (name,), make)
