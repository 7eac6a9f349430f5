"""The parts of a page: tabs of sections, and sections of blocks.

All text is plain; the templates escape it.
"""

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
        text: the text of the cell.
        tone: the meaning of the text, which gives it a colour.
        share: a number in [0, 1] that colours the ground; None for a plain cell.
        negative: whether `share` belongs to a value below 0, which has the other colour.
        hint: a tooltip that explains the text.
        detail: small letters below the text, such as an interval.
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
        caption: a heading that says what a row is.
        columns: headings; the first column names the row.
        rows: rows with a cell for each column.
        hints: tooltips by heading.
        texts: the number of columns from the left that hold text; numbers stand at the right.
        folded: whether the table opens only on request, as the numbers of a picture do.
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
        title: the heading of the figure.
        describes: content and outcome in words, for readers who do not see the figure.
        figure: a figure without colours of ground and letters, which the page sets for light and
            dark.
        height_px: the height in pixels at any width.
    """

    kind: ClassVar[str] = "picture"
    title: str
    describes: str
    figure: go.Figure
    height_px: int = 320

    @property
    def json(self) -> str:
        """The figure as JSON for Plotly's script."""
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
        picture: the picture of the first two `choices`; its only trace is drawn anew for others.
        choices: the names of the quantities.
        values: rows by quantity, one for each bubble: value, and how far the interval reaches down
            and up (0 without one).
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
    """Names with values that can be read at a glance."""

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
    """Blocks by option, of which the page shows one option's.

    Attributes:
        label: the name of the choice, such as "Task".
        options: blocks by option.
    """

    kind: ClassVar[str] = "choice"
    label: str
    options: Mapping[str, Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Section:
    """One question that the report answers.

    Attributes:
        anchor: the id of the section in the page.
        title: the heading of the section.
        lead: the question, and how to read the answer.
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
