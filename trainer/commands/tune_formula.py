"""`fulcrum tune-formula`: search for weights of the ranking formula by replay."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from feature_spec.output_file import writable_file
from trainer.commands.options import ExamplesOption, JsonOption, ModelOption

# As of a run whose model is refused: nothing failed, and there is nothing to use.
_KEEP = 3


def tune_formula(
    *,
    model: ModelOption,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TASK",
            help="A task whose observed labels the first places should hold more of, or "
            "TASK*duration: watch time, where the task is the watched share. May be repeated.",
            show_default=False,
        ),
    ] = None,
    minimise: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TASK",
            help="A task whose observed labels the first places should hold less of, such as "
            "dislikes or reports. May be repeated.",
            show_default=False,
        ),
    ] = None,
    examples: ExamplesOption = None,
    group_by: Annotated[
        Literal["auto", "request", "user_day", "user"],
        typer.Option(
            help="Which exposures compete. auto: those of a request, else of a user's day, else "
            "of a user."
        ),
    ] = "auto",
    top_k: Annotated[int, typer.Option(help="Ranks whose labels count.", min=1)] = 10,
    discount: Annotated[
        Literal["log2", "none"], typer.Option(help="Of rank r: 1/log2(1 + r), as in NDCG, or none.")
    ] = "log2",
    trials: Annotated[
        int, typer.Option(help="Weights to try, the current ones among them.", min=2)
    ] = 500,
    highest_weight: Annotated[
        float | None,
        typer.Option(
            help="Bound of every weight.",
            min=0.001,
            show_default="twice the largest of the current weights and 1",
        ),
    ] = None,
    free_signs: Annotated[
        bool,
        typer.Option(
            "--free-signs",
            help="Let a penalty, which is a weight below 0, become a reward.",
        ),
    ] = False,
    held_out_share: Annotated[
        float,
        typer.Option(
            help="Share of the users on which the differences are measured, and nothing is chosen.",
            min=0.01,
            max=0.99,
        ),
    ] = 0.5,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal results.", min=0)] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File for the found formula, for `fulcrum rank --formula`, or the spec. It is "
            "written only if no objective loses on the held-out users beyond noise.",
            dir_okay=False,
            callback=writable_file,
        ),
    ] = None,
    json_file: JsonOption = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="File for a picture of the Pareto front, .png, .svg or .pdf.",
            dir_okay=False,
            callback=writable_file,
        ),
    ] = None,
) -> None:
    """Search for weights of the ranking formula that would have put more of the objectives first.

    The model scores logged exposures once. Each weighting then reorders the exposures of a group,
    and the labels of the first places are summed. Weights are chosen on one part of the users, and
    differences to the current formula measured on the others. The chosen point of the Pareto front
    is the one whose smallest relative gain over the objectives is largest. Where it loses some
    objective on the other users beyond noise, or where nobody can tell, the advice is to keep the
    current formula, and no file is written.

    Exit code: 0 for a formula that loses nothing; 3 to keep the current one; 1 on an error.

    Example: fulcrum tune-formula --model runs/first --objective "vcr*duration" --objective shr
    --out formula.yaml
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from feature_spec.loading import SpecError, formula_yaml
    from trainer.formula_search.formula_search import SearchSettings, tune
    from trainer.formula_search.front_picture import check_picture, save_front
    from trainer.formula_search.objective import FormulaSearchError
    from trainer.formula_search.search_report import print_search
    from trainer.inspect.exported_model import ExportedModelError

    settings = SearchSettings(
        group_by=group_by, top_k=top_k, discount=discount, trials=trials,
        held_out_share=held_out_share, highest_weight=highest_weight, seed=seed,
        free_signs=free_signs,
    )  # fmt: skip
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        if picture:
            check_picture(picture, len({*(objective or []), *(minimise or [])}))
        with Progress(*columns, console=Console(stderr=True)) as progress:
            scored, tried = (
                progress.add_task("exposures scored", total=None),
                progress.add_task("weights tried", total=trials),
            )
            found = tune(
                model, objective or [], examples or [], settings, minimised=minimise or [],
                scored=lambda count: progress.advance(scored, count),
                tried=lambda: progress.advance(tried),
            )  # fmt: skip
        if out and found.reason_to_keep is None:
            named = [*(objective or []), *(f"less {task}" for task in minimise or [])]
            source = (
                f"Found by `fulcrum tune-formula` for {', '.join(named)}, with {found.folder}. "
                "In place of:"
            )
            current = ", ".join(f"{name} {weight:g}" for name, weight in found.current.items())
            out.write_text(formula_yaml(found.formula, source, current), encoding="utf-8")
        if json_file:
            json_file.write_text(found.model_dump_json(indent=1), encoding="utf-8")
        if picture:
            save_front(picture, found)
    except (ExportedModelError, FormulaSearchError, SpecError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    print_search(found, Console(width=None if sys.stdout.isatty() else 140))
    if found.reason_to_keep is not None:
        if out and out.exists():
            typer.echo(f"{out} was there before: it is left as it was.", err=True)
        raise typer.Exit(_KEEP)
