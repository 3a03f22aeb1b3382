"""A model file is read back unchanged; other files are refused with their name, and no code in them is run."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from support.tiny_cohort import write_tiny_cohort
from ThyroidSynthLib.common.errors import ModelError, OutputError
from ThyroidSynthLib.common.files import sha256_of
from ThyroidSynthLib.model.array_file import load_arrays, save_arrays
from ThyroidSynthLib.model.description import describe_model
from ThyroidSynthLib.model.presets import settings_for
from ThyroidSynthLib.model.trained_model import TrainedModel
from ThyroidSynthLib.training.loop import train


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    cohort = write_tiny_cohort(tmp_path_factory.mktemp("model") / "cohort", cases=4, samples_per_shape=200)
    small = {"samples_per_shape": 50, "hidden_width": 16, "latent_size": 4, "mirrored_size": 2}
    settings = settings_for("fast", "fixed", epochs=2, **small)
    return train(cohort, settings, device="cpu")


@pytest.fixture
def model_file(model: TrainedModel, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    model.save(path)
    return path


def rewritten(path: Path, **changes) -> Path:
    """Write the file again with parts of its description replaced; None drops one."""
    arrays, description = load_arrays(path, kind="model")
    description |= changes
    save_arrays(path, arrays, {name: value for name, value in description.items() if value is not None})
    return path


def test_a_saved_model_is_read_back_unchanged(model: TrainedModel, model_file: Path) -> None:
    again = TrainedModel.load(model_file)

    np.testing.assert_array_equal(again.codes, model.codes)
    np.testing.assert_array_equal(again.features, model.features)
    np.testing.assert_array_equal(again.frame.scale_mm, model.frame.scale_mm)
    assert again.settings == model.settings
    assert again.ids == model.ids
    assert again.provenance == model.provenance
    assert again.checksum == sha256_of(model_file)
    for name, array in model.network.arrays().items():
        np.testing.assert_array_equal(again.network.arrays()[name], array, err_msg=name)


def test_tracheas_are_read_back_and_checked(model: TrainedModel, model_file: Path) -> None:
    assert TrainedModel.load(model_file).tracheas is None
    tracheas = np.array([[14.0, 2.2, 3.0], [20.0, 2.4, 0.0], [16.0, 0.3, 1.0], [12.0, -0.2, 0.5]])

    replace(model, tracheas=tracheas).save(model_file)
    np.testing.assert_array_equal(TrainedModel.load(model_file).tracheas, tracheas)

    for damaged, fault in ((tracheas[:3], "'tracheas' is float64"), (tracheas * 1e5, "tracheas of its training cases")):
        replace(model, tracheas=damaged).save(model_file)
        with pytest.raises(ModelError, match=fault):
            TrainedModel.load(model_file)


def test_a_model_with_sine_units_is_read_back_with_its_omega(small_siren: TrainedModel, tmp_path: Path) -> None:
    small_siren.save(tmp_path / "again.safetensors")
    again = TrainedModel.load(tmp_path / "again.safetensors")

    assert again.network.omega == small_siren.settings.omega == 30.0
    points = np.random.default_rng(0).uniform(-1, 1, (50, 3)).astype(np.float32)
    folded = again.network.fold(again.codes[2].astype(np.float32))
    np.testing.assert_array_equal(again.network.values(points, folded), small_siren.network.values(points, folded))
    assert np.abs(again.network.values(points, folded)).max() > 0.1
    assert describe_model(tmp_path / "again.safetensors").omega == 30.0


def test_a_model_of_a_version_without_sine_units_has_relu_units(small_model: TrainedModel, model_file: Path) -> None:
    assert "activation" not in load_arrays(model_file, kind="model")[1]["settings"]
    assert small_model.network.omega is None
    assert describe_model(model_file).omega is None


def test_any_reader_of_safetensors_can_read_the_description(model_file: Path) -> None:
    with safe_open(str(model_file), framework="np") as stream:
        description = json.loads(stream.metadata()["thyroidsynth"])

    assert "Not for clinical use" in description["notice"]
    assert description["feature_names"] == ["volume_ml", "isthmus_area_mm2", "symmetry"]
    assert description["provenance"]["cohort"]["synthetic"] is True
    assert description["provenance"]["training"]["epochs"] == 2


def test_the_description_is_read_from_the_header(model: TrainedModel, model_file: Path) -> None:
    described = describe_model(model_file)

    assert described.cohort == model.provenance["cohort"]["source"] == "surfaces"
    assert (described.cases, described.synthetic, described.alignment) == (4, True, model.frame.alignment)
    np.testing.assert_array_equal(described.features, model.features)
    volumes_ml = model.features[:, 0]
    assert described.feature_range("volume_ml") == (volumes_ml.min(), volumes_ml.max())
    assert described.feature_range("volume_ml", 25, 75) == pytest.approx(np.percentile(volumes_ml, [25, 75]))


def test_a_training_case_is_found_by_its_id(model: TrainedModel) -> None:
    assert model.index_of("tiny02") == 2
    with pytest.raises(ModelError, match="s0001"):
        model.index_of("s0001")


def test_missing_and_damaged_files_are_refused_with_their_name(model_file: Path, tmp_path: Path) -> None:
    content = model_file.read_bytes()
    for name, bytes_ in (("empty", b""), ("text", b"no model" * 20), ("cut", content[:-50]), ("head", content[:100])):
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(bytes_)
        with pytest.raises(ModelError, match=rf"{name}\.safetensors .*damaged"):
            TrainedModel.load(path)
    with pytest.raises(ModelError, match=r"missing\.safetensors does not exist"):
        TrainedModel.load(tmp_path / "missing.safetensors")
    with pytest.raises(ModelError, match="is a folder"):
        TrainedModel.load(tmp_path)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Trap()))
    torch.save({"weights": torch.zeros(3)}, tmp_path / "model.pt")

    for name in ("model.safetensors", "model.pt"):
        with pytest.raises(ModelError, match=name):
            TrainedModel.load(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_files_of_other_software_and_other_kinds_are_refused(model_file: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    foreign = tmp_path / "foreign.safetensors"
    save_file({"weights": torch.zeros(3)}, foreign)
    with pytest.raises(ModelError, match=r"foreign\.safetensors was not written by ThyroidSynth"):
        TrainedModel.load(foreign)
    save_file({"weights": torch.zeros(3)}, foreign, {"thyroidsynth": "[1]"})
    with pytest.raises(ModelError, match=r"foreign\.safetensors"):
        TrainedModel.load(foreign)
    with pytest.raises(ModelError, match=r"model\.safetensors is a checkpoint file, not a model file"):
        TrainedModel.load(rewritten(model_file, kind="checkpoint"))


def test_a_file_of_another_format_version_is_refused_with_the_remedy(model_file: Path) -> None:
    for read in (TrainedModel.load, describe_model):
        with pytest.raises(ModelError, match=r"model\.safetensors.*newer.*Update"):
            read(rewritten(model_file, format_version=99))
        with pytest.raises(ModelError, match=r"model\.safetensors.*older.*Train"):
            read(rewritten(model_file, format_version=1))


@pytest.mark.parametrize(
    "changes",
    [
        {"format_version": None},
        {"frame": None},
        {"frame": {"scale_mm": [1, 2], "lower_mm": [0, 0, 0], "upper_mm": [1, 1, 1]}},
        {"settings": None},
        {"settings": {"preset": "fast"}},
        {"settings": {"preset": "fast", "variant": "fixed", "wavelets": 3}},
        {"conditioning": "wavelets"},
        {"ids": ["only one"]},
        {"ids": None},
        {"provenance": None},
    ],
)
def test_an_inconsistent_description_is_refused_with_the_name_of_the_file(model_file: Path, changes: dict) -> None:
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        TrainedModel.load(rewritten(model_file, **changes))


def test_weights_that_do_not_fit_the_settings_are_refused(model: TrainedModel, model_file: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.safetensors is damaged .* its array 'network\.layers\.0\.weight'"):
        TrainedModel.load(rewritten(model_file, settings=replace(model.settings, hidden_width=17).to_json()))
    arrays, description = load_arrays(model_file, kind="model")
    del arrays["latent_table"]
    save_arrays(model_file, arrays, description)
    with pytest.raises(ModelError, match="latent_table"):
        TrainedModel.load(model_file)


def test_a_failed_save_names_the_file_and_keeps_an_earlier_one(model: TrainedModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"model\.safetensors cannot be written"):
        model.save(tmp_path / "file" / "model.safetensors")

    broken = replace(model, provenance={"loss": float("nan")})
    path = tmp_path / "model.safetensors"
    model.save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        broken.save(path)
    assert path.read_bytes() == before
