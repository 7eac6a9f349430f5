"""A process of `fulcrum serve` is waited for as long as it lives, and its log is named when it dies."""

from __future__ import annotations

import sys

import pytest

from serving.model_server import process as module
from serving.model_server.process import ServerProcessError, serving_process


def test_a_process_that_dies_is_told_with_its_log_and_the_end_of_it(tmp_path):
    log = tmp_path / "serve.log"
    with pytest.raises(ServerProcessError) as told, serving_process(["--no-such-option"], log):
        pass
    assert f"ended with exit code 2 before it listened; the end of {log}:" in str(told.value)
    assert "No such option: --no-such-option" in str(told.value)


def test_a_process_that_lives_is_waited_for_and_seen_to_live(tmp_path, monkeypatch):
    # The stand-in listens once the caller has been told twice that it lives, however long that
    # takes.
    go = tmp_path / "go"
    code = (
        "import pathlib, time\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\n"
        "print('Listening on 127.0.0.1:1 (gRPC): toy, version 1', flush=True); time.sleep(3600)"
    )
    popen = module.subprocess.Popen
    monkeypatch.setattr(
        module.subprocess,
        "Popen",
        lambda command, **rest: popen([sys.executable, "-c", code], **rest),
    )
    told_s = []

    def waiting(elapsed_s):
        told_s.append(elapsed_s)
        if len(told_s) == 2:
            go.touch()

    with serving_process([], tmp_path / "serve.log", waiting) as (target, process):
        assert target == "127.0.0.1:1"
        assert process.poll() is None
    assert process.poll() is not None
    assert len(told_s) >= 2
    assert told_s == sorted(told_s)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_server_that_listens_without_a_version_is_told_with_its_log(tmp_path):
    # It would live on, waiting for a first version, and its caller with it.
    log = tmp_path / "serve.log"
    with pytest.raises(ServerProcessError) as told, serving_process(["--root", str(tmp_path)], log):
        pass
    assert "listens, but no version of a model is loaded" in str(told.value)
    assert f"the end of {log}:" in str(told.value)
    assert f"waiting for a first version in {tmp_path}" in str(told.value)
