# SPDX-License-Identifier: Apache-2.0
"""A bundle for people: what went in, what came out, and how good it is."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tinyserve.bundle import Bundle, Manifest, TensorInfo
from tinyserve.compiler.ops.trees.tree_ensemble import NAME as TREES
from tinyserve.quality.limits import of_bundle
from tinyserve.report import figures, quality
from tinyserve.report.text.schemes import variants_table
from tinyserve.report.text.weights import weights_table
from tinyserve.words import counted


def bundle_panel(bundle: Bundle) -> RenderableType:
    """The manifest's main figures in a frame."""
    manifest = bundle.manifest
    parts: list[RenderableType] = [
        Text(f"from {manifest.source.name} ({manifest.source.framework}), {manifest.quantize}", style="dim"),
        Text(),
        _tensors(manifest),
        Text(),
        Text(
            f"{counted(sum(manifest.ops.values()), 'operator')}, {manifest.macs:,} MACs, "
            f"arena {figures.size(manifest.arena_bytes)}, {manifest.samples} held-out samples"
        ),
    ]
    if manifest.accuracy:
        parts += [Text(), accuracy_table(manifest)]
    verdict = of_bundle(manifest)
    parts.append(quality.line(verdict))
    sparse = weights_table(manifest.weights)
    if sparse is not None:
        parts += [Text(), sparse]
    if manifest.variants:
        parts += [Text(), variants_table(manifest.variants)]
    parts += [Text(f"note: {note}", style="dim") for note in manifest.notes]
    if verdict is not None and verdict.grade != "good" and bundle.original_path() is not None:
        parts.append(Text(f"what would help: {_remedy(bundle)}", style="yellow"))
    return Panel(
        Group(*parts),
        title=Text.assemble((manifest.name, "bold"), f" {bundle.path}"),
        title_align="left",
        expand=False,
    )


def _remedy(bundle: Bundle) -> str:
    """What to do where the quality is not good. Trees have no layers that could be compared."""
    if TREES not in bundle.manifest.ops:
        return f"tinyserve debug {bundle.path} --representative DATA"
    return "convert it with --quantize auto, which measures the finer schemes, or with --quantize float32"


def _tensors(manifest: Manifest) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "name", "shape", "type", "quantization"):
        table.add_column(column)
    for kind, tensors in (("input", manifest.inputs), ("output", manifest.outputs)):
        for tensor in tensors:
            table.add_row(
                kind, tensor.name, "×".join(map(str, tensor.shape)), tensor.dtype, _quantization(tensor)
            )
    return table


def _quantization(tensor: TensorInfo) -> str:
    if tensor.scales:
        return f"{len(tensor.scales)} scales"
    return f"{tensor.scale:.6g} × (q − {tensor.zero_point})" if tensor.scale else ""


def accuracy_table(manifest: Manifest) -> Table:
    """The quantized model against the original, per output."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("against the original")
    for column in ("top-1 agreement", "error / σ", "SQNR", "max error"):
        table.add_column(column, justify="right")
    for output in manifest.accuracy:
        agreement, error = output.top1_agreement, output.error_sigma
        table.add_row(
            output.name,
            "—" if agreement is None else f"{100 * agreement:.1f} %",
            "—" if error is None else f"{100 * error:.2g} %",
            "—" if output.sqnr_db is None else f"{output.sqnr_db:.1f} dB",
            f"{output.max_error:.4g}",
        )
    return table
