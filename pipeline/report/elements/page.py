"""Tabs of sections as one HTML file.

Style, script, Plotly and the runs' data are within the file, and nothing is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.report.data.run_data import RunData, run_as_json, run_from_json
from pipeline.report.elements.section import Tab

_DATA_BEGIN, _DATA_END = '<script type="application/json" id="run-data">', "</script>"


class NoReportError(ValueError):
    """A file is not the report of one run."""


def page(
    *, title: str, subtitle: str, outcome: str, tabs: Sequence[Tab], runs: Sequence[RunData]
) -> str:
    """Return the HTML file.

    Args:
        title: the heading of the page.
        subtitle: the line below the heading.
        outcome: the outcome of the run; "" for several runs.
        tabs: the content of the page.
        runs: the data of the runs that the page shows, which the file keeps.
    """
    from plotly.offline import get_plotlyjs

    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title,
            subtitle=subtitle,
            outcome=outcome,
            tabs=tabs,
            # Plotly's script and ours hold no closing tag. Data might, in text of users.
            plotly=Markup(get_plotlyjs()),  # noqa: S704
            runs=Markup(_within_script(json.dumps([run_as_json(run) for run in runs]))),  # noqa: S704
        )
    )


def run_of_page(path: Path) -> RunData:
    """Return the run that a page was made of.

    Raises:
        NoReportError: the file is not the report of one run.
    """
    _, found, rest = path.read_text(encoding="utf-8").partition(_DATA_BEGIN)
    if not found:
        raise NoReportError(f"{path} is no report that `fulcrum report` or `fulcrum run` wrote")
    runs = json.loads(rest.partition(_DATA_END)[0])
    if len(runs) != 1:
        raise NoReportError(
            f"{path} compares {len(runs)} runs; give the report of one, or a pipeline root"
        )
    return run_from_json(runs[0])


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["within_script"] = lambda text: Markup(_within_script(text))  # noqa: S704
    environment.filters["json"] = lambda value: Markup(_within_script(json.dumps(value)))  # noqa: S704
    return environment


def _within_script(text: str) -> str:
    """Return JSON that may stand within a script element, which nothing in it can end."""
    return text.replace("<", "\\u003c")
