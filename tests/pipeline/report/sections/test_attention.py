"""The report's section on attention."""

import dataclasses

from pipeline.report.elements.section import Cell
from pipeline.report.sections.attention import attention_section


def test_the_heaviest_entries_of_an_example_are_shown_with_their_titles(run):
    *_, example = attention_section(run).blocks
    assert example.caption == ("The heaviest of 9 entries of recent for video_id v1 (Alphaville)")
    assert example.columns == ["recent_video_id", "recent_age", "Weight"]
    assert example.rows == [
        ["v2 (Stalker)", "17–34 min", Cell("0.7500", share=1.0)],
        ["v3", "", Cell("0.2500", share=0.25 / 0.75)],
    ]


def test_the_picture_says_the_weight_by_place_and_how_many_have_no_history(run):
    picture = attention_section(run).blocks[0]
    assert picture.describes == (
        "place 1 0.5000; place 2–5 0.1250; 25.0% of the examples have no entry"
    )


def test_a_model_without_attention_has_no_section(run, bare_run):
    assert attention_section(bare_run) is None
    inspection = run.insight.inspection.model_copy(update={"histories": []})
    insight = run.insight.model_copy(update={"inspection": inspection})
    assert attention_section(dataclasses.replace(run, insight=insight)) is None
