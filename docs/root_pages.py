"""A hook of `mkdocs`: pages of the repository's root join those of docs/."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_ROOT = Path(__file__).resolve().parents[1]
# The README is the first page of the site.
_PAGES = {
    "index.md": "README.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "SECURITY.md": "SECURITY.md",
}
_LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")
_PAGE_OF = {source: page for page, source in _PAGES.items()}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie in the root."""
    for page, source in _PAGES.items():
        text = (_ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Turn links between files of the repository into links between pages."""
    del config, files
    own = page.file.src_uri
    source = _ROOT / _PAGES.get(own, f"docs/{own}")

    def between_pages(link: re.Match[str]) -> str:
        path, hash_, anchor = link[1].partition("#")
        target = (source.parent / path).resolve().relative_to(_ROOT).as_posix()
        target = _PAGE_OF.get(target, target.removeprefix("docs/"))
        return f"]({os.path.relpath(target, os.path.dirname(own) or '.')}{hash_}{anchor})"

    return _LINK.sub(between_pages, markdown)
