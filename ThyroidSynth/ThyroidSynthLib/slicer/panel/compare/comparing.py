"""Comparing the current thyroid with the patient's own or another: flipped in the views, coloured by distance."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.geometry.distance_map import DistanceMap, distance_map
from ThyroidSynthLib.slicer.panel.shared.shortcuts import Shortcut
from ThyroidSynthLib.slicer.scene.display.distance_map import distance_map_of, remove_distance_map, show_distance_map
from ThyroidSynthLib.slicer.scene.display.flip import Flip, Shown
from ThyroidSynthLib.slicer.scene.thyroids.records import ATTRIBUTE
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

if TYPE_CHECKING:
    from ThyroidSynthLib.slicer.panel.shared.session import Session

FLIP_KEY = "F8"
_FLIP_MS = 1000
# On the map's model: the thyroid it stands for, which thyroids it is of, and what it sums up to.
_COLOURED, _PAIR, _SUMMARY = "ThyroidSynth.Coloured", "ThyroidSynth.ComparedPair", "ThyroidSynth.Summary"
_SMALLEST_RANGE_MM = 1.0


class Comparing:
    """Flip and distance map; both change only what is shown, and end without a trace.

    Attributes
    ----------
    blinded : bool
        Whether a reader is rating, so that the key must not show anything.
    """

    def __init__(self, session: Session, ui, parent) -> None:
        self.blinded = False
        self._session, self._ui = session, ui
        self._flip: Flip | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(_FLIP_MS)
        self._timer.connect("timeout()", self._turn)
        self._shortcut = Shortcut(
            FLIP_KEY,
            parent,
            act=self._turn,
            ready=self._mayTurn,
            begun=lambda: self._flip is not None,
            # Views may have a window of their own.
            context=qt.Qt.ApplicationShortcut,
        )
        ui.comparedSelector.addAttribute("vtkMRMLSegmentationNode", ATTRIBUTE)
        ui.flipButton.connect("clicked(bool)", self._onFlip)
        ui.showBothButton.connect("clicked(bool)", self._onShowBoth)
        ui.flipTimedCheckBox.connect("toggled(bool)", self._onTimed)
        ui.distanceMapButton.connect("clicked(bool)", self._onMap)

    def refresh(self) -> None:
        """Show what can be compared, and follow thyroids that have changed."""
        pair = self._pair()
        if self._flip is not None:
            if pair == self._flip.pair:
                self._flip.apply()
            else:
                self.endFlip()
        model = distance_map_of(slicer.mrmlScene)
        if model is not None and (pair is None or model.GetAttribute(_PAIR) != _fingerprint(pair)):
            self.removeMap()
            self._ui.comparisonLabel.text = _("The thyroids have changed, so the colours were taken away.")
        elif model is not None:
            self._ui.comparisonLabel.text = model.GetAttribute(_SUMMARY) or ""
        elif pair is None:
            self._ui.comparisonLabel.text = _whatIsMissing()
        elif self._ui.comparisonLabel.text == _whatIsMissing():
            self._ui.comparisonLabel.text = ""
        self._ui.distanceMapButton.checked = distance_map_of(slicer.mrmlScene) is not None
        for button in (self._ui.flipButton, self._ui.flipTimedCheckBox, self._ui.distanceMapButton):
            button.enabled = pair is not None
        self._ui.showBothButton.enabled = self._flip is not None

    def end(self) -> None:
        """End flipping and take the colours away."""
        self.endFlip()
        self.removeMap()

    def endFlip(self) -> None:
        """Show both thyroids again as before the flipping."""
        self._timer.stop()
        self._ui.flipTimedCheckBox.checked = False
        if self._flip is not None:
            flip, self._flip = self._flip, None
            flip.end()
            self._ui.comparisonLabel.text = ""
        self._ui.showBothButton.enabled = False

    def removeMap(self) -> None:
        """Take the distance map away and show the thyroid itself again."""
        model = distance_map_of(slicer.mrmlScene)
        if model is not None:
            coloured = model.GetNodeReference(_COLOURED)
            remove_distance_map(slicer.mrmlScene)
            if coloured is not None and coloured.GetDisplayNode() is not None:
                coloured.GetDisplayNode().SetVisibility3D(True)
        self._ui.distanceMapButton.checked = False

    def close(self) -> None:
        """Let go of everything."""
        self._timer.stop()
        self._shortcut.close()

    def _pair(self) -> tuple[Shown, Shown] | None:
        """Give the current thyroid and the one it is compared with; None where there are not two."""
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

    def _onFlip(self, checked: bool = False) -> None:
        self._turn()

    def _turn(self) -> None:
        pair = self._pair()
        if pair is None:
            self.endFlip()
            return
        if self._flip is None:
            self.removeMap()
            self._flip = Flip(*pair)
        self._flip.turn()
        self._ui.showBothButton.enabled = True
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
            self._session.showStatus(_("The colours were taken away."))
            self.refresh()
            return
        self.endFlip()
        with self._session.work(_("Measuring how far the thyroids are apart")) as work:
            self._session.ensurePackages()
            pair = self._pair()
            surface, reference = (surface_of_segment(each.node, each.segment_id) for each in pair)
            work.progress(0.3, _("Measuring how far the thyroids are apart"))
            work.check()
            found = distance_map(surface, reference)
            work.check()
            if self._session.hasParameters and all(each.exists() for each in pair):
                self._show(pair, surface, found)
                self._session.showStatus(_("Coloured by distance."))
        if self._session.hasParameters:
            self.refresh()

    def _show(self, pair: tuple[Shown, Shown], surface, found: DistanceMap) -> None:
        names = [self._nameOf(each) for each in pair]
        model = show_distance_map(
            slicer.mrmlScene,
            _("{first} by distance to {second}").format(first=names[0], second=names[1]),
            surface,
            found.values_mm,
            range_mm=max(_SMALLEST_RANGE_MM, float(math.ceil(found.p95_mm))),
            legend=_("mm"),
        )
        model.SetNodeReferenceID(_COLOURED, pair[0].node.GetID())
        model.SetAttribute(_PAIR, _fingerprint(pair))
        model.SetAttribute(_SUMMARY, _summary(names[1], found))
        # The same surface twice in one place would flicker.
        pair[0].node.GetDisplayNode().SetVisibility3D(False)

    def _nameOf(self, shown: Shown) -> str:
        own = shown.node is self._session.parameters.segmentation
        return _("the patient's own") if own else shown.node.GetName()


def _whatIsMissing() -> str:
    return _("Choose a thyroid in the table, and one to compare it with.")


def _fingerprint(pair: tuple[Shown, Shown]) -> str:
    """Give what tells these two thyroids, as they are now, from all others."""
    about = "|".join(
        f"{each.node.GetID()} {each.segment_id} {each.node.GetAttribute(ATTRIBUTE)} {each.node.GetTransformNodeID()}"
        for each in pair
    )
    return hashlib.sha256(about.encode()).hexdigest()


def _summary(reference: str, found: DistanceMap) -> str:
    side = _("outside") if found.bias_mm > 0 else _("inside")
    return _(
        "Distance to {reference}: mean {mean} mm, 95% within {p95} mm, at most {largest} mm; "
        "on average {bias} mm {side}. Red lies outside, blue inside."
    ).format(
        reference=reference,
        mean=f"{found.mean_mm:.1f}",
        p95=f"{found.p95_mm:.1f}",
        largest=f"{found.largest_mm:.1f}",
        bias=f"{abs(found.bias_mm):.1f}",
        side=side,
    )
