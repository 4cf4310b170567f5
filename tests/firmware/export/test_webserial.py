# SPDX-License-Identifier: Apache-2.0
"""The page in Chromium beside a board's firmware on a serial line: a twin behind a pty, which a stand-in for
``navigator.serial`` reaches through this process. Only the browser's own port is not the real one."""

from __future__ import annotations

import json
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import serial

from tests.devices.faulty_line import faulty_line
from tests.firmware.export.test_libraries import network
from tinyserve import boards, workflow
from tinyserve.compiler.compile import compile_model
from tinyserve.firmware.build import build
from tinyserve.firmware.export import Library, export_library
from tinyserve.firmware.render import render

pytest.importorskip("ziglang")

WAIT_S = 60
READ_S = 0.05  # how long a read of the page waits for the board
WIRED = """
class Wired {
  async open() {
    this.readable = new ReadableStream({ pull: async (out) => {
      const answer = await fetch("/read");
      out.enqueue(new Uint8Array(await answer.arrayBuffer()));
    } });
    const write = (bytes) => fetch("/write", { method: "POST", body: bytes });
    this.writable = new WritableStream({ write });
  }
  async close() {}
}
Object.defineProperty(navigator, "serial", { value: { requestPort: async () => new Wired() } });
"""
COMPARED = """
const until = async (test) => { while (!test()) { await new Promise((go) => setTimeout(go, 20)); } };
await until(() => document.body.dataset.ready);
const answers = [];
for (let time = 0; time < 2; time++) {
  document.getElementById("verdict").textContent = "";
  document.getElementById("compare").click();
  await until(() => document.getElementById("verdict").textContent);
  answers.push(document.getElementById("verdict").textContent);
}
await fetch("/verdict", { method: "POST", body: JSON.stringify(answers) });
"""


class Bridge(BaseHTTPRequestHandler):
    """Serves the page, and passes bytes between it and the port."""

    page: bytes
    port: Any
    verdicts: queue.Queue[list[str]]

    def do_GET(self) -> None:
        if self.path == "/read":
            self._answer(self.port.read(max(1, self.port.in_waiting)))
        else:
            self._answer(self.page, "text/html")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/write":
            self.port.write(body)
        else:
            self.verdicts.put(json.loads(body))
        self._answer(b"")

    def log_message(self, *_: object) -> None:
        """Not on the tests' output."""

    def _answer(self, body: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def bridged(page: str, path: str) -> Iterator[tuple[str, queue.Queue[list[str]]]]:
    """The page's address, and what it says in the end."""
    with serial.Serial(path, 115200, timeout=READ_S) as port:
        verdicts: queue.Queue[list[str]] = queue.Queue()
        handler = type("Own", (Bridge,), {"page": page.encode(), "port": port, "verdicts": verdicts})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", verdicts
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@contextmanager
def browsing(address: str, profile: Path) -> Iterator[None]:
    """Chromium on the page, until the end of the block."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("chromium is not installed")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        [*command, f"--user-data-dir={profile}", address], stdout=quiet, stderr=quiet
    ) as process:
        try:
            yield
        finally:
            process.kill()


def page_of(directory: Path) -> str:
    """The exported page with the stand-in, which alone may ask this process."""
    export_library("wasm", Library("kws", network(1), "Key words"), directory)
    text = (directory / "index.html").read_text()
    text, allowed = re.subn(r"default-src 'none';", "default-src 'none'; connect-src 'self';", text)
    assert allowed == 1
    text = text.replace('<script type="module">', f'<script>{WIRED}</script>\n<script type="module">', 1)
    return text.replace("</body>", f'<script type="module">{COMPARED}</script>\n</body>', 1)


@pytest.mark.parametrize(("seed", "words"), [(1, "byte-identical"), (2, "another model")])
def test_the_page_and_a_twin_on_a_serial_line_compare_the_same_input(
    seed: int, words: str, tmp_path: Path
) -> None:
    board = boards.load("nano33")
    compiled = compile_model(network(seed), workflow.target(board, "balanced"))
    firmware = build(render(compiled, board, tmp_path / "firmware", emulate=True))
    page = page_of(tmp_path / "wasm")
    with (
        faulty_line(firmware, board) as line,
        bridged(page, line.path) as (address, verdicts),
        browsing(address, tmp_path / "profile"),
    ):
        answers = verdicts.get(timeout=WAIT_S)
    assert [words in answer for answer in answers] == [True, True], answers
