"""The table of materials: every number has a source, the numbers are possible, and users can change it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.materials import (
    Material,
    Optical,
    common_wavelength,
    read_materials,
    require,
    standard_materials,
    write_materials_csv,
    write_materials_json,
)
from ThyroidSynthLib.imaging.segmentations.class_maps import DEFAULT_CLASS_MAP, class_map_labels

LABELS = {0: "air", 16: "trachea", 17: "thyroid_gland", 91: "vertebrae_C6", 202: "muscle"}


def test_every_number_has_a_source() -> None:
    for material in standard_materials().materials.values():
        for column in material.values():
            assert material.sources.get(column), f"{material.name}: {column}"
        assert set(material.sources) == set(material.values()), material.name


def test_the_composition_of_every_material_adds_up_to_one() -> None:
    for material in standard_materials().materials.values():
        # Published shares are rounded to 0.1 %; those of air and water are given to 1e-6.
        assert sum(material.composition.values()) == pytest.approx(1, abs=1.1e-3), material.name
        assert sum(material.mass_fractions().values()) == pytest.approx(1, abs=1e-12), material.name


def test_values_are_those_of_the_textbooks() -> None:
    materials = standard_materials().materials

    assert (materials["water"].density_kg_m3, materials["water"].hu_120kvp) == (1000, 0)
    assert materials["water"].composition["H"] == pytest.approx(2 * 1.008 / 18.015, abs=1e-4)
    assert materials["air"].density_kg_m3 == pytest.approx(1.205)
    assert materials["air"].hu_120kvp == pytest.approx(-1000, abs=2)
    assert -120 < materials["fat"].hu_120kvp < -60
    assert materials["nodule_solid"].hu_120kvp < materials["thyroid"].hu_120kvp < 100
    assert materials["fat"].sound_speed_m_s < materials["muscle"].sound_speed_m_s < materials["bone"].sound_speed_m_s
    # Whole blood absorbs some twenty times as much at 800 nm as muscle.
    blood, muscle = (materials[name].optical_at(800) for name in ("blood", "muscle"))
    assert 15 < blood.mu_a_per_mm / muscle.mu_a_per_mm < 30


@pytest.mark.parametrize(
    "class_map", [DEFAULT_CLASS_MAP, "headneck-bones-vessels", "headneck-muscles", "head-glands-cavities"]
)
def test_every_structure_of_a_neck_has_a_material(class_map: str) -> None:
    table = standard_materials()

    for name in class_map_labels(class_map).values():
        assert table.of_structure(name).density_kg_m3, name


@pytest.mark.parametrize(
    ("structure", "material"),
    [
        ("vertebrae_C6", "bone"),
        ("thyroid_cartilage", "cartilage"),
        ("common_carotid_artery_left", "blood"),
        ("internal_jugular_vein_right", "blood"),
        ("Internal jugular-vein right", "blood"),
        ("larynx_air", "air"),
        ("thyroid_left_lobe", "thyroid"),
        ("thyroid_nodule_3", "nodule_solid"),
        ("thyroid_nodule_cystic", "nodule_cystic"),
        ("thyroid_nodule_mixed", "nodule_mixed"),
    ],
)
def test_a_structure_has_the_material_of_its_tissue(structure: str, material: str) -> None:
    assert standard_materials().of_structure(structure).name == material


def test_an_unknown_structure_has_a_material_of_its_own_without_values() -> None:
    table = standard_materials()
    assert table.knows("Vertebrae C6") and not table.knows("Pacemaker (left)")
    unknown = table.of_structure("Pacemaker (left)")
    assert (unknown.name, unknown.values()) == ("pacemaker_left_", {})
    with pytest.raises(InputError, match=r"k-Wave needs sound_speed_m_s of the material 'pacemaker_left_'"):
        require(unknown, "sound_speed_m_s", "k-Wave")


def test_unknown_structures_with_names_in_another_alphabet_have_different_materials() -> None:
    names = ("肌肉", "软骨", "Ösophagus", "x" * 90 + "1", "x" * 90 + "2")

    found = {standard_materials().of_structure(name).name for name in names}

    assert len(found) == len(names)
    assert standard_materials().of_structure("软骨") == standard_materials().of_structure("软骨")


def test_nodules_get_materials_of_their_own() -> None:
    table = standard_materials().with_structures({"thyroid_nodule_2": "nodule_cystic"})

    assert table.of_structure("thyroid_nodule_2").name == "nodule_cystic"
    assert table.of_structure("thyroid_nodule_1").name == "nodule_solid"
    with pytest.raises(InputError, match="consists of 'jelly'"):
        table.with_structures({"thyroid_nodule_2": "jelly"})


def test_a_missing_value_names_material_column_and_simulator() -> None:
    lung = standard_materials().materials["lung"]

    with pytest.raises(InputError, match=r"k-Wave needs sound_speed_m_s of the material 'lung'.*--materials"):
        require(lung, "sound_speed_m_s", "k-Wave")
    assert require(lung, "density_kg_m3", "k-Wave") == 260


def test_the_wavelength_is_one_that_all_materials_have() -> None:
    both = Material("a", optical=(Optical(700, 1, 1, 0.9, 1.4), Optical(900, 1, 1, 0.9, 1.4)))
    one = Material("b", optical=(Optical(700, 1, 1, 0.9), Optical(900, 1, 1, 0.9, 1.4)))

    assert common_wavelength([both, one], "MCX") == 900
    with pytest.raises(InputError, match=r"MCX needs mu_a_per_mm_700nm of the material 'c'"):
        common_wavelength([both, both, Material("c")], "MCX")
    with pytest.raises(InputError, match="no column such as mu_a_per_mm_800nm"):
        common_wavelength([Material("c")], "MCX")


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_written_table_reads_back_equal(tmp_path: Path, suffix: str) -> None:
    path, table = tmp_path / f"materials{suffix}", standard_materials()
    (write_materials_csv if suffix == ".csv" else write_materials_json)(path, table, LABELS)

    found = read_materials(path, base=type(table)({}, {}))

    assert found.structures == {name: table.of_structure(name).name for name in LABELS.values()}
    assert found.materials == {name: table.materials[name] for name in ("air", "thyroid", "bone", "muscle")}


def test_a_table_of_the_user_changes_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "structure,material,density_kg_m3,hu_120kvp,density_kg_m3_source\n"
        "thyroid_gland,thyroid,1060,,my laboratory\n"
        "pacemaker,titanium,4506,,\n"
    )

    table = read_materials(path)

    thyroid, standard = table.of_structure("thyroid_gland"), standard_materials().materials["thyroid"]
    assert (thyroid.density_kg_m3, thyroid.sources["density_kg_m3"]) == (1060, "my laboratory")
    assert thyroid.hu_120kvp is None and "hu_120kvp" not in thyroid.sources
    assert thyroid.sound_speed_m_s == standard.sound_speed_m_s
    assert table.of_structure("pacemaker").sources == {"density_kg_m3": "given in mine.csv"}
    assert table.of_structure("muscle") == standard_materials().of_structure("muscle")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("structure,density_kg_m3\na,1\n", "no column 'material'"),
        ("material,denisty\nmuscle,1\n", "column 'denisty'"),
        ("material,density_kg_m3\nmuscle,1.05 g\n", "line 2, column density_kg_m3: '1.05 g' is not a number"),
        ("material,density_kg_m3\nmuscle,-5\n", "line 2: of the material 'muscle', density_kg_m3 is -5"),
        ("material,composition\nmuscle,H:0.5 O:0.3\n", "composition adds up to 0.8, not to 1"),
        ("material,composition\nmuscle,H:0.5 Xx:0.5\n", "'Xx', which is not the symbol of an element"),
        ("material,composition\nmuscle,water\n", "'water' is not one share of an element"),
        ("material,g_800nm,mu_s_reduced_per_mm_800nm\nmuscle,1,1\n", "g_800nm is 1, which means no scattering"),
        ("structure,material\npacemaker,titanium\n", "material 'titanium' is not known"),
        (
            "material,density_kg_m3\nmuscle,1000\nmuscle,1001\n",
            "line 3: the material 'muscle' has other values",
        ),
        ("material,density_kg_m3\n,1000\n", "line 2 names no material"),
        ("material,density_kg_m3\n../steel,7900\n", "its name has other signs than letters"),
        ("material,density_kg_m3\nstainless steel,7900\n", "its name has other signs than letters"),
    ],
)
def test_an_impossible_table_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)

    with pytest.raises(InputError) as error:
        read_materials(path)

    assert fault in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[]", "no object 'materials'"),
        ('{"materials": {"a": 1}}', "material 'a': it is not an object"),
        ('{"materials": {"a": {"density": 1}}}', "unknown key 'density'"),
        ('{"materials": {"a": {"density_kg_m3": "heavy"}}}', "density_kg_m3 is not a finite number"),
        ('{"materials": {"a": {"composition": [1]}}}', "composition is not an object"),
        ('{"materials": {"a": {"optical": [{}]}}}', "without a number wavelength_nm"),
        ('{"materials": {"a": {"sources": [1]}}}', "sources are not texts"),
        ('{"materials": {}, "structures": {"s": "t"}}', "material 't' is not known"),
        ('{"materials": {}, "structures": {"s": 1}}', "structure 's' has no name of a material"),
    ],
)
def test_an_impossible_document_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)

    with pytest.raises(InputError) as error:
        read_materials(path)

    assert fault in str(error.value) and str(path) in str(error.value)
