"""The shape model of the Python API: it samples, steers, fits and edits thyroids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.cases import Case
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.generation.shapes import ModelShapes
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid, reconstruct
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.model.presets import DEFAULT_PRESET, settings_for
from ThyroidSynthLib.model.settings import OMEGA
from ThyroidSynthLib.model.trained_model import TrainedModel

from .at_patient import WithPatients
from .organs import draw_organs
from .patient import Labels, case_of, shape_of
from .phantom import WithPhantoms
from .shape import EditedShape, FittedShape, Shape
from .targets import check_steering, targets_for


class ShapeModel(WithPhantoms, WithPatients):
    """A trained shape model of the thyroid.

    Parameters
    ----------
    trained : TrainedModel
        The network with its latent codes; see `load`.

    Examples
    --------
    >>> from ThyroidSynthLib import ShapeModel
    >>> model = ShapeModel.load("example")
    >>> thyroid = model.steer(volume_ml=20, isthmus_area_mm2=40)
    >>> thyroid.save("thyroid.stl")
    """

    def __init__(self, trained: TrainedModel) -> None:
        self.trained = trained

    @classmethod
    def load(cls, model: Path | str = "example") -> ShapeModel:
        """Load a model file.

        Parameters
        ----------
        model : path
            A ``.safetensors`` file, or "example" for the model that comes with the library, which was trained
            on synthetic cases.

        Raises
        ------
        ModelError
            The file is missing, damaged or not a shape model.

        Examples
        --------
        >>> model = ShapeModel.load("example")
        >>> len(model.ids), model.synthetic
        (560, True)
        """
        return cls(TrainedModel.load(model))

    @classmethod
    def train(
        cls,
        cohort: Cohort | Path | str,
        *,
        preset: str = DEFAULT_PRESET,
        variant: str = "fixed",
        epochs: int | None = None,
        activation: str = "relu",
        omega: float = OMEGA,
        seed: int = 0,
        device: str = "auto",
    ) -> ShapeModel:
        """Train a model on a prepared cohort, and on the organs beside the thyroid that it has.

        For long trainings use a job (`thyroidsynth train`), which writes checkpoints and can be resumed.

        Parameters
        ----------
        cohort : Cohort or path
            A folder that `prepare_cohort` or `thyroidsynth prepare` wrote.
        preset : str
            "best", "fast" or "paper".
        variant : str
            "baseline", "fixed" or "correlation" (paper, section 2.2).
        epochs : int, optional
            Number of epochs instead of the preset's.
        activation : str
            Hidden units of the network: "relu", as published, or "siren", sine units.
        omega : float
            Factor of the angles of sine units.
        seed : int
            Random seed.
        device : str
            "auto", "cpu", "cuda" or "cuda:N".

        Raises
        ------
        InputError
            The preset or variant does not exist, or a setting is out of its range.
        CohortError
            The folder is not a cohort.

        Examples
        --------
        >>> model = ShapeModel.train("cohort", preset="fast")
        >>> model.save("my_model.safetensors")
        """
        from ThyroidSynthLib.generation.steer.calibration import calibrated
        from ThyroidSynthLib.training.loop import train
        from ThyroidSynthLib.training.organs import with_organs

        opened = cohort if isinstance(cohort, Cohort) else Cohort.open(cohort)
        changes: dict[str, Any] = {"seed": seed, "activation": activation, "omega": omega}
        changes |= {} if epochs is None else {"epochs": epochs}
        trained = train(opened, settings_for(preset, variant, **changes), device=device)
        return cls(calibrated(with_organs(trained, opened, device=device)))

    @property
    def ids(self) -> tuple[str, ...]:
        """The training cases."""
        return self.trained.ids

    @property
    def features(self) -> np.ndarray:
        """Features of the training cases, shape (n, 3): volume (mL), isthmus area (mm²) and symmetry."""
        return self.trained.features

    @property
    def synthetic(self) -> bool:
        """Whether the model was trained on synthetic cases, so that its shapes are not anatomy."""
        return self.trained.synthetic

    def sample(
        self,
        count: int = 1,
        *,
        seed: int = 0,
        volume_ml: float | None = None,
        isthmus_area_mm2: float | None = None,
        symmetry: float | None = None,
        organs: bool = False,
    ) -> list[Shape]:
        """Draw random thyroids by direct sampling (paper, section 2.4).

        Features without a target are drawn from the training cohort, given the others. The measured features
        are near the targets, not equal to them: use `steer` for that.

        Parameters
        ----------
        count : int
            Number of thyroids.
        seed : int
            Random seed. Thyroid number i of a seed is always the same.
        volume_ml, isthmus_area_mm2, symmetry : float, optional
            Targets.
        organs : bool
            Whether to draw the organs that belong to each thyroid, too: see `draw_organs`.

        Raises
        ------
        InputError
            A target is impossible, or the model has no features in its latent code.
        SynthesisError
            No draw gave a valid surface.

        Examples
        --------
        >>> thyroids = model.sample(10, seed=1)
        >>> volumes_ml = [thyroid.features.volume_ml for thyroid in thyroids]
        >>> small = model.sample(volume_ml=8)[0]
        """
        from ThyroidSynthLib.generation.steer.direct_sampling import generate

        targets = targets_for(self.trained, volume_ml, isthmus_area_mm2, symmetry)
        thyroids = [self._shape(drawn) for drawn in generate(self.trained, count=count, seed=seed, targets=targets)]
        return draw_organs(self, thyroids, seed=seed) if organs else thyroids

    def steer(
        self,
        start: Shape | None = None,
        *,
        seed: int = 0,
        volume_ml: float | None = None,
        isthmus_area_mm2: float | None = None,
        symmetry: float | None = None,
    ) -> Shape:
        """Return a thyroid whose measured features match the targets.

        The latent code is refined until the measured features match the targets; features without a target are free.
        `met` of the result is False where the targets are out of the model's reach.

        Parameters
        ----------
        start : Shape, optional
            The thyroid to change; by default a random one of this seed, and another draw if the first
            cannot meet the targets.
        seed : int
            Random seed, where no start is given.
        volume_ml, isthmus_area_mm2, symmetry : float, optional
            Targets; at least one.

        Raises
        ------
        InputError
            There is no target, a target is impossible, or the start is not of this model.
        SynthesisError
            No draw gave a valid surface.

        Examples
        --------
        >>> thyroid = model.steer(volume_ml=20, symmetry=0.7)
        >>> larger = model.steer(thyroid, volume_ml=25)
        >>> larger.met
        True
        """
        from ThyroidSynthLib.generation.cohort.thyroid_maker import generate_to_target
        from ThyroidSynthLib.generation.steer.steering import steer_to_target

        targets = targets_for(self.trained, volume_ml, isthmus_area_mm2, symmetry)
        check_steering(self.trained, start, targets)
        if start is None:
            return self._shape(next(iter(generate_to_target(self.trained, [targets], seed=seed))))
        steered = steer_to_target(ModelShapes(self.trained), start.thyroid, targets)
        return Shape(steered.thyroid, steered.targets, steered.met, start.alignment, start.placement)

    def reconstruct(self, case_id: str) -> Shape:
        """Return a training case as the model has learned it.

        Raises
        ------
        ModelError
            The model was not trained on the case.

        Examples
        --------
        >>> learned = model.reconstruct(model.ids[0])
        """
        return Shape(reconstruct(self.trained, self.trained.index_of(case_id)), alignment=self._alignment)

    def fit(
        self,
        patient: Path | str | Case | Surface | np.ndarray,
        *,
        labels: Labels | None = None,
        trachea_centre: Sequence[float] | None = None,
        space: str | None = None,
        completions: int = 0,
        seed: int = 0,
    ) -> FittedShape:
        """Find the latent code whose surface is closest to a patient's thyroid.

        A gland that the border of the scan cuts is completed.

        Parameters
        ----------
        patient : path, Case, Surface or ndarray (n, 3)
            A case folder, a label map, a Slicer segmentation or DICOM, with thyroid and trachea. Or, with
            `trachea_centre`, a thyroid as a mesh or point cloud: a file, a surface in `ras_mm`, or points in `ras_mm`.
        labels : mapping of int to str or str, optional
            Names of label numbers, for a label map without names: ``{1: "thyroid", 2: "trachea"}``,
            "thyroid=1,trachea=2", or a class map of TotalSegmentator such as "total-v2".
        trachea_centre : three floats, optional
            Centre of the trachea in `ras_mm`, for a mesh or a point cloud; for a model with the alignment "upright"
            that at the height of the gland.
        space : str, optional
            Axes of a mesh or point cloud file that does not state them: "LPS", the default, or "RAS".
        completions : int
            Number of plausible glands to draw as well, in ``case.completions``.
        seed : int
            Random seed of the points that are compared.

        Raises
        ------
        InputError
            The path holds no case or several, or the case has no thyroid or no trachea, or a mesh is given without the
            centre of its trachea.

        Examples
        --------
        >>> from ThyroidSynthLib import read_grid
        >>> fitted = model.fit("s0327")
        >>> fitted.dice, fitted.hd95_mm
        >>> fitted.save("fitted.nii.gz", grid=read_grid("s0327/ct.nii.gz"))
        >>> surface, centre = fitted.case.surface_ras, fitted.placement.origin_ras
        >>> of_a_surface = model.fit(surface, trachea_centre=centre)
        """
        from ThyroidSynthLib.evaluation.experiments.fitted import fit_case
        from ThyroidSynthLib.evaluation.experiments.fitted_shapes import fit_shape

        if trachea_centre is not None:
            shape = shape_of(patient, trachea_centre, space)
            found = fit_shape(self.trained, shape, completions=completions, seed=seed)
        elif isinstance(patient, Surface | np.ndarray):
            raise InputError("A surface or points need the centre of the trachea. Give trachea_centre in mm (RAS).")
        else:
            found = fit_case(self.trained, case_of(patient, labels), completions=completions, seed=seed)
        return FittedShape(found.fit.thyroid, alignment=self._alignment, placement=found.placement, case=found)

    def edit(
        self,
        patient: Path | str | Case,
        *,
        labels: Labels | None = None,
        volume_ml: float | None = None,
        isthmus_area_mm2: float | None = None,
        symmetry: float | None = None,
        hold: str | Sequence[str] | None = None,
        seed: int = 0,
    ) -> EditedShape:
        """Change features of a patient's own thyroid and keep its details.

        Parameters
        ----------
        patient, labels
            As for `fit`.
        volume_ml, isthmus_area_mm2, symmetry : float, optional
            Targets.
        hold : str or sequence of str, optional
            Name or names of the features to hold; by default all that have no target.
        seed : int
            Random seed of the fit.

        Raises
        ------
        InputError
            The path holds no case or several, the case has no thyroid or no trachea, or a target is impossible.

        Examples
        --------
        >>> edited = model.edit("s0327", volume_ml=20)
        >>> edited.features.volume_ml
        >>> edited.save("edited.nii.gz")
        """
        from ThyroidSynthLib.export.edited_case import Change, edit_case

        targets = targets_for(self.trained, volume_ml, isthmus_area_mm2, symmetry)
        changes = {name: Change(value) for name, value in targets.as_dict().items()}
        held = [hold] if isinstance(hold, str) else hold
        edited = edit_case(self.trained, case_of(patient, labels), changes, held=held, seed=seed)
        steered = edited.steered
        return EditedShape(
            steered.thyroid, steered.targets, steered.met, self._alignment, edited.fit.placement, case=edited
        )

    def save(self, path: Path | str) -> Path:
        """Write the model as a ``.safetensors`` file.

        Raises
        ------
        OutputError
            The file exists already or cannot be written.

        Examples
        --------
        >>> model.save("my_model.safetensors")
        """
        from ThyroidSynthLib.common.locks import new_file

        path = Path(path)
        with new_file(path):
            self.trained.save(path)
        return path

    @property
    def _alignment(self) -> str:
        return self.trained.frame.alignment

    def _shape(self, drawn: GeneratedThyroid) -> Shape:
        return Shape(drawn.thyroid, drawn.targets, drawn.met, self._alignment)
