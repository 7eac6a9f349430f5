"""Prometheus rules and the Grafana dashboard: every query parses, and asks for metrics that somebody exports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import promql_parser
import pytest
import yaml

ADDED_BY_PROMETHEUS = {"job", "instance", "namespace", "pod"}


def _nodes(expression: Any) -> list[Any]:
    found: list[Any] = []
    promql_parser.walk(expression, found.append)
    return found


def _selectors(query: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric in a query, with the labels that it is chosen by."""
    for node in _nodes(promql_parser.parse(query)):
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        if isinstance(selector, promql_parser.VectorSelector):
            yield selector.name, {matcher.name for matcher in selector.matchers.matchers}


def _grouped_by(query: str) -> set[str]:
    """Labels that the query's sums keep."""
    nodes = _nodes(promql_parser.parse(query))
    return {
        label
        for node in nodes
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier
        for label in node.modifier.labels
    }


@pytest.fixture(scope="module")
def exported(deploy) -> dict[str, set[str]]:
    """Labels of every series by name, from metrics.yaml: what is exported, histograms as their three series."""
    series: dict[str, set[str]] = {}
    for metric in yaml.safe_load((deploy / "metrics.yaml").read_text())["exported"]:
        labels = set(metric["labels"]) | ADDED_BY_PROMETHEUS
        if metric["type"] == "histogram":
            series |= {f"{metric['name']}_{part}": labels for part in ("sum", "count")}
            series[f"{metric['name']}_bucket"] = labels | {"le"}
        else:
            series[metric["name"]] = labels
    return series


@pytest.fixture(scope="module")
def recorded(rules) -> dict[str, set[str]]:
    """Labels of every recorded series by name."""
    return {
        rule["record"]: _grouped_by(rule["expr"]) - {"le"} for rule in rules if "record" in rule
    }


@pytest.fixture(scope="module")
def dashboard_queries(dashboard) -> list[str]:
    """With what Grafana puts in for its variables."""
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [
        query.replace("$__rate_interval", "1m").replace("$model", "short_video")
        for query in queries
    ]


@pytest.fixture(scope="module")
def queries(rules, dashboard_queries) -> list[str]:
    return [*(rule["expr"] for rule in rules), *dashboard_queries]


def test_every_query_is_promql(queries):
    for query in queries:
        promql_parser.parse(query)


def test_the_parser_would_find_a_mistake():
    with pytest.raises(ValueError, match="parenthesis"):
        promql_parser.parse("sum(rate(up[5m])")
    with pytest.raises(ValueError, match="expected type"):
        promql_parser.parse("rate(up)")


def test_every_metric_is_exported_or_recorded(queries, exported, recorded):
    used = {name for query in queries for name, _ in _selectors(query)}
    assert used - exported.keys() - recorded.keys() == set()


def test_every_metric_that_is_listed_is_used(deploy, queries):
    used = {name for query in queries for name, _ in _selectors(query)}
    for metric in yaml.safe_load((deploy / "metrics.yaml").read_text())["exported"]:
        parts = ("_bucket", "_sum", "_count") if metric["type"] == "histogram" else ("",)
        assert used & {metric["name"] + part for part in parts}, metric["name"]


@pytest.mark.slow
@pytest.mark.tensorflow
def test_the_local_model_server_exports_what_is_listed_as_its_own(deploy):
    import grpc
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    from serving.model_server.metrics import ServerMetrics

    version = SimpleNamespace(number=1, state=SimpleNamespace(name="AVAILABLE"))
    model = SimpleNamespace(name="short_video", statuses=lambda: [version])
    metrics = ServerMetrics(SimpleNamespace(all=[model], named=lambda name: model))
    metrics.count("short_video", "Predict", "GRPC", grpc.StatusCode.OK, 0.01)
    request = PredictRequest()
    request.model_spec.name = "short_video"
    metrics.count_candidates(request)
    page = metrics.page().decode()
    for metric in yaml.safe_load((deploy / "metrics.yaml").read_text())["exported"]:
        if "local_server" in metric["by"]:
            series, extra = (
                (f"{metric['name']}_bucket", {"le"})
                if metric["type"] == "histogram"
                else (metric["name"], set())
            )
            assert f"# TYPE {metric['name']} {metric['type']}\n" in page
            labels = re.search(rf"^{re.escape(series)}\{{(.*)\}}", page, re.MULTILINE)[1]
            assert set(re.findall(r'(\w+)="', labels)) == set(metric["labels"]) | extra


def test_every_label_is_one_of_its_metric(queries, exported, recorded):
    for query in queries:
        made = set(re.findall(r'label_replace\(.*?, "(\w+)", "\$1"', query))
        for name, labels in _selectors(query):
            known = {**exported, **recorded}[name]
            assert labels <= known, query
            assert _grouped_by(query) <= known | made | {"le"}, query


def test_histograms_are_grouped_by_their_buckets(queries):
    for query in queries:
        for node in _nodes(promql_parser.parse(query)):
            if isinstance(node, promql_parser.Call) and node.func.name == "histogram_quantile":
                assert "le" in node.args[1].modifier.labels, query


def test_counters_are_read_as_rates_increases_or_since_the_start(queries):
    for query in queries:
        for name, _ in _selectors(query):
            if name.endswith(("request_count", "latency_bucket")):
                assert f"rate({name}" in query


def test_rules_have_unique_names_and_the_form_of_prometheus(deploy, rules):
    groups = yaml.safe_load((deploy / "prometheus" / "rules.yaml").read_text())["groups"]
    assert all(set(group) <= {"name", "interval", "rules"} for group in groups)
    names = [rule.get("record") or rule["alert"] for rule in rules]
    assert len(set(names)) == len(names)
    for rule in rules:
        allowed = (
            {"record", "expr"}
            if "record" in rule
            else {"alert", "expr", "for", "labels", "annotations"}
        )
        assert set(rule) <= allowed
        assert promql_parser.parse_duration(rule.get("for", "1m"))


def test_every_alert_has_a_severity_a_summary_and_a_section_of_the_runbook(rules, runbook):
    headings = {heading.lower() for heading in re.findall(r"^#+ (\w+)$", runbook, re.MULTILINE)}
    for rule in rules:
        if "alert" in rule:
            assert rule["labels"]["severity"] in {"warning", "critical"}
            assert rule["annotations"]["summary"]
            assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
            assert rule["alert"].lower() in headings


def test_labels_in_the_text_of_an_alert_are_there_when_it_fires(rules, exported, recorded):
    for rule in rules:
        if "alert" in rule:
            named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
            (first, _), *_ = _selectors(rule["expr"])
            assert named <= (_grouped_by(rule["expr"]) or {**exported, **recorded}[first]), rule[
                "alert"
            ]


def test_the_alerts_watch_the_job_that_prometheus_scrapes(deploy, rules, manifests):
    (job,) = yaml.safe_load((deploy / "prometheus" / "prometheus.yaml").read_text())[
        "scrape_configs"
    ]
    jobs = {match for rule in rules for match in re.findall(r'job="([^"]+)"', rule["expr"])}
    assert jobs == {job["job_name"]}
    kept = {config["regex"] for config in job["relabel_configs"] if config.get("action") == "keep"}
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert kept == {labels["app.kubernetes.io/name"], "true", "rest"}


def test_the_autoscaler_asks_for_a_metric_that_the_adapter_makes_of_a_recorded_one(
    deploy, manifests, recorded
):
    (rule,) = yaml.safe_load((deploy / "prometheus" / "adapter_rules.yaml").read_text())["rules"]
    (series,) = _selectors(rule["seriesQuery"])
    assert series[1] <= recorded[series[0]]
    filled = (
        rule["metricsQuery"]
        .replace("<<.Series>>", series[0])
        .replace("<<.LabelMatchers>>", 'pod="a"')
    )
    promql_parser.parse(filled.replace("<<.GroupBy>>", "pod"))
    pods = [
        metric["pods"]
        for metric in manifests["HorizontalPodAutoscaler"]["spec"]["metrics"]
        if metric["type"] == "Pods"
    ]
    assert [metric["metric"]["name"] for metric in pods] == [rule["name"]["as"]]


def test_the_capacity_alert_lies_above_what_the_autoscaler_aims_at(rules, manifests):
    (alert,) = [rule["expr"] for rule in rules if rule.get("alert") == "CapacityReached"]
    threshold = float(alert.rpartition(">")[2])
    (pods,) = [
        metric["pods"]
        for metric in manifests["HorizontalPodAutoscaler"]["spec"]["metrics"]
        if metric["type"] == "Pods"
    ]
    assert threshold == pytest.approx(1.5 * float(pods["target"]["averageValue"]))


def test_the_dashboard_is_one_for_grafana(dashboard):
    from grafana_foundation_sdk.models.dashboard import Dashboard

    read = Dashboard.from_json(dashboard)
    assert read.title == "Fulcrum: model servers"
    assert [panel.title for panel in read.panels] == [
        panel["title"] for panel in dashboard["panels"]
    ]
    places = {(panel.grid_pos.x, panel.grid_pos.y) for panel in read.panels}
    assert len({panel.id_val for panel in read.panels}) == len(places) == len(read.panels)


def test_the_dashboard_shows_what_an_operator_asks_for(dashboard):
    titles = {panel["title"] for panel in dashboard["panels"]}
    assert {
        "Request rate",
        "Latency in the server",
        "Errors by code",
        "Versions loaded",
        "Candidates a request",
    } <= titles


def test_every_query_of_the_dashboard_is_about_the_chosen_model_or_shows_which_it_is_about(
    dashboard,
):
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            assert "$model" in target["expr"] or "{{" in target["legendFormat"], panel["title"]
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_variables_of_the_dashboard_are_defined(dashboard):
    defined = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", str(dashboard["panels"]))) - {"__rate_interval", "1"}
    assert used == defined
