"""`thyroidsynth fit`: find the latent codes of given thyroids."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.cli.shared import numbers
from ThyroidSynthLib.cli.shared.arguments import (
    add_files,
    add_labels,
    add_masks,
    add_model,
    add_out,
    add_seed,
    file_options,
)
from ThyroidSynthLib.cli.shared.console import Console, Result, warn_of_unknown_gland
from ThyroidSynthLib.cli.shared.outputs import owning_out
from ThyroidSynthLib.cli.shared.shapes import add_input_space, add_trachea_centre, without_other_options

if TYPE_CHECKING:
    from ThyroidSynthLib.model.trained_model import TrainedModel

NAME = "fit"
SUMMARY = "fit a model to given thyroids"
DESCRIPTION = """\
Find the latent code whose surface is closest to a given thyroid, write that surface in patient space, and report its
accuracy and uncertainty. Input as for 'prepare', with slices of any thickness; cases that quality control refuses for
training are fitted too, and the reasons are noted. A gland cut by the border of the scan is completed. Writes one
folder per case with fit.json, the label map, a map of the probability that a voxel is inside, and the chosen meshes;
PLY meshes hold the uncertainty of each vertex in mm.
With --trachea-centre the input is meshes (PLY, STL, OBJ, VTP, VTK) and point clouds (the same without triangles, XYZ,
TXT, CSV, NPY)."""
EPILOG = """\
examples:
  thyroidsynth fit model.safetensors s0327 --out fits
  thyroidsynth fit model.safetensors dataset/s0001 dataset/s0002 --mesh ply --out fits
  thyroidsynth fit model.safetensors cut_by_scan --completions 5 --mesh ply --out fits
  thyroidsynth fit model.safetensors --thyroid thyroid_gland.nii.gz --trachea trachea.nii.gz --out fits
  thyroidsynth fit model.safetensors gland.stl --trachea-centre=-4.5,12,30 --out fits
  thyroidsynth fit model.safetensors points.xyz --input-space RAS --trachea-centre centres.csv --out fits"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_model(parser)
    parser.add_argument("thyroids", nargs="*", type=Path, metavar="CASES", help="folders or files with cases")
    add_masks(parser, instead_of="CASES")
    add_out(parser, "output folder, with one subfolder per case")
    add_labels(parser)
    add_trachea_centre(parser)
    add_input_space(parser)
    add_seed(parser, "random seed of the fit")
    parser.add_argument(
        "--completions",
        type=numbers.few,
        default=0,
        metavar="N",
        help="also write this many plausible glands, which differ where the scan shows little of the gland",
    )
    add_files(parser, default_grid="the grid of the patient's segmentation")
    parser.set_defaults(add_paths=_add_paths, usage_error=parser.error)


# Above this share, the volume of the label map is stated beside that of the surface.
_SAME_VOLUME = 0.01


def _add_paths(options: argparse.Namespace, paths: list[str]) -> bool:
    options.thyroids = [*options.thyroids, *map(Path, paths)]
    return True


@owning_out
def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.common.results import check_outside
    from ThyroidSynthLib.dataset.case_sources import search_cases
    from ThyroidSynthLib.evaluation.experiments.fits import fit_cases
    from ThyroidSynthLib.model.trained_model import TrainedModel

    if options.trachea_centre is not None:
        return _fit_shapes(options, console)
    if options.input_space is not None:
        options.usage_error("--input-space is for meshes; give the centre of their trachea too (--trachea-centre)")
    found = search_cases(options.thyroids, labels=options.labels, thyroid=options.thyroid, trachea=options.trachea)
    check_outside(options.out, options.thyroids)
    files = file_options(options)
    model = TrainedModel.load(options.model)
    with stop_on_signals() as stopped:
        fits = list(
            fit_cases(
                model,
                found.cases,
                options.out,
                options=files,
                on_scan_grid=options.grid is None and options.spacing is None,
                overwrite=options.overwrite,
                completions=options.completions,
                seed=options.seed,
                progress=console.progress,
                should_stop=stopped,
            )
        )
    return _result(options.out, fits, model, console)


def _fit_shapes(options: argparse.Namespace, console: Console) -> Result:
    """Fit meshes and point clouds."""
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.common.results import check_outside
    from ThyroidSynthLib.dataset.meshes import centres_of, find_mesh_files
    from ThyroidSynthLib.evaluation.experiments.fitted_shapes import fit_shapes
    from ThyroidSynthLib.model.trained_model import TrainedModel

    without_other_options(options, "--trachea-centre", "thyroid trachea labels")
    if not options.thyroids:
        options.usage_error("the following arguments are required: CASES, the meshes of --trachea-centre")
    files = find_mesh_files(options.thyroids, clouds=True)
    check_outside(options.out, options.thyroids)
    centres, written = centres_of(options.trachea_centre), file_options(options)
    model = TrainedModel.load(options.model)
    with stop_on_signals() as stopped:
        fits = list(
            fit_shapes(
                model,
                files,
                centres,
                options.out,
                options=written,
                space=options.input_space,
                overwrite=options.overwrite,
                completions=options.completions,
                seed=options.seed,
                progress=console.progress,
                should_stop=stopped,
            )
        )
    return _result(options.out, fits, model, console)


def _result(folder: Path, fits: list[dict[str, Any]], model: TrainedModel, console: Console) -> Result:
    for fit in fits:
        if "error" not in fit:
            warn_of_unknown_gland(console, fit["id"], fit["quality"]["out_of_distribution"])
    document = {"folder": str(folder), "fits": fits, "trained_on_synthetic_cohort": model.synthetic}
    return Result(document, "\n".join(map(_line, fits)), failed=any("error" in fit for fit in fits))


def _line(fit: dict[str, Any]) -> str:
    if "error" in fit:
        return f"{fit['id']}: not fitted. {fit['error']}"
    quality = fit["quality"]
    dice = "–" if quality["dice"] is None else f"{quality['dice']:.3f}"
    interval = fit["uncertainty"]["intervals"].get("volume_ml")
    between = f" ({interval[0]:.1f} to {interval[1]:.1f} at {fit['uncertainty']['level']:.0%})" if interval else ""
    if "points_p95_mm" in quality:
        return (
            f"{fit['id']}: 95 % of the points lie within {quality['points_p95_mm']:.2f} mm of the fit; volume "
            f"{fit['fitted']['volume_ml']:.1f} mL{between}" + _notes(fit)
        )
    text = (
        f"{fit['id']}: Dice {dice}, ASSD {quality['assd_mm']:.2f} mm, HD95 {quality['hd95_mm']:.2f} mm; volume "
        f"{fit['fitted']['volume_ml']:.1f} mL{between} for {fit['patient']['volume_ml']:.1f} mL"
    )
    on_map = fit["label_map"]
    if on_map is not None and abs(on_map["volume_ml"] / fit["fitted"]["volume_ml"] - 1) > _SAME_VOLUME:
        text += f"; {on_map['volume_ml']:.1f} mL in the label map"
    return text + _notes(fit)


def _notes(fit: dict[str, Any]) -> str:
    return f" ({'; '.join(fit['notes'])})" if fit["notes"] else ""
