"""What was seen of each column of a source: values, numbers, lists, and how many are missing."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from feature_spec.fields.values import category_text, finite_number, is_number, plain_value
from feature_spec.logs.source import Source
from pipeline.ingest.sources.files import LogFile
from pipeline.log_look.sampled_files import chosen_files
from pipeline.spec_init.words import LISTS, has_word

# Texts by which logs say that there is no value.
_MISSING_TEXTS = ("\\N", "NULL", "null", "NaN", "nan", "N/A", "NA", "None", "?", "-")
_SURELY_MISSING = frozenset(_MISSING_TEXTS[:6])
_MANY_COLUMNS = 2_000
_FEW_RECORDS = 100
_SEPARATORS = ("|", ",", ";", "^", "#", " ")
_LONGEST_ELEMENT = 40


@dataclasses.dataclass
class SeenColumn:
    """A column of a source, as far as it was read.

    Attributes:
        name: the name of the column.
        values: the value of each line; None where missing.
        is_given: whether the file or its reader named the column, not we.
    """

    name: str
    values: list[Any]
    is_given: bool = True

    @cached_property
    def present(self) -> list[Any]:
        """The values that are there."""
        return [value for value in self.values if value is not None]

    @property
    def missing_share(self) -> float:
        """The share of lines without a value."""
        return 1.0 - len(self.present) / len(self.values) if self.values else 1.0

    @cached_property
    def _different(self) -> Counter[tuple[type, Any]]:
        """How often each value occurs, since each is looked at once; 1, 1.0 and true differ."""
        try:
            return Counter((type(value), value) for value in self.present)
        except TypeError:  # lists and objects
            return Counter((str, repr(value)) for value in self.present)

    @cached_property
    def _counts(self) -> Counter[str] | None:
        counts: Counter[str] = Counter()
        if any(isinstance(value, list | tuple | dict) for value in self.present):
            return None
        try:
            for (_, value), count in self._different.items():
                counts[category_text(value)] += count
        except ValueError:
            return None
        return counts

    @property
    def texts(self) -> list[str] | None:
        """The different values as categories; None where a value is not one."""
        return None if self._counts is None else list(self._counts)

    @cached_property
    def numbers(self) -> list[float] | None:
        """The number of each value; None where a value is not a finite one."""
        if not self.present or self.elements is not None:
            return None
        known: dict[tuple[type, Any], float] = {}
        try:
            for kind, value in self._different:
                if kind is bool:
                    return None
                known[kind, value] = finite_number(value)
            numbers = [known[type(value), value] for value in self.present]
        except (ValueError, TypeError, KeyError):
            return None
        return numbers if max(map(abs, known.values())) < 3e38 else None

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each category occurs, or each element of a list."""
        if self.elements is not None:
            return Counter(element for elements in self.elements for element in elements)
        if self._counts is not None:
            return self._counts
        return Counter({repr(value): count for (_, value), count in self._different.items()})

    @cached_property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers."""
        return self.numbers is not None and all(number.is_integer() for number in self.numbers)

    @cached_property
    def is_flag(self) -> bool:
        """Whether the values are truth values, or 0 and 1."""
        texts = {text.lower() for text in self.counts}
        return bool(texts) and (
            texts <= {"true", "false"}
            or (self.numbers is not None and set(self.numbers) == {0.0, 1.0})
        )

    @cached_property
    def elements(self) -> list[list[str]] | None:
        """The elements of each list that is there; None where values are no lists of categories."""
        if not self.present or not all(isinstance(value, list | tuple) for value in self.present):
            return None
        try:
            return [
                [category_text(one) for one in value if one is not None] for value in self.present
            ]
        except ValueError:
            return None

    @cached_property
    def separator(self) -> str | None:
        """The separator of texts that are lists; None where they are not."""
        texts = self._counts
        if not texts or self.numbers is not None or {kind for kind, _ in self._different} != {str}:
            return None
        # Elements of lists recur; words of names hardly do.
        most = (3.0, 3.0) if has_word(self.name, LISTS) else (1.0, 0.7)
        for separator in _SEPARATORS:
            lists = {text: text.split(separator) for text in texts if separator in text}
            if sum(texts[text] for text in lists) < 0.2 * texts.total():
                continue
            elements = {one.strip() for several in lists.values() for one in several}
            elements |= texts.keys() - lists.keys()
            if (
                len(elements) <= len(texts) * most[separator == " "]
                and max(map(len, elements)) <= _LONGEST_ELEMENT
                and not any(re.search(r"\s", element) for element in list(elements)[:200])
            ):
                return separator
        return None

    def split_at(self, separator: str) -> SeenColumn:
        """Return the column with lists in the place of texts."""
        values = [
            None if value is None else [one.strip() for one in value.split(separator) if one]
            for value in self.values
        ]
        return SeenColumn(self.name, values, self.is_given)

    def quantile(self, share: float) -> float:
        """Return a quantile of the numbers."""
        ordered = sorted(self.numbers or [0.0])
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


@dataclasses.dataclass
class SeenSource:
    """A source, as far as it was read.

    Attributes:
        source: its description in the spec.
        files: its files.
        columns: its columns by name; those that no spec can name are left out.
        lines: the number of lines read.
        about_lines: the number of lines that it has, an estimate unless all was read.
        is_whole: whether all lines were read.
        missing_texts: texts that stand for a missing value.
    """

    source: Source
    files: list[LogFile]
    columns: dict[str, SeenColumn]
    lines: int
    about_lines: int
    is_whole: bool
    missing_texts: list[str]

    def renamed(self, names: dict[str, str]) -> SeenSource:
        """Return the source with other names for columns that the file does not name."""
        given = [names.get(name, name) for name in self.source.columns or []]
        columns = {}
        for name, column in self.columns.items():
            new = names.get(name, name)
            columns[new] = dataclasses.replace(column, name=new)
        return dataclasses.replace(
            self, source=self.source.model_copy(update={"columns": given}), columns=columns
        )


def seen_source(source: Source, files: Sequence[LogFile], lines: int, named: bool) -> SeenSource:
    """Read some lines of the files of a source, and return what is in their columns.

    Args:
        source: the description of the source.
        files: its files.
        lines: the number of lines to read, about.
        named: whether the file or the user named the columns.

    Raises:
        ValueError: no line can be read, or files have other columns than the first.
    """
    chosen = chosen_files(files, lines)
    records: list[dict[str, Any]] = []
    problem = ""
    first: tuple[str, set[str]] | None = None
    for file in chosen:
        names_of_file: set[str] = set()
        for batch in file.batches(source, 1_000_000):
            records += batch.rows.records()
            names_of_file.update(*batch.rows.records()[:_FEW_RECORDS])
            if batch.unusable and not problem:
                problem = f"; {file.name}: {batch.unusable[0][2].detail}"
        if file.lines and not names_of_file and file.file.size_bytes:
            raise ValueError(
                f"{file.name} cannot be read as {source.format}{problem}: give the files of the "
                "log alone"
            )
        if first is not None and names_of_file and not _alike(first[1], names_of_file):
            raise ValueError(
                f"{first[0]} and {file.name} are no files of one log: give the files of the log "
                f"alone; the first has the columns {', '.join(sorted(first[1]))}, the other "
                f"{', '.join(sorted(names_of_file))}"
            )
        first = first or ((file.name, names_of_file) if names_of_file else None)
    if not records:
        raise ValueError(f"no line of {source.text} can be read as {source.format}{problem}")
    names = dict.fromkeys(name for record in records for name in record if _is_nameable(name))
    missing = _missing_texts(records)
    columns = {
        name: SeenColumn(
            name, [_value(record.get(name), missing) for record in records], is_given=named
        )
        for name in list(names)[:_MANY_COLUMNS]
    }
    read = sum(one.lines for one in chosen)
    is_whole = len(chosen) == len(files) and all(one.read_share >= 1.0 for one in chosen)
    size = sum(one.file.size_bytes for one in chosen)
    about = sum(one.about_lines for one in chosen)
    about *= sum(file.size_bytes for file in files) / size if size else 1.0
    return SeenSource(
        source=source,
        files=list(files),
        columns=columns,
        lines=read,
        about_lines=read if is_whole else max(round(about), read),
        is_whole=is_whole,
        missing_texts=sorted(missing),
    )


def _alike(some: set[str], others: set[str]) -> bool:
    """Return whether files with these columns may be of one log: most columns are in both."""
    return 2 * len(some & others) > min(len(some), len(others))


def _is_nameable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return bool(name)


def _missing_texts(records: Sequence[dict[str, Any]]) -> set[str]:
    """Return texts that stand for no value: clear ones, and others among numbers only."""
    found: set[str] = set()
    seen: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.items():
            if isinstance(value, str):
                seen.setdefault(name, set()).add(value)
            elif isinstance(value, float) and math.isnan(value):
                found.add("nan")
    for texts in seen.values():
        found |= texts & _SURELY_MISSING
        marks = texts & set(_MISSING_TEXTS)
        others = texts - marks - {""}
        if others and all(map(is_number, others)):
            found |= marks
    return found


def _value(value: Any, missing: Iterable[str]) -> Any:
    if isinstance(value, str):
        return None if not value or value in missing else value
    value = plain_value(value)
    if isinstance(value, float) and math.isnan(value) and "nan" in missing:
        return None
    return value
