"""The description of a store: the spec that it follows, its generation, and its times."""

from __future__ import annotations

from feature_spec.artifacts.history_state import HistoryState
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import StrictModel
from serving.histories.store import HistoryStoreError


class Description(StrictModel):
    """What a store says of itself.

    Attributes:
        format: the version of the layout.
        digest: the spec's `history_digest`.
        parts: hashes of the parts of that digest.
        generation: the number of the published state.
        exact_from_us: the earliest time of a request whose features are exact, in microseconds
            since the Unix epoch.
        until_us: the latest time in the published state; None if none was published.
        exposures: the number of exposures in the published state.
        published_s: the time at which the state was published, in seconds since the Unix epoch.
    """

    format: int = 1
    digest: str
    parts: dict[str, str]
    generation: int = 0
    exact_from_us: int = 0
    until_us: int | None = None
    exposures: int = 0
    published_s: float | None = None


def differences(own: dict[str, str], other: dict[str, str]) -> str:
    """Return which parts of two digests differ, in words."""
    if not own or not other:
        return "settings of its histories, their fields or the tasks differ"
    texts = [
        f"{part} differs" if part in own and part in other
        else f"{part} is only in the spec" if part in own
        else f"{part} is not in the spec"
        for part in sorted(own.keys() | other.keys())
        if own.get(part) != other.get(part)
    ]  # fmt: skip
    return "; ".join(texts)


def check_digest(spec: FeatureSpec, of: Description | HistoryState, place: str) -> None:
    """Check that a store or a state follows a spec.

    Raises:
        HistoryStoreError: it does not; the message says what differs.
    """
    if of.digest != spec.history_digest:
        raise HistoryStoreError(
            f"{place}: histories of another spec: digest {of.digest}, and spec {spec.name} has "
            f"{spec.history_digest}: {differences(spec.history_parts, of.parts)}. Take the spec of "
            "the model, or publish a state that was made with this spec"
        )
