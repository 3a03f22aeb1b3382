"""Results that a command writes to a folder. A new result replaces an earlier one of its kind and no other file.

A result is described by a JSON file with a "kind". If the names of its other files vary, it lists them as "files".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError, OutputError
from .files import read_json, real_path
from .staging import check_folder_possible, output_folder, publish, staged

Listing = Callable[[dict[str, Any]], Iterable[str]]
"""Return the names of a result's files, relative to its folder, from its JSON document."""


def check_replaceable(
    document: Path,
    kind: str,
    names: Sequence[str],
    *,
    overwrite: bool,
    inputs: Iterable[Path | None] = (),
    listing: Listing | None = None,
) -> list[Path]:
    """Check that writing a result replaces at most an earlier result of its kind, and that only with `overwrite`.

    Parameters
    ----------
    document : Path
        The JSON file that describes the result.
    kind : str
        Its "kind", such as "edit".
    names : sequence of str
        Every other file that may be written, relative to the folder of `document`.
    inputs : iterable of Path
        Files that the command reads, which must not be replaced; None is ignored.
    listing : callable, optional
        Returns the files of the earlier result. By default its "files", or `names` where it has no such list.

    Returns
    -------
    list of Path
        The files of the earlier result, `document` first; empty if there is none.

    Raises
    ------
    OutputError
        A file is from elsewhere or is an input, or there is an earlier result and `overwrite` is not set.
    """
    folder = document.parent
    check_folder_possible(folder)
    earlier: list[Path] = []
    if os.path.lexists(document):
        found = _read(document, kind)
        if not overwrite:
            raise OutputError(
                f"{folder} already holds {_a(kind)}. Choose another --out, or replace the {kind} with --overwrite."
            )
        listed = listing(found) if listing is not None else found.get("files", names)
        inside = real_path(folder)
        # A document from elsewhere must not name files outside its folder.
        others = (folder / str(name) for name in listed)
        earlier = [document, *(path for path in others if real_path(path).is_relative_to(inside))]
    read = {real_path(path) for path in inputs if path is not None}
    for path in earlier:
        if real_path(path) in read:
            raise OutputError(f"{path} is an input and cannot be replaced by the result. Choose another --out.")
    for path in (folder / name for name in names):
        if os.path.lexists(path) and path not in earlier:
            raise OutputError(
                f"{path} would be replaced, but is not part of {_a(kind)} by ThyroidSynth. "
                "Choose another --out, or move the file."
            )
    return earlier


def check_outside(folder: Path, inputs: Iterable[Path | None]) -> None:
    """Raise `OutputError` if an output folder is one of the input folders, such as a patient's, or lies in one.

    There the result could be read as part of the input later.
    """
    place = real_path(folder)
    for path in inputs:
        if path is not None and path.is_dir() and place.is_relative_to(real_path(path)):
            if place == real_path(path):
                raise OutputError(f"{folder} is an input. Choose another --out.")
            raise OutputError(f"{folder} lies in {path}, which is an input. Choose another --out.")


@contextmanager
def replacing_result(
    document: Path,
    kind: str,
    names: Sequence[str],
    *,
    overwrite: bool,
    listing: Listing | None = None,
) -> Iterator[Path]:
    """Put a new result in place when the block ends, and only then remove the earlier one.

    Yields the folder to which the block writes the files, with `document` and `names` relative to it. If the block
    raises or the process is killed, the earlier result stays as it was. Parameters and errors are those of
    `check_replaceable`; also `OutputError` if another process writes to the folder.
    """
    folder = document.parent
    with output_folder(folder):
        check_replaceable(document, kind, names, overwrite=overwrite, listing=listing)
        with staged(folder) as staging:
            yield staging
            # Checked again, because the work may have taken a while.
            earlier = check_replaceable(document, kind, names, overwrite=overwrite, listing=listing)
            publish(folder, last=document.name, earlier=earlier)


def _read(document: Path, kind: str) -> dict[str, Any]:
    try:
        found = read_json(document)
    except InputError as error:
        raise OutputError(
            f"{document} is not a readable {kind} ({error}). Choose another --out, or move the file."
        ) from error
    if not isinstance(found, dict) or found.get("kind") != kind:
        raise OutputError(f"{document} would be replaced, but does not describe {_a(kind)}. Choose another --out.")
    return found


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
