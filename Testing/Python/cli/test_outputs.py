"""No command replaces an input or a file that another program wrote, with --overwrite or without."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.disk import content
from ThyroidSynthLib.cli.main import main


def run(*arguments: object) -> int:
    return main([*map(str, arguments), "--quiet"])


def test_a_fit_is_not_written_into_the_folder_of_its_case(capsys, model, dataset, tmp_path) -> None:
    shutil.copytree(dataset / "s0001" / "segmentations", tmp_path / "s0001" / "segmentations")
    before = content(tmp_path)
    assert run("fit", model, tmp_path / "s0001", "--out", tmp_path) == 1
    assert f"{tmp_path / 's0001'} is an input" in capsys.readouterr().out
    assert content(tmp_path) == before


@pytest.fixture
def patient(dataset: Path, tmp_path: Path) -> Path:
    """A folder of masks, in which the thyroid has the name of a result."""
    folder = tmp_path / "patient"
    folder.mkdir()
    masks = dataset / "s0001" / "segmentations"
    shutil.copy(masks / "thyroid_gland.nii.gz", folder / "thyroid.nii.gz")
    shutil.copy(masks / "trachea.nii.gz", folder)
    return folder


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_a_patients_own_mask_is_kept_by_edit_and_fit(capsys, model, patient, tmp_path, more, monkeypatch) -> None:
    before = content(tmp_path)

    def computed(*given: object, **more: object) -> None:
        raise AssertionError("the room is checked before anything is computed")

    monkeypatch.setattr("ThyroidSynthLib.export.edited_case.edit_case", computed)
    monkeypatch.setattr("ThyroidSynthLib.evaluation.experiments.fits.fit_case", computed)
    masks = ("--thyroid", patient / "thyroid.nii.gz", "--trachea", patient / "trachea.nii.gz")
    assert run("edit", model, *masks, "--volume", "+10%", "--out", patient, *more) == 1
    assert f"{patient / 'thyroid.nii.gz'} would be replaced" in capsys.readouterr().err
    for out, where in ((patient, "is"), (patient / "results", f"lies in {patient}, which is")):
        assert run("edit", model, patient, "--volume", "+10%", "--out", out, *more) == 1
        assert f"{out} {where} an input" in capsys.readouterr().err
        assert run("generate", model, "--at", patient, "--out", out, *more) == 1
        assert f"{out} {where} an input" in capsys.readouterr().err
    assert run("fit", model, patient, "--out", tmp_path, *more) == 1
    assert f"{patient} is an input" in capsys.readouterr().out

    assert content(tmp_path) == before


def test_an_edited_gland_is_not_replaced_by_its_own_edit(capsys, model, patient, tmp_path) -> None:
    masks = ("--thyroid", tmp_path / "out" / "thyroid.nii.gz", "--trachea", patient / "trachea.nii.gz")
    assert run("edit", model, patient, "--volume", "+10%", "--out", tmp_path / "out") == 0
    before = content(tmp_path)

    assert run("edit", model, *masks, "--volume", "+10%", "--out", tmp_path / "out", "--overwrite") == 1

    assert "thyroid.nii.gz is an input" in capsys.readouterr().err
    assert content(tmp_path) == before


def test_generate_keeps_its_own_tables(capsys, model, cohort, tmp_path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "distribution.csv").write_text("feature,distribution\nwithout_isthmus,50%\n")
    (out / "manifest.csv").write_text("volume_ml\n15\n")
    before = content(tmp_path)
    files = ("--format", "none", "--workers", 1, "--out", out)

    for option, name in (("--from-table", "manifest.csv"), ("--distribution", "distribution.csv")):
        for more in ((), ("--overwrite",)):
            assert run("generate", model, option, out / name, *files, *more) == 1
            assert f"{out / 'manifest.csv'} would be replaced" in capsys.readouterr().err
    assert content(tmp_path) == before

    (out / "manifest.csv").unlink()
    assert run("generate", model, "--count", 1, *files) == 1
    assert f"{out / 'distribution.csv'} would be replaced" in capsys.readouterr().err
    (out / "distribution.csv").unlink()
    assert run("generate", model, "--count", 1, *files) == 0
    made = content(tmp_path)
    assert run("generate", model, "--from-table", out / "manifest.csv", *files, "--overwrite") == 1
    assert "manifest.csv is an input" in capsys.readouterr().err
    assert content(tmp_path) == made


@pytest.mark.parametrize(
    "arguments",
    [
        ("edit", "{model}", "{patient}", "--volume", "+10%"),
        ("fit", "{model}", "{patient}"),
        ("generate", "{model}"),
        ("evaluate", "{model}", "{cohort}", "--quick"),
        ("compare", "{patient}"),
        ("cross-validate", "{cohort}"),
        ("prepare", "{dataset}"),
        ("example-cohort", "--cases", "1"),
        ("train", "{cohort}", "--job"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_second_writer_is_refused_before_it_computes(
    capsys, monkeypatch, model, cohort, dataset, patient, tmp_path, arguments
) -> None:
    out = tmp_path / "out"
    given = {"model": model, "patient": patient, "cohort": cohort.folder, "dataset": dataset}
    words = [word.format(**given) for word in arguments]
    hold = (
        "import sys; from pathlib import Path; from ThyroidSynthLib.common.staging import output_folder\n"
        "with output_folder(Path(sys.argv[1])): print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", hold, out], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
        assert run(*words, *(() if words[-1] == "--job" else ("--out",)), out) == 1
        message = capsys.readouterr().err
        assert str(out) in message
        assert "Another ThyroidSynth process is writing" in message or "is being trained" in message
        assert [path.name for path in out.iterdir()] == [".thyroidsynth.lock"]
        holder.communicate("")
    assert not out.exists()


def test_results_are_not_written_among_the_inputs(capsys, model, cohort, dataset) -> None:
    for words, given in (
        (("evaluate", model, cohort.folder, "--quick"), cohort.folder),
        (("cross-validate", cohort.folder), cohort.folder),
        (("fit", model, dataset), dataset),
    ):
        before = content(given)
        for out, where in ((given, "is"), (given / "out", f"lies in {given}, which is")):
            assert run(*words, "--out", out) == 1
            assert f"{out} {where} an input" in capsys.readouterr().err
        assert content(given) == before and not (given / "out").exists()


def test_a_command_says_that_it_starts_anew_after_a_kill(capsys, model, patient, tmp_path) -> None:
    kill = (
        "import os, sys; from pathlib import Path; from ThyroidSynthLib.common.staging import output_folder\n"
        "with output_folder(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", kill, tmp_path / "out"], check=False)
    arguments = ["edit", model, patient, "--volume", "+10%", "--out", tmp_path / "out"]

    assert main([*map(str, arguments)]) == 0
    assert f"interrupted in {tmp_path / 'out'}. Its unfinished work is not used." in capsys.readouterr().err
    assert not list((tmp_path / "out").glob(".*"))
    assert main([*map(str, arguments), "--overwrite"]) == 0
    assert "interrupted" not in capsys.readouterr().err


def test_thyroids_of_another_origin_are_kept(capsys, model, tmp_path) -> None:
    out = tmp_path / "out"
    assert run("generate", model, "--count", 1, "--workers", 1, "--spacing", 4, "--out", out) == 0
    (out / "label_maps" / "t00002.nii.gz").write_bytes(b"a user's")

    assert run("generate", model, "--count", 2, "--workers", 1, "--out", out, "--overwrite") == 1

    assert "t00002.nii.gz would be replaced" in capsys.readouterr().err
    assert (out / "label_maps" / "t00002.nii.gz").read_bytes() == b"a user's"


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
@pytest.mark.parametrize("name", ["report.html", "evaluation.json", "tables/headline.csv", "figures/novelty.png"])
def test_evaluate_keeps_what_it_did_not_write(capsys, model, cohort, tmp_path, name, more) -> None:
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.write_text('{"kind": "thesis"}')

    assert run("evaluate", model, cohort.folder, "--quick", "--out", tmp_path / "out", *more) == 1

    assert f"{path} would be replaced" in capsys.readouterr().err
    assert content(tmp_path) == {f"out/{name}": b'{"kind": "thesis"}'}


def test_evaluate_refuses_an_unwritable_card_before_it_computes(capsys, model, cohort, tmp_path) -> None:
    own = Path(shutil.copy(model, tmp_path / "model.safetensors"))
    (tmp_path / "model.evaluation.json").write_text("{}")

    assert run("evaluate", own, cohort.folder, "--quick", "--to-card", "--out", tmp_path / "out") == 1

    assert "is not an evaluation and is not replaced" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["comparison.html", "comparison.csv", "comparison.json"])
def test_compare_keeps_what_it_did_not_write(capsys, tmp_path, name) -> None:
    (tmp_path / name).write_text("{}")

    assert run("compare", tmp_path / "evaluation", "--out", tmp_path, "--overwrite") == 1

    assert f"{tmp_path / name} would be replaced" in capsys.readouterr().err
    assert content(tmp_path) == {name: b"{}"}


@pytest.mark.parametrize("name", ["prepare.json", "cohort.json"])
def test_prepare_keeps_the_files_of_another_software(capsys, dataset, tmp_path, name) -> None:
    (tmp_path / name).write_text('{"scripts": []}')
    (tmp_path / "samples.npy").write_bytes(b"years of work")
    before = content(tmp_path)

    assert run("prepare", dataset, "--workers", 1, "--out", tmp_path, "--overwrite") == 1

    assert f"{tmp_path / name} is not a file of ThyroidSynth" in capsys.readouterr().err
    assert content(tmp_path) == before


@pytest.mark.parametrize("command", ["example-cohort", "cross-validate"])
def test_a_folder_with_other_files_is_refused(capsys, cohort, tmp_path, command) -> None:
    (tmp_path / "report.html").write_text("thesis")

    assert run(command, *(() if command == "example-cohort" else (cohort.folder,)), "--out", tmp_path) == 1

    assert content(tmp_path) == {"report.html": b"thesis"}


def test_train_replaces_no_file_but_its_own_model(capsys, cohort, tmp_path) -> None:
    thesis = tmp_path / "thesis.docx"
    thesis.write_bytes(b"thesis")
    arguments = ("train", cohort.folder, "--epochs", 1, "--device", "cpu")

    assert run(*arguments, "--out", thesis) == 1
    assert f"{thesis} exists and was not written by this training" in capsys.readouterr().err
    assert content(tmp_path) == {"thesis.docx": b"thesis"}

    model = tmp_path / "model.safetensors"
    job = ("--job", tmp_path / "job", "--out", model)
    assert run(*arguments, *job) == 0
    first = model.read_bytes()
    # Resumed, restarted, and resumed after the copy of the model was lost: the model is the training's own.
    assert run(*arguments, *job) == 0
    assert run(*arguments, *job, "--restart", "--seed", 1) == 0
    assert model.read_bytes() != first
    model.unlink()
    assert run("train", "--job", tmp_path / "job") == 0
    model.write_bytes(first)
    assert run("train", "--job", tmp_path / "job") == 1
    assert "was not written by this training" in capsys.readouterr().err and model.read_bytes() == first
    assert run(*arguments, "--job", tmp_path / "job", "--out", tmp_path / "job" / "state.json") == 1
    assert "lies in the job folder" in capsys.readouterr().err


def test_train_refuses_the_job_folder_of_another_software(capsys, cohort, tmp_path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["BertModel"]}')
    (tmp_path / "model.safetensors").write_bytes(b"another model")
    before = content(tmp_path)

    for more in ((), ("--restart",)):
        assert run("train", cohort.folder, "--job", tmp_path, "--epochs", 1, *more) == 1
        assert "config.json is not a ThyroidSynth training job" in capsys.readouterr().err

    assert content(tmp_path) == before
