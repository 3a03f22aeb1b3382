"""`thyroidsynth edit`: change features of a patient's own thyroid and hold the others."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ThyroidSynthLib.cli.shared import numbers
from ThyroidSynthLib.cli.shared.arguments import (
    add_files,
    add_labels,
    add_masks,
    add_model,
    add_out,
    add_seed,
    file_options,
    files_at,
)
from ThyroidSynthLib.cli.shared.console import Console, Result, warn_of_unknown_gland
from ThyroidSynthLib.cli.shared.merging import add_merging, merged_text, with_merging
from ThyroidSynthLib.cli.shared.outputs import owning_out
from ThyroidSynthLib.common.errors import InputError

NAME = "edit"
SUMMARY = "change features of a patient's own thyroid"
DESCRIPTION = """\
Change volume, isthmus area or symmetry of a patient's own thyroid. Features without a target are held, and the gland
keeps its own details: the model is fitted to the gland, and only the difference between edited and fitted shape is
applied, so that without a change the result equals the segmentation voxel by voxel. Writes the label map, the chosen
meshes, and edit.json with the features before and after and their targets. Input as for 'fit', one patient."""
EPILOG = """\
examples:
  thyroidsynth edit model.safetensors s0327 --volume 20 --out edited
  thyroidsynth edit model.safetensors s0327 --volume +20% --isthmus-area 0 --mesh stl --out edited
  thyroidsynth edit model.safetensors s0327 --symmetry 0.8 --hold volume --out edited
  thyroidsynth edit model.safetensors s0327 --volume=-15% --merge-into s0327 --out edited
  thyroidsynth edit model.safetensors --thyroid thyroid_gland.nii.gz --trachea trachea.nii.gz --volume 12 --out new"""

_FEATURES = {"volume": "volume_ml", "isthmus-area": "isthmus_area_mm2", "symmetry": "symmetry"}
_DECIMALS = {"volume_ml": "{:.1f} mL", "isthmus_area_mm2": "{:.0f} mm²", "symmetry": "{:.2f}"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_model(parser)
    parser.add_argument("patient", nargs="?", type=Path, metavar="PATIENT", help="folder or file with one case")
    add_masks(parser, instead_of="PATIENT")
    add_out(parser, "folder for the edited thyroid")
    add_labels(parser)
    add_seed(parser, "random seed of the fit")
    group = parser.add_argument_group("features to change")
    group.add_argument(
        "--volume", type=numbers.volume_change, metavar="ML", help="volume in mL, or a change: +20%%, --volume=-5%%"
    )
    group.add_argument(
        "--isthmus-area", type=numbers.area_change, metavar="MM2", help="isthmus area in mm², or a change; 0: none"
    )
    group.add_argument(
        "--symmetry", type=numbers.symmetry_change, metavar="S", help="overlap with the mirror image, 0 to 1"
    )
    group.add_argument(
        "--hold",
        nargs="*",
        choices=tuple(_FEATURES),
        help="which of the other features to hold (default: all; --hold without values leaves them free)",
    )
    add_merging(parser)
    add_files(parser, default_grid="the grid of the patient's segmentation")
    parser.set_defaults(add_paths=_add_paths)


def _add_paths(options: argparse.Namespace, paths: list[str]) -> bool:
    if options.patient is not None or len(paths) != 1:
        return False
    options.patient = Path(paths[0])
    return True


@owning_out
def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.common.results import check_outside
    from ThyroidSynthLib.dataset.case_sources import find_case
    from ThyroidSynthLib.dataset.cases import read_case
    from ThyroidSynthLib.export.edited_case import Change, check_edit_room, edit_case, write_edit
    from ThyroidSynthLib.generation.cohort.grid_room import check_gland_on_grid
    from ThyroidSynthLib.model.trained_model import TrainedModel

    source = find_case(options.patient, labels=options.labels, thyroid=options.thyroid, trachea=options.trachea)
    targets = {name: getattr(options, option.replace("-", "_")) for option, name in _FEATURES.items()}
    changes = {name: Change(*value) for name, value in targets.items() if value is not None}
    if twice := [name for name in options.hold or () if _FEATURES[name] in changes]:
        raise InputError(f"{twice[0]} has a target, so it cannot be held. Leave out --{twice[0]} or --hold {twice[0]}.")
    held = None if options.hold is None else [_FEATURES[name] for name in options.hold]
    files = with_merging(file_options(options), options, console)
    inputs = [*source.files, *files_at(options.model, options.merge_into, options.grid)]
    check_outside(options.out, [options.patient, options.merge_into])
    check_edit_room(options.out, files, overwrite=options.overwrite, inputs=inputs)
    on_scan_grid = options.grid is None and options.spacing is None
    model = TrainedModel.load(options.model)
    case = read_case(source)
    if files.grid is not None:
        check_gland_on_grid(files.grid, case.thyroid, case.id)
    with stop_on_signals() as stopped:
        edited = edit_case(
            model,
            case,
            changes,
            held=held,
            options=files,
            on_scan_grid=on_scan_grid,
            seed=options.seed,
            progress=console.progress,
            should_stop=stopped,
        )
    warn_of_unknown_gland(console, case.id, edited.fit.fit.out_of_distribution)
    if edited.unlike:
        console.warn(f"{case.id}: the targets are {edited.unlike}.")
    document = write_edit(
        edited,
        options.out,
        model=model,
        options=files,
        on_scan_grid=on_scan_grid,
        overwrite=options.overwrite,
    )
    return Result({"folder": str(options.out), **document}, _text(document))


def _text(document: dict[str, Any]) -> str:
    lines = [f"{document['id']}:"]
    for option, name in _FEATURES.items():
        before, after = (_DECIMALS[name].format(document[when][name]) for when in ("before", "written"))
        if name in document["targets"]:
            about = f"target: {_DECIMALS[name].format(document['targets'][name])}"
        else:
            about = "held" if name in document["held"] else "free"
        lines.append(f"  {option.replace('-', ' ')}: {before} -> {after} ({about})")
    lines.append(f"  volume measured on the {document['measured_on']}")
    cut_off = not document.get("label_map", {"holds_all": True})["holds_all"]
    if not document["met"] and not cut_off:
        lines.append(
            "The targets cannot be met for this gland as it is written; this is the closest result. Free another "
            "feature with --hold."
        )
    if document.get("merged"):
        lines.append(merged_text(document["merged"]))
    if cut_off:
        unmet = "" if document["met"] else ", so that it does not meet its targets. Choose a larger grid"
        lines.append(f"The thyroid extends beyond the grid, where its label map is cut{unmet}.")
    if document["notes"]:
        lines.append(f"Notes: {'; '.join(document['notes'])}.")
    return "\n".join(lines)
