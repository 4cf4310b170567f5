# SPDX-License-Identifier: Apache-2.0
"""A profile as one self-contained HTML page."""

from __future__ import annotations

from tinyserve.bench.counts.profiling import HOST_INSTRUCTIONS, Profile
from tinyserve.report import figures, layer_groups
from tinyserve.report.html import bench as html
from tinyserve.report.text.profile import HOST_WORDS, column_title


def encode(profile: Profile) -> str:
    """The page as text: layers in order, functions by weight."""
    functions = layer_groups.functions(profile.functions, profile.layers)
    parts = html.shares([one.instructions for one in functions])
    return html.page("profile.html.j2").render(
        title=f"{profile.model.name} on {profile.setup.board}",
        profile=profile,
        setup=profile.setup,
        column=column_title(profile.unit),
        words=HOST_WORDS if profile.unit == HOST_INSTRUCTIONS else "",
        macs=sum(layer.macs for layer in profile.layers),
        rows=layer_groups.rows(profile.layers),
        functions=[(one, *part) for one, part in zip(functions, parts, strict=True)],
        text=figures,
    )
