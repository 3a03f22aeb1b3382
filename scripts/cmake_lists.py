"""Keep the lists in ThyroidSynth/CMakeLists.txt equal to what lies in the module's folder.

Slicer installs only the files that are named there, so a forgotten one fails on the user's machine.
Without arguments the lists are rewritten; with ``--check`` differences are printed and the exit code is 1.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

MODULE_FOLDER = Path(__file__).resolve().parents[1] / "ThyroidSynth"

SCRIPTS = "MODULE_PYTHON_SCRIPTS"
RESOURCES = "MODULE_PYTHON_RESOURCES"


def present_files(module_folder: Path) -> dict[str, list[str]]:
    """List the files of a scripted module that Slicer must install, by the CMake variable they belong in."""
    files = sorted(
        path.relative_to(module_folder)
        for folder in (module_folder / "Resources", module_folder / f"{module_folder.name}Lib")
        for path in folder.rglob("*")
        if path.is_file()
    )
    files = [path for path in files if not _is_by_product(path)]
    scripts = [path.as_posix() for path in files if path.suffix == ".py"]
    scripts[:0] = sorted(path.name for path in module_folder.glob("*.py"))
    return {SCRIPTS: scripts, RESOURCES: [path.as_posix() for path in files if path.suffix != ".py"]}


def listed_files(cmake_text: str) -> dict[str, list[str]]:
    """Read both lists from the text of a scripted module's CMakeLists.txt."""
    name = re.search(r"set\(MODULE_NAME\s+(\w+)\s*\)", cmake_text)
    module = name.group(1) if name else ""
    return {
        variable: [
            entry.replace("${MODULE_NAME}", module)
            for line in _block_of(variable, cmake_text).group("entries").splitlines()
            for entry in line.partition("#")[0].split()
        ]
        for variable in (SCRIPTS, RESOURCES)
    }


def differences(module_folder: Path) -> list[str]:
    """Return a line for each file that is missing from a list, does not exist, or is named twice."""
    listed = listed_files((module_folder / "CMakeLists.txt").read_text(encoding="utf-8"))
    faults = []
    for variable, present in present_files(module_folder).items():
        named = listed[variable]
        faults += [f"{variable}: {file} is missing from the list" for file in present if file not in named]
        faults += [f"{variable}: {file} does not exist" for file in sorted(set(named) - set(present))]
        faults += [f"{variable}: {file} is named twice" for file in sorted(set(named)) if named.count(file) > 1]
    return faults


def rewrite(module_folder: Path) -> None:
    """Write the files that are there into both lists."""
    cmake = module_folder / "CMakeLists.txt"
    text = cmake.read_text(encoding="utf-8")
    for variable, files in present_files(module_folder).items():
        block = _block_of(variable, text)
        entries = "".join(f"  {file}\n" for file in files)
        text = f"{text[: block.start('entries')]}\n{entries}  {text[block.end('entries') :]}"
    cmake.write_text(text, encoding="utf-8")


def _block_of(variable: str, cmake_text: str) -> re.Match[str]:
    block = re.search(rf"set\({variable}\b(?P<entries>[^)]*)\)", cmake_text)
    if block is None:
        raise ValueError(f"CMakeLists.txt has no set({variable} ...).")
    return block


def _is_by_product(path: Path) -> bool:
    return path.suffix == ".pyc" or any(part.startswith((".", "__pycache__")) for part in path.parts)


def main() -> int:
    """Rewrite or check the lists of this project's module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the lists are wrong")
    if not parser.parse_args().check:
        rewrite(MODULE_FOLDER)
        return 0
    faults = differences(MODULE_FOLDER)
    if faults:
        print(*faults, "Run `make cmake-lists`.", sep="\n", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
