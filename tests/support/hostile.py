# SPDX-License-Identifier: Apache-2.0
"""Strings that an attacker would put into a name: what each language of our outputs gives a meaning to."""

from __future__ import annotations

from hypothesis import strategies as st

FRAGMENTS = (
    '"', "'", "`", "\\", "\n", "\r\n", "\0", "\t", "\x1b[31m", "\x1b]0;title\x07", "\x9b31m", "\x7f",
    "\u2028", "\u202e", "\ud800", "é", "日本", "😀", "*/", "/*", "//", "??/", "#", "#include <x>", ";",
    "; system(1);", "%s", "%n", "${x}", "$(id)", "$ENV{HOME}", "@x@", "{{ 7 * 7 }}", "{% raw %}", "[red]",
    "[/red]", "[/]", "[link=x]y", "<script>alert(1)</script>", "</title>", "&amp;", "]]>", "<!--", "|",
    "](javascript:x)", "![x](y)", "~~~", "```", "@user", "#1", "http://x.example", "**b**", "_i_",
    "\n[env:x]\nextra_scripts = pre:x.py", "!touch x", "../", "/", "-", "=", ",", "name", "9", " ", "  ",
    "..",
    "a" * 300,
)  # fmt: skip

_pieces = st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=4))
names = st.lists(_pieces, min_size=1, max_size=5).map("".join)
"""Any text, rich in what breaks out of a language."""

EXAMPLES = [*FRAGMENTS, '"); system("touch x"); ("', 'a";\n#error x\n"', "x */ int evil; /*", "x\\\n evil()"]
