"""One command reproduces the paper, from the download to its figures and numbers, here on a small set of its form."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.authors_files import write_authors_set
from support.page_tags import check_page
from support.zenodo_server import zenodo_server
from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.common.errors import Cancelled, InputError, JobError, OutputError
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.evaluation.reproduction import PAPER, ReproductionOptions, comparison_rows, reproduce
from ThyroidSynthLib.model.presets import PRESETS
from ThyroidSynthLib.model.trained_model import TrainedModel

QUICK = ("--preset", "fast", "--epochs", "150", "--count", "3", "--device", "cpu", "--quiet")


@pytest.fixture(scope="module", autouse=True)
def small_networks() -> Iterator[None]:
    """Make the preset train a small network, which takes a second instead of a minute."""
    with pytest.MonkeyPatch.context() as patch:
        small = {"hidden_width": 48, "latent_size": 8, "learning_rate": 3e-3, "latent_learning_rate": 3e-3}
        patch.setitem(PRESETS, "fast", small)
        yield


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The published set as one archive, as it is downloaded."""
    folder = tmp_path_factory.mktemp("set")
    made = write_authors_set(folder / "thyroids", cases=4, samples=500)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for path in sorted(made.folder.rglob("*.*")):
            packed.write(path, path.relative_to(folder).as_posix())
    return stream.getvalue()


@pytest.fixture(scope="module")
def reproduced(archive: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reproduction") / "out"
    with zenodo_server(15100852, {"thyroids.zip": archive}) as server:
        assert main(["reproduce", "--out", str(out), "--base-url", server.url, *QUICK]) == 0
    return out


def test_every_number_of_the_paper_stands_beside_a_measured_one(reproduced: Path) -> None:
    document = json.loads((reproduced / "reproduction.json").read_text())
    rows = {(row["measure"], row["variant"]): row for row in document["rows"]}

    assert len(rows) == 3 + sum(len(number.published) for number in PAPER) == 18
    assert all(row["measured"] is not None for row in rows.values())
    chamfer = rows["Chamfer distance of training cases, authors' definition", "correlation"]
    assert (chamfer["published"], chamfer["published_sd"]) == (1.60, 0.06)
    evaluation = json.loads((reproduced / "correlation" / "seed0" / "evaluation" / "evaluation.json").read_text())
    assert chamfer["measured"] == evaluation["reconstruction"]["chamfer_mm"]["mean"]
    assert chamfer["measured_sd"] == evaluation["reconstruction"]["chamfer_mm"]["sd"]
    pcc = rows["PCC of target and measured volume, direct sampling", "fixed"]
    assert pcc["published"] == 0.98 and -1 <= pcc["measured"] <= 1
    assert next(csv.DictReader((reproduced / "table.csv").open()))["measured"].startswith("44.75")
    assert "not those of the published method" in document["notes"][0]


def test_the_three_figures_and_the_page_are_there(reproduced: Path) -> None:
    from matplotlib.image import imread

    heights = []
    for number in (2, 3, 4):
        picture = imread(reproduced / f"figure{number}.png")[..., :3]
        heights.append(len(picture))
        assert picture.std() > 0.05
    single = imread(reproduced / "fixed" / "seed0" / "evaluation" / "figures" / "agreement_of_direct_sampling.png")
    assert heights[1] == 2 * len(single)
    page = (reproduced / "reproduction.html").read_text(encoding="utf-8")
    check_page(page)
    assert page.count("<img ") == 3 and "1.60 ± 0.06" in page


def test_all_cases_are_trained_on_in_the_three_variants(reproduced: Path) -> None:
    for variant in ("baseline", "fixed", "correlation"):
        model = TrainedModel.load(reproduced / variant / "seed0" / "model.safetensors")
        assert model.variant == variant and len(model.ids) == 4 and model.frame.alignment == "trachea"


def test_the_same_command_computes_nothing_again(reproduced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = {path: path.stat().st_mtime_ns for path in reproduced.rglob("model.safetensors")}
    before = json.loads((reproduced / "reproduction.json").read_text())

    # Nothing is looked up: there is no server at this address.
    assert main(["reproduce", "--out", str(reproduced), "--base-url", "http://127.0.0.1:9", *QUICK]) == 0
    assert models == {path: path.stat().st_mtime_ns for path in models}
    assert json.loads((reproduced / "reproduction.json").read_text()) == before
    assert "1.60 ± 0.06 mm" in capsys.readouterr().out


def test_other_options_and_other_folders_are_refused(reproduced: Path, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="its epochs is 150, not 151"):
        reproduce(reproduced, ReproductionOptions(preset="fast", epochs=151, count=3, device="cpu"))
    (tmp_path / "notes.txt").touch()
    with pytest.raises(OutputError, match="holds other files"):
        reproduce(tmp_path)
    with pytest.raises(InputError, match="no preset"):
        reproduce(tmp_path / "new", ReproductionOptions(preset="none"))
    with pytest.raises(OutputError, match="is an input"):
        reproduce(tmp_path, ReproductionOptions(authors=tmp_path))


def test_it_stops_and_leaves_what_it_has(archive: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        packed.extractall(tmp_path / "set")
    options = ReproductionOptions(authors=tmp_path / "set", preset="fast", epochs=150, count=3, device="cpu")
    seen: list[float] = []
    with pytest.raises(Cancelled):
        reproduce(
            tmp_path / "out",
            options,
            progress=lambda share, text: seen.append(share),
            should_stop=lambda: bool(seen) and seen[-1] > 0.06,
        )
    assert len(Cohort.open(tmp_path / "out" / "cohort").ids) == 4
    assert not (tmp_path / "out" / "reproduction.json").exists()


def test_numbers_that_were_not_measured_are_empty(reproduced: Path) -> None:
    rows = comparison_rows(Cohort.open(reproduced / "cohort"), {"fixed": {"reconstruction": {}}})

    assert sum(row["measured"] is not None for row in rows) == 3
    extents = [row["measured"] for row in rows[:3]]
    # With the published scale the mean extents are those of the paper, along the axes of the paper.
    np.testing.assert_allclose(extents, [44.75, 29.32, 52.18], rtol=1e-4)
