"""The report of one run."""

from __future__ import annotations

from pipeline.report.data.run_data import RunData
from pipeline.report.elements.page import page
from pipeline.report.elements.section import Tab
from pipeline.report.sections.attention import attention_section
from pipeline.report.sections.calibration import calibration_section
from pipeline.report.sections.experts import experts_section
from pipeline.report.sections.fields_and_cells import fields_and_cells_section
from pipeline.report.sections.formula import formula_section
from pipeline.report.sections.histories import histories_section
from pipeline.report.sections.ingestion import ingestion_section
from pipeline.report.sections.mtl_gain import mtl_gain_section
from pipeline.report.sections.personalised_gates import personalised_gates_section
from pipeline.report.sections.service import service_section
from pipeline.report.sections.slices import slices_section
from pipeline.report.sections.summary import summary_section
from pipeline.report.sections.tasks import tasks_section
from pipeline.report.sections.training import training_section
from pipeline.report.sections.validation import anomalies_section, drift_section


def run_report(run: RunData) -> str:
    """Return the report as one HTML file that needs nothing else."""
    histories = histories_section(run)
    learnt = [
        fields_and_cells_section(run),
        personalised_gates_section(run),
        attention_section(run),
    ]
    tabs = [
        Tab(anchor="tab-summary", title="Summary", sections=[summary_section(run)]),
        Tab(
            anchor="tab-tasks",
            title="Tasks",
            sections=[
                tasks_section(run),
                mtl_gain_section(run),
                slices_section(run),
                calibration_section([run]),
            ],
        ),
        Tab(
            anchor="tab-model",
            title="Model",
            sections=[
                training_section([run]),
                experts_section(run),
                *(section for section in learnt if section is not None),
            ],
        ),
        Tab(
            anchor="tab-ranking",
            title="Ranking",
            sections=[formula_section(run), service_section(run)],
        ),
        Tab(
            anchor="tab-data",
            title="Data",
            sections=[
                ingestion_section(run),
                *([histories] if histories is not None else []),
                anomalies_section(run),
                drift_section(run),
            ],
        ),
    ]
    subtitle = " · ".join(
        part for part in (run.model, f"run of {run.began_text}" if run.began else "") if part
    )
    return page(
        title=f"Run report: {run.spec}",
        subtitle=subtitle,
        outcome=run.outcome,
        tabs=tabs,
        runs=[run],
    )
