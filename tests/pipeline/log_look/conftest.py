"""The small spec and logs of ingestion's tests, and looks at them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.log_look.looking import Findings, findings
from tests.pipeline.ingest.conftest import SPEC, logs, tiny

__all__ = ["logs", "tiny"]


def spec_of(**changes: object) -> FeatureSpec:
    """The small spec, changed at paths such as `logs__deduplicate`; None takes a key away."""
    spec = yaml.safe_load(SPEC)
    for path, value in changes.items():
        *parents, last = path.split("__")
        part = spec
        for parent in parents:
            part = part[parent]
        if value is None:
            part.pop(last, None)
        else:
            part[last] = value
    return parse_spec(yaml.safe_dump(spec))


@pytest.fixture
def looked(logs: Path) -> Callable[..., Findings]:
    """A look at the small logs, with the spec changed."""

    def look(lines: int = 10_000, **changes: object) -> Findings:
        return findings(spec_of(**changes), str(logs), lines)

    return look
