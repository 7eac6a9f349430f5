"""Names and places that the pipeline, the trainer and serving agree on.

These packages meet in artifacts only and never import each other, so the names live here.
"""

from __future__ import annotations

import json
import keyword
import re
import unicodedata
from pathlib import Path

# Features of an ingested tf.Example beside the fields, which go by their own names.
EVENT_TIME = "event_time_us"
REQUEST_KEY = "request_key"
USER_KEY = "user_key"
ITEM_KEY = "item_key"
# How much an example counts in losses and metrics, where the spec names a column of weights. No
# field may have a name that begins so.
EXAMPLE_WEIGHT = "weight_of_example"

# Splits of the ingested examples.
TRAIN, VALIDATION, EVALUATION = "train", "validation", "evaluation"
SPLITS = (TRAIN, VALIDATION, EVALUATION)

# Transformed features. User and context fields are apart from item fields, so that a ranking
# request transforms the first once, and the second once per candidate.
REQUEST_IDS, REQUEST_NUMBERS = "request_ids", "request_numbers"
CANDIDATE_IDS, CANDIDATE_NUMBERS = "candidate_ids", "candidate_numbers"
# Values of vectors side by side, NaN where one is missing.
REQUEST_VECTORS, CANDIDATE_VECTORS = "request_vectors", "candidate_vectors"
# Weights of the values of lists side by side, from 0 to 1.
REQUEST_LIST_WEIGHTS, CANDIDATE_LIST_WEIGHTS = "request_list_weights", "candidate_list_weights"
# Ids of the fields that only training has.
TRAINING_IDS = "training_ids"
LABELS, MASKS = "labels", "masks"

# Folders of a pipeline root: outputs of the components; checkpoints of a training under way, and
# beside them the examples of the last one as columns; pushed models, one folder per version.
ARTIFACTS, CHECKPOINTS, SERVING_MODEL = "artifacts", "checkpoints", "serving_model"
PACKED_EXAMPLES = "packed_examples"

# A file of an exported model: the spec that it was trained with.
EXPORTED_SPEC = "assets.extra/feature_spec.yaml"
# A file of a model trained by span: its training and evaluation days, as JSON of
# `pipeline.spans.span_window.SpanWindow`.
EXPORTED_SPAN = "assets.extra/span.json"

# The folder of side tables beside the splits of ingested examples, and that of a pushed version:
# `serving.export_tables`.
INGESTED_TABLES, EXPORTED_TABLES = "tables", "assets.extra/tables"

# Signatures of an exported model, and their outputs beside the scores. Only models with gates have
# `inspect`.
SERVING_DEFAULT, RANK, TRANSFORM_FEATURES, INSPECT = (
    "serving_default",
    "rank",
    "transform_features",
    "inspect",
)
# It takes no input, and tells the share of training examples that had a value, by field.
FIELD_PRESENCE, FIELD, PRESENT_SHARE = "field_presence", "field", "present_share"
RANKING_SCORE = "ranking_score"
# The logarithm of the ranking score, in double precision. It gives the order: the score itself
# leaves the range of float32 where scores are small or weights are negative.
LOG_RANKING_SCORE = "log_ranking_score"
# `rank_top_k` reads the number of candidates to return, and returns their places in the request.
RANK_TOP_K, TOP_K, POSITION = "rank_top_k", "top_k", "candidate_position"
SPEC_FINGERPRINT = "spec_fingerprint"
DURATION_WEIGHT = "weight_of_duration"

_LABEL, _MASK, _NEGATIVE_RATE = "label_of_", "mask_of_", "negative_rate_of_"
# Outputs with the joint probabilities of chains.
_JOINT = "joint_of_"
# Inputs of the signatures that rank: the exponents of the formula.
WEIGHT_PREFIX = "weight_of_"
RESERVED_PREFIXES = (_LABEL, _MASK, WEIGHT_PREFIX, _NEGATIVE_RATE, _JOINT)
RESERVED_NAMES = frozenset({
    EVENT_TIME, REQUEST_KEY, USER_KEY, ITEM_KEY,
    REQUEST_IDS, REQUEST_NUMBERS, REQUEST_VECTORS,
    CANDIDATE_IDS, CANDIDATE_NUMBERS, CANDIDATE_VECTORS, TRAINING_IDS, LABELS, MASKS,
    REQUEST_LIST_WEIGHTS, CANDIDATE_LIST_WEIGHTS,
    RANKING_SCORE, LOG_RANKING_SCORE, SPEC_FINGERPRINT, TOP_K, POSITION, "duration",
    "self",  # which TensorFlow drops from the parameters of a function
})  # fmt: skip
# Terms of the loss beside those of the tasks, which go by the tasks' names.
PENALTIES = frozenset({"l0", "l2", "orthogonality", "entropy", "unused_codes"})
# Names become names of TensorFlow's tensors and scopes, and parameters of Python's functions.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# TensorFlow does not tell inputs apart that differ in case only.
_INPUTS = (SPEC_FINGERPRINT, TOP_K)


def is_usable(name: str) -> bool:
    """Return whether a field or a task may have a name."""
    return (
        _NAME.fullmatch(name) is not None and not keyword.iskeyword(name) and not _is_reserved(name)
    )


def _is_reserved(name: str) -> bool:
    return (
        name in RESERVED_NAMES
        or name.lower() in _INPUTS
        or name.lower().startswith(RESERVED_PREFIXES)
    )


def name_problem(part: str, name: object) -> str | None:
    """Return the reason why a field or a task cannot have a name, with a remedy; None if it can.

    Args:
        part: ``fields`` or ``tasks``.
        name: the name as YAML gives it, which may be a number or a truth value.
    """
    if isinstance(name, bool) or not isinstance(name, str | int):
        return f"not a usable name: YAML reads it as {name!r}; put it into quotes"
    text = str(name)
    is_penalty = part == "tasks" and text in PENALTIES
    if is_usable(text) and not is_penalty:
        return None
    if is_penalty:
        reason = "a term of the loss has it"
    elif keyword.iskeyword(text):
        reason = "Python keeps it for itself"
    elif _is_reserved(text):
        reason = "ingestion or the export uses it"
    else:
        reason = "give a letter from a to z, then letters, digits and underscores"
    other = usable_name(part, text)
    remedy = (
        f"{other}: {{column: {json.dumps(text, ensure_ascii=False)}}}"
        if part == "fields"
        else f"{other}; its label names the columns"
    )
    return f"not a usable name: {reason}; such as {remedy}"


def usable_name(part: str, name: str) -> str:
    """Return a name like the given one that a field or task may have.

    Args:
        part: ``fields`` or ``tasks``.
        name: any text.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    letters = re.sub(r"\W+", "_", plain).strip("_")
    first = part[0]
    if not letters:
        return f"my_{part.rstrip('s')}"
    if letters[0].isdigit():
        return first + letters
    return letters if is_usable(letters) and letters not in PENALTIES else f"{first}_{letters}"


def label_name(task: str) -> str:
    """Return the feature with a task's label: a float, 0 outside the sample space."""
    return _LABEL + task


def mask_name(task: str) -> str:
    """Return the feature with δ_k of PLE Eq 9: 1.0 inside the task's sample space, else 0.0."""
    return _MASK + task


def negative_rate_name(task: str) -> str:
    """Return the feature with the task's share of kept negatives: a float in (0, 1]."""
    return _NEGATIVE_RATE + task


def joint_name(task: str) -> str:
    """Return the output with the probability of a task's event and of all before it in a chain."""
    return _JOINT + task


def is_joint(output: str) -> bool:
    """Return whether an output is a joint probability rather than a task's score."""
    return output.startswith(_JOINT)


def weight_name(task: str) -> str:
    """Return the input of the `rank` signature with a task's exponent: a float scalar."""
    return WEIGHT_PREFIX + task


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
