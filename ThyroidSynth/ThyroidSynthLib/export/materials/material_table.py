"""Which material each structure of a phantom consists of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from zlib import crc32

from ThyroidSynthLib.common.errors import InputError

from .material import Material

# The names of materials become those of files.
_NOT_IN_FILES = re.compile(r"[^A-Za-z0-9+-]+")
_LONGEST = 64


@dataclass(frozen=True)
class MaterialTable:
    """Materials, and which of them each structure consists of.

    Attributes
    ----------
    materials : mapping of str to Material
        The materials by name.
    structures : mapping of str to str
        The name of the material of each structure. A ``*`` in the name of a structure stands for any text; a name
        without it goes first, then the longest. Upper and lower case, blanks, hyphens and underscores do not differ.
    """

    materials: Mapping[str, Material]
    structures: Mapping[str, str]

    def knows(self, structure: str) -> bool:
        """Check whether the table has the material of a structure."""
        return self._named(structure) is not None

    def of_structure(self, name: str) -> Material:
        """Return the material of a structure, such as that of ``vertebrae_C6``.

        That of a structure which the table does not know has the structure's name and no values.
        """
        return self._named(name) or Material(_material_name(name))

    def _named(self, name: str) -> Material | None:
        material = self.structures.get(name)
        if material is None:
            own, known = _plain(name), {_plain(pattern): found for pattern, found in self.structures.items()}
            material = known.get(own)
        if material is None:
            matching = [pattern for pattern in known if "*" in pattern and fnmatchcase(own, pattern)]
            material = known[max(matching, key=len)] if matching else None
        return None if material is None else self.materials[material]

    def with_structures(self, structures: Mapping[str, str]) -> MaterialTable:
        """Return the table with the materials of more structures, such as those of nodules; `InputError` if unknown."""
        for structure, material in structures.items():
            if material not in self.materials:
                known = ", ".join(sorted(self.materials))
                raise InputError(
                    f"The structure '{structure}' consists of '{material}', which is not in the table of materials. "
                    f"Use one of: {known}."
                )
        return replace(self, structures={**self.structures, **structures})

    def with_materials(self, materials: Mapping[str, Material]) -> MaterialTable:
        """Return the table with materials added, or replaced if they have the same name."""
        return replace(self, materials={**self.materials, **materials})


def _material_name(structure: str) -> str:
    """Return the name of the material of an unknown structure, which is that of no other."""
    plain = _plain(structure)
    found = _NOT_IN_FILES.sub("_", plain)
    # Names in another alphabet, or long ones, would become the same.
    whole = plain.isascii() and len(plain) <= _LONGEST
    return found if whole else f"{found[: _LONGEST - 9]}_{crc32(plain.encode(errors='replace')):08x}"


def _plain(name: str) -> str:
    """Return the name of a structure as it is compared: "Left Jugular-Vein" is "left_jugular_vein"."""
    return re.sub(r"[\s_-]+", "_", name.strip()).casefold()
