"""Options reach Beam unchanged and override the defaults."""

from __future__ import annotations

import pytest

from pipeline.commands.beam_options import beam_arguments


def test_by_default_beam_runs_in_this_process() -> None:
    assert beam_arguments([])[:2] == ["--runner=DirectRunner", "--direct_running_mode=in_memory"]


def test_nothing_is_packaged_for_workers_in_this_process_only() -> None:
    assert "--sdk_container_image=none" in beam_arguments(["experiments=a"])
    assert "--sdk_container_image=none" in beam_arguments(
        ["runner=PortableRunner", "environment_type=LOOPBACK"]
    )
    assert "--sdk_container_image=none" not in beam_arguments(["runner=FlinkRunner"])


def test_an_option_takes_the_place_of_the_default_of_the_same_name() -> None:
    assert beam_arguments(["runner=FlinkRunner"]) == [
        "--direct_running_mode=in_memory",
        "--runner=FlinkRunner",
    ]


def test_options_go_on_unchanged_even_if_repeated() -> None:
    assert beam_arguments(["experiments=a=1", "experiments=b"])[-2:] == [
        "--experiments=a=1",
        "--experiments=b",
    ]


@pytest.mark.parametrize("option", ["runner", "--runner=FlinkRunner", "=x"])
def test_an_option_that_is_not_a_pair_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match="give key=value, such as runner=FlinkRunner"):
        beam_arguments([option])
