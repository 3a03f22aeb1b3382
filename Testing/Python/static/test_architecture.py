"""The architecture's rules hold in the product, and each rule is able to fail."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.rules import architecture

PROJECT = Path(__file__).resolve().parents[3]

RULES = [
    architecture.imports_against_the_flow,
    architecture.import_cycles,
    architecture.package_cycles,
    architecture.crowded_folders,
    architecture.slicer_outside_its_layers,
    architecture.heavy_at_file_scope,
    architecture.chains_to_what_slicer_lacks,
    architecture.unpickling,
    architecture.printing,
    architecture.too_long,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_product_keeps_the_rule(rule: Callable[[Path], list[str]]) -> None:
    assert rule(PROJECT) == []


def test_the_rules_look_at_the_whole_library() -> None:
    layers = {source.module.split(".")[1] for source in architecture.sources(PROJECT) if "." in source.module}

    assert layers == set(architecture.FLOW)


PLANTED = [
    ("imports_against_the_flow", "geometry/a.py", "from ..model import network"),
    ("imports_against_the_flow", "geometry/a.py", "def f():\n    from ThyroidSynthLib.model.trained_model import M"),
    ("imports_against_the_flow", "dataset/synthetic/a.py", "from ...generation.decode.decoding import decode"),
    ("imports_against_the_flow", "training/a.py", "import ThyroidSynthLib.generation.shapes"),
    ("imports_against_the_flow", "evaluation/a.py", "from .. import slicer"),
    ("imports_against_the_flow", "common/errors.py", "from ..geometry import volume"),
    ("imports_against_the_flow", "cli/a.py", "from ..slicer.scene import volumes"),
    ("imports_against_the_flow", "utils/a.py", "x = 1"),
    ("slicer_outside_its_layers", "geometry/a.py", "import slicer"),
    ("slicer_outside_its_layers", "evaluation/a.py", "def f():\n    import slicer.util"),
    ("slicer_outside_its_layers", "generation/a.py", "from vtkSlicerCommon import x"),
    ("slicer_outside_its_layers", "training/a.py", "from qt import QTimer"),
    ("slicer_outside_its_layers", "slicer/scene/a.py", "import qt"),
    ("slicer_outside_its_layers", "slicer/panel/a.py", "import PySide6"),
    ("heavy_at_file_scope", "__init__.py", "import torch"),
    ("heavy_at_file_scope", "slicer/scene/a.py", "from vtkmodules.vtkCommonCore import vtkPoints"),
    ("heavy_at_file_scope", "slicer/panel/a.py", "try:\n    import matplotlib\nexcept ImportError:\n    pass"),
    ("heavy_at_file_scope", "slicer/panel/a.py", "class A:\n    import scipy"),
    ("heavy_at_file_scope", "../ThyroidSynth.py", "import SimpleITK as sitk"),
    ("heavy_at_file_scope", "geometry/a.py", "import torch.nn"),
    ("unpickling", "training/a.py", "import pickle"),
    ("unpickling", "training/a.py", "import torch\ntorch.load('m.pt')"),
    ("unpickling", "training/a.py", "import torch\ntorch.save(1, 'm.pt')"),
    ("unpickling", "geometry/a.py", "import numpy as np\nnp.load('a.npy', allow_pickle=True)"),
    ("printing", "geometry/a.py", "def f():\n    print('done')"),
    ("too_long", "geometry/a.py", "x = 1\n" * 401),
]


@pytest.mark.parametrize(("rule", "file", "text"), PLANTED)
def test_a_planted_violation_is_found(tmp_path: Path, rule: str, file: str, text: str) -> None:
    plant(tmp_path, file, text)

    assert len(getattr(architecture, rule)(tmp_path)) == 1


ALLOWED = [
    ("heavy_at_file_scope", "slicer/panel/a.py", "def f():\n    import torch"),
    ("heavy_at_file_scope", "slicer/scene/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import vtk"),
    ("heavy_at_file_scope", "training/a.py", "import torch"),
    ("slicer_outside_its_layers", "slicer/scene/a.py", "import slicer"),
    ("slicer_outside_its_layers", "slicer/panel/a.py", "import ctk, qt, slicer"),
    ("imports_against_the_flow", "generation/a.py", "from ..common.errors import SynthesisError"),
    ("imports_against_the_flow", "slicer/panel/a.py", "from .. import __version__"),
    ("imports_against_the_flow", "dataset/synthetic/a.py", "from ..cases import Volume"),
    ("unpickling", "training/a.py", "import torch\ntorch.load('m.pt', weights_only=True)"),
    ("printing", "cli/a.py", "print('done')"),
]


@pytest.mark.parametrize(("rule", "file", "text"), ALLOWED)
def test_what_is_allowed_is_not_called_a_violation(tmp_path: Path, rule: str, file: str, text: str) -> None:
    plant(tmp_path, file, text)

    assert getattr(architecture, rule)(tmp_path) == []


def test_a_chain_of_imports_to_torch_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "slicer/panel/a.py", "from ...generation.steer import steering")
    plant(tmp_path, "generation/steer/steering.py", "from ...model.shape_model import TrainedModel")
    plant(tmp_path, "model/shape_model.py", "import torch")

    (fault,) = architecture.chains_to_what_slicer_lacks(tmp_path)

    assert "panel/a.py loads torch through ThyroidSynthLib.generation.steer.steering -> " in fault


def test_cycles_of_files_and_of_packages_are_found(tmp_path: Path) -> None:
    plant(tmp_path, "geometry/a.py", "def f():\n    from .b import x")
    plant(tmp_path, "geometry/b.py", "from .a import f")
    assert len(architecture.import_cycles(tmp_path)) == 1
    assert architecture.package_cycles(tmp_path) == []

    plant(tmp_path, "generation/fit/a.py", "from ..edit.a import x")
    plant(tmp_path, "generation/edit/a.py", "x = 1")
    plant(tmp_path, "generation/edit/b.py", "from ..fit.c import y")
    plant(tmp_path, "generation/fit/c.py", "y = 1")
    (fault,) = architecture.package_cycles(tmp_path)
    assert "generation.edit -> ThyroidSynthLib.generation.fit" in fault


def test_a_crowded_folder_is_found(tmp_path: Path) -> None:
    for number in range(architecture.MOST_FILES):
        plant(tmp_path, f"geometry/a{number}.py", "x = 1")
    assert architecture.crowded_folders(tmp_path) == []

    plant(tmp_path, "geometry/one_more.py", "x = 1")
    assert len(architecture.crowded_folders(tmp_path)) == 1


def test_importing_the_library_loads_nothing_heavy() -> None:
    program = "import sys, ThyroidSynthLib; print(*{name.partition('.')[0] for name in sys.modules})"

    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT / "ThyroidSynth",
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = set(result.stdout.split())
    assert "ThyroidSynthLib" in loaded
    assert loaded & (architecture.HEAVY | {"numpy"}) == set()


def plant(root: Path, file: str, text: str) -> None:
    path = root / "ThyroidSynth" / "ThyroidSynthLib" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.resolve().write_text(text, encoding="utf-8")
