"""A sample of what was asked and answered, in files that TensorFlow and TensorFlow Serving read.

Each record is a PredictionLog: the PredictRequest, the PredictResponse, and the sampling rate. A
finished file is called ``requests-<time>-<log>-<number>.tfrecord`` and serves as
``assets.extra/tf_serving_warmup_requests`` as it is; the one that is being written has ``.part``
behind its name. Logging never holds up a ranking call: records wait in a bounded queue for a thread
that writes them, and what finds the queue full is dropped and counted.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import queue
import random
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from serving import tf_serving_api
from serving.client.tfrecord_writer import TFRecordWriter

_log = logging.getLogger(__name__)
_REPORT_EVERY_S = 60.0


@dataclass(frozen=True, kw_only=True)
class RequestLogCounts:
    """The counts of the messages offered to a request log.

    A request that was sent in parts counts once for each part.

    Attributes:
        seen: Messages offered: skipped + written + dropped + failed + waiting.
        skipped: Messages that are not in the sample.
        written: Messages that are in a file.
        dropped: Messages in the sample that found the queue full or the log closed.
        failed: Messages in the sample whose file could not be written.
    """

    seen: int = 0
    skipped: int = 0
    written: int = 0
    dropped: int = 0
    failed: int = 0

    @property
    def waiting(self) -> int:
        """In the queue."""
        return self.seen - self.skipped - self.written - self.dropped - self.failed


class RequestLog:
    """Writes a sample of requests with their answers.

    One log may be used by many threads and clients. Close it after them.

    Args:
        folder: The folder of the files. It is made if need be.
        sampling_rate: The share of the requests that is logged, 0 to 1.
        seed: The seed of the sampling. A hash of seed and id decides on a request with an id, so
            that several processes decide alike; a request without an id is drawn.
        queue_size: The largest number of messages that wait to be written.
        max_file_bytes: The size in bytes at which a file is finished.
        max_file_records: The number of records at which a file is finished. TensorFlow Serving
            takes at most 1000 for a warm-up.

    Raises:
        ValueError: A setting is out of range.
        OSError: The folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sampling_rate: float,
        seed: int = 0,
        queue_size: int = 256,
        max_file_bytes: int = 64 * 1024 * 1024,
        max_file_records: int = 1000,
    ) -> None:
        if not 0.0 <= sampling_rate <= 1.0:
            raise ValueError(f"sampling_rate must be from 0 to 1; received {sampling_rate!r}")
        limits = {
            "queue_size": queue_size,
            "max_file_bytes": max_file_bytes,
            "max_file_records": max_file_records,
        }
        for name, value in limits.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1; received {value!r}")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.sampling_rate = sampling_rate
        self._seed = seed
        self._random = random.Random(seed)
        self._max_file_bytes = max_file_bytes
        self._max_file_records = max_file_records
        self._name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:8]}"
        self._files = 0
        self._file: TFRecordWriter | None = None
        self._counts = RequestLogCounts()
        self._reported, self._report_at_s = RequestLogCounts(), 0.0
        self._lock = threading.Lock()
        self._closed = False
        self._queue: queue.Queue[tuple[Any, Any] | None] = queue.Queue(queue_size)
        # A daemon, so that a log that nobody closed does not keep the process from ending.
        self._writer = threading.Thread(target=self._write_all, name="request-log", daemon=True)
        self._writer.start()

    @property
    def counts(self) -> RequestLogCounts:
        """The counts of the messages so far."""
        with self._lock:
            return self._counts

    def offer(
        self, request_id: str | int | None, payloads: Sequence[Any], responses: Sequence[Any]
    ) -> None:
        """Log the messages of one request if it is in the sample. It never waits, and never raises.

        Args:
            request_id: The id that decides on the request; None to draw.
            payloads: PredictRequests, serialized or as messages that nobody changes any more.
            responses: The PredictResponses to the payloads, in the same order.
        """
        with self._lock:
            in_sample = self._in_sample(request_id)
            for payload, response in zip(payloads, responses, strict=True):
                if not in_sample:
                    self._count("skipped", seen=1)
                    continue
                try:
                    if self._closed:
                        raise queue.Full
                    self._queue.put_nowait((payload, response))
                    self._count(seen=1)
                except queue.Full:
                    self._count("dropped", seen=1)

    def close(self, *, timeout_s: float = 10.0) -> None:
        """Write the messages that wait, finish the file, and report the messages that were lost.

        Args:
            timeout_s: Seconds to wait for the disk. Messages that are not written by then are lost.
        """
        with self._lock:
            already, self._closed = self._closed, True
        if already:
            return
        end_s = time.monotonic() + timeout_s
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            pass  # reported below as still waiting
        else:
            self._writer.join(max(end_s - time.monotonic(), 0.0))
        self._report(at_end=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _in_sample(self, request_id: str | int | None) -> bool:
        if request_id is None:
            return self._random.random() < self.sampling_rate
        digest = hashlib.blake2b(f"{self._seed} {request_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) < self.sampling_rate * 2.0**64

    def _count(self, *names: str, seen: int = 0) -> None:
        changed = {name: getattr(self._counts, name) + 1 for name in names}
        self._counts = replace(self._counts, seen=self._counts.seen + seen, **changed)

    # What follows runs in the writer's thread.

    def _write_all(self) -> None:
        while (item := self._queue.get()) is not None:
            became = self._write(*item)
            with self._lock:
                self._count(became)
            if time.monotonic() >= self._report_at_s:
                self._report()
        self._finish_file()

    def _write(self, payload: Any, response: Any) -> str:
        """Write a record, and return the name of the count that it belongs to."""
        record = tf_serving_api.PredictionLog()
        # As bytes, since a server's messages are of the same types from another descriptor pool.
        if not isinstance(payload, bytes):
            payload = payload.SerializeToString()
        record.log_metadata.model_spec.MergeFromString(response.model_spec.SerializeToString())
        record.log_metadata.sampling_config.sampling_rate = self.sampling_rate
        record.predict_log.request.MergeFromString(payload)
        record.predict_log.response.MergeFromString(response.SerializeToString())
        try:
            if self._file is None:
                self._files += 1
                self._file = TFRecordWriter(
                    self.folder / f"requests-{self._name}-{self._files:05d}.tfrecord.part"
                )
            self._file.write(record.SerializeToString())
        except OSError as error:
            _log.warning("%s: a record cannot be written: %s", self.folder, error)
            self._abandon_file()
            return "failed"
        if (
            self._file.size_bytes >= self._max_file_bytes
            or self._file.records >= self._max_file_records
        ):
            self._finish_file()
        return "written"

    def _finish_file(self) -> None:
        if self._file is None:
            return
        try:
            self._file.close()
            self._file.path.rename(self._file.path.with_suffix(""))
        except OSError as error:
            _log.warning("%s: cannot be finished, and keeps its name: %s", self._file.path, error)
        self._file = None

    def _abandon_file(self) -> None:
        """Leave a file that may end within a record under the name of one being written."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = None

    def _report(self, *, at_end: bool = False) -> None:
        """Warn of messages lost since the last warning, at the end also of those that wait."""
        counts, before = self.counts, self._reported
        lost_to_close = counts.waiting if at_end else 0
        if counts.dropped > before.dropped or counts.failed > before.failed or lost_to_close:
            _log.warning(
                "%s: %d sampled messages were dropped because the queue was full, %d could not be "
                "written, %d were not written "
                "in time; %d are written",
                self.folder,
                counts.dropped,
                counts.failed,
                lost_to_close,
                counts.written,
            )
        self._reported, self._report_at_s = counts, time.monotonic() + _REPORT_EVERY_S
