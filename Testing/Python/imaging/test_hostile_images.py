"""Image files that are damaged or made to do harm are refused at once, with the file, the fault and the remedy."""

from __future__ import annotations

import bz2
import gzip
import os
import random
import re
import socket
import zlib

import numpy as np
import pytest

from support.hostile_images import ARRAY, CASES, field, mha, nifti, nrrd
from support.mask_files import affine, write_nifti
from support.refusal import REMEDY, refused
from support.sitk_images import write_by_sitk
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import names_in_extensions
from ThyroidSynthLib.imaging.masks import read_mask
from ThyroidSynthLib.imaging.volume_files import read_grid, read_volume, write_volume


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_file_is_refused_at_once(tmp_path, name):
    path = tmp_path / name
    (tmp_path / "zero").symlink_to("/dev/zero")
    path.write_bytes(CASES[name](tmp_path))
    refused(read_mask, path)
    if "_voxels.nii" not in name or name.startswith("more"):
        refused(read_volume, path)


def test_a_file_of_too_many_bytes_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "x.nrrd").write_bytes(CASES["huge_double_bz2.nrrd"](tmp_path))
    for read in (read_mask, read_grid, read_volume):
        assert "7.5 GiB" in refused(read, tmp_path / "x.nrrd")


def test_the_changed_files_are_good_before_the_change(tmp_path):
    """So that each is refused for its fault and not for another."""
    makers = {
        "a.nii": nifti,
        "a.nrrd": nrrd(),
        "a.mha": mha(),
        "b.nrrd": nrrd(encoding="gzip", data=gzip.compress(ARRAY.tobytes())),
        "c.nrrd": nrrd(encoding="bzip2", data=bz2.compress(ARRAY.tobytes())),
        "b.mha": mha(CompressedData="True", data=zlib.compress(ARRAY.tobytes())),
    }
    for name, make in makers.items():
        (tmp_path / name).write_bytes(make(tmp_path))
        np.testing.assert_array_equal(read_volume(tmp_path / name).array, ARRAY)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".seg.nrrd", ".mha"])
@pytest.mark.parametrize("read", [read_mask, read_volume, read_grid])
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path, suffix, read):
    made = {}
    for kind in ("folder", "pipe", "socket", "device", "loop", "nowhere", "below"):
        made[kind] = tmp_path / f"{kind}{suffix}"
    made["folder"].mkdir()
    os.mkfifo(made["pipe"])
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(made["socket"]))
        made["device"].symlink_to("/dev/zero")
        made["loop"].symlink_to(made["loop"])
        (tmp_path / "file").touch()
        made["below"] = tmp_path / "file" / f"below{suffix}"
        messages = {kind: refused(read, path) for kind, path in made.items()}
    assert re.search("is a folder|holds no CT", messages["folder"])
    assert all("pipe, a socket or a device" in messages[kind] for kind in ("pipe", "socket", "device"))
    assert all("does not exist" in messages[kind] for kind in ("nowhere", "below"))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_a_file_with_flipped_bits_is_read_or_refused(tmp_path, suffix):
    """A flipped bit may be a valid other image; whatever it is, nothing but a complete message is raised."""
    good = tmp_path / f"good{suffix}"
    (write_by_sitk if suffix == ".mha" else write_volume)(Volume(ARRAY, affine()), good)
    content = good.read_bytes()
    chosen = random.Random(4)
    for number in range(300):
        raw = bytearray(content)
        for _ in range(chosen.choice((1, 1, 3, 30))):
            raw[chosen.randrange(min(len(raw), 700))] ^= 1 << chosen.randrange(8)
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(raw if number % 5 else raw[: chosen.randrange(len(raw))])
        for read in (read_grid, read_volume, read_mask):
            try:
                read(path)
            except InputError as error:
                assert path.name in str(error) and REMEDY.search(str(error)), error


def test_values_that_make_no_sense_are_those_of_a_damaged_file_if_it_is_one(tmp_path):
    labels = np.arange(ARRAY.size, dtype=np.uint8).reshape(ARRAY.shape)
    content = gzip.compress(write_nifti(tmp_path / "labels.nii", labels, affine()).read_bytes())
    path = tmp_path / "x.nii.gz"
    path.write_bytes(content)
    assert "more than one label" in refused(read_mask, path)
    path.write_bytes(content[:-8] + bytes(4) + content[-4:])
    for read in (read_mask, read_grid, read_volume):
        assert "damaged (CRC" in refused(read, path)


def test_a_ct_in_place_of_a_mask_is_named(tmp_path):
    ct = write_nifti(
        tmp_path / "ct.nii.gz", np.arange(-1000, ARRAY.size - 1000, dtype=np.int16).reshape(ARRAY.shape), affine()
    )
    assert "ct.nii.gz has negative values, so it is no mask but an image such as a CT" in refused(read_mask, ct)


def test_a_grid_on_which_a_label_map_does_not_fit_into_memory_is_refused(tmp_path):
    path = tmp_path / "ct.nii"
    path.write_bytes(field("3h", 42, 1200, 1200, 800)(tmp_path))
    assert "Crop or resample" in refused(read_grid, path)


@pytest.mark.parametrize("declared", ["UTF-99", "utf-16", "UTF-8"])
def test_label_names_in_a_damaged_extension_are_none(declared):
    text = f'<?xml version="1.0" encoding="{declared}"?><LabelTable><Label Key="1">thyroid</Label>'
    assert names_in_extensions([(0, text.encode())]) == {}
