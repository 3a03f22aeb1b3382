"""Files of phantoms and thyroids for other software: meshes of organs, DICOM, nnU-Net datasets, dataset cards.

Imports packages up to `generation`; the other packages of `export` import it.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "image_series": ["ImageSeries", "read_image_series", "write_ct_series"],
        "label_files": ["DICOM_FORMATS", "is_dicom_format", "write_labels"],
        "mesh_files": ["MeshOptions", "organ_surfaces", "write_meshes", "write_organ_meshes"],
        "remeshing": ["remeshed", "triangle_quality"],
        "segmentation_object": ["write_seg"],
        "structure_set": ["write_rtstruct"],
        "tetrahedra": ["Tetrahedra", "tetrahedralised", "write_tetrahedra"],
    },
)
