# SPDX-License-Identifier: Apache-2.0
"""JUnit XML for CI systems: a suite per cell, a case per check, budget limit and baseline metric."""

from __future__ import annotations

from xml.etree import ElementTree

from tinyserve.bench.judge.budget import Violation
from tinyserve.bench.judge.compare import Change, Comparison
from tinyserve.bench.judge.metrics import METRICS
from tinyserve.bench.result import BenchReport, BenchResult
from tinyserve.escapes import xml_text
from tinyserve.report import figures, quality
from tinyserve.report.verdicts import regression_text, violation_text


def encode(report: BenchReport, violations: list[Violation], comparison: Comparison | None) -> bytes:
    """The report as JUnit XML (the `testsuites` form that GitHub, GitLab and Jenkins read)."""
    changes = comparison.changes if comparison else []
    root = ElementTree.Element("testsuites", name="tinyserve bench")
    for result in report.results:
        _suite(root, result, violations, changes)
    for failure in report.failures:
        suite = ElementTree.SubElement(root, "testsuite", name=f"{failure.model} on {failure.board}")
        case = _case(suite, suite.get("name", ""), "bench")
        ElementTree.SubElement(case, "error", message=_first_line(failure.error)).text = failure.error
    for suite in root:
        suite.set("tests", str(len(suite.findall("testcase"))))
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
        suite.set("errors", str(len(suite.findall("testcase/error"))))
    _make_valid(root)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _make_valid(root: ElementTree.Element) -> None:
    """ElementTree escapes markup, and writes characters that no XML may contain."""
    for element in root.iter():
        element.text = xml_text(element.text) if element.text else element.text
        for name, value in element.items():
            element.set(name, xml_text(value))


def _suite(
    root: ElementTree.Element, result: BenchResult, violations: list[Violation], changes: list[Change]
) -> None:
    suite = ElementTree.SubElement(
        root, "testsuite", name=result.title, timestamp=result.created_utc.rstrip("Z")
    )
    _properties(suite, result)
    _checks(suite, result)
    for violation in violations:
        if violation.cell == result.title:
            case = _case(suite, result.title, f"budget: {violation.limit.metric.name}")
            _fail(case, violation_text(violation))
    for change in changes:
        if change.cell == result.title:
            case = _case(suite, result.title, f"baseline: {change.metric.name}")
            if change.regressed:
                _fail(case, regression_text(change))
    ElementTree.SubElement(suite, "system-out").text = "; ".join(
        part for part in (_summary(result), figures.scenario(result), _quality(result)) if part
    )


def _summary(result: BenchResult) -> str:
    return f"{figures.headline(result)} p90, {figures.runs(result.latency)}, {figures.how(result)}"


def _properties(suite: ElementTree.Element, result: BenchResult) -> None:
    properties = ElementTree.SubElement(suite, "properties")
    if result.quality is not None:
        ElementTree.SubElement(properties, "property", name="quality", value=result.quality.grade)
    for metric in METRICS:
        value = metric.get(result)
        if value is not None:
            ElementTree.SubElement(properties, "property", name=metric.name, value=f"{value:.12g}")


def _checks(suite: ElementTree.Element, result: BenchResult) -> None:
    """Equality with the expected outputs, and quality against the float model: poor is a failure."""
    if result.check is not None:
        case = _case(suite, result.title, "outputs are the expected ones")
        if not result.check.passed:
            _fail(case, figures.outputs(result.check))
    else:
        _case(suite, result.title, "bench")
    if result.quality is not None:
        case = _case(suite, result.title, "quality against the float model")
        if result.quality.grade == "poor":
            _fail(case, quality.sentence(result.quality))


def _quality(result: BenchResult) -> str:
    return f"quality: {quality.sentence(result.quality)}" if result.quality else ""


def _case(suite: ElementTree.Element, cell: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite, "testcase", classname=f"tinyserve.{cell}".replace(" ", "_"), name=name
    )


def _fail(case: ElementTree.Element, message: str) -> None:
    ElementTree.SubElement(case, "failure", message=_first_line(message)).text = message


def _first_line(message: str) -> str:
    return message.splitlines()[0] if message else ""
