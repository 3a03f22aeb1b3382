"""Generation of a cohort in a background process, which is monitored through its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled, InputError, ModelError
from ThyroidSynthLib.common.progress import part_of
from ThyroidSynthLib.export.cohort.manifest import MANIFEST_JSON
from ThyroidSynthLib.generation.cohort.target_table import read_targets
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.slicer.panel.shared.choices import CohortOverlap, CohortTargets, LabelGridChoice
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain
from ThyroidSynthLib.slicer.scene.patient.patient_files import PATIENT_FOLDER, write_patient, write_patient_map

from .distributions import CohortDistributions, distributionText, targetDistribution
from .plan import TARGET_OPTIONS, mergeRules, meshFormats, patientMap, spacingOf, targetArguments
from .run_watch import RunWatch
from .wording import cohortText

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.session import Session, Work


class CohortExport:
    """Starts a cohort with the choices of the sections Generate and Export, and shows its progress."""

    def __init__(self, session: Session, ui) -> None:
        self.session = session
        self.ui = ui
        self._distributionWidgets = CohortDistributions(session, ui)
        self._description: ModelDescription | None = None
        self._watch = RunWatch(session, ui, "cohort", "generate", text=cohortText, shown=self._enable)
        ui.startCohortButton.connect("clicked(bool)", self._onStart)

    def describe(self, description: ModelDescription | None) -> None:
        """Follow the chosen shape model."""
        self._description = description
        self._distributionWidgets.describe(description)

    def release(self) -> None:
        """Stop monitoring; the cohort continues, and its folder in the parameter node identifies it later."""
        self._watch.release()

    def refresh(self) -> None:
        """Update the widgets from the parameters."""
        parameters = self.session.parameters
        fromTable = parameters.cohortTargets is CohortTargets.TABLE
        for widget in (self.ui.cohortTableLabel, self.ui.cohortTableEdit):
            widget.visible = fromTable
        self._distributionWidgets.refresh(visible=parameters.cohortTargets is CohortTargets.MARGINALS)
        self.ui.cohortCountSpinBox.enabled = not fromTable
        self.ui.cohortOverlapSelector.enabled = parameters.cohortAtPatient
        self.ui.cohortNoteLabel.text = self._filesText()
        self._watch.refresh()

    def _filesText(self) -> str:
        """Return which files are written for each thyroid; they are chosen in the upper part of the section."""
        parameters = self.session.parameters
        files = [parameters.labelFormat.value] if parameters.exportLabels else []
        files += meshFormats(parameters)
        if parameters.exportMerged and parameters.cohortAtPatient:
            files.append(_("merged map"))
        if not files:
            return _("Only the manifest is written, because no files are chosen in the tab Export.")
        return _("Files of each thyroid, as chosen in the tab Export: {files}.").format(files=", ".join(files))

    def _onStart(self, checked: bool = False) -> None:
        with self.session.work(_("Starting the cohort")) as work:
            folder = self.session.parameters.cohortFolder
            if not isSet(folder):
                raise InputError(_("Choose a folder for the cohort."))
            if self._watch.run.state().runs:
                text = _("A cohort is being generated in this folder. Wait until it has finished, or stop it.")
                raise InputError(text)
            total = self._total()
            replace = self._mayReplace(folder)
            arguments = [*self._targets(), *self._files(), *self._patient(folder, work)]
            arguments += ["--overwrite"] if replace else []
            self._watch.start([str(self._model()), *arguments], total=total)
            self.session.showStatus(_("The cohort is generated in the background and continues if Slicer is closed."))
        self._watch.poll()

    def _model(self) -> Path:
        path = self.session.parameters.model
        if self._description is None or not path.is_file():
            raise ModelError(_("Choose a model file in the tab Create first."))
        return path

    def _total(self) -> int:
        parameters = self.session.parameters
        if parameters.cohortTargets is CohortTargets.TABLE:
            return len(read_targets(parameters.cohortTable))
        return parameters.cohortCount

    def _mayReplace(self, folder: Path) -> bool:
        """Ask before an existing cohort is replaced; return whether there is one."""
        exists = (folder / MANIFEST_JSON).exists()
        if not exists and not (folder / PATIENT_FOLDER).exists():
            return False
        question = _("{folder} already holds a cohort. Replace it?").format(folder=folder)
        if not slicer.util.confirmYesNoDisplay(question, windowTitle=_("Replace a cohort")):
            raise Cancelled(_("Nothing was written."))
        return exists

    def _targets(self) -> list[str]:
        parameters = self.session.parameters
        seed = ["--seed", str(parameters.cohortSeed)]
        steerable = self._description is not None and self._description.steerable
        exact = ["--steer"] if parameters.exact and steerable else []
        if parameters.cohortTargets is CohortTargets.TABLE:
            return [*seed, "--from-table", str(parameters.cohortTable), *exact]
        arguments = [*seed, "--count", str(parameters.cohortCount)]
        if parameters.cohortTargets is CohortTargets.MARGINALS:
            return [*arguments, *self._distributions()]
        if parameters.cohortTargets is CohortTargets.FREE:
            return [*arguments, "--distribution", "cohort"] if parameters.exact else arguments
        targets = targetArguments(parameters) if steerable else []
        # Without targets there is nothing to match.
        return [*arguments, *targets, *exact] if targets else arguments

    def _distributions(self) -> list[str]:
        parameters = self.session.parameters
        # Checked here, so that an error is shown in a dialog and no process is started.
        targetDistribution(parameters)
        arguments = ["--distribution", "cohort"]
        for name, option in TARGET_OPTIONS.items():
            arguments += [f"{option}-distribution", distributionText(parameters, name)]
        if parameters.cohortSetWithout:
            arguments += ["--without-isthmus", f"{parameters.cohortWithoutPercent:.9g}%"]
        return arguments

    def _files(self) -> list[str]:
        parameters = self.session.parameters
        arguments = ["--format", parameters.labelFormat.value if parameters.exportLabels else "none"]
        meshes = meshFormats(parameters)
        if meshes:
            arguments += ["--mesh", ",".join(meshes), "--mesh-space", parameters.meshSpace.value]
        onCt = parameters.labelGrid is LabelGridChoice.CT and parameters.cohortAtPatient
        if parameters.exportLabels and not (onCt and parameters.ct is not None):
            arguments += ["--spacing", ",".join(f"{each:g}" for each in spacingOf(parameters))]
        return arguments

    def _patient(self, folder: Path, work: Work) -> list[str]:
        """Write the patient's structures for the process and return its arguments."""
        parameters = self.session.parameters
        if not parameters.cohortAtPatient:
            return []
        if parameters.segmentation is None or not parameters.tracheaSegmentID:
            text = _("There is no patient with a trachea. Choose one, or generate the cohort without a patient.")
            raise InputError(text)
        segments = {TRACHEA: parameters.tracheaSegmentID}
        if parameters.thyroidSegmentID:
            segments[THYROID] = parameters.thyroidSegmentID
        patient = folder / PATIENT_FOLDER
        work.progress(0.1, _("Writing the patient's trachea"))
        trachea = write_patient(parameters.segmentation, segments, parameters.ct, patient)
        arguments = ["--at", str(patient)]
        if parameters.exportLabels and parameters.labelGrid is LabelGridChoice.CT and parameters.ct is not None:
            arguments += ["--grid", str(trachea)]
        if parameters.cohortOverlap is CohortOverlap.IGNORE:
            arguments.append("--allow-overlap")
        else:
            arguments += ["--overlap", parameters.cohortOverlap.value]
        if parameters.exportMerged:
            whole = patientMap(parameters, part_of(work.progress, 0.2, 0.8), work.shouldStop)
            rules = mergeRules(whole, parameters)
            arguments += ["--merge-into", str(write_patient_map(whole, patient))]
            arguments += ["--old-thyroid", str(rules.old_becomes), "--merge-overlaps", parameters.mergeOverlaps.value]
            if rules.thyroid_label is not None:
                arguments += ["--thyroid-label", str(rules.thyroid_label)]
        work.check()
        return arguments

    def _enable(self) -> None:
        state = self._watch.state
        enableOrExplain(self.ui.startCohortButton, _("A cohort is being generated.") if state.runs else "")
        problem = "" if state.status == "running" else _("No cohort is being generated.")
        enableOrExplain(self.ui.stopCohortButton, problem)
