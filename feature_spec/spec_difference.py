"""What differs between two specs whose fingerprints differ, told by hashes of their parts.

A model that refuses a request names the hashes of its spec's parts in the error. Names of fields
and tasks are also in its signature, which a model of an earlier version has, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from feature_spec import names
from feature_spec.spec import FeatureSpec

# An error travels in the header of a message, for which gRPC has 8 kB.
_MOST_CHARACTERS = 4000
_MORE = "…"
_PART = re.compile(r"\b((?:fields|tasks)\.[A-Za-z]\w*)=([0-9a-f]{6})\b")


def parts_text(spec: FeatureSpec) -> str:
    """Return the hashes of a spec's parts, such as ``fields.age=0f3a9c``; a long text is cut."""
    text = ""
    for part, digest in spec.part_digests.items():
        if len(text) + len(part) > _MOST_CHARACTERS:
            return f"{text}{_MORE}"
        text += f"{part}={digest} "
    return text.rstrip()


def differences(spec: FeatureSpec, error: str) -> list[str]:
    """Return what differs between a spec and that of a model which refused a request.

    Args:
        spec: the client's spec.
        error: the model's text, with `parts_text` of its spec; of others nothing is told.
    """
    theirs = dict(_PART.findall(error))
    if not theirs:
        return []
    own = spec.part_digests
    found = [
        f"{part} differs in its settings"
        if part.startswith("fields.")
        else f"{part} differs in its kind, label or sample space"
        for part in own
        if part in theirs and theirs[part] != own[part]
    ]
    missing = [] if _MORE in error else _only_one(own, theirs, "the client's")
    return [*found, *missing, *_only_one(theirs, own, "the model's")]


def differences_in_names(
    spec: FeatureSpec, inputs: Iterable[str], outputs: Iterable[str]
) -> list[str]:
    """Return the fields and tasks that only a spec has, or only the signature `rank` of a model.

    Args:
        spec: the client's spec.
        inputs: names of the signature's inputs. Without any, nothing is told.
        outputs: names of the signature's outputs.
    """
    theirs = [
        f"fields.{name}"
        for name in sorted(inputs)
        if name != names.SPEC_FINGERPRINT and not name.startswith(names.RESERVED_PREFIXES)
    ]
    if not theirs:
        return []
    scores = (names.RANKING_SCORE, names.LOG_RANKING_SCORE)
    theirs += [
        f"tasks.{name}"
        for name in sorted(outputs)
        if name not in scores and not names.is_joint(name)
    ]
    own = spec.part_digests
    return [
        *_only_one(own, dict.fromkeys(theirs, ""), "the client's"),
        *_only_one(dict.fromkeys(theirs, ""), own, "the model's"),
    ]


def _only_one(these: Mapping[str, str], others: Mapping[str, str], whose: str) -> list[str]:
    return [f"{part} is in {whose} spec only" for part in these if part not in others]
