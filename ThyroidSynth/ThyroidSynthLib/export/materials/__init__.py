"""Materials: what the structures of a phantom consist of, with a source for every number.

Imports only `common`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "material": ["Material", "Optical", "require"],
        "material_table": ["MaterialTable"],
        "optics": ["common_wavelength"],
        "table_files": ["read_materials", "standard_materials", "write_materials_csv", "write_materials_json"],
    },
)
