"""Section "Generate": wishes, a seed, and a thyroid at the patient's trachea."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ..errors import Cancelled, InputError
from ..progress import part_of
from ..scene.overlay import bounds_of, jump_slices
from ..scene.records import ATTRIBUTE, ThyroidRecord, read_record
from ..scene.segmentations import add_generated_thyroid, replace_surface
from ..scene.volumes import placement_of_patient
from .parameters import LARGEST_SEED
from .section import Section
from .wording import featuresText, featureText

if TYPE_CHECKING:
    from ..learning.description import ModelDescription
    from ..learning.model import ShapeModel
    from ..synthesis.thyroid import Thyroid
    from .session import Work


@dataclass(frozen=True)
class Wish:
    """How a feature appears in the panel: its parameters, its widgets' names, and its utmost limits."""

    value: str
    steer: str
    widgets: str
    lower: float
    upper: float


WISHES = {
    "volume_ml": Wish("volumeMl", "steerVolume", "volume", 0.0, 1000.0),
    "isthmus_area_mm2": Wish("isthmusAreaMm2", "steerIsthmusArea", "isthmusArea", 0.0, 2000.0),
    "symmetry": Wish("symmetry", "steerSymmetry", "symmetry", 0.0, 1.0),
}

# Sliders reach a little past the cohort: there a model guesses, but the user may want to see it.
_REACH = 0.25
# Training codes lie between about 0.7 and 1.2 SDs per dimension from their mean.
_FAR_CODE = 2.0


class GenerateSection(Section):
    """Makes thyroids, and shows what was measured beside what was asked."""

    uiFile = "Generate.ui"

    def connect(self) -> None:
        """Connect the section's own widgets."""
        self._description: ModelDescription | None = None
        self.ui.resultSelector.addAttribute("vtkMRMLSegmentationNode", ATTRIBUTE)
        self.ui.generateButton.connect("clicked(bool)", self._onGenerate)
        self.ui.randomButton.connect("clicked(bool)", self._onRandom)

    def describe(self, description: ModelDescription | None) -> None:
        """Offer what a model can do."""
        self._description = description
        self.refresh()

    def refresh(self) -> None:
        """Show the parameters, which have changed."""
        parameters, description = self.parameters, self._description
        steerable = description is None or description.steerable
        record = read_record(parameters.result) if parameters.result is not None else None
        for name, wish in WISHES.items():
            box, slider, label = (self._widget(wish, kind) for kind in ("CheckBox", "Slider", "RangeLabel"))
            box.enabled = steerable
            slider.enabled = steerable and getattr(parameters, wish.steer)
            lower, upper = self._reach(name, wish)
            # Only ever narrows around the current value: a slider that clips would change the parameter.
            slider.minimum, slider.maximum = lower, upper
            label.text = self._rangeText(name, record)
        self.ui.exactCheckBox.enabled = steerable
        ready = description is not None and parameters.segmentation is not None
        ready = ready and bool(parameters.tracheaSegmentID)
        for button in (self.ui.generateButton, self.ui.randomButton):
            button.enabled = ready
        self.ui.generatedLabel.text = self._statusText(ready, steerable, record)

    def _widget(self, wish: Wish, kind: str):
        return getattr(self.ui, wish.widgets + kind)

    def _reach(self, name: str, wish: Wish) -> tuple[float, float]:
        value = getattr(self.parameters, wish.value)
        if self._description is None:
            return wish.lower, max(value, 1.0 if wish.upper == 1.0 else wish.upper / 10)
        low, high = self._description.feature_range(name)
        margin = _REACH * (high - low)
        return (
            min(value, max(wish.lower, low - margin)),
            max(value, min(wish.upper, high + margin)),
        )

    def _rangeText(self, name: str, record: ThyroidRecord | None) -> str:
        parts = []
        if self._description is not None:
            low, high = self._description.feature_range(name)
            parts.append(_("Cohort {low} to {high}").format(low=featureText(name, low), high=featureText(name, high)))
        if record is not None and name in record.measured:
            measured = featureText(name, record.measured[name])
            if name in record.asked:
                parts.append(
                    _("asked {asked}, measured {measured}").format(
                        asked=featureText(name, record.asked[name]), measured=measured
                    )
                )
            else:
                parts.append(_("measured {measured}").format(measured=measured))
        return " · ".join(parts)

    def _statusText(self, ready: bool, steerable: bool, record: ThyroidRecord | None) -> str:
        if not ready:
            return _("Choose a patient with a trachea, and a shape model.")
        if record is not None:
            return _("{name}: seed {seed}, {features}").format(
                name=self.parameters.result.GetName(), seed=record.seed, features=featuresText(record.features)
            )
        return "" if steerable else _("This model has no features to steer by.")

    def _onRandom(self, checked: bool = False) -> None:
        self.parameters.seed = random.SystemRandom().randint(0, LARGEST_SEED)
        self._onGenerate()

    def _onGenerate(self, checked: bool = False) -> None:
        with self.session.work(_("Generating a thyroid")) as work:
            self.session.ensureRequirements()
            work.progress(0.1, _("Reading the shape model"))
            model = self.session.model()
            work.check()
            placement = placement_of_patient(
                self.parameters.segmentation,
                self.parameters.tracheaSegmentID,
                self.parameters.thyroidSegmentID,
                model.frame.alignment,
            )
            asked = self._asked()
            thyroid = self._make(model, asked, work)
            work.check()
            if self.parameters is None:
                raise Cancelled(_("The scene was closed."))
            self._show(thyroid, ThyroidRecord.of(thyroid, placement, asked=asked, model=model.checksum))
            self.session.say(_madeText(thyroid))
        if self.parameters is not None:
            self.refresh()

    def _make(self, model: ShapeModel, asked: dict[str, float], work: Work) -> Thyroid:
        from ..synthesis.steering import generate
        from ..synthesis.targeting import steer_to_target

        exact = self.parameters.exact
        drawn = next(
            generate(
                model,
                count=1,
                seed=self.parameters.seed,
                asked=asked,
                progress=part_of(work.progress, 0.3, 0.5),
                stop_requested=work.stopRequested,
            )
        )
        if not (exact and asked):
            return drawn
        steered = steer_to_target(
            model,
            drawn,
            asked,
            progress=part_of(work.progress, 0.5, 0.9),
            stop_requested=work.stopRequested,
        )
        return steered.thyroid

    def _asked(self) -> dict[str, float]:
        if self._description is None or not self._description.steerable:
            return {}
        return {
            name: getattr(self.parameters, wish.value)
            for name, wish in WISHES.items()
            if getattr(self.parameters, wish.steer)
        }

    def _show(self, thyroid: Thyroid, record: ThyroidRecord) -> None:
        """Put a thyroid over the CT: into the chosen node, or a new one. No camera moves."""
        parameters = self.parameters
        surface = thyroid.surface.moved(record.placement.to_ras(thyroid.surface.vertices))
        if parameters.result is not None:
            if parameters.result is parameters.segmentation:
                raise InputError(_("The result would replace the patient's segmentation. Choose another result."))
            replace_surface(parameters.result, surface, record=record)
        else:
            node = add_generated_thyroid(
                slicer.mrmlScene, _("Generated thyroid"), surface, ct=parameters.ct, record=record
            )
            parameters.result = node
            lower, upper = bounds_of(node)
            jump_slices(slicer.mrmlScene, (lower + upper) / 2)
        self.session.announceThyroids()


def _madeText(thyroid: Thyroid) -> str:
    if thyroid.met is False:
        return _("These wishes are out of this model's reach; the thyroid comes as near as it can.")
    if thyroid.distance is not None and thyroid.distance > _FAR_CODE:
        return _("A thyroid was made, but its shape is far from those the model has learnt.")
    return _("A thyroid was made.")
