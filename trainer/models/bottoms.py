"""Models of bottoms alone: single-task, shared-bottom, asymmetric and customized sharing.

These are the baselines of PLE (Fig 1a–c).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput, as_flat_input
from trainer.models.sharing_architecture import SharingArchitecture


class _OfBottoms(SharingArchitecture):
    def __init__(
        self,
        tasks: int,
        *,
        bottom_units: Sequence[int],
        dropout_rate: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, dropout_rate=dropout_rate, **kwargs)
        self.bottom_units = tuple(bottom_units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bottom_units": self.bottom_units}


@tf.keras.utils.register_keras_serializable("fulcrum")
class SingleTask(_OfBottoms):
    """One network for each task, with nothing shared.

    It is the baseline of multi-task learning (PLE, Eq 11). The trainer gives each task embeddings
    of its own, too.

    Args:
        tasks: K, the number of tasks.
        bottom_units: the layers of each task's bottom. Defaults to (128,).
        dropout_rate: the share of units dropped after each layer in training. Defaults to 0.

    Call arguments:
        inputs: one input for all tasks, (B, I); or a list of K inputs, (B, I) each, one for each
            task. The other models read a list as field embeddings of one input: concatenate those
            for this model.

    Returns:
        K representations, each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import SingleTask
        >>> click, like = SingleTask(tasks=2, bottom_units=[16])(tf.ones([5, 10]))
        >>> click.shape
        TensorShape([5, 16])

    References:
        PLE, Tang et al., RecSys 2020: https://doi.org/10.1145/3383313.3412236
    """

    def __init__(
        self,
        tasks: int,
        *,
        bottom_units: Sequence[int] = (128,),
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, bottom_units=bottom_units, dropout_rate=dropout_rate, **kwargs)
        self.embeddings = tasks
        self.bottoms = [
            Experts(1, bottom_units, dropout_rate, name=f"bottom_{task}") for task in range(tasks)
        ]

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        of_tasks = inputs if isinstance(inputs, list) else [inputs] * self.tasks
        if len(of_tasks) != self.tasks:
            raise ValueError(
                f"a list must hold an input for each of the {self.tasks} tasks. "
                f"Received: {len(of_tasks)}"
            )
        return [
            bottom(x, training=training)[:, 0]
            for bottom, x in zip(self.bottoms, of_tasks, strict=True)
        ]


@tf.keras.utils.register_keras_serializable("fulcrum")
class SharedBottom(_OfBottoms):
    """Hard parameter sharing: all tasks read one bottom (Caruana 1997; PLE, Fig 1a).

    Args:
        tasks: K, the number of tasks.
        bottom_units: the layers of the bottom. Defaults to (256,).
        dropout_rate: the share of units dropped after each layer in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K times the same representation, (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import SharedBottom
        >>> click, like = SharedBottom(tasks=2, bottom_units=[32, 16])(tf.ones([5, 10]))
        >>> click.shape
        TensorShape([5, 16])

    References:
        Caruana, Multitask learning, Machine Learning 1997: https://doi.org/10.1023/A:1007379606734
    """

    def __init__(
        self,
        tasks: int,
        *,
        bottom_units: Sequence[int] = (256,),
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, bottom_units=bottom_units, dropout_rate=dropout_rate, **kwargs)
        self.bottom = Experts(1, bottom_units, dropout_rate, name="bottom")

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        return [self.bottom(as_flat_input(inputs), training=training)[:, 0]] * self.tasks


@tf.keras.utils.register_keras_serializable("fulcrum")
class Asymmetric(_OfBottoms):
    """Asymmetric sharing: a bottom for each task, which later tasks read, too (PLE, Fig 1b).

    Task k reads the bottoms of tasks 1 … k.

    Args:
        tasks: K, the number of tasks.
        bottom_units: the layers of each bottom. Defaults to (128,).
        combine: how bottoms are combined: `concat`, `sum` or `average`. Defaults to `concat`.
        dropout_rate: the share of units dropped after each layer in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, U), or (B, k·U) for task k if bottoms are concatenated.

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import Asymmetric
        >>> click, like = Asymmetric(tasks=2, bottom_units=[16])(tf.ones([5, 10]))
        >>> click.shape, like.shape
        (TensorShape([5, 16]), TensorShape([5, 32]))

    References:
        PLE, Tang et al., RecSys 2020: https://doi.org/10.1145/3383313.3412236
    """

    def __init__(
        self,
        tasks: int,
        *,
        bottom_units: Sequence[int] = (128,),
        combine: Literal["concat", "sum", "average"] = "concat",
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, bottom_units=bottom_units, dropout_rate=dropout_rate, **kwargs)
        if combine not in ("concat", "sum", "average"):
            raise ValueError(
                f"`combine` must be 'concat', 'sum' or 'average'. Received: {combine!r}"
            )
        self.combine = combine
        self.bottoms = Experts(tasks, bottom_units, dropout_rate, name="bottoms")

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        bottoms = self.bottoms(as_flat_input(inputs), training=training)
        return [self._combined(bottoms[:, : task + 1]) for task in range(self.tasks)]

    def _combined(self, seen: tf.Tensor) -> tf.Tensor:
        """Combine the bottoms that a task reads: (B, bottoms, U) → its representation."""
        if self.combine == "concat":
            return tf.reshape(seen, [-1, seen.shape[1] * seen.shape[2]])
        return (
            tf.reduce_sum(seen, axis=1) if self.combine == "sum" else tf.reduce_mean(seen, axis=1)
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "combine": self.combine}


@tf.keras.utils.register_keras_serializable("fulcrum")
class Customized(_OfBottoms):
    """Customized sharing: each task reads a shared bottom and one of its own (PLE, Fig 1c).

    Args:
        tasks: K, the number of tasks.
        bottom_units: the layers of each bottom. Defaults to (128,).
        dropout_rate: the share of units dropped after each layer in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, 2·U): the shared bottom, then the task's own.

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import Customized
        >>> click, like = Customized(tasks=2, bottom_units=[16])(tf.ones([5, 10]))
        >>> click.shape
        TensorShape([5, 32])

    References:
        PLE, Tang et al., RecSys 2020: https://doi.org/10.1145/3383313.3412236
    """

    def __init__(
        self,
        tasks: int,
        *,
        bottom_units: Sequence[int] = (128,),
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, bottom_units=bottom_units, dropout_rate=dropout_rate, **kwargs)
        self.bottoms = Experts(tasks + 1, bottom_units, dropout_rate, name="bottoms")

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        bottoms = self.bottoms(as_flat_input(inputs), training=training)
        shared = bottoms[:, self.tasks]
        return [tf.concat([shared, bottoms[:, task]], axis=1) for task in range(self.tasks)]
