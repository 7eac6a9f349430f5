"""Which versions of a model are kept loaded."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class VersionPolicy:
    """A choice among the versions on disk.

    Attributes:
        newest: how many are kept, the newest that load; None for every one that loads.
        numbers: the only versions considered; None for any.
    """

    newest: int | None = 1
    numbers: AbstractSet[int] | None = None

    LATEST: ClassVar[VersionPolicy]
    ALL: ClassVar[VersionPolicy]
    NONE: ClassVar[VersionPolicy]

    def considers(self, number: int) -> bool:
        """Whether the version may be loaded."""
        return self.numbers is None or number in self.numbers


VersionPolicy.LATEST = VersionPolicy()
VersionPolicy.ALL = VersionPolicy(newest=None)
VersionPolicy.NONE = VersionPolicy(newest=None, numbers=frozenset())
