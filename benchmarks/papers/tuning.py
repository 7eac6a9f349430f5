"""What each contender may choose from, alike for all; it chooses by its first seed's validation part."""

from __future__ import annotations

from typing import Any

# Values for the parts `model` and `trainer` of the settings.
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "slow": {"trainer": {"learning_rate": 0.001}},
    "fast": {"trainer": {"learning_rate": 0.003}},
}
# Arguments of scikit-learn's HistGradientBoosting, as many.
BOOSTING_SETTINGS: dict[str, dict[str, Any]] = {
    "slow": {
        "max_iter": 1000,
        "learning_rate": 0.05,
        "max_leaf_nodes": 15,
        "l2_regularization": 1.0,
    },
    "fast": {"max_iter": 500, "learning_rate": 0.1},
}
