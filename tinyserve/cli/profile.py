"""tinyserve profile"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.options import PATH, SOURCE_HELP

if TYPE_CHECKING:
    from tinyserve.codegen.program import Optimize
    from tinyserve.firmware.toolchain import Name as ToolchainName


@click.command(name="profile", epilog=SOURCE_HELP)
@click.argument("source", type=PATH)
@click.option("--board", required=True, metavar="NAME", help="The board, or its twin for a real one.")
@click.option("--emulator", metavar="KIND", help="unicorn, qemu, renode or host.")
@click.option("--json", "as_json", type=PATH, metavar="FILE", help="Write the profile for machines.")
@click.option("--html", "as_html", type=PATH, metavar="FILE", help="Write it as a page.")
@options.optimize
@options.operators
@options.choices
@options.engine
@options.toolchain
@options.conversion
def command(
    *,
    source: Path,
    board: str,
    emulator: str | None,
    as_json: Path | None,
    as_html: Path | None,
    optimize: Optimize,
    variants: tuple[str, ...],
    tuned: Path | None,
    engine: str,
    toolchain: ToolchainName,
    representative: str | None,
    quantize: str,
    bundle: Path | None,
) -> None:
    """Count instructions per layer and per function of one inference, with bytes read and written.

    Exact and repeatable in Unicorn, QEMU and, with valgrind, on this computer (--board host).
    """
    import msgspec

    from tinyserve import boards, files, road
    from tinyserve.bench import profiling
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.errors import UsageError
    from tinyserve.report import profile_html
    from tinyserve.report.profile import profile_view

    if engine == "tflm":
        raise UsageError(
            "--engine tflm has no layers to profile: the interpreter runs whole models", "--engine aot"
        )
    for path in (as_json, as_html):
        if path is not None:
            files.check_writable(path)
    chosen = boards.load(board)
    kind = road.choose_emulator(chosen, True, emulator, None) or ""
    with progress() as report:
        made = road.to_bundle(source, road.Conversion(representative, quantize, bundle), report)
        choices = options.chosen_variants(variants, tuned, made.model_bytes())
        compiled = road.to_compiled(made, chosen, optimize, report, engine=engine, choices=choices)
        build = road.Build(optimize, engine, toolchain, road.is_twin(chosen), choices=choices)
        firmware = road.to_firmware(made, compiled, chosen, build, report)
        profile = profiling.run(made, firmware, kind, optimize, report)
    stdout().print(profile_view(profile))
    if as_json is not None:
        files.write(as_json, msgspec.json.format(msgspec.json.encode(profile), indent=2) + b"\n")
    if as_html is not None:
        files.write(as_html, profile_html.encode(profile).encode())
