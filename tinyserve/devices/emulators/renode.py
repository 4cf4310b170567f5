# SPDX-License-Identifier: Apache-2.0
"""Boards in Renode: a child process, driven through its monitor on a socket, the serial port on another.

What runs is the script that lies beside the firmware (``renode/run.resc``, see firmware.renode). Renode
listens on both ports; nothing is lost, as the firmware starts only when the serial port is connected.
"""

from __future__ import annotations

import re
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path

from tinyserve.boards.types import Board
from tinyserve.devices.device import Device
from tinyserve.devices.process import ChildProcess
from tinyserve.devices.sockets import SocketLink
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import DeviceError, ToolError

START_TIMEOUT_S = 60.0
COMMAND_TIMEOUT_S = 30.0
SCRIPT = Path("renode") / "run.resc"
INSTALL_HINT = (
    "unpack a portable release of https://github.com/renode/renode/releases and put `renode` on the PATH, "
    "or use --emulator unicorn"
)
_POLL_S = 0.1
_END_S = 2.0
_TELNET = re.compile(rb"\xff(?:[\xfb-\xfe].|\xfa.*?\xff\xf0|.)", re.DOTALL)
_COLORS = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_PROMPT = re.compile(r"(?:^|\n)\([^()\n]+\) $")
_REFUSED = re.compile(r"error|could not|no such|not found|unknown", re.IGNORECASE)
_ADDRESS = re.compile(r"0x([0-9A-Fa-f]+)")


class RenodeDevice(Device):
    """A board in Renode. Raises ToolError when Renode is missing, DeviceError when it doesn't start."""

    def __init__(self, symbols: Symbols, board: Board) -> None:
        self._renode = Renode(symbols)
        super().__init__(
            SocketLink(f"{board.id} in Renode", self._renode.serial, self._renode),
            f"{board.id} emulated by Renode ({board.core.name})",
            "instructions",
            symbols,
        )

    def close(self) -> None:
        self.link.close()
        self._renode.close()


class Renode:
    """The running emulator: its process, monitor and serial port."""

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        program = shutil.which("renode")
        if program is None:
            raise ToolError("Renode is not installed", INSTALL_HINT)
        script = symbols.path.resolve().parent / SCRIPT
        if not script.is_file():
            raise ToolError(f"{script}: there is no such script", "build the firmware again")
        monitor_port, serial_port = _free_ports(2)
        command = [program, "--disable-xwt", "--plain", "--hide-log", "--port", str(monitor_port)]
        self._process = ChildProcess(command)
        try:
            self._monitor = Monitor(self._connect(monitor_port))
            self._monitor.execute(f"$port={serial_port}")
            self._monitor.execute(f"$elf=@{_path(symbols.path)}")
            self._monitor.execute(f"include @{_path(script)}")
            self.serial = self._connect(serial_port)
            self._monitor.execute("start")
        except BaseException:
            self._process.close()
            raise

    def ended(self) -> str:
        """Why Renode ended: its own first line."""
        self._process.wait(_END_S)
        words = self._process.words().splitlines()
        return f"Renode ended: {words[0] if words else f'exit status {self._process.exit_code}'}"

    def where(self) -> str:
        """The function that runs now, asked of Renode's monitor."""
        with suppress(DeviceError):
            address = _ADDRESS.search(self._monitor.execute("sysbus.cpu PC", _END_S))
            if address:
                return f"running {self._symbols.place(int(address[1], 16) & ~1)}"
        return ""

    def close(self) -> None:
        self._monitor.close()
        self._process.close()

    def _connect(self, port: int) -> socket.socket:
        """A connection to a port that Renode opens sooner or later."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.exit_code is None:
            with suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", port), timeout=_END_S)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            time.sleep(_POLL_S)
        raise DeviceError(f"Renode did not start: {self._process.words() or 'it said nothing'}")


class Monitor:
    """Renode's command line over a telnet-like connection: a command, its echo, words, and the prompt.

    Raises DeviceError when Renode refuses a command, is silent or gone.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._raw = b""
        self._until_prompt(START_TIMEOUT_S, "start")

    def execute(self, command: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """What the command answers, without its echo."""
        try:
            self._socket.sendall(command.encode() + b"\n")
        except OSError as error:
            raise DeviceError(f"Renode's monitor is gone: {error}") from error
        lines = self._until_prompt(timeout_s, command).splitlines()
        answer = "\n".join(line for line in lines if command not in line).strip()
        if _REFUSED.search(answer):
            raise DeviceError(f'Renode refused "{command}": {answer}')
        return answer

    def close(self) -> None:
        self._socket.close()

    def _until_prompt(self, timeout_s: float, command: str) -> str:
        deadline = time.monotonic() + timeout_s
        while True:
            text = _COLORS.sub(b"", _TELNET.sub(b"", self._raw)).decode("utf-8", "replace").replace("\r", "")
            prompt = _PROMPT.search(text)
            if prompt:
                self._raw = b""
                return text[: prompt.start()]
            self._raw += self._receive(deadline, command)

    def _receive(self, deadline: float, command: str) -> bytes:
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError as error:
            raise DeviceError(f'Renode\'s monitor gave no answer to "{command}"') from error
        except OSError as error:
            raise DeviceError(f"Renode's monitor is gone: {error}") from error
        if not data:
            raise DeviceError(f'Renode\'s monitor closed the connection at "{command}"')
        return data


def _path(path: Path) -> str:
    """As the monitor reads paths: spaces are escaped."""
    return path.resolve().as_posix().replace(" ", "\\ ")


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago: Renode must be given the ports to open."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
