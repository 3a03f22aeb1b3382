"""X-rays: the path length through the thyroid in projections of XCIST, and the HU of all materials."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
from environments import Environment
from phantoms import Written
from pictures import Panel
from table import Row

_ATTENUATION = """
import json, sys
from gecatsim.pyfiles.GetMu import GetMu
print(json.dumps({name: GetMu(name, [70.0])[0] for name in sys.argv[1:]}))
"""


def xcist_rows(environment: Environment, phantom: Written, work: Path) -> tuple[list[Row], list[Panel]]:
    """Return the figures of XCIST, and pictures of its projections."""
    folder, denser = phantom.simulator("xcist"), work / "xcist_denser"
    environment.run(folder / "run.py")
    # Twice the density of the thyroid, set where a user would: the difference is the thyroid alone.
    shutil.copytree(folder, denser, dirs_exist_ok=True)
    material = denser / "material" / "thyroid"
    text = material.read_text()
    material.write_text(re.sub(r"^1\.05$", "2.1", text, flags=re.MULTILINE))
    environment.run(denser / "run.py")
    names = [path.name for path in sorted((folder / "material").iterdir())]
    script = work / "attenuation.py"
    script.write_text(_ATTENUATION)
    last = environment.run(script, *(folder / "material" / name for name in names), "water").splitlines()[-1]
    per_cm = {Path(name).name: value for name, value in json.loads(last).items()}

    views, differences = projections(folder), projections(denser) - projections(folder)
    lengths = differences / (per_cm["thyroid"] / 10)
    expected = np.stack([_expected(phantom, folder, view) for view in range(len(views))])
    rows = []
    for view, name in enumerate(("from the front", "from the side")):
        thick = expected[view] > expected[view].max() / 2
        mean, known = lengths[view][thick].mean(), expected[view][thick].mean()
        # Pixels at the rim differ, because XCIST averages over their width.
        deviation = np.abs(lengths[view] - expected[view])[expected[view] > 0].mean()
        rows.append(
            Row(
                environment.version(),
                f"mean path through the thick half of the thyroid {name} (mean deviation of a pixel "
                f"{deviation:.2f} mm)",
                f"{mean:.2f} mm",
                f"{known:.2f} mm along straight lines through the volume fractions",
                bool(abs(mean / known - 1) < 0.01 and deviation < 0.5),
            )
        )
    hu = {name: 1000 * (per_cm[name] - per_cm["water"]) / per_cm["water"] for name in names}
    worst = max(names, key=lambda name: abs(hu[name] - phantom.material(name)["hu_120kvp"]))
    rows.append(
        Row(
            environment.version(),
            f"HU of the {len(names)} materials at 70 keV; largest deviation: {worst}",
            f"{hu[worst]:.1f} HU",
            f"{phantom.material(worst)['hu_120kvp']} HU in the table",
            abs(hu[worst] - phantom.material(worst)["hu_120kvp"]) < 1.5,
        )
    )
    panels = [
        Panel("XCIST: projection from the front", views[0], "gray", "line integral"),
        Panel("XCIST: path through the thyroid", lengths[0], "inferno", "mm"),
    ]
    return rows, panels


def projections(folder: Path) -> np.ndarray:
    """Return the line integrals [view, detector row, detector column]."""
    rows, columns = (_setting(folder, name) for name in ("scanner.detectorRowCount", "scanner.detectorColCount"))
    return np.fromfile(folder / "phantom.prep", np.float32).reshape(-1, int(rows), int(columns))


def _expected(phantom: Written, folder: Path, view: int) -> np.ndarray:
    """Return the lengths of XCIST's rays within the thyroid, from the scanner's geometry alone."""
    sid, sdd = _setting(folder, "scanner.sid"), _setting(folder, "scanner.sdd")
    rows, columns = (int(_setting(folder, f"scanner.detector{name}Count")) for name in ("Row", "Col"))
    alpha = (np.arange(columns) - (columns - 1) / 2) * 2 * np.arctan(0.5 / sdd)
    height = np.arange(rows) - (rows - 1) / 2
    cells = np.stack(
        np.broadcast_arrays(sdd * np.sin(alpha), sid - sdd * np.cos(alpha), height[:, None]), axis=-1
    ).reshape(-1, 3)
    turn = view * np.pi / 2
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    source, cells = rotation @ (0, sid, 0), cells @ rotation.T
    # XCIST's x points to the left, y to the front and z to the feet; its isocentre is the middle of the grid.
    grid = phantom.labels.grid
    centre = grid.to_ras(grid.last_ijk / 2)
    start, end = (np.atleast_2d(each) * (-1, 1, -1) + centre for each in (source, cells))
    return phantom.length_mm(np.broadcast_to(start, end.shape), end).reshape(rows, columns)


def _setting(folder: Path, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} = (.+)$", (folder / "scan.cfg").read_text(), flags=re.MULTILINE)
    assert found is not None, name
    return float(found[1])
