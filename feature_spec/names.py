"""Names and places that the pipeline, the trainer and serving agree on.

These packages meet in artifacts only and never import each other, so the names live here.
"""

from __future__ import annotations

from pathlib import Path

# Features of an ingested tf.Example beside the fields, which go by their own names.
EVENT_TIME = "event_time_us"
REQUEST_KEY = "request_key"
USER_KEY = "user_key"
ITEM_KEY = "item_key"

# Splits of the ingested examples.
TRAIN, VALIDATION, EVALUATION = "train", "validation", "evaluation"
SPLITS = (TRAIN, VALIDATION, EVALUATION)

# Transformed features. User and context fields are apart from item fields, so that a ranking
# request transforms the first once, and the second once per candidate.
REQUEST_IDS, REQUEST_NUMBERS = "request_ids", "request_numbers"
CANDIDATE_IDS, CANDIDATE_NUMBERS = "candidate_ids", "candidate_numbers"
LABELS, MASKS = "labels", "masks"

# Folders of a pipeline root: outputs of the components; checkpoints of a training under way;
# pushed models, one folder per version.
ARTIFACTS, CHECKPOINTS, SERVING_MODEL = "artifacts", "checkpoints", "serving_model"

# A file of an exported model: the spec that it was trained with.
EXPORTED_SPEC = "assets.extra/feature_spec.yaml"
# A file of a model trained by span: its training and evaluation days, as JSON of
# `pipeline.spans.span_window.SpanWindow`.
EXPORTED_SPAN = "assets.extra/span.json"

# Signatures of an exported model, and their outputs beside the scores. Only models with gates have
# `inspect`.
SERVING_DEFAULT, RANK, TRANSFORM_FEATURES, INSPECT = (
    "serving_default",
    "rank",
    "transform_features",
    "inspect",
)
RANKING_SCORE = "ranking_score"
# `rank_top_k` reads the number of candidates to return, and returns their places in the request.
RANK_TOP_K, TOP_K, POSITION = "rank_top_k", "top_k", "candidate_position"
SPEC_FINGERPRINT = "spec_fingerprint"
DURATION_WEIGHT = "weight_of_duration"

_LABEL, _MASK, _WEIGHT, _NEGATIVE_RATE = "label_of_", "mask_of_", "weight_of_", "negative_rate_of_"
RESERVED_PREFIXES = (_LABEL, _MASK, _WEIGHT, _NEGATIVE_RATE)
RESERVED_NAMES = frozenset({
    EVENT_TIME, REQUEST_KEY, USER_KEY, ITEM_KEY,
    REQUEST_IDS, REQUEST_NUMBERS, CANDIDATE_IDS, CANDIDATE_NUMBERS, LABELS, MASKS,
    RANKING_SCORE, SPEC_FINGERPRINT, TOP_K, POSITION, "duration",
})  # fmt: skip


def label_name(task: str) -> str:
    """Return the feature with a task's label: a float, 0 outside the sample space."""
    return _LABEL + task


def mask_name(task: str) -> str:
    """Return the feature with δ_k of PLE Eq 9: 1.0 inside the task's sample space, else 0.0."""
    return _MASK + task


def negative_rate_name(task: str) -> str:
    """Return the feature with the task's share of kept negatives: a float in (0, 1]."""
    return _NEGATIVE_RATE + task


def weight_name(task: str) -> str:
    """Return the input of the `rank` signature with a task's exponent: a float scalar."""
    return _WEIGHT + task


_ARTIFACTS_PLACE = "artifacts_place"


def is_uri(path: str | Path) -> bool:
    """Return whether a path has a scheme, such as ``gs://``, unlike paths of this machine."""
    return "://" in str(path)


def artifacts_place(root: Path) -> str:
    """Return the folder or URI of a pipeline root's artifacts.

    It is the root's folder ``artifacts``, or the place that a file of the root names.
    """
    file = root / _ARTIFACTS_PLACE
    return file.read_text(encoding="utf-8") if file.exists() else str(root / ARTIFACTS)


def keep_artifacts_at(root: Path, place: str) -> None:
    """Record `place` as the folder or URI of a pipeline root's artifacts."""
    (root / _ARTIFACTS_PLACE).write_text(place, encoding="utf-8")
