"""The window that makes phantoms in a background process, which is monitored through its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, InputError
from ThyroidSynthLib.common.progress import part_of
from ThyroidSynthLib.slicer.panel.controls.window import SectionWindow
from ThyroidSynthLib.slicer.panel.shared.choices import PhantomGland, PhantomNodules, Simulator
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet, showUnsetPaths
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain
from ThyroidSynthLib.slicer.panel.shared.section import Section
from ThyroidSynthLib.slicer.scene.patient.patient_files import PATIENT_FOLDER
from ThyroidSynthLib.slicer.scene.phantoms.phantom_loading import load_phantom
from ThyroidSynthLib.slicer.scene.phantoms.phantom_patient import PhantomPatient
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import generated_thyroids

from .plan import patientMap, targetArguments
from .run_watch import RunWatch
from .wording import phantomText

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.session import Session, Work


class PhantomWindow(Section):
    """The window of the phantoms: it writes the patient, starts the command and loads the first phantom."""

    uiFile = "Phantom.ui"

    def __init__(self, session: Session, folder: Path, parent) -> None:
        self._parent = parent
        super().__init__(session, folder)

    def connect(self) -> None:
        """Connect the widgets."""
        # A child of the panel, whose controls are therefore connected with the parameters.
        self.window = SectionWindow(_("Make phantoms"), self.widget, self._parent)
        self._description: ModelDescription | None = None
        self._watch = RunWatch(self.session, self.ui, "phantom", "phantom", text=phantomText, shown=self._enable)
        self.ui.startPhantomButton.connect("clicked(bool)", self._onStart)
        self.ui.loadPhantomButton.connect("clicked(bool)", self._onLoad)

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model."""
        self._description = description

    def release(self) -> None:
        """Stop monitoring; the process continues, and its folder in the parameter node identifies it later."""
        self._watch.release()

    def refresh(self) -> None:
        """Update the widgets from the parameters."""
        parameters, ui = self.parameters, self.ui
        showUnsetPaths((parameters.phantomFolder, ui.phantomFolderEdit))
        ui.phantomCountSpinBox.enabled = self._varies()
        atPoints = parameters.phantomNodules is PhantomNodules.POINTS
        rows = {"Points": "Selector", "NoduleLR": "Slider", "NoduleAP": "Slider", "NoduleSI": "Slider"}
        for name, kind in {**rows, "Composition": "Selector"}.items():
            self._showRow(name, kind, atPoints)
        self._showRow("NoduleCount", "SpinBox", parameters.phantomNodules is PhantomNodules.RANDOM)
        self._watch.refresh()
        self._enable()

    def _showRow(self, name: str, kind: str, visible: bool) -> None:
        for widget in (f"phantom{name}Label", f"phantom{name}{kind}"):
            getattr(self.ui, widget).visible = visible

    def _problem(self) -> str:
        """Return why no phantom can be made, or an empty text."""
        parameters = self.parameters
        if parameters.segmentation is None or parameters.ct is None or not parameters.tracheaSegmentID:
            return _("A phantom needs a patient with a CT and a trachea. Load one in the tab Patient.")
        if parameters.phantomGland is PhantomGland.CURRENT and parameters.result is None:
            return _("There is no current thyroid. Make one in the tab Create, or choose another thyroid.")
        if parameters.phantomGland is PhantomGland.OWN and not parameters.thyroidSegmentID:
            return _("The patient has no thyroid segment. Choose one in the tab Patient.")
        if self._description is None:
            return _("Choose a model in the tab Create first.")
        if parameters.phantomNodules is PhantomNodules.POINTS and parameters.phantomPoints is None:
            return _("Choose a point list for the nodules.")
        return "" if isSet(parameters.phantomFolder) else _("Choose a folder for the phantoms.")

    def _onStart(self, checked: bool = False) -> None:
        with self.session.work(_("Starting the phantoms")) as work:
            if problem := self._problem():
                raise InputError(problem)
            parameters = self.parameters
            if self._watch.run.state().runs:
                raise InputError(_("Phantoms are being made in this folder. Wait until they are finished, or stop."))
            replace = self._mayReplace(parameters.phantomFolder)
            arguments = [*self._patientArguments(work), *self._outputArguments()]
            arguments += ["--overwrite"] if replace else []
            self._watch.start([str(parameters.model), *arguments], total=self._total())
            self.session.showStatus(_("The phantoms are made in the background and continue if Slicer is closed."))
        self._watch.poll()

    def _varies(self) -> bool:
        """Return whether the phantoms of a run differ."""
        parameters = self.parameters
        return parameters.phantomGland is PhantomGland.NEW or parameters.phantomNodules is PhantomNodules.RANDOM

    def _total(self) -> int:
        return self.parameters.phantomCount if self._varies() else 1

    def _mayReplace(self, folder: Path) -> bool:
        """Ask before earlier phantoms are replaced; return whether there are some."""
        if self._watch.run.state().status == "none":
            return False
        question = _("{folder} already holds phantoms. Replace them?").format(folder=folder)
        if not slicer.util.confirmYesNoDisplay(question, windowTitle=_("Replace phantoms")):
            raise Cancelled(_("Nothing was written."))
        return True

    def _patientArguments(self, work: Work) -> list[str]:
        """Write the patient, the thyroid and the points for the process, and return its arguments."""
        parameters = self.parameters
        structures = patientMap(parameters, part_of(work.progress, 0.0, 0.6), work.shouldStop)
        work.progress(0.6, _("Writing the CT"))
        patient = PhantomPatient.written(structures, parameters.ct, parameters.phantomFolder / PATIENT_FOLDER)
        work.check()
        arguments = ["--at", str(patient.folder), "--seed", str(parameters.phantomSeed)]
        arguments += ["--count", str(self._total())]
        if parameters.phantomGland is PhantomGland.OWN:
            arguments.append("--own")
        elif parameters.phantomGland is PhantomGland.CURRENT:
            if parameters.result not in generated_thyroids(slicer.mrmlScene):
                raise InputError(_("The current thyroid is not in the scene any more. Choose another one."))
            arguments += ["--gland", str(patient.write_gland(parameters.result))]
        elif self._description is not None and self._description.steerable:
            arguments += targetArguments(parameters)
        if parameters.phantomNodules is PhantomNodules.POINTS:
            diameters = (parameters.phantomNoduleLRMm, parameters.phantomNoduleAPMm, parameters.phantomNoduleSIMm)
            table = patient.write_nodules(parameters.phantomPoints, diameters, parameters.phantomComposition.value)
            arguments += ["--nodules", str(table)]
        elif parameters.phantomNodules is PhantomNodules.RANDOM:
            arguments += ["--nodules", f"count=poisson({parameters.phantomNoduleCount:g}),diameter=4-20"]
        return arguments

    def _outputArguments(self) -> list[str]:
        parameters = self.parameters
        arguments = []
        if parameters.phantomSpacingMm > 0:
            arguments += ["--spacing", f"{parameters.phantomSpacingMm:g}"]
        ticked = {
            "--paint-ct": parameters.phantomCt,
            "--parts": parameters.phantomParts,
            "--fractions": parameters.phantomFractions,
        }
        arguments += [option for option, chosen in ticked.items() if chosen]
        if parameters.phantomSimulator is not Simulator.NONE:
            arguments += ["--simulator", parameters.phantomSimulator.value]
        return arguments

    def _onLoad(self, checked: bool = False) -> None:
        with self.session.work(_("Loading the phantom")):
            folder = self._firstPhantom()
            if folder is None:
                raise InputError(_("There is no finished phantom in this folder."))
            _phantom, synthetic = load_phantom(slicer.mrmlScene, folder, name=_("Phantom"), ct=self.parameters.ct)
            if synthetic is not None:
                slicer.util.setSliceViewerLayers(background=synthetic)
            self.session.showStatus(_("The phantom is loaded. It is synthetic."))

    def _firstPhantom(self) -> Path | None:
        """Return the folder of the first finished phantom."""
        folder = self.parameters.phantomFolder
        if not isSet(folder):
            return None
        # Only there: this runs several times a second, and phantoms that are being made lie deeper.
        found = (*folder.glob("phantom.json"), *sorted(folder.glob("phantom_*/phantom.json")))
        return found[0].parent if found else None

    def _enable(self) -> None:
        state = self._watch.state
        problem = _("Phantoms are being made.") if state.runs else self._problem()
        enableOrExplain(self.ui.startPhantomButton, problem)
        problem = "" if state.status == "running" else _("No phantoms are being made.")
        enableOrExplain(self.ui.stopPhantomButton, problem)
        done = not state.runs and self._firstPhantom() is not None
        enableOrExplain(self.ui.loadPhantomButton, "" if done else _("There is no finished phantom in this folder."))
