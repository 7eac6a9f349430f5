"""The look at the logs with which a run begins, before it loads anything."""

from __future__ import annotations

from feature_spec.names import is_uri
from feature_spec.spec import FeatureSpec
from pipeline.log_look.looking import LINES_OF_RUN, Findings, findings
from pipeline.run.run_summary import NodeFailure
from pipeline.spans.span_window import SpanWindow


def first_look(spec: FeatureSpec, logs: str, window: SpanWindow | None) -> Findings:
    """Look at a few lines of the logs, in a fraction of a second.

    Logs that are not on this machine are not looked at. In a run by span, the day that judges the
    model is.
    """
    if is_uri(logs) or spec.logs.shown.connector is not None:
        return Findings(None, [], [])
    return findings(spec, logs, LINES_OF_RUN, window.evaluation_day if window is not None else None)


def hopeless(found: Findings, window: SpanWindow | None) -> NodeFailure | None:
    """Return the failure of an ingestion that cannot end well; None if it is worth a try.

    An ingestion that fails for its rejected lines keeps them all for `fulcrum rejects`, so it runs.
    """
    if not found.failures or (found.look is not None and found.look.summary.rejected):
        return None
    text = "\n".join(found.failures)
    day = f"-{window.evaluation_day}" if window is not None else ""
    return NodeFailure(
        node=f"LogsExampleGen{day}", cause=f"ValueError: {text.splitlines()[0]}", details=text
    )
