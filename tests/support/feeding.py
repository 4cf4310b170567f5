# SPDX-License-Identifier: Apache-2.0
"""A C program that feeds models by rows in many ways, right and wrong, and checks what they answer."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.support.differential import Array
from tinyserve.compiler.compile import Compiled, write_files
from tinyserve.compiler.together import side_by_side

Case = tuple[Compiled, Sequence[Array], Sequence[Sequence[Array]]]
"""A model whose input is fed, inputs, and what each output must be for each of them."""

_CHECKS = """
#include <stdio.h>
#include <string.h>

static int failures;

#define CHECK(what)                                                  \\
    do {                                                             \\
        if (!(what)) {                                               \\
            printf("line %d: %s is false\\n", __LINE__, #what);     \\
            failures++;                                              \\
        }                                                            \\
    } while (0)

static unsigned drawn = 1u;

/* A number below `end`, other ones each time. */
static unsigned draw(unsigned end)
{
    drawn = drawn * 1664525u + 1013904223u;
    return (drawn >> 16) % end;
}
"""

# Rows at once, in pieces, in place; and between them what must change nothing.
_MODEL = """
static void {name}_wrong(void)
{{
    static const uint8_t rows[{height} * {row_bytes} + {row_bytes}] = {{0}};
    const unsigned left = ts_{name}_rows_left();
    CHECK(ts_{name}_feed(rows, left + 1u) == TS_{upper}_TOO_MANY_ROWS);
    CHECK(ts_{name}_feed(rows, UINT32_MAX) == TS_{upper}_TOO_MANY_ROWS);
    CHECK(ts_{name}_feed(NULL, 0u) == 0);
    if (left > 0u) {{
        CHECK(ts_{name}_feed(NULL, 1u) == TS_{upper}_NULL_ROWS);
        CHECK(ts_{name}_invoke() == TS_{upper}_ROWS_MISSING);
        CHECK(ts_{name}_step(1u) == TS_{upper}_ROWS_MISSING);
    }} else {{
        CHECK(ts_{name}_row() == NULL);
    }}
    CHECK(ts_{name}_rows_left() == left);
}}

static void {name}_feed_all(const uint8_t *rows, int wrong)
{{
    unsigned left = {height};
    while (left > 0u) {{
        const unsigned some = 1u + draw(draw(2u) ? 3u : left);
        const unsigned count = some < left ? some : left;
        CHECK(ts_{name}_rows_left() == left);
        if (draw(3u) == 0u) {{
            void *const place = ts_{name}_row();
            CHECK(place != NULL && place == ts_{name}_row());
            memcpy(place, rows, {row_bytes});
            CHECK(ts_{name}_feed(place, 1u) == 0);
            rows += {row_bytes};
            left--;
        }} else {{
            CHECK(ts_{name}_feed(rows, count) == 0);
            rows += count * {row_bytes}u;
            left -= count;
        }}
        if (wrong) {{
            {name}_wrong();
        }}
    }}
}}

static void {name}_outputs(unsigned sample)
{{
{outputs}
}}

static void {name}_run(const uint8_t *rows, unsigned sample)
{{
    CHECK(ts_{name}_feed(rows, {height}u) == 0);
    CHECK(ts_{name}_invoke() == 0);
    {name}_outputs(sample);
    CHECK(ts_{name}_invoke() == TS_{upper}_ROWS_MISSING);
    {name}_outputs(sample);
    {name}_feed_all(rows, 1);
    CHECK(ts_{name}_invoke() == 0);
    {name}_outputs(sample);
    CHECK(ts_{name}_feed(rows, {height}u / 2u) == 0); /* given up */
    if (draw(2u)) {{
        ts_{name}_reset();
    }} else {{
        ts_{name}_drop_rows();
    }}
    CHECK(ts_{name}_rows_left() == {height}u);
    {name}_feed_all(rows, 0);
    int done = 0;
    while (done == 0) {{
        done = ts_{name}_step(1u);
        if (done == 0) {{
            {name}_wrong();
        }}
    }}
    CHECK(done == 1);
    {name}_outputs(sample);
    {name}_feed_all(rows, 0);
    (void)ts_{name}_step(1u + draw(4u)); /* of models with one layer this was all */
    const int more = ts_{name}_rows_left() == 0u;
    CHECK(ts_{name}_invoke() == (more ? 0 : TS_{upper}_ROWS_MISSING));
    {name}_outputs(sample);
}}
"""


def program(cases: Sequence[Case]) -> str:
    """The text of a program whose status is 0 where all models do as they must."""
    parts = [f'#include "{compiled.name}.h"' for compiled, _, _ in cases]
    parts.append(_CHECKS.replace("\\\\", "\\"))
    calls = []
    for compiled, inputs, wanted in cases:
        rows = compiled.program.fed_rows
        assert rows is not None
        for sample, given in enumerate(inputs):
            parts.append(array(f"{compiled.name}_input_{sample}", given))
            parts += [array(f"{compiled.name}_{sample}_{i}", one) for i, one in enumerate(wanted[sample])]
            calls.append(f"    {compiled.name}_run({compiled.name}_input_{sample}, {sample}u);")
        outputs = [
            f"    if (sample == {sample}u) {{ CHECK(memcmp(ts_{compiled.name}_output({i}u), "
            f"{compiled.name}_{sample}_{i}, {one.nbytes}) == 0); }}"
            for sample, each in enumerate(wanted)
            for i, one in enumerate(each)
        ]
        parts.append(
            _MODEL.format(
                name=compiled.name,
                upper=compiled.name.upper(),
                height=rows.height,
                row_bytes=rows.row_bytes,
                outputs="\n".join(outputs),
            )
        )
    inits = [f"    ts_{compiled.name}_init();" for compiled, _, _ in cases]
    return "\n".join([*parts, "int main(void)\n{", *inits, *calls, "    return failures != 0;\n}\n"])


def array(name: str, values: Array) -> str:
    """The bytes of an array as one of C."""
    text = ", ".join(map(str, np.ascontiguousarray(values).reshape(-1).view(np.uint8)))
    return f"static const uint8_t {name}[] = {{{text}}};"


def run(cases: Sequence[Case], directory: Path, files: Mapping[str, str | bytes] | None = None) -> str:
    """Builds and runs it under the sanitizers: what it complained about, empty where all is well. ``files``:
    of models that share an arena."""
    own = files or side_by_side([compiled.sources.files for compiled, _, _ in cases])
    write_files(own, directory)
    (directory / "main.c").write_text(program(cases))
    sources = dict.fromkeys(path for compiled, _, _ in cases for path in compiled.sources.compile)
    sources |= dict.fromkeys(path for path in own if path.endswith("_arena.c"))
    subprocess.run(
        ["gcc", "-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I.",
         "main.c", *sources, "-o", "feeding"],
        cwd=directory, check=True, timeout=300,
    )  # fmt: skip
    ran = subprocess.run([directory / "feeding"], capture_output=True, text=True, timeout=300, check=False)
    return ran.stdout + ran.stderr if ran.returncode else ""
