"""A formula search: from a model and logged examples to weights, measured on held-out users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_spec import names
from feature_spec.formula import DURATION, RankingFormula, weights_in_force
from feature_spec.loading import load_spec
from feature_spec.spec import FeatureSpec
from trainer.formula_search.found_formula import (
    Difference,
    ExposureCounts,
    FoundFormula,
    FrontPoint,
    GroupCounts,
)
from trainer.formula_search.groups import GroupBy, Groups, Integers, competing_groups
from trainer.formula_search.logged_exposures import Floats, LoggedExposures, scored_exposures
from trainer.formula_search.objective import FormulaSearchError, Objective, parse_objective
from trainer.formula_search.pareto_search import Weights, pareto_front
from trainer.formula_search.replay import Discount, Replay, difference_intervals
from trainer.inspect.exported_model import example_files, model_folder


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """The settings of a formula search.

    Attributes:
        group_by: the kind of group whose exposures compete, see `competing_groups`.
        top_k: the number of ranks that count.
        discount: the discount of a rank, see `Replay`.
        trials: the number of weightings to try.
        held_out_share: the share of users (or of groups, if there are no users) on which
            differences are measured.
        highest_weight: the upper bound of all weights. The lower bound is 0 for tasks and the
            negative of the upper one for the duration. None means twice the largest of the current
            weights and 1. Bounds widen if a current weight lies beyond.
        seed: the seed of the search. Equal seeds give equal results.
        free_signs: whether a penalty, which is a weight below 0, may become 0 or more and be a
            reward. If not, its bounds are the negative of the upper bound, and 0.
    """

    group_by: GroupBy = "auto"
    top_k: int = 10
    discount: Discount = "log2"
    trials: int = 500
    held_out_share: float = 0.5
    highest_weight: float | None = None
    seed: int = 1
    free_signs: bool = False


@dataclass(frozen=True, eq=False)
class _Part:
    """Groups that are replayed together, with the user (or group) of each, counted from 0."""

    replay: Replay
    unit: Integers
    exposures: int


def search_formula(
    exposures: LoggedExposures,
    spec: FeatureSpec,
    objectives: Sequence[Objective],
    settings: SearchSettings,
    *,
    folder: str,
    tried: Callable[[], None] = lambda: None,
) -> FoundFormula:
    """Search for the objectives' Pareto front and choose a point of it.

    Args:
        exposures: logged exposures, with the gains of the objectives.
        spec: the feature spec, with the current formula.
        objectives: the objectives, in the order of the gains.
        settings: the settings of the search.
        folder: the folder of the model, for the result.
        tried: called after each trial.

    Raises:
        FormulaSearchError: the exposures cannot tell formulas apart.
    """
    # Without a discount, the order of exposures that all come first makes no difference.
    smallest = 2 if settings.discount == "log2" else settings.top_k + 1
    groups = competing_groups(exposures, settings.group_by, smallest)
    searched, held_out = _divided(exposures, groups, settings)
    current = weights_in_force(spec.ranking_formula, spec.tasks)
    in_force = np.array(list(current.values()))
    named = [objective.name for objective in objectives]
    for part, description in ((searched, "searched"), (held_out, "held-out")):
        for objective, gains in zip(objectives, part.replay.total_gains, strict=True):
            if gains == 0.0:
                raise FormulaSearchError(
                    f"{objective.option} {objective.name}: no {description} exposure brought any "
                    "of it; more examples may"
                )
    # Larger is better: a minimised objective counts with the other sign.
    signs = np.array([-1.0 if objective.is_minimised else 1.0 for objective in objectives])
    front = pareto_front(
        lambda weights: (signs * searched.replay.values(weights).mean(axis=0)).tolist(),
        current,
        _bounds(current, settings.highest_weight, free_signs=settings.free_signs),
        trials=settings.trials,
        seed=settings.seed,
        tried=tried,
    )
    weights = [np.array(list(point.values())) for point in front]
    values = np.array([searched.replay.values(point).mean(axis=0) for point in weights])
    differences = _differences(
        held_out, held_out.replay.values(in_force), weights, objectives, settings.seed
    )
    in_use = searched.replay.values(in_force).mean(axis=0)
    chosen = _best_for_the_least(signs * values, signs * in_use)
    return FoundFormula(
        spec=spec.name,
        folder=folder,
        group_by=groups.by,
        top_k=settings.top_k,
        discount=settings.discount,
        trials=settings.trials,
        seed=settings.seed,
        exposures=ExposureCounts(
            logged=len(exposures),
            without_key=groups.without_key,
            in_groups_left_out=groups.in_groups_left_out,
            searched=searched.exposures,
            held_out=held_out.exposures,
        ),
        groups=GroupCounts(
            left_out=groups.groups_left_out,
            searched=len(searched.unit),
            held_out=len(held_out.unit),
            held_out_units=int(held_out.unit.max()) + 1,
        ),
        current=current,
        front=[
            FrontPoint(
                weights=point,
                searched=dict(zip(named, row.tolist(), strict=True)),
                held_out=difference,
            )
            for point, row, difference in zip(front, values, differences, strict=True)
        ],
        chosen=chosen,
        formula=_with_weights(spec.ranking_formula, front[chosen]),
    )


def _divided(
    exposures: LoggedExposures, groups: Groups, settings: SearchSettings
) -> tuple[_Part, _Part]:
    """Divide the groups into searched and held-out ones; no user is in both."""
    random = np.random.default_rng(settings.seed)
    units = int(groups.unit.max()) + 1
    held_out_units = round(units * settings.held_out_share)
    if min(held_out_units, units - held_out_units) < 2:
        raise FormulaSearchError(
            f"{units} users (or groups, where examples name no user) cannot be divided into "
            "searched and held-out ones, at least 2 each, at a held-out share of "
            f"{settings.held_out_share:g}"
        )
    held_out = np.isin(groups.unit, random.permutation(units)[:held_out_units])
    # Exposures that a formula cannot tell apart must not stand in the logged order, which tells
    # their positions.
    shuffled = random.permutation(len(groups.rows))
    shuffled = shuffled[np.argsort(groups.group[shuffled], kind="stable")]

    def part(in_part: np.ndarray) -> _Part:
        kept = shuffled[in_part[groups.group[shuffled]]]
        rows = groups.rows[kept]
        group = np.unique(groups.group[kept], return_inverse=True)[1]
        replay = Replay(
            exposures.log_factors[rows],
            exposures.gains[rows],
            group,
            top_k=settings.top_k,
            discount=settings.discount,
        )
        return _Part(replay, np.unique(groups.unit[in_part], return_inverse=True)[1], len(rows))

    return part(~held_out), part(held_out)


def _bounds(
    current: Weights, highest: float | None, *, free_signs: bool
) -> dict[str, tuple[float, float]]:
    limit = highest or 2.0 * max(1.0, *map(abs, current.values()))
    bounds = {}
    for name, weight in current.items():
        is_penalty = weight < 0.0
        lowest = -limit if name == DURATION or is_penalty else 0.0
        uppermost = 0.0 if is_penalty and not free_signs else limit
        bounds[name] = (min(lowest, weight), max(uppermost, weight))
    return bounds


def _best_for_the_least(values: Floats, current: Floats) -> int:
    """Return the row whose smallest relative gain is largest, so that no objective pays."""
    gains = (values - current) / np.where(current == 0.0, 1.0, np.abs(current))
    return int(np.lexsort((-gains.mean(axis=1), -gains.min(axis=1)))[0])


def _differences(
    part: _Part,
    current: Floats,
    weights: Sequence[Floats],
    objectives: Sequence[Objective],
    seed: int,
) -> list[list[Difference]]:
    """Compute the differences of each weighting to the current formula, whose values are (G, O)."""
    found = np.stack([part.replay.values(point) for point in weights], axis=1)
    differences = found - current[:, np.newaxis]
    intervals = difference_intervals(differences.reshape(len(found), -1), part.unit, seed)
    lower, upper = intervals.reshape(2, len(weights), len(objectives))
    return [
        [
            Difference(
                objective=objective.name,
                minimised=objective.is_minimised,
                current=float(current[:, column].mean()),
                found=float(found[:, point, column].mean()),
                difference=float(differences[:, point, column].mean()),
                lower=float(lower[point, column]),
                upper=float(upper[point, column]),
                units=int(part.unit.max()) + 1,
            )
            for column, objective in enumerate(objectives)
        ]
        for point in range(len(weights))
    ]


def _with_weights(formula: RankingFormula, weights: Weights) -> RankingFormula:
    of_tasks = {name: weight for name, weight in weights.items() if name != DURATION}
    duration = formula.duration and formula.duration.model_copy(
        update={"weight": weights[DURATION]}
    )
    return RankingFormula(weights=of_tasks, duration=duration)


def tune(
    folder: Path,
    objectives: Sequence[str],
    examples: Sequence[str],
    settings: SearchSettings,
    *,
    minimised: Sequence[str] = (),
    scored: Callable[[int], None] = lambda _: None,
    tried: Callable[[], None] = lambda: None,
) -> FoundFormula:
    """Score logged examples and search for weights.

    Args:
        folder: a folder with a model, see `model_folder`.
        objectives: the declared objectives, see `parse_objective`.
        examples: files or globs, see `example_files`.
        settings: the settings of the search.
        minimised: the objectives of which less is better.
        scored: called with the number of exposures that were scored since the last call.
        tried: called after each trial.

    Raises:
        trainer.inspect.exported_model.ExportedModelError: there is no model, or there are no
            readable examples.
        FormulaSearchError: the objectives do not fit the model, or the exposures cannot tell
            formulas apart.
        feature_spec.loading.SpecError: the model's spec is invalid.
    """
    model = model_folder(folder)
    spec = load_spec(model / names.EXPORTED_SPEC)
    parsed = list(
        dict.fromkeys(
            [parse_objective(text, spec) for text in objectives]
            + [parse_objective(text, spec, is_minimised=True) for text in minimised]
        )
    )
    if both := {one.name for one in parsed if one.is_minimised} & {
        one.name for one in parsed if not one.is_minimised
    }:
        raise FormulaSearchError(
            f"{', '.join(sorted(both))}: give it to --objective or to --minimise, not to both"
        )
    if not parsed:
        raise FormulaSearchError("give --objective or --minimise at least once")
    files = example_files(folder, examples, "formulas are compared on logged exposures")
    exposures = scored_exposures(model, files, spec, parsed, scored)
    return search_formula(exposures, spec, parsed, settings, folder=str(model), tried=tried)
