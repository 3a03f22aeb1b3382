"""Label names are read from what a user types, from nnU-Net's dataset.json and from tables of other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.labels import part_called
from ThyroidSynthLib.imaging.segmentations.class_maps import class_map_labels, class_map_names, other_organs
from ThyroidSynthLib.imaging.segmentations.given_labels import labels_from_text, labels_of_dataset_beside


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("thyroid=1,trachea=2", {1: "thyroid", 2: "trachea"}),
        (" Glnd_Thyroid = 7 ; windpipe=3 ", {7: "Glnd_Thyroid", 3: "windpipe"}),
        ("left thyroid lobe=1,right thyroid lobe=2", {1: "left thyroid lobe", 2: "right thyroid lobe"}),
        ("1=thyroid,2=trachea", {1: "thyroid", 2: "trachea"}),
        ("thyroid=1,thyroid=2", {1: "thyroid", 2: "thyroid"}),
        ("thyroid=1,parathyroid=2,thyroid cartilage=3,nodule=4,oesophagus=5,tracheal wall=6", None),
    ],
)
def test_labels_are_read_from_text(text, labels):
    found = labels_from_text(text)
    assert found == labels if labels else list(found) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "neither a thyroid nor a trachea"),
        ("thyroid", "'thyroid' is not a name and a label number"),
        ("thyroid=x", "not a name and a label number"),
        ("thyroid=-1", "not a name and a label number"),
        ("thyroid=1.5", "not a name and a label number"),
        ("thyroid=0", "0 is the background"),
        ("thyroid=70000", "from 1 to 65535"),
        ("thyroid=1,trachea=1", "gives label 1 two names: thyroid and trachea"),
        ("thyroid cartilage=1", r"neither a thyroid nor a trachea \(thyroid cartilage\)"),
        ("thyroid=1,traceha=2", "'traceha' is no known structure. Did you mean 'trachea'"),
        ("thyriod=1,trachea=2", "Did you mean 'thyroid'"),
        ("missing.json", "missing.json does not exist"),
        ("missing.csv", "missing.csv does not exist"),
    ],
)
def test_text_without_labels_is_refused_in_the_users_words(text, message):
    with pytest.raises(InputError, match=message):
        labels_from_text(text)


@pytest.mark.parametrize(
    ("table", "labels"),
    [
        ({"background": 0, "thyroid": 1, "trachea": 2}, {1: "thyroid", 2: "trachea"}),
        ({"0": "background", "1": "thyroid", "2": "nodule"}, {1: "thyroid", 2: "nodule"}),
        # A region of several labels.
        ({"background": 0, "thyroid": [1, 2], "nodule": [2], "trachea": 3}, {1: "thyroid", 2: "thyroid", 3: "trachea"}),
    ],
)
def test_labels_of_nnunet_are_read(tmp_path, table, labels):
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({"labels": table, "numTraining": 1}))
    assert labels_from_text(str(path)) == labels
    for case in ("labelsTr/c_001.nii.gz", "c_001.nii.gz", "fold_0/validation/c_001.nii.gz"):
        assert labels_of_dataset_beside(tmp_path / case) == (path, labels)
    # Images and files of other data sets have no labels.
    for case in ("imagesTr/c_001_0000.nii.gz", "imagesTs/c_001.nii.gz", "a/b/c/d.nii.gz"):
        assert labels_of_dataset_beside(tmp_path / case) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"labels": []}', '{"labels": {"thyroid": 1.5}}', '{"labels": {"a": null}}']
)
def test_another_dataset_json_is_refused_when_it_is_named_and_ignored_beside_a_file(tmp_path, text):
    path = tmp_path / "dataset.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"dataset\.json"):
        labels_from_text(str(path))
    assert labels_of_dataset_beside(tmp_path / "x.nii.gz") is None


SLICER = "# Color table file\n0 Background 0 0 0 0\n1 thyroid 128 174 128 255\n2 trachea 241 214 145 255\n"
ITK_SNAP = (
    "################\n# ITK-SnAP Label Description File\n################\n"
    '    0     0    0    0        0  0  0    "Clear Label"\n'
    '    1   255    0    0        1  1  1    "Left thyroid lobe"\n    2     0  255    0        1  1  1    "Trachea"\n'
)


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("t.csv", "label,name\n1,thyroid\n2,trachea\n", {1: "thyroid", 2: "trachea"}),
        ("t.tsv", "index\tname\n1\tthyroid\n2\ttrachea\n", {1: "thyroid", 2: "trachea"}),
        ("t.csv", "name,label,colour\nthyroid,1,red\ntrachea,2,blue\n", {1: "thyroid", 2: "trachea"}),
        (
            "t.txt",
            "#No. Label Name: R G B A\n 1 thyroid 220 20 20 0\n 2 trachea 20 20 220 0\n",
            {1: "thyroid", 2: "trachea"},
        ),
        # As pandas writes it, with the number of the row first.
        ("t.csv", ",label,name\n0,5,thyroid\n1,2,trachea\n2,1,spleen\n", {5: "thyroid", 2: "trachea", 1: "spleen"}),
        ("t.csv", "red,LabelValue,short,Name\n9,1,T,thyroid\n8,2,R,trachea\n", {1: "thyroid", 2: "trachea"}),
        (
            "t.csv",
            "id;label\n1;thyroid\n2;trachea, upper\n3;trachea\n",
            {1: "thyroid", 2: "trachea, upper", 3: "trachea"},
        ),
        ("t.ctbl", SLICER, {1: "thyroid", 2: "trachea"}),
        ("t.json", '{"thyroid": 1, "trachea": 2}', {1: "thyroid", 2: "trachea"}),
        ("t.txt", ITK_SNAP, {1: "Left thyroid lobe", 2: "Trachea"}),
    ],
)
def test_labels_are_read_from_tables_of_other_programs(tmp_path, name, text, labels):
    path = tmp_path / name
    path.write_text(text)
    assert labels_from_text(str(path)) == labels


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"label,name\n1,spleen\n", b"\x00" * 100, b'"1,2\n'])
def test_a_file_that_is_no_table_of_labels_is_refused(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"t\.csv"):
        labels_from_text(str(path))


def test_the_class_maps_are_those_of_totalsegmentator():
    v2, v1 = class_map_labels("total-v2"), class_map_labels("total_v1")
    assert (v2[16], v2[17], v2[91], len(v2)) == ("trachea", "thyroid_gland", "skull", 117)
    assert (v1[43], len(v1)) == ("trachea", 104)
    assert not any(part_called(name) for name in v1.values() if name != "trachea")
    assert class_map_labels("headneck_bones_vessels")[2] == "thyroid_cartilage"
    assert class_map_labels("Headneck-Muscles")[18] == "sterno_thyroid_right"
    for name in class_map_names():
        labels = class_map_labels(name)
        assert sorted(labels) == list(range(1, len(labels) + 1))
    assert {"thyroid cartilage", "sterno thyroid left", "esophagus"} <= other_organs()
    assert not {"thyroid gland", "trachea"} & other_organs()


def test_an_unknown_class_map_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"no class map 'total-v9'.*total-v2"):
        class_map_labels("total-v9")


def test_the_source_of_the_class_maps_is_stated():
    from ThyroidSynthLib.imaging.segmentations import class_maps

    document = json.loads((Path(class_maps.__file__).parent / "data" / "class_maps.json").read_text())
    assert "github.com/wasserth/TotalSegmentator" in document["source"]
