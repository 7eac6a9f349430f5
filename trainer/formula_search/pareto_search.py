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
# Of the logarithms of the factors: two thirds of them lie between 0.6 and 1.6.
_SPREAD = 0.5


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

    Half of the first population lies around them: each weight times a log-normal factor, and where
    it is 0, a little beside it. The other half is anywhere within the bounds.

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
    for weights in _around(current, bounds, min(_POPULATION, trials) // 2 - 1, seed):
        study.enqueue_trial(weights)
    study.optimize(evaluate, n_trials=trials)
    optuna.logging.set_verbosity(verbosity)
    best = sorted(
        study.best_trials, key=lambda trial: ([-value for value in trial.values], trial.number)
    )
    return list({tuple(trial.values): weights_of(trial) for trial in reversed(best)}.values())[::-1]


def _around(
    current: Weights, bounds: Mapping[str, tuple[float, float]], count: int, seed: int
) -> list[Weights]:
    """Return weights near the current ones, within the bounds."""
    random = np.random.default_rng(seed)
    own = np.array(list(current.values()))
    beside = 0.1 * (np.abs(own).max(initial=0.0) or 1.0)
    lowest, highest = np.array(list(bounds.values())).T
    drawn = []
    for _ in range(count):
        factors = np.exp(random.normal(0.0, _SPREAD, len(own)))
        steps = random.normal(0.0, beside, len(own))
        near = np.where(own == 0.0, steps, own * factors).round(_DECIMALS)
        drawn.append(dict(zip(current, np.clip(near, lowest, highest).tolist(), strict=True)))
    return drawn
