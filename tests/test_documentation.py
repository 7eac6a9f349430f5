"""The documentation names options, commands, files and headings that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from fulcrum import cli
from tests.wheel import PACKAGES, REPOSITORY

PAGES = {
    path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8")
    for path in (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
}
TEXTS = PAGES | {
    name: (REPOSITORY / name).read_text(encoding="utf-8")
    for name in ("CONTRIBUTING.md", "SECURITY.md")
}


def commands_below(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for word, command in group.commands.items():
        whole = f"{name} {word}"
        yield from (
            commands_below(command, whole) if hasattr(command, "commands") else [(whole, command)]
        )


COMMANDS = dict(commands_below(typer.main.get_command(cli.app), "fulcrum"))


def options_of(name: str) -> set[str]:
    return {
        option
        for parameter in COMMANDS[name].params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option[0] == "-"
    }


def options_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def documented_lines() -> Iterator[tuple[str, str]]:
    """Each command line of ours on a page, in a block or in a sentence, with its continuations."""
    for page, text in PAGES.items():
        joined = text.replace("\\\n", " ")
        for line in re.findall(r"^ {4,}(?:.*[;|&$] *)?(fulcrum .*)$", joined, re.MULTILINE):
            yield page, line.split("#")[0]
        for line in re.findall(r"(?<!`)`(fulcrum [^`]*)`", re.sub(r"\s+", " ", joined)):
            yield page, line


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_on_a_page_about_its_command(name: str) -> None:
    about = [
        text for text in PAGES.values() if re.search(rf"{name}(?![\w-])", re.sub(r"\s+", " ", text))
    ]
    assert options_of(name) - {"--help"} <= options_in("\n".join(about))


@pytest.mark.parametrize(("page", "line"), list(documented_lines()))
def test_every_documented_command_has_the_options_that_it_is_given(page: str, line: str) -> None:
    [name] = [name for name in COMMANDS if re.match(rf"{name}(?![\w-])", line)]
    assert options_in(line) <= options_of(name)


def anchors_of(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    for target in re.findall(r"\]\(((?!https?:)[^)]+)\)", TEXTS[page]):
        path, _, anchor = target.partition("#")
        file = (REPOSITORY / page).parent / path if path else REPOSITORY / page
        assert file.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in anchors_of(file.read_text(encoding="utf-8")), f"{page}: {target}"


@pytest.mark.parametrize("page", TEXTS)
def test_every_file_and_module_that_a_page_names_is_there(page: str) -> None:
    ours = "feature_spec|pipeline|trainer|serving|fulcrum|benchmarks|tests|docs"
    for path in re.findall(rf"(?<![\w/.-])(?:{ours})/[\w./*-]+", TEXTS[page]):
        assert any(REPOSITORY.glob(path.rstrip("./"))), f"{page}: {path}"
    for name in re.findall(rf"(?<![\w/.-])(?:{ours})(?:\.\w+){{2,}}", TEXTS[page]):
        parts = name.split(".")
        module = REPOSITORY.joinpath(*parts)
        holder = module.parent.with_suffix(".py")
        assert (
            module.with_suffix(".py").exists()
            or module.is_dir()
            or (holder.exists() and re.search(rf"\b{parts[-1]}\b", holder.read_text("utf-8")))
        ), f"{page}: {name}"


def test_the_map_of_the_house_has_every_folder_with_code() -> None:
    folders = {
        path.parent.relative_to(REPOSITORY).as_posix()
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*.py")
    }
    assert folders <= set(re.findall(r"^\| `([\w/]+)/` \|", PAGES["docs/house.md"], re.MULTILINE))


def test_the_readme_and_the_page_of_models_count_and_name_all_models() -> None:
    from trainer.settings.model_config import MODELS

    assert len(MODELS) == 16
    assert "**Sixteen sharing architectures**" in PAGES["README.md"]
    first_cells = re.findall(r"^\| ([^|]+) \|", PAGES["docs/models.md"], re.MULTILINE)
    assert set(MODELS) <= set(re.findall(r"`(\w+)`", " ".join(first_cells)))
