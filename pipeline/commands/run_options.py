"""Options that `fulcrum run`, `backfill` and `compile` share, and what they amount to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from feature_spec.spec import FeatureSpec

SpecOption = Annotated[
    str,
    typer.Option(
        "--spec", help="Feature spec: a YAML file, or a ready one; `fulcrum spec list` names them."
    ),
]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="Model to train, in place of the spec's.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Replaces a value of the spec. May be repeated."
    ),
]
TuneOption = Annotated[
    bool,
    typer.Option(
        "--tune", help="First search for better settings, as the spec's section tuner says."
    ),
]
WithSingleTaskOption = Annotated[
    bool,
    typer.Option(
        "--with-single-task",
        help="Also train each task alone, and report what each gains from the others (MTL gain).",
    ),
]
BeamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--beam", metavar="KEY=VALUE", help="Option for Beam, passed on unchanged. May be repeated."
    ),
]


@dataclass(frozen=True)
class CheckedOptions:
    """What is run.

    Attributes:
        spec: with the overrides, valid as a whole.
        trainer_settings: JSON of the trainer's settings.
        beam_arguments: Beam pipeline options.
    """

    spec: FeatureSpec
    trainer_settings: str
    beam_arguments: list[str]


def checked_options(
    spec: str,
    *,
    model: str | None,
    overrides: Sequence[str] | None,
    beam: Sequence[str] | None,
    tune: bool = False,
) -> CheckedOptions:
    """Reads and checks what the options say.

    Args:
        spec: as given; so are the others, by `--model`, `--set`, `--beam` and `--tune`.
        model: in place of the spec's.
        overrides: of values of the spec.
        beam: options for Beam.
        tune: whether settings are searched for.

    Raises:
        ValueError: one of them is wrong, or they do not go together.
    """
    from pipeline.commands.beam_options import beam_arguments
    from pipeline.commands.spec_overrides import checked_trainer_settings, load_overridden_spec

    feature_spec = load_overridden_spec(spec, overrides or [], model)
    checked = CheckedOptions(
        feature_spec, checked_trainer_settings(feature_spec), beam_arguments(beam or [])
    )
    if tune and feature_spec.tuner is None:
        raise ValueError(f"--tune: {spec} has no section 'tuner'; see docs/feature_spec.md")
    return checked
