"""Tables of targets as spreadsheets write them."""

import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.generation.cohort.target_table import read_targets
from ThyroidSynthLib.geometry.targets import Targets


def test_a_row_gives_the_targets_of_a_thyroid_and_empty_cells_are_free(tmp_path):
    path = tmp_path / "targets.csv"
    path.write_text("name,symmetry,volume_ml\na,0.7,15\nb,,20.5\n")
    assert read_targets(path) == [Targets(volume_ml=15.0, symmetry=0.7), Targets(volume_ml=20.5)]


def test_blanks_after_commas_are_ignored(tmp_path):
    path = tmp_path / "targets.csv"
    path.write_text("volume_ml, symmetry\n15, 0.7\n")
    assert read_targets(path) == [Targets(volume_ml=15.0, symmetry=0.7)]


def test_semicolons_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "targets.csv"
    path.write_bytes("\ufeffvolume_ml;isthmus_area_mm2\r\n15;0\r\n".encode())
    assert read_targets(path) == [Targets(volume_ml=15.0, isthmus_area_mm2=0.0)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a,b\n1,2\n", "none of the columns"),
        ("volume_ml\n", "no row"),
        ("volume_ml\n12\nmuch\n", r"targets\.csv, line 3: volume_ml: 'much' is not a number"),
        ("symmetry\n0.5\n\n1.5\n", r"targets\.csv, line 4: symmetry = 1\.5 is impossible"),
        ("Volume (mL),symmetry\n12,0.5\n", r"targets\.csv has the column 'Volume \(mL\)', but columns of targets are"),
        ("volume_ml\n0\n", r"line 2: volume = 0 is impossible. It must be positive"),
    ],
)
def test_a_faulty_table_is_rejected_with_file_line_and_fault(tmp_path, text, fault):
    path = tmp_path / "targets.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=fault):
        read_targets(path)
