"""The SavedModel: network, transform graph and ranking formula behind signatures."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf

from feature_spec import names
from feature_spec.artifacts.calibration import CALIBRATION_FILE
from feature_spec.artifacts.head_distribution import HeadDistribution
from feature_spec.artifacts.inspection import INSPECTION_FILE
from feature_spec.histories.attention import attended_histories
from feature_spec.spec import FeatureSpec
from trainer.calibration.calibrators import Calibrators
from trainer.calibration.validation_fit import Fitted
from trainer.export.quantile_scores import QuantileScores
from trainer.export.ranking_score import (
    as_ranking_score,
    correct_sampling,
    joint_probabilities,
    log_number,
    log_probability,
    log_ranking_score,
)
from trainer.export.request_checks import checked_inputs, checked_scores, with_valid_numbers
from trainer.export.request_signature import (
    as_parsed_fields,
    parsed_fields,
    parsed_labels,
    request_signature,
)
from trainer.export.served_network import half_precision_network, pruned_network
from trainer.export.small_tables import with_small_tables
from trainer.export.xla_scorer import XlaScorer
from trainer.inputs.label_quantiles import LabelQuantiles
from trainer.inputs.transform_graph import TransformGraph
from trainer.inspect.exposure_effects import exposure_effects
from trainer.inspect.signature import gated_parts, inspection_guide, introspection_outputs
from trainer.network.network import AssembledNetwork, Network
from trainer.network.network_layout import field_names, field_rows
from trainer.network.vocabulary import Vocabulary
from trainer.pruning.pruned_sharing import can_be_pruned

logger = logging.getLogger("fulcrum.trainer")

_SPEC_NOTE = (
    "# What the model was trained with. Stand-ins take the place of what the trainer does not "
    "read: logs, split, thresholds.\n"
)


class ExportedRanker(tf.Module):
    """Scores raw fields by the signatures of an export.

    Args:
        spec: the feature spec, whose fields are read and whose tasks are scored.
        network: a trained network, pruned if possible.
        transform: the transform graph. The exported object must hold it as an attribute, or else
            its lookup tables are not initialized.
        inspected: the whole network, if its inside depends on examples; see `needs_examples`.
        xla: whether ranking requests are scored by XLA.
        presence: the share of training examples with a value, by field; None if it is not known.
        calibrators: calibrate logits; None leaves them as they are.
        quantiles: the distributions of labels, of tasks that predict quantiles.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        network: AssembledNetwork,
        transform: TransformGraph,
        inspected: AssembledNetwork | None = None,
        *,
        xla: bool = False,
        presence: Mapping[str, float] | None = None,
        calibrators: Calibrators | None = None,
        quantiles: Mapping[str, LabelQuantiles] | None = None,
    ) -> None:
        super().__init__(name="ranker")
        self.spec = spec
        self.network = network
        self.transform = transform
        self.inspected = inspected
        # Pairs, since a module wraps mappings.
        self._presence = tuple((presence or {}).items())
        self._calibrators = calibrators
        self._values = QuantileScores(quantiles or {})
        self.xla_scorer = XlaScorer(network, spec.serving.candidate_counts) if xla else None

    def signatures(self) -> dict[str, Any]:
        """Return the functions to export by signature name."""
        examples = tf.TensorSpec([None], tf.string, name="examples")
        signatures = {
            names.SERVING_DEFAULT: tf.function(
                self.score_examples, input_signature=[examples], autograph=False
            ),
            names.RANK: self._rank_function(self.rank),
            names.RANK_TOP_K: self._rank_function(
                self.rank_top_k, tf.TensorSpec([], tf.int32, name=names.TOP_K)
            ),
            names.TRANSFORM_FEATURES: tf.function(
                self.transform_examples, input_signature=[examples], autograph=False
            ),
        }
        if self.inspected is not None:
            signatures[names.INSPECT] = self._inspect_function(self.inspected)
        if self._presence:
            signatures[names.FIELD_PRESENCE] = tf.function(
                self._told_presence, input_signature=[], autograph=False
            )
        return signatures

    def score_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Score serialized tf.Examples, (B,).

        Returns:
            A score for each task, and the ranking score with the spec's weights, also as its
            logarithm; each (B,).
        """
        fields = self._fields(examples)
        features = self.transform(dict(fields))
        logits = self._corrected(self.network(features), features)
        weights = {name: tf.constant(weight) for name, weight in self._default_weights().items()}
        return self._all_scores(logits, weights, fields, features)

    def transform_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Transform serialized tf.Examples, (B,), to features, labels and masks."""
        return self.transform({**self._fields(examples), **parsed_labels(self.spec, examples)})

    def rank(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Score C candidates for one user and context.

        Args:
            inputs: raw fields (`request_signature`), the formula's weights, and the spec's
                fingerprint as the client knows it.

        Returns:
            A score for each task, and the ranking score, also as its logarithm; each (C,).

        Raises:
            tf.errors.InvalidArgumentError: an input is refused, see `checked_inputs`, or a score is
                no finite number.
        """
        return self._rank(checked_inputs(self.spec, inputs))

    def _rank(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        fields = {name: inputs[name] for name in self.spec.fields}
        features = {}
        # The two sides differ in their number of rows, and the features of a side depend on its own
        # fields only.
        for sides in (("user", "context"), ("item",)):
            of_sides = {name: fields[name] for name in self.spec.fields_of(*sides)}
            if of_sides:
                features.update(self.transform(as_parsed_fields(self.spec, of_sides)))
        logits = (
            self.xla_scorer(features)
            if self.xla_scorer
            else self.network(features, one_request=True)
        )
        logits = self._corrected(logits, features)
        return checked_scores(self._all_scores(logits, inputs, fields, features))

    def rank_top_k(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Score the candidates of a request and return the best K, best first.

        They are ordered by the log ranking score. Candidates with equal ones keep the order of the
        request. All candidates are returned if there are fewer than K.

        Args:
            inputs: the inputs of `rank`, and `top_k`, K, a scalar.

        Returns:
            The candidates' positions in the request, int32 (K,), and their results of `rank`, each
            (K,).

        Raises:
            tf.errors.InvalidArgumentError: K is below 1, or `rank` refuses the request.
        """
        inputs = checked_inputs(self.spec, inputs)
        results = self._rank(inputs)
        order = results[names.LOG_RANKING_SCORE]
        positions = tf.math.top_k(order, tf.minimum(inputs[names.TOP_K], tf.size(order))).indices
        return {names.POSITION: positions} | {
            name: tf.gather(values, positions) for name, values in results.items()
        }

    def _inspect_function(self, network: AssembledNetwork) -> Any:
        """Make the signature `inspect`: weights of gates and entries, masks of sub-networks."""

        def inspect_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
            features = self.transform(self._fields(examples))
            return introspection_outputs(network, features)

        return tf.function(
            inspect_examples,
            input_signature=[tf.TensorSpec([None], tf.string, name="examples")],
            autograph=False,
        )

    def _told_presence(self) -> dict[str, tf.Tensor]:
        fields, shares = zip(*self._presence, strict=True)
        return {
            names.FIELD: tf.constant(fields),
            names.PRESENT_SHARE: tf.constant(shares, tf.float32),
        }

    def _fields(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return with_valid_numbers(self.spec, parsed_fields(self.spec, examples))

    def _corrected(
        self, logits: Mapping[str, tf.Tensor], features: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Undo the sampling, then calibrate: logits by task as the network computes them, (B,)."""
        corrected = correct_sampling(logits, self.spec.negative_rates())
        return self._calibrators(corrected, features) if self._calibrators else corrected

    def _all_scores(
        self,
        logits: Mapping[str, tf.Tensor],
        weights: Mapping[str, tf.Tensor],
        fields: Mapping[str, tf.Tensor],
        features: Mapping[str, tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        """Return the scores of the tasks and the ranking score, also as its logarithm; (B,) each.

        Args:
            logits: logits by task, (B,), corrected and calibrated.
            weights: exponents of the formula by the names of inputs, scalars.
            fields: raw fields by name, of which the duration is read.
            features: transformed features, of which the groups of quantiles are read.
        """
        scores = self._values(self.network.scores(logits), features)
        kinds = self.network.layout.tasks
        # A probability gives its logarithm by its logit, where it may round to 0 or 1.
        probabilities = [task for task, kind in kinds.items() if kind == "binary"]
        numbers = [task for task, kind in kinds.items() if kind != "binary"]
        log_scores = [
            of_kind(tf.stack([values[task] for task in tasks]))
            for of_kind, values, tasks in (
                (log_probability, logits, probabilities),
                (log_number, scores, numbers),
            )
            if tasks
        ]
        formula = self.spec.ranking_formula
        log_score = log_ranking_score(
            formula,
            tf.concat(log_scores, axis=0),
            tf.stack([weights[names.weight_name(task)] for task in [*probabilities, *numbers]]),
            fields[formula.duration.field] if formula.duration else None,
            weights.get(names.DURATION_WEIGHT),
        )
        return {
            **scores,
            **joint_probabilities(scores, self.spec.joints),
            names.RANKING_SCORE: as_ranking_score(log_score),
            names.LOG_RANKING_SCORE: log_score,
        }

    def _default_weights(self) -> dict[str, float]:
        formula = self.spec.ranking_formula
        weights = {
            names.weight_name(task): formula.weights.get(task, 0.0) for task in self.spec.tasks
        }
        if formula.duration:
            weights[names.DURATION_WEIGHT] = formula.duration.weight
        return weights

    def _rank_function(self, rank: Callable[[dict[str, Any]], Any], *further: tf.TensorSpec) -> Any:
        """Make a tf.function with a named argument for each input of `rank`.

        Defaults that are tensors become `SignatureDef.defaults`.
        """
        defaults = {name: tf.constant(weight) for name, weight in self._default_weights().items()}
        defaults[names.SPEC_FINGERPRINT] = tf.constant(self.spec.fingerprint)
        # Arguments with defaults come last.
        signature = request_signature(self.spec) | {spec.name: spec for spec in further}
        signature |= {
            name: tf.TensorSpec([], default.dtype, name=name) for name, default in defaults.items()
        }
        function = _with_named_arguments(rank, list(signature), defaults)
        return tf.function(function, input_signature=list(signature.values()), autograph=False)


def _with_named_arguments(
    function: Callable[[dict[str, Any]], Any], arguments: list[str], defaults: Mapping[str, Any]
) -> Callable[..., Any]:
    """Return a function of named arguments that hands them to `function` as a dict."""

    def named(*values: Any) -> Any:
        return function(dict(zip(arguments, values, strict=True)))

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        inspect.Parameter(name, kind, default=defaults.get(name, inspect.Parameter.empty))
        for name in arguments
    ]
    named.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return named


class ExportedState(tf.Module):
    """What the signatures of an export read: variables, and the tables of the transform graph.

    A SavedModel with the network itself would also describe each of its layers, which Keras reads
    and which takes a fifth of the time of an export.

    Args:
        ranker: the object whose signatures are exported.
    """

    def __init__(self, ranker: ExportedRanker) -> None:
        super().__init__(name="ranker")
        unserved = {
            variable.ref()
            for network in (ranker.network, ranker.inspected)
            if isinstance(network, Network)
            for tower in network.imputations
            for variable in tower.variables
        }
        self.network = [variable for variable in ranker.variables if variable.ref() not in unserved]
        self.transform = ranker.transform


def export(
    spec: FeatureSpec,
    spec_text: str,
    network: Network,
    transform: TransformGraph,
    folder: str | Path,
    *,
    vocabularies: Mapping[str, Vocabulary] | None = None,
    half_precision: bool = False,
    xla: bool = False,
    tables: Literal["float32", "float16", "int8"] = "float32",
    presence: Mapping[str, float] | None = None,
    calibrate: Callable[[AssembledNetwork], Fitted | None] | None = None,
    quantiles: Mapping[str, LabelQuantiles] | None = None,
    heads: Sequence[HeadDistribution] = (),
) -> None:
    """Write the SavedModel, with the spec and the inspection guide under ``assets.extra``.

    Args:
        spec: the spec that was parsed from `spec_text`.
        spec_text: the spec as the trainer received it.
        network: a trained network.
        transform: the transform graph.
        folder: folder or URI of the SavedModel.
        vocabularies: the vocabularies, see `field_rows`, which only models with gates read.
        half_precision: whether all but tables and heads is computed in bfloat16. Nothing is pruned
            then.
        xla: whether ranking requests are scored by XLA.
        tables: the type of the embedding tables.
        presence: see `field_presence`.
        calibrate: fits calibrations to the network in the form in which it is served.
        quantiles: the distributions of labels, of tasks that predict quantiles.
        heads: what heads have learnt of the distribution of labels, for the guide.
    """
    attended = attended_histories(spec.fields, spec.histories)
    vocabularies = vocabularies or {}
    guide = inspection_guide(network, field_names(spec), attended, gated_parts(network, spec))
    guide = guide.model_copy(update={"heads": list(heads)})
    if spec.training_only:
        effects = exposure_effects(network, spec, vocabularies)
        guide = guide.model_copy(update={"training_only": effects})
    whole = network if tables == "float32" else with_small_tables(network, tables)
    served = whole
    if half_precision:
        served = half_precision_network(whole)
    elif can_be_pruned(network.sharing) and (
        pruned := pruned_network(whole, field_rows(spec, network.layout, vocabularies))
    ):
        served = pruned.network
        guide = guide.model_copy(update={"multiplications": pruned.multiplications})
        logger.info(
            "%s: multiplications of the dense part: %s", network.model_name, pruned.multiplications
        )
    fitted = calibrate(served) if calibrate is not None else None
    module = ExportedRanker(
        spec.served,
        served,
        transform,
        whole if guide.needs_examples else None,
        xla=xla,
        presence=presence,
        calibrators=fitted.calibrators if fitted is not None else None,
        quantiles=quantiles,
    )
    tf.saved_model.save(ExportedState(module), str(folder), signatures=module.signatures())
    tf.io.write_file(f"{folder}/{names.EXPORTED_SPEC}", _SPEC_NOTE + spec_text)
    tf.io.write_file(f"{folder}/{INSPECTION_FILE}", guide.model_dump_json(indent=1))
    if fitted is not None:
        tf.io.write_file(f"{folder}/{CALIBRATION_FILE}", fitted.report.model_dump_json(indent=1))
