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

# Transformed features. User and context fields are packed apart from item fields, so that a
# ranking request transforms the first once and the second once a candidate.
REQUEST_IDS, REQUEST_NUMBERS = "request_ids", "request_numbers"
CANDIDATE_IDS, CANDIDATE_NUMBERS = "candidate_ids", "candidate_numbers"
LABELS, MASKS = "labels", "masks"

# Folders of a pipeline root: what each component made; what a training under way keeps; pushed
# models, a folder a version.
ARTIFACTS, CHECKPOINTS, SERVING_MODEL = "artifacts", "checkpoints", "serving_model"

# In the folder of an exported model: the spec that it was trained with.
EXPORTED_SPEC = "assets.extra/feature_spec.yaml"
# In that of one trained by span: the days that it was trained on and judged by, as JSON of
# `pipeline.spans.span_window.SpanWindow`.
EXPORTED_SPAN = "assets.extra/span.json"

# Signatures of the exported model, and what they give beside a score a task. `inspect` is that of
# models with gates only.
SERVING_DEFAULT, RANK, TRANSFORM_FEATURES, INSPECT = (
    "serving_default",
    "rank",
    "transform_features",
    "inspect",
)
RANKING_SCORE = "ranking_score"
# `rank_top_k` reads how many candidates it is to give, and gives their places in the request.
RANK_TOP_K, TOP_K, POSITION = "rank_top_k", "top_k", "candidate_position"
SPEC_FINGERPRINT = "spec_fingerprint"
DURATION_WEIGHT = "weight_of_duration"

_LABEL, _MASK, _WEIGHT, _NEGATIVE_RATE = "label_of_", "mask_of_", "weight_of_", "negative_rate_of_"
RESERVED_PREFIXES = (_LABEL, _MASK, _WEIGHT, _NEGATIVE_RATE)
RESERVED_NAMES = frozenset({
    EVENT_TIME, REQUEST_KEY, USER_KEY, ITEM_KEY, REQUEST_IDS, REQUEST_NUMBERS, CANDIDATE_IDS, CANDIDATE_NUMBERS,
    LABELS, MASKS, RANKING_SCORE, SPEC_FINGERPRINT, TOP_K, POSITION, "duration",
})  # fmt: skip


def label_name(task: str) -> str:
    """The example's feature with the task's label: a float, 0 outside its sample space."""
    return _LABEL + task


def mask_name(task: str) -> str:
    """The example's feature with δ_k of PLE Eq 9: 1.0 inside the task's sample space, else 0.0."""
    return _MASK + task


def negative_rate_name(task: str) -> str:
    """The example's feature with the share of the task's negatives that was kept where the example was: a float in (0, 1]."""
    return _NEGATIVE_RATE + task


def weight_name(task: str) -> str:
    """The input of the `rank` signature with the task's exponent in the ranking formula: a float scalar."""
    return _WEIGHT + task


_ARTIFACTS_PLACE = "artifacts_place"


def is_uri(path: str | Path) -> bool:
    """Whether a path has a scheme, such as ``gs://``, so that this machine's own file system does not know it."""
    return "://" in str(path)


def artifacts_place(root: Path) -> str:
    """The folder or URI of the artifacts."""
    file = root / _ARTIFACTS_PLACE
    return file.read_text(encoding="utf-8") if file.exists() else str(root / ARTIFACTS)


def keep_artifacts_at(root: Path, place: str) -> None:
    """Makes `place` that of a root's artifacts."""
    (root / _ARTIFACTS_PLACE).write_text(place, encoding="utf-8")
