"""A function in a process of its own: its log, its errors, its end."""

from __future__ import annotations

import logging
import os
import signal

import pytest

from trainer.distribute.spawned_call import ProcessEndedError, call_in_new_process

_CHILD = "child_of_test_spawned_call"


@pytest.fixture
def child(tmp_path, monkeypatch):
    """A module that the new process can import by name."""
    (tmp_path / f"{_CHILD}.py").write_text(
        "import logging, os, signal\n"
        "def tells(pid):\n"
        "    assert os.getpid() != pid\n"
        "    logging.getLogger('fulcrum.trainer').info('epoch %d', 1)\n"
        "    logging.getLogger('absl').warning('noise')\n"
        "def fails(text):\n"
        "    raise ValueError(text)\n"
        "def is_killed():\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return pytest.importorskip(_CHILD)


def test_our_own_log_records_come_back(child, caplog):
    caplog.set_level(logging.INFO)
    call_in_new_process(child.tells, os.getpid())
    assert [record.getMessage() for record in caplog.records] == ["epoch 1"]


def test_an_error_comes_back(child):
    with pytest.raises(ValueError, match="this went wrong"):
        call_in_new_process(child.fails, "this went wrong")


def test_a_kill_is_an_error(child):
    with pytest.raises(ProcessEndedError, match=rf"exit code -{int(signal.SIGKILL)}"):
        call_in_new_process(child.is_killed)
