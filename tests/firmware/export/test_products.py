# SPDX-License-Identifier: Apache-2.0
"""Products that use two models together, as docs/guide/product.md says: tasks of an RTOS, a page.

(A C++ project, crates and PlatformIO projects of two models are in test_libraries.)
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.firmware.export.test_libraries import STRICT, expected, make, need, network, run
from tests.firmware.export.test_wasm import node
from tinyserve import boards

FREERTOS = Path(__file__).parent / "freertos"

TASKS = """
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "kws.h"
#include "vww.h"

#define vTaskDelay(ticks) sched_yield()
#define MODEL(name, NAME)                                                                      \\
  static _Alignas(TS_##NAME##_ARENA_ALIGNMENT) uint8_t name##_arena[TS_##NAME##_ARENA_BYTES];  \\
  static ts_##name name;                                                                       \\
  static int8_t name##_first[200];                                                             \\
  static void *name##_task(void *unused) {                                                     \\
    if (ts_##name##_init(&name, name##_arena) != 0) { return unused; }                         \\
    for (int round = 0; round < 200; round++) {                                                \\
      int8_t *input = ts_##name##_input(&name, 0);                                             \\
      for (int i = 0; i < TS_##NAME##_INPUT_0_BYTES; i++) { input[i] = (int8_t)(round % 4); } \\
      while (!ts_##name##_step(&name, 1)) { vTaskDelay(1); }                                   \\
      name##_first[round] = *(const int8_t *)ts_##name##_output(&name, 0);                     \\
    }                                                                                          \\
    return unused;                                                                             \\
  }
MODEL(kws, KWS)
MODEL(vww, VWW)

int main(void) {
  pthread_t one, other;
  if (pthread_create(&one, NULL, kws_task, NULL) != 0) { return 1; }
  if (pthread_create(&other, NULL, vww_task, NULL) != 0) { return 1; }
  pthread_join(one, NULL);
  pthread_join(other, NULL);
  for (int round = 0; round < 200; round++) { printf("%d %d\\n", kws_first[round], vww_first[round]); }
  return 0;
}
"""


def test_two_tasks_run_a_model_each_layer_by_layer(tmp_path: Path) -> None:
    need("gcc")
    places = [
        make("stm32cube", tmp_path, name, network(seed), instance="caller") / "Middlewares" / name
        for name, seed in (("kws", 1), ("vww", 2))
    ]
    (tmp_path / "main.c").write_text(TASKS)
    sources = [path for place in places for path in place.glob("*.c")]
    includes = [f"-I{place}" for place in places]
    run(
        "gcc", "-std=gnu11", "-O1", *STRICT, *includes, "main.c", *sources, "-lpthread", "-o", "product",
        cwd=tmp_path,
    )  # fmt: skip
    said = [tuple(map(int, line.split())) for line in run(tmp_path / "product", cwd=tmp_path).splitlines()]
    want = [(expected(network(1), value)[0], expected(network(2), value)[0]) for value in range(4)]
    assert said == want * 50


@pytest.mark.parametrize("delays", [1, 0], ids=["each gives way", "by the tick"])
def test_two_tasks_of_freertos_run_a_model_each(delays: int, tmp_path: Path) -> None:
    """On an emulated Cortex-M3, where TINYSERVE_FREERTOS names the kernel's sources: Debian's source package
    of MicroPython has them, for instance, below ports/cc3200/FreeRTOS/Source."""
    kernel = os.environ.get("TINYSERVE_FREERTOS")
    if not kernel:
        pytest.skip("TINYSERVE_FREERTOS does not name the kernel's sources")
    need("arm-none-eabi-gcc", "qemu-system-arm")
    places = [
        make("stm32cube", tmp_path, name, network(seed), board=boards.load("mps2-an385"), instance="caller")
        / "Middlewares"
        / name
        for name, seed in (("kws", 1), ("vww", 2))
    ]
    own = [path for place in places for path in place.rglob("*") if path.suffix in {".c", ".S"}]
    port = Path(kernel) / "portable/GCC/ARM_CM3"
    theirs = [Path(kernel) / name for name in ("tasks.c", "list.c", "queue.c", "portable/MemMang/heap_4.c")]
    includes = [f"-I{path}" for path in (FREERTOS, Path(kernel) / "include", port, *places)]
    run(
        "arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb", "-std=gnu11", "-O2", f"-DDELAYS={delays}",
        "-nostartfiles", "--specs=nosys.specs", *includes, FREERTOS / "main.c", *own, *theirs,
        port / "port.c", "-T", FREERTOS / "product.ld", "-o", "product", cwd=tmp_path,
    )  # fmt: skip
    said = run(
        "qemu-system-arm", "-M", "mps2-an385", "-display", "none", "-monitor", "none", "-serial", "none",
        "-chardev", "stdio,id=said", "-semihosting-config", "enable=on,target=native,chardev=said",
        "-kernel", "product", cwd=tmp_path,
    )  # fmt: skip
    want = [(expected(network(1), value)[0], expected(network(2), value)[0]) for value in range(4)]
    assert [tuple(map(int, line.split())) for line in said.splitlines()] == want * 50


def test_a_page_loads_two_models_side_by_side(tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    make("wasm", tmp_path, "kws", network(1))
    make("wasm", tmp_path, "vww", network(2))
    said = node(
        """
        import * as kws from "./kws/kws.mjs";
        import * as vww from "./vww/vww.mjs";
        const [one, other] = await Promise.all([kws.load(), vww.load()]);
        const input = new Int8Array(144).fill(7);
        console.log(JSON.stringify([one, other, one].map((model) => Array.from(model.run(input)))));
        """,
        tmp_path,
    )
    assert json.loads(said) == [expected(network(seed), 7) for seed in (1, 2, 1)]
