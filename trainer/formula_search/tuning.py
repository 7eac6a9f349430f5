"""From a folder with a model, and logged examples, to a found formula."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from feature_spec import names
from feature_spec.loading import load_spec
from trainer.formula_search.formula_search import SearchSettings, search_formula
from trainer.formula_search.found_formula import FoundFormula
from trainer.formula_search.logged_exposures import scored_exposures
from trainer.formula_search.objective import parse_objective
from trainer.inspect.exported_model import example_files, model_folder


def tune(
    folder: Path,
    objectives: Sequence[str],
    examples: Sequence[str],
    settings: SearchSettings,
    *,
    scored: Callable[[int], None] = lambda _: None,
    tried: Callable[[], None] = lambda: None,
) -> FoundFormula:
    """Scores logged examples and searches for weights.

    Args:
        folder: of a model, see `model_folder`.
        objectives: as declared, see `parse_objective`.
        examples: files or globs, see `example_files`.
        settings: how to search.
        scored: told how many more exposures have been scored.
        tried: called after each trial.

    Raises:
        trainer.inspect.exported_model.ExportedModelError: no model, or no readable examples.
        FormulaSearchError: the objectives do not fit the model, or the exposures cannot tell
            formulas apart.
        feature_spec.loading.SpecError: the model's spec is not one.
    """
    model = model_folder(folder)
    spec = load_spec(model / names.EXPORTED_SPEC)
    parsed = list(dict.fromkeys(parse_objective(text, spec) for text in objectives))
    files = example_files(folder, examples, "formulas are compared on logged exposures")
    exposures = scored_exposures(model, files, spec, parsed, scored)
    return search_formula(exposures, spec, parsed, settings, folder=str(model), tried=tried)
