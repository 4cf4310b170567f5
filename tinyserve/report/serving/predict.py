# SPDX-License-Identifier: Apache-2.0
"""What a batch of predictions came to, on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from tinyserve.databases import is_url, without_password
from tinyserve.escapes import visible
from tinyserve.predict.run import Summary
from tinyserve.words import counted

_SHOWN = 12


def lines(summary: Summary, out: str) -> Iterator[str]:
    """Counts, classes, and what it took."""
    manifest = summary.manifest
    place = without_password(out) if is_url(out) else out
    yield f"{manifest.count:,} predictions in {place} (job {manifest.job_id}), on {visible(manifest.ran_on)}"
    if summary.resumed == manifest.count:
        yield "  all were there already"
    elif summary.resumed:
        yield f"  {summary.resumed:,} were there already"
    if summary.resumed < manifest.count:
        thousand_s = 1000 / summary.per_second if summary.per_second else 0.0
        rate = f"{summary.per_second:,.0f} per second; {thousand_s:.3g} s per thousand"
        yield f"  {rate}, reading and writing included"
    if manifest.verified:
        yield f"  {manifest.verified:,} are the same from the {manifest.verified_by}"
    ranked = sorted(manifest.classes.items(), key=lambda one: -one[1])
    for name, count in ranked[:_SHOWN]:
        yield f"  {visible(name)}: {count:,} ({count / manifest.count:.1%})"
    if len(ranked) > _SHOWN:
        yield f"  and {counted(len(ranked) - _SHOWN, 'class', 'classes')} more"
