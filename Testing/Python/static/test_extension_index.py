"""The entry for Slicer's extensions index follows the rules that its reviewers check."""

from __future__ import annotations

import json
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
ENTRY_FILE = PROJECT / "docs" / "extension-index" / "ThyroidSynth.json"
ENTRY = json.loads(ENTRY_FILE.read_text(encoding="utf-8"))
README = (PROJECT / "README.md").read_text(encoding="utf-8")
CMAKE = (PROJECT / "CMakeLists.txt").read_text(encoding="utf-8")
REPOSITORY = "https://github.com/ThyroidSynth/SlicerThyroidSynth"

# The properties of schema 1.0.2, and the type of each.
SCHEMA = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "dicom_support_rule": str,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": int,
}


def cmake_value(variable: str) -> str:
    (value,) = re.findall(rf'^set\({variable} "([^"]*)"\)$', CMAKE, re.MULTILINE)
    return value


def test_the_entry_is_valid_by_schema_1_0_2() -> None:
    assert ENTRY["$schema"].endswith("/slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert {"$schema", "category", "scm_url"} <= ENTRY.keys()
    for key, value in ENTRY.items():
        assert key in SCHEMA, f"{key} is not in the schema"
        assert type(value) is SCHEMA[key], key
    assert ENTRY["tier"] in (1, 3, 5)
    assert b"\r" not in ENTRY_FILE.read_bytes()


def test_the_extension_and_its_repository_are_named_as_the_index_wants() -> None:
    (project,) = re.findall(r"^project\((\w+)\)$", CMAKE, re.MULTILINE)

    assert project == ENTRY_FILE.stem
    assert not project.lower().startswith("slicer")
    assert ENTRY["scm_url"] == f"{REPOSITORY}.git"


def test_every_address_points_to_the_repository() -> None:
    raw = f"https://raw.githubusercontent.com/{REPOSITORY.removeprefix('https://github.com/')}/{ENTRY['scm_revision']}/"
    pictures = [cmake_value("EXTENSION_ICONURL"), *cmake_value("EXTENSION_SCREENSHOTURLS").split()]

    assert cmake_value("EXTENSION_HOMEPAGE") == REPOSITORY
    assert len(pictures) >= 2
    for address in pictures:
        assert address.startswith(raw)
        assert (PROJECT / address.removeprefix(raw)).is_file(), address


def test_the_modules_are_in_the_category_of_the_entry_and_link_to_the_repository() -> None:
    module = (PROJECT / "ThyroidSynth" / "ThyroidSynth.py").read_text(encoding="utf-8")
    cli = (PROJECT / "ThyroidSynthTrain" / "ThyroidSynthTrain.xml").read_text(encoding="utf-8")

    assert f'translate("qSlicerAbstractCoreModule", "{ENTRY["category"]}")' in module
    assert f'href="{REPOSITORY}"' in module
    assert f"<category>{ENTRY['category']}</category>" in cli
    assert f"<documentation-url>{REPOSITORY}</documentation-url>" in cli


def test_a_dicom_rule_is_claimed_only_with_a_dicom_plugin() -> None:
    modules = [path.read_text(encoding="utf-8") for path in (PROJECT / "ThyroidSynth").rglob("*.py")]
    has_plugin = any(re.search(r"class \w+\(.*\bDICOMPlugin\)", text) for text in modules)

    assert ("dicom_support_rule" in ENTRY) == has_plugin


def test_the_description_mentions_patents_and_clinical_use() -> None:
    description = cmake_value("EXTENSION_DESCRIPTION")

    assert "patent" in description
    assert "not for clinical use" in description.lower()


def test_the_home_page_says_what_the_index_asks_for() -> None:
    modules = re.findall(r"^add_subdirectory\((ThyroidSynth\w*)\)", CMAKE, re.MULTILINE)

    assert modules == ["ThyroidSynth", "ThyroidSynthTrain"]
    for module in modules:
        assert re.search(rf"^- \*\*{module}\*\* .+", README, re.MULTILINE), f"no sentence about {module}"
    assert re.search(r"^!\[.+\]\(docs/images/", README, re.MULTILINE)
    assert re.search(r"^#+ How to cite", README, re.MULTILINE)
    assert "docs/tutorial.md" in README
    assert re.search(r"^#+ Licen[cs]e$", README, re.MULTILINE)
