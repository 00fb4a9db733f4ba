"""Lets Sphinx read docstrings that are written with Markdown's habits.

reStructuredText reads some of them otherwise, and fails: a plural after code (`Env`s), a table, a
block of code that is only indented, a name that ends in an underscore, a norm written |x|.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CODE = re.compile(r"(?<![`:\w])`([^`]+)`(?![`_])(\w?)")
HEADING = re.compile(
    r"(Args|Attributes|Examples?|Keyword Args|Notes?|Raises|References|Returns|See Also|Todo"
    r"|Warnings?|Warns|Yields):$"
)
BEFORE_NAPOLEON = 400


def as_restructured_text(line: str) -> str:
    """The line with its code marked, and with what is special outside of code escaped."""
    if line.count("`") % 2:  # Code that goes on in the next line: Sphinx's default role has it.
        return line
    parts: list[str] = []
    end = 0
    for found in CODE.finditer(line):
        parts += [escape(line[end : found.start()]), f"``{found.group(1)}``"]
        parts += ["\\ ", found.group(2)] if found.group(2) else []
        end = found.end()
    return "".join([*parts, escape(line[end:])])


def escape(text: str) -> str:
    """The text without what would be read as a substitution or as a reference."""
    if "`" in text:  # A role or a link.
        return text
    return re.sub(r"(?<=\w)_(?!\w)", r"\\_", text.replace("|", r"\|"))


def opens_block(line: str, before: list[str]) -> bool:
    """Whether the line begins a table, or code that is set off by a blank line and indented."""
    if line.lstrip().startswith("|"):
        return not before or not before[-1].lstrip().startswith("|")
    if not line.startswith("    ") or len(before) < 2 or before[-1].strip():
        return False
    last = next((text for text in reversed(before) if text.strip()), "")
    settled = last.endswith("::") or last.startswith(("- ", "* ", ".. ", ">>>", "|"))
    return not (last.startswith(" ") or settled or HEADING.match(last))


def convert(lines: list[str]) -> list[str]:
    """The lines of a docstring, as reStructuredText.

    Args:
        lines: a docstring without its common indentation.
    """
    converted: list[str] = []
    is_table = is_code = False
    for index, line in enumerate(lines):
        in_row = line.lstrip().startswith("|")
        if (is_table and not in_row) or (is_code and line and not line.startswith("    ")):
            is_table = is_code = False
            converted.append("")
        if not is_code and opens_block(line, lines[:index]):
            is_table, is_code = in_row, not in_row
            converted += ["", "::", ""]
        if is_table or is_code:
            converted.append(f"    {line}".rstrip())
        else:
            converted.append(line if line.startswith(">>>") else as_restructured_text(line))
    return converted


def process(
    _app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Sphinx's event: converts a docstring where it stands."""
    lines[:] = convert(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry: connects the event ahead of the reading of `Args:` and its like."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", process, priority=BEFORE_NAPOLEON)
    return {"parallel_read_safe": True}
