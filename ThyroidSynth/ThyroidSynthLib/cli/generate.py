"""`thyroidsynth generate`: new thyroids from a model."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import add_class_map, add_files, add_out, file_options, natural, positive_int
from .console import Console, Result

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
  thyroidsynth generate model.safetensors --at s0327 --grid s0327/ct.nii.gz --out in_patient

A table of wishes has any of the columns volume_ml, isthmus_area_mm2, symmetry and one row for each thyroid."""


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
    add_files(parser, default_grid="1.5")
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ..learning.model import ShapeModel
    from ..learning.stop_signals import stop_on_signals
    from ..synthesis.generated_cohort import write_generated_cohort
    from ..synthesis.requests import generate_to_target, placement_at, read_wishes
    from ..synthesis.steering import generate
    from ..synthesis.thyroid import reconstruct

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
    files = file_options(options)
    model = ShapeModel.load(options.model)
    placement = placement_at(options.at, model.frame.alignment, class_map=options.class_map) if options.at else None
    request = {
        "count": count,
        "seed": options.seed,
        "steering": "to target" if options.exact else "one-shot",
        "asked": wish if table is None else str(options.from_table),
    }
    if options.reconstruct:
        rows = [model.index_of(case_id) for case_id in options.reconstruct]
        count, request = len(rows), {"reconstructed": options.reconstruct}
    with stop_on_signals() as stopped:
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
            placement=placement,
            options=files,
            request={**request, "placed_at": str(options.at) if options.at else None},
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
        where = "" if options.at else " They lie around RAS 0, 0, 0: --at puts them at a patient's trachea."
        lines.append(f"{written.cut_by_grid} of them reach beyond the grid; their label maps are cut there.{where}")
    if model.synthetic:
        lines.append("The model was trained on a synthetic cohort: software output, not anatomy.")
    return Result(document, "\n".join(lines))
