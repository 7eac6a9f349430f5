"""Options of the commands of history stores, and the store that they name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from serving.commands.connection_options import fail

if TYPE_CHECKING:
    from feature_spec.spec import FeatureSpec
    from serving.histories.keyed_store import KeyedHistoryStore

Store = Annotated[
    str,
    typer.Option(help="The store: a folder for an LMDB file, or redis://host:port/number."),
]
Spec = Annotated[str, typer.Option(help="Feature spec: a YAML file, or the name of a ready spec.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """End the command with an error that says what is wrong."""
    from serving.histories.store import HistoryStoreError

    try:
        yield
    except (HistoryStoreError, ValueError) as error:
        fail(str(error))


def loaded_spec(spec: str) -> FeatureSpec:
    """Load a spec; end the command with an error that says what is wrong with it."""
    from feature_spec.loading import SpecError, load_spec

    try:
        return load_spec(spec)
    except SpecError as error:
        fail(str(error))


@contextlib.contextmanager
def opened_store(store: str, spec: str, **settings: bool) -> Iterator[KeyedHistoryStore]:
    """Open a store; end the command with an error that says what is wrong with it or after it."""
    from serving.histories.opening import open_store

    loaded = loaded_spec(spec)
    with failures(), contextlib.closing(open_store(store, loaded, **settings)) as opened:
        yield opened
