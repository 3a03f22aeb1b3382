"""Prepare meshes of thyroids as a cohort."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from ThyroidSynthLib.common.errors import CohortError, InputError
from ThyroidSynthLib.common.files import absolute_path
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.common.results import check_outside
from ThyroidSynthLib.common.workers import Workers, usable_workers
from ThyroidSynthLib.dataset.case_preparation import CaseRecord
from ThyroidSynthLib.dataset.case_sources import FoundCases, synthetic_statement
from ThyroidSynthLib.dataset.cohort import COHORT_FILE
from ThyroidSynthLib.dataset.cohort_folder import claimed_folder
from ThyroidSynthLib.dataset.cohort_notes import with_cohort_notes
from ThyroidSynthLib.dataset.cohort_writing import SAMPLES_PER_SHAPE, Member, StoredShape, store_shape, write_cohort
from ThyroidSynthLib.dataset.prepare import PreparationSummary, earlier_ids, summary_of
from ThyroidSynthLib.dataset.quality import NOT_WATERTIGHT, QualityMeasurements, QualityRules, QualityVerdict
from ThyroidSynthLib.dataset.quality_table import QUALITY_FILE, write_quality_table
from ThyroidSynthLib.geometry.frame import DEFAULT_ALIGNMENT
from ThyroidSynthLib.imaging.meshes.any_mesh import read_mesh_file

from .centres import Centres
from .mesh_cases import find_mesh_files, mesh_placement, surface_findings

_MEASURING_SHARE = 0.4


@dataclass(frozen=True)
class MeshOptions:
    """The options of a preparation of meshes.

    Attributes
    ----------
    space : str or None
        Axes of the files that do not state them, "LPS" (the default) or "RAS".
    alignment : str
        One of `frame.ALIGNMENTS`. For "upright" the centre is that of the trachea at the height of the gland, for
        "trachea" that of the whole trachea in the scan.
    include, exclude : tuple of str
        Ids of cases that are included or excluded manually; a surface that is not closed cannot be included.
    samples_per_shape, seed, overwrite
        As in `PrepareOptions`.
    """

    space: str | None = None
    alignment: str = DEFAULT_ALIGNMENT
    rules: QualityRules = field(default_factory=QualityRules)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    samples_per_shape: int = SAMPLES_PER_SHAPE
    seed: int = 0
    overwrite: bool = False


def prepare_meshes(
    sources: Sequence[Path | str],
    folder: Path | str,
    centres: Centres,
    options: MeshOptions = MeshOptions(),
    *,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
    workers: int | None = None,
) -> PreparationSummary:
    """Prepare a cohort of meshes.

    Parameters
    ----------
    sources : sequence of path-like
        Mesh files (PLY, STL, OBJ, VTP, VTK), and folders with meshes at any depth.
    folder : path-like
        The cohort folder: new, empty, or of an earlier preparation of the same meshes.
    centres : Centres
        The centres of the tracheas in `ras_mm`.
    workers : int, optional
        Number of worker processes that draw the samples.

    Raises
    ------
    InputError
        There is no mesh, or a case to include or exclude is not among them.
    CohortError
        No case is accepted, or the folder holds another cohort.
    OutputError
        The folder holds other files, or the disk is full.
    Cancelled
        `should_stop` returned true; another call draws only the samples that are missing.
    """
    began = time.monotonic()
    folder = Path(folder)
    roots = tuple(map(absolute_path, sources))
    files = find_mesh_files(roots)
    unknown = [each for each in (*options.include, *options.exclude) if each not in dict(files)]
    if unknown:
        raise InputError(f"There is no case {', '.join(unknown)} among the {len(files)} meshes. Check the ids.")
    check_outside(folder, roots)
    statement = next(filter(None, map(synthetic_statement, roots)), None)
    source = "; ".join(map(str, roots))
    plan = {
        "kind": "meshes",
        "source": source,
        "space": options.space,
        "alignment": options.alignment,
        "rules": asdict(options.rules),
        "samples_per_shape": options.samples_per_shape,
        "seed": options.seed,
    }
    with claimed_folder(folder, plan, overwrite=options.overwrite) as target:
        earlier = earlier_ids(target)
        records = []
        for number, (case_id, path) in enumerate(files, start=1):
            check(should_stop)
            progress(_MEASURING_SHARE * number / len(files), f"Measuring {case_id} ({number} of {len(files)})")
            records.append(_record(case_id, path, centres, target, options))
        records, notes = with_cohort_notes(records, target)
        write_quality_table(target / QUALITY_FILE, records)
        members = [
            Member(each.id, each.shape, {"source": {"kind": "mesh", "mesh": each.source["files"][0]}, **_quality(each)})
            for each in records
            if each.accepted and each.shape is not None
        ]
        if not members:
            (target / COHORT_FILE).unlink(missing_ok=True)
            fault = next((f"{each.error} " for each in records if each.error), "")
            raise CohortError(
                f"None of the {len(records)} meshes is accepted. {fault}See {target / QUALITY_FILE} for the reasons."
            )
        with Workers(min(usable_workers(workers), len(members))) as pool:
            write_cohort(
                target,
                members,
                pool,
                samples_per_shape=options.samples_per_shape,
                seed=options.seed,
                synthetic=statement is not None,
                alignment=options.alignment,
                statement=statement or "",
                source=source,
                progress=part_of(progress, _MEASURING_SHARE, 1),
                should_stop=should_stop,
            )
    return summary_of(folder, records, notes, FoundCases(roots, ()), earlier, statement is not None, began)


def _record(case_id: str, path: Path, centres: Centres, target: Path, options: MeshOptions) -> CaseRecord:
    """Read, check and store the surface of a mesh; a mesh that cannot be read says why and stops no other."""
    source = {"kind": "mesh", "files": [str(path)]}
    try:
        centre = centres.of(case_id)
        mesh = read_mesh_file(path, space=options.space)
        if not len(mesh.surface.faces):
            raise InputError(f"{path} has no triangles. Only 'thyroidsynth fit' takes point clouds.")
    except InputError as error:
        verdict = QualityVerdict(False, (), (), QualityMeasurements())
        return CaseRecord(case_id, source, verdict, error=str(error))
    reasons, more = surface_findings(mesh.surface, centre, options.rules)
    notes = [*mesh.notes, *more]
    if options.alignment == "upright":
        notes.append("the axis of the trachea is unknown and was taken as vertical")
    shape: StoredShape | None = None
    if NOT_WATERTIGHT not in reasons:
        placement = mesh_placement(mesh.surface, centre, options.alignment)
        moved = mesh.surface.moved(placement.to_trachea(mesh.surface.vertices))
        shape = store_shape(target, case_id, moved, placement)
    accepted, manual = not reasons, _manual(case_id, not reasons, shape is not None, options)
    verdict = QualityVerdict(
        accepted=accepted if not manual else manual == "included",
        reasons=reasons,
        notes=tuple(notes),
        measurements=QualityMeasurements(
            volume_ml=max(mesh.surface.volume / 1000, 0.0),
            components=int(mesh.surface.components().max(initial=-1)) + 1,
        ),
        manual_decision=manual,
    )
    return CaseRecord(case_id, source, verdict, shape)


def _manual(case_id: str, accepted: bool, closed: bool, options: MeshOptions) -> Literal["", "included", "excluded"]:
    if case_id in options.exclude and accepted:
        return "excluded"
    return "included" if case_id in options.include and not accepted and closed else ""


def _quality(record: CaseRecord) -> dict[str, object]:
    return {"quality": asdict(record.verdict)}
