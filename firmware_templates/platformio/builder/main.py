# SPDX-License-Identifier: Apache-2.0
"""Builds a firmware with the bare-metal GCC of its core, else with zig; "uploads" it to the emulator."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from SCons.Script import Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()


def find_zig():
    """The zig of the ziglang package, else one on PATH."""
    spec = importlib.util.find_spec("ziglang")
    if spec and spec.origin:
        for name in ("zig", "zig.exe"):
            path = Path(spec.origin).parent / name
            if path.is_file():
                return str(path)
    return shutil.which("zig")


def use_gcc(compiler):
    """GCC, with binutils beside it for the size report."""
    prefix = compiler[: -len("gcc")]
    env.Replace(
        CC=compiler,
        AR=f"{prefix}gcc-ar",
        RANLIB=f"{prefix}gcc-ranlib",
        LINK="$CC",
        SIZETOOL=f"{prefix}size",
        SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    )
    return "gcc"


def use_zig(zig):
    """Clang, by the name of zig."""
    env.Replace(CC=f'"{zig}" cc', AR=f'"{zig}" ar', RANLIB=f'"{zig}" ranlib', LINK="$CC", SIZETOOL=None)
    return "zig"


def quiet_link(compiler):
    """GNU ld warns of memory that is written and run from 2.39 on; older ones lack the option."""
    help_text = subprocess.run([compiler, "-Wl,--help"], capture_output=True, text=True, check=False).stdout
    return ["-Wl,--no-warn-rwx-segments"] if "--no-warn-rwx-segments" in help_text else []


def choose_compiler():
    """``board_build.compiler = gcc`` or ``zig`` in platformio.ini chooses; GCC comes first."""
    wanted = board.get("build.compiler", "")
    gcc = next(filter(None, map(shutil.which, board.get("build.gcc.names"))), None)
    zig = find_zig()
    if gcc and wanted != "zig":
        return use_gcc(gcc)
    if zig and wanted != "gcc":
        return use_zig(zig)
    sys.stderr.write(
        f"Error: no compiler for {board.get('build.core')}: "
        f"install {board.get('build.gcc.names')[0]}, or pip install ziglang\n"
    )
    return env.Exit(1)


name = choose_compiler()
target, compile_flags, link = (board.get(f"build.{name}.{part}") for part in ("target", "compile", "link"))
env.Replace(PROGNAME="firmware", PROGSUFFIX=".elf", LDSCRIPT_PATH="$PROJECT_DIR/board.ld")
env.Append(
    ASPPFLAGS=[*target, "-x", "assembler-with-cpp"],
    CFLAGS=[flag for flag in compile_flags if flag.startswith("-std")],
    CCFLAGS=[*target, "-O2", *(flag for flag in compile_flags if not flag.startswith("-std"))],
    LINKFLAGS=[*target, *link, *(quiet_link(env["CC"]) if name == "gcc" else [])],
    LIBS=["gcc"] if name == "gcc" else [],
)

program = env.BuildProgram()
env.Depends(program, "$PROJECT_DIR/board.ld")

env.Replace(
    UPLOADCMD='"$PYTHONEXE" -m tinyserve.firmware.platformio.self_check "$SOURCE" ' + board.get("build.twin")
)
env.AddPlatformTarget(
    "upload", program, [env.VerboseAction("$UPLOADCMD", "Starting $SOURCE on the emulator")], "Upload"
)
Default([program])
