"""Cross-validation holds out every case once, continues after an interruption, and summarises all runs."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest

from support.page_tags import check_page
from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.cli.commands.cross_validate import summary_lines
from ThyroidSynthLib.common.errors import Cancelled, InputError, JobError, OutputError
from ThyroidSynthLib.common.files import sha256_of, write_json
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.evaluation.comparison import cross_validation
from ThyroidSynthLib.evaluation.comparison.compare import read_evaluations
from ThyroidSynthLib.evaluation.comparison.cross_validation import cross_validate
from ThyroidSynthLib.evaluation.comparison.cross_validation_report import spread_of
from ThyroidSynthLib.evaluation.comparison.runs import CrossValidationOptions, runs_of
from ThyroidSynthLib.evaluation.experiments.evaluation import EvaluationOptions
from ThyroidSynthLib.evaluation.metrics.headline import MEASURE_BY_KEY
from ThyroidSynthLib.evaluation.report.document import FORMAT_VERSION
from ThyroidSynthLib.evaluation.report.inspection import as_text, describe
from ThyroidSynthLib.generation.steer.calibration import calibrated
from ThyroidSynthLib.model.trained_model import TrainedModel
from ThyroidSynthLib.training.loop import train

FOLDS = CrossValidationOptions(folds=2, seeds=(0, 1), epochs=1, device="cpu")
EXTENT = EvaluationOptions(count=2)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny_cohort(tmp_path_factory.mktemp("cohorts") / "tiny", cases=5, samples_per_shape=200)


class Recorder:
    """A small training and a fake evaluation that record their calls."""

    def __init__(self) -> None:
        self.trained: list[int] = []
        self.evaluated: list[str] = []

    def train(self, cohort, settings, **how):
        self.trained.append(settings.seed)
        small = replace(settings, samples_per_shape=20, hidden_layers=1, hidden_width=8)
        return train(cohort, small, **how)

    def evaluate(self, job, cohort, options, progress, should_stop) -> None:
        self.evaluated.append(job.path.name)
        held_out = len(job.read_config()["held_out_ids"])
        document = {
            "kind": "evaluation",
            "format_version": FORMAT_VERSION,
            "model": {"checksum": sha256_of(job.model_file)},
            "options": asdict(options),
            "reconstruction_held_out": {"dice": {"mean": 0.9 + 0.01 * held_out}},
            "validity": {"share_of_draws": 0.95},
        }
        write_json(job.path / "evaluation" / "evaluation.json", document)

    def run(self, cohort, folder, options=FOLDS, extent=EXTENT, **more):
        return cross_validate(cohort, folder, options, extent, train=self.train, evaluate=self.evaluate, **more)


def test_every_case_is_held_out_once_by_each_seed(cohort: Cohort) -> None:
    runs = runs_of(cohort, FOLDS)
    assert [run.name for run in runs] == ["fold1_seed0", "fold2_seed0", "fold1_seed1", "fold2_seed1"]
    for seed in (0, 1):
        held_out = [case_id for run in runs if run.seed == seed for case_id in run.held_out]
        assert sorted(held_out) == list(cohort.ids)


def test_runs_with_one_fold_share_their_held_out_cases(cohort: Cohort) -> None:
    runs = runs_of(cohort, CrossValidationOptions(folds=1, seeds=(3, 4, 3), held_out=0.4))
    assert [run.name for run in runs] == ["seed3", "seed4"]
    assert runs[0].held_out == runs[1].held_out and len(runs[0].held_out) == 2
    for wrong in ({"folds": 2, "held_out": 0.2}, {"seeds": ()}, {"folds": 9}):
        with pytest.raises(InputError):
            runs_of(cohort, CrossValidationOptions(**wrong))


def test_all_runs_are_summarised_in_the_document_the_tables_and_the_page(cohort: Cohort, tmp_path: Path) -> None:
    folder = tmp_path / "cv"
    reports: list[tuple[float, str]] = []

    document = Recorder().run(cohort, folder, progress=lambda fraction, message: reports.append((fraction, message)))

    assert document == json.loads((folder / "cross_validation.json").read_text())
    assert document["complete"] and len(document["runs"]) == 4
    dice = next(each for each in document["measures"] if each["key"] == "held_out_dice")
    assert dice["count"] == 4 and dice["mean"] == pytest.approx(0.925)
    measure = MEASURE_BY_KEY["held_out_dice"]
    (compared,) = read_evaluations([folder])
    assert (compared.name, compared.value(measure), compared.sd(measure)) == ("cv", dice["mean"], dice["sd"])
    assert dice["sd"] == pytest.approx(0.01 / 3**0.5) and dice["sd_seeds"] == pytest.approx(0)
    for run in document["runs"]:
        model = TrainedModel.load(folder / run["name"] / "model.safetensors")
        assert set(model.ids) == set(cohort.ids) - set(run["held_out"]) and model.checksum == run["model_checksum"]
    rows = list(csv.DictReader((folder / "runs.csv").open()))
    assert [row["name"] for row in rows] == [run["name"] for run in document["runs"]]
    assert {row["key"] for row in csv.DictReader((folder / "measures.csv").open())} == {"held_out_dice", "valid_share"}
    page = (folder / "report.html").read_text()
    check_page(page)
    assert "0.925 ± 0.006" in page and "Synthetic cohort" in page and "95.0% ± 0.0" in page
    assert page.count("<circle") == 8 and "http" not in page and "Not finished" not in page
    assert [fraction for fraction, _ in reports] == sorted(fraction for fraction, _ in reports)
    assert reports[-1][0] == 1.0 and any("Run 2 of 4, fold2_seed0: " in message for _, message in reports)
    assert summary_lines(document) == [
        "  Fit of held-out cases, model alone, Dice at 1.5 mm: 0.925 ± 0.006",
        "  Validity, valid surfaces, of all draws: 95.0% ± 0.0%",
    ]
    text = as_text(describe(folder))
    assert "cross-validation" in text and "held_out_dice" in text and "0.925 ± 0.00577" in text


def test_a_later_call_continues_and_accepts_more_seeds(cohort: Cohort, tmp_path: Path) -> None:
    folder, first = tmp_path / "cv", Recorder()
    with pytest.raises(Cancelled):
        first.run(cohort, folder, should_stop=lambda: len(first.evaluated) == 1)
    half = json.loads((folder / "cross_validation.json").read_text())
    assert (half["complete"], len(half["runs"]), half["planned"]) == (False, 1, 4)
    assert "1 of 4 runs are done" in (folder / "report.html").read_text()

    second = Recorder()
    assert second.run(cohort, folder)["complete"]
    assert second.evaluated == ["fold2_seed0", "fold1_seed1", "fold2_seed1"] and len(second.trained) == 3
    third = Recorder()
    assert len(third.run(cohort, folder, replace(FOLDS, seeds=(0, 1, 7)))["runs"]) == 6
    assert third.trained == [7, 7]


def test_other_evaluation_options_evaluate_again_without_training(cohort: Cohort, tmp_path: Path) -> None:
    folder = tmp_path / "cv"
    one = replace(FOLDS, folds=1, seeds=(0,), held_out=1.0)
    Recorder().run(cohort, folder, one)
    again = Recorder()
    document = again.run(cohort, folder, one, replace(EXTENT, count=3))
    assert again.trained == [] and again.evaluated == ["seed0"]
    assert document["measures"][0]["sd"] is None and "<h1>Cross-validation of a fixed" in page_of(folder)


def test_an_evaluation_of_another_format_version_is_evaluated_again(cohort: Cohort, tmp_path: Path) -> None:
    one = replace(FOLDS, folds=1, seeds=(0,), held_out=1.0)
    Recorder().run(cohort, tmp_path / "cv", one)
    file = tmp_path / "cv" / "seed0" / "evaluation" / "evaluation.json"
    write_json(file, {**json.loads(file.read_text()), "format_version": FORMAT_VERSION - 1})
    again = Recorder()
    again.run(cohort, tmp_path / "cv", one)
    assert again.trained == [] and again.evaluated == ["seed0"]


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text()


def test_other_folders_and_other_options_are_refused(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files"):
        Recorder().run(cohort, tmp_path / "thesis")

    folder, one = tmp_path / "cv", replace(FOLDS, folds=1, seeds=(0,))
    Recorder().run(cohort, folder, one)
    with pytest.raises(JobError, match="its epochs is 1, not 2"):
        Recorder().run(cohort, folder, replace(one, epochs=2))
    with pytest.raises(JobError, match="its held_out is 0, not 40%"):
        Recorder().run(cohort, folder, replace(one, held_out=0.4))
    with pytest.raises(JobError, match="its activation is relu, not siren"):
        Recorder().run(cohort, folder, replace(one, activation="siren"))


def test_sine_units_are_trained_in_every_run(cohort: Cohort, tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.run(cohort, tmp_path / "cv", replace(FOLDS, folds=1, activation="siren", omega=20.0))

    plan = json.loads((tmp_path / "cv" / "plan.json").read_text())
    assert (plan["settings"]["activation"], plan["settings"]["omega"]) == ("siren", 20.0)
    model = TrainedModel.load(tmp_path / "cv" / "seed0" / "model.safetensors")
    assert model.network.omega == 20.0


def test_a_trained_model_is_evaluated_on_its_held_out_cases(tmp_path: Path, monkeypatch) -> None:
    # Figures and calibration have their own tests and take longer than the rest.
    monkeypatch.setattr("ThyroidSynthLib.evaluation.report.report.illustrate", lambda evaluation: {})
    monkeypatch.setattr(cross_validation, "calibrated", partial(calibrated, draws=40))
    cohort = write_tiny_cohort(tmp_path / "cohort", cases=4, samples_per_shape=1000)

    def small(part, settings, **how):
        choices = {"samples_per_shape": 400, "hidden_layers": 2, "hidden_width": 64, "latent_size": 6}
        return train(part, replace(settings, **choices, mirrored_size=2), **how)

    options = CrossValidationOptions(folds=1, seeds=(0,), held_out=1.0, epochs=150, device="cpu")
    extent = EvaluationOptions(cases=1, count=2, to_target=1, moves=0, gallery=0, permutations=5, resolution=32)
    document = cross_validate(cohort, tmp_path / "cv", options, extent, train=small)

    (run,) = document["runs"]
    evaluation = json.loads((tmp_path / "cv" / "seed0" / "evaluation" / "evaluation.json").read_text())
    assert evaluation["reconstruction_held_out"]["cases"] == len(run["held_out"]) == 1
    assert run["measures"]["held_out_dice"] > 0.5 and run["measures"]["training_assd_mm"] < 5
    assert (tmp_path / "cv" / "seed0" / "evaluation" / "report.html").is_file()

    # As after an evaluation by an earlier version.
    document = tmp_path / "cv" / "seed0" / "evaluation" / "evaluation.json"
    document.write_text(json.dumps({**json.loads(document.read_text()), "format_version": 0}))
    (tmp_path / "cv" / "seed0" / "evaluation" / "notes.txt").write_text("mine")
    again = cross_validate(cohort, tmp_path / "cv", options, extent, train=small)
    assert again["runs"][0]["measures"]["held_out_dice"] == run["measures"]["held_out_dice"]
    assert (tmp_path / "cv" / "seed0" / "evaluation" / "notes.txt").read_text() == "mine"


def test_the_spread_is_computed_over_the_runs_with_a_value() -> None:
    found = spread_of([1.0, None, 2.0, 3.0], [1, 2, 3, 4])
    assert (found.count, found.mean, found.sd, found.low, found.high) == (3, 2.0, 1.0, 1.0, 3.0)
    assert found.sd_folds is None and found.sd_seeds is None


def test_the_sd_of_folds_and_of_seeds_are_separate() -> None:
    folds, seeds = [1, 2, 1, 2], [10.0, 20.0, 12.0, 22.0]
    found = spread_of(seeds, folds)
    assert found.sd_folds == pytest.approx(50**0.5)  # of the folds' means 11 and 21
    assert found.sd_seeds == pytest.approx(2**0.5)
    only_seeds = spread_of([1.0, 2.0], [1, 1])
    assert only_seeds.sd_folds is None and only_seeds.sd == pytest.approx(0.5**0.5)


def test_one_run_has_no_sd_and_no_run_has_no_spread() -> None:
    assert spread_of([4.0], [1]).sd is None
    assert spread_of([None], [1]) is None
