"""Ranking requests made of the examples that the pipeline has ingested from logs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from feature_spec.artifacts.newest_outputs import of_newest_execution
from feature_spec.histories.history_fields import crossed_histories
from feature_spec.names import (
    EVALUATION,
    ITEM_KEY,
    RANK,
    REQUEST_KEY,
    USER_KEY,
    artifacts_place,
    is_uri,
)
from feature_spec.spec import FeatureSpec
from serving.push_check.logged_requests import Example, rank_request
from serving.ui.logged_request import LoggedRequest, typed_request

_READ = 20_000
_REQUESTS = 24
_CANDIDATES = 20


def evaluation_files(root: Path) -> list[str]:
    """Return the files of the newest evaluation split of a root: examples not trained on.

    None where there is no split, or its file system cannot be reached from here.
    """
    artifacts, pattern = artifacts_place(root), f"*/examples/*/Split-{EVALUATION}/*.gz"
    try:
        found = (
            tf.io.gfile.glob(f"{artifacts}/{pattern}")
            if is_uri(artifacts)
            else map(str, Path(artifacts).glob(pattern))
        )
    except tf.errors.OpError:
        return []
    return of_newest_execution(sorted(found))


def requests_of_examples(spec: FeatureSpec, files: Sequence[str]) -> list[LoggedRequest]:
    """Return the first requests in the files, each of another user.

    The candidates are the items that were shown and, up to 20 in all, other users' items.

    Args:
        spec: The feature spec of the examples.
        files: Gzipped TFRecords of tf.Examples.
    """
    records = tf.data.TFRecordDataset(list(files), compression_type="GZIP").take(_READ)
    items: dict[bytes, Example] = {}
    requests: dict[bytes, list[Example]] = {}
    for record in records.as_numpy_iterator():
        example = Example.FromString(record)
        items.setdefault(_item(spec, example), example)
        requests.setdefault(_request(spec, example), []).append(example)
    of_users: dict[bytes, list[Example]] = {}
    for shown in requests.values():
        of_users.setdefault(_user(spec, shown[0]), shown)
    chosen = itertools.islice(of_users.values(), _REQUESTS)
    return [_logged(spec, position, shown, items) for position, shown in enumerate(chosen, start=1)]


def _logged(
    spec: FeatureSpec, position: int, shown: Sequence[Example], items: dict[bytes, Example]
) -> LoggedRequest:
    own = {_item(spec, example): example for example in shown[:_CANDIDATES]}
    # Taken from another place for each request, so that not all users are offered the same.
    keys = list(items)
    start = position * _CANDIDATES % len(keys)
    others = [key for key in keys[start:] + keys[:start] if key not in own][
        : _CANDIDATES - len(own)
    ]
    candidates = [*own.values(), *(_of_nobody(spec, items[key]) for key in others)]
    request = typed_request(
        spec,
        rank_request(spec, RANK, shown[0], candidates),
        [_key(candidate, ITEM_KEY) for candidate in candidates],
    )
    return LoggedRequest(
        label=_key(shown[0], USER_KEY) or f"request {position}",
        request=request,
        shown=len(own) if _request(spec, shown[0]) else 0,
    )


def _of_nobody(spec: FeatureSpec, item: Example) -> Example:
    """Return an item without the histories that another user has with it."""
    crossed = crossed_histories(spec.histories, spec.fields)
    if not crossed:
        return item
    alone = Example.FromString(item.SerializeToString())
    for name, field in spec.fields.items():
        if field.history in crossed:
            alone.features.feature.pop(name, None)
    return alone


def _item(spec: FeatureSpec, example: Example) -> bytes:
    return _identity(spec, example, ITEM_KEY, "item")


def _user(spec: FeatureSpec, example: Example) -> bytes:
    return _identity(spec, example, USER_KEY, "user", "context")


def _request(spec: FeatureSpec, example: Example) -> bytes:
    return _identity(spec, example, REQUEST_KEY, "user", "context")


def _identity(spec: FeatureSpec, example: Example, key: str, *sides: str) -> bytes:
    """Return the key that the log gives, or else the fields of these sides."""
    known = _key(example, key)
    if known is not None:
        return known.encode()
    features = (example.features.feature[name] for name in spec.fields_of(*sides))
    return b"\n".join(feature.SerializeToString(deterministic=True) for feature in features)


def _key(example: Example, name: str) -> str | None:
    values = example.features.feature[name].bytes_list.value
    return values[0].decode() if values else None
