"""The settings of a simulation."""

from __future__ import annotations

import dataclasses
import datetime

FIRST_DAY = datetime.date(2026, 1, 5)
EXPOSURES_OF_REQUEST = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimulationSettings:
    """The size and the randomness of a simulation. Equal settings give equal files, byte by byte.

    Attributes:
        days: the number of days; the last one is meant to judge the model.
        rows_per_day: the number of lines in the log of each day.
        seed: any integer from 0.
        event_logs: whether to write impressions and actions as two streams of events, not a table
            of exposures.
        malformed_share: the share of lines to spoil, in equal parts by each kind of
            `malformed.KINDS`; with event logs, the share of spoilt lines to add, by the kinds in
            `event_logs`.

    Raises:
        ValueError: a setting is out of range.
    """

    days: int = 8
    rows_per_day: int = 12_500
    seed: int = 0
    malformed_share: float = 0.0
    event_logs: bool = False

    def __post_init__(self) -> None:
        for name, lowest in (("days", 2), ("rows_per_day", 1), ("seed", 0)):
            if getattr(self, name) < lowest:
                raise ValueError(
                    f"`{name}` should be at least {lowest}. Received: {getattr(self, name)}"
                )
        if not 0.0 <= self.malformed_share < 1.0:
            raise ValueError(
                "`malformed_share` should be at least 0 and below 1. "
                f"Received: {self.malformed_share}"
            )

    @property
    def dates(self) -> list[datetime.date]:
        """The days of the log, in order."""
        return [FIRST_DAY + datetime.timedelta(days=number) for number in range(self.days)]

    @property
    def users(self) -> int:
        """Users of the app, about 320 rows each; in 8 days, 40 a day. Their pasts tell much."""
        return min(max(self.days * self.rows_per_day // 320, 50), 500_000)

    @property
    def videos(self) -> int:
        """Videos of the app, about 100 rows each on average; popularity is skewed."""
        return min(max(self.days * self.rows_per_day // 100, 100), 200_000)
