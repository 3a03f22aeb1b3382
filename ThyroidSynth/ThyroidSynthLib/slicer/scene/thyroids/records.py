"""What is known of a thyroid made here, kept on its segmentation node and so in a saved scene."""

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
"""Attribute of a segmentation node that holds the record; its presence says the node is ours."""

SOURCE_ROLE = "ThyroidSynth.Source"
"""Role of the node reference from an edited or fitted thyroid to the patient's segmentation."""

GENERATED, FITTED, EDITED = "generated", "fitted", "edited"


@dataclass(frozen=True)
class ThyroidRecord:
    """Where a thyroid comes from: enough to make it again.

    Attributes
    ----------
    seed : int
        Seed of its random draw.
    code : tuple of float
        Its latent code.
    asked : dict of str to float
        Features that were asked for.
    measured : dict of str to float
        Features measured on its surface.
    trachea_to_ras : tuple of float
        Its placement, a (4, 4) matrix row by row. On a node that lies under a transform it is kept, like
        the surface, without that transform, so that it is right wherever the thyroid is moved to.
    model : str
        Checksum of the model file.
    kind : str
        `GENERATED`, `FITTED` (a model's version of a patient's gland) or `EDITED` (the patient's own
        gland, changed).
    valid : bool
        Whether the surface can be a thyroid (see `Validity`).
    met : bool or None
        Whether what was asked is met; None when that was not sought.
    distance : float or None
        Distance of the code to the training codes' mean, in SDs per dimension.
    fitted_code : tuple of float
        For an edited thyroid, the code of the unchanged gland; else empty.
    quality : dict of str to float
        For a fitted or edited thyroid, how well the model alone fits the patient's gland.
    original : dict of str to float
        For a fitted or edited thyroid, the features of the patient's gland as it was.
    source_segment : str
        For a fitted or edited thyroid, the patient's segment; its node is referenced by `SOURCE_ROLE`.
    carved : bool
        Whether what it shared with the trachea was taken out of its surface, so that its code alone does
        not give it.
    resolution : int or None
        Points along each axis of the grid its surface was decoded on; None where that is not known, or for
        a patient's own gland.
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

    @classmethod
    def of(
        cls, thyroid: Thyroid, placement: Placement, *, targets: Mapping[str, float], model: str, **about: object
    ) -> ThyroidRecord:
        """Make the record of a thyroid at a placement.

        `asked` are the user's wishes only; what was left free was drawn and is in the thyroid's code.
        `about` gives the remaining fields of a fitted or edited thyroid.
        """
        return cls(
            seed=int(thyroid.seed),
            code=tuple(float(value) for value in np.ravel(thyroid.code)),
            targets={name: float(value) for name, value in targets.items()},
            measured=thyroid.measured.as_dict(),
            trachea_to_ras=tuple(placement.trachea_to_ras.ravel().tolist()),
            model=model,
            valid=thyroid.validity.ok,
            met=thyroid.met,
            distance=thyroid.distance,
            resolution=thyroid.resolution,
            **about,
        )

    @property
    def placement(self) -> Placement:
        """Where the thyroid was placed."""
        return Placement(np.array(self.trachea_to_ras).reshape(4, 4))

    @property
    def features(self) -> Features:
        """Its measured features."""
        return Features(**self.measured)


def write_record(segmentation: vtkMRMLSegmentationNode, record: ThyroidRecord) -> None:
    """Keep a record on a node."""
    value = dict(vars(record))
    moved = moved_by(segmentation)
    if moved is not None:
        value["trachea_to_ras"] = (np.linalg.inv(moved) @ record.placement.trachea_to_ras).ravel().tolist()
    segmentation.SetAttribute(ATTRIBUTE, json.dumps(value))


def read_record(segmentation: vtkMRMLSegmentationNode) -> ThyroidRecord | None:
    """Give the record of a node; None when the node is no thyroid of ours."""
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
        # Written by another version, or edited: the surface is still there, its history is not.
        return None
    moved = moved_by(segmentation)
    if moved is None:
        return record
    return replace(record, trachea_to_ras=tuple((moved @ record.placement.trachea_to_ras).ravel().tolist()))


def moved_by(segmentation: vtkMRMLSegmentationNode) -> np.ndarray | None:
    """Give the rigid motion (4, 4) in `ras_mm` that a node's parent transforms make; None without one.

    Features are measured in a frame that goes along, so a motion does not change them. Under a transform
    that scales or bends they would not be those of the record, and no motion is told.
    """
    parent = segmentation.GetParentTransformNode()
    if parent is None or not parent.IsTransformToWorldLinear():
        return None
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(matrix)
    moved = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    rigid = np.allclose(moved[:3, :3] @ moved[:3, :3].T, np.eye(3), atol=1e-4)
    return moved if rigid else None
