"""Comparison of the current thyroid with another one: alternating in the views, and coloured by distance."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.distance_map import DistanceMap, compute_distance_map
from ThyroidSynthLib.slicer.panel.controls.shortcuts import Shortcut
from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain
from ThyroidSynthLib.slicer.panel.shared.wording import lengthText
from ThyroidSynthLib.slicer.scene.display.distance_map import distance_map_of, remove_distance_map, show_distance_map
from ThyroidSynthLib.slicer.scene.display.flip import Flip, Shown
from ThyroidSynthLib.slicer.scene.thyroids.records import ATTRIBUTE, PRESENT
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

if TYPE_CHECKING:
    from ThyroidSynthLib.slicer.panel.shared.session import Session

FLIP_KEY = "F8"
_FLIP_MS = 1000
# Attributes of the model node: the thyroid it replaces in 3D, the pair that was compared, and the summary.
_COLOURED, _PAIR, _SUMMARY = "ThyroidSynth.Coloured", "ThyroidSynth.ComparedPair", "ThyroidSynth.Summary"
_MIN_RANGE_MM = 1.0


class Comparing:
    """Alternates between two thyroids and colours one by its distance from the other; changes only their display.

    Attributes
    ----------
    blinded : bool
        Whether a reader study is running, during which the shortcut is disabled.
    """

    def __init__(self, session: Session, ui, parent) -> None:
        self.blinded = False
        self._session, self._ui = session, ui
        self._flip: Flip | None = None
        # Also in a scene that was saved during a comparison.
        self._mapPaused = True
        self._timer = qt.QTimer()
        self._timer.setInterval(_FLIP_MS)
        self._timer.connect("timeout()", self._turn)
        self._shortcut = Shortcut(
            FLIP_KEY,
            parent,
            act=self._turn,
            ready=self._mayTurn,
            begun=lambda: self._flip is not None,
            # Views may be in a window of their own.
            context=qt.Qt.ApplicationShortcut,
        )
        ui.comparedSelector.addAttribute("vtkMRMLSegmentationNode", ATTRIBUTE)
        ui.flipButton.connect("clicked(bool)", lambda checked: self._turn())
        ui.showBothButton.connect("clicked(bool)", self._onShowBoth)
        ui.flipTimedCheckBox.connect("toggled(bool)", self._onTimed)
        ui.distanceMapButton.connect("clicked(bool)", self._onMap)

    @property
    def flipping(self) -> bool:
        """Whether the thyroids are shown in turn."""
        return self._flip is not None

    def refresh(self) -> None:
        """Update the widgets, and end a comparison whose thyroids have changed."""
        pair = self._pair()
        if self._flip is not None:
            if pair == self._flip.pair:
                self._flip.apply()
            else:
                self.endFlip()
        model = distance_map_of(slicer.mrmlScene)
        if model is not None and (pair is None or model.GetAttribute(_PAIR) != _fingerprint(pair)):
            self.removeMap()
            self._ui.comparisonLabel.text = _("The colours were removed because the thyroids have changed.")
        elif model is not None:
            self._ui.comparisonLabel.text = model.GetAttribute(_SUMMARY) or ""
        elif pair is None:
            self._ui.comparisonLabel.text = _hint()
        elif self._ui.comparisonLabel.text == _hint():
            self._ui.comparisonLabel.text = ""
        self._ui.distanceMapButton.checked = distance_map_of(slicer.mrmlScene) is not None
        for button in (self._ui.flipButton, self._ui.flipTimedCheckBox, self._ui.distanceMapButton):
            enableOrExplain(button, "" if pair is not None else _hint())
        self._enableShowBoth()
        if model is not None and self._mapPaused:
            self._showMap(True)

    def end(self) -> None:
        """Stop alternating and remove the colours."""
        self.endFlip()
        self.removeMap()

    def pause(self) -> None:
        """Show both thyroids as before alternating, and the coloured one itself in 3D, until `refresh`."""
        if self._flip is not None:
            self._flip.show_both()
        self._showMap(False)

    def _showMap(self, shown: bool) -> None:
        """Show the distance map in 3D, where it hides the thyroid in the same place, or the thyroid."""
        self._mapPaused = not shown
        model = distance_map_of(slicer.mrmlScene)
        coloured = model.GetNodeReference(_COLOURED) if model is not None else None
        if model is not None and coloured is not None and coloured.GetDisplayNode() is not None:
            model.GetDisplayNode().SetVisibility3D(shown)
            coloured.GetDisplayNode().SetVisibility3D(not shown)

    def _enableShowBoth(self) -> None:
        problem = "" if self._flip is not None else _("The thyroids are not shown in turn.")
        enableOrExplain(self._ui.showBothButton, problem)

    def endFlip(self) -> None:
        """Stop alternating and restore the display of both thyroids."""
        self._timer.stop()
        self._ui.flipTimedCheckBox.checked = False
        if self._flip is not None:
            flip, self._flip = self._flip, None
            flip.end()
            self._ui.comparisonLabel.text = ""
        self._enableShowBoth()

    def removeMap(self) -> None:
        """Remove the distance map and show the thyroid itself."""
        model = distance_map_of(slicer.mrmlScene)
        if model is not None:
            coloured = model.GetNodeReference(_COLOURED)
            remove_distance_map(slicer.mrmlScene)
            if coloured is not None and coloured.GetDisplayNode() is not None:
                coloured.GetDisplayNode().SetVisibility3D(True)
        self._ui.distanceMapButton.checked = False

    def close(self) -> None:
        """Stop the timer and remove the shortcut."""
        self._timer.stop()
        self._shortcut.close()

    def _pair(self) -> tuple[Shown, Shown] | None:
        """Return the current thyroid and the one to compare it with; None unless there are two."""
        if not self._session.hasParameters or self._session.parameters.result is None:
            return None
        parameters = self._session.parameters
        first = Shown(parameters.result, SEGMENT_ID)
        if parameters.comparedWith is not None:
            second = Shown(parameters.comparedWith, SEGMENT_ID)
        elif parameters.segmentation is not None and parameters.thyroidSegmentID:
            second = Shown(parameters.segmentation, parameters.thyroidSegmentID)
        else:
            return None
        displayed = all(each.exists() and each.node.GetDisplayNode() is not None for each in (first, second))
        return (first, second) if displayed and first.node is not second.node else None

    def _mayTurn(self) -> bool:
        return self._ui.flipButton.enabled and not self._session.busy and not self.blinded

    def _turn(self) -> None:
        pair = self._pair()
        if pair is None:
            self.endFlip()
            return
        if self._flip is None:
            self.removeMap()
            self._flip = Flip(*pair)
        self._flip.turn()
        self._enableShowBoth()
        self._ui.comparisonLabel.text = _("Shown: {name}").format(name=self._nameOf(self._flip.shown))

    def _onShowBoth(self, checked: bool = False) -> None:
        self.endFlip()
        self.refresh()

    def _onTimed(self, checked: bool) -> None:
        if checked and self._pair() is not None:
            self._turn()
            self._timer.start()
        else:
            self._timer.stop()

    def _onMap(self, checked: bool) -> None:
        if not checked:
            self.removeMap()
            self._ui.comparisonLabel.text = ""
            self._session.showStatus(_("The colours were removed."))
            self.refresh()
            return
        self.endFlip()
        with self._session.work(_("Measuring the distance")) as work:
            pair = self._pair()
            if pair is None:
                raise InputError(_hint())
            surface, reference = (surface_of_segment(each.node, each.segment_id) for each in pair)
            work.progress(0.3, _("Measuring the distance"))
            work.check()
            found = compute_distance_map(surface, reference)
            work.check()
            if all(each.exists() for each in pair):
                self._show(pair, surface, found)
                self._session.showStatus(_("The thyroid is coloured by distance."))
        if self._session.hasParameters:
            self.refresh()

    def _show(self, pair: tuple[Shown, Shown], surface, found: DistanceMap) -> None:
        names = [self._nameOf(each) for each in pair]
        model = show_distance_map(
            slicer.mrmlScene,
            _("{first} by distance to {second}").format(first=names[0], second=names[1]),
            surface,
            found.values_mm,
            range_mm=max(_MIN_RANGE_MM, float(math.ceil(found.p95_mm))),
            legend=_("mm"),
        )
        model.SetNodeReferenceID(_COLOURED, pair[0].node.GetID())
        model.SetAttribute(_PAIR, _fingerprint(pair))
        model.SetAttribute(_SUMMARY, _summary(names[1], found))
        # Hidden in 3D, because two surfaces in the same place flicker.
        self._showMap(True)

    def _nameOf(self, shown: Shown) -> str:
        own = shown.node is self._session.parameters.segmentation
        return _("the patient's own") if own else shown.node.GetName()


def _hint() -> str:
    return _("Choose a thyroid in the table, and one to compare it with.")


def _fingerprint(pair: tuple[Shown, Shown]) -> str:
    """Return a checksum of the identity and state of two thyroids."""
    text = "|".join(
        " ".join(
            str(part)
            for part in (
                each.node.GetID(),
                each.segment_id,
                each.node.GetAttribute(ATTRIBUTE),
                each.node.GetAttribute(PRESENT),
                each.node.GetTransformNodeID(),
            )
        )
        for each in pair
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _summary(reference: str, found: DistanceMap) -> str:
    side = _("outside") if found.bias_mm > 0 else _("inside")
    return _(
        "Distance to {reference}: mean {mean}, 95th percentile {p95}, maximum {largest}; "
        "mean offset {bias} {side}. Red is outside, blue inside."
    ).format(
        reference=reference,
        mean=lengthText(found.mean_mm, 1),
        p95=lengthText(found.p95_mm, 1),
        largest=lengthText(found.largest_mm, 1),
        bias=lengthText(abs(found.bias_mm), 1),
        side=side,
    )
