# SPDX-License-Identifier: Apache-2.0
"""``make soak``: known architectures by PyTorch and by ONNX, converted to int8 and run on an emulated
Cortex-M4. Exit status 1 where one is refused, is not byte-exact, or falls below 20 dB.

``python -m tests.convert.frameworks.networks.architectures_soak [NAME...]``
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tinyserve import boards, workflow
from tinyserve.convert import convert
from tinyserve.convert.frameworks import provision
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.errors import TinyserveError
from tinyserve.progress import silent

_BOARD = "nrf52840-dk"
_LEAST_DB = 20.0
_SAMPLES = 3


def main() -> int:
    """A line per architecture and framework."""
    if provision.find("pytorch") is None:
        print("not run, PyTorch is not installed (tinyserve setup --frontend pytorch)")
        return 0
    interpreter = provision.python(provision.require("pytorch"))
    script = Path(__file__).with_name("architectures.py")
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory)
        command = [str(interpreter), str(script), str(made), *sys.argv[1:]]
        subprocess.run(command, check=True, timeout=900, stderr=subprocess.DEVNULL)
        for path in sorted((*made.glob("*.pt2"), *made.glob("*.onnx"))):
            try:
                line, right = run(path)
            except TinyserveError as error:
                line, right = error.message[:300], False
            failed += not right
            print(f"{'ok  ' if right else 'FAIL'} {path.name:28} {line}", flush=True)
    return int(failed > 0)


def run(path: Path) -> tuple[str, bool]:
    """What became of it: dB of its worst output, instructions, bytes that differ from TFLM's."""
    made = convert(path, representative="random", output=path.with_suffix(path.suffix + "_bundle"))
    worst = min((one.sqnr_db for one in made.manifest.accuracy if one.sqnr_db is not None), default=0.0)
    board, build = boards.load(_BOARD), workflow.Build(emulate=True)
    compiled = workflow.to_compiled(made, board, build, silent)
    firmware = workflow.to_firmware(made, compiled, board, build, silent)
    samples, wrong = made.samples(), 0
    with open_device(firmware, board, emulator="unicorn") as device:
        client = Client(device.link)
        for index in range(min(_SAMPLES, len(samples))):
            for number, array in enumerate(samples.inputs):
                client.load(array[index].tobytes(), number)
            client.infer(runs=1)
            wanted = [array[index].tobytes() for array in samples.expected]
            wrong += sum(a != b for a, b in zip(client.outputs(), wanted, strict=True))
    flash, arena = len(made.model_bytes()), compiled.plan.arena_bytes
    line = f"{worst:5.1f} dB  {flash:7,} B  arena {arena:6,} B  {wrong} outputs differ"
    return line, wrong == 0 and worst >= _LEAST_DB


if __name__ == "__main__":
    sys.exit(main())
