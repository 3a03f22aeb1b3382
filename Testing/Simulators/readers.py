"""Readers that follow in a researcher's work: radiomics, and the loader of TotalSegmentator."""

from __future__ import annotations

import json
from pathlib import Path

from environments import Environment
from phantoms import Written
from table import Row

_RADIOMICS = """
import json, sys
from radiomics import featureextractor
extractor = featureextractor.RadiomicsFeatureExtractor(label=int(sys.argv[2]))
extractor.disableAllFeatures()
extractor.enableFeatureClassByName("shape")
found = extractor.execute(sys.argv[1], sys.argv[1])
print(json.dumps({name: float(found[f"original_shape_{name}"]) for name in ("VoxelVolume", "MeshVolume")}))
"""
_TOTALSEGMENTATOR = """
import json, sys
from totalsegmentator.nifti_ext_header import load_multilabel_nifti
image, names = load_multilabel_nifti(sys.argv[1])
print(json.dumps({"names": {int(label): name for label, name in names.items()}, "shape": image.shape}))
"""


def radiomics_rows(environment: Environment, phantom: Written, work: Path) -> list[Row]:
    """Return the volume that pyradiomics measures on the label map."""
    found = _run(environment, work / "measure_volume.py", _RADIOMICS, phantom, str(phantom.gland))
    known = phantom.document["written"]["volume_ml"]
    surface = phantom.document["measured"]["volume_ml"]
    return [
        Row(
            environment.version(),
            "volume of the thyroid by its voxels, and by its own mesh of them",
            f"{found['VoxelVolume'] / 1000:.3f} and {found['MeshVolume'] / 1000:.2f} mL",
            f"{known:.3f} mL on the label map, {surface:.2f} mL of the surface",
            abs(found["VoxelVolume"] / 1000 / known - 1) < 1e-3
            and abs(found["MeshVolume"] / 1000 / surface - 1) < 0.05,
        )
    ]


def totalsegmentator_rows(environment: Environment, phantom: Written, work: Path) -> list[Row]:
    """Return what TotalSegmentator's loader reads as the names of the labels."""
    found = _run(environment, work / "read_names.py", _TOTALSEGMENTATOR, phantom)
    names = {int(label): name for label, name in found["names"].items()}
    return [
        Row(
            environment.version(),
            "names of the labels",
            f"{len(names)} names, {phantom.gland} is {names.get(phantom.gland)}",
            f"{len(phantom.names)} names, {phantom.gland} is thyroid_gland",
            names == phantom.names,
        )
    ]


def _run(environment: Environment, script: Path, text: str, phantom: Written, *arguments: str) -> dict:
    script.write_text(text)
    return json.loads(environment.run(script, phantom.folder / "labels.nii.gz", *arguments).splitlines()[-1])
