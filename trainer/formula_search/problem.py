"""Why a formula cannot be searched for."""

from __future__ import annotations


class FormulaSearchError(ValueError):
    """The objectives do not fit the model, or the logged exposures cannot tell formulas apart."""
