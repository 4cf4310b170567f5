# SPDX-License-Identifier: Apache-2.0
"""Stands for Renode: its monitor's manners (telnet bytes, echo, prompts, refusals), its script commands, and
its socket terminal. What the terminal is connected to is the firmware, in Unicorn."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

from tinyserve import boards
from tinyserve.devices import open_device
from tinyserve.devices.link import LinkClosed, NoAnswer

GREETING = b"\xff\xfd\x03\xff\xfb\x01Renode, version 0.0.0 (fake)\r\n\x1b[33m(monitor)\x1b[0m "


class Refused(Exception):
    """What the monitor says instead of doing it."""


class FakeRenode:
    """One machine at most."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self.name = "monitor"
        self.elf = Path()
        self.terminal: socket.socket | None = None
        self.connected = False

    def serve(self, monitor: socket.socket) -> None:
        monitor.sendall(GREETING)
        with monitor.makefile("rb") as lines:
            for raw in lines:
                command = raw.decode().strip()
                try:
                    answer = self.execute(command)
                except Refused as refusal:
                    answer = f"There was an error executing command '{command}'\r\n{refusal}"
                text = f"{command}\r\n" + (f"{answer}\r\n" if answer else "") + f"({self.name}) "
                monitor.sendall(text.encode())

    def execute(self, command: str) -> str:
        assignment = re.fullmatch(r"\$(\w+)(\??)=@?(.*)", command)
        if assignment:
            name, default, value = assignment.groups()
            if not default or name not in self.variables:
                self.variables[name] = self.expand(value)
            return ""
        words = [self.expand(word) for word in re.split(r"(?<!\\) ", command)]
        match words:
            case ["include", path]:
                return self.include(self.file(path))
            case ["mach", "create", name]:
                self.name = name.strip('"')
            case ["machine", "LoadPlatformDescription", path]:
                self.file(path)
            case ["sysbus", "LoadELF", path]:
                self.elf = self.file(path)
            case ["sysbus.cpu", "VectorTableOffset", offset]:
                int(offset, 16)
            case ["sysbus.cpu", "PC"]:
                return os.environ.get("FAKE_RENODE_PC", "0x0")
            case ["emulation", "CreateServerSocketTerminal", port, '"ts_terminal"', "false"]:
                self.terminal = socket.create_server(("127.0.0.1", int(port)))
            case ["connector", "Connect", "sysbus.ts_uart", "ts_terminal"] if self.terminal:
                self.connected = True
            case ["start"] if self.connected:
                threading.Thread(target=self.run, daemon=True).start()
                return "Starting emulation..."
            case _:
                raise Refused(f"No such command or device: {words[0]}")
        return ""

    def include(self, script: Path) -> str:
        self.variables["ORIGIN"] = str(script.parent)
        for line in script.read_text().splitlines():
            if line and not line.startswith((":", "#")):
                self.execute(line)
        return ""

    def expand(self, word: str) -> str:
        return re.sub(r"\$(\w+)", lambda match: self.variables[match[1]], word)

    def file(self, word: str) -> Path:
        path = Path(word.removeprefix("@").replace("\\ ", " "))
        if not path.is_file():
            raise Refused(f"Could not find file '{path}'")
        return path

    def run(self) -> None:
        assert self.terminal is not None
        connection, _ = self.terminal.accept()
        connection.settimeout(0.01)
        firmware = SimpleNamespace(elf=self.elf)
        with (
            open_device(firmware, boards.load(self.name), "unicorn") as device,
            suppress(LinkClosed, OSError),
        ):
            while True:
                with suppress(NoAnswer):
                    connection.sendall(device.link.read_some(0.05))
                with suppress(TimeoutError):
                    device.link.write(connection.recv(1 << 16))


def main() -> None:
    if os.environ.get("FAKE_RENODE_DIES"):
        print("no usable .NET was found", file=sys.stderr)
        sys.exit(3)
    port = int(sys.argv[sys.argv.index("--port") + 1])
    listener = socket.create_server(("127.0.0.1", port))
    connection, _ = listener.accept()
    FakeRenode().serve(connection)


if __name__ == "__main__":
    main()
