# SPDX-License-Identifier: Apache-2.0
"""Runs MLCommons' MLPerf Tiny runner, unmodified, with a port or two more among those that it finds.

The runner takes ports from a scan of USB devices alone, so it never finds a pseudo-terminal, nor a board
behind an adapter that its list does not name. This file is run by the runner's own interpreter, in its own
directory, and needs nothing of tinyserve: ``python offer_port.py PORT INTERFACE main.py [arguments]``, with
the port of the interface board or an empty word, and the runner's own arguments. ``python offer_port.py
--check [arguments]`` only reads the device list.
"""

from __future__ import annotations

import runpy
import sys
import types
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 18
"""Of the device list: YAML is read at some 100 kB a second."""


def device_list(arguments: list[str]) -> str:
    """The runner's -d/--device_list, by default devices.yaml."""
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in ("-d", "--device_list"):
            return value if equals else "".join(arguments[index + 1 : index + 2])
        if argument.startswith("-d") and len(argument) > 2:
            return argument[2:]
    return "devices.yaml"


def usb_id(path: str, kind: str) -> tuple[int, int]:
    """The first USB id of the device of that type in the runner's list, of the first that it prefers."""
    devices = [device for device in listed_devices(path) if device.get("type") == kind and device.get("usb")]
    if not devices:
        sys.exit(f"{path}: no device of type {kind} has a usb id; add one, any will do")
    try:
        chosen = max(devices, key=lambda device: device.get("preference", 0))  # the first of the greatest
        vid, pids = next(iter(chosen["usb"].items()))
        return int(vid), int(pids[0] if isinstance(pids, list) else pids)
    except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError):
        sys.exit(f"{path}: a device of type {kind} has no usb ids of the form {{0x0483: [0x374B]}}")


def listed_devices(path: str) -> list[dict[str, Any]]:
    """The entries of the runner's list. Ends with one line where it can't be read."""
    import yaml

    try:
        if not Path(path).is_file():
            sys.exit(f"{path}: no file")
        with Path(path).open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            sys.exit(f"{path}: over {MOST_BYTES:,} bytes: no list of devices")
        listed = yaml.safe_load(raw.decode()) or []
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        sys.exit(f"{path}: not valid YAML: {' '.join(str(error).split())}")
    if not isinstance(listed, list) or not all(isinstance(device, dict) for device in listed):
        sys.exit(f"{path}: no list of devices, each with name, type and usb")
    return listed


def offer(port: str, vid: int, pid: int) -> None:
    """Puts the port into pyserial's list, in place of others that show the same id."""
    from serial.tools import list_ports
    from serial.tools.list_ports_common import ListPortInfo

    real = list_ports.comports

    def comports(include_links: bool = False) -> list[ListPortInfo]:
        offered = ListPortInfo(port, skip_link_detection=True)
        offered.vid, offered.pid = vid, pid
        offered.description = "tinyserve"
        others = [other for other in real(include_links) if (other.vid, other.pid) != (vid, pid)]
        return [offered, *others]

    list_ports.comports = comports


def survive_without_usb() -> None:
    """The runner looks for meters with pyusb, which may lack its library or be missing on this computer."""
    try:
        import usb.core

        list(usb.core.find(find_all=True) or ())
    except Exception as error:  # NoBackendError, USBError, ImportError: no meter can be found then
        print(f"no USB devices but serial ports: {error}", file=sys.stderr)
        package = sys.modules.get("usb") or types.ModuleType("usb")
        core = types.ModuleType("usb.core")
        vars(core)["find"] = lambda *args, **kwargs: []
        vars(package)["core"] = core
        sys.modules["usb"], sys.modules["usb.core"] = package, core


def main() -> None:
    if sys.argv[1] == "--check":
        usb_id(device_list(sys.argv[2:]), "dut")
        return
    port, interface, program, *arguments = sys.argv[1:]
    sys.path.insert(0, str(Path.cwd()))
    offer(port, *usb_id(device_list(arguments), "dut"))
    if interface:
        offer(interface, *usb_id(device_list(arguments), "interface"))
    survive_without_usb()
    sys.argv = [program, *arguments]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
