# SPDX-License-Identifier: Apache-2.0
"""Trees as C code: a comparison and a branch per node, for ``--optimize speed``.

A walk over nodes in flash loads each of them; code has them in its instructions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinyserve.compiler.ops.trees.tree_tables import Tables

_MOST_INLINE = 4096
"""Decision nodes that one function may have: beyond, compilers take minutes."""


def functions(name: str, tables: Tables, codes: Sequence[int], c_type: str, suffix: str) -> tuple[str, ...]:
    """The lines of one function per tree, and of ``name``, which takes what the kernel takes but the nodes.

    ``codes``: what each leaf of the tables returns. Flat with forward jumps: nested blocks would be as deep
    as the tree, and compilers limit that.
    """
    kind = "TS_TREE_INLINE" if len(tables.feature) <= _MOST_INLINE else "TS_TREE"
    lines: list[str] = []
    for tree, root in enumerate(tables.roots.tolist()):
        lines += (
            f"{kind} int32_t {name}_{tree}(const {c_type} *x) {{",
            *_body(tables, codes, root),
            "}",
            "",
        )
    targets = [0] * len(tables.roots) if tables.targets is None else tables.targets.tolist()
    return (
        *lines,
        f"static inline void {name}(const ts_tree_ensemble_params *p, const {c_type} *x, const void *rows,",
        f"    const int32_t *base, {c_type} *output, int32_t *sums) {{",
        "  ts_tree_start(p, base, sums);",
        *(f"  ts_tree_add(p, {name}_{i}(x), rows, {target}, sums);" for i, target in enumerate(targets)),
        f"  ts_tree_finish_{suffix}(p, sums, output);",
        "}",
        "",
    )


def _body(tables: Tables, codes: Sequence[int], root: int) -> Iterator[str]:
    """Nodes in preorder: the left child follows, the right one has a label."""
    children, pending = tables.children, [root]
    while pending:
        node = pending.pop()
        label = "" if node == root else f"n{node}: "
        while node >= 0:
            left, right = children[node].tolist()
            to = f"goto n{right};" if right >= 0 else f"return {codes[-1 - right]};"
            yield f"  {label}if (x[{tables.feature[node]}] > {tables.threshold[node]}) {{ {to} }}"
            if right >= 0:
                pending.append(right)
            node, label = left, ""
        yield f"  return {codes[-1 - node]};"
