"""The section `histories`: the fields that counts and sequences become, and the specs that are refused."""

from __future__ import annotations

import pytest
import yaml

from feature_spec.loading import SpecError, parse_spec, ready_specs

HISTORIES = {
    "known_after_s": 600,
    "counts": {
        "user": {"by": ["user_id"]},
        "both": {"by": ["user_id", "item_id"], "tasks": ["click"], "windows_s": [86_400, 5_400]},
    },
    "sequences": {
        "clicked": {"by": "user_id", "where": {"event": "clicked"}, "fields": ["item_id"]},
    },
}


def with_histories(spec_text, **changes):
    return yaml.safe_dump(yaml.safe_load(spec_text) | {"histories": HISTORIES | changes})


def test_a_count_becomes_exposures_and_a_sum_a_task_with_its_own_evidence_where_labels_may_lack(
    spec_text,
):
    fields = parse_spec(with_histories(spec_text)).fields
    made = {name: field for name, field in fields.items() if field.history == "user"}
    assert list(made) == ["user_shown", "user_ratio_seen", "user_click", "user_ratio"]
    assert {field.side for field in made.values()} == {"user"}
    assert (made["user_click"].transform, made["user_click"].of) == ("log_odds", "user_shown")
    assert (made["user_ratio"].transform, made["user_ratio"].of) == ("rate", "user_ratio_seen")


def test_each_window_has_fields_of_its_own_and_a_key_with_an_item_is_of_the_item(spec_text):
    fields = parse_spec(with_histories(spec_text)).fields
    made = {name: field.side for name, field in fields.items() if field.history == "both"}
    assert made == dict.fromkeys(
        ["both_1d_shown", "both_1d_click", "both_5400s_shown", "both_5400s_click"], "item"
    )


def test_a_sequence_becomes_aligned_lists_that_share_rows_and_one_with_the_age(spec_text):
    fields = parse_spec(with_histories(spec_text)).fields
    made = {name: field for name, field in fields.items() if field.history == "clicked"}
    assert list(made) == ["clicked_item_id", "clicked_age"]
    assert made["clicked_item_id"].shares == "item_id"
    assert {field.max_length for field in made.values()} == {50}


def test_fields_of_histories_count_for_the_fingerprint_and_spare_that_of_other_specs(spec_text):
    plain, made = parse_spec(spec_text), parse_spec(with_histories(spec_text))
    assert plain.fingerprint != made.fingerprint
    # As of version 0.2, before fields had pooling and rates.
    assert plain.fingerprint == "2e5c51d9f8eab460"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"refresh": "day"}, "needs either 'known_after_s' or 'refresh'"),
        ({"known_after_s": None}, "needs either 'known_after_s' or 'refresh'"),
        ({"counts": {}, "sequences": {}}, "needs 'counts' or 'sequences'"),
        ({"counts": {"u": {"by": ["usr_id"]}}}, "histories.counts.u.by: no such categorical field"),
        ({"counts": {"u": {"by": ["age"]}}}, "no such categorical field: valid: item_id, user_id"),
        ({"counts": {"u": {"by": []}}}, "at least 1 item"),
        ({"counts": {"u": {"by": ["user_id"], "tasks": ["buy"]}}}, "no such task"),
        ({"counts": {"u": {"by": ["user_id"] * 2}}}, "'by' names one twice"),
        ({"counts": {"u": {"by": ["user_id"], "windows_s": [0]}}}, "greater than 0"),
        (
            {"sequences": {"user": {"by": "user_id", "fields": ["item_id"]}}},
            "histories.sequences.user: a count has the same name",
        ),
        ({"counts": {"1u": {"by": ["user_id"]}}}, "give a letter from a to z"),
        (
            {"sequences": {"s": {"by": "item_id", "fields": ["item_id"]}}},
            "no such categorical field of user or context: valid: user_id",
        ),
        (
            {"sequences": {"s": {"by": "user_id", "fields": ["item_id"], "feedback": ["ratio"]}}},
            "no such task: valid: click",
        ),
        (
            {"sequences": {"s": {"by": "user_id", "fields": ["item_id"], "search_by": "user_id"}}},
            "'search_by' is one of 'fields'",
        ),
    ],
)
def test_a_history_that_does_not_fit_the_spec_is_refused(spec_text, changes, message):
    with pytest.raises(SpecError, match=message):
        parse_spec(with_histories(spec_text, **changes))


def test_a_name_that_a_field_a_task_or_another_history_has_is_refused(spec_text):
    document = yaml.safe_load(with_histories(spec_text))
    document["fields"]["user_shown"] = {"side": "user", "kind": "numeric"}
    document["histories"]["sequences"]["user"] = {"by": "user_id", "fields": ["item_id"]}
    document["histories"]["counts"]["user"]["tasks"] = ["click"]
    document["histories"]["counts"]["user_item"] = {"by": ["item_id"]}
    with pytest.raises(SpecError, match="becomes a field 'user_shown', a name that a field has"):
        parse_spec(yaml.safe_dump(document))


def test_a_field_made_of_the_actions_that_follow_is_no_part_of_a_history():
    document = yaml.safe_load(ready_specs()["short_video_events"].read_text(encoding="utf-8"))
    fold = next(iter(document["logs"]["actions"]["folds"]))
    document["fields"]["after"] = {"side": "user", "kind": "categorical", "column": fold}
    document["histories"] = {"known_after_s": 0, "counts": {"some": {"by": ["after"]}}}
    with pytest.raises(SpecError, match=r"histories.counts.some.by: is made of the actions"):
        parse_spec(yaml.safe_dump(document))


def test_histories_need_the_time_of_events(spec_text):
    document = yaml.safe_load(with_histories(spec_text))
    del document["keys"]["event_time"]
    document["split"] = {"evaluation_files": ["x"]}
    with pytest.raises(SpecError, match="histories: needs 'keys.event_time'"):
        parse_spec(yaml.safe_dump(document))


def test_no_field_is_said_to_be_of_a_history_by_hand(spec_text):
    document = yaml.safe_load(spec_text)
    document["fields"]["age"]["history"] = "user"
    with pytest.raises(SpecError, match="'history' is never given"):
        parse_spec(yaml.safe_dump(document))


def test_the_digest_of_the_state_leaves_out_what_the_model_alone_reads(spec_text):
    def digest(**changes):
        return parse_spec(with_histories(spec_text, **changes)).history_digest

    smoother = {"user": {"by": ["user_id"], "smoothing": 3.0}, "both": HISTORIES["counts"]["both"]}
    assert digest(counts=smoother) == digest()
    assert digest(known_after_s=60) != digest()


def test_an_arrival_time_is_refused_with_event_logs_whose_actions_have_times():
    document = yaml.safe_load(ready_specs()["short_video_events"].read_text(encoding="utf-8"))
    histories = {
        "known_after_s": 60,
        "counts": {"user": {"by": ["user_id"]}},
        "arrival_time": {"column": "arrived_ms", "unit": "ms"},
    }
    with pytest.raises(SpecError, match=r"histories\.arrival_time.*event logs have none"):
        parse_spec(yaml.safe_dump(document | {"histories": histories}))
