"""Beam pipeline options from the command line."""

from __future__ import annotations

from collections.abc import Sequence

# `in_memory`, because a plain DirectRunner first tries to download another runner.
_DEFAULTS = {"runner": "DirectRunner", "direct_running_mode": "in_memory"}
# TFX would package itself anew for each component, seconds each, unless it is told what workers
# run. Those in this process run nothing else, and the name is not read.
_NO_PACKAGE = "sdk_container_image=none"
# Workers that a portable runner starts in this process.
_LOOPBACK = "environment_type=LOOPBACK"


def beam_arguments(options: Sequence[str]) -> list[str]:
    """Beam's arguments for options such as ``direct_num_workers=2``; a default gives way to an option of the same name.

    Raises:
        ValueError: an option is not `key=value`.
    """
    for option in options:
        key, equals, _ = option.partition("=")
        if not equals or not key or key.startswith("-"):
            raise ValueError(f"--beam {option}: give key=value, such as runner=FlinkRunner")
    given = {option.partition("=")[0] for option in options}
    defaults = [f"{key}={value}" for key, value in _DEFAULTS.items() if key not in given]
    if len(defaults) == len(_DEFAULTS) or _LOOPBACK in options:
        defaults.append(_NO_PACKAGE)
    return [f"--{option}" for option in (*defaults, *options)]
