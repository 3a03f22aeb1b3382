"""Checkpoints of the authors' code become models with the same shapes, and nothing in them is executed."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from support.authors_files import AuthorsFiles, write_authors_set, write_table
from support.lightning_files import AuthorsModule, save_checkpoint
from ThyroidSynthLib.common.errors import InputError, ModelError
from ThyroidSynthLib.dataset.authors import AuthorsOptions, prepare_authors_set
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.model.importing import ImportOptions, import_checkpoint, open_checkpoint
from ThyroidSynthLib.model.trained_model import TrainedModel

ROWS = 6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> AuthorsFiles:
    return write_authors_set(tmp_path_factory.mktemp("authors") / "set")


@pytest.fixture(scope="module")
def cohort(made: AuthorsFiles) -> Cohort:
    out = made.folder.parent / "cohort"
    return Cohort.open(prepare_authors_set(made.folder, out, AuthorsOptions(tuple(made.scale_mm))).folder)


def columns(made: AuthorsFiles, order: list[str] | None = None) -> list[np.ndarray | tuple[int, int]]:
    """Return the features as the authors' training passes them, and the shape of the trainable code."""
    features = np.array([made.units(made.features(case_id)) for case_id in order or made.ids])
    return [*(features[:, [column]] for column in range(3)), (len(features), 8)]


def samples(made: AuthorsFiles) -> tuple[np.ndarray, np.ndarray]:
    files = [np.load(made.folder / "sdf" / f"{case_id}.npz") for case_id in made.ids]
    return np.array([file["points"] for file in files]), np.array([file["sdf"][:, 0] for file in files])


def test_the_model_has_the_distances_of_the_checkpoint(made: AuthorsFiles, cohort: Cohort, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = AuthorsModule(columns(made))
    save_checkpoint(module, tmp_path / "a.ckpt")
    model = import_checkpoint(tmp_path / "a.ckpt", cohort).model
    points = np.random.default_rng(0).uniform(-1, 1, (50, 3))

    assert list(model.ids) == made.ids and model.variant == "fixed"
    np.testing.assert_allclose(model.features, [made.features(case_id) for case_id in made.ids], rtol=1e-6)
    for row in range(ROWS):
        expected = -module.values(row, points)
        ours = model.network.values(points[:, ::-1].astype(np.float32), model.network.fold(model.codes[row]))
        np.testing.assert_allclose(ours, expected, atol=2e-6)


def test_a_trained_checkpoint_reconstructs_the_shapes(made: AuthorsFiles, cohort: Cohort, tmp_path: Path) -> None:
    from ThyroidSynthLib.generation.thyroid import reconstruct

    torch.manual_seed(0)
    module = AuthorsModule(columns(made), width=48)
    module.fit(*samples(made), steps=400)
    save_checkpoint(module, tmp_path / "a.ckpt")
    found = import_checkpoint(tmp_path / "a.ckpt", cohort)
    found.model.save(tmp_path / "model.safetensors")
    model = TrainedModel.load(tmp_path / "model.safetensors")

    assert found.error_mm < 1.0
    for row in (0, 3):
        surface = reconstruct(model, row).surface
        np.testing.assert_allclose(surface.bounds, made.surfaces_mm[made.ids[row]].bounds, atol=3.0)
        assert surface.volume / 1000 == pytest.approx(made.features(made.ids[row])[0], rel=0.15)


def test_rows_that_the_training_took_in_the_order_of_the_table_are_noted(
    made: AuthorsFiles, cohort: Cohort, tmp_path: Path
) -> None:
    save_checkpoint(AuthorsModule(columns(made, cohort.document["authors"]["table_ids"])), tmp_path / "a.ckpt")
    notes = import_checkpoint(tmp_path / "a.ckpt", cohort).notes

    assert any("conditioned on the features of other shapes" in note for note in notes)
    save_checkpoint(AuthorsModule(columns(made)), tmp_path / "b.ckpt")
    assert not any(
        "shapes" in note and "conditioned" in note for note in import_checkpoint(tmp_path / "b.ckpt", cohort).notes
    )


def test_without_the_set_rows_are_numbered_and_lengths_are_in_units(made: AuthorsFiles, tmp_path: Path) -> None:
    save_checkpoint(AuthorsModule(columns(made)), tmp_path / "a.ckpt")
    found = import_checkpoint(tmp_path / "a.ckpt")
    scaled = import_checkpoint(tmp_path / "a.ckpt", None, ImportOptions(scale_mm=tuple(made.scale_mm))).model

    assert found.model.ids[:2] == ("row00000", "row00001") and found.error_mm is None
    assert any("lengths are in units" in note for note in found.notes)
    assert "lengths are in units" in found.model.provenance["cohort"]["lengths"]
    np.testing.assert_allclose(scaled.features, [made.features(case_id) for case_id in made.ids], rtol=1e-6)
    np.testing.assert_allclose(scaled.frame.scale_mm, made.scale_mm[::-1])
    assert "lengths" not in scaled.provenance["cohort"]


def test_a_model_of_one_feature_takes_the_others_from_the_set(
    made: AuthorsFiles, cohort: Cohort, tmp_path: Path
) -> None:
    module = AuthorsModule([columns(made)[0], (ROWS, 8)])
    save_checkpoint(module, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="--features"):
        import_checkpoint(tmp_path / "a.ckpt", cohort)
    model = import_checkpoint(tmp_path / "a.ckpt", cohort, ImportOptions(("volume",))).model
    changed = model.features[0] * [1, 2, 0.5]

    np.testing.assert_allclose(model.features[1], made.features(made.ids[1]), rtol=1e-3)
    folded = [
        model.network.fold(np.hstack([model.conditioning.encode(each)[0], model.latent_table[0]]))
        for each in (model.features[0], changed)
    ]
    np.testing.assert_allclose(*folded)


def test_a_baseline_needs_the_set(made: AuthorsFiles, cohort: Cohort, tmp_path: Path) -> None:
    save_checkpoint(AuthorsModule([(ROWS, 8)]), tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="--cohort"):
        import_checkpoint(tmp_path / "a.ckpt")
    model = import_checkpoint(tmp_path / "a.ckpt", cohort).model

    assert model.variant == "baseline" and model.code_size == 8
    model.save(tmp_path / "m.safetensors")
    assert TrainedModel.load(tmp_path / "m.safetensors").settings.epochs == 10_000


@pytest.mark.parametrize(
    ("changes", "variant", "note"),
    [
        ({"apply_correlation_loss": True}, "correlation", ""),
        ({"apply_batch_correlation_loss": False}, "fixed", ""),
        ({}, "fixed", "batches of one shape"),
    ],
)
def test_the_variant_follows_from_the_losses(made, cohort, tmp_path: Path, changes, variant: str, note: str) -> None:
    save_checkpoint(AuthorsModule(columns(made)), tmp_path / "a.ckpt", **changes)
    found = import_checkpoint(tmp_path / "a.ckpt", cohort)

    assert found.model.variant == variant
    assert any("batches of one shape" in each for each in found.notes) == bool(note)


def test_sine_units_are_imported_where_they_are_stated(made: AuthorsFiles, cohort: Cohort, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = AuthorsModule(columns(made), sines=True)
    save_checkpoint(module, tmp_path / "a.ckpt")
    model = import_checkpoint(tmp_path / "a.ckpt", cohort, ImportOptions(activation="siren")).model
    model.save(tmp_path / "m.safetensors")
    network = TrainedModel.load(tmp_path / "m.safetensors").network
    points = np.random.default_rng(0).uniform(-1, 1, (50, 3))

    ours = network.values(points[:, ::-1].astype(np.float32), network.fold(model.codes[1]))
    np.testing.assert_allclose(ours, -module.values(1, points), atol=2e-4)


def test_the_state_alone_and_half_precision_are_read(made: AuthorsFiles, cohort: Cohort, tmp_path: Path) -> None:
    module = AuthorsModule(columns(made))
    expected = -module.values(2, np.zeros((1, 3)))
    torch.save({name.removeprefix("model."): value for name, value in module.state_dict().items()}, tmp_path / "a.pt")
    torch.save({"state_dict": {name: v.bfloat16() for name, v in module.state_dict().items()}}, tmp_path / "b.pt")
    for name, tolerance in (("a.pt", 1e-6), ("b.pt", 0.05)):
        model = import_checkpoint(tmp_path / name, cohort).model
        ours = model.network.values(np.zeros((1, 3), np.float32), model.network.fold(model.codes[2]))
        np.testing.assert_allclose(ours, expected, atol=tolerance)


class Harmful:
    def __reduce__(self):
        return (exec, ("open('harm.txt', 'w').close()",))


def with_pickle(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("where", ["hyper_parameters", "state_dict", "key"])
def test_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int, where: str) -> None:
    monkeypatch.chdir(tmp_path)
    content = {"state_dict": {}, where: {"a": Harmful()}} if where != "key" else {"a": [Harmful()]}
    with_pickle(tmp_path / "a.ckpt", pickle.dumps(content, protocol=protocol))
    with pytest.raises(ModelError, match=r"refers to (builtins|__builtin__)\.exec. Nothing of it was executed"):
        import_checkpoint(tmp_path / "a.ckpt")
    assert not (tmp_path / "harm.txt").exists()


def test_an_allowed_name_is_not_called_either(tmp_path: Path) -> None:
    # pathlib is allowed, and none of its functions is reached.
    content = b"\x80\x02}(X\x01\x00\x00\x00acpathlib\nPath\nX\x04\x00\x00\x00/etc\x85Ru."
    with_pickle(tmp_path / "a.ckpt", content)
    value = open_checkpoint(tmp_path / "a.ckpt").content["a"]
    assert str(value.function) == "pathlib.Path" and value.arguments == ("/etc",)
    # A name with a dot would be an attribute of an allowed one.
    with_pickle(tmp_path / "b.ckpt", b"\x80\x04\x8c\x05numpy\x8c\x0bdtype.alias\x93.")
    with pytest.raises(ModelError, match=r"numpy\.dtype\.alias"):
        open_checkpoint(tmp_path / "b.ckpt")


def saved(content: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "not a checkpoint"),
        (b"hello", "not a checkpoint"),
        (pickle.dumps({"state_dict": {}}), "not a checkpoint"),
        (saved([1, 2]), "holds no model"),
        (saved({"state_dict": 3}), "no 'state_dict'"),
        (saved({"state_dict": {"a": torch.zeros(2)}}), "no layers"),
        (saved({"state_dict": {"layers.0.weight": torch.zeros(4, 5)}}), "layer of the network is missing"),
        (saved({"state_dict": {**AuthorsModule([(3, 4)]).state_dict(), "c": torch.zeros(1)}}), "it holds c"),
        (saved({"state_dict": AuthorsModule([(3, 4)], outputs=2).state_dict()}), "2 outputs"),
        (saved({"state_dict": AuthorsModule([(3, 4)]).model.state_dict()}), "no latent codes"),
        (
            saved({"state_dict": {n: v * float("nan") for n, v in AuthorsModule([(3, 4)]).state_dict().items()}}),
            "finite",
        ),
        (saved({"state_dict": AuthorsModule([(3, 4)]).state_dict()})[:-300], "not a checkpoint"),
    ],
)
def test_what_is_no_such_checkpoint_is_refused_by_name(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(ModelError, match=fault) as raised:
        import_checkpoint(tmp_path / "a.ckpt")
    assert "a.ckpt" in str(raised.value)


def test_tensors_outside_of_their_storage_and_compressed_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(saved({"state_dict": AuthorsModule([(3, 4)]).state_dict()}))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    largest = max(members, key=lambda name: len(members[name]) if "/data/" in name else 0)
    for changed, kind in (({largest: members[largest][:40]}, zipfile.ZIP_STORED), ({}, zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(path, "w", kind) as archive:
            for name, content in (members | changed).items():
                archive.writestr(name, content)
        with pytest.raises(ModelError, match=r"a\.ckpt is damaged"):
            import_checkpoint(path)


def test_options_that_contradict_the_checkpoint_are_refused(made: AuthorsFiles, cohort: Cohort, tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    save_checkpoint(AuthorsModule(columns(made)), path)
    with pytest.raises(InputError, match="states its own scale"):
        import_checkpoint(path, cohort, ImportOptions(scale_mm=(1.0, 1.0, 1.0)))
    with pytest.raises(InputError, match="3 features, and 1 are given"):
        import_checkpoint(path, cohort, ImportOptions(("volume",)))
    with pytest.raises(InputError, match="in this order"):
        import_checkpoint(path, cohort, ImportOptions(("isthmus_area", "volume", "symmetry")))
    save_checkpoint(AuthorsModule([np.ones((4, 1)), np.ones((4, 1)), np.ones((4, 1)), (4, 8)]), path)
    with pytest.raises(InputError, match="trained on 4 cases, and the set"):
        import_checkpoint(path, cohort)


def test_an_ordinary_cohort_is_refused(made: AuthorsFiles, small_cohort: Cohort, tmp_path: Path) -> None:
    save_checkpoint(AuthorsModule(columns(made)), tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="not a cohort of the published set"):
        import_checkpoint(tmp_path / "a.ckpt", small_cohort)


def test_cases_that_are_not_in_the_cohort_are_left_out(made: AuthorsFiles, tmp_path: Path) -> None:
    write_table(made, made.ids)
    options = AuthorsOptions(tuple(made.scale_mm), exclude=(made.ids[1],))
    part = Cohort.open(prepare_authors_set(made.folder, tmp_path / "part", options).folder)
    module = AuthorsModule(columns(made))
    save_checkpoint(module, tmp_path / "a.ckpt")
    found = import_checkpoint(tmp_path / "a.ckpt", part)

    assert list(found.model.ids) == [made.ids[0], *made.ids[2:]]
    np.testing.assert_allclose(found.model.codes[1], module.code(2), rtol=1e-4, atol=1e-5)
    assert any("1 of its 6 training cases" in note for note in found.notes)
