"""Fields: what a ranker reads about a user, a candidate item and the request's context."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import pydantic
from pydantic import PositiveInt, model_validator

from feature_spec.strict_model import StrictModel

Side = Literal["user", "item", "context"]
Share = Annotated[float, pydantic.Field(ge=0.0, le=1.0)]


class Vocabulary(StrictModel):
    """Values seen at least `min_count` times get a row of their own; the rest are hashed to `oov_buckets` rows."""

    min_count: PositiveInt = 1
    oov_buckets: PositiveInt = 1


class BaseField(StrictModel):
    """What every kind of field has.

    Attributes:
        side: whose property it is. `user` and `context` fields are sent once a ranking request,
            `item` fields once a candidate.
        column: the column of the log or side table. Defaults to the field's name.
        table: the side table that holds the column. Defaults to the exposure log itself.
        min_presence: the smallest share of examples that must carry a value; fewer is an anomaly
            that stops the pipeline.
    """

    side: Side
    column: str | None = None
    table: str | None = None
    min_presence: Share = 0.0


class EmbeddedField(BaseField):
    """A field whose values are looked up in an embedding table.

    Attributes:
        vocabulary: one row a frequent value. The default, with its defaults, where neither this nor
            `hash_buckets` is given.
        hash_buckets: rows that all values are hashed to, for values too many to list. Excludes
            `vocabulary`.
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
        """The vocabulary in force; None for a hashed field."""
        return None if self.hash_buckets else self.vocabulary or Vocabulary()


class CategoricalField(EmbeddedField):
    """One value. A missing one takes `default`, or an embedding row of its own where there is no default."""

    kind: Literal["categorical"]
    default: str | None = None


class MultiCategoricalField(EmbeddedField):
    """Several values, such as tags, averaged into one embedding.

    Attributes:
        separator: splits the text of a source without lists (CSV).
        max_length: values kept of each example; later ones are dropped.
    """

    kind: Literal["multi_categorical"]
    separator: str = ","
    max_length: PositiveInt = 8


class SequenceField(BaseField):
    """Recent values of another field (such as item ids, newest first), averaged; shares that field's embedding rows.

    Attributes:
        shares: the categorical field whose rows it reads.
        separator: splits the text of a source without lists (CSV).
        max_length: values kept of each example; later ones are dropped.
    """

    kind: Literal["sequence"]
    shares: str
    separator: str = ","
    max_length: PositiveInt = 20


class NumericField(BaseField):
    """A number.

    Attributes:
        transform: `z_score`; `log1p_z_score`, for skewed numbers of at least 0; or `quantiles`, an
            embedding row a bucket.
        buckets: number of quantile buckets. Only with `quantiles`.
        width: embedding width of a quantile bucket. Only with `quantiles`.
        minimum: the smallest valid number; a record below it is rejected.
        maximum: the largest valid number; a record above it is rejected.
        default: stands in for a missing number. Without one it is the mean (z-scores) or a row of
            its own (`quantiles`).
    """

    kind: Literal["numeric"]
    transform: Literal["z_score", "log1p_z_score", "quantiles"] = "z_score"
    buckets: Annotated[int, pydantic.Field(ge=2)] = 32
    width: PositiveInt = 16
    minimum: float | None = None
    maximum: float | None = None
    default: float | None = None

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> Self:
        if self.transform != "quantiles":
            idle = sorted({"buckets", "width"} & self.model_fields_set)
            if idle:
                raise ValueError(
                    f"{' and '.join(map(repr, idle))} only works with transform 'quantiles', received {self.transform!r}"
                )
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"'minimum' {self.minimum} is above 'maximum' {self.maximum}")
        if self.transform == "log1p_z_score" and (self.minimum is None or self.minimum < 0):
            raise ValueError(
                f"transform 'log1p_z_score' needs a 'minimum' of at least 0, received {self.minimum}"
            )
        return self


Field = Annotated[
    CategoricalField | MultiCategoricalField | SequenceField | NumericField,
    pydantic.Field(discriminator="kind"),
]
