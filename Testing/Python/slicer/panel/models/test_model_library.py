"""The model library in the panel: choose, import, rename, delete, set the default, read the card."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.model.description import describe_model
from ThyroidSynthLib.model.library import ModelLibrary
from ThyroidSynthLib.model.shipped import model_path

EXAMPLE = model_path("example")


@pytest.fixture
def library(hands, tmp_path):
    """An empty model library of the user, chosen in the panel."""
    folder = tmp_path / "library"
    folder.mkdir()
    hands.open("library")
    hands.modelsFolderEdit.setCurrentPath(str(folder))
    hands.app.process_events()
    return ModelLibrary(folder)


def changed_copy(path: Path, byte: int = 1) -> Path:
    """Write a model file that differs from the example."""
    content = bytearray(EXAMPLE.read_bytes())
    content[-8] ^= byte
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def import_model(hands, path: Path) -> None:
    """Import a model file as a user does."""
    hands.app.dialogs.expect("file", "Import", answer=str(path))
    hands.click("importModelButton")


def lines(hands) -> list[str]:
    return [hands.modelList.item(row).text() for row in range(hands.modelList.count)]


def test_a_new_scene_has_the_model_that_ships(hands):
    assert hands.parameters.model == EXAMPLE
    assert hands.modelSelector.currentText == "example (ships with the module)"
    assert "SYNTHETIC" in hands.modelInfoLabel.text
    assert not hands.deleteModelButton.enabled
    assert not hands.renameModelButton.enabled


def test_the_list_shows_origin_date_size_licence_and_ranges(hands):
    (text,) = lines(hands)

    assert "default" in text
    for part in ("560 cases of", "MB", "Apache-2.0", "mL", "mm²"):
        assert part in text


def test_an_imported_model_is_copied_and_chosen(hands, library, tmp_path):
    trained = changed_copy(tmp_path / "job" / "model.safetensors")

    import_model(hands, trained)

    assert hands.parameters.model == library.folder / "model.safetensors"
    assert trained.is_file()
    assert hands.modelSelector.currentText == "model"
    assert len(lines(hands)) == 2
    assert "added to the model library" in hands.statusLabel.text


def test_a_file_that_is_no_model_is_refused_in_a_dialog(hands, library, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nothing of the kind")
    hands.app.dialogs.expect("error", "damaged")

    import_model(hands, path)

    assert list(library.folder.iterdir()) == []
    assert hands.parameters.model == EXAMPLE


def test_a_cancelled_import_changes_nothing(hands, library):
    import_model(hands, "")

    assert hands.parameters.model == EXAMPLE


def test_models_are_chosen_in_the_combo_box_and_in_the_list(hands, library, tmp_path):
    import_model(hands, changed_copy(tmp_path / "a.safetensors"))

    hands.choose("modelSelector", "example (ships with the module)")
    assert hands.parameters.model == EXAMPLE
    hands.modelList.itemClicked.emit(hands.modelList.item(1))
    hands.app.process_events()

    assert hands.parameters.model == library.folder / "a.safetensors"
    assert hands.modelList.currentRow == 1
    assert hands.modelSelector.currentText == "a"


def test_a_model_outside_the_library_can_be_chosen(hands, library, tmp_path):
    path = changed_copy(tmp_path / "elsewhere.safetensors")

    hands.choose_model(path)

    assert hands.parameters.model == path
    assert hands.modelSelector.currentText == "elsewhere.safetensors (not in the library)"
    assert hands.modelList.currentRow == -1
    assert not hands.deleteModelButton.enabled


def test_renaming_keeps_the_choice_and_the_default(hands, library, tmp_path):
    import_model(hands, changed_copy(tmp_path / "a.safetensors"))
    hands.click("defaultModelButton")
    hands.modelNameEdit.setText("neck study")
    hands.click("renameModelButton")

    assert hands.parameters.model == library.folder / "neck study.safetensors"
    assert "neck study – default" in lines(hands)[1]
    import_model(hands, changed_copy(tmp_path / "b.safetensors", byte=2))
    hands.modelNameEdit.setText("neck study")
    hands.app.dialogs.expect("error", "already has a model named")
    hands.click("renameModelButton")
    assert (library.folder / "b.safetensors").is_file()


def test_deleting_asks_first_and_then_chooses_the_default(hands, library, tmp_path):
    import qt

    import_model(hands, changed_copy(tmp_path / "a.safetensors"))
    hands.app.dialogs.expect("question", "Delete the model 'a'", answer=qt.QMessageBox.No)
    hands.click("deleteModelButton")
    assert (library.folder / "a.safetensors").is_file()

    hands.app.dialogs.expect("question", "Delete the model 'a'", answer=qt.QMessageBox.Yes)
    hands.click("deleteModelButton")

    assert not (library.folder / "a.safetensors").exists()
    assert hands.parameters.model == EXAMPLE
    assert len(lines(hands)) == 1


def test_the_default_is_chosen_in_the_next_scene(hands, library, tmp_path):
    import slicer

    import_model(hands, changed_copy(tmp_path / "a.safetensors"))
    hands.click("defaultModelButton")
    assert not hands.defaultModelButton.enabled

    slicer.mrmlScene.Clear(False)
    hands.app.process_events()
    assert hands.parameters.model == library.folder / "a.safetensors"

    hands.choose("modelSelector", "example (ships with the module)")
    hands.click("defaultModelButton")
    slicer.mrmlScene.Clear(False)
    hands.app.process_events()
    assert hands.parameters.model == EXAMPLE


def test_the_library_folder_is_stored_for_the_next_panel(hands, library):
    import slicer

    hands.module.reload()

    assert slicer.modules.ThyroidSynthWidget.panel.model.ui.modelsFolderEdit.currentPath == str(library.folder)


def test_the_folder_of_a_model_is_shown(hands, library):
    hands.app.dialogs.expect("desktop", "model/data")

    hands.click("showModelButton")


def test_a_scene_from_another_computer_finds_the_model_that_ships(hands):
    hands.parameters.model = Path("/opt/Slicer-9/ThyroidSynthLib/model/data/example.safetensors")
    hands.app.process_events()

    assert hands.parameters.model == EXAMPLE


def test_a_model_added_elsewhere_is_listed_when_it_is_chosen(hands, library, tmp_path):
    hands.parameters.model = library.add(changed_copy(tmp_path / "model.safetensors"), "from training")
    hands.app.process_events()

    assert hands.modelSelector.currentText == "from training"
    assert hands.modelList.currentRow == 1


def test_the_card_shows_the_evaluation_of_the_model(hands, library, tmp_path):
    assert "Not evaluated yet" not in hands.modelCardLabel.text  # The model that ships.
    trained = changed_copy(tmp_path / "job" / "model.safetensors")
    (trained.parent / "evaluation.json").write_text(json.dumps(an_evaluation_of(trained)))

    import_model(hands, trained)

    text = hands.modelCardLabel.text
    evaluated = ("0.942", "PCC, symmetry 0.590", "99.0%", "SYNTHETIC", "Not for clinical use")
    for part in ("Intended use", "Training data", "Limits", "Licence", *evaluated):
        assert part in text, part
    assert hands.modelCardGroup.collapsed


def test_an_evaluation_that_comes_later_is_shown(hands, library, tmp_path):
    import_model(hands, changed_copy(tmp_path / "job" / "model.safetensors"))
    assert "Not evaluated yet" in hands.modelCardLabel.text

    path = hands.parameters.model
    path.with_name("model.evaluation.json").write_text(json.dumps(an_evaluation_of(path)))
    hands.parameters.seed = 5
    hands.app.process_events()

    assert "PCC, symmetry 0.590" in hands.modelCardLabel.text


def an_evaluation_of(model: Path) -> dict:
    agreement = {name: {"pcc": value} for name, value in (("volume_ml", 0.9916), ("isthmus_area_mm2", 0.96))}
    agreement["symmetry"] = {"pcc": 0.59}
    return {
        "kind": "evaluation",
        "model": {"checksum": sha256_of(model)},
        "reconstruction": {"cases": 120, "assd_mm": {"mean": 1.341}, "dice": {"mean": 0.9417}},
        "validity": {"share_of_draws": 0.99},
        "steering": {"direct_sampling": agreement},
    }


def test_a_card_escapes_text_from_the_file(slicer_app):
    from ThyroidSynthLib.slicer.panel.models.model_card import cardHtml

    card = cardHtml(replace(describe_model(EXAMPLE), cohort="<b>bold</b>"), None)

    assert "&lt;b&gt;bold&lt;/b&gt;" in card
    assert "<b>bold</b>" not in card


def test_the_list_and_the_card_fit_into_the_panel(hands, library, tmp_path, picture_folder):
    from standin import pictures

    import_model(hands, changed_copy(tmp_path / "neck study 2026.safetensors"))
    hands.modelCardGroup.collapsed = False
    section = hands.module.widget.panel.model.widget
    picture = pictures.of_widget(section, width=450)
    pictures.save(picture, picture_folder / "section_model.png")

    assert section.minimumSizeHint.width() <= 450
