# SPDX-License-Identifier: Apache-2.0
"""A profile as one self-contained HTML page."""

from __future__ import annotations

from tinyserve.bench.counts.profiling import HOST_INSTRUCTIONS, Profile
from tinyserve.report import figures
from tinyserve.report.html import bench as html
from tinyserve.report.text.profile import HOST_WORDS, column_title


def encode(profile: Profile) -> str:
    """The page as text: layers in order, functions by weight."""
    layers = html.shares([layer.ticks for layer in profile.layers])
    functions = html.shares([one.instructions for one in profile.functions])
    return html.page("profile.html.j2").render(
        title=f"{profile.model.name} on {profile.setup.board}",
        profile=profile,
        setup=profile.setup,
        column=column_title(profile.unit),
        words=HOST_WORDS if profile.unit == HOST_INSTRUCTIONS else "",
        macs=sum(layer.macs for layer in profile.layers),
        layers=[(layer, *part) for layer, part in zip(profile.layers, layers, strict=True)],
        functions=[(one, *part) for one, part in zip(profile.functions, functions, strict=True)],
        text=figures,
    )
