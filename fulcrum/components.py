"""TFX components of the ranking pipeline, for pipelines of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulcrum.lazy_names import lazy_names

if TYPE_CHECKING:
    from pipeline.evaluate.evaluator import Evaluator
    from pipeline.evaluate.mtl_gain import MtlGain
    from pipeline.ingest.component import LogsExampleGen
    from pipeline.push.push_check import PushCheck
    from pipeline.push.pusher import RenamingPusher
    from pipeline.report.component import ModelInsight, RunReport
    from pipeline.resolvers.earlier_runs import LastPushedModel
    from pipeline.spans.window_component import WindowExampleGen
    from pipeline.validate.checks import AnomalyGate, DriftCheck, DriftGate
    from pipeline.validate.schema import SpecSchema

__all__ = [
    "AnomalyGate",
    "DriftCheck",
    "DriftGate",
    "Evaluator",
    "LastPushedModel",
    "LogsExampleGen",
    "ModelInsight",
    "MtlGain",
    "PushCheck",
    "RenamingPusher",
    "RunReport",
    "SpecSchema",
    "WindowExampleGen",
]

_HOMES = {
    "AnomalyGate": "pipeline.validate.checks",
    "DriftCheck": "pipeline.validate.checks",
    "DriftGate": "pipeline.validate.checks",
    "Evaluator": "pipeline.evaluate.evaluator",
    "LastPushedModel": "pipeline.resolvers.earlier_runs",
    "LogsExampleGen": "pipeline.ingest.component",
    "ModelInsight": "pipeline.report.component",
    "MtlGain": "pipeline.evaluate.mtl_gain",
    "PushCheck": "pipeline.push.push_check",
    "RenamingPusher": "pipeline.push.pusher",
    "RunReport": "pipeline.report.component",
    "SpecSchema": "pipeline.validate.schema",
    "WindowExampleGen": "pipeline.spans.window_component",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
