"""Run the simulators on phantoms that the command writes, and print one table: `make simulators`.

Each program is installed in an environment of its own, with the versions in requirements/simulators, and runs the
``run.py`` of its folder as it is. Each figure would be wrong if orientation, units or labels were.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from environments import Environment, NotInstallable
from light import mcx_rows, simpa_rows
from phantoms import Written
from pictures import Panel, draw
from readers import radiomics_rows, totalsegmentator_rows
from table import Row, markdown
from ultrasound import slow_table, wave_rows
from xray import xcist_rows

PROJECT = Path(__file__).resolve().parents[2]
ARTEFACTS = PROJECT / "Testing" / "artefacts" / "simulators"
PROGRAMS = ("xcist", "mcx", "kwave", "jwave", "simpa", "radiomics", "totalsegmentator", "gate")


def main() -> int:
    """Run what the options name and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=f"any of {', '.join(PROGRAMS)} (default: all)")
    parser.add_argument("--environments", type=Path, default=PROJECT / ".venv-simulators", help="where to install them")
    parser.add_argument("--out", type=Path, default=ARTEFACTS, help="folder for phantoms, table and pictures")
    options = parser.parse_args()
    started, rows, panels = time.monotonic(), list[Row](), list[Panel]()
    phantoms = _Phantoms(options.out / time.strftime("%Y%m%d-%H%M%S"))
    for program in options.programs or PROGRAMS:
        environment = Environment(program, options.environments.resolve())
        try:
            environment.make()
            found, pictures = CHECKS[program](environment, phantoms)
        except NotInstallable as error:
            found, pictures = [Row(environment.version(), "not installed here", str(error), "", None)], []
        except (RuntimeError, OSError) as error:
            found, pictures = [Row(environment.version(), "failed", str(error), "", False)], []
        for row in found:
            print(f"{row.verdict:8} {row.program}: {row.figure}: {row.value} ({row.expected})", flush=True)
        rows += found
        panels += pictures
    (options.out / "table.md").write_text(markdown(rows), encoding="utf-8")
    if panels:
        draw(panels, options.out / "simulators.png")
    print(f"\n{markdown(rows)}\n{time.monotonic() - started:.0f} s; phantoms, table and pictures in {options.out}")
    return 0 if all(row.passed is None or row.passed for row in rows) else 1


class _Phantoms:
    """The phantoms, each written when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._written = folder, dict[str, Written]()
        folder.mkdir(parents=True)

    def usual(self) -> Written:
        """Return the example neck with a thyroid of 15 mL."""
        return self._once("usual", "--volume", "15", "--simulator", "xcist,mcx,kwave,jwave,simpa,gate")

    def large(self) -> Written:
        """Return the same neck with a thyroid of twice the volume."""
        return self._once("large", "--volume", "30", "--simulator", "mcx")

    def slow(self) -> Written:
        """Return the first phantom with a table of materials in which ultrasound is slower in the thyroid."""
        table = slow_table(self.folder / "slow_thyroid.csv")
        return self._once("slow", "--volume", "15", "--simulator", "kwave,jwave", "--materials", str(table))

    def _once(self, name: str, *options: str) -> Written:
        if name not in self._written:
            self._written[name] = Written.by_command(self.folder / name, *options)
        return self._written[name]


def _gate(environment: Environment, phantoms: _Phantoms) -> tuple[list[Row], list[Panel]]:
    environment.run(phantoms.usual().simulator("gate") / "run.py")
    written = list((phantoms.usual().simulator("gate") / "output").glob("*.mhd"))
    return [Row(environment.version(), "images written", f"{len(written)}", "at least 1", bool(written))], []


CHECKS: dict[str, Callable[[Environment, _Phantoms], tuple[list[Row], list[Panel]]]] = {
    "xcist": lambda at, phantoms: xcist_rows(at, phantoms.usual(), phantoms.folder),
    "mcx": lambda at, phantoms: mcx_rows(at, phantoms.usual(), phantoms.large()),
    "kwave": lambda at, phantoms: wave_rows("kwave", at, phantoms.usual(), phantoms.slow()),
    "jwave": lambda at, phantoms: wave_rows("jwave", at, phantoms.usual(), phantoms.slow()),
    "simpa": lambda at, phantoms: simpa_rows(at, phantoms.usual(), phantoms.folder),
    "radiomics": lambda at, phantoms: (radiomics_rows(at, phantoms.usual(), phantoms.folder), []),
    "totalsegmentator": lambda at, phantoms: (totalsegmentator_rows(at, phantoms.usual(), phantoms.folder), []),
    "gate": _gate,
}


if __name__ == "__main__":
    sys.exit(main())
