# SPDX-License-Identifier: Apache-2.0
"""What MLCommons' runner does with its surroundings, in the fewest lines: it knows devices from a YAML file
by their USB ids, finds them among pyserial's ports that have one and among pyusb's devices, opens the first
dut at 115200 baud, reads line by line with a patience of five seconds, and asks for the model's id."""

import argparse
import json
import re
import time
from pathlib import Path

import serial
import usb.core
import yaml
from serial.tools import list_ports


def find_dut(path):
    devices = yaml.safe_load(Path(path).read_text())
    list(usb.core.find(find_all=True))
    for port in list_ports.comports(True):
        for device in devices if port.vid else []:
            for vid, pids in device.get("usb", {}).items():
                same = port.vid == vid and port.pid in (pids if isinstance(pids, list) else [pids])
                if same and device["type"] == "dut":
                    return port.device
    raise SystemExit("no dut was found")


class Dut:
    def __init__(self, port):
        self.port = serial.Serial(port, 115200, timeout=0.1)
        self.rest = b""

    def line(self):
        deadline = time.monotonic() + 5.0
        while b"\n" not in self.rest:
            if time.monotonic() > deadline:
                raise RuntimeError("No response")
            self.rest += self.port.read(256)
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode().strip("\r\0")

    def ask(self, command):
        self.port.write(f"{command}%".encode())
        lines = []
        while not lines or "m-ready" not in lines[-1]:
            lines.append(self.line())
        return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-d", "--device_list", default="devices.yaml")
    parser.add_argument("--bytes", type=int)
    parser.add_argument("--infer", default="2 1")
    parser.add_argument("-m", "--mode", default="a")
    args = parser.parse_args()
    dut = Dut(find_dut(args.device_list))
    time.sleep(0.3)
    dut.ask("")  # what it said when it started
    (name,) = [m[1] for line in dut.ask("name") if (m := re.match(r"^m-name-dut-\[([^]]+)]$", line))]
    about = dict(
        m.groups() for line in dut.ask("profile") if (m := re.match(r"^m-(model|profile)-\[([^]]+)]$", line))
    )
    dut.ask(f"db load {args.bytes}")
    data = bytes(range(256)) * (args.bytes // 256 + 1)
    for at in range(0, args.bytes, 31):
        dut.ask("db " + data[at : min(at + 31, args.bytes)].hex())
    lines = dut.ask(f"infer {args.infer}")
    laps = [int(m[1]) for line in lines if (m := re.match(r"^m-lap-us-([0-9]+)$", line))]
    results = [m[1] for line in lines if (m := re.match(r"^m-results-\[([^]]+)\]$", line))]
    print(json.dumps({"name": name, **about, "us": laps[1] - laps[0], "results": results, "mode": args.mode}))


if __name__ == "__main__":
    main()
