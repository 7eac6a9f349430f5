"""The root of a pipeline: who owns it, where its artifacts lie, and its lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline.workspace.root
from pipeline.workspace.root import (
    ArtifactsPlaceError,
    Root,
    RootError,
    RootInUseError,
    RootOfAnotherSpecError,
    UnusablePlaceError,
    check_place,
    locked,
)


def test_a_root_stays_that_of_the_spec_that_claimed_it_first(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.claim("short_video")
    root.claim("short_video")
    with pytest.raises(RootOfAnotherSpecError, match="holds the models of spec 'short_video'"):
        root.claim("kuairand")


def test_artifacts_lie_below_the_root_unless_they_are_put_elsewhere(tmp_path: Path) -> None:
    root = Root(tmp_path)
    assert root.artifacts == str(tmp_path / "artifacts")
    root.claim("short_video", str(tmp_path / "elsewhere"))
    assert Root(tmp_path).artifacts == str(tmp_path / "elsewhere")


def test_a_root_keeps_to_the_place_of_its_artifacts(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.claim("short_video", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "artifact").touch()
    root.claim("short_video", str(tmp_path / "elsewhere"))
    root.claim("short_video")
    with pytest.raises(ArtifactsPlaceError, match=f"has its artifacts in {tmp_path}/elsewhere"):
        root.claim("short_video", str(tmp_path / "another"))
    assert root.artifacts == str(tmp_path / "elsewhere")


def test_a_root_that_has_artifacts_of_its_own_keeps_them(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.claim("short_video")
    with pytest.raises(ArtifactsPlaceError, match=f"has its artifacts in {tmp_path}/artifacts"):
        root.claim("short_video", str(tmp_path / "elsewhere"))


def test_two_roots_cannot_have_one_place(tmp_path: Path) -> None:
    (tmp_path / "a" / "Trainer").mkdir(parents=True)
    (tmp_path / "a" / "Trainer" / "model").touch()
    with pytest.raises(
        ArtifactsPlaceError,
        match="there are files already, such as .*/a/Trainer/model; give each root its own",
    ):
        Root(tmp_path).claim("short_video", str(tmp_path / "a"))
    Root(tmp_path).claim("short_video")  # Nothing was kept of it.
    assert Root(tmp_path).artifacts == str(tmp_path / "artifacts")


def test_a_place_that_cannot_be_reached_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(folder: str, pattern: str) -> list[str]:
        raise OSError("no route to host")

    monkeypatch.setattr(pipeline.workspace.root, "matching_files", unreachable)
    with pytest.raises(
        ArtifactsPlaceError, match="--artifacts gs://bucket/run cannot be reached: no route to host"
    ):
        Root(tmp_path).claim("short_video", "gs://bucket/run")


_HOLD = """
import sys
from pathlib import Path
from pipeline.workspace.root import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_run(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "run.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    with process:
        yield process
        process.kill()


def test_a_second_run_is_refused_and_told_which_process_holds_the_root(
    other_run: subprocess.Popen[str], tmp_path: Path
) -> None:
    with (
        pytest.raises(RootInUseError, match=f"process {other_run.pid}.*{tmp_path}"),
        locked(tmp_path / "run.lock"),
    ):
        pass


def test_a_killed_run_leaves_the_root_free(
    other_run: subprocess.Popen[str], tmp_path: Path
) -> None:
    os.kill(other_run.pid, signal.SIGKILL)
    other_run.wait()
    with locked(tmp_path / "run.lock"):
        assert (tmp_path / "run.lock").read_text() == str(os.getpid())


def test_the_root_is_free_after_a_run(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path / "root" / "run.lock"):
            pass


@pytest.mark.parametrize("character", ["*", "?", "[", "\\", "\n", "\t", "\udcff"])
@pytest.mark.parametrize("place", ["runs{}test", "a{}/b", "~{}"])
def test_a_root_that_libraries_would_read_as_a_pattern_is_refused_by_its_character(
    tmp_path: Path, character: str, place: str
) -> None:
    folder = tmp_path / place.format(character)
    with pytest.raises(UnusablePlaceError, match=r"--root .*: has the character ") as error:
        Root.at(folder)
    assert f"has the character {character!r}" in str(error.value)
    with pytest.raises(UnusablePlaceError, match=r"--artifacts .*: has the character "):
        Root(tmp_path).claim("short_video", str(folder))
    with pytest.raises(UnusablePlaceError, match="gs://"):
        check_place("--root", f"gs://bucket/{character}/root")
    assert os.listdir(tmp_path) == []


def test_a_relative_root_in_such_a_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "[a]").mkdir()
    monkeypatch.chdir(tmp_path / "[a]")
    with pytest.raises(UnusablePlaceError, match=r"has the character '\['"):
        Root.at(Path("runs"))


@pytest.mark.parametrize(
    "name",
    ["with space", "größe", "标题", "50%", "it's", '"q"', "a,b", "{a}", "a@2", "#$&;:=+", "]"],
)
def test_any_other_name_of_a_folder_is_a_root(tmp_path: Path, name: str) -> None:
    root = Root.at(Path(f"{tmp_path}/{name}/"))
    root.make()
    root.claim("short_video", str(tmp_path / name / "artifacts of its own"))
    with locked(root.lock):
        assert root.folder == tmp_path / name


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Root.at(Path("~/runs")).folder == tmp_path / "runs"
    monkeypatch.chdir(tmp_path)
    assert Root.at(Path("./a~/~")).folder == tmp_path / "a~" / "~"


def read_only_places(tmp_path: Path) -> list[str]:
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    return ["/proc/nope", "/proc", f"{tmp_path}/file/root", f"{tmp_path}/circle", f"{tmp_path}/{'x' * 300}"]  # fmt: skip


@pytest.mark.parametrize("number", range(5))
def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path: Path, number: int) -> None:
    place = read_only_places(tmp_path)[number]
    with pytest.raises(RootError) as error:
        Root.at(Path(place)).make()
    assert str(error.value).startswith(f"--root {place}: cannot be ")
    assert "\n" not in str(error.value)
    with pytest.raises(RootError, match=f"--artifacts {place}"):
        (tmp_path / "root").mkdir()
        Root(tmp_path / "root").claim("short_video", place)
