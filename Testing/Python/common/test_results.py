"""A command replaces an earlier result of its kind, if asked to, and no other file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import write_json, write_text
from ThyroidSynthLib.common.results import check_room, replacing_result

NAMES = ["thyroid.nii.gz", "thyroid.stl"]


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return tmp_path / "out" / "edit.json"


def content(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", [*NAMES, "edit.json"])
def test_a_file_of_another_origin_is_never_replaced(document: Path, name: str, overwrite: bool) -> None:
    write_text(document.parent / name, '{"kind": "a diary"}')
    before = content(document.parent)

    with (
        pytest.raises(OutputError, match=rf"{name} would be replaced.*Choose another --out"),
        replacing_result(document, "edit", NAMES, overwrite=overwrite),
    ):
        write_text(document.parent / name, "a result")

    assert content(document.parent) == before


def test_a_link_to_nowhere_is_a_file_of_another_origin(document: Path) -> None:
    document.parent.mkdir()
    (document.parent / NAMES[0]).symlink_to("unmounted")

    with pytest.raises(OutputError, match="would be replaced"):
        check_room(document, "edit", NAMES, overwrite=True)


def test_a_file_beside_an_earlier_result_is_kept_and_the_result_replaced_when_asked(document: Path) -> None:
    write_text(document.parent / NAMES[0], "an earlier result")
    write_json(document, {"kind": "edit", "files": NAMES[:1]})

    with pytest.raises(OutputError, match=r"already holds an edit.*--overwrite"):
        check_room(document, "edit", NAMES, overwrite=False)
    with replacing_result(document, "edit", NAMES, overwrite=True):
        assert content(document.parent) == {}

    write_json(document, {"kind": "edit", "files": NAMES[:1]})
    write_text(document.parent / NAMES[1], "a user's")
    with pytest.raises(OutputError, match=r"thyroid\.stl would be replaced"):
        check_room(document, "edit", NAMES, overwrite=True)


def test_an_earlier_result_that_is_an_input_is_kept(document: Path) -> None:
    write_text(document.parent / NAMES[0], "an earlier result")
    write_json(document, {"kind": "edit", "files": NAMES[:1]})
    given = document.parent / ".." / "out" / NAMES[0]

    with pytest.raises(OutputError, match=r"thyroid\.nii\.gz is an input"):
        check_room(document, "edit", NAMES, overwrite=True, inputs=[None, given])


def test_a_list_of_files_that_leads_out_of_the_folder_removes_nothing_there(document: Path, tmp_path: Path) -> None:
    write_text(tmp_path / "other.txt", "x")
    write_json(document, {"kind": "edit", "files": ["../other.txt", "missing.stl"]})

    with replacing_result(document, "edit", NAMES, overwrite=True):
        pass

    assert (tmp_path / "other.txt").exists() and not document.exists()


def test_a_result_that_fails_leaves_no_file_that_the_next_run_would_not_know(document: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replacing_result(document, "edit", NAMES, overwrite=False):
        write_text(document.parent / NAMES[0], "half")
        raise KeyboardInterrupt

    assert content(document.parent) == {}


def test_a_file_given_as_the_folder_is_named(document: Path) -> None:
    document.parent.write_text("thesis")

    with pytest.raises(OutputError, match="out is a file"):
        check_room(document, "edit", NAMES, overwrite=True)
