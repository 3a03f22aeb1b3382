"""Downloads from a local server that speaks Zenodo's API: resume, checksums, and files that must stay."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.zenodo_server import ZenodoServer, zenodo_server
from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.common.errors import Cancelled, InputError, OutputError
from ThyroidSynthLib.dataset.download import RECORDS, download, record_called

AUTHORS = RECORDS["authors"]
BIG = np.random.default_rng(0).integers(256, size=1_500_000, dtype=np.uint8).tobytes()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


INSIDE = {"set/ply/00001.ply": b"ply", "set/sdf/00001.npz": b"npz" * 999, "set/features.csv": b"id\n"}


@pytest.fixture
def server() -> Iterator[ZenodoServer]:
    files = {"data.zip": zipped({**INSIDE, "__MACOSX/set/._x": b"junk"}), "big.bin": BIG, "empty.txt": b""}
    with zenodo_server(AUTHORS.number, files) as running:
        yield running


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_are_received_checked_and_unpacked(server: ZenodoServer, tmp_path: Path) -> None:
    shares = []
    found = download(AUTHORS, tmp_path / "d", base_url=server.url, progress=lambda share, text: shares.append(share))
    here = files_in(tmp_path / "d")
    here.pop("download.json")

    assert here == {**INSIDE, "big.bin": BIG, "empty.txt": b""}
    assert found.files == 5 and found.received_bytes == len(BIG) + len(server.files["data.zip"])
    assert shares == sorted(shares) and shares[-1] == 1 and any(0.1 < share < 0.9 for share in shares)


def test_a_complete_download_requests_nothing(server: ZenodoServer, tmp_path: Path) -> None:
    download(AUTHORS, tmp_path / "d", base_url=server.url)
    server.requests.clear()

    assert download(AUTHORS, tmp_path / "d", base_url=server.url).received_bytes == 0
    assert server.requests == []


def test_a_file_that_was_removed_is_received_again(server: ZenodoServer, tmp_path: Path) -> None:
    download(AUTHORS, tmp_path / "d", base_url=server.url)
    (tmp_path / "d" / "set" / "features.csv").unlink()

    assert download(AUTHORS, tmp_path / "d", base_url=server.url).received_bytes == len(server.files["data.zip"])
    assert files_in(tmp_path / "d")["set/features.csv"] == b"id\n"


def test_a_lost_connection_is_continued_where_it_ended(server: ZenodoServer, tmp_path: Path) -> None:
    server.files = {"big.bin": BIG}
    server.cuts = [600_000, 300_000]
    download(AUTHORS, tmp_path / "d", base_url=server.url)

    assert (tmp_path / "d" / "big.bin").read_bytes() == BIG
    starts = [int(part.removeprefix("bytes=").rstrip("-")) for _, part in server.requests if part]
    assert len(starts) == 2 and 0 < starts[0] <= 600_000 and starts[0] < starts[1] <= 900_000


def test_an_interrupted_download_continues_in_the_next_call(server: ZenodoServer, tmp_path: Path) -> None:
    server.files = {"big.bin": BIG}
    folder, seen = tmp_path / "d", []
    with pytest.raises(Cancelled):
        download(
            AUTHORS,
            folder,
            base_url=server.url,
            progress=lambda share, text: seen.append(share),
            should_stop=lambda: bool(seen) and seen[-1] > 0.3,
        )
    partial = (folder / "big.bin.part").stat().st_size
    assert 0 < partial < len(BIG) and not (folder / "big.bin").exists()
    server.requests.clear()
    found = download(AUTHORS, folder, base_url=server.url)

    assert (f"/api/records/{AUTHORS.number}/files/big.bin/content", f"bytes={partial}-") in server.requests
    assert found.received_bytes == len(BIG) - partial and (folder / "big.bin").read_bytes() == BIG


@pytest.mark.parametrize("ranges", [True, False])
def test_a_partial_file_of_another_version_is_received_anew(server: ZenodoServer, tmp_path: Path, ranges: bool) -> None:
    server.files, server.ranges, server.cuts = {"big.bin": BIG}, ranges, [400_000, 0, 0, 0, *([] if ranges else [0])]
    with pytest.raises(InputError, match="it continues"):
        download(AUTHORS, tmp_path / "d", base_url=server.url)
    partial = tmp_path / "d" / "big.bin.part"
    partial.write_bytes(b"x" * 300_000)
    download(AUTHORS, tmp_path / "d", base_url=server.url)

    assert (tmp_path / "d" / "big.bin").read_bytes() == BIG


def test_a_partial_file_that_is_too_long_is_received_anew(server: ZenodoServer, tmp_path: Path) -> None:
    server.files, server.cuts = {"big.bin": BIG}, [100, 0, 0, 0]
    with pytest.raises(InputError):
        download(AUTHORS, tmp_path / "d", base_url=server.url)
    (tmp_path / "d" / "big.bin.part").write_bytes(BIG + b"more")
    download(AUTHORS, tmp_path / "d", base_url=server.url)

    assert (tmp_path / "d" / "big.bin").read_bytes() == BIG


def test_a_wrong_checksum_is_refused_and_nothing_of_it_kept(server: ZenodoServer, tmp_path: Path) -> None:
    server.checksums = {"big.bin": f"md5:{'0' * 32}"}
    with pytest.raises(InputError, match=r"another checksum.*big\.bin"):
        download(AUTHORS, tmp_path / "d", base_url=server.url)

    assert not list((tmp_path / "d").glob("big.bin*"))


def test_files_of_the_user_are_never_replaced(server: ZenodoServer, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files"):
        download(AUTHORS, tmp_path / "mine", base_url=server.url)
    server.cuts = [100, 0, 0, 0]
    folder = tmp_path / "d"
    with pytest.raises(InputError):
        download(AUTHORS, folder, base_url=server.url)
    (folder / "set").mkdir()
    (folder / "set" / "features.csv").write_text("mine")
    (folder / "big.bin").write_text("mine")
    for _ in range(2):
        with pytest.raises(OutputError, match=r"features\.csv is there with other content"):
            download(AUTHORS, folder, base_url=server.url)
    (folder / "set" / "features.csv").unlink()
    with pytest.raises(OutputError, match=r"big\.bin is there with other content"):
        download(AUTHORS, folder, base_url=server.url)

    assert (folder / "big.bin").read_text() == "mine"


def test_the_folder_of_another_record_is_refused(server: ZenodoServer, tmp_path: Path) -> None:
    download(AUTHORS, tmp_path / "d", base_url=server.url)
    with pytest.raises(OutputError, match="belongs to another download"):
        download(RECORDS["totalsegmentator-subset"], tmp_path / "d", base_url=server.url)


def link(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    "name", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "..\\out.txt", "C:\\out.txt", link("a")]
)
def test_an_archive_never_leaves_its_folder(server: ZenodoServer, tmp_path: Path, name) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, "/etc")
    server.files = {"data.zip": stream.getvalue()}
    with pytest.raises(InputError, match="outside of its folder"):
        download(AUTHORS, tmp_path / "deep" / "d", base_url=server.url)

    assert not list(tmp_path.rglob("out.txt"))


def test_a_damaged_archive_is_refused_by_name(server: ZenodoServer, tmp_path: Path) -> None:
    server.files = {"data.zip": zipped(INSIDE)[:-40]}
    with pytest.raises(InputError, match=r"data\.zip is damaged"):
        download(AUTHORS, tmp_path / "d", base_url=server.url)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"files": []}, "describes no files"),
        ({"files": None}, "did not answer"),
        ({"files": [{"key": "a"}]}, "did not answer"),
        ({"files": [{"key": "../a", "size": 1, "checksum": "md5:" + "0" * 32}]}, "impossible name"),
        ({"files": [{"key": "a", "size": 1, "checksum": "sha1:" + "0" * 40}]}, "no MD5"),
        (
            {"files": [{"key": "a", "size": 1, "checksum": "0" * 32, "links": {"self": "file:///etc/passwd"}}]},
            "not one of a server",
        ),
        ({"files": [{"key": "a", "size": -1, "checksum": "0" * 32}]}, "size of a"),
    ],
)
def test_an_impossible_description_is_refused(server: ZenodoServer, tmp_path: Path, changed, fault: str) -> None:
    server.changed = changed
    with pytest.raises(InputError, match=fault):
        download(AUTHORS, tmp_path / "d", base_url=server.url)
    assert not (tmp_path / "d").exists()


def test_other_forms_of_the_description_are_read(server: ZenodoServer, tmp_path: Path) -> None:
    entry = server.description()["files"][1]
    path = f"/api/records/{AUTHORS.number}/files/big.bin/content"
    old = {"filename": "big.bin", "filesize": len(BIG), "checksum": entry["checksum"][4:], "links": {"download": path}}
    plain = {"key": "big.bin", "size": len(BIG), "checksum": entry["checksum"]}
    for number, files in enumerate(([old], {"enabled": True, "entries": {"big.bin": plain}})):
        server.changed = {"files": files}
        download(AUTHORS, tmp_path / str(number), base_url=server.url)
        assert (tmp_path / str(number) / "big.bin").read_bytes() == BIG


@pytest.mark.parametrize(("status", "fault"), [(404, "404"), (429, "Wait a minute"), (500, "500")])
def test_an_answer_with_an_error_is_named(server: ZenodoServer, tmp_path: Path, status: int, fault: str) -> None:
    server.status = status
    with pytest.raises(InputError, match=fault) as raised:
        download(AUTHORS, tmp_path / "d", base_url=server.url)
    assert server.url in str(raised.value)


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9/.*cannot be reached.*Check the network"):
        download(AUTHORS, tmp_path / "d", base_url="http://127.0.0.1:9")
    for url in ("file:///etc", "zenodo.org", ""):
        with pytest.raises(InputError, match="not the address of a server"):
            download(AUTHORS, tmp_path / "d", base_url=url)
    with pytest.raises(InputError, match="no data set 'x'"):
        record_called("x")


def test_the_command_downloads(server: ZenodoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["download", "authors", "--out", str(tmp_path / "d"), "--base-url", server.url, "--quiet"]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == 5
    assert main(command) == 0
    assert "nothing was missing" in capsys.readouterr().out
