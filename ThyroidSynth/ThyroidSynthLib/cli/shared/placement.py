"""Options for the place of generated thyroids: at a patient's trachea, or at a point."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import checksums_of, shown_name, stem_of

from . import numbers
from .arguments import files_at

if TYPE_CHECKING:
    from ThyroidSynthLib.export.thyroid_files import FileOptions
    from ThyroidSynthLib.generation.cohort.patient_site import PatientSite
    from ThyroidSynthLib.imaging.masks import Mask
    from ThyroidSynthLib.model.trained_model import TrainedModel

_NOWHERE = (0.0, 0.0, 0.0)


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the options on the place of the thyroids and on their overlap with what lies there."""
    place = parser.add_argument_group("place")
    place.add_argument(
        "--at",
        type=Path,
        metavar="PATIENT",
        help="place the thyroids at this patient's trachea: a trachea mask, a case folder or a segmentation file "
        "(default: the trachea frame lies at RAS 0, 0, 0). If there is no thyroid and the model needs the level of "
        "the gland, it is estimated from the trachea",
    )
    place.add_argument(
        "--level",
        type=numbers.coordinate,
        metavar="MM",
        help="level of the gland's centre at the trachea of --at: its superior coordinate in mm, as Slicer shows it "
        "(default: that of the patient's thyroid)",
    )
    place.add_argument(
        "--place-at",
        type=numbers.coordinate,
        nargs=3,
        metavar=("R", "A", "S"),
        help="place the thyroids at this point in mm instead, along the axes of the scan: the middle of the trachea "
        "at the level of the gland's centre or, for a model that is centred on the trachea, the trachea's centroid",
    )
    place.add_argument(
        "--overlap",
        choices=("report", "remove"),
        help="measure the overlap of each thyroid with the patient's trachea and with --structures (default), or also "
        "subtract what is left of it",
    )
    place.add_argument(
        "--allow-overlap",
        action="store_true",
        help="let the thyroids overlap with the patient's trachea and with --structures. By default they are drawn for "
        "the trachea and steered out of it",
    )
    place.add_argument(
        "--structures",
        nargs="+",
        type=Path,
        default=[],
        metavar="MASK",
        help="masks of further structures that the thyroids must not enter, named by their files",
    )


def check_place(options: argparse.Namespace) -> None:
    """Exit with a usage error if options on the place contradict each other."""
    patient = options.at or options.merge_into
    if options.place_at and (options.at or options.level is not None):
        options.usage_error("--place-at is the place itself: leave out --at and --level")
    if options.level is not None and not patient:
        options.usage_error("--level is a level at a patient's trachea: give --at or --merge-into, too")
    if not options.structures and (options.place_at or not patient):
        for name, given in (("--overlap", options.overlap), ("--allow-overlap", options.allow_overlap)):
            if given:
                options.usage_error(f"{name} needs a patient with a trachea (--at or --merge-into), or --structures")


@dataclass(frozen=True)
class Place:
    """Where the thyroids of a command are placed, and the name of this place: of the patient, or a point."""

    site: PatientSite
    name: str
    given: bool = True

    def structures(self, options: argparse.Namespace, organs: Sequence[str] = ()) -> dict[str, Mask]:
        """Return the masks of the trachea and of the structures that the options name, by their names.

        With the names of `organs`, also those of them that the patient has; a structure that the options name as one
        of them takes its place. `InputError` if one is empty or two have the same name.
        """
        from ThyroidSynthLib.dataset.organs.reading import organ_called
        from ThyroidSynthLib.imaging.masks import read_mask

        masks = self.site.own_masks(())
        for path in options.structures:
            name = organ_called(stem_of(path), organs) or stem_of(path)
            if name in masks:
                raise InputError(f"Two structures are named {name}; {path} is one. Leave it out, or rename it.")
            mask = read_mask(path)
            if mask.is_empty:
                raise InputError(f"{path} is empty, so there is nothing to overlap with. Leave it out.")
            masks[name] = mask
        return self.site.own_masks([name for name in organs if name not in masks]) | masks

    def specification(self, options: argparse.Namespace, structures: Iterable[str] = ()) -> dict[str, Any]:
        """Return the place, the names of the structures there and the options on overlap and merging for the manifest.

        Files are stated by their names and checksums, without the folders in which they lie.
        """
        from ThyroidSynthLib.dataset.organs.reading import organ_called

        chosen: dict[str, Any] = {"placed_at": self.name, "level": self.site.level}
        structures = list(structures)
        given = {organ_called(stem_of(path), structures) for path in options.structures}
        own = self.site.organ_files([name for name in structures if name not in given])
        if structures:
            chosen |= {"structures": structures, "overlap_allowed": options.allow_overlap or bool(options.reconstruct)}
            chosen["overlap"] = options.overlap or "report"
        if options.merge_into:
            chosen |= {"merged_into": shown_name(options.merge_into), "merge_overlaps": options.merge_overlaps}
        merged = [path for path in files_at(options.merge_into) if stem_of(path) != "ct"]
        chosen["inputs"] = checksums_of([*self.site.files, *own, *options.structures, *merged, options.from_table])
        return chosen


def place_of(options: argparse.Namespace, model: TrainedModel, files: FileOptions) -> Place:
    """Return the place that the options describe.

    `InputError` if it cannot be found, or the thyroids would not lie on the grids onto which they are written.
    """
    from ThyroidSynthLib.generation.cohort.grid_room import check_on_grid
    from ThyroidSynthLib.generation.cohort.patient_site import site_at, site_at_point

    patient = None if options.place_at else options.at or options.merge_into
    if patient is not None:
        site = site_at(patient, model.patient_alignment, labels=options.labels, level_mm=options.level)
        place = Place(site, shown_name(patient))
    else:
        if options.place_at:
            _ = model.patient_alignment  # A point of a patient is in millimetres.
        site = site_at_point(options.place_at or _NOWHERE)
        point = ", ".join(f"{value:g}" for value in site.placement.origin_ras)
        place = Place(site, f"RAS {point}", given=options.place_at is not None)
    grids = [
        (
            options.grid,
            files.grid,
            "Place them with --at PATIENT or --place-at R A S, choose an image that shows this place, or use --spacing "
            "instead of --grid.",
        ),
        (
            options.merge_into,
            None if files.merge_into is None else files.merge_into.volume.grid,
            "Place them at this patient: leave out --at and --place-at, or correct them.",
        ),
    ]
    for image, grid, remedy in grids:
        if grid is not None:
            check_on_grid(
                grid,
                model.frame,
                site.placement,
                image=str(image),
                where=f"at {place.name}",
                # Without a place nothing says that the image should end within a thyroid.
                whole=not place.given,
                remedy=remedy,
            )
    return place
