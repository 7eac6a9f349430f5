"""Multi-task ranking: from feedback logs and one feature spec to a model that serves.

    from fulcrum import Candidate, RankingClient, RankingRequest, load_spec

    with RankingClient("127.0.0.1:8500", load_spec("short_video")) as client:
        candidates = [Candidate(fields={"video_id": video}) for video in ("v1", "v2")]
        ranked = client.rank(RankingRequest(user={"user_id": "u1"}, candidates=candidates))

Every public name is in `__all__` and is imported on first use, so `import fulcrum` is quick and
needs none of the optional dependencies. Names that are not listed here may change in any release.

- the feature spec: `load_spec`, `FeatureSpec`, fields, `Task`, `RankingFormula`
- the ranking client: `RankingClient`, `AsyncRankingClient`, `RankingRequest`, `RankedList`, errors
- `predict`: a log with a model's scores, as a Parquet file
- `fulcrum.layers` and `fulcrum.models`: Keras layers and multi-task architectures, usable alone
- `fulcrum.components`: components for TFX pipelines, usable alone
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulcrum.lazy_names import lazy_names

if TYPE_CHECKING:
    from feature_spec.fields.field import (
        CategoricalField,
        MultiCategoricalField,
        NumericField,
        SequenceField,
        VectorField,
        Vocabulary,
    )
    from feature_spec.formula import (
        DurationFactor,
        FormulaTerm,
        RankingFormula,
        formula_terms,
        ranking_score,
    )
    from feature_spec.loading import SpecError, load_formula, load_spec, parse_spec, ready_specs
    from feature_spec.logs.log_values import UnusableLineError
    from feature_spec.spec import FeatureSpec
    from feature_spec.tasks.task import Task
    from fulcrum import components, layers, models
    from pipeline.predict.prediction import predict
    from pipeline.predict.predictions import PredictedTask, Predictions
    from serving.client.history_filling import HistoryCounts, HistoryPolicy
    from serving.client.ranking_client import AsyncRankingClient, RankingClient
    from serving.client.request_log import RequestLog, RequestLogCounts
    from serving.client.side_tables import SideTables
    from serving.client.tls import Tls
    from serving.client.transport.attempts import CallCounts
    from serving.client.transport.policies import HedgingPolicy, RetryPolicy
    from serving.client.types import (
        Candidate,
        FieldValue,
        RankedCandidate,
        RankedList,
        RankingRequest,
        ServedModelInfo,
    )
    from serving.errors import (
        DeadlineExceededError,
        InvalidRequestError,
        MixedVersionsError,
        ModelNotFoundError,
        OverloadedError,
        RankingError,
        RequestRefusedError,
        ServerError,
        ServerUnavailableError,
        SpecMismatchError,
        TlsError,
        UnusableModelError,
    )
    from serving.histories.history_event import HistoryEvent
    from serving.histories.lmdb_store import LmdbHistoryStore
    from serving.histories.redis_store import RedisHistoryStore
    from serving.histories.store import (
        HistoryStore,
        HistoryStoreError,
        HistoryValues,
        RecordCounts,
    )

__all__ = [
    "AsyncRankingClient",
    "CallCounts",
    "Candidate",
    "CategoricalField",
    "DeadlineExceededError",
    "DurationFactor",
    "FeatureSpec",
    "FieldValue",
    "FormulaTerm",
    "HedgingPolicy",
    "HistoryCounts",
    "HistoryEvent",
    "HistoryPolicy",
    "HistoryStore",
    "HistoryStoreError",
    "HistoryValues",
    "InvalidRequestError",
    "LmdbHistoryStore",
    "MixedVersionsError",
    "ModelNotFoundError",
    "MultiCategoricalField",
    "NumericField",
    "OverloadedError",
    "PredictedTask",
    "Predictions",
    "RankedCandidate",
    "RankedList",
    "RankingClient",
    "RankingError",
    "RankingFormula",
    "RankingRequest",
    "RecordCounts",
    "RedisHistoryStore",
    "RequestLog",
    "RequestLogCounts",
    "RequestRefusedError",
    "RetryPolicy",
    "SequenceField",
    "ServedModelInfo",
    "ServerError",
    "ServerUnavailableError",
    "SideTables",
    "SpecError",
    "SpecMismatchError",
    "Task",
    "Tls",
    "TlsError",
    "UnusableLineError",
    "UnusableModelError",
    "VectorField",
    "Vocabulary",
    "__version__",
    "components",
    "formula_terms",
    "layers",
    "load_formula",
    "load_spec",
    "models",
    "parse_spec",
    "predict",
    "ranking_score",
    "ready_specs",
]
__version__ = "0.2.0"

_HOMES = {
    "AsyncRankingClient": "serving.client.ranking_client",
    "CallCounts": "serving.client.transport.attempts",
    "Candidate": "serving.client.types",
    "CategoricalField": "feature_spec.fields.field",
    "DeadlineExceededError": "serving.errors",
    "DurationFactor": "feature_spec.formula",
    "FeatureSpec": "feature_spec.spec",
    "FieldValue": "serving.client.types",
    "formula_terms": "feature_spec.formula",
    "FormulaTerm": "feature_spec.formula",
    "HedgingPolicy": "serving.client.transport.policies",
    "HistoryCounts": "serving.client.history_filling",
    "HistoryEvent": "serving.histories.history_event",
    "HistoryPolicy": "serving.client.history_filling",
    "HistoryStore": "serving.histories.store",
    "HistoryStoreError": "serving.histories.store",
    "HistoryValues": "serving.histories.store",
    "InvalidRequestError": "serving.errors",
    "LmdbHistoryStore": "serving.histories.lmdb_store",
    "load_formula": "feature_spec.loading",
    "load_spec": "feature_spec.loading",
    "MixedVersionsError": "serving.errors",
    "ModelNotFoundError": "serving.errors",
    "MultiCategoricalField": "feature_spec.fields.field",
    "NumericField": "feature_spec.fields.field",
    "OverloadedError": "serving.errors",
    "parse_spec": "feature_spec.loading",
    "predict": "pipeline.predict.prediction",
    "PredictedTask": "pipeline.predict.predictions",
    "Predictions": "pipeline.predict.predictions",
    "RankedCandidate": "serving.client.types",
    "RankedList": "serving.client.types",
    "ranking_score": "feature_spec.formula",
    "RankingClient": "serving.client.ranking_client",
    "RankingError": "serving.errors",
    "RankingFormula": "feature_spec.formula",
    "RankingRequest": "serving.client.types",
    "ready_specs": "feature_spec.loading",
    "RecordCounts": "serving.histories.store",
    "RedisHistoryStore": "serving.histories.redis_store",
    "RequestLog": "serving.client.request_log",
    "RequestLogCounts": "serving.client.request_log",
    "RequestRefusedError": "serving.errors",
    "RetryPolicy": "serving.client.transport.policies",
    "SequenceField": "feature_spec.fields.field",
    "ServedModelInfo": "serving.client.types",
    "ServerError": "serving.errors",
    "ServerUnavailableError": "serving.errors",
    "SideTables": "serving.client.side_tables",
    "SpecError": "feature_spec.loading",
    "SpecMismatchError": "serving.errors",
    "Task": "feature_spec.tasks.task",
    "Tls": "serving.client.tls",
    "TlsError": "serving.errors",
    "UnusableLineError": "feature_spec.logs.log_values",
    "UnusableModelError": "serving.errors",
    "VectorField": "feature_spec.fields.field",
    "Vocabulary": "feature_spec.fields.field",
}
_SUBMODULES = ("components", "layers", "models")
# Console scripts of 0.1.0 call `fulcrum.main`.
_OLD_NAMES = {"main": "fulcrum.cli"}

__getattr__, __dir__ = lazy_names(__name__, {**_HOMES, **_OLD_NAMES}, _SUBMODULES)
