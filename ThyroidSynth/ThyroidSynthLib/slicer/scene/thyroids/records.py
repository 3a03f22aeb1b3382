"""The record of how a thyroid was made, stored on its segmentation node and so in a saved scene."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.geometry.features import Features
from ThyroidSynthLib.geometry.frame import Placement

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

    from ThyroidSynthLib.generation.thyroid import Thyroid

ATTRIBUTE = "ThyroidSynth.Thyroid"
"""Attribute of a segmentation node with the record; only the module's thyroids have it."""

PRESENT = "ThyroidSynth.Present"
"""Attribute with what was measured on a thyroid that was edited by hand since its record was written."""

SOURCE_ROLE = "ThyroidSynth.Source"
"""Role of the node reference from a thyroid to the segmentation of the patient for whom it was made."""

GENERATED, FITTED, EDITED = "generated", "fitted", "edited"


@dataclass(frozen=True)
class ThyroidRecord:
    """How a thyroid was made, with all that is needed to reproduce it.

    Attributes
    ----------
    code : tuple of float
        Latent code.
    targets : dict of str to float
        Features with a target; the others were drawn.
    trachea_to_ras : tuple of float
        Placement, a (4, 4) matrix row by row. On a node with a parent transform it is stored, like the
        surface, without that transform.
    model : str
        Checksum of the model file.
    kind : str
        `GENERATED`, `FITTED` (a model's reconstruction of a patient's gland) or `EDITED` (the patient's
        own gland, changed).
    met : bool or None
        Whether the measured features match the targets; None for direct sampling.
    distance : float or None
        Distance of the code from the mean of the training codes, in SDs per dimension.
    fitted_code : tuple of float
        For an edited thyroid, the code of the unchanged gland, followed by the offset of its fit; empty otherwise.
    quality : dict of str to float
        For a fitted or edited thyroid, measures of how well the model fits the patient's gland.
    original : dict of str to float
        For a fitted or edited thyroid, the features of the patient's gland.
    source_segment : str
        For a fitted or edited thyroid, the patient's segment; its node has the reference `SOURCE_ROLE`.
    overlap_removed : bool
        Whether its overlap with the trachea was removed, so that the code alone does not reproduce it.
    resolution : int or None
        Points along each axis of the decoding grid; None where unknown, or for a patient's own gland.
    edited_by_hand : bool
        Whether its surface was changed by other means than the module's, such as the Segment Editor, so that the
        code does not reproduce it.
    """

    seed: int
    code: tuple[float, ...]
    targets: dict[str, float]
    measured: dict[str, float]
    trachea_to_ras: tuple[float, ...]
    model: str
    kind: str = GENERATED
    valid: bool = True
    met: bool | None = None
    distance: float | None = None
    fitted_code: tuple[float, ...] = ()
    quality: dict[str, float] = field(default_factory=dict)
    original: dict[str, float] = field(default_factory=dict)
    source_segment: str = ""
    overlap_removed: bool = False
    resolution: int | None = None
    edited_by_hand: bool = False

    @classmethod
    def of(
        cls, thyroid: Thyroid, placement: Placement, *, targets: Mapping[str, float], model: str, seed: int = 0
    ) -> ThyroidRecord:
        """Return the record of a generated thyroid at a placement; the other attributes have their defaults."""
        return cls(
            seed=int(seed),
            code=tuple(float(value) for value in np.ravel(thyroid.code)),
            targets={name: float(value) for name, value in targets.items()},
            measured=thyroid.measured.as_dict(),
            trachea_to_ras=tuple(placement.trachea_to_ras.ravel().tolist()),
            model=model,
            valid=thyroid.validity.ok,
            resolution=thyroid.resolution,
        )

    @property
    def placement(self) -> Placement:
        """The trachea frame in which the thyroid is placed."""
        return Placement(np.array(self.trachea_to_ras).reshape(4, 4))

    @property
    def features(self) -> Features:
        """The measured features."""
        return Features(**self.measured)


def write_record(segmentation: vtkMRMLSegmentationNode, record: ThyroidRecord) -> None:
    """Store a record on a node, instead of what was known about it."""
    value = dict(vars(record))
    moved = moved_by(segmentation)
    if moved is not None:
        value["trachea_to_ras"] = (np.linalg.inv(moved) @ record.placement.trachea_to_ras).ravel().tolist()
    segmentation.RemoveAttribute(PRESENT)
    segmentation.SetAttribute(ATTRIBUTE, json.dumps(value))


def read_record(segmentation: vtkMRMLSegmentationNode) -> ThyroidRecord | None:
    """Return the record of a node as it is now, see `record_as_made`.

    Of a thyroid that was edited by hand, the measured features, and with them `valid` and `met`, are those of its
    present surface, see `present.measure_again`.
    """
    record, present = record_as_made(segmentation), segmentation.GetAttribute(PRESENT)
    if record is None or not present:
        return record
    value = json.loads(present)
    return replace(record, edited_by_hand=True, **{name: value[name] for name in ("measured", "valid", "met")})


def record_as_made(segmentation: vtkMRMLSegmentationNode) -> ThyroidRecord | None:
    """Return the record with which a node was made; None when the node is not one of the module's thyroids."""
    text = segmentation.GetAttribute(ATTRIBUTE)
    if not text:
        return None
    try:
        value = json.loads(text)
        value["code"] = tuple(value["code"])
        value["trachea_to_ras"] = tuple(value["trachea_to_ras"])
        value["fitted_code"] = tuple(value.get("fitted_code", ()))
        record = ThyroidRecord(**value)
    except (ValueError, KeyError, TypeError):
        # Written by another version: the surface can be used, but not reproduced.
        return None
    moved = moved_by(segmentation)
    if moved is None:
        return record
    return replace(record, trachea_to_ras=tuple((moved @ record.placement.trachea_to_ras).ravel().tolist()))


def moved_by(segmentation: vtkMRMLSegmentationNode) -> np.ndarray | None:
    """Return the rigid motion (4, 4) of a node's parent transforms in `ras_mm`; None when there is none.

    The trachea frame of the record moves with the node, so that its features still hold. They would not
    under a transform that scales or is not linear, so that such a transform is not included.
    """
    import slicer

    parent = segmentation.GetParentTransformNode()
    if parent is None or not parent.IsTransformToWorldLinear():
        return None
    moved = slicer.util.arrayFromTransformMatrix(parent, toWorld=True)
    rigid = np.allclose(moved[:3, :3] @ moved[:3, :3].T, np.eye(3), atol=1e-4)
    return moved if rigid else None
