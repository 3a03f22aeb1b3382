"""A shape model at a patient: its thyroids lie on the patient's own trachea."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import TRACHEA

from .organs import draw_organs
from .patient import Labels, label_names
from .shape import Shape
from .targets import check_steering, targets_for

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.cohort.patient_site import PatientSite
    from ThyroidSynthLib.generation.organs.own_organs import OwnOrgan
    from ThyroidSynthLib.generation.steer.contact import Contact
    from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
    from ThyroidSynthLib.model.trained_model import TrainedModel


class WithPatients:
    """What a `ShapeModel` does at a patient."""

    trained: TrainedModel

    @property
    def own_organs(self) -> Mapping[str, OwnOrgan]:
        """The organs that the patient has: none without a patient."""
        return {}

    def at(
        self,
        patient: Path | str,
        *,
        labels: Labels | None = None,
        level_mm: float | None = None,
        structures: Sequence[Volume | Surface] = (),
    ) -> ModelAtPatient:
        """Return the model at a patient, whose thyroids are drawn for the trachea and steered out of it.

        Parameters
        ----------
        patient, labels, level_mm
            As for `Shape.at`.
        structures : sequence of Volume or Surface
            Masks or closed surfaces in `ras_mm` of further structures that the thyroids must not enter.

        Raises
        ------
        InputError
            There is no trachea at the path, or the level of the gland is needed and cannot be estimated.
        ModelError
            The lengths of the model are not in millimetres.

        Examples
        --------
        >>> thyroid = ShapeModel.load("example").at("s0327").steer(volume_ml=20)
        >>> thyroid.met
        """
        from ThyroidSynthLib.generation.cohort.patient_site import site_at

        site = site_at(patient, self.trained.patient_alignment, labels=label_names(labels), level_mm=level_mm)
        contact = site.contact(self.trained.frame, structures)
        return ModelAtPatient(self.trained, site, contact, tuple(structures))


@dataclass(frozen=True)
class ModelAtPatient:
    """A shape model at a patient; see `ShapeModel.at`.

    Attributes
    ----------
    trained : TrainedModel
    site : PatientSite
        The trachea frame and what it was taken from.
    contact : Contact or None
        The trachea and further structures; None if nothing of them lies where thyroids of the model can lie.
    structures : tuple of Volume or Surface
        Further structures, in `ras_mm`.

    Examples
    --------
    >>> at_patient = ShapeModel.load("example").at("s0327")
    >>> thyroids = at_patient.sample(5, seed=1)
    >>> thyroids[0].save("thyroid.nii.gz")
    """

    trained: TrainedModel
    site: PatientSite
    contact: Contact | None
    structures: tuple[Volume | Surface, ...] = ()

    @cached_property
    def own_organs(self) -> Mapping[str, OwnOrgan]:
        """The trachea and the organs of the model that the patient has, as they are segmented, by name.

        Empty for a model without organs. `InputError` if one cannot be read.
        """
        from ThyroidSynthLib.generation.organs.own_organs import own_organs_of

        organs = self.trained.organs
        return own_organs_of(self.trained, self.site.own_masks(tuple(organs)), self.site.placement) if organs else {}

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
        """Draw random thyroids, steered out of the structures with the features of their draw held.

        Parameters and errors are those of `ShapeModel.sample`. With `organs`, the patient's own organs are structures
        that the thyroids do not enter, and only those organs are drawn that the patient lacks. `draw_organs` does that
        for thyroids that are steered.

        Examples
        --------
        >>> small = ShapeModel.load("example").at("s0327").sample(volume_ml=8)[0]
        """
        from ThyroidSynthLib.generation.cohort.thyroid_maker import ThyroidMaker
        from ThyroidSynthLib.generation.steer.direct_sampling import check_conditions

        targets = targets_for(self.trained, volume_ml, isthmus_area_mm2, symmetry)
        check_conditions(self.trained, [targets])
        contact = self.contact
        if organs:
            others = [each.mask.volume for name, each in self.own_organs.items() if name != TRACHEA.name]
            contact = self.site.contact(self.trained.frame, [*self.structures, *others])
        maker = ThyroidMaker.of(self.trained, seed=seed, contact=contact)
        shapes = [self._shape(maker.make(index, targets)) for index in range(count)]
        return draw_organs(self, shapes, seed=seed) if organs else shapes

    def steer(
        self,
        start: Shape | None = None,
        *,
        seed: int = 0,
        volume_ml: float | None = None,
        isthmus_area_mm2: float | None = None,
        symmetry: float | None = None,
    ) -> Shape:
        """Return a thyroid whose measured features match the targets and that does not enter the structures.

        Parameters and errors are those of `ShapeModel.steer`. A start keeps the distances that it has, as far as it
        does not overlap with the structures.

        Examples
        --------
        >>> at_patient = ShapeModel.load("example").at("s0327")
        >>> larger = at_patient.steer(at_patient.steer(volume_ml=20), volume_ml=25)
        """
        from ThyroidSynthLib.generation.cohort.thyroid_maker import ThyroidMaker
        from ThyroidSynthLib.generation.steer.steering import steer_to_target

        targets = targets_for(self.trained, volume_ml, isthmus_area_mm2, symmetry)
        check_steering(self.trained, start, targets)
        if start is None:
            return self._shape(
                ThyroidMaker.of(self.trained, seed=seed, to_target=True, contact=self.contact).make(0, targets)
            )
        contact = self.contact
        if contact is not None:
            contact = contact.kept_by(start.thyroid.surface, with_overlap=False)
        steered = steer_to_target(self.trained, start.thyroid, targets, contact=contact)
        return self._placed(Shape(steered.thyroid, steered.targets, steered.met, self.trained.frame.alignment))

    def _shape(self, made: GeneratedThyroid) -> Shape:
        return self._placed(Shape(made.thyroid, made.targets, made.met, self.trained.frame.alignment))

    def _placed(self, shape: Shape) -> Shape:
        return replace(shape, placement=self.site.placement, placement_notes=self.site.notes)
