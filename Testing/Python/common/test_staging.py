"""A result is put in place as a whole, whenever the process that writes it is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from support import disk
from support.kill_points import killed_at
from ThyroidSynthLib.common import staging as module
from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import write_json, write_text
from ThyroidSynthLib.common.results import replacing_result
from ThyroidSynthLib.common.staging import STAGING_FOLDER, files_of_others, make_staging, output_folder, publish

OLD = {"edit.json": json.dumps({"kind": "edit", "files": ["a.txt", "meshes/b.txt"]}), "a.txt": "1", "meshes/b.txt": "1"}
NEW = {"edit.json": json.dumps({"kind": "edit", "files": ["a.txt", "c.txt"]}), "a.txt": "2", "c.txt": "2"}


def content(folder: Path) -> dict[str, str]:
    return {name: each.decode() for name, each in disk.content(folder).items()}


def fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        write_text(folder / name, text)


def write_new(folder: Path) -> None:
    with replacing_result(folder / "edit.json", "edit", ["a.txt", "c.txt"], overwrite=True) as staging:
        fill(staging, NEW)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Of a fork while pytest has threads.
def test_wherever_a_command_is_killed_one_of_the_results_is_complete_afterwards(tmp_path):
    kinds = []
    for number in range(200):
        folder = tmp_path / str(number)
        fill(folder, {**OLD, "notes.txt": "a user's"})
        killed = killed_at(number, partial(write_new, folder))
        # A document is complete whenever someone looks.
        assert json.loads((folder / "edit.json").read_text())["kind"] == "edit"
        with output_folder(folder):
            pass
        found = content(folder)
        assert found.pop("notes.txt") == "a user's"
        assert found in (OLD, NEW)
        kinds.append(found == NEW)
        write_new(folder)
        assert content(folder) == {**NEW, "notes.txt": "a user's"} and not list(folder.glob(".*"))
        if not killed:
            break
    # Kept at first, replaced later, never the other way round.
    assert kinds == sorted(kinds) and set(kinds) == {False, True} and len(kinds) > 10


def test_a_staging_folder_of_another_origin_is_kept(tmp_path):
    fill(tmp_path, {f"{STAGING_FOLDER}/precious.txt": "years of work", ".making/t.txt": "a user's"})

    with pytest.raises(OutputError, match=r"was not made by ThyroidSynth\. Move it"), output_folder(tmp_path):
        pass

    assert content(tmp_path) == {f"{STAGING_FOLDER}/precious.txt": "years of work", ".making/t.txt": "a user's"}


def test_unfinished_work_is_discarded_with_a_warning_or_resumed(tmp_path, caplog):
    with output_folder(tmp_path):
        fill(make_staging(tmp_path), {"half.txt": "x"})

    with output_folder(tmp_path, resumes=lambda staging: (staging / "half.txt").read_text() == "x"):
        assert (tmp_path / STAGING_FOLDER / "half.txt").is_file()
    assert files_of_others(tmp_path) == []
    with output_folder(tmp_path):
        assert list(content(tmp_path)) == [".thyroidsynth.lock"]
    assert "unfinished result of an interrupted command is discarded" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_users_file_put_in_place_after_a_kill_is_kept(tmp_path, monkeypatch):
    with output_folder(tmp_path):
        fill(make_staging(tmp_path), NEW)
        monkeypatch.setattr(module, "_put_in_place", lambda folder: None)
        publish(tmp_path, last="edit.json")
        monkeypatch.undo()
    fill(tmp_path, {"c.txt": "a user's"})

    with pytest.raises(OutputError, match=r"c\.txt would be replaced"), output_folder(tmp_path):
        pass

    assert (tmp_path / "c.txt").read_text() == "a user's"


@pytest.mark.parametrize("target", ["nowhere", "out"])
def test_a_broken_link_in_place_of_the_folder_is_named(tmp_path, target):
    (tmp_path / "out").symlink_to(target)
    with (
        pytest.raises(OutputError, match="out is a link that leads nowhere, but a folder is needed"),
        output_folder(tmp_path / "out"),
    ):
        pass
    assert (tmp_path / "out").is_symlink()


def test_a_journal_cannot_remove_files_outside_its_folder(tmp_path):
    folder, other = tmp_path / "out", tmp_path / "other.txt"
    other.write_text("x")
    stamp = [other.stat().st_size, other.stat().st_mtime_ns]
    for name in ("../other.txt", str(other)):
        write_json(make_staging(folder) / ".journal.json", {"last": "", "earlier": {name: stamp}, "remove": [name]})
        with output_folder(folder):
            pass
    assert other.exists()


def test_partial_files_of_killed_processes_are_removed_and_those_of_others_kept(tmp_path):
    code = (
        "import os, sys; from ThyroidSynthLib.common.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as path: path.write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.nii.gz")], check=False)
    (tmp_path / ".b.partial.nii.gz").write_text("a user's")
    assert len(list(tmp_path.iterdir())) == 2

    with output_folder(tmp_path):
        pass

    assert [path.name for path in tmp_path.iterdir()] == [".b.partial.nii.gz"]
