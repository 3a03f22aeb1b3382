"""Building one phantom: the thyroid in the neck, its nodules, the CT that follows, and what is known of all that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import stated_code
from ThyroidSynthLib.common.text_files import listed_shortly
from ThyroidSynthLib.export.measuring import measured_as_written, measured_on_map
from ThyroidSynthLib.export.neck.neck import Neck, named_as_found
from ThyroidSynthLib.export.neck.phantom_labels import (
    CALCIFICATION,
    FIRST_NODULE,
    GLAND_PARTS,
    MOST_NODULES,
    NODULE,
    label_numbers,
)
from ThyroidSynthLib.geometry.features import Features
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.targets import misfit
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_maps import LabelMap

from .composing import Composed, compose
from .phantom import Phantom
from .phantom_options import PhantomOptions

if TYPE_CHECKING:
    from ThyroidSynthLib.export.materials.material_table import MaterialTable
    from ThyroidSynthLib.export.nodules.building import NodularGland
    from ThyroidSynthLib.export.painting.recipe import PaintedCt
    from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
    from ThyroidSynthLib.model.trained_model import TrainedModel

PHANTOM_KIND = "phantom"
NOTICE = "Phantom by ThyroidSynth with a modelled thyroid. Not anatomy of any patient. Not for clinical use."

GENERATED, OWN, GIVEN = GLANDS = ("generated", "own", "given")
"""Where the gland of a phantom comes from: a model, the patient, or a file."""


def build_phantom(
    neck: Neck,
    generated: GeneratedThyroid,
    options: PhantomOptions,
    *,
    name: str,
    gland: str = GENERATED,
    model: Mapping[str, Any] | None = None,
    of_cohort: bool = False,
) -> Phantom:
    """Build the phantom of a thyroid.

    Parameters
    ----------
    generated : GeneratedThyroid
        In `trachea_mm`.
    name : str
        Name of the phantom, for the documents.
    gland : str
        One of `GLANDS`.
    model : mapping, optional
        What the documents state about the model.
    of_cohort : bool
        Whether it is one of many: nodules of a distribution that do not fit into its gland are then left out.

    Raises
    ------
    InputError
        A nodule does not fit into the gland, no voxel of the thyroid is left, or a CT is to be painted and the neck has
        none.
    """
    thyroid = generated.thyroid
    bare = thyroid.surface.moved(neck.placement.to_ras(thyroid.surface.vertices))
    nodular, drawn = _nodular(neck, bare, generated, options, all_must_fit=not of_cohort)
    surface = bare if nodular is None else nodular.surface
    bulging = surface is not bare
    composed = compose(
        neck, surface, neighbours=options.neighbours, lobes=options.lobes, own=gland == OWN and not bulging
    )
    labels, parts, materials = _with_nodules(composed, nodular, options)
    labels = _cut(labels, neck, parts)
    written = _measured(neck, thyroid.measured if nodular is None else nodular.with_nodules, surface, composed)
    if bulging:
        # Targets are those of the gland that was steered, without what its nodules add.
        bare_written = _measured(neck, thyroid.measured, bare, replace(composed, gland=_kept(composed, neck, bare)))
    else:
        bare_written = written
    targets = generated.targets.as_dict()
    values = bare_written.as_dict()
    met = generated.met
    if targets and generated.met is not None:
        met = all(misfit(key, values[key], target) <= 1.0 for key, target in targets.items())
    document = {
        "kind": PHANTOM_KIND,
        "format_version": 1,
        "notice": NOTICE,
        "software": f"ThyroidSynth {__version__}",
        "id": name,
        "gland": gland,
        "model": dict(model or {}),
        "source": {**neck.sources, "body": neck.body},
        "seed": generated.seed,
        "index": generated.index,
        "attempts": generated.attempts,
        "code": stated_code(thyroid.code),
        "targets": asdict(generated.targets),
        "measured": thyroid.measured.as_dict(),
        "written": values,
        "written_with_nodules": None if nodular is None else written.as_dict(),
        "error": {key: values[key] - target for key, target in targets.items()},
        "met": met,
        "distance": generated.distance,
        "validity": {"ok": thyroid.validity.ok, **asdict(thyroid.validity)},
        "within_grid": neck.shown.holds(surface),
        "trachea_to_ras": neck.placement.trachea_to_ras.tolist(),
        "grid": {"shape_ijk": list(neck.shown.shape[::-1]), "ijk_to_ras": neck.shown.ijk_to_ras.tolist()},
        "options": {"neighbours": options.neighbours, "lobes": options.lobes},
        **composed.document,
        "notes": [*neck.notes, *without_material(labels, materials)],
    }
    if nodular is not None:
        own = range(FIRST_NODULE, FIRST_NODULE + len(nodular.nodules))
        measured = nodular.measured_on(labels.volume, own, calcification=GLAND_PARTS[CALCIFICATION])
        document["nodules"] = {**nodular.as_dict(measured), **drawn}
    painted = _painted(neck, surface, nodular, composed, generated) if options.paint_ct else None
    if painted is not None:
        document["ct"] = painted.document
        document["notes"] += painted.notes
    numbers = _numbers(labels, composed.labels.names, options.numbers)
    phantom = Phantom(
        _renumbered(labels, numbers),
        materials,
        {numbers[label]: surface for label, surface in parts.items()},
        ct=None if painted is None else neck.cut(painted.volume),
        ct_series=neck.ct_series,
        document=document,
    )
    document["labels"] = _label_table(phantom)
    # Some lie in the rim around the grid only, and have no label in it.
    document["neighbours"] = [{**each, "label": numbers.get(each["label"])} for each in composed.document["neighbours"]]
    return phantom


def without_material(labels: LabelMap, materials: MaterialTable) -> tuple[str, ...]:
    """Return a note on the structures in a label map whose material is not known; none if all are."""
    present = np.flatnonzero(np.bincount(labels.volume.array.ravel())).tolist()
    unknown = [labels.names[label] for label in present if label in labels.names]
    unknown = [name for name in unknown if not materials.knows(name)]
    if not unknown:
        return ()
    return (f"the table of materials does not know {listed_shortly(unknown)}, whose values are empty",)


def ct_to_paint(neck: Neck) -> Volume:
    """Return the CT of a neck, which is to follow the thyroid; `InputError` if there is none."""
    if neck.ct is None:
        raise InputError(
            f"{neck.name} has no CT that could follow the thyroid. Name it by --ct, or leave out --paint-ct."
        )
    return neck.ct


def model_document(model: TrainedModel) -> dict[str, Any]:
    """Return what the document of a phantom states about the model of its thyroid."""
    return {"checksum": model.checksum, "variant": model.variant, "synthetic_cohort": model.synthetic}


def _nodular(
    neck: Neck, gland: Surface, generated: GeneratedThyroid, options: PhantomOptions, *, all_must_fit: bool
) -> tuple[NodularGland | None, dict[str, int]]:
    """Return the gland with its nodules, None without nodules, and how many did not fit and were left out."""
    from ThyroidSynthLib.export.nodules import (
        NoduleDistribution,
        build_nodules,
        draw_nodules,
        nodules_of_phantom,
    )

    chosen = options.nodules
    if chosen is None:
        return None, {}
    # A stream of its own, so that the gland does not depend on whether it has nodules.
    seed = int(np.random.SeedSequence([generated.seed, generated.index, 1]).generate_state(1)[0])
    where = {"placement": neck.placement, "grid": neck.grid}
    if not isinstance(chosen, NoduleDistribution):
        chosen = nodules_of_phantom(chosen, generated.index + 1)
        if len(chosen) > MOST_NODULES:
            raise InputError(
                f"{len(chosen)} nodules are given for one thyroid, but it can have {MOST_NODULES}. Leave some out."
            )
    drawn = draw_nodules(gland, chosen, seed=seed, keep_out=neck.rigid, all_must_fit=all_must_fit, **where)
    about = {"redrawn": drawn.redrawn, "left_out": drawn.left_out}
    return build_nodules(gland, drawn.nodules, **where), about


def _painted(
    neck: Neck, surface: Surface, nodular: NodularGland | None, composed: Composed, generated: GeneratedThyroid
) -> PaintedCt:
    """Return the CT of a neck with a thyroid (`surface`, in `ras_mm`) and its nodules."""
    from ThyroidSynthLib.export.painting import paint_ct

    matrix = neck.grid.ijk_to_ras
    seed = int(np.random.SeedSequence([generated.seed, generated.index, 2]).generate_state(1)[0])
    return paint_ct(
        ct_to_paint(neck),
        neck.own,
        surface,
        nodules=() if nodular is None else nodular.nodules,
        neighbours=Volume(neck.soft.array | neck.rigid.array, matrix),
        rigid=neck.rigid,
        motion=composed.motion,
        kept=Volume(voxelise(surface, neck.grid).array & ~composed.gland.array, matrix),
        seed=seed,
    )


def _with_nodules(
    composed: Composed, nodular: NodularGland | None, options: PhantomOptions
) -> tuple[LabelMap, dict[int, Surface], Any]:
    """Return labels and parts with the nodules, and the table of materials that names what these consist of."""
    parts = dict(composed.parts)
    if nodular is None or not nodular.nodules:
        return composed.labels, parts, options.materials
    volume = composed.labels.volume
    array, names = volume.array.copy(), dict(composed.labels.names)
    gland = composed.gland.array != 0
    of_nodules = {}
    for number, built in enumerate(nodular.nodules, start=1):
        label, name = FIRST_NODULE + number - 1, f"{NODULE}_{number}"
        array = array.astype(np.promote_types(array.dtype, np.min_scalar_type(label)), copy=False)
        array[gland & (voxelise(built.surface, volume.grid).array != 0)] = label
        names[label], parts[label] = name, built.surface
        of_nodules[name] = options.materials.of_structure(built.nodule.material).name
    hard = [built.calcification for built in nodular.nodules if built.calcification is not None]
    if hard:
        # One label for all of it. Grains smaller than a voxel may have none, but have their volume fractions.
        calcified = GLAND_PARTS[CALCIFICATION]
        names[calcified], parts[calcified] = CALCIFICATION, Surface.joined(hard)
        for surface in hard:
            array[gland & (voxelise(surface, volume.grid).array != 0)] = calcified
    labels = replace(composed.labels, volume=Volume(array, volume.ijk_to_ras), names=dict(sorted(names.items())))
    return labels, parts, options.materials.with_structures(of_nodules)


def _cut(labels: LabelMap, neck: Neck, parts: Mapping[int, Surface]) -> LabelMap:
    """Return the part of a label map on the grid of the phantom, with the names of what is there and of the parts."""
    found = named_as_found(replace(labels, volume=neck.cut(labels.volume)))
    names = found.names | {label: labels.names[label] for label in parts}
    return replace(found, names=dict(sorted(names.items())))


def _measured(neck: Neck, features: Features, surface: Surface, composed: Composed) -> Features:
    """Return the features of a gland as it is written."""
    kept = neck.cut(composed.gland)
    if not neck.shown.holds(surface):
        # The features of the surface include what the grid cuts off.
        return measured_on_map(kept, neck.placement)
    return measured_as_written(features, voxelise(surface, neck.shown), kept, neck.placement)[0]


def _kept(composed: Composed, neck: Neck, surface: Surface) -> Volume:
    """Return those voxels of a smaller gland that are in the composed one."""
    return Volume(composed.gland.array & voxelise(surface, neck.grid).array, neck.grid.ijk_to_ras)


def _renumbered(labels: LabelMap, numbers: Mapping[int, int]) -> LabelMap:
    """Return a label map with other label numbers."""
    if all(label == number for label, number in numbers.items()):
        return labels
    table = np.zeros(max(labels.names) + 1, dtype=np.uint8 if max(numbers.values()) < 256 else np.uint16)
    for label, number in numbers.items():
        table[label] = number
    names = {numbers[label]: name for label, name in labels.names.items()}
    volume = Volume(table[labels.volume.array], labels.volume.ijk_to_ras)
    return replace(labels, volume=volume, names=dict(sorted(names.items())))


def _numbers(labels: LabelMap, names: Mapping[int, str], chosen: Mapping[str, int]) -> dict[int, int]:
    """Return the number of each label of a map: the chosen one of its structure, else its own.

    Where another structure was given that number, it gets the number which that structure had, so that the numbers do
    not depend on which structures there are. `names` are those of the whole neck.
    """
    nodules = {f"{NODULE}_{n + 1}": FIRST_NODULE + n for n in range(MOST_NODULES)}
    own = label_numbers() | nodules | {name: label for label, name in {**names, **labels.names}.items()}
    given = {number: own[name] for name, number in chosen.items() if name in own}
    numbers = {}
    for label, name in labels.names.items():
        number = chosen.get(name, label)
        while name not in chosen and number in given:
            number = given[number]
        numbers[label] = number
    return numbers


def _label_table(phantom: Phantom) -> list[dict[str, Any]]:
    """Return name, material and volume of each label."""
    counts = np.bincount(phantom.labels.volume.array.ravel(), minlength=max(phantom.labels.names, default=0) + 1)
    voxel = phantom.labels.volume.voxel_volume_ml
    return [
        {
            "label": label,
            "name": name,
            "material": phantom.material_of(label),
            "volume_ml": float(counts[label]) * voxel,
        }
        for label, name in phantom.labels.names.items()
    ]
