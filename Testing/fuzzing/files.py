"""Trials of bad files: every command and every reader that the panel uses, with every kind of file it reads."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError, ThyroidSynthError

from .file_mutations import Mutation
from .judge import Action, Trial
from .mutations import mutations_of

MASKS = ("thyroid.nii.gz", "gland.nii", "gland.nrrd", "gland.mha")
BOTH = ("labels.nii.gz", "both.seg.nrrd", "both.dcm")


@dataclass(frozen=True)
class Slot:
    """A file that something reads.

    Attributes
    ----------
    reader : str
        A command, or an entry point of the library in `READERS`.
    source : str
        A good file, or a folder of them, in the material.
    bad : str
        Which file of the folder is spoilt; empty if `source` is a file.
    acceptable : bool
        Whether any fault may pass, as in a cell that is not read.
    words : str
        The command line: ``{bad}`` is the file or the folder, ``{m}`` the folder of the material, ``{out}`` the output.
    """

    reader: str
    source: str
    words: str = ""
    bad: str = ""
    acceptable: bool = False

    def trial(self, material: Path, mutation: Mutation, seed: int) -> Trial:
        """Return the trial of a mutation of this file."""
        fault = f"{self.source}{'/' + self.bad if self.bad else ''}: {mutation.name}"
        # A case is called by the name of its file or folder.
        names = tuple(
            {Path(self.source).name, Path(self.bad or self.source).name, self.source.partition(".")[0], "trachea"}
        )
        if "--epochs 1 " in self.words:
            # A change that does not matter leaves a cohort on which one epoch is too few.
            names += ("Train the model for longer",)

        def make(given: Path, out: Path) -> Action:
            place = given / Path(self.source).name
            if self.bad:
                shutil.copytree(material / self.source, place)
            else:
                shutil.copy(material / self.source, place)
            mutation.change(place / self.bad if self.bad else place, random.Random(seed))
            if self.reader in READERS:
                return _call(READERS[self.reader], place)
            words = [word.format(bad=place, m=material, out=out) for word in self.words.split()]
            return run_command([self.reader, *words], out)

        fault += f" [{self.words or 'library'}] seed {seed}"
        acceptable = mutation.acceptable or self.acceptable
        return Trial(self.reader, fault, names, make, acceptable, printed=self.reader not in READERS)


def run_command(words: list[str], out: Path | None = None) -> Action:
    """Return an action that runs the command in this process."""

    def act() -> tuple[bool, str]:
        from ThyroidSynthLib.cli.main import main

        try:
            code = main(words)
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        # The message of `prepare` refers to its table, where the fault of each case is stated.
        table = out / "quality.csv" if out else None
        text = table.read_text(errors="replace") if table and table.is_file() else ""
        return code != 0 or ",unreadable," in text, text

    return act


def _call(reader: Callable[[Path], object], path: Path) -> Action:
    def act() -> tuple[bool, str]:
        try:
            reader(path)
        except ThyroidSynthError as error:
            return True, str(error)
        return False, ""

    return act


def _library(folder: Path) -> None:
    from ThyroidSynthLib.common.errors import ModelError
    from ThyroidSynthLib.model.library import ModelLibrary

    found = {model.path.name: model for model in ModelLibrary(folder).models()}
    assert found["other.safetensors"].description is not None, "a broken model hides the others"
    if "good.safetensors" in found and found["good.safetensors"].problem:
        raise ModelError(found["good.safetensors"].problem)
    if "good.safetensors" not in found:
        raise ModelError("Check: good.safetensors is not listed.")


def _case(path: Path) -> None:
    from ThyroidSynthLib.dataset.case_sources import find_cases
    from ThyroidSynthLib.dataset.cases import read_case

    for source in find_cases(path):
        # A trachea that was passed over is stated where the case is used.
        if read_case(source).trachea_mask.is_empty:
            raise InputError("Check: no trachea was found.")


def _scene(path: Path) -> None:
    """Load a case into a scene as the panel does."""
    from standin.session import open_session
    from ThyroidSynthLib.dataset.case_sources import find_cases
    from ThyroidSynthLib.slicer.scene.patient.loading import load_case

    session = open_session()
    for source in find_cases(path):
        try:
            loaded = load_case(session.scene, source)
        except ThyroidSynthError:
            nodes = session.scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode")
            nodes += session.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
            assert nodes == 0, "a case that cannot be loaded leaves nodes in the scene"
            raise
        if loaded.notes:
            raise InputError("Check: " + " ".join(loaded.notes))


def _fitted(path: Path) -> None:
    from support.kept_models import kept_model
    from ThyroidSynthLib.api import ShapeModel

    ShapeModel.load(kept_model("tiny")).fit(path)


def _cohort(path: Path) -> None:
    from ThyroidSynthLib.dataset.cohort import Cohort

    cohort = Cohort.open(path)
    cohort.provenance()
    for case_id in cohort.ids:
        cohort.surface(case_id)
        cohort.placement(case_id)
    cohort.verify()


def _job(path: Path) -> None:
    from ThyroidSynthLib.jobs.job import JobFolder
    from ThyroidSynthLib.jobs.job_options import resumed_job
    from ThyroidSynthLib.jobs.loss_history import LossHistory
    from ThyroidSynthLib.jobs.preview import read_preview

    job = JobFolder.open(path)
    history = LossHistory(job)
    history.update()
    history.thinned(10)
    job.read_state()
    job.read_metrics()
    read_preview(job.preview_file)
    resumed_job(path)


def _of(module: str, name: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        import importlib

        found: object = importlib.import_module(f"ThyroidSynthLib.{module}")
        for part in name.split("."):
            found = getattr(found, part)
        return found(path)  # type: ignore[operator]

    return read


READERS: dict[str, Callable[[Path], object]] = {
    "read_mask": _of("imaging.masks", "read_mask"),
    "read_grid": _of("imaging.volume_files", "read_grid"),
    "read_volume": _of("imaging.volume_files", "read_volume"),
    "read_label_map": _of("imaging.segmentations.label_map_reading", "read_label_map"),
    "read_case": _case,
    "load_case": _scene,
    "ShapeModel": _fitted,
    "describe_model": _of("model.description", "describe_model"),
    "ModelLibrary": _library,
    "TrainedModel": _of("model.trained_model", "TrainedModel.load"),
    "Cohort": _cohort,
    "JobFolder": _job,
    "read_targets": _of("generation.cohort.target_table", "read_targets"),
    "TargetDistribution": _of("generation.cohort.target_distribution", "TargetDistribution.read"),
    "read_quality_table": _of("dataset.quality_table", "read_quality_table"),
    "describe": _of("evaluation.report.inspection", "describe"),
}

_NEW = "--format none --quiet --workers 1 --out {out}"
_MASK = "--format none --quiet --out {out}"


def slots() -> list[Slot]:
    """Return every file that is tried."""
    found = []
    for name in MASKS:
        other = "--trachea {m}/trachea.nii.gz --samples 100 --quiet --workers 1 --out {out}"
        found += [
            Slot("prepare", name, "--thyroid {bad} " + other),
            Slot("fit", name, "{m}/model.safetensors --trachea {m}/trachea.nii.gz --thyroid {bad} " + _MASK),
            Slot("edit", name, "{m}/model.safetensors --thyroid {m}/thyroid.nii.gz --trachea {bad} " + _MASK),
            Slot("generate", name, "{m}/model.safetensors --grid {bad} " + _NEW),
            Slot("generate", name, "{m}/model.safetensors --at {bad} " + _NEW),
            Slot("generate", name, "{m}/model.safetensors --at {m}/case --overlap report --structures {bad} " + _NEW),
            *(Slot(reader, name) for reader in ("read_mask", "read_grid", "read_volume")),
        ]
    for name in BOTH:
        found += [
            Slot("prepare", name, "{bad} --samples 100 --quiet --workers 1 --out {out}"),
            Slot("fit", name, "{m}/model.safetensors {bad} " + _MASK),
            Slot("edit", name, "{m}/model.safetensors {bad} --volume +5% " + _MASK),
            Slot("edit", name, "{m}/model.safetensors {m}/case --volume +5% --merge-into {bad} " + _MASK),
            Slot("generate", name, "{m}/model.safetensors --at {bad} " + _NEW),
            Slot("generate", name, "{m}/model.safetensors --merge-into {bad} " + _NEW),
            *(Slot(reader, name) for reader in ("read_case", "read_label_map", "load_case", "ShapeModel")),
        ]
    mask = "segmentations/trachea.nii.gz"
    found += [
        Slot("prepare", "case", "{bad} --samples 100 --quiet --workers 1 --out {out}", mask),
        Slot("generate", "case", "{m}/model.safetensors --at {bad} " + _NEW, mask),
        Slot("read_case", "case", bad=mask),
        Slot("load_case", "case", bad=mask),
        Slot("load_case", "case", bad="ct.nii.gz", acceptable=True),
        Slot("ShapeModel", "case", bad="segmentations/thyroid_gland.nii.gz"),
    ]
    return [*found, *_of_models(), *_of_cohorts(), *_of_results()]


def _of_models() -> list[Slot]:
    name = "model.safetensors"
    return [
        Slot("info", name, "{bad}"),
        Slot("generate", name, "{bad} " + _NEW),
        Slot("fit", name, "{bad} {m}/case " + _MASK),
        Slot("edit", name, "{bad} {m}/case --volume +5% " + _MASK),
        Slot("evaluate", name, "{bad} {m}/cohort --count 1 --to-target 0 --moves 0 --cases 1 --quiet --out {out}"),
        *(Slot(reader, name) for reader in ("describe_model", "TrainedModel")),
        Slot("ModelLibrary", "library", bad="good.safetensors"),
    ]


def _of_cohorts() -> list[Slot]:
    found = []
    for name in ("cohort.json", "samples.npy"):
        found += [
            Slot("info", "cohort", "{bad}", name),
            Slot("train", "cohort", "{bad} --epochs 1 --quiet --device cpu --out {out}/model.safetensors", name),
            Slot(
                "evaluate",
                "cohort",
                "{m}/model.safetensors {bad} --count 1 --to-target 0 --moves 0 --cases 1 --quiet --out {out}",
                name,
            ),
            Slot("cross-validate", "cohort", "{bad} --folds 2 --epochs 1 --quick --quiet --out {out}", name),
            Slot("Cohort", "cohort", bad=name),
        ]
    return found


def _of_results() -> list[Slot]:
    job = ("config.json", "state.json", "checkpoint.safetensors", "launch.json", "metrics.jsonl", "preview.npz")
    found = [Slot("JobFolder", "job", bad=name) for name in job if name not in _OPTIONAL]
    found += [
        Slot("info", "job", "{bad}", "config.json"),
        Slot("info", "job", "{bad}", "state.json"),
        Slot("info", "generated", "{bad}", "manifest.json"),
        Slot("info", "evaluation", "{bad}", "evaluation.json"),
        Slot("compare", "evaluation", "{bad} --quiet --out {out}", "evaluation.json"),
        Slot("describe", "evaluation", bad="evaluation.json"),
        Slot("generate", "targets.csv", "{m}/model.safetensors --from-table {bad} " + _NEW),
        Slot("generate", "targets2.csv", "{m}/model.safetensors --from-table {bad} " + _NEW),
        Slot("generate", "distribution.json", "{m}/model.safetensors --distribution {bad} " + _NEW),
        Slot("generate", "distribution.csv", "{m}/model.safetensors --distribution {bad} " + _NEW),
        *(Slot("read_targets", name) for name in ("targets.csv", "targets2.csv")),
        *(Slot("TargetDistribution", name) for name in ("distribution.json", "distribution.csv")),
        Slot("read_quality_table", "prepared/quality.csv", acceptable=True),
    ]
    return found


# A job has these only for some time; a damaged one is tried by `JobFolder` and may be ignored.
_OPTIONAL = ("launch.json", "metrics.jsonl", "checkpoint.safetensors", "preview.npz")


SLOW = ("load_case",)
"""Readers that take seconds, because the application starts for each trial."""


def file_trials(material: Path, seed: int, *, slow: bool) -> Iterator[Trial]:
    """Yield one trial for each pair of a file and a mutation, in random order; `slow` also with the slow readers."""
    rng = random.Random(seed)
    chosen = [slot for slot in slots() if slow or slot.reader not in SLOW]
    pairs = [(slot, mutation) for slot in chosen for mutation in mutations_of(Path(slot.bad or slot.source))]
    rng.shuffle(pairs)
    for number, (slot, mutation) in enumerate(pairs):
        yield slot.trial(material, mutation, seed * 100_000 + number)
