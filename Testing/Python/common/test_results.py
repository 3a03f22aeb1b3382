"""A command replaces an earlier result of its kind with `overwrite`, and never another file."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import disk
from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import write_json, write_text
from ThyroidSynthLib.common.results import check_outside, check_replaceable, replacing_result

NAMES = ["thyroid.nii.gz", "thyroid.stl"]


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return tmp_path / "out" / "edit.json"


def content(folder: Path) -> dict[str, str]:
    return {name: each.decode() for name, each in disk.content(folder).items()}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", [*NAMES, "edit.json"])
def test_a_file_from_elsewhere_is_never_replaced(document: Path, name: str, overwrite: bool) -> None:
    write_text(document.parent / name, '{"kind": "notes"}')
    before = content(document.parent)

    with (
        pytest.raises(OutputError, match=rf"{name} would be replaced.*Choose another --out"),
        replacing_result(document, "edit", NAMES, overwrite=overwrite) as folder,
    ):
        write_text(folder / name, "a result")

    assert content(document.parent) == before


def test_a_broken_link_is_not_replaced(document: Path) -> None:
    document.parent.mkdir()
    (document.parent / NAMES[0]).symlink_to("unmounted")

    with pytest.raises(OutputError, match="would be replaced"):
        check_replaceable(document, "edit", NAMES, overwrite=True)


@pytest.mark.parametrize("inner", ["", "new", "new/newer"])
def test_a_folder_that_is_a_file_or_below_one_is_refused_before_the_work(tmp_path: Path, inner: str) -> None:
    write_text(tmp_path / "notes.txt", "a user's")

    with pytest.raises(OutputError, match=r"notes\.txt is a file"):
        check_replaceable(tmp_path / "notes.txt" / inner / "edit.json", "edit", NAMES, overwrite=True)


def test_an_earlier_result_is_replaced_with_overwrite_and_other_files_are_kept(document: Path) -> None:
    write_text(document.parent / NAMES[0], "an earlier result")
    write_json(document, {"kind": "edit", "files": NAMES[:1]})

    with pytest.raises(OutputError, match=r"already holds an edit.*--overwrite"):
        check_replaceable(document, "edit", NAMES, overwrite=False)
    write_text(document.parent / "notes.txt", "a user's")
    before = content(document.parent)
    with replacing_result(document, "edit", NAMES, overwrite=True) as folder:
        write_text(folder / NAMES[1], "a result")
        write_json(folder / document.name, {"kind": "edit", "files": NAMES[1:]})
        assert {name: text for name, text in content(document.parent).items() if name[0] != "."} == before
    after = content(document.parent)
    assert (after.pop(NAMES[1]), after.pop("notes.txt"), list(after)) == ("a result", "a user's", [document.name])

    write_json(document, {"kind": "edit", "files": NAMES[:1]})
    write_text(document.parent / NAMES[1], "a user's")
    with pytest.raises(OutputError, match=r"thyroid\.stl would be replaced"):
        check_replaceable(document, "edit", NAMES, overwrite=True)


def test_an_earlier_result_that_is_an_input_is_not_replaced(document: Path) -> None:
    write_text(document.parent / NAMES[0], "an earlier result")
    write_json(document, {"kind": "edit", "files": NAMES[:1]})
    given = document.parent / ".." / "out" / NAMES[0]

    with pytest.raises(OutputError, match=r"thyroid\.nii\.gz is an input"):
        check_replaceable(document, "edit", NAMES, overwrite=True, inputs=[None, given])


def test_files_listed_outside_the_folder_are_not_removed(document: Path, tmp_path: Path) -> None:
    write_text(tmp_path / "other.txt", "x")
    write_json(document, {"kind": "edit", "files": ["../other.txt", "missing.stl"]})

    with replacing_result(document, "edit", NAMES, overwrite=True) as folder:
        write_json(folder / document.name, {"kind": "edit", "files": []})

    assert (tmp_path / "other.txt").exists() and list(content(document.parent)) == [document.name]


def test_a_result_that_fails_leaves_no_files(document: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replacing_result(document, "edit", NAMES, overwrite=False) as folder:
        write_text(folder / NAMES[0], "half")
        raise KeyboardInterrupt

    assert not document.parent.exists()


@pytest.mark.parametrize("inner", [".", "results", "results/new"])
def test_an_output_inside_an_input_folder_is_refused(tmp_path: Path, inner: str) -> None:
    (tmp_path / "s0001").mkdir()
    (tmp_path / "link").symlink_to("s0001")

    for given in ("s0001", "link"):
        with pytest.raises(OutputError, match=r" is an input.*Choose another --out"):
            check_outside(tmp_path / given / inner, [None, tmp_path / "ct.nii.gz", tmp_path / "s0001"])
    check_outside(tmp_path, [tmp_path / "s0001"])


def test_a_file_that_appears_during_the_work_is_not_replaced(document: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"thyroid\.stl would be replaced"),
        replacing_result(document, "edit", NAMES, overwrite=False) as folder,
    ):
        write_text(folder / NAMES[1], "a result")
        write_text(document.parent / NAMES[1], "a user's")

    assert content(document.parent) == {NAMES[1]: "a user's"}
