"""Cross-validation holds every case out once, goes on where it was, and sums all runs up."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.cli.commands.cross_validate import summary_lines
from ThyroidSynthLib.common.errors import Cancelled, InputError, JobError, OutputError
from ThyroidSynthLib.common.files import sha256_of, write_json
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.evaluation.comparison.cross_validation import cross_validate
from ThyroidSynthLib.evaluation.comparison.runs import CrossValidationOptions, runs_of
from ThyroidSynthLib.evaluation.experiments.options import EvaluationOptions
from ThyroidSynthLib.evaluation.report.inspection import as_text, describe
from ThyroidSynthLib.model.shape_model import ShapeModel
from ThyroidSynthLib.training.loop import train

FOLDS = CrossValidationOptions(folds=2, seeds=(0, 1), epochs=1, device="cpu")
AMOUNT = EvaluationOptions(count=2)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_tiny_cohort(tmp_path_factory.mktemp("cohorts") / "tiny", cases=5, samples_per_shape=200)


class Hands:
    """A small training and an evaluation without one; they count what they are asked for."""

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
            "model": {"checksum": sha256_of(job.model_file)},
            "options": asdict(options),
            "reconstruction_held_out": {"dice": {"mean": 0.9 + 0.01 * held_out}},
            "validity": {"share_of_draws": 0.95},
        }
        write_json(job.path / "evaluation" / "evaluation.json", document)

    def run(self, cohort, folder, options=FOLDS, amount=AMOUNT, **more):
        return cross_validate(cohort, folder, options, amount, train=self.train, evaluate=self.evaluate, **more)


def test_every_case_is_held_out_once_by_each_seed(cohort: Cohort) -> None:
    runs = runs_of(cohort, FOLDS)
    assert [run.name for run in runs] == ["fold1_seed0", "fold2_seed0", "fold1_seed1", "fold2_seed1"]
    for seed in (0, 1):
        held_out = [case_id for run in runs if run.seed == seed for case_id in run.held_out]
        assert sorted(held_out) == list(cohort.ids)


def test_seeds_alone_share_their_held_out_cases(cohort: Cohort) -> None:
    runs = runs_of(cohort, CrossValidationOptions(folds=1, seeds=(3, 4, 3), held_out=0.4))
    assert [run.name for run in runs] == ["seed3", "seed4"]
    assert runs[0].held_out == runs[1].held_out and len(runs[0].held_out) == 2
    for wrong in ({"folds": 2, "held_out": 0.2}, {"seeds": ()}, {"folds": 9}):
        with pytest.raises(InputError):
            runs_of(cohort, CrossValidationOptions(**wrong))


def test_all_runs_are_summed_up_for_people_and_programs(cohort: Cohort, tmp_path: Path) -> None:
    folder, hands = tmp_path / "cv", Hands()
    told: list[tuple[float, str]] = []

    document = hands.run(cohort, folder, progress=lambda *how_far: told.append(how_far))

    assert document == json.loads((folder / "cross_validation.json").read_text())
    assert document["complete"] and len(document["runs"]) == 4
    dice = next(each for each in document["measures"] if each["key"] == "held_out_dice")
    assert dice["count"] == 4 and dice["mean"] == pytest.approx(0.925)
    assert dice["sd"] == pytest.approx(0.01 / 3**0.5) and dice["sd_seeds"] == pytest.approx(0)
    for run in document["runs"]:
        model = ShapeModel.load(folder / run["name"] / "model.safetensors")
        assert set(model.ids) == set(cohort.ids) - set(run["held_out"]) and model.checksum == run["model_checksum"]
    rows = list(csv.DictReader((folder / "runs.csv").open()))
    assert [row["name"] for row in rows] == [run["name"] for run in document["runs"]]
    assert {row["key"] for row in csv.DictReader((folder / "measures.csv").open())} == {"held_out_dice", "valid_share"}
    page = (folder / "report.html").read_text()
    assert "0.925 ± 0.006" in page and "Synthetic cohort" in page and "95.0% ± 0.0" in page
    assert page.count("<circle") == 8 and "http" not in page and "Not finished" not in page
    assert [fraction for fraction, _ in told] == sorted(fraction for fraction, _ in told)
    assert told[-1][0] == 1.0 and any("Run 2 of 4, fold2_seed0: " in message for _, message in told)
    assert summary_lines(document) == [
        "  Fit of held-out cases, model alone, Dice at 1.5 mm: 0.925 ± 0.006",
        "  Validity, sound surfaces, of all draws: 95.0% ± 0.0%",
    ]
    text = as_text(describe(folder))
    assert "cross-validation" in text and "held_out_dice" in text and "0.925 ± 0.00577" in text


def test_it_goes_on_where_it_was_and_takes_more_seeds(cohort: Cohort, tmp_path: Path) -> None:
    folder, first = tmp_path / "cv", Hands()
    with pytest.raises(Cancelled):
        first.run(cohort, folder, should_stop=lambda: len(first.evaluated) == 1)
    half = json.loads((folder / "cross_validation.json").read_text())
    assert (half["complete"], len(half["runs"]), half["planned"]) == (False, 1, 4)
    assert "1 of 4 runs are done" in (folder / "report.html").read_text()

    second = Hands()
    assert second.run(cohort, folder)["complete"]
    assert second.evaluated == ["fold2_seed0", "fold1_seed1", "fold2_seed1"] and len(second.trained) == 3
    third = Hands()
    assert len(third.run(cohort, folder, replace(FOLDS, seeds=(0, 1, 7)))["runs"]) == 6
    assert third.trained == [7, 7]


def test_another_amount_of_evaluation_evaluates_anew_and_trains_nothing(cohort: Cohort, tmp_path: Path) -> None:
    folder = tmp_path / "cv"
    one = replace(FOLDS, folds=1, seeds=(0,), held_out=1.0)
    Hands().run(cohort, folder, one)
    again = Hands()
    document = again.run(cohort, folder, one, replace(AMOUNT, count=3))
    assert again.trained == [] and again.evaluated == ["seed0"]
    assert document["measures"][0]["sd"] is None and "<h1>Cross-validation of a fixed" in page_of(folder)


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text()


def test_a_folder_of_something_else_is_left_alone(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files"):
        Hands().run(cohort, tmp_path / "thesis")

    folder, one = tmp_path / "cv", replace(FOLDS, folds=1, seeds=(0,))
    Hands().run(cohort, folder, one)
    with pytest.raises(JobError, match="its epochs is 1, not 2"):
        Hands().run(cohort, folder, replace(one, epochs=2))
    with pytest.raises(JobError, match="its held_out is 0, not 40%"):
        Hands().run(cohort, folder, replace(one, held_out=0.4))


def test_a_real_run_is_evaluated_on_the_cases_its_model_has_not_seen(tmp_path: Path, monkeypatch) -> None:
    # Figures have tests of their own, and take longer than all the rest.
    monkeypatch.setattr("ThyroidSynthLib.evaluation.report.report.illustrate", lambda evaluation: {})
    cohort = write_tiny_cohort(tmp_path / "cohort", cases=4, samples_per_shape=1000)

    def small(part, settings, **how):
        choices = {"samples_per_shape": 400, "hidden_layers": 2, "hidden_width": 64, "latent_size": 6}
        return train(part, replace(settings, **choices, mirrored_size=2), **how)

    options = CrossValidationOptions(folds=1, seeds=(0,), held_out=1.0, epochs=150, device="cpu")
    amount = EvaluationOptions(cases=1, count=2, to_target=1, moves=0, gallery=0, permutations=5, resolution=32)
    document = cross_validate(cohort, tmp_path / "cv", options, amount, train=small)

    (run,) = document["runs"]
    assert run["measures"]["held_out_dice"] > 0.5 and run["measures"]["training_assd_mm"] < 5
    assert (tmp_path / "cv" / "seed0" / "evaluation" / "report.html").is_file()
