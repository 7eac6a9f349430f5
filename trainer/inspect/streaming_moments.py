"""Mean, standard deviation and share of zeros of each column, batch by batch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class RowStatistics:
    """Statistics over rows that come in batches.

    Args:
        columns: N.

    Attributes:
        rows: number of rows so far.
        mean: (N,).
    """

    def __init__(self, columns: int) -> None:
        self.rows = 0
        self.mean = np.zeros(columns)
        self._squared_deviations = np.zeros(columns)
        self._zeros = np.zeros(columns, np.int64)

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Counts a batch of at least one row, (B, N)."""
        batch = np.asarray(values, np.float64)
        rows, mean = len(batch), batch.mean(axis=0)
        # Deviations from each batch's own mean, put together as Chan et al. do: a sum of squares
        # would lose small ones.
        shift = mean - self.mean
        total = self.rows + rows
        self._squared_deviations += ((batch - mean) ** 2).sum(axis=0) + shift**2 * (
            self.rows * rows / total
        )
        self.mean = self.mean + shift * (rows / total)
        self._zeros += (batch == 0.0).sum(axis=0)
        self.rows = total

    @property
    def standard_deviation(self) -> npt.NDArray[np.float64]:
        """Of all rows, (N,)."""
        return np.sqrt(self._squared_deviations / self.rows)

    @property
    def zero_share(self) -> npt.NDArray[np.float64]:
        """Share of rows that are exactly 0, (N,)."""
        return self._zeros / self.rows
