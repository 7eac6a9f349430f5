"""One version of a model in memory, run as TensorFlow Serving runs it: a session over the SavedModel's graph.

A session gives what a server needs and `tf.saved_model.load` does not: the runtime's own checks and error texts, a time limit
for each run, and memory that is free again once it is closed. TensorProtos are parsed inside the graph, all inputs of a
signature from one fed vector of bytes, so that a request's strings never become Python objects.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as SavedModelProto

from serving.model_server.status_error import StatusError, from_tensorflow

_MODEL_FILE = "saved_model.pb"
_MAX_TIMEOUT_MS = 2**31 - 1
_FIRST_RUN_S = 30.0


@dataclass(frozen=True, kw_only=True)
class _Call:
    """How a signature is run: `inputs`, its input names in feeding order, and the graph's ends."""

    inputs: Sequence[str]
    fed_protos: tf.Tensor
    outputs: Mapping[str, tf.Tensor]


class SavedModel:
    """A loaded SavedModel. Safe to run from several threads.

    Attributes:
        signatures: every SignatureDef of the model by name, as GetModelMetadata shows them.
    """

    def __init__(self, folder: Path) -> None:
        """Loads the model.

        Args:
            folder: holds ``saved_model.pb``, ``variables/`` and ``assets/``.

        Raises:
            StatusError: the folder holds no SavedModel that can be loaded.
        """
        self.signatures = _read_signatures(folder)
        self._graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=self._graph, config=_session_config())
        try:
            with self._graph.as_default():
                self._calls = self._load(folder)
            self._graph.finalize()
        except tf.errors.OpError as error:
            self.close()
            raise from_tensorflow(error) from error
        except Exception as error:
            self.close()
            raise StatusError(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}") from error

    def runnable(self, name: str) -> bool:
        """Whether there is a signature of this name that takes and gives tensors."""
        return name in self._calls

    def run(
        self, signature: str, inputs: Mapping[str, TensorProto], outputs: Sequence[str], timeout_s: float | None
    ) -> list[np.ndarray]:
        """Runs a signature.

        Args:
            signature: its name.
            inputs: a readable proto of the right dtype for each of its inputs.
            outputs: names of the outputs to give.
            timeout_s: time left; None for any.

        Returns:
            The outputs in order.

        Raises:
            StatusError: the graph refused the inputs, or the time was over.
        """
        call = self._calls[signature]
        feeds = {call.fed_protos: [inputs[name].SerializeToString() for name in call.inputs]} if call.inputs else {}
        options = None
        if timeout_s is not None:
            options = tf.compat.v1.RunOptions(timeout_in_ms=min(max(int(timeout_s * 1000), 1), _MAX_TIMEOUT_MS))
        try:
            return self._session.run([call.outputs[name] for name in outputs], feeds, options=options)
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from error

    def run_each_once(self) -> None:
        """Runs every signature on one row of zeros and empty texts.

        TensorFlow optimises a graph at its first run, which takes long enough to use up the time limit of a request. What a
        signature says to such a row does not matter.
        """
        for name in self._calls:
            signature = self.signatures[name]
            inputs = {alias: signature.defaults.get(alias) or _one_row(info) for alias, info in signature.inputs.items()}
            with contextlib.suppress(StatusError):
                self.run(name, inputs, sorted(signature.outputs), _FIRST_RUN_S)

    def close(self) -> None:
        """Frees the model's memory."""
        self._session.close()

    def _load(self, folder: Path) -> dict[str, _Call]:
        """Restores the graph with its inputs replaced by tensors parsed from fed protos."""
        fed_protos: dict[str, tf.Tensor] = {}
        parsed: dict[str, tf.Tensor] = {}
        for name, signature in self.signatures.items():
            if _takes_and_gives_tensors(signature):
                infos = [signature.inputs[alias] for alias in sorted(signature.inputs)]
                fed_protos[name] = tf.compat.v1.placeholder(tf.string, [len(infos)])
                for info, proto in zip(infos, tf.unstack(fed_protos[name]), strict=True):
                    parsed[info.name] = tf.io.parse_tensor(proto, tf.dtypes.as_dtype(info.dtype))
        tf.compat.v1.saved_model.load(self._session, [tf.saved_model.SERVING], str(folder), input_map=parsed)
        return {
            name: _Call(
                inputs=sorted(self.signatures[name].inputs),
                fed_protos=fed,
                outputs={
                    alias: parsed[info.name] if info.name in parsed else self._graph.get_tensor_by_name(info.name)
                    for alias, info in self.signatures[name].outputs.items()
                },
            )
            for name, fed in fed_protos.items()
        }


def _read_signatures(folder: Path) -> dict[str, SignatureDef]:
    """The signatures of the graph for serving, copied, so that the rest of the file need not stay in memory."""
    try:
        proto = SavedModelProto.FromString((folder / _MODEL_FILE).read_bytes())
    except FileNotFoundError as error:
        raise StatusError(
            grpc.StatusCode.NOT_FOUND, f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {folder}"
        ) from error
    except OSError as error:
        raise StatusError(grpc.StatusCode.UNKNOWN, f"Cannot read {folder / _MODEL_FILE}: {error}") from error
    except DecodeError as error:
        raise StatusError(grpc.StatusCode.DATA_LOSS, f"Can't parse {folder / _MODEL_FILE} as binary proto") from error
    for meta_graph in proto.meta_graphs:
        signatures = meta_graph.signature_def
        if list(meta_graph.meta_info_def.tags) == [tf.saved_model.SERVING]:
            return {name: SignatureDef.FromString(signature.SerializeToString()) for name, signature in signatures.items()}
    raise StatusError(
        grpc.StatusCode.NOT_FOUND,
        f"Could not find meta graph def matching supplied tags: {{ {tf.saved_model.SERVING} }}. "
        "To inspect available tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`",
    )


def _takes_and_gives_tensors(signature: SignatureDef) -> bool:
    """False for sparse or composite tensors, which Predict cannot carry, and for the operation that initialises the model."""
    ends = [*signature.inputs.values(), *signature.outputs.values()]
    return all(info.name and info.dtype for info in ends)


def _one_row(info: TensorInfo) -> TensorProto:
    """A tensor of the input's dtype and rank without values, which stands for zeros or empty texts."""
    proto = TensorProto(dtype=info.dtype)
    for dim in info.tensor_shape.dim:
        proto.tensor_shape.dim.add(size=max(dim.size, 1))
    return proto


def _session_config() -> tf.compat.v1.ConfigProto:
    """As many threads as cores, shared by all versions, which is TensorFlow's default; a GPU's memory only as needed."""
    config = tf.compat.v1.ConfigProto()
    config.gpu_options.allow_growth = True
    return config
