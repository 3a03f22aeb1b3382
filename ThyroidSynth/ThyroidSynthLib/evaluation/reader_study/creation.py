"""Creating the folder of a reader study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError, OutputError, ThyroidSynthError
from ThyroidSynthLib.common.files import sha256_of, write_json
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.common.staging import files_of_others, output_folder, publish, staged
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.ply import write_ply
from ThyroidSynthLib.imaging.volume_files import write_volume

from .candidates import REAL, SYNTHETIC, Candidate, neutral
from .order import shuffled
from .plan import CT_FILE, FORMAT_VERSION, KIND, STUDY_FILE, StudyPlan, StudyShape, shape_file

# The same for all shapes.
_COMMENT = "Shape of a reader study by ThyroidSynth; not for clinical use. SPACE=RAS"


def create_study(
    folder: Path | str,
    candidates: Sequence[Candidate],
    *,
    seed: int,
    most: int | None = None,
    repeat_share: float = 0.2,
    ct: Volume | None = None,
    placement: Placement | None = None,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> StudyPlan:
    """Create a study in a new or empty folder. Its plan never changes again.

    Every shape is resampled alike and measured as it is shown. Without a CT its centre is moved to the origin.

    Parameters
    ----------
    candidates : sequence of Candidate
        Real and synthetic shapes.
    seed : int
        Random seed of the choice of shapes, their numbers and every reader's order.
    most : int, optional
        Largest number of shapes of each kind, chosen at random; None for all.
    repeat_share : float
        Share of the shapes of each kind, 0 to 1, that each reader sees twice.
    ct : Volume, optional
        The CT over which shapes are shown, without the patient's gland (see `without_gland`); axes at right angles.
    placement : Placement, optional
        The trachea frame of its patient; needed with a CT.

    Raises
    ------
    InputError
        There is no real or no synthetic shape, or a shape cannot be read or is not closed.
    OutputError
        The folder is not empty, or cannot be written.
    Cancelled
        `should_stop` returned true; nothing is left.
    """
    folder = Path(folder)
    chosen = _chosen(candidates, seed, most)
    if ct is not None and placement is None:
        raise ValueError("Shapes over a CT need the placement of its patient.")
    with output_folder(folder):
        _check_empty(folder)
        with staged(folder) as staging:
            shapes = []
            for number, candidate in enumerate(chosen, start=1):
                check(should_stop)
                progress((number - 1) / len(chosen), f"Preparing shape {number} of {len(chosen)}")
                shapes.append(_write_shape(number, candidate, staging, placement if ct is not None else None))
            checksum = ""
            if ct is not None:
                write_volume(ct, staging / CT_FILE)
                checksum = sha256_of(staging / CT_FILE)
            notices = tuple(dict.fromkeys(each.notice for each in chosen if each.notice))
            plan = StudyPlan(folder, seed, tuple(shapes), _repeated(shapes, seed, repeat_share), notices, checksum)
            head = {"kind": KIND, "format_version": FORMAT_VERSION, "software": f"ThyroidSynth {__version__}"}
            write_json(staging / STUDY_FILE, {**head, **plan.to_json()})
            check(should_stop)
            _check_empty(folder)
            publish(folder, last=STUDY_FILE)
    return plan


def _chosen(candidates: Sequence[Candidate], seed: int, most: int | None) -> list[Candidate]:
    """Choose shapes of both kinds at random and return them in random order."""
    by_key: dict[str, Candidate] = {}
    for kind in (REAL, SYNTHETIC):
        of_kind = {f"{kind} {index}": each for index, each in enumerate(candidates) if each.kind == kind}
        if not of_kind:
            raise InputError(f"The study has no {kind} shapes. Add some, because it compares real and synthetic ones.")
        by_key |= {key: of_kind[key] for key in shuffled(of_kind, seed, "choice")[:most]}
    return [by_key[key] for key in shuffled(by_key, seed, "numbers")]


def _repeated(shapes: Sequence[StudyShape], seed: int, share: float) -> tuple[int, ...]:
    found: list[int] = []
    for kind in (REAL, SYNTHETIC):
        numbers = [str(shape.number) for shape in shapes if shape.kind == kind]
        found += map(int, shuffled(numbers, seed, "repeats")[: round(share * len(numbers))])
    return tuple(sorted(found))


def _write_shape(number: int, candidate: Candidate, staging: Path, placement: Placement | None) -> StudyShape:
    try:
        surface = neutral(candidate.read())
    except (ThyroidSynthError, ValueError) as error:
        raise InputError(f"The shape {candidate.name} cannot be shown: {error}") from error
    measured = measure_features(surface).as_dict() if candidate.measurable else {}
    features = {name: float(value) for name, value in measured.items()}
    surface = _placed(surface, placement)
    lower, upper = surface.bounds
    file = shape_file(number)
    write_ply(surface, staging / file, comment=_COMMENT)
    return StudyShape(
        number=number,
        kind=candidate.kind,
        name=candidate.name,
        features=features,
        extent_mm=round(float((upper - lower).max()), 3),
        source=candidate.source,
        file=file,
        sha256=sha256_of(staging / file),
    )


def _placed(surface: Surface, placement: Placement | None) -> Surface:
    if placement is not None:
        return surface.moved(placement.to_ras(surface.vertices))
    lower, upper = surface.bounds
    return surface.moved(surface.vertices - (lower + upper) / 2)


def _check_empty(folder: Path) -> None:
    others = files_of_others(folder)
    if others:
        raise OutputError(f"{folder} is not empty (it holds {others[0].name}). Choose a new folder for the study.")
