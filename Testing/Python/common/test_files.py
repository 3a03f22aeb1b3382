"""Files are replaced as a whole or stay as they are."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from support.disk import little_room
from ThyroidSynthLib.common import errors
from ThyroidSynthLib.common.errors import Cancelled, InputError, OutputError, ThyroidSynthError
from ThyroidSynthLib.common.files import atomic_path, names_for_files, read_json, sha256_of, write_json, write_text
from ThyroidSynthLib.common.progress import check, never, part_of


def test_an_exception_leaves_only_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    path.write_text("old")

    with pytest.raises(RuntimeError, match="disk"), atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError("disk full")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_keyboard_interrupt_leaves_no_temporary_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "result.txt"):
        raise KeyboardInterrupt

    assert list(tmp_path.iterdir()) == []


def test_a_reader_sees_the_old_content_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    path.write_text("old")

    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("s0001.nii.gz", ".nii.gz"),
        ("gland.seg.nrrd", ".seg.nrrd"),
        ("GLAND.NII.GZ", ".NII.GZ"),
        ("volume 3.5mL.ply", ".ply"),
        ("model.safetensors", ".safetensors"),
        ("STOP", ""),
        (".hidden", ""),
    ],
)
def test_the_temporary_name_keeps_the_suffix(tmp_path: Path, name: str, suffix: str) -> None:
    with atomic_path(tmp_path / name) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(f".partial{suffix}")

    assert (tmp_path / name).is_file()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits of this kind")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_results_have_the_users_usual_permissions(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "result.txt", "x")
        assert os.umask(mask) == mask, "the process's own mask was changed"
    finally:
        os.umask(before)

    assert (tmp_path / "result.txt").stat().st_mode & 0o777 == 0o666 & ~mask


def test_missing_folders_are_created(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "Schilddrüse")

    assert (tmp_path / "a" / "b" / "c.txt").read_text(encoding="utf-8") == "Schilddrüse"


def test_json_is_read_as_written_and_nan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"volume_ml": 12.5, "name": "Schilddrüse", "none": None})

    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"volume_ml": float("nan")})

    assert read_json(path) == {"volume_ml": 12.5, "name": "Schilddrüse", "none": None}


@pytest.mark.parametrize("content", [None, b"", b'{"half": ', b"\xff\xfe\x00"])
def test_the_message_names_a_file_that_is_not_json(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "value.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InputError, match=r"value\.json"):
        read_json(path)


def test_a_folder_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_json(tmp_path)


def test_the_checksum_is_that_of_the_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000
    (tmp_path / "file").write_bytes(content)

    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_every_error_is_a_thyroidsynth_error() -> None:
    family = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]

    assert len(family) > 5
    assert all(issubclass(kind, ThyroidSynthError) for kind in family)


def test_a_step_reports_progress_as_its_part_of_the_whole() -> None:
    reports = []
    step = part_of(lambda fraction, message: reports.append((fraction, message)), 0.5, 0.9)

    step(0.0, "first")
    step(1.0, "last")

    assert [message for _, message in reports] == ["first", "last"]
    assert [fraction for fraction, _ in reports] == pytest.approx([0.5, 0.9])


def test_cancelling_raises_cancelled() -> None:
    check(never)
    with pytest.raises(Cancelled):
        check(lambda: True)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files")
@pytest.mark.parametrize("earlier", [None, "earlier result"])
def test_a_full_disk_leaves_the_earlier_file_and_says_so(tmp_path: Path, earlier: str | None) -> None:
    path = tmp_path / "result.txt"
    if earlier:
        path.write_text(earlier)
    with (
        little_room(100),
        pytest.raises(OutputError, match=r"result\.txt cannot be written: the disk is full\. Free space"),
    ):
        write_text(path, "x" * 1000)

    assert [each.read_text() for each in tmp_path.iterdir()] == ([earlier] if earlier else [])


def test_a_file_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"result\.txt cannot be written \(.*\)\. Choose a writable folder"):
        write_text(tmp_path / "file" / "result.txt", "x")


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught, atomic_path(tmp_path / "map.nrrd") as temporary:
        raise InputError(f"{temporary} reads back differently.")

    assert str(caught.value) == f"{tmp_path / 'map.nrrd'} reads back differently."


def test_names_as_long_as_the_file_system_allows_are_written(tmp_path: Path) -> None:
    for name in ("n" * 255, "ü" * 120 + ".nii.gz", "a." + "s" * 250):
        write_text(tmp_path / name, "x")
        assert (tmp_path / name).read_text() == "x"


def test_names_for_files_lead_to_no_other_folder_and_differ():
    names = ["trachea", "../../x", "A. carotis / links", "Trachea", "Ösophagus: oben", "...", "v" * 300, "v" * 301]

    found = names_for_files(names)

    assert list(found) == names
    assert found["trachea"] == "trachea"
    assert found["A. carotis / links"] == "A._carotis_links"
    assert found["Ösophagus: oben"] == "Ösophagus_oben"
    assert len({name.casefold() for name in found.values()}) == len(names)
    for name in found.values():
        assert Path(name).name == name and not name.startswith(".") and not set(name) & set(' \\/:*?"<>|')
        assert len(name.encode()) < 200
