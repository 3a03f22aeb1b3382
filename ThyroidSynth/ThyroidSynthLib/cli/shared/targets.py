"""Targets of `thyroidsynth generate`: values for all thyroids, a table, or distributions."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.generation.cohort.marginals import COHORT, FORMS
from ThyroidSynthLib.generation.cohort.target_distribution import WITHOUT_ISTHMUS, TargetDistribution
from ThyroidSynthLib.generation.steer.feature_space import FeatureSpace
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.targets import Targets

from . import numbers

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.cohort.achieved_distribution import AchievedDistribution
    from ThyroidSynthLib.model.trained_model import TrainedModel

_FEW = 5
_OPTIONS = {"volume_ml": "--volume", "isthmus_area_mm2": "--isthmus-area", "symmetry": "--symmetry"}

_SPREADS = {
    "volume_ml": "distribution of the volume in mL",
    "isthmus_area_mm2": "distribution of the isthmus area in mm², among glands that have an isthmus",
    "symmetry": "distribution of the symmetry",
}


def add_target_options(parser: argparse.ArgumentParser, *, always_steered: bool = False) -> None:
    """Add the options for targets and target distributions; thyroids that are always steered need no option for it."""
    targets = parser.add_argument_group("targets")
    targets.add_argument("--volume", type=numbers.volume, metavar="ML", help="volume in mL")
    targets.add_argument(
        "--isthmus-area", type=numbers.area, metavar="MM2", help="isthmus area in mm²; 0 for two separate lobes"
    )
    targets.add_argument("--symmetry", type=numbers.symmetry, metavar="S", help="overlap with the mirror image, 0 to 1")
    targets.add_argument("--from-table", type=Path, metavar="CSV", help="targets of each thyroid, one row each")
    if always_steered:
        parser.set_defaults(steer=True, reconstruct=None)
    else:
        targets.add_argument(
            "--steer",
            action="store_true",
            help="refine each latent code until the measured features match the targets; without it the targets are "
            "only given to the network (direct sampling)",
        )
        targets.add_argument(
            "--reconstruct",
            nargs="+",
            metavar="ID",
            help="write these training cases as the model has learned them, instead of new thyroids",
        )
    spread = parser.add_argument_group(
        "target distributions",
        "The targets of the thyroids follow these distributions, and each is steered to them. A distribution D is\n"
        f"{FORMS};\n"
        "without quotes for a shell: lognormal:2.7,0.35. Other features, and the correlation of the features,\n"
        "are as in the training cohort.",
    )
    spread.add_argument(
        "--distribution",
        metavar="WHAT",
        help="'cohort' for the joint distribution of the training cohort, or a JSON or CSV file of distributions",
    )
    for name, option in _OPTIONS.items():
        spread.add_argument(
            f"{option}-distribution", dest=f"spread_{name}", type=_spread_of(name), metavar="D", help=_SPREADS[name]
        )
    spread.add_argument(
        "--without-isthmus",
        dest=f"spread_{WITHOUT_ISTHMUS}",
        type=_spread_of(WITHOUT_ISTHMUS),
        metavar="SHARE",
        help="share of glands with two separate lobes, such as 30%% or 0.3 (default: as in the training cohort)",
    )


def _spread_of(name: str) -> Callable[[str], str]:
    """Return a parser that checks the distribution of a feature, or the share without isthmus, and returns its text."""

    def parse(text: str) -> str:
        try:
            TargetDistribution.of_texts({name: text})
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    return parse


@dataclass(frozen=True)
class TargetOptions:
    """Targets of the thyroids of a cohort."""

    targets: list[Targets]  # one for each thyroid
    to_target: bool  # whether each thyroid is steered to its targets
    specification: dict[str, Any]  # the options as they are written in the manifest
    distribution: dict[str, str] | None = None  # the target distributions as text, if there are any
    differ: bool = False  # whether the targets differ between thyroids, so that they have a distribution
    far: list[dict[str, Any]] = field(default_factory=list)  # targets unlike the training cases


def check_target_options(options: argparse.Namespace) -> None:
    """Exit with a usage error if options contradict each other."""
    values, spread = _has_features(options), _spread(options)
    if options.from_table and values:
        options.usage_error("give targets either by --from-table or by --volume, --isthmus-area and --symmetry")
    if spread and (values or options.from_table):
        options.usage_error(
            "a target for all thyroids and a distribution exclude each other; for a single value use, for example, "
            "--volume-distribution 15"
        )
    given = options.from_table or options.steer or values or spread
    if options.reconstruct and (given or options.count is not None):
        options.usage_error("--reconstruct writes training cases as they are; leave out --count and all targets")
    if options.reconstruct and options.dask_scheduler:
        options.usage_error("--reconstruct runs in this process: leave out --dask-scheduler")


def targets_of(options: argparse.Namespace, model: TrainedModel, *, names: str = "t{:05d}") -> TargetOptions:
    """Return the targets of the command line for a model; those of reconstructed cases are their own features."""
    from ThyroidSynthLib.generation.cohort.stratification import stratified_targets
    from ThyroidSynthLib.generation.cohort.target_table import read_targets
    from ThyroidSynthLib.generation.steer.direct_sampling import check_conditions

    if options.reconstruct:
        own = [Targets.from_array(model.features[model.index_of(case_id)]) for case_id in options.reconstruct]
        return TargetOptions(own, False, {"reconstructed": options.reconstruct})
    spread = _spread(options)
    to_target = options.steer or spread
    specification: dict[str, Any] = {"seed": options.seed, "steering": "to target" if to_target else "direct sampling"}
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
            rows = counted(len(targets), "row")
            options.usage_error(f"--count {options.count} contradicts {options.from_table} ({rows}): leave out --count")
        specification["targets"] = options.from_table.name
    else:
        targets = [Targets(options.volume, options.isthmus_area, options.symmetry)] * (options.count or 1)
        specification["targets"] = asdict(targets[0])
    if not to_target:
        check_conditions(model, targets)
    far = far_targets(model, targets, names=names)
    specification |= {"count": len(targets), "far_outside": far}
    return TargetOptions(targets, to_target, specification, distribution, spread or options.from_table is not None, far)


def far_targets(model: TrainedModel, targets: Sequence[Targets], *, names: str = "t{:05d}") -> list[dict[str, Any]]:
    """Return the targets that are unlike the training cases, farthest first."""
    values = np.stack([each.as_array() for each in targets])
    space = FeatureSpace(model.features)
    scores = space.scores(values)
    return [
        {
            "id": names.format(place + 1),
            "targets": targets[place].as_dict(),
            "score": round(float(scores[place]), 2),
            "region": space.region(values[place]),
            "outside": space.outside(values[place]),
        }
        for place in space.far(values)
    ]


def far_text(far: Sequence[dict[str, Any]], count: int) -> str:
    """Describe the targets that are unlike the training cases."""
    lines = [
        f"The targets of {len(far)} of {count} thyroids are unlike the training cases (out-of-distribution "
        "score above 1); the model may not reach them, or extrapolates:"
    ]
    for each in far[:_FEW]:
        known = f" ({'; '.join(each['outside'])})" if each["outside"] else ""
        lines.append(f"  {each['id']}: {Targets.of(each['targets'])}{known}, score {each['score']:.2f}")
    if len(far) > _FEW:
        lines.append("  the others are in the manifest ('far_outside')")
    return "\n".join(lines)


def met_text(found: AchievedDistribution) -> str:
    """Describe how well a cohort matches its target distribution, and which targets are not met."""
    summary = found.summary()
    distances = [
        f"{name} {each['ks_to_target']:.3f}"
        for name, each in summary["features"].items()
        # Of a few values it says nothing: that of one is 1, however small its error.
        if each["ks_to_target"] is not None and each["targets_of"] >= _FEW
    ]
    lines = []
    if distances:
        lines.append(f"KS distance to the target distribution: {', '.join(distances)}; see distribution.json.")
    zeros = summary["without_isthmus"]
    if zeros["targets"] is not None:
        lines.append(f"Without isthmus: {100 * zeros['measured']:.1f}%, target {100 * zeros['targets']:.1f}%.")
    unmet = summary["unmet"]
    for each in unmet[:_FEW]:
        lines.append(f"  {each['id']}: target {Targets.of(each['targets'])}; closest {Targets.of(each['nearest'])}")
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
