"""`thyroidsynth generate`: generate thyroids with a model."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.cli.shared import numbers
from ThyroidSynthLib.cli.shared.arguments import (
    add_files,
    add_labels,
    add_model,
    add_out,
    add_scheduler,
    add_seed,
    add_workers,
    file_options,
    files_at,
)
from ThyroidSynthLib.cli.shared.cohorts import in_parallel, model_lines, record, request_of
from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.cli.shared.merging import add_merging, with_merging
from ThyroidSynthLib.cli.shared.placement import Place, add_place, check_place, place_of
from ThyroidSynthLib.cli.shared.targets import (
    TargetOptions,
    add_target_options,
    check_target_options,
    far_text,
    met_text,
    targets_of,
)
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.imaging.labels import TRACHEA

if TYPE_CHECKING:
    from ThyroidSynthLib.common.progress import ShouldStop
    from ThyroidSynthLib.export.cohort.cohort_kind import WrittenMember
    from ThyroidSynthLib.export.cohort.written_thyroid import ThyroidWriter
    from ThyroidSynthLib.export.surroundings import Surroundings
    from ThyroidSynthLib.generation.cohort.patient_site import PatientSite
    from ThyroidSynthLib.generation.organs.organ_set import OrganMaker
    from ThyroidSynthLib.generation.steer.contact import Contact
    from ThyroidSynthLib.imaging.masks import Mask
    from ThyroidSynthLib.model.trained_model import TrainedModel

_FEW_FOR_A_PROCESS = 12

NAME = "generate"
SUMMARY = "generate random or steered thyroids"
DESCRIPTION = """\
Generate thyroids and write label maps, meshes and a manifest with all random seeds, latent codes, targets, measured
features and checksums. Features without a target are drawn from the distribution of the training cohort. Runs in
parallel; the output does not depend on the number of workers. Thyroid number i of a seed is always the same; with a
target distribution, for the same number of thyroids. At a patient, thyroids are drawn for the width of the trachea and
steered out of it; directly sampled ones keep the features of their draw then. Steered thyroids meet their targets as
they are written: where subtracted overlap, a merged map or coarse voxels change them, they also depend on the patient
and the grid."""
EPILOG = """\
examples:
  thyroidsynth generate model.safetensors --count 12 --seed 1 --out thyroids
  thyroidsynth generate model.safetensors --count 100 --volume 15 --isthmus-area 0 --steer --out no_isthmus
  thyroidsynth generate model.safetensors --from-table targets.csv --steer --mesh ply,stl --out cohort500
  thyroidsynth generate model.safetensors --count 1000 --distribution cohort --without-isthmus 30% --out cohort1000
  thyroidsynth generate model.safetensors --count 500 --volume-distribution lognormal:2.7,0.35 --out lognormal
  thyroidsynth generate model.safetensors --count 20 --organs --mesh ply --out necks
  thyroidsynth generate model.safetensors --reconstruct s0001 s0002 --out reconstructed
  thyroidsynth generate model.safetensors --at s0327 --grid s0327/ct.nii.gz --out in_patient
  thyroidsynth generate model.safetensors --at s0327 --organs --out neck_of_patient
  thyroidsynth generate model.safetensors --merge-into s0327 --format none --out other_thyroids

A table of targets has any of the columns volume_ml, isthmus_area_mm2 and symmetry, and one row per thyroid.

A file of distributions is JSON such as {"volume_ml": "lognormal(2.7, 0.35)", "symmetry": "normal(0.6, 0.08)",
"without_isthmus": "30%"}, or CSV with the columns feature and distribution. distribution.json,
.csv and .png beside the manifest compare the thyroids with the table or the distributions.

A file named STOP in the output folder ends the command after the current thyroid."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_model(parser)
    add_out(parser, "folder for the thyroids and their manifest")
    parser.add_argument(
        "--count", type=numbers.generated, metavar="N", help="number of thyroids (default: 1, or the rows of the table)"
    )
    add_seed(parser)
    add_workers(parser)
    add_scheduler(parser)
    add_target_options(parser)
    add_place(parser)
    add_labels(parser)
    parser.add_argument(
        "--organs",
        action="store_true",
        help="also draw the organs that belong to each thyroid, such as the trachea, and write one label map of all "
        "(organ_maps/) and, with --mesh, a mesh of each; needs a model that was trained on a cohort with organs. With "
        "--at, the trachea and those organs that the patient has are the patient's own, as they were segmented; the "
        "thyroids do not enter them, and the other organs are drawn given them",
    )
    add_merging(parser, more="; the thyroids are placed at its trachea unless --at is given")
    add_files(parser, default_grid="1.5")
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.results import check_outside
    from ThyroidSynthLib.common.staging import output_folder
    from ThyroidSynthLib.export.cohort.generated_cohort import (
        begun_thyroids,
        check_cohort_room,
    )

    check_target_options(options)
    check_place(options)
    if options.organs and options.merge_into:
        options.usage_error(
            "--organs writes maps of its own, and a merged map has the patient's organs: use --at instead of "
            "--merge-into, or leave out --organs"
        )
    if options.organs and options.reconstruct:
        options.usage_error("--organs belong to random thyroids: leave out --reconstruct")
    # --distribution may also be "cohort", which is not a file.
    tables = (options.from_table, Path(options.distribution) if options.distribution else None)
    patient = (options.at, options.merge_into, options.grid, *options.structures)
    inputs = files_at(options.model, *tables, *patient)
    request = request_of(options, inputs)
    check_outside(options.out, patient)
    with output_folder(options.out):
        begun = begun_thyroids(options.out, request)
        if begun is None:
            check_cohort_room(options.out, overwrite=options.overwrite, inputs=inputs)
        else:
            console.note(f"Continues an interrupted run, which made {counted(len(begun), 'thyroid')}.")
        return _generate(options, console, request, begun)


def _generate(
    options: argparse.Namespace, console: Console, request: str, begun: list[dict[str, Any]] | None
) -> Result:
    from ThyroidSynthLib.export.cohort.generated_cohort import thyroid_writer
    from ThyroidSynthLib.model.trained_model import TrainedModel

    files = with_merging(file_options(options), options, console)
    model = TrainedModel.load(options.model)
    chosen = targets_of(options, model)
    if chosen.far:
        console.warn(far_text(chosen.far, len(chosen.targets)))
    place = place_of(options, model, files)
    if place.site.notes:
        console.warn(f"The placement at {place.name}: {'; '.join(place.site.notes)}.")
    masks = place.structures(options, tuple(model.organs) if options.organs else ())
    organs = _organs(options, model, place, masks, console)
    writer = thyroid_writer(options.out, place.site.placement, files, _surroundings(options, masks), organs)

    def made(start: int, stopped: ShouldStop) -> Iterator[WrittenMember]:
        from ThyroidSynthLib.export.cohort.cohort_making import CohortPlan

        if options.reconstruct:
            return _reconstructed(options, model, writer, chosen, start)
        contact = _contact(options, model, place.site, masks)
        plan = CohortPlan.of(
            model, options.model, seed=options.seed, to_target=chosen.to_target, writer=writer, contact=contact
        )
        return in_parallel(options, plan, chosen.targets, _FEW_FOR_A_PROCESS, start, stopped)

    written, distribution = record(
        options,
        console,
        made,
        model=model,
        placement=writer.placement,
        chosen=chosen,
        specification=place.specification(options, masks),
        request=request,
        begun=begun,
    )
    document = {
        "folder": str(written.folder),
        "thyroids": written.count,
        "valid": written.valid,
        "draws": written.attempts,
        "unmet": written.unmet,
        "cut_by_grid": written.cut_by_grid,
        "overlapping": written.overlapping,
        "changing_others": written.changing,
        "empty": written.empty,
        "manifest": str(written.folder / "manifest.json"),
        "organs": [name for name in model.organs if name not in masks] if options.organs else [],
        "own_organs": list(masks) if options.organs else [],
        "placed_at": place.name,
        "placement_notes": list(place.site.notes),
        "distribution": distribution.headline() if distribution is not None else None,
        "far_outside": chosen.far,
        "trained_on_synthetic_cohort": model.synthetic,
    }
    lines = [f"Thyroids in {written.folder}: {written.count} (draws: {written.attempts}); see manifest.csv."]
    if options.organs:
        drawn = [name for name in model.organs if name not in masks]
        parts = [", ".join(drawn)] if drawn else []
        parts += [f"the patient's own {', '.join(masks)}"] if masks else []
        lines.append(f"Around each of them, in organ_maps: {'; '.join(parts)}.")
    if place.site.notes:
        lines.append(f"Check the placement at {place.name}: {'; '.join(place.site.notes)}.")
    if options.grid and not place.given:
        lines.append(f"No patient was given: the trachea frame lies at {place.name} of {options.grid}.")
    if written.unmet:
        lines.append(
            f"{written.unmet} of them do not meet their targets as they are written; they are the closest results "
            "('met' and 'error_…' in the manifest)."
        )
    if distribution is not None:
        lines.append(met_text(distribution))
    if written.cut_by_grid:
        lines.append(f"{written.cut_by_grid} of them extend beyond the grid, where their label maps are cut.")
    if written.overlapping:
        done = "which was subtracted" if options.overlap == "remove" else "see 'overlap_ml' in the manifest"
        lines.append(f"{written.overlapping} of them overlap with the trachea or another given structure, {done}.")
    if written.empty:
        lines.append(
            f"{written.empty} of them have no voxel in their maps: the voxels are too coarse, the grid does not hold "
            "them, or they lie in other structures."
        )
    if written.changing:
        lines.append(
            f"In the merged maps of {written.changing} of them other structures lost or gained voxels; see "
            "'merged_changes' in the manifest."
        )
    return Result(document, "\n".join([*lines, *model_lines(model)]))


def _reconstructed(
    options: argparse.Namespace, model: TrainedModel, writer: ThyroidWriter, chosen: TargetOptions, start: int
) -> Iterator[WrittenMember]:
    from ThyroidSynthLib.generation.thyroid import GeneratedThyroid, reconstruct

    chosen_cases = enumerate(zip(options.reconstruct, chosen.targets, strict=True), start=1)
    for number, (case_id, targets) in islice(chosen_cases, start, None):
        row = model.index_of(case_id)
        yield writer.write(GeneratedThyroid(reconstruct(model, row), targets, index=row), number)


def _organs(
    options: argparse.Namespace, model: TrainedModel, place: Place, masks: Mapping[str, Mask], console: Console
) -> OrganMaker | None:
    """Return what draws the organs around the thyroids, given those of the patient; None without `--organs`."""
    from ThyroidSynthLib.generation.organs.organ_set import OrganMaker
    from ThyroidSynthLib.generation.organs.own_organs import own_organs_of

    if not options.organs:
        return None
    own = own_organs_of(model, masks, place.site.placement)
    unfitted = [name for name in model.organs if name in own and own[name].fit is None]
    if unfitted:
        console.warn(
            f"Too little of {', '.join(unfitted)} lies in the scan near the thyroid: the patient's own is kept, but "
            "the other organs are drawn without it."
        )
    return OrganMaker(model, own)


def _surroundings(options: argparse.Namespace, masks: Mapping[str, Mask]) -> Surroundings | None:
    from ThyroidSynthLib.export.surroundings import Surroundings
    from ThyroidSynthLib.geometry.isosurface import surface_from_mask

    if not masks:
        return None
    surfaces = {name: surface_from_mask(mask.volume) for name, mask in masks.items()}
    return Surroundings(surfaces, remove_overlap=options.overlap == "remove")


def _contact(
    options: argparse.Namespace, model: TrainedModel, site: PatientSite, masks: Mapping[str, Mask]
) -> Contact | None:
    """Return what the thyroids must not enter; None if overlap is allowed, or nothing is near them."""
    # Lengths of some models are not in millimetres.
    if options.allow_overlap or options.reconstruct or model.lengths:
        return None
    return site.contact(model.frame, [mask.volume for name, mask in masks.items() if name != TRACHEA.name])
