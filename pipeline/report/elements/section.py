"""What a page is made of: tabs of sections, sections of blocks. All text in them is plain; the page's templates escape it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import plotly.graph_objects as go

Tone = Literal["", "good", "bad", "warn", "quiet"]


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what it says.
        tone: how it is meant.
        share: in [0, 1]: colours the ground by so much; None for a plain cell.
        negative: whether `share` is that of a value below 0, which has the other colour.
        hint: what the text means: a tooltip.
        detail: stands below the text in small letters, such as an interval.
    """

    text: str
    tone: Tone = ""
    share: float | None = None
    negative: bool = False
    hint: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of texts or cells.

    Attributes:
        caption: what a row is.
        columns: headings; the first column names the row.
        rows: as many cells as columns in each.
        hints: what a heading means, by heading: a tooltip.
        texts: number of columns from the left that hold text; numbers stand at the right.
        folded: whether it is shown only when asked for, as the numbers of a picture are.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    hints: Mapping[str, str] = field(default_factory=dict)
    texts: int = 1
    folded: bool = False


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure of Plotly.

    Attributes:
        title: its heading.
        describes: for readers who do not see it: what it shows, and the outcome.
        figure: without colours of ground and letters, which the page sets for light and dark.
        height_px: at any width.
    """

    kind: ClassVar[str] = "picture"
    title: str
    describes: str
    figure: go.Figure
    height_px: int = 320

    @property
    def json(self) -> str:
        """The figure for Plotly's script."""
        text: str = self.figure.to_json()
        return text


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Small pictures of one kind, as many beside each other as there is room for."""

    kind: ClassVar[str] = "pictures"
    pictures: Sequence[Picture]


@dataclass(frozen=True, kw_only=True)
class BubblePicture:
    """Bubbles in the plane of two quantities that the reader chooses.

    Attributes:
        picture: with `choices` first and second at the axes; its only trace is drawn anew for other
            ones.
        choices: names of the quantities.
        values: of each quantity, a row a bubble: value, and how far the interval reaches down and
            up (0 without one).
    """

    kind: ClassVar[str] = "bubbles"
    picture: Picture
    choices: Sequence[str]
    values: Mapping[str, Sequence[tuple[float | None, float, float]]]


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    kind: ClassVar[str] = "note"
    text: str
    tone: Tone = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names with values, short enough to be read at a glance."""

    kind: ClassVar[str] = "facts"
    facts: Sequence[tuple[str, str | Cell]]


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """Sentences that each point to a section.

    Attributes:
        alerts: tone, sentence and anchor of the section, worst first.
    """

    kind: ClassVar[str] = "alerts"
    alerts: Sequence[tuple[Tone, str, str]]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Blocks of which one option's are shown.

    Attributes:
        label: what is chosen, such as "Task".
        options: blocks by option.
    """

    kind: ClassVar[str] = "choice"
    label: str
    options: Mapping[str, Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Section:
    """One question that the report answers.

    Attributes:
        anchor: its id in the page.
        title: its heading.
        lead: what it shows and how to read it.
        blocks: the answer.
    """

    anchor: str
    title: str
    lead: str
    blocks: Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class Tab:
    """Sections that are shown together."""

    anchor: str
    title: str
    sections: Sequence[Section]
