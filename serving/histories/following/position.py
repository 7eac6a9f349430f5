"""How far a store has read a stream, kept in the store beside what was read."""

from __future__ import annotations

from pydantic import ValidationError

from feature_spec.strict_model import StrictModel
from serving.histories.store import HistoryStoreError, RecordCounts


class StreamPosition(StrictModel):
    """How far a store has read a stream, and what became of the records.

    records = recorded + repeated + filtered + the sum of `rejected`.

    Attributes:
        cluster: the id of the Kafka cluster, whose offsets these are.
        offsets: the offset of the next record to read, by partition, such as ``feedback/3``.
        recorded: the records that the store has taken.
        repeated: the records that it knew before.
        filtered: the records that `where` of the spec leaves out.
        rejected: the records that it cannot use, by reason.
        compacted_s: the time at which the store was last compacted, in seconds since the Unix
            epoch; that of the first record until then.
    """

    cluster: str
    offsets: dict[str, int] = {}
    recorded: int = 0
    repeated: int = 0
    filtered: int = 0
    rejected: dict[str, int] = {}
    compacted_s: float = 0.0

    @property
    def records(self) -> int:
        """The number of records that were read."""
        return self.recorded + self.repeated + self.filtered + sum(self.rejected.values())

    def after(self, counts: RecordCounts, offsets: dict[str, int]) -> StreamPosition:
        """Return the position behind more records.

        Args:
            counts: what became of them.
            offsets: the next offsets of their partitions.
        """
        rejected = dict(self.rejected)
        for reason, number in counts.rejected.items():
            rejected[str(reason)] = rejected.get(str(reason), 0) + number
        return self.model_copy(
            update={
                "offsets": self.offsets | offsets,
                "recorded": self.recorded + counts.recorded,
                "repeated": self.repeated + counts.repeated,
                "filtered": self.filtered + counts.filtered,
                "rejected": rejected,
            }
        )

    def encoded(self) -> bytes:
        """Return bytes that `decoded` reads."""
        return self.model_dump_json().encode()

    @classmethod
    def decoded(cls, value: bytes, place: str) -> StreamPosition:
        """Read a position.

        Raises:
            HistoryStoreError: another version of Fulcrum has written it.
        """
        try:
            return cls.model_validate_json(value)
        except ValidationError as error:
            raise HistoryStoreError(
                f"{place}: the position in the stream cannot be read: {error}"
            ) from error
