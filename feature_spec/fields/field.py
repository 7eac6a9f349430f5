"""Fields, the inputs of a ranker: of the user, the candidate item and the request's context."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self

import pydantic
from pydantic import model_validator

from feature_spec.fields.time_parts import TimePart
from feature_spec.strict_model import (
    Float32,
    PositiveFloat32,
    PositiveInt,
    Problem,
    StrictModel,
    Text,
    closest_names,
    validation_error,
)

Side = Literal["user", "item", "context"]
Share = Annotated[float, pydantic.Field(ge=0.0, le=1.0)]
_MOST_IN_VECTOR = 4096
Pooling = Literal["mean", "dot_product", "activation_unit"]


class Vocabulary(StrictModel):
    """The vocabulary of a categorical field.

    Attributes:
        min_count: the number of occurrences from which a value has an embedding row of its own.
        oov_buckets: the number of rows that all other values are hashed to.
    """

    min_count: PositiveInt = 1
    oov_buckets: PositiveInt = 1


class TrainingOnly(StrictModel):
    """A field that only training has, because a ranking request cannot know it.

    Attributes:
        dropout_rate: the share of values that training takes for unknown, as all are when served.
    """

    dropout_rate: Annotated[float, pydantic.Field(gt=0.0, lt=1.0)] = 0.1


class BaseField(StrictModel):
    """The settings of every kind of field.

    Attributes:
        side: the side that the field describes. A ranking request carries `user` and `context`
            fields once, and `item` fields once per candidate.
        column: the column of the log or side table. Defaults to the field's name.
        table: the side table that holds the column. Defaults to the exposure log.
        min_presence: the smallest share of examples with a value; a smaller share is an anomaly
            that stops the pipeline.
        history: the history that the field is made of, see `feature_spec.histories`; no log holds
            its values, and no spec gives it.
        training_only: makes a field of the log, such as the place in the list or the device, one
            that only training has: it moves the logits of the tasks there, and requests do not
            carry it.
    """

    side: Side
    column: Text | None = None
    table: str | None = None
    min_presence: Share = 0.0
    history: str | None = None
    training_only: TrainingOnly | None = None


class EmbeddedField(BaseField):
    """A field whose values are looked up in an embedding table.

    Attributes:
        vocabulary: gives each frequent value its own row. Without `vocabulary` and `hash_buckets`,
            the field has a vocabulary with default settings.
        hash_buckets: the number of rows that all values are hashed to, if they are too many to
            list. Excludes `vocabulary`.
        width: embedding width D. Fields of one width share one table.
    """

    vocabulary: Vocabulary | None = None
    hash_buckets: PositiveInt | None = None
    width: PositiveInt = 16

    @model_validator(mode="after")
    def _one_way_to_a_row(self) -> Self:
        if self.vocabulary and self.hash_buckets:
            raise ValueError("has both 'vocabulary' and 'hash_buckets'; give one of them")
        return self

    @property
    def vocabulary_or_default(self) -> Vocabulary | None:
        """The vocabulary of the field; None for a hashed field."""
        return None if self.hash_buckets else self.vocabulary or Vocabulary()


class CategoricalField(EmbeddedField):
    """A field with one value.

    Attributes:
        default: stands in for a missing value. Without it, a missing value has its own embedding
            row.
        from_: `event_time` for a context field that no column holds: a part of the event time in
            the spec's time zone, which the client fills in from the time of the request. (The key
            is `from`.)
        part: the part: `hour` (0 to 23), `weekday` (1, Monday, to 7) or `hour_of_week` (0 to 167).
    """

    kind: Literal["categorical"]
    default: str | None = None
    from_: Annotated[Literal["event_time"] | None, pydantic.Field(alias="from")] = None
    part: TimePart | None = None

    @model_validator(mode="after")
    def _part_of_a_time(self) -> Self:
        if (self.from_ is None) != (self.part is None):
            raise ValueError(
                "'from: event_time' and 'part: hour', 'weekday' or 'hour_of_week' belong together; "
                f"received {'part' if self.part else 'from'} alone"
            )
        if self.part is not None and (self.side != "context" or self.column or self.table):
            raise ValueError(
                "'from: event_time' needs side 'context', and neither 'column' nor 'table': the "
                "time is that of the request"
            )
        return self


class MultiCategoricalField(EmbeddedField):
    """A field with several values, such as tags, averaged into one embedding.

    Attributes:
        separator: splits the text of a source without lists (CSV).
        max_length: the number of values kept of each example; later values are dropped.
        weights: the column with a list of weights, one of at least 0 for each value, where the
            values are. The embedding is then Σ wᵢ eᵢ / Σ wᵢ: zeros if all weights are 0, and the
            plain mean of a row without weights. Requests carry them by the column's name.
    """

    kind: Literal["multi_categorical"]
    separator: Text = ","
    max_length: PositiveInt = 8
    weights: Text | None = None

    @model_validator(mode="after")
    def _several_weights(self) -> Self:
        if self.weights is not None and not 2 <= self.max_length <= _MOST_IN_VECTOR:
            raise ValueError(
                f"'weights' need a 'max_length' from 2 to {_MOST_IN_VECTOR}; received "
                f"{self.max_length}"
            )
        return self


class SequenceField(BaseField):
    """Recent values of another field, such as item ids, newest first.

    The sequence shares the embedding rows of that field.

    Attributes:
        shares: the field whose rows the sequence reads.
        separator: splits the text of a source without lists (CSV).
        max_length: the number of values kept of each example; later values are dropped.
        pooling: `mean` of all values; or a weighted sum, in which a candidate attends to each value
            by a `dot_product` of several heads, or by DIN's `activation_unit`.
        heads: the number of heads of `dot_product`.
    """

    kind: Literal["sequence"]
    shares: str
    separator: Text = ","
    max_length: PositiveInt = 20
    pooling: Pooling = "mean"
    heads: PositiveInt = 4


class NumericField(BaseField):
    """A field with a number.

    Attributes:
        transform: `z_score`; `log1p_z_score`, for skewed numbers of at least 0; `quantiles`, with
            an embedding row for each bucket; or `rate` and `log_odds`, for a sum over as many
            events as the field `of` says: r = (sum + α·p₀) / (events + α), where p₀ is the rate of
            all examples, z-scored as it is or as log(r / (1 − r)).
        buckets: the number of quantile buckets. Only with `quantiles`.
        width: embedding width of a quantile bucket. Only with `quantiles`.
        minimum: the smallest valid number; a record below it is rejected.
        maximum: the largest valid number; a record above it is rejected.
        default: stands in for a missing number, from `minimum` to `maximum`. Without it, a missing
            number becomes the mean (z-scores) or has its own row (`quantiles`).
        of: the numeric field with the number of events. Only with `rate` and `log_odds`.
        smoothing: α, the number of events that p₀ weighs. Only with `rate` and `log_odds`.
    """

    kind: Literal["numeric"]
    transform: Literal["z_score", "log1p_z_score", "quantiles", "rate", "log_odds"] = "z_score"
    buckets: Annotated[int, pydantic.Field(ge=2)] = 32
    width: PositiveInt = 16
    minimum: float | None = None
    maximum: float | None = None
    default: Float32 | None = None
    of: str | None = None
    smoothing: PositiveFloat32 = 20.0

    @property
    def is_rate(self) -> bool:
        """Whether the field is a sum over the events of another field."""
        return self.transform in ("rate", "log_odds")

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        problems: list[Problem] = []

        def found(setting: str, text: str) -> None:
            problems.append(Problem((setting,), getattr(self, setting), text))

        idle = sorted({"buckets", "width"} & self.model_fields_set)
        if self.transform != "quantiles" and idle:
            found(
                "transform",
                f"{' and '.join(map(repr, idle))} only works with transform 'quantiles', "
                f"received {self.transform!r}",
            )
        idle = sorted({"of", "smoothing"} & self.model_fields_set)
        if not self.is_rate and idle:
            found(
                "transform",
                f"{' and '.join(map(repr, idle))} only works with transform 'rate' or 'log_odds', "
                f"received {self.transform!r}",
            )
        if self.is_rate and self.of is None:
            found("of", f"transform {self.transform!r} needs 'of', the field with the events")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            found("minimum", f"'minimum' {self.minimum} is above 'maximum' {self.maximum}")
        if self.transform == "log1p_z_score" and (self.minimum is None or self.minimum < 0):
            found(
                "minimum",
                "transform 'log1p_z_score' needs a 'minimum' of at least 0, "
                f"received {self.minimum}",
            )
        if self.default is not None:
            if self.minimum is not None and self.default < self.minimum:
                found("default", f"'default' {self.default} is below 'minimum' {self.minimum}")
            if self.maximum is not None and self.default > self.maximum:
                found("default", f"'default' {self.default} is above 'maximum' {self.maximum}")
        if problems:
            raise validation_error(type(self), problems)
        return self


class VectorField(BaseField):
    """A vector that another model has computed, such as the embedding of a picture or a text.

    The model reads LayerNorm(W v); W is learnt, v is not.

    Attributes:
        dimension: d, the number of values of v.
        project: the number of rows of W, the width of the field.
        normalise: whether v is scaled to length 1 first, for vectors whose direction counts alone.
        encoder: names the model that computes v, and its version. It is part of the spec's
            fingerprint: vectors of two encoders are not comparable.
        separator: splits the text of a source without lists (CSV).
        weights_of: the list whose weights v is, padded with zeros, which no model projects; no spec
            gives it.
    """

    kind: Literal["vector"]
    dimension: Annotated[int, pydantic.Field(ge=2, le=_MOST_IN_VECTOR)]
    project: PositiveInt = 32
    normalise: bool = False
    encoder: Text | None = None
    separator: Text = ","
    weights_of: str | None = None


def has_a_row(field: BaseField) -> bool:
    """Return whether each example has one row of an embedding table for a field."""
    return isinstance(field, CategoricalField) or (
        isinstance(field, NumericField) and field.transform == "quantiles"
    )


def time_part(field: BaseField) -> TimePart | None:
    """Return the part of the event time that a field is; None for other fields."""
    return field.part if isinstance(field, CategoricalField) else None


Field = Annotated[
    CategoricalField | MultiCategoricalField | SequenceField | NumericField | VectorField,
    pydantic.Field(discriminator="kind"),
]


def rate_problems(name: str, field: NumericField, fields: Mapping[str, Field]) -> Iterable[Problem]:
    """Yield what is wrong with the number of events that a rate names."""
    events = [
        other
        for other, kind in fields.items()
        if isinstance(kind, NumericField) and other != name and kind.side == field.side
    ]
    if field.of is not None and field.of not in events:
        yield Problem(
            ("fields", name, "of"),
            field.of,
            f"no such numeric {field.side} field: {closest_names(field.of, events)}",
        )
