"""The page of one run."""

from __future__ import annotations

import dataclasses
import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from feature_spec.artifacts.inspection import GatesByField, GatesOfValue, PersonalisedGates
from pipeline.evaluate.evaluation_result import Estimate
from pipeline.ingest.accounting.summary import StepCounts
from pipeline.report.data.history_data import HistoryNumbers, HistoryPart, RunHistories
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.page import NoReportError, run_of_page
from pipeline.report.run_report import run_report
from pipeline.validate.anomalies import Anomaly

pytestmark = pytest.mark.usefixtures("without_plotly")


class Page(HTMLParser):
    """The texts of sections by anchor, and every attribute; scripts and styles are left out of the texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sections: dict[str, str] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self._section = self._silent = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
            self.sections[self._section] = ""
        if tag in ("script", "style"):
            self._silent = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._silent:
            self._silent = ""
        if tag == "section":
            self._section = ""

    def handle_data(self, data: str) -> None:
        if self._section and not self._silent:
            self.sections[self._section] += data


@pytest.fixture
def shown(run: RunData) -> Page:
    return Page(run_report(run))


SECTIONS = [
    "summary", "tasks", "mtl-gain", "slices", "calibration", "training", "experts", "fields-and-cells", "attention", "formula",
    "service", "ingestion", "anomalies", "drift",
]  # fmt: skip


def test_the_page_has_all_sections(shown: Page) -> None:
    assert list(shown.sections) == SECTIONS


def test_each_section_begins_with_what_it_shows(run: RunData) -> None:
    leads = re.findall(r'<h2>.*</h2>\n<p class="lead">(.+)</p>', run_report(run))
    assert len(leads) == len(SECTIONS)
    assert all(
        lead.partition("?")[1] for lead in leads if not lead.startswith(("The seesaw", "A bar is"))
    )


def test_the_summary_says_that_the_model_was_pushed_and_as_what(shown: Page) -> None:
    assert "Blessed, and pushed as version 1767775000" in shown.sections["summary"]


def test_a_refusal_stands_in_the_summary_with_its_reason(run: RunData) -> None:
    assert run.evaluation is not None
    [first, second] = run.evaluation.tasks
    refusing = dataclasses.replace(second, refusals=["mse 0.3 is above the threshold 0.2"])
    evaluation = dataclasses.replace(run.evaluation, tasks=[first, refusing])
    page = Page(run_report(dataclasses.replace(run, evaluation=evaluation, version=None)))
    assert (
        "Refused, so nothing was pushed: watch: mse 0.3 is above the threshold 0.2."
        in page.sections["summary"]
    )
    assert "mse 0.3 is above the threshold 0.2" in page.sections["tasks"]


def test_several_refusals_are_named_by_task_and_told_in_full_where_the_tasks_are(
    run: RunData,
) -> None:
    assert run.evaluation is not None
    assert run.push_check is not None
    [first, second] = run.evaluation.tasks
    refusing = dataclasses.replace(
        second, refusals=["mse 0.3 is above the threshold 0.2", "worse on tab=1"]
    )
    evaluation = dataclasses.replace(run.evaluation, tasks=[first, refusing])
    too_slow = run.push_check.model_copy(update={"refusals": ["p99 12 ms is above 10 ms"]})
    page = Page(
        run_report(
            dataclasses.replace(run, evaluation=evaluation, push_check=too_slow, version=None)
        )
    )
    assert (
        "Refused, so nothing was pushed, by watch, the check in service."
        in page.sections["summary"]
    )
    assert "worse on tab=1" in page.sections["tasks"]
    assert "p99 12 ms is above 10 ms" in page.sections["service"]


def test_each_task_has_its_change_with_interval_and_its_gain(shown: Page) -> None:
    text = " ".join(shown.sections["summary"].split())
    assert (
        "click passed AUC 0.7200 0.6 0.7000 ▲ +0.0200 +0.0100 to +0.0300 0.6900 ▲ +0.0300 +0.0280 to +0.0320 100"
        in text
    )
    # The error grows: worse, although the sign is plus.
    assert (
        "watch passed MSE 0.1030 0.2 0.1000 ▼ +0.0030 +0.0010 to +0.0050 0.0990 ▼ -0.0040" in text
    )


def test_a_seesaw_is_named(shown: Page) -> None:
    assert (
        "Seesaw: click gain while watch lose from being trained together."
        in shown.sections["mtl-gain"]
    )


def test_the_sum_of_the_lines_is_shown(shown: Page) -> None:
    assert (
        "1,000 lines = 800 train + 80 validation + 100 evaluation + 20 rejected (2.00%)"
        in shown.sections["ingestion"]
    )


def test_negatives_that_were_sampled_out_are_part_of_the_sum_and_each_step_has_its_counts(
    run: RunData,
) -> None:
    assert run.ingestion is not None
    parse = {"received": 1000, "passed": 980, "rejected": 20, "sampled_out": 0}
    write = {"received": 980, "passed": 950, "rejected": 0, "sampled_out": 30}
    examples = {"train": 770, "validation": 80, "evaluation": 100}
    steps = {"parse": StepCounts(**parse), "write": StepCounts(**write)}
    ingestion = run.ingestion.model_copy(update={"examples": examples, "steps": steps})
    text = " ".join(
        Page(run_report(dataclasses.replace(run, ingestion=ingestion)))
        .sections["ingestion"]
        .split()
    )
    assert (
        "1,000 lines = 770 train + 80 validation + 100 evaluation + 20 rejected (2.00%) + 30 negatives sampled out"
        in text
    )
    assert "parse 1,000 980 20 0 write 980 950 0 30" in text


def test_exposures_of_the_warm_up_are_part_of_the_sum_and_of_their_step(run: RunData) -> None:
    assert run.ingestion is not None
    write = StepCounts(received=1000, passed=950, rejected=20, sampled_out=0, warm_up=30)
    examples = {"train": 770, "validation": 80, "evaluation": 100}
    ingestion = run.ingestion.model_copy(update={"examples": examples, "steps": {"write": write}})
    page = Page(run_report(dataclasses.replace(run, ingestion=ingestion)))
    text = " ".join(page.sections["ingestion"].split())
    assert "rejected (2.00%) + 30 of the warm-up of histories" in text
    assert "write 1,000 950 20 0 30" in text


def test_the_formula_and_what_its_weights_decide_are_shown(shown: Page) -> None:
    text = " ".join(shown.sections["formula"].split())
    assert "ranking score = click^1 · watch^0.1" in text
    assert "Over 40 lists, each of a user with more than 10 evaluation examples" in text
    assert "click 1 set to 0 80.0% 20.0% 40.0% click 1 -50% 40.0%" in text


def test_drift_beyond_a_threshold_is_marked(shown: Page) -> None:
    text = " ".join(shown.sections["drift"].split())
    assert "region within l infinity 0.0500 0.1 hour beyond jensen shannon 0.0300 0.02" in text


def test_pruned_multiplications_are_counted(shown: Page) -> None:
    # 50 of 200
    assert "50 of 200 multiplications (25%)" in shown.sections["fields-and-cells"]


@pytest.mark.parametrize(
    ("section", "explained"),
    [
        (
            "summary",
            "Failed in LogsExampleGen: ValueError: the files of the log have no lines. Nothing was pushed.",
        ),
        ("tasks", "Not measured: the run did not get so far"),
        ("mtl-gain", "run with --with-single-task"),
        ("slices", "name fields in the section evaluation.slices of the spec"),
        ("calibration", "Not measured"),
        ("training", "No training curves: the run did not get so far"),
        ("experts", "Not computed: the run did not get so far"),
        ("formula", "is not computed: the run did not get so far"),
        ("service", "Not checked"),
        ("ingestion", "The run did not get through ingestion"),
        ("drift", "Not measured: give fields a threshold in the section drift of the spec"),
        ("anomalies", "Not validated: the run did not get so far"),
    ],
)
def test_what_is_missing_is_explained(bare_run: RunData, section: str, explained: str) -> None:
    assert explained in Page(run_report(bare_run)).sections[section]


def test_a_model_with_nothing_closed_has_no_section_for_it(bare_run: RunData) -> None:
    assert "fields-and-cells" not in Page(run_report(bare_run)).sections


def test_what_cannot_be_told_of_the_weights_is_said_with_the_reason(run: RunData) -> None:
    assert run.insight is not None
    effects = run.insight.weight_effects.model_copy(
        update={"effects": [], "not_measured": "no user has more than 10 examples"}
    )
    insight = run.insight.model_copy(update={"weight_effects": effects})
    page = Page(run_report(dataclasses.replace(run, insight=insight)))
    assert (
        "What the weights decide cannot be told: no user has more than 10 examples."
        in page.sections["formula"]
    )


def test_nothing_is_loaded_from_anywhere(run: RunData) -> None:
    page = run_report(run)
    loading = [
        (tag, name, value)
        for tag, name, value in Page(page).attributes
        if name in ("src", "srcset", "href", "data", "action")
        and not value.startswith(("#", "data:"))
    ]
    assert loading == []
    assert (
        """content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:;"""
        in page
    )
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert not any("url(" in style or "@import" in style for style in styles)


ATTACK = "</script><img src=x onerror=alert(1)>"


def test_what_users_wrote_is_text_and_no_markup(run: RunData) -> None:
    assert run.evaluation is not None
    [first, second] = run.evaluation.tasks
    slices = [
        dataclasses.replace(part, value=ATTACK) if part.field else part for part in first.slices
    ]
    attacked = dataclasses.replace(
        run,
        name=ATTACK,
        anomalies=[Anomaly(feature=ATTACK, split="train", severity="ERROR", what=ATTACK)],
        evaluation=dataclasses.replace(
            run.evaluation, tasks=[dataclasses.replace(first, slices=slices), second]
        ),
        ingestion=run.ingestion.model_copy(
            update={"rejected": {ATTACK: 1}, "unreadable_files": [ATTACK]}
        ),
    )
    page = run_report(attacked)
    assert "<img" not in page
    assert "img" not in Page(page).tags
    assert html.escape(ATTACK, quote=False) in page
    assert ATTACK in Page(page).sections["anomalies"]


def test_a_page_gives_back_the_run_that_it_was_made_of(run: RunData, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(run_report(run), encoding="utf-8")
    assert run_of_page(path) == run


def test_the_page_of_an_older_version_is_read_by_the_present_names_of_metrics(
    run: RunData, tmp_path: Path
) -> None:
    assert run.evaluation is not None
    metrics = {"normalized_entropy": Estimate(value=0.5), "xauc": Estimate(value=0.7)}
    measured = dataclasses.replace(run.evaluation.ranking[0], metrics=metrics)
    evaluation = dataclasses.replace(run.evaluation, ranking=[measured])
    run = dataclasses.replace(run, evaluation=evaluation)
    older = run_report(run)
    for former, present in (
        ("relative_cross_entropy", "normalized_entropy"),
        ("pairwise_auc", "xauc"),
    ):
        assert f'\\"{present}\\"' in older
        older = older.replace(f'\\"{present}\\"', f'\\"{former}\\"')
    path = tmp_path / "report.html"
    path.write_text(older, encoding="utf-8")
    assert run_of_page(path) == run


def test_another_file_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "other.html").write_text("<html></html>")
    with pytest.raises(
        NoReportError, match=r"other.html is no report that `fulcrum report` or `fulcrum run` wrote"
    ):
        run_of_page(tmp_path / "other.html")


def test_a_run_with_histories_tells_how_fresh_long_and_empty_they_are(run: RunData) -> None:
    video = HistoryNumbers(
        name="video_1d",
        by=["video_id"],
        max_length=None,
        parts={
            "train": HistoryPart(empty_share=0.25, mean=5.0, deviation=4.0, tenths=[0, 1, 3, 7, 9]),
            "evaluation": HistoryPart(
                empty_share=0.625, mean=10.0, deviation=4.0, tenths=[0, 2, 4, 9, 11]
            ),
        },
    )
    watched = HistoryNumbers(
        name="watched",
        by=["user_id"],
        max_length=30,
        parts={"evaluation": HistoryPart(empty_share=0.1, mean=12.0, ages={"12": 0.75, "6": 0.25})},
    )
    histories = RunHistories(
        known="known after 10 min, 1 day of warm-up", histories=[video, watched]
    )
    page = Page(run_report(dataclasses.replace(run, histories=histories)))
    shown = page.sections
    text = shown["histories"]
    assert "What happened before is known after 10 min, 1 day of warm-up." in text
    for told in ("25.0%", "62.5%", "+1.25", "12.0 of 30"):
        assert told in re.sub(r"\s+", " ", text)
    described = [value for _, name, value in page.attributes if name == "aria-label"]
    assert any("watched: 32–64 s 25%, 34–68 min 75%" in text for text in described)
    assert "The history video_1d is empty in 62% of the evaluation examples" in shown["summary"]
    assert "video_1d is 1.2 standard deviations larger in the evaluation" in shown["summary"]


def test_histories_stay_in_the_page_for_comparisons(run: RunData, tmp_path: Path) -> None:
    part = HistoryPart(empty_share=0.5, mean=1.0)
    number = HistoryNumbers(name="user", by=["user_id"], max_length=None, parts={"train": part})
    histories = RunHistories(known="known at the begin of the day", histories=[number])
    (tmp_path / "report.html").write_text(
        run_report(dataclasses.replace(run, histories=histories)), encoding="utf-8"
    )
    assert run_of_page(tmp_path / "report.html").histories == histories


def test_gates_are_shown_by_the_values_of_the_domain(run: RunData) -> None:
    assert run.insight is not None
    assert "gates" not in Page(run_report(run)).sections
    means = GatesOfValue(value="all", examples=1000, fields=[1.2, 0.8], layers=[0.05])
    tab = GatesOfValue(value="5", examples=200, fields=[1.5, 0.25], layers=[0.4])
    gates = PersonalisedGates(
        fields=["user", "tab"],
        layers=["click layer 1"],
        overall=means,
        deviations=means,
        by=[GatesByField(field="tab", values=[tab])],
    )
    inspection = run.insight.inspection.model_copy(update={"personalised": gates})
    insight = run.insight.model_copy(update={"inspection": inspection})
    shown = Page(run_report(dataclasses.replace(run, insight=insight))).sections["gates"]
    text = " ".join(shown.split())
    assert "Domain Examples user tab all 1,000 1.20 0.80 tab 5 200 1.50 0.25" in text
    assert "Domain Examples click layer 1 all 1,000 0.05 tab 5 200 0.40" in text
