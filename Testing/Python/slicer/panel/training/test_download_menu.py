"""Public data are downloaded from a menu of the tab Train."""

from __future__ import annotations

import io
import zipfile

from support.zenodo_server import zenodo_server
from ThyroidSynthLib.dataset.download import RECORDS


def test_the_data_are_downloaded_and_chosen(hands, tmp_path, monkeypatch):
    import qt

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("s0001/ct.nii.gz", b"ct")
    record = RECORDS["totalsegmentator-subset"]
    hands.open("train")
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_arguments: str(tmp_path / "data"))
    with zenodo_server(record.number, {"subset.zip": packed.getvalue()}) as server:
        hands.module.widget.panel.train.download.baseUrl = server.url
        (action,) = (
            each for each in hands.downloadDataButton.menu().actions() if each.objectName == f"{record.name}Action"
        )
        action.trigger()
        hands.app.process_events()
    assert (tmp_path / "data" / "s0001" / "ct.nii.gz").read_bytes() == b"ct"
    assert hands.parameters.trainingData == tmp_path / "data"
    assert "downloaded" in hands.statusLabel.text
