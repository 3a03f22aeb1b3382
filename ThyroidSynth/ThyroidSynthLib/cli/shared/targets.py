"""What `thyroidsynth generate` is asked for: features for all, a table of them, or how they are distributed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.generation.cohort.marginals import COHORT, FORMS
from ThyroidSynthLib.generation.cohort.target_distribution import WITHOUT_ISTHMUS, TargetDistribution
from ThyroidSynthLib.generation.steer.feature_space import FAR, FeatureSpace
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.targets import Targets

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.cohort.achieved_distribution import AchievedDistribution
    from ThyroidSynthLib.model.shape_model import ShapeModel

_FEW = 5
_OPTIONS = {"volume_ml": "--volume", "isthmus_area_mm2": "--isthmus-area", "symmetry": "--symmetry"}

_SPREADS = {
    "volume_ml": "how volumes in mL are distributed",
    "isthmus_area_mm2": "how isthmus areas in mm² are distributed, among the glands that have an isthmus",
    "symmetry": "how symmetries are distributed",
}


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of features and of distributions."""
    targets = parser.add_argument_group("features to ask for")
    targets.add_argument("--volume", type=float, metavar="ML", help="volume in mL")
    targets.add_argument("--isthmus-area", type=float, metavar="MM2", help="isthmus area in mm²; 0 for two lobes")
    targets.add_argument("--symmetry", type=float, metavar="S", help="overlap with the mirror image, 0 to 1")
    targets.add_argument("--from-table", type=Path, metavar="CSV", help="features for each thyroid, one row each")
    targets.add_argument(
        "--exact",
        action="store_true",
        help="move each code until its surface measures what was asked; without it the model is given the features "
        "and what comes out is measured",
    )
    targets.add_argument(
        "--reconstruct",
        nargs="+",
        metavar="ID",
        help="give back these training cases, as the model has learnt them, instead of new thyroids",
    )
    spread = parser.add_argument_group(
        "distributions to ask for",
        "Each thyroid is moved until it measures its share, as with --exact. A distribution D is\n"
        f"{FORMS};\n"
        "without quotes for a shell: lognormal:2.7,0.35. What is not asked for is as in the training cohort,\n"
        "and so is how the features go together.",
    )
    spread.add_argument(
        "--distribution",
        metavar="WHAT",
        help="'cohort', all features together as in the training cohort, or a JSON or CSV file of distributions",
    )
    for name, option in _OPTIONS.items():
        spread.add_argument(f"{option}-distribution", dest=f"spread_{name}", metavar="D", help=_SPREADS[name])
    spread.add_argument(
        "--without-isthmus",
        dest=f"spread_{WITHOUT_ISTHMUS}",
        metavar="SHARE",
        help="share of glands of two separate lobes, as in 30%% or 0.3 (default: the training cohort's)",
    )


@dataclass(frozen=True)
class TargetOptions:
    """What is asked of the thyroids of a cohort.

    Attributes
    ----------
    wishes : list of mapping
        Of each thyroid.
    to_target : bool
        Whether each is moved until it measures its wishes.
    request : dict
        The same in words, for the manifest.
    distribution : dict or None
        Distributions that were asked for, in words.
    differ : bool
        Whether thyroids are asked for different things, so that they have a distribution to meet.
    far : list of dict
        Wishes that are far outside anything the model knows.
    """

    targets: list[Targets]
    to_target: bool
    specification: dict[str, Any]
    distribution: dict[str, str] | None = None
    differ: bool = False
    far: list[dict[str, Any]] = field(default_factory=list)


def check_target_options(options: argparse.Namespace) -> None:
    """End with a wrong usage where options contradict each other."""
    wished, spread = _has_features(options), _spread(options)
    if options.from_table and wished:
        options.usage_error("give features either by --from-table or by --volume, --isthmus-area and --symmetry")
    if spread and (wished or options.from_table):
        options.usage_error(
            "distributions and features for all contradict each other; one value is a distribution, too, as in "
            "--volume-distribution 15"
        )
    given = options.from_table or options.exact or wished or spread
    if options.reconstruct and (given or options.count is not None):
        options.usage_error("--reconstruct gives training cases back as they are; leave out --count and features")


def targets_of(options: argparse.Namespace, model: ShapeModel) -> TargetOptions:
    """Give what the options ask of a model.

    Raises
    ------
    InputError
        A table or distribution cannot be read, or a wish is impossible.
    """
    from ThyroidSynthLib.generation.cohort.stratification import stratified_targets
    from ThyroidSynthLib.generation.cohort.target_table import read_targets
    from ThyroidSynthLib.generation.steer.steering import check_conditions

    spread, steering = _spread(options), "to target" if options.exact or _spread(options) else "one-shot"
    specification: dict[str, Any] = {"seed": options.seed, "steering": steering}
    distribution = None
    if spread:
        given = _distribution(options)
        distribution = given.to_json()
        planned = stratified_targets(model.features, given, count=options.count or 1, seed=options.seed)
        targets = [Targets.from_array(row) for row in planned]
        specification |= {"targets": None, "distribution": distribution}
    elif options.from_table:
        targets = read_targets(options.from_table)
        if options.count not in (None, len(targets)):
            options.usage_error(f"--count {options.count} contradicts the {len(targets)} rows of {options.from_table}")
        specification["targets"] = str(options.from_table)
    else:
        targets = [Targets(options.volume, options.isthmus_area, options.symmetry)] * (options.count or 1)
        specification["targets"] = asdict(targets[0])
    to_target = steering == "to target"
    if not to_target:
        check_conditions(model, targets)
    far = far_targets(model, targets)
    specification |= {"count": len(targets), "far_outside": far}
    return TargetOptions(targets, to_target, specification, distribution, bool(spread or options.from_table), far)


def far_targets(model: ShapeModel, targets: Sequence[Targets]) -> list[dict[str, Any]]:
    """Name the wishes that are far outside anything the model knows, furthest first."""
    values = np.stack([each.as_array() for each in targets])
    space = FeatureSpace(model.features)
    distances = space.distances(values)
    return [
        {
            "id": f"t{place + 1:05d}",
            "targets": targets[place].as_dict(),
            "nearest_case_sd": round(float(distances[place]), 2),
            "region": space.region(values[place]),
            "outside": space.outside(values[place]),
        }
        for place in space.far(values)
    ]


def far_text(far: Sequence[dict[str, Any]], count: int) -> str:
    """Say which wishes are far outside anything the model knows."""
    lines = [
        f"{len(far)} of {count} wishes are far outside anything the model knows (no training case within {FAR:g} SDs); "
        "they may be out of reach:"
    ]
    for each in far[:_FEW]:
        known = f" ({'; '.join(each['outside'])})" if each["outside"] else ""
        lines.append(f"  {each['id']}: {Targets.of(each['targets'])}{known}")
    if len(far) > _FEW:
        lines.append("  the others are in the manifest ('far_outside')")
    return "\n".join(lines)


def met_text(found: AchievedDistribution) -> str:
    """Say how near a cohort is to what was asked, and what could not be met."""
    summary = found.summary()
    distances = [
        f"{name} {each['ks_to_target']:.3f}"
        for name, each in summary["features"].items()
        if each["ks_to_target"] is not None
    ]
    lines = []
    if distances:
        lines.append(f"Distance from the asked distribution (KS): {', '.join(distances)}; see distribution.json.")
    zeros = summary["without_isthmus"]
    if zeros["targets"] is not None:
        lines.append(f"Without isthmus: {100 * zeros['measured']:.1f}%, asked {100 * zeros['targets']:.1f}%.")
    unmet = summary["unmet"]
    for each in unmet[:_FEW]:
        lines.append(f"  {each['id']}: asked {Targets.of(each['targets'])}; nearest {Targets.of(each['nearest'])}")
    if len(unmet) > _FEW:
        lines.append("  the others are in distribution.json ('unmet')")
    for each in summary["unmet_by_region"][:_FEW]:
        lines.append(f"  out of reach: {each['unmet']} of {each['targets']} with {each['region']}")
    return "\n".join(lines)


def _has_features(options: argparse.Namespace) -> bool:
    return any(value is not None for value in (options.volume, options.isthmus_area, options.symmetry))


def _spread(options: argparse.Namespace) -> bool:
    given = [getattr(options, f"spread_{name}") for name in (*FEATURE_NAMES, WITHOUT_ISTHMUS)]
    return options.distribution is not None or any(value is not None for value in given)


def _distribution(options: argparse.Namespace) -> TargetDistribution:
    named = options.distribution
    base = TargetDistribution() if named in (None, COHORT) else TargetDistribution.read(named)
    texts = {name: getattr(options, f"spread_{name}") for name in (*FEATURE_NAMES, WITHOUT_ISTHMUS)}
    return TargetDistribution.of_texts(texts, base)
