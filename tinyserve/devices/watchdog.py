# SPDX-License-Identifier: Apache-2.0
"""Runs a command and kills it when the process that started this script is gone. POSIX; a script, not a
module.

usage: watchdog.py LIFELINE_FD COMMAND...

The other end of the lifeline is held open by the parent alone: it closes when the parent dies, however it
dies.
"""

import _thread
import os
import signal
import sys


def main() -> None:
    lifeline = int(sys.argv[1])
    command = sys.argv[2:]
    os.set_inheritable(lifeline, False)
    try:
        child = os.posix_spawn(command[0], command, os.environ)
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")
    _thread.start_new_thread(_kill_at_end, (lifeline, child))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _kill_at_end(lifeline: int, child: int) -> None:
    os.read(lifeline, 1)
    os.kill(child, signal.SIGKILL)


main()
