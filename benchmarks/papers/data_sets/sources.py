"""The registry of data sets: official files, their conversion to logs, and the spec."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.papers.data_sets import ali_ccp, ijcai15, kuairand
from feature_spec.loading import parse_spec, ready_specs
from feature_spec.spec import FeatureSpec


@dataclass(frozen=True, kw_only=True)
class Source:
    """A public data set of feedback logs.

    Attributes:
        name: the name of the data set on the command line.
        files: the names of the official files, which a user downloads; of simulated logs, what
            `fulcrum simulate` writes beside those of the days.
        spec: makes the feature spec.
        convert: takes the folder of the official files and another folder, and writes the logs
            that the spec reads into the latter. None if the official files are such logs.
        default_tasks: the tasks of the table; empty for all tasks of the spec.
        trainer: the trainer settings of every run.
        named: model settings that name fields of the data set, by contender.
        identifiers: the fields that gradient boosting does not read.
    """

    name: str
    files: Sequence[str]
    spec: Callable[[], FeatureSpec]
    convert: Callable[[Path, Path], None] | None = None
    default_tasks: Sequence[str] = ()
    trainer: Mapping[str, Any] = field(default_factory=dict)
    named: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    identifiers: Sequence[str] = ()

    def logs(self, official: Path, folder: Path) -> Path:
        """Return the folder of the logs that the spec reads; convert them if that is not done yet.

        Raises:
            FileNotFoundError: an official file is missing.
        """
        missing = [name for name in self.files if not (official / name).exists()]
        if missing:
            raise FileNotFoundError(
                f"--data {official} lacks {', '.join(missing)}; it needs {', '.join(self.files)}"
            )
        if self.convert is None:
            return official
        converted = folder / "logs"
        # A complete folder gets its final name last.
        if not converted.exists():
            unfinished = folder / "logs.unfinished"
            unfinished.mkdir(parents=True, exist_ok=True)
            self.convert(official, unfinished)
            unfinished.rename(converted)
        return converted


def checksums(source: Source, official: Path) -> dict[str, str]:
    """Return the SHA-256 of each official file."""
    result = {}
    for name in source.files:
        with (official / name).open("rb") as file:
            result[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return result


def _ready(name: str) -> FeatureSpec:
    return parse_spec(ready_specs()[name].read_text(encoding="utf-8"), name)


def _kuairand(ready_name: str) -> FeatureSpec:
    ready = yaml.safe_load(ready_specs()[ready_name].read_text(encoding="utf-8"))
    return parse_spec(json.dumps(kuairand.document(ready)), ready_name)


# Larger batches than by default halve the time of a training.
_TRAINER = {"epochs": 12, "patience": 1, "batch_size": 1024}
_AVERAGED = {"epochs": 12, "patience": 1, "batch_size": 512, "average_steps": 100}
_ALL = (
    Source(
        name="census",
        files=("census-income.data.bz2", "census-income.test.gz"),
        spec=lambda: _ready("census_income"),
        trainer=_TRAINER,
    ),
    Source(
        name="simulated",
        files=("users.jsonl.gz", "videos.jsonl.gz"),
        spec=lambda: _ready("short_video"),
        trainer=_TRAINER,
        named={
            "ple_pepnet": {
                "personalise": {
                    "domain": ["scenario"],
                    "prior": ["user_id", "video_id", "author_id"],
                }
            }
        },
        identifiers=("user_id", "video_id", "author_id"),
    ),
    *(
        Source(
            name=name,
            files=(kuairand.LOG, *kuairand.SIDE_TABLES),
            spec=partial(_kuairand, ready_name),
            convert=kuairand.convert,
            default_tasks=("click", "long_view", "completion", "like", "profile_enter"),
            trainer=trainer,
            named={
                "ple_pepnet": {
                    "personalise": {
                        "domain": ["tab"],
                        "prior": ["user_id", "video_id", "author_id"],
                    }
                }
            },
            identifiers=("user_id", "video_id", "author_id", "music_id"),
        )
        for name, ready_name, trainer in (
            ("kuairand", "kuairand_static", _TRAINER),
            ("kuairand_histories", "kuairand", _AVERAGED),
        )
    ),
    Source(
        name="ali_ccp",
        files=ali_ccp.FILES,
        spec=lambda: parse_spec(json.dumps(ali_ccp.document()), "ali_ccp"),
        convert=ali_ccp.convert,
        trainer=_TRAINER,
        identifiers=("field_101", "field_205"),
    ),
    Source(
        name="ijcai15",
        files=(ijcai15.LOG, ijcai15.USERS),
        spec=lambda: parse_spec(json.dumps(ijcai15.document()), "ijcai15"),
        convert=ijcai15.convert,
        trainer=_TRAINER,
        identifiers=("user_id", "item_id"),
    ),
)
SOURCES = {source.name: source for source in _ALL}
