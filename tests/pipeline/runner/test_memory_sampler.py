"""Peak memory is that of the block, children included."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np

from pipeline.runner.memory_sampler import MemorySampler

_MB = 1_000_000


def _wait_for(memory: MemorySampler, before: MemorySampler) -> None:
    """Hold what is there until it has been sampled, however seldom a busy machine samples."""
    while memory.peak_bytes - before.peak_bytes <= 150 * _MB:
        time.sleep(0.05)


def test_memory_that_is_freed_before_the_end_counts() -> None:
    with MemorySampler() as before:
        pass
    with MemorySampler() as memory:
        block = np.ones(200 * _MB, np.uint8)
        _wait_for(memory, before)
        del block
    assert memory.peak_bytes - before.peak_bytes > 150 * _MB


def test_the_memory_of_children_counts() -> None:
    with MemorySampler() as before:
        pass
    hold = f"import sys; block = b'x' * {200 * _MB}; sys.stdin.read()"
    with (
        MemorySampler() as memory,
        subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE),
    ):
        _wait_for(memory, before)
    assert memory.peak_bytes - before.peak_bytes > 150 * _MB
