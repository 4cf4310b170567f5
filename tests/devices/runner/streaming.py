# SPDX-License-Identifier: Apache-2.0
"""What MLCommons' runner does in its streaming test, in the fewest lines: device and interface board found
by their USB ids among pyserial's ports, each read by a thread of its own, character by character; the board
plays a recording into the device and is asked for the edges of its pins; what the device says at its stop is
parsed as one array."""

import itertools
import json
import queue
import re
import sys
import threading
import time
from pathlib import Path

import serial
import yaml
from serial.tools import list_ports


def found(kind):
    """The port of the most preferred device of a type; the later of two ports does not replace the first."""
    best, chosen = -1, None
    for port in (p for p in list_ports.comports(True) if p.vid):
        for device in yaml.safe_load(Path("devices.yaml").read_text()):
            for vid, pids in device.get("usb", {}).items():
                same = vid == port.vid and port.pid in (pids if isinstance(pids, list) else [pids])
                if same and device["type"] == kind and device.get("preference", 0) > best:
                    best, chosen = device.get("preference", 0), port.device
    return chosen


class Spoken:
    def __init__(self, port):
        self.port = serial.Serial(port, 115200, timeout=0.1)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        line = ""
        while True:
            character = self.port.read(1).decode()
            if character == "\n":
                self.lines.put(line)
                line = ""
            elif character not in "\r\0":
                line += character

    def ask(self, command, timeout=10.0):
        self.port.write(f"{command}%".encode())
        lines = []
        while not lines or "m-ready" not in lines[-1]:
            line = self.lines.get(timeout=timeout)
            if line:
                lines.append(line)
        return lines


def activations(lines):
    array = re.search(r"target activations:\s*(\[.*?\])\s*m-ready", "".join(lines), re.DOTALL)
    return [int(value) for value in array[1].strip("[]").split(",")]


def edges(lines):
    assert "Duty cycle start times (s)" in lines[0], lines[0]
    stop = next(at for at, line in enumerate(lines) if "Duty cycle stop times (s)" in line)
    return [
        [int(word) for line in part for word in line.strip().split(",") if word.strip()]
        for part in (lines[1:stop], lines[stop + 1 : -1])
    ]


def main():
    board, dut = Spoken(found("interface")), Spoken(found("dut"))
    time.sleep(0.3)
    dut.ask("")  # what it said when it started
    profile = dut.ask("profile")
    assert "m-model-[sww01]" in profile, profile
    name, rate = board.ask("name")[0], board.ask("checkbaud")[0]
    dut.ask("stop")
    dut.ask("start")
    board.ask("record_detections")
    board.ask(f"play {sys.argv[1]}", timeout=10.0)
    time.sleep(0.25)
    heard = activations(dut.ask("stop"))
    title, *times, _ = board.ask("print_detections")
    assert title == "Detection Timestamps (ms)", title
    starts, stops = edges(board.ask("print_dutycycle"))
    assert board.ask("dut name")[-1] == "m-ready"
    passed = board.ask("")  # the passed-on answer follows its own m-ready
    print(json.dumps({
        "name": name, "rate": rate, "activations": heard, "times": [int(t.strip(",")) for t in times],
        "periods": sorted({b - a for a, b in itertools.pairwise(starts)}), "steps": len(starts),
        "busy": sorted({b - a for a, b in zip(starts, stops, strict=True)}), "passed": passed[:1],
    }))  # fmt: skip


main()
