"""`thyroidsynth phantom`: necks that are complete for a simulator, with a generated, edited or own thyroid."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.cli.shared import numbers
from ThyroidSynthLib.cli.shared.arguments import (
    add_labels,
    add_model,
    add_out,
    add_scheduler,
    add_seed,
    add_workers,
    files_at,
)
from ThyroidSynthLib.cli.shared.cohorts import in_parallel, model_lines, record, request_of
from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.cli.shared.nodules import nodule_table_of
from ThyroidSynthLib.cli.shared.phantom_formats import (
    add_phantom_formats,
    check_nnunet,
    cohort_files_of,
    documents_of,
    phantom_formats_of,
)
from ThyroidSynthLib.cli.shared.phantoms import (
    add_content_options,
    add_gland_options,
    add_neck_options,
    check_neck_options,
    given_gland_of,
    neck_of,
    phantom_options_of,
)
from ThyroidSynthLib.cli.shared.simulators import add_simulator_options, simulator_files_of
from ThyroidSynthLib.cli.shared.targets import (
    TargetOptions,
    add_target_options,
    check_target_options,
    far_text,
    met_text,
    targets_of,
)
from ThyroidSynthLib.common.results import check_outside
from ThyroidSynthLib.common.staging import output_folder
from ThyroidSynthLib.common.wording import counted

if TYPE_CHECKING:
    from ThyroidSynthLib.export.cohort.cohort_making import CohortPlan
    from ThyroidSynthLib.export.cohort.generated_cohort import GeneratedCohort
    from ThyroidSynthLib.export.phantom.phantom_cohort import PhantomWriter
    from ThyroidSynthLib.model.trained_model import TrainedModel

_FEW_FOR_A_PROCESS = 4
_ID = "phantom_{:04d}"

NAME = "phantom"
SUMMARY = "write phantoms of the neck for imaging simulation"
DESCRIPTION = """\
Write phantoms: necks with a label in every voxel and a table of materials, for programs that simulate imaging. The
thyroid is generated and steered to its targets on the label map, the patient's own, or given. Body, fat, muscle, bone
and airway are taken from the CT where no segmentation names them. Soft neighbours give way to the thyroid by a smooth
motion and keep their volumes; it is steered away from the trachea, the larynx and bones. With --count or targets for
several thyroids, a cohort of phantoms is made in parallel; an interrupted run is continued."""
EPILOG = """\
examples:
  thyroidsynth phantom example --out phantom
  thyroidsynth phantom model.safetensors --at s0327 --volume 25 --fractions --out phantom
  thyroidsynth phantom model.safetensors --at s0327 --spacing 1 --margin 30 --simulator mcx,kwave --out simulated
  thyroidsynth phantom model.safetensors --at s0327 --own --parts --format nrrd,mha --out as_it_is
  thyroidsynth phantom model.safetensors --at s0327 --mesh stl,glb --edge-length 2 --tetrahedra msh --out meshes
  thyroidsynth phantom model.safetensors --at s0327 --ct dicom --format nii.gz,seg.dcm,rtstruct.dcm --out planning
  thyroidsynth phantom model.safetensors --at s0327 --gland edited/thyroid.nii.gz --paint-ct --out edited_phantom
  thyroidsynth phantom model.safetensors --at s0327 --nodules count=2,diameter=5-15 --paint-ct --out nodular
  thyroidsynth phantom model.safetensors --at s0327 --spacing 1 --margin 30 --count 100 --distribution cohort --out many
  thyroidsynth phantom model.safetensors --at s0327 --count 50 --nodules count=2 --paint-ct --nnunet --out training

A phantom is a folder with labels.nii.gz, materials.csv, materials.json and phantom.json, which states the true
features, the neighbours before and after, and the checksum of each file. A cohort has a folder for each phantom, a
manifest and a dataset card. Without --count and without a table or distribution, one phantom is written into the folder
itself.

A file named STOP in the output folder ends the making of a cohort after the current phantom."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_model(parser)
    add_out(parser, "folder for the phantom, or for the phantoms and their manifest")
    parser.add_argument(
        "--count", type=numbers.generated, metavar="N", help="make a cohort of so many phantoms, each in its own folder"
    )
    add_seed(parser)
    add_workers(parser)
    add_scheduler(parser)
    add_neck_options(parser)
    add_labels(parser)
    add_target_options(parser, always_steered=True)
    add_gland_options(parser)
    add_simulator_options(add_content_options(parser))
    add_phantom_formats(parser)
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.export.cohort.generated_cohort import begun_thyroids, check_cohort_room
    from ThyroidSynthLib.export.phantom.phantom_cohort import PHANTOM_COHORT, PHANTOMS
    from ThyroidSynthLib.export.phantom.phantom_folder import check_phantom_room

    check_target_options(options)
    check_neck_options(options)
    check_nnunet(options, cohort=_is_cohort(options))
    distribution = Path(options.distribution) if options.distribution else None
    tables = (options.from_table, distribution, options.materials, nodule_table_of(options))
    patient = (options.at, options.ct, options.grid, options.gland)
    inputs = files_at(options.model, *tables, *patient)
    check_outside(options.out, patient)
    with output_folder(options.out):
        if not _is_cohort(options):
            check_phantom_room(options.out, phantom_options_of(options), overwrite=options.overwrite, inputs=inputs)
            return _one(options, console)
        request = request_of(options, inputs)
        begun = begun_thyroids(options.out, request, PHANTOMS)
        if begun is None:
            check_cohort_room(options.out, overwrite=options.overwrite, inputs=inputs, kind=PHANTOM_COHORT)
        else:
            console.note(f"Continues an interrupted run, which made {counted(len(begun), 'phantom')}.")
        return _cohort(options, console, request, begun)


def _is_cohort(options: argparse.Namespace) -> bool:
    spread = any(value is not None for name, value in vars(options).items() if name.startswith("spread_"))
    return options.count is not None or options.from_table is not None or options.distribution is not None or spread


def _one(options: argparse.Namespace, console: Console) -> Result:
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.export.phantom.building import build_phantom
    from ThyroidSynthLib.export.phantom.phantom_folder import save_phantom

    model, chosen, plan, writer = _prepared(options, console)
    with stop_on_signals() as stopped:
        console.progress(0.2, "Thyroid")
        generated = plan.maker_of(model).make(0, chosen.targets[0], should_stop=stopped)
        console.progress(0.6, "Phantom")
        name = options.out.resolve().name
        phantom = build_phantom(
            writer.neck, generated, writer.options, name=name, gland=writer.gland, model=writer.model
        )
        document = save_phantom(phantom, options.out, writer.options, overwrite=options.overwrite)
    return Result({"folder": str(options.out), **document}, _one_text(options, document, model))


def _cohort(options: argparse.Namespace, console: Console, request: str, begun: list[dict[str, Any]] | None) -> Result:
    from ThyroidSynthLib.export.phantom.phantom_cohort import PHANTOM_COHORT

    model, chosen, plan, writer = _prepared(options, console)
    written, distribution = record(
        options,
        console,
        partial(in_parallel, options, plan, chosen.targets, _FEW_FOR_A_PROCESS),
        kind=PHANTOM_COHORT,
        model=model,
        placement=writer.neck.placement,
        chosen=chosen,
        specification={
            "gland": writer.gland,
            "neighbours": options.neighbours,
            "nodules": options.nodules,
            **writer.neck.sources,
            "body": writer.neck.body,
        },
        request=request,
        begun=begun,
        documents=documents_of(writer, model),
    )
    document = {
        "folder": str(written.folder),
        "phantoms": written.count,
        "unmet": written.unmet,
        "overlapping": written.overlapping,
        "cut_by_grid": written.cut_by_grid,
        "with_nodules_left_out": written.incomplete,
        "neighbours_changed": written.changing,
        "manifest": str(written.folder / "manifest.json"),
        "patient": writer.neck.name,
        "notes": list(writer.neck.notes),
        "distribution": distribution.headline() if distribution is not None else None,
        "far_outside": chosen.far,
        "trained_on_synthetic_cohort": model.synthetic,
    }
    lines = _cohort_lines(written)
    if distribution is not None:
        lines.append(met_text(distribution))
    return Result(document, "\n".join([*lines, *model_lines(model)]))


def _prepared(
    options: argparse.Namespace, console: Console
) -> tuple[TrainedModel, TargetOptions, CohortPlan, PhantomWriter]:
    """Return the model, the targets, the plan of making the thyroids, and the writer of their phantoms."""
    from ThyroidSynthLib.common.staging import STAGING_FOLDER
    from ThyroidSynthLib.export.cohort.cohort_making import CohortPlan
    from ThyroidSynthLib.export.phantom.building import model_document, without_material
    from ThyroidSynthLib.export.phantom.phantom_cohort import FixedGland, PhantomWriter, phantom_plan
    from ThyroidSynthLib.geometry.targets import NO_TARGETS
    from ThyroidSynthLib.model.trained_model import TrainedModel

    model = TrainedModel.load(options.model)
    content = phantom_options_of(options, (*phantom_formats_of(options), *simulator_files_of(options)))
    console.progress(0.0, "Neck")
    neck = neck_of(options, model)
    if neck.notes:
        console.note(f"{neck.name}: {'; '.join(neck.notes)}.")
    for text in without_material(replace(neck.filled, volume=neck.cut(neck.filled.volume)), content.materials):
        console.warn(f"{neck.name}: {text}; name them in a table of materials (--materials).")
    given, gland = given_gland_of(options, neck)
    about = {} if given is not None else model_document(model)
    beside = cohort_files_of(options, neck, content)
    writer = PhantomWriter(options.out / STAGING_FOLDER, neck, content, gland, about, beside)
    if given is not None:
        count = options.count or 1
        chosen = TargetOptions([NO_TARGETS] * count, False, {"seed": options.seed, "count": count})
        return (
            model,
            chosen,
            CohortPlan(options.model, partial(_fixed, FixedGland(given, options.seed)), writer),
            writer,
        )
    chosen = targets_of(options, model, names=_ID)
    if chosen.far:
        console.warn(far_text(chosen.far, len(chosen.targets)))
    plan = phantom_plan(model, options.model, writer, seed=options.seed)
    return model, chosen, plan, writer


def _fixed(maker: Any, model: TrainedModel) -> Any:
    """Return a maker that needs no model."""
    return maker


def _one_text(options: argparse.Namespace, document: dict[str, Any], model: TrainedModel) -> str:
    written = document["written"]
    lines = [
        f"Phantom in {options.out}: thyroid {written['volume_ml']:.2f} mL, isthmus {written['isthmus_area_mm2']:.1f} "
        f"mm², symmetry {written['symmetry']:.3f} on the label map; see phantom.json."
    ]
    if document["met"] is False:
        lines.append("The targets cannot be met as the phantom is written; this is the closest result.")
    if not document["within_grid"]:
        lines.append("The thyroid extends beyond the grid, where it is cut.")
    lines += _nodule_lines(document)
    for name, volume in document["overlap_mm3"].items():
        lines.append(f"{volume:.1f} mm³ of the thyroid lay in the {name}, which keeps its voxels.")
    for each in document["neighbours"]:
        if abs(each["change"]) > 0.02:
            lines.append(f"{each['name']}: {each['before_ml']:.2f} mL before, {each['after_ml']:.2f} mL after.")
    if document["outside_body_mm3"] > 0:
        lines.append(f"{document['outside_body_mm3']:.0f} mm³ of the thyroid lie outside the body.")
    return "\n".join([*lines, *(model_lines(model) if document["gland"] == "generated" else [])])


def _nodule_lines(document: dict[str, Any]) -> list[str]:
    """Return what is to be said of a phantom's nodules, and of its CT."""
    lines = []
    if nodules := document.get("nodules"):
        found = nodules["nodules"]
        unmet = [each["name"] for each in found if not each["on_label_map"]["met"]]
        volume = sum(each["on_label_map"]["volume_ml"] for each in found)
        lines.append(
            f"{counted(len(found), 'nodule')} (modelled, not learned), {volume:.2f} mL in all on the label map."
        )
        if unmet:
            lines.append(f"Not within half a voxel of their diameters: {', '.join(unmet)}.")
    if "ct" in document:
        lines.append(f"The CT in ct_synthetic.nii.gz is synthetic within {document['ct']['changed_ml']:.0f} mL.")
    return lines


def _cohort_lines(written: GeneratedCohort) -> list[str]:
    lines = [f"Phantoms in {written.folder}: {written.count}; see manifest.csv."]
    if written.unmet:
        lines.append(
            f"{written.unmet} of them do not meet their targets on their label maps; they are the closest results "
            "('met' and 'error_…' in the manifest)."
        )
    if written.overlapping:
        lines.append(
            f"{counted(written.overlapping, 'thyroid')} reached into the trachea, the larynx or a bone, which keep "
            "their voxels; see 'overlap_mm3' in the manifest."
        )
    if written.cut_by_grid:
        lines.append(f"Cut by the end of the grid: {counted(written.cut_by_grid, 'thyroid')}.")
    if written.incomplete:
        lines.append(
            f"In {written.incomplete} of them nodules of the distribution did not fit into the thyroid and were left "
            "out; see 'nodules_left_out' in the manifest."
        )
    if written.changing:
        lines.append(
            f"In {written.changing} of them a neighbour's volume changed by more than 2 %; see 'largest_change' in the "
            "manifest."
        )
    return lines
