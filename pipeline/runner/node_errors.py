"""Errors of nodes, told in one line."""

from __future__ import annotations

import re

_BEAM_STEP = re.compile(r"\s*\[while running '[^\n]*'\]")
_MAX_LENGTH = 400
# The property of a failed execution in ML Metadata that holds the cause in one line.
FAILURE_CAUSE = "failure_cause"


class NodeFailedError(RuntimeError):
    """A node of the pipeline failed.

    Attributes:
        node: the name of the node.
        cause: the reason, in one line.
        details: further lines, such as a table of anomalies; often empty.
    """

    def __init__(self, node: str, cause: str, details: str = "") -> None:
        super().__init__(f"{node} failed: {cause}")
        self.node, self.cause, self.details = node, cause, details


def cause_of(error: BaseException) -> str:
    """Return the line of an error that tells a reader the cause, without tracebacks."""
    text = _BEAM_STEP.sub("", str(error)).strip()
    if "Traceback (most recent call last)" in text:
        # Beam passes on an error of a worker as the text of its traceback. The last unindented line
        # is the error.
        last = [line for line in text.splitlines() if line and not line[0].isspace()][-1]
        return _shortened(_without_module(last))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and lines[0] == "Graph execution error:":
        # TensorFlow's message comes after the stack of the graph's definition.
        lines = [line for line in lines if not line.startswith("[[")][-1:]
    return _shortened(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)


def details_of(error: BaseException) -> str:
    """Return the lines of an error, after the first, that a reader can act on, and its notes."""
    _, _, rest = str(error).strip().partition("\n")
    has_details = isinstance(error, ValueError) and "Traceback (most recent call last)" not in rest
    return "\n".join([*([rest] if rest and has_details else []), *getattr(error, "__notes__", ())])


def _without_module(line: str) -> str:
    """Return `SomeError: text` for `package.module.SomeError: text`."""
    name, colon, text = line.partition(":")
    return name.rpartition(".")[2] + colon + text if re.fullmatch(r"[\w.]+", name) else line


def _shortened(line: str) -> str:
    return line if len(line) <= _MAX_LENGTH else line[: _MAX_LENGTH - 1] + "…"
