"""The page beside a local model server of the toy model, with two logged requests.

The fan's candidates have no duration, so with the toy's own weights click^1 · like^0.5 they score
    a  0.9 · 0.25^0.5 = 0.45,  b  0.5 · 1^0.5 = 0.5,  c  0.6 · 0.25^0.5 = 0.3
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FAN = {
    "user": {"user_id": "fan", "activity": 2.5, "recent_videos": ["a", "z"]},
    "context": {"hour": 20},
    "candidates": [
        {"video_id": "a", "quality": 0.9},
        {"video_id": "b", "quality": 0.5, "tags": ["music"]},
        {"video_id": "c", "quality": 0.6, "tags": ["news", "pop"]},
    ],
}
STRANGER = {
    "user": {"user_id": "stranger"},
    "candidates": [{"id": "only", "quality": 0.75}, {"id": "<b>other", "quality": 0.7}],
}


@pytest.fixture
def request_files(tmp_path: Path) -> list[Path]:
    """What `fulcrum rank` would take: the fan's request, then the stranger's."""
    files = []
    for name, content in (("fan", FAN), ("stranger", STRANGER)):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(content))
    return files


@pytest.fixture
def show() -> Iterator[Callable]:
    """Starts the page beside a server."""
    from serving.ui.ranking_page import RankingPage

    pages = []

    def start(server: object, request_files: list[Path]) -> RankingPage:
        pages.append(RankingPage(server, 0, request_files))
        pages[-1].start()
        return pages[-1]

    yield start
    for page in pages:
        page.stop()


@pytest.fixture
def push_with_like_weight(push: Callable) -> Callable[[int, float], Path]:
    """Publishes a version whose own formula has another weight of `like`, in the model as in the spec beside it."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    def push_version(version: int, weight: float) -> Path:
        def change(folder: Path) -> None:
            model = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
            default = model.meta_graphs[0].signature_def["rank"].defaults["weight_of_like"]
            default.ClearField("tensor_content")
            default.float_val[:] = [weight]
            (folder / "saved_model.pb").write_bytes(model.SerializeToString())
            spec = folder / "assets.extra" / "feature_spec.yaml"
            spec.write_text(spec.read_text().replace("like: 0.5", f"like: {weight}"))

        return push(version, break_it=change)

    return push_version
