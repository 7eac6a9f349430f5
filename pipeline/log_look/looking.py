"""The look at logs, of `fulcrum spec check --logs` and at the begin of `fulcrum run`."""

from __future__ import annotations

import datetime
import json
from typing import NamedTuple

from rich.console import Console

from feature_spec.spec import FeatureSpec
from feature_spec.training_settings import checked_trainer_settings
from pipeline.ingest.log_check import check_logs
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.log_look.findings import certain_failures, look_warnings
from pipeline.log_look.log_look import LogLook, look_at_logs
from pipeline.log_look.look_tables import print_look

# Lines of each source: some seconds, and a fraction of a second.
LINES_OF_CHECK, LINES_OF_RUN = 100_000, 5_000


class Findings(NamedTuple):
    """What a look at logs has found.

    Attributes:
        look: the look; None where the logs are not as the spec says, or no files.
        failures: what will stop a run for certain.
        warnings: what may stop it, or spoil its model.
    """

    look: LogLook | None
    failures: list[str]
    warnings: list[str]


def findings(
    spec: FeatureSpec, logs: str, lines: int, day: datetime.date | None = None
) -> Findings:
    """Look at some lines of the logs of a spec.

    Args:
        spec: the feature spec, valid as a whole.
        logs: the folder or URI that the spec's paths are relative to.
        lines: the number of lines to read of each source, about.
        day: the day to look at; None for all days.
    """
    try:
        settings = IngestSettings.from_spec(spec, day)
        files = check_logs(settings, logs)
    except ValueError as error:
        return Findings(None, [str(error)], [])
    if settings.logs.shown.connector is not None:
        return Findings(None, [], [])  # only Beam reads tables and topics
    look = look_at_logs(spec, settings, files, lines)
    batch_size = json.loads(checked_trainer_settings(spec))["trainer"]["batch_size"]
    return Findings(
        look, certain_failures(look, settings), look_warnings(look, settings, batch_size)
    )


def print_findings(spec: FeatureSpec, logs: str, to_stdout: Console) -> Findings:
    """Look at the logs, print tables of what was seen, and return the findings."""
    found = findings(spec, logs, LINES_OF_CHECK)
    if found.look is not None:
        print_look(found.look, spec, to_stdout)
    elif not found.failures:
        to_stdout.print("tables and topics are read by a run only: nothing to look at")
    return found
