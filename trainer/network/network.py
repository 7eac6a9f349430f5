"""The network that is trained, exported and served: transformed features to logits and scores."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from feature_spec.feature_layout import IDS, LIST_WEIGHTS, NUMBERS, VECTORS, InputSide, Part
from trainer.layers.distribution_towers import DistributionTower
from trainer.layers.field_embedding import FieldEmbedding, SlotLayout, flattened, set_apart
from trainer.layers.fields.crosses import CrossNetwork
from trainer.layers.fields.exposure_tower import ExposureTower
from trainer.layers.fields.vector_projection import VectorProjection
from trainer.layers.flat_input import FlatInput, as_rows
from trainer.layers.personalisation import GatedInput, Personalisation
from trainer.layers.target_attention import History
from trainer.layers.tower import Tower
from trainer.loss.joint_loss import imputed_name
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.network.given_layers import cross_networks, exposure_towers, vector_projections
from trainer.network.history_attention import (
    Attention,
    EmbeddedSides,
    attention_layer,
    history_of,
)
from trainer.network.network_layout import NetworkLayout
from trainer.network.task_tables import TaskTables, task_tables
from trainer.network.task_tower import task_tower
from trainer.settings.model_config import TaskTableSettings
from trainer.settings.model_settings import ModelSettings
from trainer.settings.personalise import Personalise
from trainer.settings.train_config import Settings

# The embeddings that were looked up, for each set of tables by part and width.
Lookups: TypeAlias = "list[dict[Part, list[tf.Tensor]]]"


class AssembledNetwork(tf.keras.layers.Layer):
    """A network made of its parts: embeddings, attention, crosses, a sharing architecture, towers.

    Args:
        layout: the places of the fields.
        embeddings: the sets of embedding tables.
        sharing: maps the flattened field embeddings to one representation per task.
        towers: map representations to logits, in the order of the tasks.
        attentions: for each set of tables, the layers of the histories that candidates attend to.
        gates: for each set of tables, the gates by domain and by prior information; None for none.
        task_tables: the places of fields of which each task has embeddings of its own, in the last
            of `embeddings`; None for none.
        crosses: for each set of tables, what crosses the fields before `sharing`; none by default.
        exposure_towers: for each set of tables, what the fields of training only add to the logits;
            none by default.
        projections: for each set of tables, the layers of the vectors, in the order of the fields;
            none by default.
    """

    def __init__(
        self,
        layout: NetworkLayout,
        embeddings: list[FieldEmbedding],
        sharing: tf.keras.layers.Layer,
        towers: list[Tower],
        attentions: list[list[Attention]] | None = None,
        *,
        gates: list[Personalisation] | None = None,
        task_tables: TaskTables | None = None,
        crosses: list[CrossNetwork] | None = None,
        exposure_towers: list[ExposureTower] | None = None,
        projections: list[list[VectorProjection]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.layout = layout
        self.sharing = sharing
        self.embeddings = embeddings
        self.towers = towers
        self.attentions = attentions or [[] for _ in embeddings]
        self.gates = gates or []
        self.task_tables = task_tables
        self.crosses = crosses or []
        self.exposure_towers = exposure_towers or []
        self.projections = projections or [[] for _ in embeddings]

    def call(
        self,
        features: Mapping[str, tf.Tensor],
        training: bool | None = None,
        one_request: bool = False,
    ) -> dict[str, tf.Tensor]:
        """Compute the logits of each task.

        Args:
            features: transformed features: ids (B, S) and numbers (B, N) of the request side and of
                the candidate side.
            training: whether dropout is on.
            one_request: whether the request side belongs to one request, (1, ·), with C candidates,
                (C, ·). The request's part is then computed once.

        Returns:
            Logits by task, (B,); of a task with a head, (B, K).
        """
        lookups = self.look_up(features)
        inputs = self.flat_inputs(lookups, features, one_request, training=training)
        return self.logits(inputs, lookups, training=training)

    def embed(
        self, features: Mapping[str, tf.Tensor], one_request: bool = False
    ) -> list[tf.Tensor | FlatInput]:
        """Embed transformed features as the model reads them: (B, I) for each set of tables."""
        inputs = self.flat_inputs(self.look_up(features), features, one_request)
        return [gated.x for gated in self.gated(inputs)]

    def look_up(self, features: Mapping[str, tf.Tensor]) -> Lookups:
        """Look up the rows of all tables that transformed features name.

        Of fields that only training has, the rows of unknown values follow those of the batch.
        """
        looked_up = [self.layout.looked_up] * len(self.attentions)
        if self.task_tables is not None:
            looked_up.append(self.task_tables.slots)
        of_training = [one.slot for one in self.layout.training_only]
        result: Lookups = []
        for number, of_set in enumerate(looked_up):
            embedding = self.embeddings[number]
            lookups: dict[Part, list[tf.Tensor]] = {
                side: embedding(features[IDS[side]], slots=slots) if slots else []
                for side, slots in of_set.items()
            }
            if of_training and number < len(self.attentions):
                lookups["training"] = embedding(self._training_ids(features), slots=of_training)
            result.append(lookups)
        return result

    def _training_ids(self, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        unknown = [[one.slot.missing_row for one in self.layout.training_only]]
        known = features.get(IDS["training"])
        if known is None:
            return tf.constant(unknown, tf.int64)
        return tf.concat([known, tf.constant(unknown, known.dtype)], axis=0)

    def flat_inputs(
        self,
        lookups: Lookups,
        features: Mapping[str, tf.Tensor],
        one_request: bool = False,
        training: bool | None = None,
    ) -> list[tf.Tensor | FlatInput]:
        """Flatten what was looked up: (B, I) for each set of tables.

        Candidates attend to their histories, whose pooled vectors are the last fields. Crosses come
        after that. Behind the sets comes what each task has of its own, if there are tables of
        tasks; it is not crossed.
        """
        inputs = [
            self._flat_input(number, lookups[number], features, one_request, training)
            for number in range(len(self.attentions))
        ]
        if self.crosses:
            inputs = [cross(x) for cross, x in zip(self.crosses, inputs, strict=True)]
        if self.task_tables is not None:
            inputs += self.task_tables.inputs(lookups[-1], features, one_request=one_request)
        return inputs

    def histories(
        self, features: Mapping[str, tf.Tensor], one_request: bool = False
    ) -> list[list[History]]:
        """Return the inputs of the attention layers, for each set of tables."""
        return [
            self._histories(*self._flattened_sides(number, lookup, features), features, one_request)
            for number, lookup in enumerate(self.look_up(features)[: len(self.attentions)])
        ]

    def logits(
        self,
        inputs: list[tf.Tensor | FlatInput],
        lookups: Lookups,
        training: bool | None = None,
        *,
        imputed: bool = False,
    ) -> dict[str, tf.Tensor]:
        """Compute the dense part: flattened field embeddings (B, I) → logits by task, (B,).

        Args:
            inputs: what `flat_inputs` returned.
            lookups: what was looked up, of which the fields that only training has are read. Unless
                `training` is set, they are unknown.
            training: whether dropout is on.
            imputed: whether to add the logits of towers that only losses read.
        """
        gated = self.gated(inputs)
        of_towers = [gates for one in gated for gates in one.tower_gates]
        representations = self.sharing([one.x for one in gated], training=training)
        result = {
            task: tower(representation, training=training, gates=gates)
            for task, tower, representation, gates in zip(
                self.layout.tasks, self.towers, representations, of_towers, strict=True
            )
        }
        if self.exposure_towers:
            effects = tf.unstack(self._exposure_effects(lookups, training), axis=1)
            result = {
                task: tower.shifted(result[task], effect)
                for task, tower, effect in zip(result, self.towers, effects, strict=True)
            }
        return result | self.imputed_logits(representations, training) if imputed else result

    def imputed_logits(
        self, representations: Sequence[tf.Tensor], training: bool | None = None
    ) -> dict[str, tf.Tensor]:
        """Compute the logits of towers that only losses read, of which this network has none."""
        del representations, training
        return {}

    def _exposure_effects(self, lookups: Lookups, training: bool | None) -> tf.Tensor:
        """Return what the fields that only training has add to the logits, (B or 1, K)."""
        slots = [one.slot for one in self.layout.training_only]
        effects = []
        for tower, lookup in zip(self.exposure_towers, lookups, strict=False):
            _, apart = set_apart(lookup["training"], slots, ())
            effects.append(tower([apart[slot][0] for slot in slots], training=training))
        return tf.concat(effects, axis=1)

    def gated(self, inputs: Sequence[tf.Tensor | FlatInput]) -> list[GatedInput]:
        """Apply the gates by domain and by prior information to the input of each set of tables."""
        sets = len(self.attentions)
        if self.gates:
            gated = [gates(x) for gates, x in zip(self.gates, inputs[:sets], strict=True)]
        else:
            towers = len(self.towers) // sets
            gated = [GatedInput(x, None, [[] for _ in range(towers)]) for x in inputs[:sets]]
        # Embeddings of tasks' own have no gates. A gated input has no parts by side.
        are_split = isinstance(gated[0].x, FlatInput)
        of_tasks = [x if are_split else as_rows(x) for x in inputs[sets:]]
        return gated + [GatedInput(x, None, []) for x in of_tasks]

    def zero_inputs(self) -> list[tf.Tensor]:
        """Return a row of zeros for each input of the sharing architecture."""
        widths = [sum(self.layout.field_widths)] * len(self.attentions)
        if self.task_tables is not None:
            widths += [sum(self.task_tables.field_widths(self.layout))] * len(self.towers)
        return [tf.zeros([1, width]) for width in widths]

    def scores(self, logits: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Turn logits into scores, (B,): a probability, a number, or the mean that a head gives."""
        return {
            task: tf.sigmoid(logits[task])
            if kind == "binary"
            else tower.expected(logits[task])
            if isinstance(tower, DistributionTower)
            else logits[task]
            for (task, kind), tower in zip(self.layout.tasks.items(), self.towers, strict=True)
        }

    @property
    def heads(self) -> dict[str, DistributionTower]:
        """The towers that predict how a label is distributed, by task."""
        return {
            task: tower
            for task, tower in zip(self.layout.tasks, self.towers, strict=True)
            if isinstance(tower, DistributionTower)
        }

    def _flat_input(
        self,
        number: int,
        lookup: Mapping[Part, list[tf.Tensor]],
        features: Mapping[str, tf.Tensor],
        one_request: bool,
        training: bool | None,
    ) -> tf.Tensor | FlatInput:
        flat, apart = self._flattened_sides(number, lookup, features)
        candidate = flat["candidate"]
        if attentions := self.attentions[number]:
            histories = self._histories(flat, apart, features, one_request)
            pooled = [
                tf.cast(attention(history, training=training), candidate.dtype)
                for attention, history in zip(attentions, histories, strict=True)
            ]
            candidate = tf.concat([candidate, *pooled], axis=1)
        if "request" not in flat:
            return candidate
        return (
            FlatInput(tf.ensure_shape(flat["request"], [1, None]), candidate)
            if one_request
            else tf.concat([flat["request"], candidate], axis=1)
        )

    def _histories(
        self,
        flat: Mapping[InputSide, tf.Tensor],
        apart: Mapping[InputSide, Mapping[SlotLayout, tf.Tensor]],
        features: Mapping[str, tf.Tensor],
        one_request: bool,
    ) -> list[History]:
        embedded = EmbeddedSides(apart, features, self.layout.slots, flat)
        return [
            history_of(attention, embedded, one_request=one_request)
            for attention in self.layout.attentions
        ]

    def _flattened_sides(
        self,
        number: int,
        lookup: Mapping[Part, list[tf.Tensor]],
        features: Mapping[str, tf.Tensor],
    ) -> tuple[dict[InputSide, tf.Tensor], dict[InputSide, dict[SlotLayout, tf.Tensor]]]:
        """Flatten each side that has fields, and set apart what only attention reads.

        Args:
            number: the number of the set of tables.
            lookup: what was looked up in it.
            features: the transformed features.
        """
        projections = iter(self.projections[number])
        flat: dict[InputSide, tf.Tensor] = {}
        apart: dict[InputSide, dict[SlotLayout, tf.Tensor]] = {}
        for side, looked_up in self.layout.looked_up.items():
            slots = self.layout.slots[side]
            of_input, apart[side] = set_apart(lookup[side], looked_up, slots)
            if slots or self.layout.numbers[side]:
                ids = features[IDS[side]] if slots else None
                numbers = features[NUMBERS[side]] if self.layout.numbers[side] else None
                flat[side] = flattened(
                    of_input, ids, numbers, slots, features.get(LIST_WEIGHTS[side])
                )
            if places := self.layout.vectors_of(side):
                parts = tf.split(features[VECTORS[side]], [one.dimension for one in places], axis=1)
                fields = [next(projections)(part) for part in parts]
                flat[side] = tf.concat([*([flat[side]] if side in flat else []), *fields], axis=1)
        return flat, apart


class Network(AssembledNetwork):
    """The network of a model's settings.

    Args:
        layout: the sizes of the tables and the places of the fields.
        settings: the model and its settings.
    """

    sharing: SharingArchitecture

    def __init__(self, layout: NetworkLayout, settings: Settings, **kwargs: Any) -> None:
        own = None
        if isinstance(settings.model, TaskTableSettings):
            own = task_tables(layout, settings.model.task_fields, settings.model.task_width)
        sharing = build_architecture(
            settings.model,
            list(layout.tasks),
            layout.field_widths,
            pooled_fields=layout.pooled_fields,
            task_widths=own.field_widths(layout) if own else None,
            name="sharing",
        )
        sets = 1 if own else sharing.embeddings
        embeddings = [
            FieldEmbedding(layout.table_rows, sharing.initial_embedding, name=f"embedding_{number}")
            for number in range(sets)
        ]
        if own:
            rows = {width: layout.table_rows[width] for width in own.widths}
            embeddings.append(
                FieldEmbedding(rows, row_widths=own.row_widths, name="embedding_of_tasks")
            )
        towers = [task_tower(layout, settings.model, task) for task in layout.tasks]
        attentions = [
            [
                attention_layer(
                    attention,
                    settings.model.history_dropout_rate,
                    f"attention_{number}_{attention.name}",
                )
                for attention in layout.attentions
            ]
            for number in range(sets)
        ]
        gates = None
        if (personalise := settings.model.personalise) is not None:
            # Tasks with tables of their own have gates of their own, and one tower each.
            of_set = len(layout.tasks) // sets
            gates = [
                build_gates(
                    personalise,
                    layout,
                    [settings.model.tower_units] * of_set,
                    name=f"gates_{number}",
                )
                for number in range(sets)
            ]
        super().__init__(
            layout,
            embeddings,
            sharing,
            towers,
            attentions,
            gates=gates,
            task_tables=own,
            crosses=cross_networks(settings.model, sets),
            exposure_towers=exposure_towers(layout, sets),
            projections=vector_projections(layout, sets),
            **kwargs,
        )
        self.model_name = settings.name
        self.personalise = settings.model.personalise
        # They are trained, and never served.
        self.imputations = [
            Tower(
                settings.model.tower_units, settings.model.dropout_rate, name=f"imputation_{task}"
            )
            for task in layout.imputed
        ]

    def make_variables(self, features: Mapping[str, tf.Tensor]) -> None:
        """Make all variables, also those that only training reads.

        Args:
            features: transformed features of some rows.
        """
        self(features)
        if self.imputations:
            lookups = self.look_up(features)
            self.logits(self.flat_inputs(lookups, features), lookups, imputed=True)

    def imputed_logits(
        self, representations: Sequence[tf.Tensor], training: bool | None = None
    ) -> dict[str, tf.Tensor]:
        """Compute the logits of the labels that `escm2_dr` imputes, by `imputed_name`; (B,)."""
        places = list(self.layout.tasks)
        return {
            imputed_name(task): tower(representations[places.index(task)], training=training)
            for task, tower in zip(self.layout.imputed, self.imputations, strict=True)
        }

    @property
    def embedding_tables(self) -> list[tf.Variable]:
        """The embedding tables, which are updated row by row."""
        return [table for embedding in self.embeddings for table in embedding.trainable_variables]


def build_architecture(
    settings: ModelSettings,
    tasks: int | Sequence[str],
    field_widths: Sequence[int],
    *,
    pooled_fields: Sequence[int] = (),
    task_widths: Sequence[int] | None = None,
    **kwargs: Any,
) -> SharingArchitecture:
    """Build the model that settings describe.

    Args:
        settings: the settings of a model.
        tasks: names of the tasks; K, their number, is enough for settings that name none.
        field_widths: D of each field, in the order of the flattened input.
        pooled_fields: the fields that attention pools, by position.
        task_widths: the width of each field in the tables of tasks' own, 0 for none; None if these
            are as wide as the shared ones.
        kwargs: further arguments of a Keras layer, such as `name`.
    """
    module, _, name = settings.architecture.partition(":")
    kind: type[SharingArchitecture] = getattr(importlib.import_module(module), name)
    if kind.tells_fields_apart:
        kwargs["field_widths"] = field_widths
        kwargs["pooled_fields"] = pooled_fields
    if kind.has_task_tables:
        kwargs["field_widths"] = field_widths
        kwargs["task_widths"] = task_widths
    if isinstance(tasks, int):
        return kind(tasks, **settings.arguments, **kwargs)
    return kind(len(tasks), **settings.arguments_for(tasks), **kwargs)


def build_gates(
    settings: Personalise, layout: NetworkLayout, towers: Sequence[Sequence[int]], **kwargs: Any
) -> Personalisation:
    """Make the gates that settings ask for.

    Args:
        settings: the fields by name.
        layout: the places of the fields.
        towers: the units of the hidden layers of each tower that reads this set of embeddings.
        kwargs: further arguments of a Keras layer, such as `name`.
    """
    return Personalisation(
        layout.columns_of(settings.domain),
        layout.columns_of(settings.prior),
        width=sum(layout.field_widths),
        request_width=layout.request_width,
        units=settings.units,
        towers=towers,
        **kwargs,
    )
