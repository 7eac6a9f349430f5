"""The programs of the README and of docs/client.md run; tables name each setting's default."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from feature_spec.loading import load_spec
from serving import tf_serving_api
from serving.client.ranking_client import AsyncRankingClient, RankingClient
from serving.client.request_log import RequestLog
from serving.client.tensor_values import float_tensor, shape_of
from serving.client.tls import Tls
from serving.client.transport.policies import HedgingPolicy, RetryPolicy

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs" / "client.md").read_text(encoding="utf-8")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", README + PAGE, flags=re.DOTALL)


@pytest.fixture
def ranker(scripted):
    """A server that gives each task and each ranking score of `short_video` the value 0.5."""
    spec = load_spec("short_video")

    def script(number, request, context):
        (count,) = shape_of(request.inputs["video_id"])
        response = tf_serving_api.PredictResponse()
        response.model_spec.version.value = 3
        for name in (*spec.tasks, "ranking_score"):
            response.outputs[name].CopyFrom(float_tensor([0.5] * count, [count]))
        return response

    def metadata(request, context):
        answer, signatures = (
            tf_serving_api.GetModelMetadataResponse(),
            tf_serving_api.SignatureDefMap(),
        )
        signatures.signature_def["rank"].defaults["spec_fingerprint"].string_val.append(
            spec.fingerprint.encode()
        )
        answer.metadata["signature_def"].Pack(signatures)
        return answer

    return scripted(script, metadata=metadata)


def patient(program: str) -> str:
    """The program with an hour for each call: a busy machine must not fail a test."""
    hour = "timeout_ms=3_600_000"
    changed = re.sub(r"timeout_ms=[\d_]+", hour, program)
    return (
        changed
        if hour in changed
        else program.replace('"short_video"))', f'"short_video"), {hour})')
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=["readme", "blocking", "asyncio", "tables"])
def test_a_documented_program_ranks(ranker, tmp_path, monkeypatch, capsys, program):
    monkeypatch.chdir(tmp_path)
    assert "127.0.0.1:8500" in program
    program = patient(program)
    assert "3_600_000" in program
    exec(
        compile(program.replace("127.0.0.1:8500", ranker.target), "program", "exec"),
        {"__name__": "__main__"},
    )
    printed = capsys.readouterr().out
    assert "0.5" in printed
    assert "no ranking" not in printed


def test_the_example_with_the_client_ranks(ranker):
    program = patient((REPOSITORY / "docs" / "examples" / "rank.py").read_text(encoding="utf-8"))
    done = subprocess.run(
        [sys.executable, "-c", program, ranker.target], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["1 v43 0.5", "2 v10 0.5", "3 v7 0.5"]


@pytest.mark.parametrize(
    "kind", [RankingClient, AsyncRankingClient, RetryPolicy, HedgingPolicy, Tls, RequestLog]
)
def test_every_setting_stands_on_the_page_with_its_default(kind):
    (table,) = (
        table
        for table in re.findall(r"(?:^\|.*\n)+", PAGE, flags=re.MULTILINE)
        if f"`{kind.__name__}`" in table.split("\n")[0]
    )
    for name, parameter in inspect.signature(kind).parameters.items():
        row = next((line for line in table.splitlines() if f"`{name}`" in line.split("|")[1]), None)
        assert row is not None, f"{kind.__name__}.{name} is not in its table"
        stated = row.split("|")[2].strip()
        if isinstance(parameter.default, int | float):
            assert float(stated) == parameter.default, f"{name}: the page says {stated}"
        else:
            assert (stated == "") == (parameter.default is parameter.empty), (
                f"{name}: the page says {stated!r}"
            )
