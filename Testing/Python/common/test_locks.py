"""One process at a time writes to a folder; a killed one leaves no lock."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.disk import little_room
from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.locks import LOCK_FILE, locked_file, locked_folder

HOLD = """
import sys, time
from pathlib import Path
from ThyroidSynthLib.common.locks import locked_folder, locked_file
with locked_folder(Path(sys.argv[1])), locked_file(Path(sys.argv[1]) / "model.safetensors"):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "out")], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline().strip() == b"locked"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_refused_at_once_and_a_killed_one_leaves_no_lock(holder, tmp_path):
    out = tmp_path / "out"
    for _ in range(2):
        with pytest.raises(OutputError, match=r"process is writing .*out\. Choose another --out, or wait"):
            locked_folder(out).__enter__()
        with pytest.raises(OutputError, match=r"writing .*model\.safetensors\. Choose another file, or wait"):
            locked_file(out / "model.safetensors").__enter__()
    holder.kill()
    holder.wait()

    with locked_folder(out) as lock, locked_file(out / "model.safetensors"):
        assert lock == (True, True), "a killed process is noticed"
    assert list(out.iterdir()) == []
    with locked_folder(out) as lock:
        assert lock == (True, False)


def test_a_thread_may_lock_a_folder_again_and_another_thread_may_not(tmp_path):
    refused = []

    def other():
        try:
            with locked_folder(tmp_path / "link"):
                refused.append(False)
        except OutputError:
            refused.append(True)

    (tmp_path / "link").symlink_to(tmp_path)
    with locked_folder(tmp_path) as first, locked_folder(tmp_path) as again:
        assert (first.first, again.first) == (True, False)
        for _ in range(2):
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
    assert refused == [True, True] and list(tmp_path.iterdir()) == [tmp_path / "link"]


def test_new_folders_that_stay_empty_are_removed(tmp_path):
    with pytest.raises(KeyboardInterrupt), locked_folder(tmp_path / "a" / "b"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with locked_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "c").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["c"]


@pytest.mark.parametrize("link", [False, True])
def test_a_file_of_another_origin_is_not_taken_for_a_lock(tmp_path, link):
    own = tmp_path / ("notes.txt" if link else LOCK_FILE)
    own.write_text("a user's")
    if link:
        (tmp_path / LOCK_FILE).symlink_to(own)
    with pytest.raises(OutputError, match=rf"{LOCK_FILE} is"), locked_folder(tmp_path):
        pass
    assert own.read_text() == "a user's"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs permission bits that hold for the user")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(OutputError, match=r"cannot be written.*Choose a writable folder"), locked_folder(tmp_path):
            pass
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that holds no files")
@pytest.mark.parametrize("folder", ["/proc", "/proc/out"])
def test_a_disk_that_cannot_be_written_is_refused(folder):
    with pytest.raises(OutputError, match=r"/proc.* cannot be written"), locked_folder(Path(folder)):
        pass


def test_many_processes_never_hold_a_lock_together(tmp_path):
    code = """
import sys, time
from pathlib import Path
from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.locks import locked_folder
out, held = Path(sys.argv[1]), 0
while held < 50:
    try:
        with locked_folder(out / "new"):
            (out / "busy").mkdir()
            (out / "busy").rmdir()
            held += 1
    except OutputError:
        pass
"""
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    # The folder itself may stay if two of them shared it.
    assert not any(path.is_file() for path in Path(tmp_path).rglob("*"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files")
def test_a_full_disk_is_noticed_before_the_work(tmp_path):
    with little_room(0), pytest.raises(OutputError, match=r"out cannot be written: the disk is full"):
        locked_folder(tmp_path / "out").__enter__()
    assert list(tmp_path.iterdir()) == []
