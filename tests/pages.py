"""Pages of documentation as programs: their blocks are run, in order, in one folder.

A block of `python` or `sh` is run; those of Python share their names, those of sh are run by bash
with this Python's programs at hand. A block of Python that begins with `# NAME.py` is also written
to that file. A comment in the line above a block speaks to the tests alone:

    <!-- test: 4000 -> 50; --episodes 100 -> --episodes 2 -->   run it with these words changed
    <!-- test: fails -->                                         it must end with exit code 2
    <!-- test: skip, because it needs a network -->              do not run it
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

_BLOCK = re.compile(
    r"^(?:<!-- test: (?P<said>[^\n]*?) -->\n)?```(?P<language>python|sh)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A block of a page.

    Attributes:
        language: `python` or `sh`.
        text: What is run.
        line: Where it begins, from 1.
        said: What the page says to the tests, empty for nothing.
    """

    language: str
    text: str
    line: int
    said: str


def blocks(page: Path) -> list[Block]:
    """The blocks that are to be run, with their words changed for the tests."""
    source, found = page.read_text(), []
    for match in _BLOCK.finditer(source):
        text, said = match["text"], match["said"] or ""
        if said.startswith("skip, "):
            continue
        for change in said.split("; ") if " -> " in said else ():
            old, _, new = change.partition(" -> ")
            assert old in text, f"{page.name}: the block has no '{old}' to change"
            text = text.replace(old, new)
        line = source.count("\n", 0, match.start("text")) + 1
        found.append(Block(match["language"], text, line, said))
    return found


def run(page: Path, folder: Path) -> None:
    """Run a page's blocks; the working folder must be `folder` already.

    Raises:
        AssertionError: A program of the shell did not end as it should.
        Exception: Whatever a block of Python raised.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.language == "python":
            # Blank lines above, so that a traceback names the page's own lines.
            code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
            if name := re.match(r"# (\w+\.py)\n", block.text):
                (folder / name[1]).write_text(block.text)
            exec(code, names)
        else:
            _run_sh(page, block, folder)


def _run_sh(page: Path, block: Block, folder: Path) -> None:
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-e", "-c", block.text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    expected = 2 if block.said == "fails" else 0
    assert done.returncode == expected, (
        f"{page.name}, line {block.line}: exit code {done.returncode}, expected {expected}\n"
        f"{block.text}{done.stdout[-2000:]}{done.stderr[-2000:]}"
    )
