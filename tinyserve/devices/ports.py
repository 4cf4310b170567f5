# SPDX-License-Identifier: Apache-2.0
"""What names a port: the system's list, or a URL of pyserial's that leads to a device.

``socket://HOST:PORT`` and ``rfc2217://HOST:PORT`` are lines behind a serial server (ser2net, ESPHome's
bridge, esp_rfc2217_server); ``hwgrep://TEXT`` is the one port whose description has the text. Other
schemes of pyserial's repeat what they are sent, write files, or load what the URL names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol
from urllib.parse import urlsplit

from serial.tools import list_ports

from tinyserve.errors import DeviceError, UsageError


class Port(Protocol):
    """A serial port as pyserial lists it."""

    device: str
    vid: int | None
    pid: int | None
    serial_number: str | None
    description: str


ListPorts = Callable[[], Iterable[Port]]

_EXAMPLE = "socket://HOST:PORT, rfc2217://HOST:PORT and hwgrep://TEXT lead to a board"
_OPTIONS: dict[str, tuple[str, ...]] = {"socket": (), "rfc2217": ("ign_set_control", "poll_modem")}
_WRONG = {
    "loop": "gives back what it is sent: no board answers there",
    "spy": "writes what passes to a file: tinyserve's errors show the last lines anyway",
    "alt": "loads a class that the URL names",
    "cp2110": "is a bridge that tinyserve does not speak to",
}


def is_url(port: str) -> bool:
    """Whether a port is named by a URL and not by the system's name."""
    return "://" in port


def checked(port: str, ports: ListPorts = list_ports.comports) -> str:
    """The port as pyserial takes it: for ``hwgrep`` the name of the port that is there, else the URL itself,
    which is not opened.

    Raises UsageError for URLs that lead to no board or are incomplete, DeviceError where ``hwgrep`` finds no
    port or several.
    """
    scheme, _, rest = port.partition("://")
    scheme = scheme.lower()
    if scheme == "hwgrep":
        return _described(rest, list(ports()))
    if scheme not in _OPTIONS:
        raise UsageError(f"--port {port}: {_WRONG.get(scheme, 'is no port')}", _EXAMPLE)
    _check_address(port)
    wanted = urlsplit(port).query.split("&")
    known = _OPTIONS[scheme]
    wrong = [option for option in wanted if option and option not in known]
    if wrong:
        raise UsageError(
            f"--port {port}: {wrong[0]} is none of its options",
            f"it takes {' and '.join(known)}" if known else "it takes none",
        )
    return port


def _check_address(port: str) -> None:
    try:
        parts = urlsplit(port)
        is_whole = bool(parts.hostname and parts.port) and parts.path in ("", "/")
        is_more = "@" in parts.netloc or bool(parts.fragment)
    except ValueError:
        is_whole, is_more = False, False
    if not is_whole or is_more:
        scheme = port.partition("://")[0]
        raise UsageError(f"--port {port}: not a host and a port's number", f"{scheme}://192.168.0.7:4000")


def _described(text: str, seen: list[Port]) -> str:
    """The port whose name, description or ids have the text. It is no regular expression, as it is for
    pyserial: one of those may take for ever."""
    if not text:
        raise UsageError("--port hwgrep://: no text to look for", "hwgrep://2341:805a")
    found = [port.device for port in seen if text.lower() in _words(port)]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} ports have it: {', '.join(found)}" if found else "no port has it"
    names = ", ".join(port.device for port in seen) or "none"
    raise DeviceError(f"--port hwgrep://{text}: {what}; ports seen: {names}", "name the port itself")


def _words(port: Port) -> str:
    """What is known of a port, in lower case: its name, description and ids."""
    ids = "" if port.vid is None or port.pid is None else f"{port.vid:04x}:{port.pid:04x}"
    return " ".join((port.device, port.description or "", port.serial_number or "", ids)).lower()
