"""Where the page's requests come from: request files, the pipeline's evaluation split, a version's warm-up file."""

from __future__ import annotations

import pytest

from serving.rank.request_file import RequestFileError

pytestmark = pytest.mark.tensorflow


def an_example(request, user, video, quality=None, tags=()):
    """An ingested exposure; None for keys that the log does not have."""
    import tensorflow as tf

    example = tf.train.Example()
    texts = {
        "request_key": [request],
        "user_key": [user],
        "item_key": [video],
        "user_id": [user],
        "video_id": [video],
    }
    for name, values in (texts | {"tags": tags, "hour": ["7"]}).items():
        example.features.feature[name].bytes_list.value.extend(
            value.encode() for value in values if value is not None
        )
    if quality is not None:
        example.features.feature["quality"].float_list.value.append(quality)
    return example


@pytest.fixture
def ingested(root):
    """Writes an evaluation split below the root, as the pipeline lays it."""
    import tensorflow as tf

    def write(examples, execution=2):
        folder = (
            root / "artifacts" / "LogsExampleGen" / "examples" / str(execution) / "Split-evaluation"
        )
        folder.mkdir(parents=True)
        with tf.io.TFRecordWriter(
            str(folder / "data_tfrecord-00000-of-00001.gz"), "GZIP"
        ) as writer:
            for example in examples:
                writer.write(example.SerializeToString())

    return write


def requests(spec, root, files=()):
    from serving.ui.request_sources import logged_requests

    return logged_requests(spec, root / "serving_model" / "1", files)


def ids(logged):
    return [candidate.id for candidate in logged.request.candidates]


def test_each_user_has_one_request_with_what_was_shown_and_then_what_others_were_shown(
    toy_spec, root, ingested
):
    ingested([
        an_example("r1", "ann", "v1"), an_example("r2", "bob", "v2"), an_example("r1", "ann", "v3"),
        an_example("r3", "ann", "v4"), an_example("r1", "ann", "v1"),
    ])  # fmt: skip
    (ann, bob), source = requests(toy_spec, root)
    assert "evaluation split" in source
    assert (ann.label, ann.shown, ids(ann)[:2], sorted(ids(ann)[2:])) == (
        "ann",
        2,
        ["v1", "v3"],
        ["v2", "v4"],
    )
    assert (bob.label, bob.shown, ids(bob)[0], len(ids(bob))) == ("bob", 1, "v2", 4)


def test_fields_are_read_back_as_they_were_logged(toy_spec, root, ingested):
    ingested(
        [
            an_example("r1", "ann", "v1", quality=0.1, tags=["pop", "music"]),
            an_example("r1", "ann", "v2"),
        ]
    )
    [ann], _ = requests(toy_spec, root)
    first, second = ann.request.candidates
    assert first.fields == {
        "video_id": "v1",
        "tags": ["pop", "music"],
        "quality": 0.1,
        "duration_s": None,
    }
    assert (second.fields["tags"], second.fields["quality"]) == ([], None)
    assert ann.request.user == {"user_id": "ann", "activity": None, "recent_videos": []}
    assert ann.request.context == {"hour": "7"}


def test_a_log_without_keys_groups_by_the_users_and_items_fields(toy_spec, root, ingested):
    examples = [
        an_example(None, "ann", "v1"),
        an_example(None, "ann", "v2"),
        an_example(None, "bob", "v1"),
    ]
    for example in examples:
        for key in ("user_key", "item_key"):
            del example.features.feature[key]
    ingested(examples)
    (ann, bob), _ = requests(toy_spec, root)
    assert (ann.label, ann.shown, ids(ann)) == ("request 1", 2, [None, None])
    assert [candidate.fields["video_id"] for candidate in bob.request.candidates] == ["v1", "v2"]


def test_a_log_that_does_not_tell_users_apart_claims_of_no_candidate_that_it_was_shown(
    toy_spec, root, ingested
):
    from feature_spec.loading import parse_spec

    items = parse_spec("""
name: items
logs: {exposures: {path: "*.jsonl", format: jsonl}}
split: {evaluation_files: ["*"]}
fields: {video_id: {side: item, kind: categorical}}
tasks: {click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.5, tolerance: 0.1}}
ranking_formula: {weights: {click: 1.0}}
""")
    ingested([an_example(None, None, "v1"), an_example(None, None, "v2")])
    [logged], _ = requests(items, root)
    assert (logged.label, logged.shown, ids(logged)) == ("request 1", 0, ["v1", "v2"])


def test_the_newest_ingestion_counts_by_number(toy_spec, root, ingested):
    ingested([an_example("r1", "old", "v1")], execution=9)
    ingested([an_example("r1", "new", "v1")], execution=10)
    assert [logged.label for logged in requests(toy_spec, root)[0]] == ["new"]


def test_at_most_24_users_with_20_candidates(toy_spec, root, ingested):
    ingested([an_example(f"r{number}", f"u{number}", f"v{number}") for number in range(40)])
    logged, _ = requests(toy_spec, root)
    assert ([one.label for one in logged], {len(ids(one)) for one in logged}) == (
        [f"u{i}" for i in range(24)],
        {20},
    )
    assert len({tuple(ids(one)[1:]) for one in logged}) > 1


def test_request_files_go_first(toy_spec, root, ingested, request_files):
    ingested([an_example("r1", "ann", "v1")])
    logged, source = requests(toy_spec, root, request_files)
    assert ([one.label for one in logged], source) == (
        ["fan", "stranger"],
        "fan.json, stranger.json",
    )
    assert (ids(logged[0]), logged[0].shown) == (["a", "b", "c"], 3)


def test_a_clients_request_log_comes_back_as_it_was_asked(
    toy_spec, root, tmp_path, scripted, answer_by_quality, request_files
):
    from serving.client.ranking_client import RankingClient
    from serving.client.request_log import RequestLog
    from serving.rank.request_file import read_request_file

    target = scripted(lambda number, request, context: answer_by_quality(request)).target
    asked = read_request_file(request_files[0]).request(toy_spec, {"click": 3.0})
    with (
        RequestLog(tmp_path / "log", sampling_rate=1.0) as log,
        RankingClient(target, toy_spec, request_log=log, timeout_ms=600_000.0) as client,
    ):
        client.rank(asked)
    [file] = (tmp_path / "log").glob("*.tfrecord")
    [logged], _ = requests(toy_spec, root, [file])
    assert (logged.label, logged.request.weights) == ("request 1", {})
    assert logged.request.user == asked.user
    assert [one.fields["quality"] for one in logged.request.candidates] == [0.9, 0.5, 0.6]
    assert logged.request.candidates[2].fields["tags"] == ["news", "pop"]


def test_a_version_alone_brings_the_requests_of_its_warm_up_file(toy_spec, root):
    import tensorflow as tf

    from serving.push_check.logged_requests import write_warmup_file

    version = root / "serving_model" / "1"
    version.mkdir(parents=True)
    assert isinstance(an_example("r1", "ann", "v1"), tf.train.Example)
    write_warmup_file(
        toy_spec,
        {"rank": set(toy_spec.fields)},
        [an_example("r1", "ann", "v1"), an_example("r2", "bob", "v2")],
        version,
    )
    logged, source = requests(toy_spec, root)
    assert source == "the version's warm-up file"
    assert [len(ids(one)) for one in logged] == [1, 100, 500]
    assert logged[1].request.candidates[1].fields["video_id"] == "v2"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            b"no records, but a text of some length",
            "neither *.json nor an uncompressed TFRecord of PredictionLog",
        ),
        (b"", "holds no request to 'rank' or 'rank_top_k'"),
    ],
)
def test_a_file_that_holds_no_requests_is_named(toy_spec, root, tmp_path, content, text):
    path = tmp_path / "log.tfrecord"
    path.write_bytes(content)
    with pytest.raises(RequestFileError) as error:
        requests(toy_spec, root, [path])
    assert str(error.value).startswith(f"{path}: ")
    assert text in str(error.value)


def test_a_request_log_of_another_spec_is_named(toy_spec, root, tmp_path):
    from serving import tf_serving_api
    from serving.client.tensor_values import text_tensor
    from serving.client.tfrecord_writer import TFRecordWriter

    log = tf_serving_api.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = "rank"
    request.inputs["quality"].CopyFrom(text_tensor([b"good"], [1]))
    with TFRecordWriter(tmp_path / "log.tfrecord") as file:
        file.write(log.SerializeToString())
    with pytest.raises(RequestFileError, match="a request for another spec than toy's: quality: "):
        requests(toy_spec, root, [tmp_path / "log.tfrecord"])


def test_another_users_item_has_no_history_with_this_user(toy_spec_text, root, ingested):
    import yaml

    from feature_spec.loading import parse_spec

    document = yaml.safe_load(toy_spec_text)
    document["keys"]["event_time"] = {"column": "time", "unit": "s"}
    counts = {"both": {"by": ["user_id", "video_id"]}, "video": {"by": ["video_id"]}}
    document["histories"] = {"known_after_s": 60, "counts": counts}
    spec = parse_spec(yaml.safe_dump(document))
    examples = [an_example("r1", "ann", "v1"), an_example("r2", "bob", "v2")]
    for example in examples:
        for name in ("both_shown", "video_shown"):
            example.features.feature[name].float_list.value.append(3.0)
    ingested(examples)
    (ann, _), _ = requests(spec, root)
    own, others = (candidate.fields for candidate in ann.request.candidates)
    assert (own["both_shown"], own["video_shown"]) == (3.0, 3.0)
    assert (others["both_shown"], others["video_shown"]) == (None, 3.0)


def test_an_empty_text_keeps_its_place_in_the_lists_of_a_sequence(toy_spec_text, root, ingested):
    import yaml

    from feature_spec.loading import parse_spec

    document = yaml.safe_load(toy_spec_text)
    document["keys"]["event_time"] = {"column": "time", "unit": "s"}
    watched = {"by": "user_id", "fields": ["video_id", "tags"]}
    document["histories"] = {"known_after_s": 60, "sequences": {"watched": watched}}
    spec = parse_spec(yaml.safe_dump(document))
    example = an_example("r1", "ann", "v1")
    for name, values in {"video_id": [b"v3", b"v2"], "tags": [b"", b"pop"]}.items():
        example.features.feature[f"watched_{name}"].bytes_list.value.extend(values)
    ingested([example])
    [logged], _ = requests(spec, root)
    user = logged.request.user
    assert (user["watched_video_id"], user["watched_tags"]) == (["v3", "v2"], ["", "pop"])
    assert user["watched_age"] == []
