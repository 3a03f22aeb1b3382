"""The model library: a folder of the user's shape models, and the models that are installed with the module.

A model is known by the name of its file. The result of ``thyroidsynth evaluate`` lies beside it as
``<name>.evaluation.json``. Models are never overwritten, and shipped models are never changed. Needs no PyTorch.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError, ModelError, OutputError, explained
from ThyroidSynthLib.common.files import atomic_path, read_json, sha256_of

from .description import ModelDescription, describe_model
from .shipped import SHIPPED_MODELS, SUFFIX

EVALUATION_SUFFIX = ".evaluation.json"

_LONGEST_NAME = 80
# Not allowed by Windows, where a library may lie on a shared drive.
_FORBIDDEN = frozenset('<>:"/\\|?*')


@dataclass(frozen=True)
class LibraryModel:
    """A model of the library; without a description, `problem` says why its file cannot be read.

    A shipped model was installed with the module, so it can be neither renamed nor deleted.
    """

    path: Path
    shipped: bool
    description: ModelDescription | None
    problem: str = ""

    @property
    def name(self) -> str:
        """Its name in the library."""
        return self.path.stem


class ModelLibrary:
    """The shipped models and a folder of the user's own, which is created when the first one is added."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def models(self) -> tuple[LibraryModel, ...]:
        """Return all models: the shipped ones, then the user's, each group sorted by name."""
        found = [(path, True) for path in self.shipped_files()]
        found += [(path, False) for path in _model_files(self.folder)]
        return tuple(_library_model(path, shipped) for path, shipped in found)

    def shipped_files(self) -> tuple[Path, ...]:
        """Return the files of the shipped models, without opening them."""
        return tuple(_model_files(SHIPPED_MODELS))

    def is_shipped(self, path: Path) -> bool:
        """Return whether a file is one of the shipped models."""
        return path.parent == SHIPPED_MODELS

    def add(self, path: Path | str, name: str = "") -> Path:
        """Copy a model into the library, with its evaluation if there is one, and return the path of the copy.

        Its name is by default that of its file. If another model has the name already, a number is added to it. If the
        same model has it already, nothing is copied.

        Raises
        ------
        ModelError
            The file is not a model.
        OutputError
            The name cannot be that of a file, or the folder is not writable.
        """
        path = Path(path)
        describe_model(path)
        plain = checked_name(name or path.stem)
        number, copy = 1, self._path(plain)
        while copy.exists():
            if sha256_of(copy) == sha256_of(path):
                return copy
            number += 1
            copy = self._path(f"{plain} {number}")
        evaluation = evaluation_file(path)
        _copy(path, copy)
        if evaluation is not None:
            _copy(evaluation, _evaluation_path(copy))
        return copy

    def rename(self, path: Path, name: str) -> Path:
        """Rename one of the user's models and return its new path.

        `OutputError` if the model is shipped, the name is taken or impossible, or the folder is not writable.
        """
        self._refuse_shipped(path)
        renamed = self._path(checked_name(name))
        if renamed == path:
            return path
        # On a disk that ignores case both names may be the same file.
        if renamed.exists() and not renamed.samefile(path):
            raise OutputError(f"The library already has a model named '{renamed.stem}'. Choose another name.")
        try:
            path.rename(renamed)
            if _evaluation_path(path).is_file():
                _evaluation_path(path).replace(_evaluation_path(renamed))
        except OSError as error:
            raise OutputError(f"{path} cannot be renamed ({error.strerror}). Check its permissions.") from error
        return renamed

    def delete(self, path: Path) -> None:
        """Delete one of the user's models and its evaluation. The caller has the confirmation of the user.

        `OutputError` if the model is shipped or lies elsewhere, or cannot be deleted.
        """
        self._refuse_shipped(path)
        try:
            path.unlink(missing_ok=True)
            _evaluation_path(path).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{path} cannot be deleted ({error.strerror}). Check its permissions.") from error

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{SUFFIX}"

    def _refuse_shipped(self, path: Path) -> None:
        if self.is_shipped(path):
            raise OutputError(f"'{path.stem}' is installed with the module and cannot be changed. Import a copy of it.")
        if path.parent != self.folder:
            raise OutputError(f"{path} is not in the model library ({self.folder}). Import it first.")


def checked_name(name: str) -> str:
    """Return a model's name without surrounding blanks; `OutputError` if it cannot be the name of a file."""
    plain = name.strip()
    if not plain or plain[0] == "." or plain[-1] == "." or len(plain) > _LONGEST_NAME:
        raise OutputError(f"A model cannot be named '{plain}'. Enter a name of 1 to {_LONGEST_NAME} characters.")
    if _FORBIDDEN & set(plain) or not plain.isprintable():
        raise OutputError(f"A model cannot be named '{plain}'. Leave out {' '.join(sorted(_FORBIDDEN))}.")
    return plain


def evaluation_file(model: Path) -> Path | None:
    """Return the file in which ``thyroidsynth evaluate`` saved a model's evaluation, beside it or in a folder there.

    Evaluations of other models are ignored.
    """
    checksum = ""
    for path in _evaluation_places(model):
        if not path.is_file():
            continue
        checksum = checksum or sha256_of(model)
        if _checksum_in(path) == checksum:
            return path
    return None


def evaluation_of(model: Path) -> dict[str, Any] | None:
    """Return a model's evaluation as ``thyroidsynth evaluate`` saved it; None if there is none."""
    path = evaluation_file(model)
    return read_json(path) if path is not None else None


def check_card_room(model: Path, *, overwrite: bool = False) -> Path:
    """Return the file that `put_evaluation_beside` will write.

    `OutputError` if the model is a shipped one, if the file is no evaluation, or if it is an earlier one and
    `overwrite` is not set.
    """
    if model.resolve().parent == SHIPPED_MODELS:
        raise OutputError(
            f"'{model.stem}' is installed with the module, and its model card cannot be changed. Leave out --to-card."
        )
    target = _evaluation_path(model)
    if os.path.lexists(target):
        if not _checksum_in(target):
            raise OutputError(f"{target} is not an evaluation and is not replaced. Move it away.")
        if not overwrite:
            raise OutputError(f"{target} is an earlier evaluation. Replace it with --overwrite, or move it away.")
    return target


def put_evaluation_beside(model: Path, evaluation: Path, *, overwrite: bool = False) -> Path:
    """Copy a model's evaluation beside the model, where the model card shows it, and return the path of the copy.

    `ModelError` if the file is not an evaluation of the model; `OutputError` as for `check_card_room`, or if the
    folder is not writable.
    """
    if _checksum_in(evaluation) != sha256_of(model):
        raise ModelError(f"{evaluation} is not an evaluation of {model}. Evaluate that model.")
    target = check_card_room(model, overwrite=overwrite)
    _copy(evaluation, target)
    return target


def evaluation_state(model: Path) -> tuple[int, ...]:
    """Return when each file that may be a model's evaluation was last changed; 0 for one that does not exist."""
    return tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in _evaluation_places(model))


def _checksum_in(path: Path) -> str:
    try:
        return str(read_json(path)["model"]["checksum"])
    except (InputError, KeyError, TypeError):
        return ""


def _evaluation_places(model: Path) -> tuple[Path, ...]:
    folder = model.parent
    return _evaluation_path(model), folder / "evaluation.json", folder / "evaluation" / "evaluation.json"


def _evaluation_path(model: Path) -> Path:
    return model.with_name(model.stem + EVALUATION_SUFFIX)


def _model_files(folder: Path) -> list[Path]:
    try:
        files = [path for path in folder.iterdir() if path.suffix == SUFFIX and not path.name.startswith(".")]
    except OSError:
        return []
    return sorted(files, key=lambda path: path.stem.casefold())


def _library_model(path: Path, shipped: bool) -> LibraryModel:
    try:
        return LibraryModel(path, shipped, describe_model(path))
    except ModelError as error:
        return LibraryModel(path, shipped, None, str(error))
    except Exception as error:  # One file must not hide the others.
        return LibraryModel(path, shipped, None, explained(error))


def _copy(source: Path, target: Path) -> None:
    """Copy a file with its date, replacing `target` in one step."""
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
        status = source.stat()
        os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
