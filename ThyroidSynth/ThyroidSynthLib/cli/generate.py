"""`thyroidsynth generate`: new thyroids from a model."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..anatomy.labels import TRACHEA
from ..errors import InputError
from ..synthesis.generated_cohort import STOP_FILE
from .arguments import add_class_map, add_files, add_out, file_options, natural, positive_int
from .console import Console, Result

if TYPE_CHECKING:
    from ..synthesis.requests import PatientSite
    from ..synthesis.surroundings import Surroundings

NAME = "generate"
SUMMARY = "make random or steered thyroids"
DESCRIPTION = """\
Make thyroids and write label maps, meshes and a manifest with every seed, latent code, asked and measured feature and
checksum. Features that are not asked for are drawn from the training cohort's distribution. Thyroid number i of a
seed is always the same."""
EPILOG = """\
examples:
  thyroidsynth generate model.safetensors --count 12 --seed 1 --out thyroids
  thyroidsynth generate model.safetensors --count 100 --volume 15 --isthmus-area 0 --exact --out no_isthmus
  thyroidsynth generate model.safetensors --from-table wishes.csv --mesh ply,stl --out cohort500
  thyroidsynth generate model.safetensors --reconstruct s0001 s0002 --out given_back
  thyroidsynth generate model.safetensors --at s0327 --grid s0327/ct.nii.gz --overlap carve --out in_patient
  thyroidsynth generate model.safetensors --merge-into s0327 --format none --out other_thyroids

A table of wishes has any of the columns volume_ml, isthmus_area_mm2, symmetry and one row for each thyroid.

A file named STOP in the folder ends the command after the thyroid it is at."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model file")
    add_out(parser, "folder for the thyroids and their manifest")
    parser.add_argument("--count", type=positive_int, metavar="N", help="how many (default: 1, or the table's rows)")
    parser.add_argument("--seed", type=natural, default=0, help="seed of the random codes (default: 0)")
    wishes = parser.add_argument_group("features to ask for")
    wishes.add_argument("--volume", type=float, metavar="ML", help="volume in mL")
    wishes.add_argument("--isthmus-area", type=float, metavar="MM2", help="isthmus area in mm²; 0 for two lobes")
    wishes.add_argument("--symmetry", type=float, metavar="S", help="overlap with the mirror image, 0 to 1")
    wishes.add_argument("--from-table", type=Path, metavar="CSV", help="features for each thyroid, one row each")
    wishes.add_argument(
        "--exact",
        action="store_true",
        help="move each code until its surface measures what was asked; without it the model is given the features "
        "and what comes out is measured",
    )
    wishes.add_argument(
        "--reconstruct",
        nargs="+",
        metavar="ID",
        help="give back these training cases, as the model has learnt them, instead of new thyroids",
    )
    place = parser.add_argument_group("place")
    place.add_argument(
        "--at",
        type=Path,
        metavar="PATIENT",
        help="put them at this patient's trachea: a trachea mask, a case folder or a segmentation file "
        "(default: the trachea's centre of mass at RAS 0, 0, 0)",
    )
    add_class_map(place)
    place.add_argument(
        "--overlap",
        choices=("report", "carve"),
        help="measure what each thyroid shares with the patient's trachea, or also carve it free of it",
    )
    place.add_argument(
        "--structures",
        nargs="+",
        type=Path,
        default=[],
        metavar="MASK",
        help="masks of other structures that --overlap is about, named by their files",
    )
    merge = parser.add_argument_group("the patient's label map with the thyroid replaced")
    merge.add_argument(
        "--merge-into",
        type=Path,
        metavar="PATIENT",
        help="multi-label NIfTI, Slicer segmentation or folder of masks; thyroids are put at its trachea unless --at "
        "says otherwise",
    )
    merge.add_argument(
        "--merge-overlaps",
        choices=("keep", "overwrite"),
        default="keep",
        help="keep other structures where the new thyroid overlaps with them, or overwrite them (default: keep)",
    )
    merge.add_argument("--thyroid-label", type=positive_int, metavar="N", help="its label (default: found by name)")
    merge.add_argument(
        "--old-thyroid",
        type=natural,
        default=0,
        metavar="N",
        help="label of the old thyroid's voxels where the new one leaves them (default: 0, background)",
    )
    add_files(parser, default_grid="1.5")
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ..learning.model import ShapeModel
    from ..learning.stop_signals import stop_on_signals
    from ..synthesis.generated_cohort import write_generated_cohort
    from ..synthesis.requests import generate_to_target, site_at
    from ..synthesis.steering import generate
    from ..synthesis.thyroid import reconstruct
    from ..synthesis.wish_table import read_wishes

    wish = {"volume_ml": options.volume, "isthmus_area_mm2": options.isthmus_area, "symmetry": options.symmetry}
    if options.from_table and any(value is not None for value in wish.values()):
        options.usage_error("give features either by --from-table or by --volume, --isthmus-area and --symmetry")
    steered = options.from_table or options.exact or any(value is not None for value in wish.values())
    if options.reconstruct and (steered or options.count is not None):
        options.usage_error("--reconstruct gives training cases back as they are; leave out --count and features")
    table = read_wishes(options.from_table) if options.from_table else None
    if table is not None and options.count not in (None, len(table)):
        options.usage_error(f"--count {options.count} contradicts the {len(table)} rows of {options.from_table}")
    count = len(table) if table is not None else options.count or 1
    where = options.at or options.merge_into
    if options.overlap and where is None:
        options.usage_error("--overlap needs a patient: give --at or --merge-into")
    if options.structures and not options.overlap:
        options.usage_error("--structures are what --overlap is about: say --overlap report or --overlap carve")
    files = replace(file_options(options), **_merging(options))
    model = ShapeModel.load(options.model)
    site = site_at(where, model.frame.alignment, class_map=options.class_map) if where else None
    stop_file = options.out / STOP_FILE
    request = {
        "count": count,
        "seed": options.seed,
        "steering": "to target" if options.exact else "one-shot",
        "asked": wish if table is None else str(options.from_table),
    }
    if options.reconstruct:
        rows = [model.index_of(case_id) for case_id in options.reconstruct]
        count, request = len(rows), {"reconstructed": options.reconstruct}
    with stop_on_signals() as signalled:

        def stopped() -> bool:
            return signalled() or stop_file.exists()

        if options.reconstruct:
            thyroids = (reconstruct(model, row) for row in rows)
        else:
            make = generate_to_target if options.exact else generate
            asked = wish if table is None else table
            thyroids = make(model, count=count, seed=options.seed, asked=asked, stop_requested=stopped)
        written = write_generated_cohort(
            thyroids,
            options.out,
            model=model,
            placement=site.placement if site else None,
            options=files,
            surroundings=_surroundings(options, site),
            request={**request, "placed_at": str(where) if where else None, **_said(options)},
            total=count,
            overwrite=options.overwrite,
            progress=console.progress,
            stop_requested=stopped,
        )
    document = {
        "folder": str(written.folder),
        "thyroids": written.count,
        "valid": written.valid,
        "draws": written.attempts,
        "unmet": written.unmet,
        "cut_by_grid": written.cut_by_grid,
        "overlapping": written.overlapping,
        "manifest": str(written.folder / "manifest.json"),
        "trained_on_synthetic_cohort": model.synthetic,
    }
    lines = [f"{written.count} thyroids are in {written.folder} ({written.attempts} draws); see manifest.csv."]
    if written.unmet:
        lines.append(
            f"For {written.unmet} of them what was asked is out of the model's reach; they come as near as they can "
            "('met' in the manifest)."
        )
    if written.cut_by_grid:
        hint = "" if where else " They lie around RAS 0, 0, 0: --at puts them at a patient's trachea."
        lines.append(f"{written.cut_by_grid} of them reach beyond the grid; their label maps are cut there.{hint}")
    if written.overlapping:
        done = "and were carved free of it" if options.overlap == "carve" else "see 'overlap_ml' in the manifest"
        lines.append(f"{written.overlapping} of them overlap with the trachea or another given structure, {done}.")
    if model.synthetic:
        lines.append("The model was trained on a synthetic cohort: software output, not anatomy.")
    return Result(document, "\n".join(lines))


def _merging(options: argparse.Namespace) -> dict[str, Any]:
    from ..anatomy.label_maps import read_label_map
    from ..synthesis.merging import MergeRules

    if options.merge_into is None:
        return {}
    rules = MergeRules(options.thyroid_label, options.old_thyroid, overwrite=options.merge_overlaps == "overwrite")
    return {"merge_into": read_label_map(options.merge_into, class_map=options.class_map), "merge_rules": rules}


def _surroundings(options: argparse.Namespace, site: PatientSite | None) -> Surroundings | None:
    from ..anatomy.case_sources import stem_of
    from ..anatomy.masks import read_mask
    from ..anatomy.surface import surface_from_mask
    from ..synthesis.surroundings import Surroundings

    if options.overlap is None or site is None:
        return None
    masks = {TRACHEA.name: site.trachea}
    for path in options.structures:
        mask = read_mask(path)
        if mask.is_empty:
            raise InputError(f"{path} is empty, so nothing can overlap with it. Leave it out.")
        masks[stem_of(path)] = mask.volume
    surfaces = {name: surface_from_mask(mask) for name, mask in masks.items()}
    return Surroundings(surfaces, carve=options.overlap == "carve")


def _said(options: argparse.Namespace) -> dict[str, Any]:
    """Give what was asked of overlaps and of the patient's map, for the manifest."""
    said: dict[str, Any] = {}
    if options.overlap:
        said |= {"overlap": options.overlap, "structures": [TRACHEA.name, *map(str, options.structures)]}
    if options.merge_into:
        said |= {"merged_into": str(options.merge_into), "merge_overlaps": options.merge_overlaps}
    return said
