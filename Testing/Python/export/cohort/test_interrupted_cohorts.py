"""An interrupted cohort is continued, and an earlier one stays until the new one is complete."""

from __future__ import annotations

import json
import os
from functools import partial

import pytest

from support.box_thyroids import A_MODEL, a_thyroid, read_manifest, write_cohort
from support.disk import content, little_room
from support.kill_points import killed_at
from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.common.errors import Cancelled, OutputError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.common.staging import output_folder
from ThyroidSynthLib.export.cohort.generated_cohort import (
    begun_thyroids,
    check_files,
    record_cohort,
    thyroid_writer,
)
from ThyroidSynthLib.export.cohort.manifest import ManifestWriter


def stop_after(number: int):
    calls = iter(range(1, 100))
    return lambda: next(calls) >= number


def test_an_interrupted_run_is_continued_to_the_same_cohort(tmp_path):
    write_cohort([a_thyroid(n) for n in range(4)], tmp_path / "whole", request="r1")
    folder = tmp_path / "cohort"
    with pytest.raises(Cancelled):
        write_cohort([a_thyroid(n) for n in range(4)], folder, request="r1", should_stop=stop_after(2))
    assert begun_thyroids(folder, "another request") is None
    begun = begun_thyroids(folder, "r1")
    assert begun is not None and [entry["id"] for entry in begun] == ["t00001", "t00002"]
    # As after a kill between the two: the third is in place and not in the manifest.
    (folder / "label_maps" / "t00003.nii.gz").write_bytes(
        (tmp_path / "whole" / "label_maps" / "t00003.nii.gz").read_bytes()
    )

    writer = thyroid_writer(folder)
    rest = (writer.write(a_thyroid(n), n + 1) for n in (2, 3))
    result = record_cohort(rest, folder, model=A_MODEL, placement=writer.placement, request="r1", begun=begun)

    assert (result.count, result.attempts) == (4, 1 + 2 + 3 + 4)
    assert content(folder) == content(tmp_path / "whole")
    assert begun_thyroids(folder, "r1") is None, "it is complete"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Of a fork while pytest has threads.
def test_wherever_a_run_is_killed_the_same_run_completes_it(tmp_path):
    def make(folder):
        begun = begun_thyroids(folder, "r1")
        writer = thyroid_writer(folder)
        rest = (writer.write(a_thyroid(n), n + 1) for n in range(len(begun or ()), 2))
        record_cohort(rest, folder, model=A_MODEL, placement=writer.placement, request="r1", begun=begun)

    make(tmp_path / "whole")
    whole = content(tmp_path / "whole")
    for number in range(200):
        folder = tmp_path / str(number)
        killed = killed_at(number, partial(make, folder))
        with output_folder(folder):
            pass
        if not folder.exists() or content(folder) != whole:
            make(folder)
        assert content(folder) == whole
        if not killed:
            break
    assert 10 < number < 199


def test_a_file_that_changed_since_is_not_continued_with(tmp_path):
    with pytest.raises(Cancelled):
        write_cohort([a_thyroid(n) for n in range(4)], tmp_path, request="r1", should_stop=stop_after(2))
    (tmp_path / "label_maps" / "t00001.nii.gz").write_bytes(b"a user's")

    assert begun_thyroids(tmp_path, "r1") is None


def test_a_users_file_that_appears_during_the_run_is_kept(tmp_path):
    def thyroids():
        yield a_thyroid(0)
        (tmp_path / "label_maps" / "t00002.nii.gz").write_bytes(b"a user's")
        yield a_thyroid(1)

    with pytest.raises(OutputError, match=r"t00002\.nii\.gz would be replaced"):
        write_cohort(thyroids(), tmp_path)

    assert (tmp_path / "label_maps" / "t00002.nii.gz").read_bytes() == b"a user's"
    assert read_manifest(tmp_path)[0]["count"] == 1


def test_an_earlier_cohort_is_kept_if_its_replacement_is_interrupted(tmp_path):
    write_cohort([a_thyroid(n) for n in range(2)], tmp_path)
    before = content(tmp_path)

    with pytest.raises(Cancelled):
        write_cohort([a_thyroid(n + 5) for n in range(4)], tmp_path, overwrite=True, should_stop=stop_after(3))

    assert content(tmp_path) == before and check_files(tmp_path) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files")
def test_a_full_disk_leaves_a_valid_manifest(tmp_path):
    with ManifestWriter(tmp_path, {"kind": "generated cohort"}, ["id"]) as manifest:
        manifest.add({"id": "t1"}, {"id": "t1"})
        before = content(tmp_path)
        with little_room(1000), pytest.raises(OSError, match="File too large"):
            manifest.add({"id": "x" * 2000}, {"id": "t2"})
        assert content(tmp_path) == before
        manifest.add({"id": "t3"}, {"id": "t3"})
    document, rows = read_manifest(tmp_path)
    assert [entry["id"] for entry in document["thyroids"]] == [row["id"] for row in rows] == ["t1", "t3"]


def test_the_command_continues_an_interrupted_run_and_says_so(capsys, small_model, tmp_path):
    small_model.save(tmp_path / "model.safetensors")
    options = [str(tmp_path / "model.safetensors"), "--spacing", "4", "--workers", "1", "--count", "3"]
    targets = ["--volume-distribution", "normal:14,1"]
    assert main(["generate", *options, *targets, "--quiet", "--out", str(tmp_path / "whole")]) == 0
    folder = tmp_path / "cohort"
    assert main(["generate", *options, *targets, "--quiet", "--out", str(folder)]) == 0
    # As after a kill: two thyroids are in the manifest, and the distribution is already written.
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["thyroids"].pop()
    manifest.pop("distribution")
    (folder / "manifest.json").write_text(json.dumps({**manifest, "count": 2, "complete": False}))
    second = folder / "label_maps" / "t00002.nii.gz"
    kept = second.stat().st_mtime_ns, sha256_of(second)
    capsys.readouterr()

    assert main(["generate", *options, "--out", str(folder)]) == 1, "other options are another cohort"
    assert "already holds a generated cohort" in capsys.readouterr().err
    assert main(["generate", *options, *targets, "--out", str(folder)]) == 0

    assert "Continues an interrupted run, which made 2 thyroids." in capsys.readouterr().err
    assert (second.stat().st_mtime_ns, sha256_of(second)) == kept
    assert content(folder) == content(tmp_path / "whole")
