"""The feature spec as a whole, from which every other part of Fulcrum derives its work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Self

import pydantic
from pydantic import ModelWrapValidatorHandler, ValidationError, model_validator

from feature_spec.evaluation_checks import evaluation_problems
from feature_spec.field_references import field_problems
from feature_spec.fields.field import (
    Field,
    NumericField,
    VectorField,
    time_part,
)
from feature_spec.fields.list_weights import with_list_weights
from feature_spec.fields.time_parts import TimePart
from feature_spec.formula import PROBABILITY_FLOOR, SCORE_FLOOR, RankingFormula
from feature_spec.histories.attention import attention_problems
from feature_spec.histories.histories import READ_BY_MODEL, Histories
from feature_spec.histories.history_fields import history_fields, history_problems
from feature_spec.logs.event_log_problems import event_log_problems
from feature_spec.logs.logs import Keys, Logs, Split
from feature_spec.mending import Mending
from feature_spec.names import name_problem
from feature_spec.sections import Drift, Evaluation, Serving, Skew, Spans, Tuner, Weight
from feature_spec.strict_model import Problem, StrictModel, closest_names, validation_error
from feature_spec.tasks.calibration import Calibration, calibration_problems
from feature_spec.tasks.chain import (
    chain_problems,
    factored,
    formula_problems,
    joints,
    sampling_problems,
    tasks_of_joints,
)
from feature_spec.tasks.grouping import label_group_problems
from feature_spec.tasks.task import Sampling, Task


def _digest(content: Any) -> str:
    """Return a hash of 16 digits that the order of keys does not change."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _name_of(part: str) -> pydantic.BeforeValidator:
    """Return a check of the names of a part of the spec."""

    def checked(name: Any) -> str:
        problem = name_problem(part, name)
        if problem is not None:
            raise ValueError(problem)
        return str(name)

    return pydantic.BeforeValidator(checked)


def _later_settings(field: Field) -> set[str]:
    """Return settings younger than fingerprints, at their defaults: older prints lack them."""
    return {
        name
        for name in (
            "history",
            "pooling",
            "heads",
            "of",
            "smoothing",
            "from_",
            "part",
            "training_only",
            "weights",
            "weights_of",
        )
        if name in type(field).model_fields
        and getattr(field, name) == type(field).model_fields[name].default
    }


_FieldName = Annotated[str, _name_of("fields")]
_TaskName = Annotated[str, _name_of("tasks")]


def given_part(spec: FeatureSpec) -> dict[str, Any]:
    """Return what a spec was made of, for JSON: without made fields and unset values.

    Some values are valid only beside others.
    """
    document = spec.model_dump(mode="json", exclude_unset=True, by_alias=True)
    document["fields"] = {
        name: field
        for name, field in document["fields"].items()
        if field.get("history") is None and field.get("weights_of") is None
    }
    return document


class FeatureSpec(StrictModel):
    """The fields, tasks, ranking formula and logs of one ranking system, valid as a whole.

    Attributes:
        name: the name of the model wherever it is served.
        keys: columns that identify an exposure.
        logs: the places and formats of the logs.
        split: assigns exposures to training, early stopping and evaluation.
        spans: settings of runs by span.
        sampling: down-sampling of negatives; none by default.
        calibration: how scores are calibrated, and how far off they may be; not at all by default.
        weight: how much each example counts; all alike by default.
        histories: fields made of what happened before each exposure; none by default.
        fields: the inputs of the model, by name: those of the logs, then those of the histories.
        tasks: the predictions of the model, by name, in the order of every report.
        ranking_formula: combines the scores of a candidate into one ranking score.
        model: settings of the sharing architecture, which `name` chooses; checked by the trainer.
        trainer: settings of the training run, checked by the trainer.
        evaluation: measurements beside the metrics of each task.
        drift: limits of drift between runs that pushed a model.
        skew: limits of skew between served requests and examples.
        tuner: a search for better settings of `model` and `trainer`, if one is asked for.
        serving: conditions that a model must meet before it is pushed.

    Raises:
        pydantic.ValidationError: a part is wrong or two parts contradict each other.
    """

    tells_all_at_once: ClassVar[bool] = False  # `_parts_agree` does, as parts refer to each other
    name: str = pydantic.Field(pattern=r"^[a-z][a-z0-9_]*$")
    keys: Keys = Keys()
    logs: Logs
    split: Split
    spans: Spans = Spans()
    sampling: Sampling | None = None
    calibration: Calibration | None = None
    weight: Weight | None = None
    histories: Histories | None = None
    fields: Annotated[dict[_FieldName, Field], pydantic.Field(min_length=1)]
    tasks: Annotated[dict[_TaskName, Task], pydantic.Field(min_length=1)]
    ranking_formula: RankingFormula
    model: dict[str, Any] = {}
    trainer: dict[str, Any] = {}
    evaluation: Evaluation = Evaluation()
    drift: Drift = Drift()
    skew: Skew = Skew()
    tuner: Tuner | None = None
    serving: Serving = Serving()

    @model_validator(mode="wrap")
    @classmethod
    def _parts_agree(cls, received: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Check the parts, then what they say of each other; tell all mistakes at once."""
        try:
            spec = handler(received)
        except ValidationError as error:
            if not isinstance(received, dict):
                raise
            mending = Mending(
                received, (detail["loc"] for detail in error.errors()), cls.model_fields
            )
            try:
                mended = handler(mending.document)
            except ValidationError:
                raise error from None
            further = [problem for problem in mended.with_histories()[1] if mending.leaves(problem)]
            raise validation_error(cls, further, error) from None
        whole, problems = spec.with_histories()
        if problems:
            raise validation_error(cls, problems)
        weights = factored(whole.ranking_formula.weights, whole.joints)
        formula = whole.ranking_formula.model_copy(update={"weights": weights})
        return whole.model_copy(update={"ranking_formula": formula})

    def disagreements(self) -> list[Problem]:
        """Return what parts of the spec say of each other and that is not so."""
        return [
            *self._naming_problems(),
            *self._reference_problems(),
            *attention_problems(self.fields, self.histories),
            *self._split_problems(),
            *self._optional_section_problems(),
            *evaluation_problems(self.evaluation, self.keys, self.fields, self.tasks),
        ]

    def with_histories(self) -> tuple[Self, list[Problem]]:
        """Return the spec with weights of lists and fields of histories, and disagreements."""
        given = with_list_weights(
            {name: field for name, field in self.fields.items() if field.history is None}
        )
        if self.histories is None or not given:
            whole = self.model_copy(update={"fields": given | self.fields})
            return whole, whole.disagreements()
        problems = list(
            history_problems(
                self.histories,
                given,
                self.tasks,
                has_event_time=self.keys.event_time is not None,
                folded=self.logs.actions.folds if self.logs.actions is not None else (),
            )
        )
        if any(problem.place != ("histories",) for problem in problems):
            whole = self.model_copy(update={"fields": given})
        else:
            made = history_fields(self.histories, given, self.tasks)
            whole = self.model_copy(update={"fields": given | made})
        return whole, [*whole.disagreements(), *problems]

    @property
    def joints(self) -> dict[str, list[str]]:
        """The tasks whose scores make each joint probability of the export, by output."""
        return joints(self.tasks)

    @property
    def judged_tasks(self) -> dict[str, Task]:
        """The tasks, then the joint probabilities of chains as tasks of their own, by output."""
        return self.tasks | tasks_of_joints(self.tasks)

    @property
    def fingerprint(self) -> str:
        """A hash of what a client and a model must agree on, as 16 hexadecimal digits.

        It covers every field that requests carry, and the kind, label and sample space of every
        task, in any order. Log paths, training settings, tolerances, slices, serving limits and
        formula weights do not change it.
        """
        return _digest(self._contract())

    @property
    def earlier_fingerprint(self) -> str:
        """The fingerprint of version 0.1 and early 0.2, for which the order of fields counted."""
        text = json.dumps(self._contract())
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def part_digests(self) -> dict[str, str]:
        """Hashes of the parts of the fingerprint, of 6 digits, such as by ``fields.age``."""
        return {
            f"{section}.{name}": _digest(content)[:6]
            for section, parts in self._contract().items()
            for name, content in sorted(parts.items())
        }

    @property
    def history_digest(self) -> str:
        """A hash of what the numbers of histories depend on, as 16 hexadecimal digits.

        A state of histories goes on under another spec if both have the same digest.
        """
        return _digest(self._history_contract())

    @property
    def history_parts(self) -> dict[str, str]:
        """Hashes of the parts of `history_digest`, of 6 digits, such as by ``counts.user``."""
        contract = self._history_contract()
        if contract is None:
            return {}
        parts: dict[str, Any] = {"keys.event_time.timezone": contract["timezone"]}
        for section in ("fields", "tasks"):
            parts |= {f"{section}.{name}": part for name, part in contract[section].items()}
        for setting, content in contract["histories"].items():
            if setting in ("counts", "sequences"):
                parts |= {f"{setting}.{name}": part for name, part in content.items()}
            else:
                parts[f"histories.{setting}"] = content
        return {name: _digest(part)[:6] for name, part in parts.items()}

    def _history_contract(self) -> dict[str, Any] | None:
        contract = self._contract()
        made = self.histories
        if made is None:
            return None
        used = made.fields_read
        logged = {"side", "column", "table", "separator"}
        return {
            "histories": made.model_dump(
                mode="json", exclude={"warm_up_days": True, **READ_BY_MODEL}
            ),
            "fields": {
                name: field.model_dump(mode="json", include=logged)
                for name, field in self.fields.items()
                if name in used
            },
            "tasks": contract["tasks"],
            "timezone": self.keys.event_time.timezone if self.keys.event_time else None,
        }

    def _contract(self) -> dict[str, dict[str, Any]]:
        return {
            "fields": {
                name: field.model_dump(mode="json", exclude=_later_settings(field))
                | ({"timezone": self.timezone} if time_part(field) else {})
                for name, field in self.served.fields.items()
            },
            "tasks": {
                name: task.model_dump(mode="json", include={"kind", "label", "sample_space"})
                # Specs without conditions keep the fingerprints of earlier versions.
                | ({"given": task.given} if task.given is not None else {})
                for name, task in self.tasks.items()
            },
        }

    @property
    def timezone(self) -> str:
        """The IANA name of the zone in which days begin."""
        return self.keys.event_time.timezone if self.keys.event_time is not None else "UTC"

    @property
    def time_fields(self) -> dict[str, TimePart]:
        """The fields that are parts of the event time, by name."""
        parts = {name: time_part(field) for name, field in self.fields.items()}
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def deduplicates(self) -> bool:
        """Whether equal lines of the logs are one exposure."""
        return self.keys.deduplicates(self.logs)

    def negative_rates(self) -> dict[str, float]:
        """Return the share of negatives that each sampled task trains on."""
        return self.sampling.rates(self.tasks) if self.sampling is not None else {}

    def score_floors(self) -> dict[str, float]:
        """Return ε_k of the ranking formula by task: the least score that it tells from 0."""
        return {
            name: PROBABILITY_FLOOR if task.kind == "binary" else SCORE_FLOOR
            for name, task in self.tasks.items()
        }

    @property
    def training_only(self) -> dict[str, Field]:
        """The fields that only training has, by name."""
        return {
            name: field for name, field in self.fields.items() if field.training_only is not None
        }

    @property
    def served(self) -> Self:
        """The spec as requests know it: without the fields that only training has."""
        apart = self.training_only
        if not apart:
            return self
        left = {name: field for name, field in self.fields.items() if name not in apart}
        return self.model_copy(update={"fields": left})

    def fields_of(self, *sides: str) -> dict[str, Field]:
        """Return the fields of the given sides by name, in the spec's order."""
        return {name: field for name, field in self.fields.items() if field.side in sides}

    def _naming_problems(self) -> Iterable[Problem]:
        if not self.served.fields_of("item"):
            yield Problem(
                ("fields",),
                list(self.fields),
                "needs at least one field with side 'item', or all candidates are alike",
            )
        for part, names in (("fields", self.fields), ("tasks", self.tasks)):
            first: dict[str, str] = {}
            for name in names:
                other = first.setdefault(name.lower(), name)
                if other != name:
                    yield Problem(
                        (part, name),
                        name,
                        f"differs from {other!r} in case only, which TensorFlow's names of inputs "
                        "do not tell apart; name it otherwise",
                    )
        for name in self.fields.keys() & self.tasks.keys():
            yield Problem(
                ("tasks", name),
                name,
                "a field has the same name; each name may stand for one thing only",
            )

    def _reference_problems(self) -> Iterable[Problem]:
        yield from field_problems(
            self.fields, tables=self.logs.tables, keys=self.keys, histories=self.histories
        )
        folds = self.logs.actions.folds if self.logs.actions is not None else {}
        for name, field in self.fields.items():
            weights = getattr(field, "weights", None)
            if weights is not None and not folds.keys().isdisjoint({field.column or name, weights}):
                yield Problem(
                    ("fields", name, "weights"),
                    weights,
                    "a list with weights needs columns of the log; 'logs.actions.folds' makes "
                    "one of them",
                )
        yield from chain_problems(self.tasks)
        if self.sampling is not None:
            yield from sampling_problems(self.sampling, self.tasks)
        yield from label_group_problems(self.tasks, self.served.fields)
        if self.calibration is not None:
            yield from calibration_problems(self.calibration, self.tasks, self.served.fields)
        yield from formula_problems(self.ranking_formula.weights, self.tasks, self.joints)
        duration = self.ranking_formula.duration
        if duration is not None:
            numeric = [
                name
                for name, field in self.served.fields.items()
                if isinstance(field, NumericField) and field.side == "item"
            ]
            if duration.field not in numeric:
                yield Problem(
                    ("ranking_formula", "duration", "field"),
                    duration.field,
                    f"no such numeric item field: {closest_names(duration.field, numeric)}",
                )
        if self.logs.actions is not None:
            yield from event_log_problems(
                self.logs.actions,
                self.keys,
                self.logs.tables,
                self.weight.column if self.weight is not None else None,
                self.histories.arrival_time if self.histories is not None else None,
            )

    def _split_problems(self) -> Iterable[Problem]:
        if self.split.evaluation_days and self.keys.event_time is None:
            yield Problem(
                ("split", "evaluation_days"),
                self.split.evaluation_days,
                "needs 'keys.event_time' to tell the days apart",
            )
        if self.split.by == "user" and self.keys.user is None:
            yield Problem(("split", "by"), "user", "needs 'keys.user' to tell the users apart")
        if self.split.evaluation_files and self.logs.shown.connector is not None:
            yield Problem(
                ("split", "evaluation_files"),
                self.split.evaluation_files,
                f"{self.logs.shown.text} has no files; give 'evaluation_days' or "
                "'evaluation_share'",
            )

    def _optional_section_problems(self) -> Iterable[Problem]:
        for section, part in (("drift", self.drift), ("skew", self.skew)):
            for name, threshold in part.thresholds.items():
                path = (section, "thresholds", name)
                if name not in self.fields:
                    yield Problem(path, name, f"no such field: {closest_names(name, self.fields)}")
                elif section == "skew" and name in self.training_only:
                    yield Problem(path, name, "requests do not carry a field of training only")
                elif isinstance(self.fields[name], VectorField):
                    yield Problem(path, name, "a vector has no distribution to compare")
                elif threshold.measure == "l_infinity" and isinstance(
                    self.fields[name], NumericField
                ):
                    yield Problem(
                        path, name, "a numeric field has no 'l_infinity'; give 'jensen_shannon'"
                    )
        for name in self.tuner.weights if self.tuner else ():
            if name not in self.tasks:
                yield Problem(
                    ("tuner", "weights", name),
                    name,
                    f"no such task: {closest_names(name, self.tasks)}",
                )
