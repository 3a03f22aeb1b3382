"""A server on this machine that speaks as much of Zenodo's API as a download needs, and that can fail."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class ZenodoServer:
    """A record with its files.

    Attributes
    ----------
    files : dict of str to bytes
    cuts : list of int
        After how many bytes each of the next transfers breaks off.
    ranges : bool
        Whether parts of files can be requested.
    checksums : dict of str to str
        Checksums to state instead of the right ones.
    requests : list of (path, value of the header Range)
    changed : callable or dict
        Entries of the record's description to replace.
    """

    number: int
    files: dict[str, bytes]
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    checksums: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    changed: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    url: str = ""

    def description(self) -> dict[str, Any]:
        """Return what Zenodo answers at ``/api/records/NUMBER``."""
        address = f"{self.url}/api/records/{self.number}"
        files = [
            {
                "id": hashlib.md5(name.encode()).hexdigest(),
                "key": name,
                "size": len(content),
                "checksum": self.checksums.get(name, f"md5:{hashlib.md5(content).hexdigest()}"),
                "links": {"self": f"{address}/files/{name}/content"},
            }
            for name, content in self.files.items()
        ]
        return {"id": self.number, "doi": f"10.5281/zenodo.{self.number}", "files": files, **self.changed}


@contextmanager
def zenodo_server(number: int, files: dict[str, bytes]) -> Iterator[ZenodoServer]:
    """Run a server on a free port while the block lasts."""
    record = ZenodoServer(number, files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            record.requests.append((self.path, self.headers.get("Range", "")))
            if record.status != 200:
                self._send(record.status, b"{}", {})
                return
            if self.path == f"/api/records/{record.number}":
                self._send(200, json.dumps(record.description()).encode(), {"Content-Type": "application/json"})
                return
            found = re.fullmatch(rf"/api/records/{record.number}/files/([^/]+)/content", self.path)
            if found is None or found[1] not in record.files:
                self._send(404, b'{"message": "not found"}', {})
                return
            content, status, headers = record.files[found[1]], 200, {}
            part = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if part and record.ranges:
                start = int(part[1])
                if start >= len(content):
                    self._send(416, b"", {})
                    return
                headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
                content, status = content[start:], 206
            self._send(status, content, headers, cut=record.cuts.pop(0) if record.cuts else None)

        def _send(self, status: int, content: bytes, headers: dict[str, str], cut: int | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[:cut])
            if cut is not None:
                self.wfile.flush()
                self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    record.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield record
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
