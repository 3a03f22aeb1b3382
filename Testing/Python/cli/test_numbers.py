"""Numbers in options: what is refused, and that the message states the option, the range and the remedy."""

from __future__ import annotations

import pytest

from ThyroidSynthLib.cli.main import main
from ThyroidSynthLib.cli.shared import numbers

GENERATE = ("generate", "model", "--out", "out")


def message(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    hint = f" ('thyroidsynth {arguments[0]} --help' describes the options)"
    assert line.endswith(hint)
    return line.removesuffix(hint).partition("error: ")[2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--count", "0"), "argument --count: 0 is out of range: give a whole number from 1 to 1,000,000."),
        (("--count", "x"), "argument --count: 'x' is not valid: give a whole number from 1 to 1,000,000."),
        (("--count", "٣"), "argument --count: '٣' is not valid: give a whole number from 1 to 1,000,000."),
        (("--count", "1_000"), "argument --count: '1_000' is not valid: give a whole number from 1 to 1,000,000."),
        (("--seed", "-1"), "argument --seed: -1 is out of range: give a whole number from 0 to "),
        (("--volume", "1,5"), "give a number above 0 and up to 10,000 mL. Write decimals with a point: 1.5."),
        (("--volume", "nan"), "argument --volume: 'nan' is not valid: give a number above 0 and up to 10,000 mL."),
        (("--volume", "1e309"), "argument --volume: 1e309 is out of range"),
        (("--volume", "9" * 5000), f"argument --volume: {'9' * 40}… is out of range"),
        (("--spacing", "0.001"), "argument --spacing: 0.001 is out of range: give a number from 0.1 to 100 mm."),
        (("--spacing", "1,5"), "Write decimals with a point."),
        (("--workers", "10000"), "give a whole number from 1 to 1,024. More processes than CPUs are no faster."),
        (("--mesh", ""), "choose among ply, stl, obj"),
        (("--seed", "1", "--seed", "2"), "argument --seed: given twice; give it only once"),
    ],
)
def test_a_number_outside_its_range_is_refused_in_the_users_words(capsys, arguments, expected) -> None:
    assert expected in message(capsys, *GENERATE, *arguments)


def test_a_billion_thyroids_are_refused_with_their_cost(capsys) -> None:
    found = message(capsys, *GENERATE, "--count", "1000000000")

    assert "1,000,000,000 thyroids would take about 1,157 days and 10.0 TB on the disk" in found


@pytest.mark.parametrize("text", ["+5", "-5", "5%", "+x%", "", "+", "%"])
def test_a_change_that_could_mean_two_things_is_refused(capsys, text) -> None:
    assert "argument --volume: " in message(capsys, "edit", "model", "patient", "--out", "out", f"--volume={text}")


def test_a_value_and_a_change_are_distinguished() -> None:
    assert numbers.volume_change("20.5") == (20.5, False)
    assert numbers.volume_change("+20%") == (pytest.approx(0.2), True)
    assert numbers.symmetry_change("-5 %") == (pytest.approx(-0.05), True)
