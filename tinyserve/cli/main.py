# SPDX-License-Identifier: Apache-2.0
"""The `tinyserve` command: a table of commands that are imported when called, and one place for errors.

Nothing heavy is imported here: `tinyserve --help` and shell completion answer within 0.3 s.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import click

from tinyserve import __version__, platforms
from tinyserve.cli.console import echo
from tinyserve.errors import (
    LONGEST_LINE,
    FileSystemError,
    Terminated,
    TinyserveError,
    ToolError,
    os_hint,
)
from tinyserve.escapes import clipped
from tinyserve.extras import missing_package


class Listed(NamedTuple):
    """A command as `tinyserve --help` lists it.

    Its module is tinyserve/cli/<group>/<command>.py, holds a click command named `command`, and is imported
    only when the command is run.
    """

    group: str
    help: str


SECTIONS: dict[str, dict[str, Listed]] = {
    "Workflow": {
        "convert": Listed("model", "Quantize a trained model and check it: makes a bundle."),
        "features": Listed("model", "Turn raw samples into what a model takes: show, apply, fit, check."),
        "accuracy": Listed("model", "Measure accuracy: float, compiled, and on the device."),
        "debug": Listed("model", "Find the layer that loses accuracy, and what would help."),
        "inspect": Listed("model", "Show layers, shapes, MACs, the arena, flash, and the boards it fits."),
        "compile": Listed("model", "Write standalone C for your own firmware."),
        "export": Listed("model", "Write a library or a stand-alone project for another build system."),
        "build": Listed("board", "Build the firmware for a board, with a size report."),
        "flash": Listed("board", "Build with PlatformIO, upload to the board, and check that it answers."),
        "bench": Listed("measure", "Measure latency, memory, energy and accuracy on a board or its twin."),
    },
    "Boards": {
        "boards": Listed("board", "List the boards, or those that a model fits."),
        "device": Listed("board", "Keep an emulated board on a pseudo-terminal."),
        "mlperf-runner": Listed("board", "Run MLCommons' MLPerf Tiny runner on a board or its twin."),
        "monitor": Listed("board", "Show what a board says on its serial port."),
        "doctor": Listed("board", "Show what this machine has and lacks, and how to get it."),
        "setup": Listed("board", "Install what a board or a front end needs."),
    },
    "Fleet": {
        "serve": Listed("serving", "Serve boards, twins and this computer over the Open Inference Protocol."),
        "predict": Listed("serving", "Write predictions of a data set to a database or Parquet files."),
        "fleet": Listed("serving", "Show what a server's members do, or restart them."),
    },
    "Devices in the field": {
        "keys": Listed("field", "Make and show the keys that model images are signed with."),
        "sign": Listed("field", "Make signed model images for a board's slots."),
        "update": Listed("field", "Put a signed model image on a device, and confirm it."),
        "slots": Listed("field", "Show what a device's slots hold, and why something was refused."),
        "health": Listed("field", "Compare what a device has counted with the data of the training."),
    },
    "Results": {
        "compare": Listed("measure", "Compare two bench results."),
        "tune": Listed("measure", "Find the fastest kernel variant of each layer by counting."),
        "profile": Listed("measure", "Count instructions per layer and per function."),
        "energy": Listed("measure", "Record a current trace with a meter; report energy per inference."),
    },
}


_VERBOSE = ("-v", "--verbose")
_PLAIN = "--plain"


class LazyGroup(click.Group):
    """A group whose commands are found in SECTIONS and imported when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        listed = next((section[cmd_name] for section in SECTIONS.values() if cmd_name in section), None)
        if listed is None:
            return None
        module = importlib.import_module(f"tinyserve.cli.{listed.group}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            import difflib

            near = difflib.get_close_matches(name, self.list_commands(ctx), n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"no such command: {name}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, listed.help) for name, listed in commands.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="tinyserve")
@click.option("-v", "--verbose", is_flag=True, help="Show tracebacks; may stand anywhere on the line.")
@click.option(
    "--plain", is_flag=True, help="No frames and no colours, to copy from; may stand anywhere on the line."
)
def group(verbose: bool, plain: bool) -> None:
    """From a trained model to a measured firmware on a microcontroller.

    Each command does the steps before it that are missing: `tinyserve bench model.keras --board nano33
    --emulate` converts, compiles, builds and measures.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status (see tinyserve/errors.py)."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    verbose = any(argument in _VERBOSE for argument in arguments)
    plain = [_PLAIN] * (_PLAIN in arguments)
    arguments = plain + [argument for argument in arguments if argument not in (*_VERBOSE, _PLAIN)]
    _make_streams_safe()
    previous = {number: signal.signal(number, _terminate) for number in platforms.here().ending_signals()}
    stdout = sys.stdout
    try:
        _check_python()
        result = group.main(args=list(arguments), prog_name="tinyserve", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except (Exception, KeyboardInterrupt, Terminated) as error:
        return _explain(error, verbose)
    except SystemExit:
        # click takes a reader that has gone for an error, puts another stream in that one's place, and exits.
        if sys.stdout is stdout:
            raise
        return _explain(BrokenPipeError(), verbose)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _check_python() -> None:
    """Raises ToolError on a free-threaded build: half of what tinyserve depends on has no wheels for it, and
    nothing was tried."""
    if hasattr(sys, "_is_gil_enabled"):  # from 3.13 on; asking further costs milliseconds
        import sysconfig

        if sysconfig.get_config_var("Py_GIL_DISABLED"):
            version = f"{sys.version_info[0]}.{sys.version_info[1]}"
            raise ToolError(
                f"{sys.executable} is a free-threaded build of Python {version}: not supported",
                f"make the environment with the standard build: python{version} -m venv .venv",
            )


def _make_streams_safe() -> None:
    """No text of ours may fail at a console that lacks its characters, or at a stream that was closed
    before we were started."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for good
        elif isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")


def _explain(error: BaseException, verbose: bool) -> int:
    """Says on stderr what went wrong and what to try, and returns the exit status."""
    status = 1
    _abandon_broken_streams()
    if isinstance(error, click.exceptions.Exit):
        status = error.exit_code
    elif isinstance(error, click.ClickException):
        vars(error)["message"] = clipped(error.message, LONGEST_LINE)
        error.show()
        status = 2
    elif isinstance(error, KeyboardInterrupt | click.Abort):
        click.echo("interrupted", err=True)
        status = 130
    elif isinstance(error, Terminated):
        status = error.code if isinstance(error.code, int) else 143
        echo("hung up" if status == 129 else "terminated", err=True)
    elif isinstance(error, BrokenPipeError):
        status = 0  # the reader of our output has gone (`tinyserve boards | head`)
    elif isinstance(error, TinyserveError):
        status = _report(error, verbose)
    elif isinstance(error, OSError):
        status = _report(_file_system_error(error), verbose)
    elif isinstance(error, UnicodeEncodeError) and error.encoding.replace("-", "") not in ("utf8", "utf_8"):
        status = _report(_encoding_error(error), verbose)
    elif _is_out_of_memory(error):
        status = _report(_out_of_memory(error), verbose)
    elif isinstance(error, ModuleNotFoundError) and (missing := missing_package(error)):
        missing.__cause__ = error
        status = _report(missing, verbose)
    else:
        traceback.print_exception(error)
        what = clipped(repr(error), LONGEST_LINE)
        echo(f"error: internal error: {what}\n  try: report it with the lines above", err=True)
    _abandon_broken_streams()
    return status


def _abandon_broken_streams() -> None:
    """What can't be written to a stream now (its reader has gone, its disk is full) is dropped: Python
    would try again at its end, and say so."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


_LITTLE_BYTES = 256 << 20
_MEMORY_WORDS = ("Cannot allocate memory", "failed to map segment from shared object")


def _is_out_of_memory(error: BaseException) -> bool:
    """Also where a library says it of itself while it is loaded, or fails without a word: Python calls that
    a SystemError."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, SystemError):
        available = platforms.here().available_bytes()
        return available is not None and available < _LITTLE_BYTES
    said = f"{error} {error.__cause__} {error.__context__}"
    return isinstance(error, ImportError) and any(words in said for words in _MEMORY_WORDS)


def _out_of_memory(error: BaseException) -> FileSystemError:
    converted = FileSystemError(
        "not enough memory", "close other programs, raise `ulimit -v`, or use fewer samples (--limit)"
    )
    converted.__cause__ = error
    return converted


def _report(error: TinyserveError, verbose: bool) -> int:
    if verbose:
        traceback.print_exception(error)
    echo(f"error: {error}", err=True)
    return error.exit_status


def _file_system_error(error: OSError) -> FileSystemError:
    where = f"{error.filename}: " if error.filename is not None else ""
    message = f"{where}{error.strerror or error}"
    converted = FileSystemError(message, os_hint(error))
    converted.__cause__ = error
    return converted


def _encoding_error(error: UnicodeEncodeError) -> FileSystemError:
    """Text of ours is UTF-8 wherever it goes: what is left are names of files, which the locale encodes."""
    lacking = error.object[error.start : error.end]
    converted = FileSystemError(
        f"names of files have no {lacking!r} here: this locale is {error.encoding}",
        "set PYTHONUTF8=1, or LC_ALL to a locale of UTF-8",
    )
    converted.__cause__ = error
    return converted


def _terminate(number: int, frame: FrameType | None) -> None:
    """The first SIGTERM unwinds the stack; further ones must not break that off."""
    signal.signal(number, signal.SIG_IGN)
    raise Terminated(128 + number)
