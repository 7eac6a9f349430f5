"""The effect of each weight of the formula: how often the top 10 change with it alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from feature_spec import names
from feature_spec.artifacts.weight_effects import TOP_K, WeightEffect, WeightEffects
from feature_spec.formula import weights_in_force
from feature_spec.loading import load_spec
from trainer.formula_search.groups import GroupBy, Groups, competing_groups
from trainer.formula_search.logged_exposures import Floats, LoggedExposures, scored_exposures
from trainer.formula_search.objective import FormulaSearchError
from trainer.inspect.exported_signatures import ExportedSignatures

# The factors that a weight is multiplied by.
FACTORS = (0.0, 0.5, 1.5)
# The kinds of lists, finest first: the first kind with long enough lists is taken.
_LISTS: tuple[GroupBy, ...] = ("request", "user_day", "user")


def weight_effects(
    model: Path, files: Sequence[str], *, signatures: ExportedSignatures | None = None
) -> WeightEffects:
    """Score logged exposures once, and order each list anew with each weight changed.

    Args:
        model: the folder of the SavedModel.
        files: gzipped TFRecords of ingested examples.
        signatures: the model's signatures, where they are loaded already.

    Raises:
        trainer.inspect.exported_model.ExportedModelError: the files are not what `fulcrum run`
            ingests, or hold no example.
    """
    spec = load_spec(model / names.EXPORTED_SPEC)
    exposures = scored_exposures(model, files, spec, objectives=(), signatures=signatures)
    groups = long_lists(exposures)
    if groups is None:
        reason = (
            "no user or request, as keys.user and keys.request of the spec name them, has more "
            f"than {TOP_K} examples"
        )
        return WeightEffects(by=None, lists=0, exposures=0, effects=[], not_measured=reason)
    weights = weights_in_force(spec.ranking_formula, spec.tasks)
    return WeightEffects(
        by=groups.by,
        lists=len(groups.unit),
        exposures=len(groups.rows),
        effects=effects_of(exposures.log_factors[groups.rows], groups.group, weights),
    )


def effects_of(
    log_factors: Floats, group: npt.NDArray[np.int64], weights: dict[str, float]
) -> list[WeightEffect]:
    """Compute the effects of all weights other than 0.

    Args:
        log_factors: (R, F).
        group: list of each exposure, ascending from 0 to G − 1, each of more than `TOP_K`
            exposures, (R,).
        weights: by name, in the order of the log factors' columns.
    """
    own = np.array(list(weights.values()))
    top, first = _tops(log_factors @ own, group)
    lists = len(first)
    effects = []
    for column, (name, weight) in enumerate(weights.items()):
        for factor in FACTORS if weight else ():
            changed = own.copy()
            changed[column] *= factor
            other_top, other_first = _tops(log_factors @ changed, group)
            replaced = np.bincount(group, weights=top & ~other_top, minlength=lists)
            effects.append(
                WeightEffect(
                    name=name,
                    weight=weight,
                    factor=factor,
                    changed_share=float((replaced > 0.0).mean()),
                    replaced_share=float(replaced.mean() / TOP_K),
                    changed_first_share=float((first != other_first).mean()),
                )
            )
    return effects


def _tops(
    scores: Floats, group: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return a mask of the exposures in the top of their lists, (R,), and the first of each, (G,).

    Exposures with equal scores stay in the given order.
    """
    order = np.lexsort((-scores, group))
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    rank = np.arange(len(group)) - starts[group]
    top = np.zeros(len(group), bool)
    top[order[rank < TOP_K]] = True
    return top, order[starts]


def long_lists(exposures: LoggedExposures) -> Groups | None:
    """Return lists with more than `TOP_K` exposures, of the finest kind that has any, or None."""
    for by in _LISTS:
        try:
            return competing_groups(exposures, by, smallest=TOP_K + 1)
        except FormulaSearchError:
            continue
    return None
