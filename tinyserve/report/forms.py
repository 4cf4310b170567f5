# SPDX-License-Identifier: Apache-2.0
"""The forms in which a bench report is written to a file. A new form is one module and one line here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tinyserve.bench.judge.budget import Violation
    from tinyserve.bench.judge.compare import Comparison
    from tinyserve.bench.result import BenchReport


class Form(NamedTuple):
    """``module`` (in this package) has ``encode(report, violations, comparison) -> str | bytes``."""

    module: str
    help: str


FORMS = {
    "json": Form("json_result", "Write the result as JSON."),
    "html": Form("html.bench", "Write a self-contained HTML report."),
    "junit": Form("junit", "Write a JUnit XML report."),
    "markdown": Form("markdown", "Write a Markdown report."),
}
"""By the name of the option (--json FILE). Modules are imported when asked for: `--help` stays fast."""


def encode(
    form: str, report: BenchReport, violations: list[Violation], comparison: Comparison | None
) -> bytes:
    """The content of the file."""
    module = importlib.import_module(f"tinyserve.report.{FORMS[form].module}")
    text = module.encode(report, violations, comparison)
    return text.encode() if isinstance(text, str) else bytes(text)
