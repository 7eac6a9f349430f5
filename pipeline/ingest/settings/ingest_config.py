"""The parts of a feature spec that ingestion depends on.

All other parts may change without a new ingestion.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic

from feature_spec.fields.field import (
    MultiCategoricalField,
    NumericField,
    SequenceField,
    VectorField,
)
from feature_spec.fields.time_parts import TimePart
from feature_spec.histories.histories import Histories
from feature_spec.histories.history_fields import CountColumns, count_columns
from feature_spec.logs.event_logs import Actions, FoldedColumn
from feature_spec.logs.logs import ACTIONS, Keys, Logs, Split
from feature_spec.logs.source import Source
from feature_spec.names import SPLITS, TRAIN, VALIDATION
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import StrictModel
from feature_spec.tasks.chain import conditions
from feature_spec.tasks.label_rule import LabelRule, SampleSpace, TaskKind
from feature_spec.tasks.task import Sampling, Task
from pipeline.ingest.settings.log_days import NeighbouringDay, neighbouring_days


def _label_rules(task: Task) -> dict[str, Any]:
    return {"kind": task.kind, "label": task.label, "sample_space": task.sample_space}


class IngestedField(StrictModel):
    """The rules by which a field is read.

    Attributes:
        kind: the kind of the field, as in the feature spec.
        column: the column with its values.
        table: the side table that has the column; None for the exposure log.
        separator: splits a text into the values of a list; None for fields of one value.
        minimum, maximum: the bounds of a number.
        dimension: the number of values of a vector.
        weights_of: the list whose weights the vector is.
    """

    kind: Literal["categorical", "multi_categorical", "sequence", "numeric", "vector"]
    column: str
    table: str | None = None
    separator: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    dimension: int | None = None
    weights_of: str | None = None


class IngestedCondition(StrictModel):
    """The rules for the label and the sample space of a task, as in the feature spec."""

    kind: TaskKind
    label: LabelRule
    sample_space: SampleSpace | None = None

    @property
    def columns(self) -> dict[str, str]:
        """The columns that the task reads, by the place in the task that names them."""
        named = {f"label.{setting}": column for setting, column in self.label.columns.items()}
        if self.sample_space is not None:
            named["sample_space.event"] = self.sample_space.event
        return named


class IngestedTask(IngestedCondition):
    """The rules for the label and the mask of a task.

    Attributes:
        given: the tasks whose labels must be 1, the first of the chain first.
    """

    given: list[IngestedCondition] = []

    @property
    def columns(self) -> dict[str, str]:
        """The columns that the task reads, by the place in the task that names them."""
        named = super().columns
        for number, condition in enumerate(self.given):
            named |= {f"given.{number}.{at}": name for at, name in condition.columns.items()}
        return named


class IngestSettings(StrictModel):
    """The settings of an ingestion, which the executor gets as JSON and the cache key contains.

    Attributes:
        keys, split: as in the feature spec.
        logs: as in the feature spec, with the day filled into patterns; `deduplicate` is None where
            equal lines are one exposure, else false.
        fields, tasks: rules by name; no fields of histories and of event times, which no column
            holds.
        time_fields: the fields that are parts of the event time, by name.
        sampling: as in the feature spec.
        weight: the column of the weights of examples; None where all count alike.
        histories: as in the feature spec, without what only the model reads; None without any.
        history_digest: what a state of the histories depends on, as in the feature spec.
        history_parts: hashes of the parts of that, to say what differs.
        day: the only day to ingest, none of which is set aside to judge the model; None for all
            days of the logs.
        neighbouring_days: the days around, whose events may belong to events of `day`. (The name is
            part of the cache key.)
        export_tables: whether the side tables are written beside the examples, for pushed versions.
        actions_of_all_days: whether the actions of one day cannot be read alone, so that their
            times tell the days apart.
    """

    keys: Keys
    logs: Logs
    split: Split
    fields: dict[str, IngestedField]
    tasks: dict[str, IngestedTask]
    time_fields: dict[str, TimePart] = {}
    sampling: Sampling | None = None
    weight: str | None = None
    histories: Histories | None = None
    history_digest: str = ""
    history_parts: dict[str, str] = {}
    # JSON has no dates.
    day: Annotated[datetime.date | None, pydantic.Field(strict=False)] = None
    neighbouring_days: list[NeighbouringDay] = []
    actions_of_all_days: bool = False
    export_tables: bool = False

    @classmethod
    def from_spec(cls, spec: FeatureSpec, day: datetime.date | None = None) -> IngestSettings:
        """Take the parts of a spec that the ingestion of a day, or of all days, depends on."""
        fields = {}
        for name, field in spec.fields.items():
            if field.history is not None or name in spec.time_fields:
                continue
            bounds = (
                (field.minimum, field.maximum) if isinstance(field, NumericField) else (None, None)
            )
            fields[name] = IngestedField(
                kind=field.kind,
                column=field.column or name,
                table=field.table,
                separator=field.separator
                if isinstance(field, MultiCategoricalField | SequenceField | VectorField)
                else None,
                minimum=bounds[0],
                maximum=bounds[1],
                dimension=field.dimension if isinstance(field, VectorField) else None,
                weights_of=field.weights_of if isinstance(field, VectorField) else None,
            )
        tasks = {
            name: IngestedTask(
                **_label_rules(task),
                given=[
                    IngestedCondition(**_label_rules(spec.tasks[given]))
                    for given in conditions(spec.tasks, name)
                ],
            )
            for name, task in spec.tasks.items()
        }
        return cls(
            keys=spec.keys,
            logs=spec.logs.of_day(day, spec.timezone).model_copy(
                update={"deduplicate": None if spec.deduplicates else False}
            ),
            split=spec.split,
            fields=fields,
            tasks=tasks,
            time_fields=spec.time_fields,
            sampling=spec.sampling,
            weight=spec.weight.column if spec.weight is not None else None,
            histories=spec.histories.ingested() if spec.histories is not None else None,
            history_digest=spec.history_digest if spec.histories is not None else "",
            history_parts=spec.history_parts,
            day=day,
            export_tables=spec.serving.export_tables,
            neighbouring_days=neighbouring_days(spec.logs, spec.keys, day)
            if day is not None
            else [],
            actions_of_all_days=day is not None
            and spec.logs.actions is not None
            and not spec.logs.actions.has_day,
        )

    def to_json(self) -> str:
        """Return JSON that `model_validate_json` reads. Defaults are left out, given or not."""
        return self.model_dump_json(exclude_defaults=True)

    @property
    def deduplicates(self) -> bool:
        """Whether equal lines of the logs are one exposure."""
        return self.logs.deduplicate is not False

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits to write."""
        return SPLITS if self.day is None else (TRAIN, VALIDATION)

    @property
    def sources(self) -> dict[str | None, Source]:
        """The log of exposures or impressions under None, then actions, and side tables by name."""
        sources: dict[str | None, Source] = {None: self.logs.shown}
        if self.logs.actions is not None:
            sources[ACTIONS] = self.logs.actions
        return sources | dict(self.logs.tables)

    def place_of(self, source: str | None) -> str:
        """Return the path of a source in the feature spec."""
        if source is None:
            return "logs.exposures" if self.logs.exposures is not None else "logs.impressions"
        return f"logs.tables.{source}" if source in self.logs.tables else f"logs.{source}"

    @property
    def join_columns(self) -> list[str]:
        """The columns that join actions to impressions; empty without event logs."""
        if self.logs.actions is None:
            return []
        first = self.keys.request if self.logs.actions.join_by == "request" else self.keys.user
        return [column for column in (first, self.keys.item) if column is not None]

    @property
    def history_columns(self) -> dict[str, list[CountColumns]]:
        """The fields of each count, for each of its windows."""
        counts = self.histories.counts if self.histories is not None else {}
        return {name: count_columns(name, count, self.tasks) for name, count in counts.items()}

    @property
    def timezone(self) -> str:
        """The IANA name of the zone in which days begin."""
        return self.keys.event_time.timezone if self.keys.event_time is not None else "UTC"

    def key_field(self, table: str) -> str | None:
        """Return the field that has a side table's key, by which a request names a row, if any."""
        side = self.logs.tables[table]
        column = side.exposure_key or side.key
        of_log = self.fields_of(None).items()
        return next((name for name, field in of_log if field.column == column), None)

    def fields_of(self, table: str | None) -> dict[str, IngestedField]:
        """Return the fields of a side table, or of the exposure log (None)."""
        return {name: field for name, field in self.fields.items() if field.table == table}

    def columns_of(self, table: str | None) -> dict[str, str]:
        """Return the columns to read from a source, each with the first spec path that names it."""
        where = f"{self.place_of(table)}.where"
        named: list[tuple[str, str]] = [(column, where) for column in self.sources[table].where]
        folded: Mapping[str, FoldedColumn] = {}
        if table is None:
            keys = {"request": self.keys.request, "user": self.keys.user, "item": self.keys.item}
            named += [(column, f"keys.{key}") for key, column in keys.items() if column is not None]
            if self.weight is not None:
                named.append((self.weight, "weight.column"))
            if self.keys.event_time is not None:
                named.append((self.keys.event_time.column, "keys.event_time.column"))
            named += [
                (side.exposure_key or side.key, f"logs.tables.{name}")
                for name, side in self.logs.tables.items()
            ]
            if self.logs.impressions is not None and self.logs.impressions.event_id is not None:
                named.append((self.logs.impressions.event_id, "logs.impressions.event_id"))
            folded = self.logs.actions.folds if self.logs.actions is not None else {}
            named += [
                (column, place)
                for column, place in self._columns_of_histories()
                if column not in folded
            ]
            for name, task in self.tasks.items():
                read = task.columns.items()
                named += [
                    (column, f"tasks.{name}.{place}")
                    for place, column in read
                    if column not in folded
                ]
        elif table == ACTIONS and self.logs.actions is not None:
            of_actions = _columns_of_actions(self.logs.actions, self.join_columns)
            return dict(named) | of_actions
        else:
            side = self.logs.tables[table]
            named.append((side.key, f"logs.tables.{table}.key"))
            if side.display is not None:
                named.append((side.display, f"logs.tables.{table}.display"))
        fields = self.fields_of(table).items()
        named += [
            (
                field.column,
                f"fields.{name}"
                if field.weights_of is None
                else f"fields.{field.weights_of}.weights",
            )
            for name, field in fields
            if table is not None or field.column not in folded
        ]
        return dict(reversed(named))

    def _columns_of_histories(self) -> list[tuple[str, str]]:
        if self.histories is None:
            return []
        arrival = self.histories.arrival_time
        named = [(arrival.column, "histories.arrival_time.column")] if arrival is not None else []
        return named + [
            (sequence.where.event, f"histories.sequences.{name}.where.event")
            for name, sequence in self.histories.sequences.items()
            if sequence.where is not None
        ]


def _columns_of_actions(actions: Actions, join_columns: list[str]) -> dict[str, str]:
    named = dict.fromkeys(join_columns, "logs.actions.join_by")
    named |= {
        actions.kind: "logs.actions.kind",
        actions.event_time.column: "logs.actions.event_time.column",
    }
    if actions.event_id is not None:
        named[actions.event_id] = "logs.actions.event_id"
    for name, column in actions.folds.items():
        if column.value is not None:
            named.setdefault(column.value, f"logs.actions.folds.{name}.value")
    return named
