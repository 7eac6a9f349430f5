"""One version of a model in memory: a session over its graph, as in TensorFlow Serving.

A session gives what a server needs and `tf.saved_model.load` does not: the runtime's own checks and
error texts, a time limit for each run, and memory that is free again once it is closed.
TensorProtos are parsed inside the graph, from one fed vector of bytes with a place for every input
of every signature, so that a request's strings never become Python objects and signatures that
share an input can run together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
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
_FIRST_RUN_S = 600.0  # ends a run that hangs; it decides nothing


class SavedModel:
    """A loaded SavedModel. Safe to run from several threads.

    Attributes:
        signatures: Every SignatureDef of the model by name, as GetModelMetadata shows them.
    """

    def __init__(self, folder: Path, *, intra_op_threads: int = 0) -> None:
        """Load the model.

        Args:
            folder: A folder with ``saved_model.pb``, ``variables/`` and ``assets/``.
            intra_op_threads: See `session_config`.

        Raises:
            StatusError: The folder holds no SavedModel that can be loaded.
        """
        self.signatures = _read_signatures(folder)
        self._graph = tf.Graph()
        self._session = tf.compat.v1.Session(
            graph=self._graph, config=session_config(intra_op_threads)
        )
        try:
            with self._graph.as_default():
                self._load(folder)
            self._graph.finalize()
        except tf.errors.OpError as error:
            self.close()
            raise from_tensorflow(error) from error
        except Exception as error:
            self.close()
            raise StatusError(
                grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}"
            ) from error

    def runnable(self, name: str) -> bool:
        """Return whether a signature of this name takes and gives tensors."""
        return name in self.signatures and _takes_and_gives_tensors(self.signatures[name])

    def run(
        self,
        signature: str,
        inputs: Mapping[str, TensorProto],
        outputs: Sequence[str],
        timeout_s: float | None,
    ) -> list[np.ndarray]:
        """Run a signature.

        Args:
            signature: The name of the signature.
            inputs: A readable proto of the right dtype for each input.
            outputs: The names of the outputs to return.
            timeout_s: The time limit in seconds; None for no limit.

        Returns:
            The outputs in order.

        Raises:
            StatusError: The graph refused the inputs, or the time was over.
        """
        ends = self.signatures[signature]
        return self.run_tensors(
            {ends.inputs[alias].name: proto for alias, proto in inputs.items()},
            [ends.outputs[alias].name for alias in outputs],
            timeout_s,
        )

    def run_tensors(
        self, inputs: Mapping[str, TensorProto], outputs: Sequence[str], timeout_s: float | None
    ) -> list[np.ndarray]:
        """Run the graph between tensors: several signatures at once, where they share their inputs.

        Args:
            inputs: A readable proto of the right dtype for each input, by the tensor's name in the
                graph.
            outputs: The names in the graph of the tensors to return.
            timeout_s: The time limit in seconds; None for no limit.

        Returns:
            The outputs in order.

        Raises:
            StatusError: The graph refused the inputs, or the time was over.
        """
        fed = [b""] * len(self._positions)
        for name, proto in inputs.items():
            fed[self._positions[name]] = proto.SerializeToString()
        options = None
        if timeout_s is not None:
            options = tf.compat.v1.RunOptions(
                timeout_in_ms=min(max(int(timeout_s * 1000), 1), _MAX_TIMEOUT_MS)
            )
        try:
            return self._session.run(
                [self._ends[name] for name in outputs], {self._fed_protos: fed}, options=options
            )
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from error

    def run_each_once(self) -> None:
        """Run every signature on one row of zeros and empty texts.

        TensorFlow optimises a graph at its first run, which takes long enough to use up the time
        limit of a request. What a signature says to such a row does not matter.
        """
        for name, signature in self.signatures.items():
            if not self.runnable(name):
                continue
            inputs = {
                alias: signature.defaults.get(alias) or _one_row(info)
                for alias, info in signature.inputs.items()
            }
            with contextlib.suppress(StatusError):
                self.run(name, inputs, sorted(signature.outputs), _FIRST_RUN_S)

    def close(self) -> None:
        """Free the model's memory."""
        self._session.close()

    def _load(self, folder: Path) -> None:
        """Restore the graph with its inputs replaced by tensors parsed from fed protos."""
        runnable = [
            signature
            for signature in self.signatures.values()
            if _takes_and_gives_tensors(signature)
        ]
        dtypes = {
            info.name: info.dtype for signature in runnable for info in signature.inputs.values()
        }
        self._positions = {name: position for position, name in enumerate(dtypes)}
        self._fed_protos = tf.compat.v1.placeholder(tf.string, [len(dtypes)])
        parsed = {
            name: tf.io.parse_tensor(proto, tf.dtypes.as_dtype(dtypes[name]))
            for name, proto in zip(dtypes, tf.unstack(self._fed_protos), strict=True)
        }
        tf.compat.v1.saved_model.load(
            self._session, [tf.saved_model.SERVING], str(folder), input_map=parsed
        )
        fetched = {info.name for signature in runnable for info in signature.outputs.values()}
        self._ends = {
            name: parsed[name] if name in parsed else self._graph.get_tensor_by_name(name)
            for name in fetched
        }


def _read_signatures(folder: Path) -> dict[str, SignatureDef]:
    """Return copies of the signatures for serving; the rest of the file can leave memory."""
    try:
        proto = SavedModelProto.FromString((folder / _MODEL_FILE).read_bytes())
    except FileNotFoundError as error:
        raise StatusError(
            grpc.StatusCode.NOT_FOUND,
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {folder}",
        ) from error
    except OSError as error:
        raise StatusError(
            grpc.StatusCode.UNKNOWN, f"Cannot read {folder / _MODEL_FILE}: {error}"
        ) from error
    except DecodeError as error:
        raise StatusError(
            grpc.StatusCode.DATA_LOSS, f"Can't parse {folder / _MODEL_FILE} as binary proto"
        ) from error
    for meta_graph in proto.meta_graphs:
        signatures = meta_graph.signature_def
        if list(meta_graph.meta_info_def.tags) == [tf.saved_model.SERVING]:
            return {
                name: SignatureDef.FromString(signature.SerializeToString())
                for name, signature in signatures.items()
            }
    raise StatusError(
        grpc.StatusCode.NOT_FOUND,
        f"Could not find meta graph def matching supplied tags: {{ {tf.saved_model.SERVING} }}. "
        "To inspect available tag-sets in the SavedModel, please use the SavedModel CLI: "
        "`saved_model_cli`",
    )


def _takes_and_gives_tensors(signature: SignatureDef) -> bool:
    """Return whether all inputs and outputs of a signature are dense tensors.

    Predict cannot carry sparse or composite tensors. The operation that initialises a model has no
    output at all.
    """
    ends = [*signature.inputs.values(), *signature.outputs.values()]
    return all(info.name and info.dtype for info in ends)


def _one_row(info: TensorInfo) -> TensorProto:
    """Make a tensor of an input's dtype and rank without values: zeros or empty texts."""
    proto = TensorProto(dtype=info.dtype)
    for dim in info.tensor_shape.dim:
        proto.tensor_shape.dim.add(size=max(dim.size, 1))
    return proto


def session_config(intra_op_threads: int = 0) -> tf.compat.v1.ConfigProto:
    """Return the configuration of a session, which takes a GPU's memory only as needed.

    Args:
        intra_op_threads: Threads over which the operations of requests are spread. The first
            session of a process decides for all. 0 stands for as many as cores; with 1, a request
            runs in the thread that answers it, from its first operation to its last.
    """
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=intra_op_threads)
    if intra_op_threads == 1:
        config.inter_op_parallelism_threads = -1  # none: operations run in the caller's thread
    config.gpu_options.allow_growth = True
    return config
