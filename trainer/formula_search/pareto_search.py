"""A search for weights that no others beat on every objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import optuna

from trainer.formula_search.logged_exposures import Floats

Weights = dict[str, float]
# Enough for an order; and what is written into a formula file is what was tried.
_DECIMALS = 4
_POPULATION = 50


def pareto_front(
    value: Callable[[Floats], Sequence[float]],
    current: Weights,
    bounds: Mapping[str, tuple[float, float]],
    *,
    trials: int,
    seed: int,
    tried: Callable[[], None] = lambda: None,
) -> list[Weights]:
    """Search by NSGA-II (Deb et al., 2002), beginning with the current weights.

    Args:
        value: weights, in the order of `current`, → a value an objective; larger is better.
        current: the weights in force, by name.
        bounds: the lowest and the highest weight, by name; the current ones lie within.
        trials: how many weights are tried, the current ones among them.
        seed: equal seeds give equal fronts.
        tried: called after each trial.

    Returns:
        Weights of the Pareto front, the best by the first objective first, one of those with equal
        values.
    """

    def weights_of(trial: optuna.Trial | optuna.trial.FrozenTrial) -> Weights:
        return (
            current
            if trial.number == 0
            else {name: round(trial.params[name], _DECIMALS) for name in current}
        )

    def evaluate(trial: optuna.Trial) -> tuple[float, ...]:
        for name, (lowest, highest) in bounds.items():
            trial.suggest_float(name, lowest, highest)
        values = tuple(value(np.array(list(weights_of(trial).values()))))
        tried()
        return values

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    objectives = len(value(np.array(list(current.values()))))
    sampler = optuna.samplers.NSGAIISampler(
        population_size=max(2, min(_POPULATION, trials)), seed=seed
    )
    study = optuna.create_study(directions=["maximize"] * objectives, sampler=sampler)
    study.enqueue_trial(current)
    study.optimize(evaluate, n_trials=trials)
    optuna.logging.set_verbosity(verbosity)
    best = sorted(
        study.best_trials, key=lambda trial: ([-value for value in trial.values], trial.number)
    )
    return list({tuple(trial.values): weights_of(trial) for trial in reversed(best)}.values())[::-1]
