"""An inspection as tables and as pictures."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import pytest
from rich.console import Console

from feature_spec.artifacts.calibration import CalibrationReport
from feature_spec.artifacts.inspection import (
    AttendedEntry,
    AttendedExample,
    ExpertOutput,
    ExpertWeight,
    FeatureGates,
    FieldMask,
    Gate,
    GatedBlock,
    HistoryAttention,
    Inspection,
    LevelOutputs,
    Mixture,
    PlaceWeight,
    SubnetworkFields,
)
from trainer.inspect import inspection_pictures
from trainer.inspect.inspection_pictures import as_html
from trainer.inspect.inspection_report import print_inspection

EMPTY = Inspection(
    model="some_model",
    folder="/m/<1>",
    examples=0,
    gates=[],
    field_masks=[],
    blocks=[],
    mixtures=[],
)


def gate(name):
    return Gate(
        gate=name,
        experts=[
            ExpertWeight(expert="own 1 of click", mean=0.25, standard_deviation=0.125),
            ExpertWeight(expert="shared 1", mean=0.75, standard_deviation=0.0625),
        ],
    )


FULL = Inspection(
    model="some_model",
    folder="/m/1",
    examples=1234,
    expert_outputs=[
        LevelOutputs(
            level="level_1", experts=[ExpertOutput(expert="own 7", zero_share=0.925, size=0.0625)]
        )
    ],
    feature_gates=[FeatureGates(expert="own 8", fields={"age": 1.25, "color": 0.5})],
    # More than fill a row of pictures.
    gates=[gate(f"level_{level}/task_click") for level in range(1, 5)],
    field_masks=[
        SubnetworkFields(
            subnetwork="own of click", fields=[FieldMask(field="age", mean=0.375, zero_share=0.5)]
        ),
        SubnetworkFields(
            subnetwork="shared", fields=[FieldMask(field="age", mean=0.0, zero_share=1.0)]
        ),
    ],
    blocks=[
        GatedBlock(
            connection="cssm",
            source="own of click",
            target="click",
            gates=64,
            closed_share=0.625,
            mean=0.3125,
        ),
        GatedBlock(
            connection="cssm", source="shared", target="ratio", gates=64, closed_share=0.0, mean=1.0
        ),
    ],
    mixtures=[
        Mixture(
            name="unit_1/alpha",
            sources=["a", "b"],
            targets=["a"],
            values=[[0.875, -0.125]],
            standard_deviations=None,
        ),
        Mixture(
            name="unit_2/alpha",
            sources=["a"],
            targets=["a"],
            values=[[0.0]],
            standard_deviations=[[0.5]],
        ),
    ],
)


def agreement(ratio, loss):
    return {
        "predicted_over_observed": ratio,
        "log_loss": loss,
        "buckets": [{"examples": 9.0, "mean_score": 0.25, "mean_label": 0.5}],
    }


CALIBRATION = CalibrationReport.model_validate(
    {
        "by": "tab",
        "shrinkage": 25.0,
        "tasks": [
            {
                "task": "click", "method": "isotonic", "examples": 8000, "positives": 1600.0,
                "curve": {"logits": [0.0, 1.0], "calibrated": [0.0, 2.0], "slope": 0.75},
                "shifts": [
                    {"row": 2, "value": "feed", "examples": 7000, "positives": 900.0, "shift": -0.125},
                    {"row": 3, "value": "search", "examples": 1000, "positives": 700.0, "shift": 0.25},
                ],
                "before": agreement(1.25, 0.5), "after": agreement(1.0, 0.4375),
            },
            {
                "task": "like", "method": "isotonic", "examples": 8000, "positives": 3.0,
                "not_fitted": "too few to tell (3 positives)",
            },
        ],
    }
)  # fmt: skip


CALIBRATED = EMPTY.model_copy(update={"calibration": CALIBRATION})


def printed(inspection):
    console = Console(file=io.StringIO(), width=120)
    print_inspection(inspection, console)
    # One space between columns makes expectations readable.
    return re.sub(r" +", " ", console.file.getvalue())


@pytest.mark.parametrize(
    "line",
    [
        "Gate weights over 1,234 examples",
        "level_1/task_click own 1 of click 0.2500 0.1250",
        "shared 1 0.7500 0.0625",
        "Mean feature gate over 1,234 examples",
        "color 0.500",
        "level_1 own 7 92.5% 0.0625",
        "age 0.375 (50%) 0.000 (100%)",
        "cssm own of click click 64 62.5% 0.3125",
        "a 0.8750 -0.1250",
        "a 0.0000 ± 0.5000",
    ],
)
def test_tables_hold_each_number_beside_its_name(line):
    assert line in printed(FULL)


def test_a_wide_mixture_is_shown_by_its_largest_coefficients():
    fields = [f"f{number}" for number in range(30)]
    values = [[row * 0.01 - column * 0.001 for column in range(30)] for row in range(30)]
    wide = Mixture(
        name="cross_1/W", sources=fields, targets=fields, values=values, standard_deviations=None
    )
    lines = printed(EMPTY.model_copy(update={"mixtures": [wide]})).splitlines()
    assert "cross_1/W: the 20 largest of 900 coefficients" in [line.strip() for line in lines]
    # 29 · .01 − 0 is the largest, then 29 · .01 − 1 · .001.
    first = [line.strip() for line in lines].index("f29 f0 0.2900")
    assert lines[first + 1].strip() == "f29 f1 0.2890"
    assert sum(line.strip().startswith("f") for line in lines) == 20


def test_a_model_with_nothing_to_show_says_so_in_either_form():
    assert "some_model has nothing to show: no gates" in printed(EMPTY)
    assert "nothing to show" in as_html(EMPTY)
    assert "<svg" not in as_html(EMPTY)


def drawings(page):
    return [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def texts(drawing):
    return [
        "".join(element.itertext()).strip()
        for element in drawing.iter("{http://www.w3.org/2000/svg}text")
    ]


def test_the_page_has_a_drawing_of_each_kind_with_its_names():
    drawn = map(texts, drawings(as_html(FULL)))
    gates, collapsed, read, masks, zeros, blocks, alpha, other_alpha = drawn
    assert {"own 8", "age", "color", "0.25", "-0.50"} <= {text.replace("−", "-") for text in read}
    assert {"level_1/task_click", "level_4/task_click", "own 1 of click", "shared 1"} <= set(gates)
    assert {"level_1", "own 7"} <= set(collapsed)
    assert {"own of click", "shared", "age", "0.38"} <= set(masks)
    assert {"own of click", "shared", "age", "0.50", "1.00"} <= set(zeros)
    assert {"own of click", "shared", "click", "ratio", "0.62"} <= set(blocks)
    assert {"a", "b", "0.88", "-0.12"} <= {text.replace("−", "-") for text in alpha}
    assert "a" in other_alpha


def test_the_highest_bar_fits_with_its_deviation_whichever_gate_it_belongs_to():
    low = Gate(
        gate="low", experts=[ExpertWeight(expert="shared 1", mean=0.1, standard_deviation=0.0)]
    )
    high = Gate(
        gate="high", experts=[ExpertWeight(expert="shared 1", mean=0.8, standard_deviation=0.1)]
    )
    for axis in inspection_pictures._gates([low, high, low]).axes:
        assert 0.9 < axis.get_ylim()[1] < 1.0


def test_a_block_that_does_not_exist_stays_blank():
    # Two of the four pairs of source and target have a block.
    (blocks,) = [one for one in map(texts, drawings(as_html(FULL))) if "ratio" in one]
    assert sorted(text for text in blocks if text in {"0.62", "0.00", "nan"}) == ["0.00", "0.62"]


def test_the_page_loads_nothing_and_is_the_same_each_time():
    page = as_html(FULL)
    assert not re.search(r'(src|href)="(?!#|data:)', page)
    assert "<script" not in page
    assert as_html(FULL) == page


def test_names_are_escaped():
    assert "/m/&lt;1&gt;" in as_html(EMPTY)


def test_weights_of_past_entries_are_drawn_by_place():
    attention = HistoryAttention(
        history="clicked",
        pooling="dot_product",
        empty_share=0.0,
        places=[
            PlaceWeight(first=1, last=1, entries=9, mean=0.5),
            PlaceWeight(first=3, last=5, entries=4, mean=0.125),
        ],
        alike=[],
        examples=[],
    )
    page = as_html(EMPTY.model_copy(update={"histories": [attention], "examples": 9}))
    assert "Weights of entries of clicked by place (1 is the newest) over 9 examples" in page
    [drawn] = map(texts, drawings(page))
    assert {"1", "3–5", "mean weight"} <= set(drawn)


def test_ages_of_past_entries_are_shown_as_spans():
    attention = HistoryAttention(
        history="clicked",
        pooling="dot_product",
        empty_share=0.0,
        places=[],
        alike=[],
        examples=[
            AttendedExample(
                candidate={"item": "16"},
                length=2,
                entries=[
                    AttendedEntry(values={"clicked_item": "16", "clicked_age": "16"}, weight=0.5)
                ],
            )
        ],
    )
    assert "16 9–18 h 0.5000" in printed(EMPTY.model_copy(update={"histories": [attention]}))


@pytest.mark.parametrize(
    "line",
    [
        "click isotonic, 2 knots 8,000 1,600 1.250 → 1.000 0.5000 → 0.4375 0.750",
        "like isotonic: none, too few to tell (3 positives) 8,000 3",
        "Shifts of the logit of click by tab (shrinkage 25)",
        "feed 7,000 900 -0.1250",
        "search 1,000 700 +0.2500",
    ],
)
def test_a_calibration_is_shown_with_what_it_changed(line):
    console = Console(file=io.StringIO(), width=140)
    print_inspection(CALIBRATED, console)
    text = re.sub(r" +", " ", console.file.getvalue())
    assert line in text
    assert "nothing to show" not in text


def test_the_page_draws_scores_before_and_after_the_calibration():
    page = as_html(CALIBRATED)
    assert "Calibration of click on the validation examples, before and after" in page
    assert "Calibration of like" not in page
    assert all(f">{text}<" in page for text in ("before", "after", "mean score"))
