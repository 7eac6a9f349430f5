"""MSSM: Multiple-level Sparse Sharing Model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput, as_flat_input
from trainer.layers.fscm import FSCM, INITIAL_EMBEDDING, Masks
from trainer.layers.gated_connections import CSSM, SNRConnection
from trainer.layers.noise import Dropout
from trainer.models.sharing_architecture import SharingArchitecture

# log α of the gates at the start: open in 88 % of draws at least by half. Half-closed gates halve
# what the sub-networks learn in their first epoch.
GATE_START = 2.0


@tf.keras.utils.register_keras_serializable("fulcrum")
class MSSM(SharingArchitecture):
    """Sub-networks that choose their fields (FSCM) and share cells (CSSM).

    There is a sub-network for each task and a shared one. Each masks fields anew for every row, u_j
    = FSCM_j(x), and each output unit of a connection has a hard-concrete gate: v_i = Σ_j (m_ij ⊙
    W_ij) u_j (Ding et al., sections 3.2–3.3). `penalties()` are the L2 and L0 terms of the loss.

    Without field sparsity every sub-network reads all fields (MSSM-a). Without cell sparsity the
    connections are those of SNR-Trans, with one gate each (MSSM-b). Without both the model is
    SNR-Trans over K + 1 sub-networks (MSSM-Basic).

    Args:
        tasks: K, the number of tasks.
        field_widths: D of each field, in the order of the flattened input. Defaults to the widths
            of the field embeddings, if the model is called with a list of them.
        pooled_fields: the fields that do not start as embeddings do, by position; see `FSCM`.
        units: U, the units of each sub-network. Defaults to 64.
        field_sparsity: whether each sub-network masks fields. Defaults to True.
        masks: `biased`, or `paper` for masks without a bias; see `FSCM`. Defaults to `biased`.
        cell_sparsity: whether each output unit of a connection has a gate. Defaults to True.
        l2: λ1, the weight of the squared weights of the matrices. Defaults to 1e-5.
        l0: λ2, the weight of the expected number of open gates. Defaults to 2e-3.
        dropout_rate: the share of units dropped in the sub-networks in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import MSSM
        >>> model = MSSM(tasks=2, units=16)
        >>> user, item, price = tf.ones([5, 8]), tf.ones([5, 4]), tf.ones([5, 1])
        >>> click, like = model([user, item, price])
        >>> click.shape
        TensorShape([5, 16])
        >>> list(model.penalties())
        ['l2', 'l0']

    References:
        Ding et al., MSSM: a multiple-level sparse sharing model for efficient multi-task learning,
        SIGIR 2021: https://doi.org/10.1145/3404835.3463022
    """

    tells_fields_apart = True

    def __init__(
        self,
        tasks: int,
        *,
        field_widths: Sequence[int] | None = None,
        pooled_fields: Sequence[int] = (),
        units: int = 64,
        field_sparsity: bool = True,
        masks: Masks = "biased",
        cell_sparsity: bool = True,
        l2: float = 1e-5,
        l0: float = 2e-3,
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, dropout_rate=dropout_rate, **kwargs)
        self.units, self.l2, self.l0 = units, l2, l0
        self.pooled_fields = tuple(pooled_fields)
        self.field_sparsity, self.cell_sparsity = field_sparsity, cell_sparsity
        self.masks = masks
        self.initial_embedding = INITIAL_EMBEDDING if field_sparsity and masks == "paper" else 0.0
        self.subnetworks: Any = (
            FSCM(tasks + 1, units, field_widths or (), pooled_fields, masks, name="fscm")
            if field_sparsity
            else Experts(tasks + 1, [units], name="subnetworks")
        )
        self.connection: Any = (
            CSSM(tasks, units, start=GATE_START, name="cssm")
            if cell_sparsity
            else SNRConnection(tasks, units, GATE_START, name="connection")
        )
        self.dropout = Dropout(dropout_rate)

    def build(self, input_shape: Any) -> None:
        if self.field_sparsity and not self.subnetworks.field_widths:
            if not isinstance(input_shape, list):
                raise ValueError(
                    "`field_widths` is needed unless the model is called with a list of field "
                    f"embeddings. Received an input of shape {input_shape}"
                )
            self.subnetworks.field_widths = tuple(int(shape[-1]) for shape in input_shape)
        super().build(input_shape)

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        u = self.subnetworks(as_flat_input(inputs), training=training)
        u = self.dropout(u, training=training)
        return tf.unstack(self.connection(u, training=training), axis=1)

    def penalties(self) -> dict[str, tf.Tensor]:
        """Return λ1 Σ w² over the matrices and λ2 Σ P(m ≠ 0)."""
        kernels = [variable for variable in self.trainable_variables if "kernel" in variable.name]
        squares = tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in kernels])
        opened = tf.add_n([gate.expected_open() for gate in self.connection.gates])
        return {"l2": self.l2 * squares, "l0": self.l0 * opened}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MSSM:
        """Make the model of a configuration; one without `masks` has those of the paper."""
        return cls(**{"masks": "paper", **config})

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "field_widths": self.subnetworks.field_widths if self.field_sparsity else None,
            "pooled_fields": self.pooled_fields,
            "units": self.units,
            "field_sparsity": self.field_sparsity,
            "masks": self.masks,
            "cell_sparsity": self.cell_sparsity,
            "l2": self.l2,
            "l0": self.l0,
        }
