"""The command: its output, its exit codes, and every step from cases to a report."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ThyroidSynthLib.cli.main import COMMANDS, main, make_parser, parsed_options
from ThyroidSynthLib.evaluation.report import inspection
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.volume_files import read_volume, write_volume
from ThyroidSynthLib.model.trained_model import TrainedModel


def run(*arguments):
    return main([str(argument) for argument in arguments])


def as_json(capsys, *arguments):
    assert run(*arguments, "--json", "--quiet") == 0
    return json.loads(capsys.readouterr().out)


def usage_error(capsys, *arguments):
    """Check that a command line is a usage error and return the message."""
    with pytest.raises(SystemExit) as leaving:
        run(*arguments)
    assert leaving.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("module", COMMANDS, ids=lambda module: module.NAME)
def test_the_help_of_every_command_has_examples_that_parse(module, capsys):
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
        ["generate", "m", "--out", "o", "--reconstruct", "s0001", "--dask-scheduler", "tcp://host:8786"],
        ["example-cohort", "--out", "o", "--defective-share", "2"],
        ["generate", "m", "--out", "o", "--overlap", "report"],
        ["generate", "m", "--out", "o", "--spacing", "1,2"],
        ["generate", "m", "--out", "o", "--seed", "-1"],
        *(["edit", "m", "patient", f"--volume={change}", "--out", "o"] for change in ("much", "5%", "-20", "-300%")),
        ["train", "cohort"],
    ],
    ids=" ".join,
)
def test_an_invalid_command_line_is_a_usage_error(arguments, capsys):
    assert "error:" in usage_error(capsys, *arguments)


def test_an_error_is_one_line_without_a_traceback(capsys, tmp_path):
    assert run("info", tmp_path / "missing") == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == f"thyroidsynth: error: {tmp_path / 'missing'} does not exist. Check the path.\n"


def test_a_folder_given_as_the_model_file_is_refused(capsys, cohort, tmp_path):
    message = usage_error(capsys, "train", cohort.folder, "--out", tmp_path)
    assert "is a folder, but the model is one file" in message
    assert not list(tmp_path.iterdir())


def test_debug_prints_the_traceback_of_an_error(capsys, tmp_path):
    assert run("info", tmp_path / "missing", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_ends_with_code_130(monkeypatch, capsys, cohort):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(inspection, "describe", interrupted)
    assert run("info", cohort.folder) == 130
    assert capsys.readouterr().err == "thyroidsynth: Interrupted.\n"


def test_info_describes_cohorts_and_models_and_refuses_other_folders(capsys, cohort, model, tmp_path):
    assert as_json(capsys, "info", cohort.folder)["kind"] == "cohort"
    described = as_json(capsys, "info", "example")
    assert (described["kind"], described["cases"]) == ("model", 560)
    described = as_json(capsys, "info", model)
    assert (described["kind"], described["variant"], described["synthetic"]) == ("model", "fixed", True)
    assert run("info", model) == 0
    assert "volume_ml" in capsys.readouterr().out
    assert run("info", tmp_path) == 1
    assert "was not written by ThyroidSynth" in capsys.readouterr().err
    # Of an older version, which described the thyroids by other entries.
    (tmp_path / "manifest.json").write_text('{"kind": "generated cohort", "thyroids": [], "earlier": {}}')
    assert run("info", tmp_path) == 1
    assert "damaged or was written by another version of ThyroidSynth" in capsys.readouterr().err


def test_info_on_a_model_needs_no_pytorch(model):
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from ThyroidSynthLib.cli.main import main; sys.exit(main(['info', sys.argv[1]]))"
    )
    assert subprocess.run([sys.executable, "-c", script, str(model)], capture_output=True).returncode == 0


def test_training_cases_are_reconstructed_by_their_ids(capsys, model, tmp_path):
    trained = TrainedModel.load(model)
    chosen = [trained.ids[2], trained.ids[0]]
    arguments = ("generate", model, "--reconstruct", *chosen, "--format", "none", "--out", tmp_path / "back")

    assert as_json(capsys, *arguments)["thyroids"] == 2

    manifest = json.loads((tmp_path / "back" / "manifest.json").read_text())
    assert manifest["specification"]["reconstructed"] == chosen
    volumes = [entry["targets"]["volume_ml"] for entry in manifest["thyroids"]]
    assert volumes == [trained.features[2, 0], trained.features[0, 0]]
    assert "leave out --count and all targets" in usage_error(capsys, *arguments, "--volume", 12)
    assert run("generate", model, "--reconstruct", "nobody", "--out", tmp_path / "other") == 1
    assert "'nobody' is not among" in capsys.readouterr().err


def test_generated_thyroids_are_counted_and_a_used_folder_refused(capsys, model, tmp_path):
    arguments = ("generate", model, "--count", 2, "--seed", 5, "--format", "nrrd", "--mesh", "ply,obj")
    found = as_json(capsys, *arguments, "--out", tmp_path / "g")
    assert (found["thyroids"], found["trained_on_synthetic_cohort"]) == (2, True)
    assert len(list((tmp_path / "g").glob("*/*"))) == 6
    assert as_json(capsys, "info", tmp_path / "g")["thyroids"] == 2
    assert run(*arguments, "--out", tmp_path / "g") == 1
    assert "already holds" in capsys.readouterr().err
    assert run(*arguments, "--out", tmp_path / "g", "--overwrite", "--quiet") == 0


def test_an_impossible_target_is_refused_and_no_folder_is_made(capsys, model, tmp_path):
    message = usage_error(capsys, "generate", model, "--symmetry", "1.5", "--out", tmp_path / "g", "--quiet")
    assert "argument --symmetry: 1.5 is out of range: give a number from 0 to 1." in message
    assert not (tmp_path / "g").exists()


def test_a_table_of_targets_gives_one_thyroid_per_row(capsys, model, cohort, tmp_path):
    volume = cohort.features[:, 0].mean()
    (tmp_path / "targets.csv").write_text(f"volume_ml\n{volume}\n{volume * 1.1}\n")
    arguments = ("generate", model, "--from-table", tmp_path / "targets.csv", "--format", "none")
    assert as_json(capsys, *arguments, "--out", tmp_path / "g")["thyroids"] == 2
    manifest = json.loads((tmp_path / "g" / "manifest.json").read_text())
    assert [entry["targets"]["volume_ml"] for entry in manifest["thyroids"]] == pytest.approx([volume, volume * 1.1])


def test_a_target_distribution_is_reported_with_its_distance_and_unmet_targets(capsys, model, cohort, tmp_path):
    volume = cohort.features[:, 0].mean()
    spread = ("--volume-distribution", f"normal:{volume:.2f},0.3", "--without-isthmus", "50%")
    arguments = ("generate", model, "--count", 4, *spread, "--workers", 1, "--format", "none")

    found = as_json(capsys, *arguments, "--out", tmp_path / "g")

    assert found["distribution"]["without_isthmus"]["targets"] == 0.5
    assert found["distribution"]["targets"]["volume_ml"] == f"normal({volume:.4g}, 0.3)"
    manifest = json.loads((tmp_path / "g" / "manifest.json").read_text())
    assert manifest["specification"]["distribution"]["without_isthmus"] == "50%"
    assert manifest["distribution"]["thyroids"] == 4
    assert {path.name for path in (tmp_path / "g").iterdir()} >= {"distribution.json", "distribution.png"}

    (tmp_path / "wide.json").write_text('{"volume_ml": "900"}')
    wide = ("generate", model, "--distribution", tmp_path / "wide.json", "--format", "none", "--workers", 1)
    assert run(*wide, "--out", tmp_path / "g", "--overwrite") == 0
    output = capsys.readouterr()
    assert "The targets of 1 of 1 thyroids are unlike the training cases" in output.err
    assert "t00001: target 900.0 mL" in output.out and "above the cohort's volume" in output.out
    manifest = json.loads((tmp_path / "g" / "manifest.json").read_text())
    assert manifest["specification"]["far_outside"][0]["id"] == "t00001"


def test_a_dataset_becomes_a_cohort_and_the_cohort_a_model(capsys, dataset, tmp_path):
    cohort, model = tmp_path / "cohort", tmp_path / "model.safetensors"
    prepared = as_json(capsys, "prepare", dataset, "--samples", 2000, "--workers", 1, "--out", cohort)
    assert (prepared["accepted"], prepared["synthetic"]) == (2, True)
    trained = as_json(capsys, "train", cohort, "--epochs", 3, "--device", "cpu", "--out", model)
    assert trained["status"] == "finished" and model.is_file()
    assert as_json(capsys, "info", tmp_path / "model.job")["epoch"] == 3


def test_thyroids_are_placed_and_fitted_in_a_given_patient(capsys, dataset, model, tmp_path):
    trachea = dataset / "s0000" / "segmentations" / "trachea.nii.gz"
    placed = ("generate", model, "--at", dataset / "s0000", "--grid", trachea)
    assert as_json(capsys, *placed, "--out", tmp_path / "g")["thyroids"] == 1
    fits = as_json(capsys, "fit", model, dataset / "s0001", "--mesh", "stl", "--out", tmp_path / "f")["fits"]
    assert fits[0]["id"] == "s0001" and (tmp_path / "f" / "s0001" / "thyroid.stl").is_file()
    assert run("fit", model, dataset / "s0001", "--out", tmp_path / "f", "--quiet") == 1
    assert "already holds a fit" in capsys.readouterr().out


def test_the_result_says_what_the_label_map_holds_of_a_thyroid_that_its_grid_cuts(capsys, dataset, tmp_path):
    gland = read_volume(dataset / "s0000" / "segmentations" / "thyroid_gland.nii.gz")
    middle = int(np.argwhere(gland.array)[:, 0].mean())
    write_volume(Volume(gland.array[:middle], gland.ijk_to_ras), tmp_path / "half.nii.gz")
    given = ("example", dataset / "s0000", "--grid", tmp_path / "half.nii.gz", "--quiet")
    assert run("fit", *given, "--out", tmp_path / "f") == 0
    written = read_volume(tmp_path / "f" / "s0000" / "thyroid.nii.gz")
    volume_ml = written.array.sum() * written.voxel_volume_ml
    assert f"; {volume_ml:.1f} mL in the label map" in capsys.readouterr().out
    assert run("edit", *given, "--volume", "+10%", "--hold", "--out", tmp_path / "e") == 0
    output = capsys.readouterr().out
    assert "its label map is cut, so that it does not meet its targets. Choose a larger grid." in output
    assert "cannot be met" not in output


def test_paths_may_stand_after_options():
    parsed = [
        parsed_options(command.split())
        for command in ("fit m --out f a b", "fit m a --out f b", "edit m --out e a --volume 12", "edit m a --out e")
    ]
    assert [list(map(str, each.thyroids)) for each in parsed[:2]] == [["a", "b"], ["a", "b"]]
    assert [str(each.patient) for each in parsed[2:]] == ["a", "a"]


@pytest.mark.parametrize(
    "command", ["edit m a --out e b", "edit m --out e a b", "fit m a --out f --x", "info m --json n"]
)
def test_paths_too_many_are_a_usage_error(capsys, command):
    assert "unrecognized arguments" in usage_error(capsys, *command.split())


def test_a_patients_own_thyroid_is_edited(capsys, dataset, model, tmp_path):
    arguments = ("edit", model, dataset / "s0001", "--volume", "+10%", "--hold", "--merge-into", dataset / "s0001")
    found = as_json(capsys, *arguments, "--out", tmp_path / "e")
    assert found["targets"]["volume_ml"] == pytest.approx(1.1 * found["before"]["volume_ml"])
    assert found["held"] == {} and set(found["files"]) == {"thyroid.nii.gz", "merged.nii.gz"}
    assert run(*arguments, "--out", tmp_path / "e", "--quiet") == 1
    assert "already holds an edit" in capsys.readouterr().err
    both = ("edit", model, dataset / "s0001", "--volume", "+10%", "--hold", "volume", "symmetry")
    assert run(*both, "--out", tmp_path / "both", "--quiet") == 1
    assert "volume has a target, so it cannot be held" in capsys.readouterr().err
    assert run("edit", model, dataset, "--volume", "+10%", "--out", tmp_path / "all", "--quiet") == 1
    assert "holds 2 cases: s0000, s0001. Give the path of one of them" in capsys.readouterr().err
    assert run("edit", model, dataset / "s0001", "--format", "none", "--out", tmp_path / "same", "--quiet") == 0
    output = capsys.readouterr().out
    assert "s0001:" in output and "(held)" in output


def test_thyroids_replace_the_patients_own_in_the_label_map_and_do_not_overlap_the_trachea(
    capsys, dataset, model, tmp_path
):
    arguments = ("generate", model, "--merge-into", dataset / "s0000", "--overlap", "remove", "--count", 2)
    found = as_json(capsys, *arguments, "--format", "nrrd", "--out", tmp_path / "g")
    assert found["thyroids"] == 2
    manifest = json.loads((tmp_path / "g" / "manifest.json").read_text())
    for entry in manifest["thyroids"]:
        assert [file["path"].split("/")[0] for file in entry["files"]] == ["label_maps", "merged"]
        assert "trachea" not in [each["name"] for each in entry["merged"]["overlaps"]]
        assert entry["overlap_removed"] == (entry["overlap_ml"]["trachea"] > 0)
    assert manifest["specification"]["overlap"] == "remove"
    assert (tmp_path / "g" / "merged_labels.csv").is_file()


def test_a_label_map_without_a_known_thyroid_is_noted(capsys, dataset, model, tmp_path):
    masks = dataset / "s0000" / "segmentations"
    (tmp_path / "patient").mkdir()
    shutil.copy(masks / "trachea.nii.gz", tmp_path / "patient")
    shutil.copy(masks / "thyroid_gland.nii.gz", tmp_path / "patient" / "gland.nii.gz")
    arguments = ("generate", model, "--merge-into", tmp_path / "patient", "--format", "none")

    assert run(*arguments, "--out", tmp_path / "a") == 0
    assert "no old thyroid was removed" in "".join(capsys.readouterr())
    assert run(*arguments, "--thyroid-label", "118", "--out", tmp_path / "b") == 0
    assert "no old thyroid was removed" not in "".join(capsys.readouterr())


def test_a_stop_file_ends_the_command_after_the_current_thyroid(capsys, model, tmp_path):
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "STOP").touch()
    assert run("generate", model, "--count", 5, "--out", tmp_path / "g", "--quiet") == 130
    assert "Stopped" in capsys.readouterr().err


def test_a_model_is_evaluated_into_a_report(capsys, cohort, model, tmp_path):
    small = ("--count", 3, "--to-target", 1, "--moves", 0, "--cases", 1, "--to-card")
    own = Path(shutil.copy(model, tmp_path / "model.safetensors"))
    found = as_json(capsys, "evaluate", own, cohort.folder, *small, "--out", tmp_path / "evaluation")
    assert found["report"] == str(tmp_path / "evaluation" / "report.html")
    assert found["synthetic_cohort"] is True and (tmp_path / "evaluation" / "report.html").is_file()
    assert found["card"] == str(tmp_path / "model.evaluation.json")
    assert run("info", own) == 0
    card = capsys.readouterr().out
    assert "## Evaluation\n\n- Reconstruction of training cases: ASSD " in card and "## Licence" in card
    compared = as_json(capsys, "compare", tmp_path / "evaluation", "--out", tmp_path / "comparison")
    assert [each["name"] for each in compared["models"]] == ["evaluation"] and Path(compared["page"]).is_file()
    assert run("compare", tmp_path / "evaluation", "--out", tmp_path / "comparison") == 1
    assert "already holds a comparison" in capsys.readouterr().err


def test_invalid_options_of_a_cross_validation_are_refused_before_anything_is_written(capsys, cohort, tmp_path):
    out = ("--out", tmp_path / "folds")
    message = usage_error(capsys, "cross-validate", cohort.folder, "--folds", 5, "--held-out", "20%", *out)
    assert "--held-out needs --folds 1" in message
    assert run("cross-validate", cohort.folder, "--folds", 50, *out) == 1
    assert "cannot be divided into 50 folds" in capsys.readouterr().err and not (tmp_path / "folds").exists()


@pytest.mark.skipif(os.name == "nt", reason="a console's Ctrl-C cannot be sent to one process there")
def test_ctrl_c_keeps_the_thyroids_written_so_far(model, tmp_path):
    command = [sys.executable, "-m", "ThyroidSynthLib.cli", "generate", str(model), "--count", "5000"]
    child = subprocess.Popen(
        [*command, "--workers", "2", "--out", str(tmp_path / "g")], stderr=subprocess.PIPE, text=True
    )
    manifest = tmp_path / "g" / "manifest.json"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (manifest.exists() and b"t00002" in manifest.read_bytes()):
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130 and "Traceback" not in errors
    written = json.loads(manifest.read_text())
    assert written["complete"] is False and written["count"] == len(list((tmp_path / "g/label_maps").iterdir()))
