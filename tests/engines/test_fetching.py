"""`make engines`: what is listed, what is written and what is said, without a registry."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.engines import catalogue, fetching
from tests.engines.job_server_jar import write_job_server_jar
from tests.wheel import REPOSITORY


def test_workers_are_started_by_the_boot_of_the_beam_that_is_locked():
    locked = re.search(r"^apache-beam==(\S+)", (REPOSITORY / "requirements.lock").read_text(), re.M)
    assert locked
    assert catalogue.ENGINES["boot"]["version"] == locked[1]


@pytest.mark.parametrize(("engine", "jar"), [("job_server", "beam-runners-flink-1.19"), ("kafka", "kafka_2.13")])  # fmt: skip
def test_the_list_of_checksums_has_the_version_of_the_engine(engine: str, jar: str):
    entry = catalogue.ENGINES[engine]
    listed = (catalogue.FOLDER / f"{entry['jars']}.sha256").read_text()
    assert re.search(rf"^[0-9a-f]{{64}}  {jar}-{entry['version']}\.jar$", listed, re.M)


def test_flink_is_of_the_minor_version_of_beams_runner():
    minor = catalogue.ENGINES["flink"]["version"].rpartition(".")[0]
    assert f"beam-runners-flink-{minor}-" in (catalogue.FOLDER / "beam_jars.sha256").read_text()


def test_a_jar_of_several_joins_their_services_and_bears_no_signature(tmp_path: Path):
    parts = {
        "a.jar": {"A.class": b"a", "META-INF/services/x.Y": b"a.One\n", "META-INF/K.RSA": b"k"},
        "b.jar": {"A.class": b"b", "META-INF/services/x.Y": b"b.Two", "META-INF/MANIFEST.MF": b"m"},
    }
    for name, files in parts.items():
        with zipfile.ZipFile(tmp_path / name, "w") as jar:
            for file, content in files.items():
                jar.writestr(file, content)
    write_job_server_jar(tmp_path / "whole.jar", [tmp_path / name for name in parts])
    with zipfile.ZipFile(tmp_path / "whole.jar") as whole:
        content = {name: whole.read(name).decode() for name in whole.namelist()}
    assert content == {
        "META-INF/MANIFEST.MF": content["META-INF/MANIFEST.MF"],
        "A.class": "a",
        "META-INF/services/x.Y": "a.One\nb.Two\n",
    }
    assert "Main-Class: org.apache.beam.runners.flink.FlinkJobServerDriver" in content["META-INF/MANIFEST.MF"]  # fmt: skip


def test_what_cannot_be_had_is_named_with_the_reason_and_the_rest_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("FULCRUM_ENGINES", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    for engine in ("flink", "storage_emulator"):
        monkeypatch.setitem(fetching.FETCH, engine, lambda entry, scratch, whole: whole.mkdir())
    assert fetching.main() == 1
    said = capsys.readouterr().out
    assert "kafka: cannot be had: mvn is not on this machine" in said
    assert "boot: cannot be had: go is not on this machine" in said
    assert set(tmp_path.iterdir()) == {
        catalogue.place("flink"),
        catalogue.place("storage_emulator"),
    }


def test_what_is_there_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("FULCRUM_ENGINES", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    for engine in catalogue.ENGINES:
        catalogue.place(engine).mkdir()
    assert fetching.main() == 0
    assert "fetching" not in capsys.readouterr().out


def test_an_engine_that_another_process_has_put_in_place_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FULCRUM_ENGINES", str(tmp_path))
    kafka = catalogue.place("kafka")

    def fetched_twice(entry: object, scratch: Path, whole: Path) -> None:
        for folder in (kafka, whole):
            folder.mkdir()
            (folder / "jar").write_text(folder.name)

    monkeypatch.setattr(fetching, "FETCH", {"kafka": fetched_twice})
    assert fetching.main() == 0
    assert (kafka / "jar").read_text() == kafka.name
    assert list(tmp_path.iterdir()) == [kafka]


def test_another_list_of_checksums_is_another_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    before = catalogue.place("kafka")
    (tmp_path / "kafka_jars.sha256").write_text("another")
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)
    assert catalogue.place("kafka") != before


def test_a_file_with_another_checksum_is_refused(tmp_path: Path):
    (tmp_path / "a.jar").write_bytes(b"a")
    with pytest.raises(fetching.NotToBeHadError, match=r"a\.jar has checksum ca97.*; 00 is listed"):
        fetching._check(tmp_path / "a.jar", "00")


def test_tests_of_engines_skip_with_the_reason_where_there_are_none(tmp_path: Path):
    java = shutil.which("true")
    assert java
    (tmp_path / "java").symlink_to(java)
    (tmp_path / "test_one.py").write_text("from tests.engines.catalogue import require\ndef test_one():\n    require('kafka')\n")  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", REPOSITORY / "pyproject.toml", "-p", "no:cacheprovider", tmp_path / "test_one.py"],
        cwd=REPOSITORY, env={"PATH": str(tmp_path), "FULCRUM_ENGINES": str(tmp_path / "none")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"SKIPPED .*no engines on this machine: \S*kafka-4\.1\.2-\w+ is missing; `make engines`", done.stdout)  # fmt: skip
