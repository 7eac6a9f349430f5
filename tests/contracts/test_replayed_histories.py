"""The same histories offline and online: a simulated log through ingestion, and through a store.

Every field of every exposure must be equal bit by bit, and a store that is filled from the state of
an ingestion must answer as one that was given all its events.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from feature_spec.loading import load_spec, ready_specs

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

HISTORIES = {
    "known_after_s": 600,
    "counts": {
        "user": {"by": ["user_id"]},
        "video": {"by": ["video_id"], "windows_s": [3600, 86_400]},
        "user_author": {"by": ["user_id", "author_id"], "tasks": ["vtr", "vcr", "ctr"]},
        "tag_hour": {"by": ["tags", "hour"], "tasks": ["shr"]},
    },
    "sequences": {
        "shared": {
            "by": "user_id",
            "where": {"event": "played"},
            "fields": ["video_id", "author_id", "tags"],
            "max_length": 10,
            "feedback": ["shr", "vtr"],
        },
        "seen": {"by": ["user_id", "scenario"], "fields": ["category"], "max_length": 5},
    },
}  # fmt: skip


WORLDS = {
    "exposures": ("short_video", {}),
    "by_day": ("short_video", {"known_after_s": None, "refresh": "day"}),
    "events": ("short_video_events", {}),
}


@pytest.fixture(scope="module", params=WORLDS)
def world(request, tmp_path_factory, quick_beam):
    """A log of three days, its spec, and the folder that it was ingested into."""
    from pipeline.ingest.settings.ingest_config import IngestSettings
    from pipeline.simulator.simulate import simulate_logs
    from pipeline.simulator.simulation_config import SimulationSettings
    from tests.pipeline.ingest.ingested import Ingested

    folder = tmp_path_factory.mktemp("world")
    logs = folder / "logs"
    ready, changes = WORLDS[request.param]
    settings = SimulationSettings(
        days=3, rows_per_day=400, seed=5, malformed_share=0.02, event_logs=request.param == "events"
    )
    simulate_logs(settings, logs)
    document = yaml.safe_load(Path(ready_specs()[ready]).read_text(encoding="utf-8"))
    document["histories"] = {
        key: value for key, value in (HISTORIES | changes).items() if value is not None
    }
    document["sampling"] = {"negative_rate": 0.5}
    spec_file = folder / "spec.yaml"
    spec_file.write_text(yaml.safe_dump(document))
    spec = load_spec(spec_file)
    ingested = Ingested(IngestSettings.from_spec(spec), logs, folder / "out")
    return spec, logs, ingested.out


def events_of(spec, logs):
    """The usable events of all days, with the fields of side tables."""
    from feature_spec.logs.log_values import UnusableLineError
    from serving.histories.event_files import SideTables, read_events

    tables = SideTables(spec, logs)
    shown = "day=*/*" if spec.logs.actions is None else "impressions/day=*/*"
    files = [(file, None) for file in sorted(logs.glob(shown))]
    files += [(file, "action") for file in sorted(logs.glob("actions/day=*/*"))]
    read = (event for file, kind in files for event in read_events(str(file), 20_000, kind))
    return [tables.joined(each) for each in read if not isinstance(each, UnusableLineError)]


def test_every_field_of_every_exposure_is_equal_in_every_bit(world, tmp_path):
    from serving.histories.lmdb_store import LmdbHistoryStore
    from serving.histories.replay import fields_of_examples, replay

    spec, logs, out = world
    store = LmdbHistoryStore(tmp_path / "store", spec, exact_for_s=None)
    examples = fields_of_examples(spec, sorted(out.glob("*/*.gz")))
    found = replay(store, events_of(spec, logs), examples)
    assert found.examples > 500
    assert found.agrees, found.differences
    store.close()


def test_a_store_of_the_state_answers_as_one_of_all_events(world, tmp_path):
    from serving.histories.lmdb_store import LmdbHistoryStore
    from serving.histories.publishing import publish, state_folder

    spec, logs, out = world
    events = events_of(spec, logs)
    of_events = LmdbHistoryStore(tmp_path / "events", spec, exact_for_s=None)
    of_state = LmdbHistoryStore(tmp_path / "state", spec, exact_for_s=None)
    counts = of_events.record_all(each for each in events if each.kind != "action")
    of_events.record_all(each for each in events if each.kind == "action")
    state, _ = publish(of_state, state_folder(out))
    assert state.exposures == counts.recorded
    assert state.parts == spec.history_parts
    users = [{"user_id": f"u{number}"} for number in range(1, 30)]
    candidates = [
        {"video_id": event.columns.get("video_id"), **event.fields} for event in events[::10]
    ]
    for after_s in (0, 300, 601, 50_000, 200_000):
        at_us = state.until_us + after_s * 1_000_000
        for user in users[::3]:
            for context in (
                {"hour": "8", "scenario": "click"},
                {"hour": "20", "scenario": "slide"},
            ):
                one, other = (
                    store.features(user, context, candidates, at_us)
                    for store in (of_events, of_state)
                )
                assert (one.user, one.context) == (other.user, other.context)
                for name, column in one.items.items():
                    assert column.tobytes() == other.items[name].tobytes(), name
    of_events.close()
    of_state.close()
