"""The command: what it prints where, its exit codes, and the whole way from cases to a report."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.kept_models import kept_model
from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.cli.main import COMMANDS, main


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort", cases=6)


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    return Path(shutil.copy(kept_model("tiny"), tmp_path_factory.mktemp("model") / "model.safetensors"))


def run(*arguments):
    return main([str(argument) for argument in arguments])


def as_json(capsys, *arguments):
    assert run(*arguments, "--json", "--quiet") == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("module", COMMANDS, ids=lambda module: module.NAME)
def test_every_command_explains_itself_with_examples_that_parse(module, capsys):
    from ThyroidSynthLib.cli.main import make_parser

    with pytest.raises(SystemExit) as leaving:
        run(module.NAME, "--help")
    assert leaving.value.code == 0
    shown = capsys.readouterr().out
    assert "examples:" in shown and "--json" in shown
    lines = [line.strip() for line in shown.splitlines() if line.strip().startswith("thyroidsynth ")]
    assert lines
    for line in lines:
        words = line.partition("   (")[0].split()
        assert make_parser().parse_args(words[1:]).run is module.run


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bogus"],
        ["generate"],
        ["generate", "m", "--out", "o", "--count", "0"],
        ["generate", "m", "--out", "o", "--mesh", "vtk"],
        ["generate", "m", "--out", "o", "--grid", "ct.nii.gz", "--spacing", "1"],
        ["generate", "m", "--out", "o", "--volume", "15", "--from-table", "t.csv"],
        ["generate", "m", "--out", "o", "--volume", "15", "--symmetry-distribution", "cohort"],
        ["generate", "m", "--out", "o", "--distribution", "cohort", "--reconstruct", "s0001"],
        ["example-cohort", "--out", "o", "--defective-share", "2"],
        ["train", "cohort"],
    ],
)
def test_a_wrong_command_line_ends_with_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as leaving:
        run(*arguments)
    assert leaving.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_an_error_is_one_line_without_a_traceback(capsys, tmp_path):
    assert run("info", tmp_path / "missing") == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == f"thyroidsynth: error: {tmp_path / 'missing'} does not exist. Check the path.\n"


def test_a_folder_given_as_the_model_file_is_refused(capsys, cohort, tmp_path):
    with pytest.raises(SystemExit) as leaving:
        run("train", cohort.folder, "--out", tmp_path)
    assert leaving.value.code == 2
    assert "is a folder, but the model is one file" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_debug_prints_the_traceback_of_an_error(capsys, tmp_path):
    assert run("info", tmp_path / "missing", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_ends_with_code_130(monkeypatch, capsys, cohort):
    from ThyroidSynthLib.evaluation.report import inspection

    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(inspection, "describe", interrupted)
    assert run("info", cohort.folder) == 130
    assert capsys.readouterr().err == "thyroidsynth: Interrupted.\n"


def test_info_knows_what_everything_is(capsys, cohort, model_path, tmp_path):
    assert as_json(capsys, "info", cohort.folder)["kind"] == "cohort"
    described = as_json(capsys, "info", "example")
    assert (described["kind"], described["cases"]) == ("model", 160)
    described = as_json(capsys, "info", model_path)
    assert (described["kind"], described["variant"], described["synthetic"]) == ("model", "fixed", True)
    assert run("info", model_path) == 0
    assert "volume_ml" in capsys.readouterr().out
    assert run("info", tmp_path) == 1
    assert "was not written by ThyroidSynth" in capsys.readouterr().err


def test_info_on_a_model_needs_no_pytorch(model_path):
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from ThyroidSynthLib.cli.main import main; sys.exit(main(['info', sys.argv[1]]))"
    )
    assert subprocess.run([sys.executable, "-c", script, str(model_path)], capture_output=True).returncode == 0


def test_training_cases_are_given_back_by_their_ids(capsys, model_path, tmp_path):
    from ThyroidSynthLib.model.shape_model import ShapeModel

    model = ShapeModel.load(model_path)
    chosen = [model.ids[2], model.ids[0]]
    arguments = ("generate", model_path, "--reconstruct", *chosen, "--format", "none", "--out", tmp_path / "back")

    assert as_json(capsys, *arguments)["thyroids"] == 2

    manifest = json.loads((tmp_path / "back" / "manifest.json").read_text())
    assert manifest["specification"]["reconstructed"] == chosen
    volumes = [entry["targets"]["volume_ml"] for entry in manifest["thyroids"]]
    assert volumes == [model.features[2, 0], model.features[0, 0]]
    with pytest.raises(SystemExit, match="2"):
        run(*arguments, "--volume", 12)
    assert run("generate", model_path, "--reconstruct", "nobody", "--out", tmp_path / "other") == 1
    assert "'nobody' is not among" in capsys.readouterr().err


def test_generated_thyroids_are_counted_and_a_used_folder_refused(capsys, model_path, tmp_path):
    arguments = ("generate", model_path, "--count", 2, "--seed", 5, "--format", "nrrd", "--mesh", "ply,obj")
    found = as_json(capsys, *arguments, "--out", tmp_path / "g")
    assert (found["thyroids"], found["trained_on_synthetic_cohort"]) == (2, True)
    assert len(list((tmp_path / "g").glob("*/*"))) == 6
    assert as_json(capsys, "info", tmp_path / "g")["thyroids"] == 2
    assert run(*arguments, "--out", tmp_path / "g") == 1
    assert "already holds" in capsys.readouterr().err
    assert run(*arguments, "--out", tmp_path / "g", "--overwrite", "--quiet") == 0


def test_an_impossible_target_is_refused_and_no_folder_is_made(capsys, model_path, tmp_path):
    assert run("generate", model_path, "--symmetry", "1.5", "--out", tmp_path / "g", "--quiet") == 1
    assert "symmetry = 1.5 is impossible" in capsys.readouterr().err
    assert not (tmp_path / "g").exists()


def test_a_table_of_targets_gives_one_thyroid_per_row(capsys, model_path, cohort, tmp_path):
    volume = cohort.features[:, 0].mean()
    (tmp_path / "targets.csv").write_text(f"volume_ml\n{volume}\n{volume * 1.1}\n")
    arguments = ("generate", model_path, "--from-table", tmp_path / "targets.csv", "--format", "none")
    assert as_json(capsys, *arguments, "--out", tmp_path / "g")["thyroids"] == 2
    manifest = json.loads((tmp_path / "g" / "manifest.json").read_text())
    assert [entry["targets"]["volume_ml"] for entry in manifest["thyroids"]] == pytest.approx([volume, volume * 1.1])


def test_a_target_distribution_is_reported_with_its_distance_and_unmet_targets(capsys, model_path, cohort, tmp_path):
    volume = cohort.features[:, 0].mean()
    spread = ("--volume-distribution", f"normal:{volume:.2f},0.3", "--without-isthmus", "50%")
    arguments = ("generate", model_path, "--count", 4, *spread, "--workers", 1, "--format", "none")

    found = as_json(capsys, *arguments, "--out", tmp_path / "g")

    assert found["distribution"]["without_isthmus"]["targets"] == 0.5
    assert found["distribution"]["targets"]["volume_ml"] == f"normal({volume:.4g}, 0.3)"
    manifest = json.loads((tmp_path / "g" / "manifest.json").read_text())
    assert manifest["specification"]["distribution"]["without_isthmus"] == "50%"
    assert manifest["distribution"]["thyroids"] == 4
    assert {path.name for path in (tmp_path / "g").iterdir()} >= {"distribution.json", "distribution.png"}

    (tmp_path / "wide.json").write_text('{"volume_ml": "900"}')
    wide = ("generate", model_path, "--distribution", tmp_path / "wide.json", "--format", "none", "--workers", 1)
    assert run(*wide, "--out", tmp_path / "g", "--overwrite") == 0
    output = capsys.readouterr()
    assert "1 of 1 thyroids have targets far from every training case" in output.err
    assert "t00001: target 900.0 mL" in output.out and "above the cohort's volume" in output.out
    manifest = json.loads((tmp_path / "g" / "manifest.json").read_text())
    assert manifest["specification"]["far_outside"][0]["id"] == "t00001"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example") / "dataset"
    example = ("example-cohort", "--cases", 2, "--defective-share", 0, "--no-ct", "--workers", 1, "--quiet")
    assert run(*example, "--out", folder) == 0
    return folder


def test_a_dataset_becomes_a_cohort_and_the_cohort_a_model(capsys, dataset, tmp_path):
    cohort, model = tmp_path / "cohort", tmp_path / "model.safetensors"
    prepared = as_json(capsys, "prepare", dataset, "--samples", 2000, "--workers", 1, "--out", cohort)
    assert (prepared["accepted"], prepared["synthetic"]) == (2, True)
    trained = as_json(capsys, "train", cohort, "--epochs", 3, "--device", "cpu", "--out", model)
    assert trained["status"] == "finished" and model.is_file()
    assert as_json(capsys, "info", tmp_path / "model.job")["epoch"] == 3


def test_thyroids_are_made_and_fitted_in_a_given_patient(capsys, dataset, model_path, tmp_path):
    trachea = dataset / "s0000" / "segmentations" / "trachea.nii.gz"
    placed = ("generate", model_path, "--at", dataset / "s0000", "--grid", trachea)
    assert as_json(capsys, *placed, "--out", tmp_path / "g")["thyroids"] == 1
    fits = as_json(capsys, "fit", model_path, dataset / "s0001", "--mesh", "stl", "--out", tmp_path / "f")["fits"]
    assert fits[0]["id"] == "s0001" and (tmp_path / "f" / "s0001" / "thyroid.stl").is_file()
    assert run("fit", model_path, dataset / "s0001", "--out", tmp_path / "f", "--quiet") == 1
    assert "already holds a fit" in capsys.readouterr().out


def test_a_patients_own_thyroid_is_edited(capsys, dataset, model_path, tmp_path):
    arguments = ("edit", model_path, dataset / "s0001", "--volume", "+10%", "--hold", "--merge-into", dataset / "s0001")
    found = as_json(capsys, *arguments, "--out", tmp_path / "e")
    assert found["targets"]["volume_ml"] == pytest.approx(1.1 * found["before"]["volume_ml"])
    assert found["held"] == {} and set(found["files"]) == {"thyroid.nii.gz", "merged.nii.gz"}
    assert run(*arguments, "--out", tmp_path / "e", "--quiet") == 1
    assert "already holds an edit" in capsys.readouterr().err
    assert run("edit", model_path, dataset, "--volume", "+10%", "--out", tmp_path / "all", "--quiet") == 1
    assert "holds 2 cases. Give the path of one of them" in capsys.readouterr().err
    assert run("edit", model_path, dataset / "s0001", "--format", "none", "--out", tmp_path / "same", "--quiet") == 0
    output = capsys.readouterr().out
    assert "s0001:" in output and "(held)" in output


@pytest.mark.parametrize("target", ["much", "5%", "-20", "-300%"])
def test_a_change_that_cannot_be_understood_is_wrong_usage(model_path, tmp_path, target):
    with pytest.raises(SystemExit) as leaving:
        run("edit", model_path, "patient", f"--volume={target}", "--out", tmp_path / "e")
    assert leaving.value.code == 2


def test_thyroids_replace_the_patients_own_in_its_label_map_and_keep_out_of_the_trachea(
    capsys, dataset, model_path, tmp_path
):
    arguments = ("generate", model_path, "--merge-into", dataset / "s0000", "--overlap", "remove", "--count", 2)
    found = as_json(capsys, *arguments, "--format", "nrrd", "--spacing", "2,2,3", "--out", tmp_path / "g")
    assert found["thyroids"] == 2
    manifest = json.loads((tmp_path / "g" / "manifest.json").read_text())
    for entry in manifest["thyroids"]:
        assert [file["path"].split("/")[0] for file in entry["files"]] == ["label_maps", "merged"]
        assert "trachea" not in [each["name"] for each in entry["merged"]["overlaps"]]
        assert entry["overlap_removed"] == (entry["overlap_ml"]["trachea"] > 0)
    assert manifest["specification"]["overlap"] == "remove"
    assert (tmp_path / "g" / "merged_labels.csv").is_file()


def test_a_map_whose_old_thyroid_is_not_known_is_reported_before_the_work(capsys, dataset, model_path, tmp_path):
    masks = dataset / "s0000" / "segmentations"
    (tmp_path / "patient").mkdir()
    shutil.copy(masks / "trachea.nii.gz", tmp_path / "patient")
    shutil.copy(masks / "thyroid_gland.nii.gz", tmp_path / "patient" / "gland.nii.gz")
    arguments = ("generate", model_path, "--merge-into", tmp_path / "patient", "--format", "none")

    assert run(*arguments, "--out", tmp_path / "a") == 0
    assert "no old thyroid was removed" in "".join(capsys.readouterr())
    assert run(*arguments, "--thyroid-label", "1", "--out", tmp_path / "b") == 0
    assert "no old thyroid was removed" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("more", [("--overlap", "report"), ("--structures", "x.nii.gz"), ("--spacing", "1,2")])
def test_options_that_lack_another_are_wrong_usage(model_path, tmp_path, more):
    with pytest.raises(SystemExit) as leaving:
        run("generate", model_path, "--out", tmp_path / "g", *more)
    assert leaving.value.code == 2


def test_a_stop_file_ends_the_command_after_the_thyroid_it_is_at(capsys, model_path, tmp_path):
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "STOP").touch()
    assert run("generate", model_path, "--count", 5, "--out", tmp_path / "g", "--quiet") == 130
    assert "Stopped" in capsys.readouterr().err


def test_a_grid_without_a_patient_says_how_to_put_thyroids_there(capsys, dataset, model_path, tmp_path):
    trachea = dataset / "s0000" / "segmentations" / "trachea.nii.gz"
    assert run("generate", model_path, "--grid", trachea, "--out", tmp_path / "g", "--quiet") == 0
    assert "--at places them at a patient's trachea" in capsys.readouterr().out


def test_a_model_is_evaluated_into_a_report(capsys, cohort, model_path, tmp_path):
    small = ("--count", 3, "--to-target", 1, "--moves", 0, "--cases", 1, "--to-card")
    model = Path(shutil.copy(model_path, tmp_path / "model.safetensors"))
    found = as_json(capsys, "evaluate", model, cohort.folder, *small, "--out", tmp_path / "evaluation")
    assert found["report"] == str(tmp_path / "evaluation" / "report.html")
    assert found["synthetic_cohort"] is True and (tmp_path / "evaluation" / "report.html").is_file()
    assert found["card"] == str(tmp_path / "model.evaluation.json")
    assert run("info", model) == 0
    card = capsys.readouterr().out
    assert "## Evaluation\n\n- Reconstruction of training cases: ASSD " in card and "## Licence" in card
    compared = as_json(capsys, "compare", tmp_path / "evaluation", "--out", tmp_path / "comparison")
    assert [each["name"] for each in compared["models"]] == ["evaluation"] and Path(compared["page"]).is_file()
    assert run("compare", tmp_path / "evaluation", "--out", tmp_path / "comparison") == 1
    assert "already holds a comparison" in capsys.readouterr().err


def test_a_cross_validation_says_early_what_is_wrong(capsys, cohort, tmp_path):
    out = ("--out", tmp_path / "folds")
    with pytest.raises(SystemExit) as leaving:
        run("cross-validate", cohort.folder, "--folds", 5, "--held-out", "20%", *out)
    assert leaving.value.code == 2 and "--held-out needs --folds 1" in capsys.readouterr().err
    assert run("cross-validate", cohort.folder, "--folds", 50, *out) == 1
    assert "cannot be divided into 50 folds" in capsys.readouterr().err and not (tmp_path / "folds").exists()


@pytest.mark.skipif(os.name == "nt", reason="a console's Ctrl-C cannot be sent to one process there")
def test_ctrl_c_keeps_the_thyroids_written_so_far(model_path, tmp_path):
    command = [sys.executable, "-m", "ThyroidSynthLib.cli", "generate", str(model_path), "--count", "5000"]
    child = subprocess.Popen(
        [*command, "--workers", "2", "--out", str(tmp_path / "g")], stderr=subprocess.PIPE, text=True
    )
    manifest = tmp_path / "g" / "manifest.json"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (manifest.exists() and b"t00002" in manifest.read_bytes()):
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130 and "Traceback" not in said
    written = json.loads(manifest.read_text())
    assert written["complete"] is False and written["count"] == len(list((tmp_path / "g/label_maps").iterdir()))
