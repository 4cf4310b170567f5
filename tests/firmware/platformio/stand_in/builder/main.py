# SPDX-License-Identifier: Apache-2.0
"""Builds for this computer; "uploads" by putting the program where the test's board waits for it."""

import os

from SCons.Script import Default, DefaultEnvironment

env = DefaultEnvironment()
env.Replace(CC="gcc", CXX="g++", AR="ar", RANLIB="ranlib", LINK="g++", PROGNAME="firmware", PROGSUFFIX=".elf")
program = env.BuildProgram()
board = os.environ["STAND_IN_BOARD"]
put = f'cp "$SOURCE" "{board}.part" && mv "{board}.part" "{board}"'
env.Replace(UPLOADCMD=os.environ.get("STAND_IN_UPLOAD", put))
upload = env.VerboseAction("$UPLOADCMD", "Uploading to $UPLOAD_PORT")
env.AddPlatformTarget("upload", program, [upload], "Upload")
Default([program])
