"""The dashboard and the alert rules of docs/monitoring name figures that there are, and the page says what to do."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.conf import settings

from promotions.worker.figures import FIGURES, Figure

DOCS = settings.BASE_DIR / "docs"
_STRINGS = re.compile(r'"[^"]*"')
_NAMES = re.compile(r"(?<![\w$])(?:stellapromote|process)_\w+")
_LABELS = re.compile(r"([a-z_]+)_*\{([^}]*)\}")


def _alerts() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((DOCS / "monitoring" / "alerts.yml").read_text())["groups"]
    return list(group["rules"])


def _panels() -> list[dict[str, Any]]:
    return list(json.loads((DOCS / "monitoring" / "dashboard.json").read_text())["panels"])


def _expressions() -> Iterator[str]:
    yield from (alert["expr"] for alert in _alerts())
    yield from (target["expr"] for panel in _panels() for target in panel.get("targets", []))


def _series() -> dict[str, Figure]:
    """By the names that Prometheus stores: a histogram is three."""
    return {
        f"{figure.name}{part}": figure
        for figure in FIGURES
        for part in (("_bucket", "_sum", "_count") if figure.kind == "histogram" else ("",))
    }


@pytest.mark.parametrize("expression", list(_expressions()))
def test_each_figure_and_label_of_an_expression_exists(expression: str) -> None:
    series = _series()
    named = _NAMES.findall(_STRINGS.sub('""', expression))
    assert named
    assert set(named) <= series.keys()
    for name, matchers in _LABELS.findall(expression):
        assert {re.split("[!=]", each)[0] for each in matchers.split(",")} <= set(series[name].labels)
    labels = {label for name in named for label in series[name].labels} | {"le"}
    assert {each.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for each in by.split(",")} <= labels


def test_dashboard_shows_every_figure_but_the_address_space() -> None:
    targets = [target["expr"] for panel in _panels() for target in panel.get("targets", [])]
    shown = {_series()[name].name for expression in targets for name in _NAMES.findall(expression)}
    assert shown == {figure.name for figure in FIGURES} - {"process_virtual_memory_bytes"}


def test_page_says_what_to_do_about_each_alert() -> None:
    page = (DOCS / "monitoring.md").read_text()
    rows = [re.split(r" \| ", line.strip("| ")) for line in page.splitlines() if line.startswith("| `")]
    assert [name.strip("`") for name, *_ in rows] == [alert["alert"] for alert in _alerts()]
    assert all(len(row) == 3 and all(row) for row in rows)
