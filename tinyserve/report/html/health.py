# SPDX-License-Identifier: Apache-2.0
"""Health as one self-contained HTML page: each histogram of the devices over that of the reference."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from markupsafe import Markup

from tinyserve.health.counters import Counters
from tinyserve.health.verdict import Verdict
from tinyserve.report import figures
from tinyserve.report.health.series import Series
from tinyserve.report.html import bench as html
from tinyserve.report.html import svg
from tinyserve.report.text.health import health_lines


def as_html(name: str, series: Sequence[Series], seen: Counters, verdict: Verdict) -> bytes:
    """The page as UTF-8."""
    words = {finding.what: finding.words for finding in verdict.findings}
    pictures = [
        (
            one,
            Markup(svg.overlaid(one.reference, one.seen, _places(one))),
            verdict.distances.get(one.what),
            words.get(one.what, ""),
        )
        for one in series
    ]
    text = html.page("health.html.j2").render(
        title=f"Health of {name}", seen=seen, verdict=verdict, pictures=pictures,
        lines=list(health_lines(seen, verdict)),
    )  # fmt: skip
    return text.encode()


def _places(one: Series) -> list[str]:
    """What each bar is called."""
    if one.labels:
        return list(one.labels)
    edges = [figures.number(edge) for edge in one.edges]
    return [f"{low} to {high}" for low, high in itertools.pairwise(edges)]
