"""The shelf: a folder of the user's shape models, and beside it those that ship with the module.

A model is known by the name of its file. What `thyroidsynth evaluate` found of a model stands beside it
as ``<name>.evaluation.json``. Nothing is ever overwritten, and the models that ship are never touched.
Reading the shelf needs no PyTorch.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError, ModelError, OutputError
from ThyroidSynthLib.common.files import atomic_path, read_json, sha256_of

from .description import ModelDescription, describe_model

SUFFIX = ".safetensors"
EVALUATION_SUFFIX = ".evaluation.json"

_LONGEST_NAME = 80
# Refused by Windows, where a shelf may lie on a shared drive.
_FORBIDDEN = frozenset('<>:"/\\|?*')


@dataclass(frozen=True)
class LibraryModel:
    """A model on the shelf.

    Attributes
    ----------
    path : Path
        Its file.
    shipped : bool
        Whether it came with the module and so can be neither renamed nor deleted.
    description : ModelDescription or None
        None when the file cannot be read as a model.
    problem : str
        Why it cannot be read; else empty.
    """

    path: Path
    shipped: bool
    description: ModelDescription | None
    problem: str = ""

    @property
    def name(self) -> str:
        """Its name on the shelf."""
        return self.path.stem


class ModelLibrary:
    """A folder of shape models.

    Parameters
    ----------
    folder : Path
        The user's own models; made when the first one is added.
    shipped : Path, optional
        The folder of the models that come with the module.
    """

    def __init__(self, folder: Path | str, shipped: Path | str | None = None) -> None:
        self.folder = Path(folder)
        self._shipped = Path(shipped) if shipped is not None else None

    def models(self) -> tuple[LibraryModel, ...]:
        """Give all models, those that ship first, each group by name."""
        found = [(path, True) for path in _model_files(self._shipped)]
        found += [(path, False) for path in _model_files(self.folder)]
        return tuple(_in_library(path, shipped) for path, shipped in found)

    def shipped_files(self) -> tuple[Path, ...]:
        """Give the files of the models that ship, without opening them."""
        return tuple(_model_files(self._shipped))

    def is_shipped(self, path: Path) -> bool:
        """Say whether a file came with the module."""
        return self._shipped is not None and path.parent == self._shipped

    def add(self, path: Path | str, name: str = "") -> Path:
        """Copy a model onto the shelf, with its evaluation if one lies beside it, and give the copy's path.

        Where the name is another model's a number is added to it. The very model that is there already
        under the name is not copied again, so adding twice does no harm.

        Parameters
        ----------
        path : Path
            A model file anywhere.
        name : str
            Its name on the shelf; that of its file by default.

        Raises
        ------
        ModelError
            The file is no model.
        OutputError
            The name cannot be a file's, or the shelf cannot be written.
        """
        path = Path(path)
        describe_model(path)
        plain = checked_name(name or path.stem)
        number, wanted = 1, self._path(plain)
        while wanted.exists():
            if sha256_of(wanted) == sha256_of(path):
                return wanted
            number += 1
            wanted = self._path(f"{plain} {number}")
        evaluation = evaluation_file(path)
        try:
            _copy(path, wanted)
            if evaluation is not None:
                _copy(evaluation, _evaluation_path(wanted))
        except OSError as error:
            raise OutputError(f"{wanted} cannot be written ({error.strerror}). Choose another folder.") from error
        return wanted

    def rename(self, path: Path, name: str) -> Path:
        """Give a model of the user's another name, and return its new path.

        Raises
        ------
        OutputError
            The model ships with the module, the name is taken or impossible, or the shelf cannot be written.
        """
        self._refuse_shipped(path)
        wanted = self._path(checked_name(name))
        if wanted == path:
            return path
        # The same file under both names is a change of case only, on a disk that does not tell them apart.
        if wanted.exists() and not wanted.samefile(path):
            raise OutputError(f"The shelf already has a model named '{wanted.stem}'. Choose another name.")
        try:
            path.rename(wanted)
            if _evaluation_path(path).is_file():
                _evaluation_path(path).replace(_evaluation_path(wanted))
        except OSError as error:
            raise OutputError(f"{path} cannot be renamed ({error.strerror}). Check its permissions.") from error
        return wanted

    def delete(self, path: Path) -> None:
        """Delete a model of the user's. Whoever calls this has asked the user.

        Raises
        ------
        OutputError
            The model ships with the module or lies elsewhere, or cannot be deleted.
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
            raise OutputError(f"'{path.stem}' ships with the module and stays as it is. Import a copy of it instead.")
        if path.parent != self.folder:
            raise OutputError(f"{path} is not on the shelf ({self.folder}) and is left as it is.")


def checked_name(name: str) -> str:
    """Give a model's name without blanks around it.

    Raises
    ------
    OutputError
        It cannot be the name of a file.
    """
    plain = name.strip()
    if not plain or plain[0] == "." or plain[-1] == "." or len(plain) > _LONGEST_NAME:
        raise OutputError(f"A model cannot be named '{plain}'. Give a name of 1 to {_LONGEST_NAME} characters.")
    if _FORBIDDEN & set(plain) or not plain.isprintable():
        raise OutputError(f"A model cannot be named '{plain}'. Leave out {' '.join(sorted(_FORBIDDEN))}.")
    return plain


def evaluation_file(model: Path) -> Path | None:
    """Find what `thyroidsynth evaluate` wrote of a model: beside it, or in a folder beside it.

    A file that is about another model is passed over.
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
    """Give what is known of a model's quality, as `evaluate` wrote it; None where nothing is."""
    path = evaluation_file(model)
    return read_json(path) if path is not None else None


def check_card_room(model: Path) -> Path:
    """Return where `put_evaluation_beside` writes, having checked that it replaces nothing but an evaluation.

    Raises
    ------
    OutputError
        What lies there is no evaluation.
    """
    wanted = _evaluation_path(model)
    if wanted.exists() and not _checksum_in(wanted):
        raise OutputError(f"{wanted} is no evaluation and is left as it is. Move it away.")
    return wanted


def put_evaluation_beside(model: Path, evaluation: Path) -> Path:
    """Copy what `thyroidsynth evaluate` wrote of a model beside it, where its card finds it, and give the copy's path.

    An earlier evaluation of the name is replaced.

    Raises
    ------
    ModelError
        The file is no evaluation of the model.
    OutputError
        What lies there is no evaluation, or the folder cannot be written.
    """
    if _checksum_in(evaluation) != sha256_of(model):
        raise ModelError(f"{evaluation} is no evaluation of {model}. Evaluate that model.")
    wanted = check_card_room(model)
    try:
        _copy(evaluation, wanted)
    except OSError as error:
        raise OutputError(
            f"{wanted} cannot be written ({error.strerror}). Copy the model to another folder."
        ) from error
    return wanted


def evaluation_state(model: Path) -> tuple[int, ...]:
    """Give when each file that may be a model's evaluation was last written: what its card depends on."""
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


def _model_files(folder: Path | None) -> list[Path]:
    if folder is None or not folder.is_dir():
        return []
    try:
        files = [path for path in folder.iterdir() if path.suffix == SUFFIX and not path.name.startswith(".")]
    except OSError:
        return []
    return sorted(files, key=lambda path: path.stem.casefold())


def _in_library(path: Path, shipped: bool) -> LibraryModel:
    try:
        return LibraryModel(path, shipped, describe_model(path))
    except ModelError as error:
        return LibraryModel(path, shipped, None, str(error))


def _copy(source: Path, target: Path) -> None:
    """Copy a file whole or not at all, and keep its date: that is the model's."""
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
        about = source.stat()
        os.utime(temporary, ns=(about.st_atime_ns, about.st_mtime_ns))
