"""Measure how fast the panel follows a slider: `python Testing/Benchmarks/live.py`.

The real panel runs on the stand-in for the application, with the example model and sample case that ship.
Each drag is one slider event; its time ends when the surface is new and all four views (400 x 400,
software rendering) are drawn. Where the time goes is measured beside it: the views drawn alone, and the
surface made alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTING))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np  # noqa: E402
from timing import Row, machine, print_table  # noqa: E402

from standin.session import open_session  # noqa: E402

VIEWS = ("Red", "Green", "Yellow", "1")
DRAGS = 100
WARM_UP = 10


class Bench:
    """The panel with a user who drags its sliders."""

    def __init__(self) -> None:
        self.app = open_session()
        self.module = self.app.load_module(TESTING.parent / "ThyroidSynth" / "ThyroidSynth.py")
        self.views = [self.app.view(name) for name in VIEWS]
        self.module.select()

    def widget(self, name: str):
        """Find a widget of the panel."""
        import qt

        (found,) = self.module.panel.findChildren(qt.QWidget, name)
        return found

    @property
    def parameters(self):
        """The user's choices."""
        return self.module.widget.panel.session.parameters

    def click(self, name: str, outcome: str) -> None:
        """Click a button and wait until a parameter holds the result."""
        button = self.widget(name)
        self._wait(lambda: button.enabled)
        button.click()
        self._wait(lambda: getattr(self.parameters, outcome) is not None and not self.module.widget.panel.busy)

    def _wait(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited 60 s in vain: {self.widget('statusLabel').text}")
            self.app.process_events()

    def draw(self) -> None:
        """Draw all four views."""
        for view in self.views:
            view.render()

    def drag(self, name: str, node, swing: float) -> np.ndarray:
        """Move a slider to and fro; return the milliseconds of each move until the views are drawn anew."""
        from ThyroidSynthLib.slicer.scene.thyroids.segmentations import SEGMENT_ID

        slider = self.widget(name)
        centre = slider.value
        times = []
        for number in range(DRAGS + WARM_UP):
            segment = node.GetSegmentation().GetSegment(SEGMENT_ID)
            before = segment.GetMTime()
            value = centre * (1 + swing * np.sin(number / 5))
            started, old = time.perf_counter(), slider.value
            slider.setValue(float(value))
            if slider.value == old:
                continue
            while segment.GetMTime() == before and time.perf_counter() - started < 5:
                self.app.app.processEvents()
            self.draw()
            times.append(1000 * (time.perf_counter() - started))
        return np.array(times[WARM_UP:])


def milliseconds(work: Callable[[], object], rounds: int = 40) -> np.ndarray:
    """Return the milliseconds of each of some runs."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - started))
    return np.array(times)


def live_rows() -> list[Row]:
    """Make a thyroid and a fit, and drag both."""
    bench = Bench()
    from ThyroidSynthLib.slicer.panel.generate.pace import Pace

    bench.click("sampleDataButton", "ct")
    bench.click("generateButton", "result")
    panel, parameters = bench.module.widget.panel, bench.parameters
    rows = []
    for resolutions in (Pace.resolutions[:1], Pace.resolutions):
        Pace.resolutions = resolutions
        times = bench.drag("volumeSlider", parameters.result, 0.15)
        setting = "volume ±15 %, " + ("64³" if len(resolutions) == 1 else "as finely as keeps up")
        rows.append(_row("slider event to four redrawn views, Generate", setting, times))
    bench.click("fitButton", "edited")
    rows.append(
        _row(
            "slider event to four redrawn views, Edit",
            "volume ±10 %, the segmentation's grid",
            bench.drag("editVolumeSlider", parameters.edited, 0.1),
        )
    )
    rows.append(
        _row(
            "of it the four views drawn",
            "400² each, software rendering",
            milliseconds(lambda: (parameters.edited.Modified(), bench.draw())),
        )
    )
    model = panel.session.model()
    from ThyroidSynthLib.generation.shapes import ModelShapes

    shapes, codes = ModelShapes(model), iter(np.tile(model.codes, (2, 1)))
    rows.append(
        _row("of it a 64³ surface, measured", "example model", milliseconds(lambda: shapes.thyroid(next(codes))))
    )
    return rows


def _row(work: str, setting: str, times: np.ndarray) -> Row:
    """Return the median with the 95th percentile."""
    return Row(work, f"{setting}; 95th percentile {np.percentile(times, 95):.0f} ms", float(np.median(times)), "ms")


def rows_of_own_process() -> list[Row]:
    """Measure in a process of its own, in which nothing went before."""
    done = subprocess.run([sys.executable, __file__, "--json"], check=True, stdout=subprocess.PIPE, text=True)
    return [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]


def main() -> None:
    """Measure and print."""
    rows = live_rows()
    if "--json" in sys.argv:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(f"{machine()}\n")
    print_table(rows)


if __name__ == "__main__":
    main()
