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
    layers = {source.layer for source in architecture.sources(PROJECT)}

    assert {"base", "anatomy", "learning", "synthesis"} <= layers


PLANTED = [
    ("imports_against_the_flow", "anatomy/a.py", "from ..learning import network"),
    ("imports_against_the_flow", "anatomy/a.py", "def f():\n    from ThyroidSynthLib.model.shape_model import M"),
    ("imports_against_the_flow", "anatomy/example/a.py", "from ...synthesis.decoding import decode"),
    ("imports_against_the_flow", "learning/a.py", "import ThyroidSynthLib.model.prior"),
    ("imports_against_the_flow", "scene/a.py", "from .. import panel"),
    ("imports_against_the_flow", "errors.py", "from .anatomy import volume"),
    ("imports_against_the_flow", "cli.py", "from .scene import overlay"),
    ("imports_against_the_flow", "utils/a.py", "x = 1"),
    ("slicer_outside_its_layers", "anatomy/a.py", "import slicer"),
    ("slicer_outside_its_layers", "evaluation/a.py", "def f():\n    import slicer.util"),
    ("slicer_outside_its_layers", "synthesis/a.py", "from vtkSlicerCommon import x"),
    ("slicer_outside_its_layers", "learning/a.py", "from qt import QTimer"),
    ("slicer_outside_its_layers", "scene/a.py", "import qt"),
    ("slicer_outside_its_layers", "panel/a.py", "import PySide6"),
    ("heavy_at_file_scope", "__init__.py", "import torch"),
    ("heavy_at_file_scope", "scene/a.py", "from vtkmodules.vtkCommonCore import vtkPoints"),
    ("heavy_at_file_scope", "panel/a.py", "try:\n    import skimage.measure\nexcept ImportError:\n    pass"),
    ("heavy_at_file_scope", "panel/a.py", "class A:\n    import scipy"),
    ("heavy_at_file_scope", "../ThyroidSynth.py", "import SimpleITK as sitk"),
    ("heavy_at_file_scope", "anatomy/a.py", "import torch.nn"),
    ("unpickling", "learning/a.py", "import pickle"),
    ("unpickling", "learning/a.py", "import torch\ntorch.load('m.pt')"),
    ("unpickling", "learning/a.py", "import torch\ntorch.save(1, 'm.pt')"),
    ("unpickling", "anatomy/a.py", "import numpy as np\nnp.load('a.npy', allow_pickle=True)"),
    ("printing", "anatomy/a.py", "def f():\n    print('done')"),
    ("too_long", "anatomy/a.py", "x = 1\n" * 401),
]


@pytest.mark.parametrize(("rule", "file", "text"), PLANTED)
def test_a_planted_violation_is_found(tmp_path: Path, rule: str, file: str, text: str) -> None:
    plant(tmp_path, file, text)

    assert len(getattr(architecture, rule)(tmp_path)) == 1


ALLOWED = [
    ("heavy_at_file_scope", "panel/a.py", "def f():\n    import torch"),
    ("heavy_at_file_scope", "scene/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import vtk"),
    ("heavy_at_file_scope", "learning/a.py", "import torch"),
    ("slicer_outside_its_layers", "scene/a.py", "import slicer"),
    ("slicer_outside_its_layers", "panel/a.py", "import ctk, qt, slicer"),
    ("imports_against_the_flow", "synthesis/a.py", "from ..errors import SynthesisError"),
    ("imports_against_the_flow", "panel/a.py", "from .. import __version__"),
    ("imports_against_the_flow", "anatomy/example/a.py", "from ..volume import Volume"),
    ("unpickling", "learning/a.py", "import torch\ntorch.load('m.pt', weights_only=True)"),
    ("printing", "cli.py", "print('done')"),
]


@pytest.mark.parametrize(("rule", "file", "text"), ALLOWED)
def test_what_is_allowed_is_not_called_a_violation(tmp_path: Path, rule: str, file: str, text: str) -> None:
    plant(tmp_path, file, text)

    assert getattr(architecture, rule)(tmp_path) == []


def test_a_chain_of_imports_to_torch_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "panel/a.py", "from ..synthesis import steering")
    plant(tmp_path, "synthesis/steering.py", "from ..learning.model import ShapeModel")
    plant(tmp_path, "learning/model.py", "import torch")

    (fault,) = architecture.chains_to_what_slicer_lacks(tmp_path)

    assert "panel/a.py loads torch through ThyroidSynthLib.generation.steer.steering -> " in fault


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
