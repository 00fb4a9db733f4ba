"""A page of words, tables and pictures, and its two ways onto the disk: Markdown and HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from understudy.report.plain import printable
from understudy.report.tables import Table
from understudy.report.verdict import Verdict


class Block(Protocol):
    """A part of a page."""

    def markdown(self) -> str:
        """As Markdown, without an empty line at its end."""
        ...

    def html(self) -> str:
        """As HTML, everything escaped."""
        ...


@dataclass(frozen=True, slots=True)
class Heading:
    """The beginning of a section. See `Block`."""

    text: str

    def markdown(self) -> str:
        """See `Block`."""
        return f"## {_marked(self.text)}"

    def html(self) -> str:
        """See `Block`."""
        return f"<h2>{_escaped(self.text)}</h2>"


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph. See `Block`."""

    text: str

    def markdown(self) -> str:
        """See `Block`."""
        return _marked(self.text)

    def html(self) -> str:
        """See `Block`."""
        return f"<p>{_escaped(self.text)}</p>"


@dataclass(frozen=True, slots=True)
class Judgment:
    """A verdict and what it is about. See `Block`."""

    about: str
    verdict: Verdict
    headline: str

    def markdown(self) -> str:
        """See `Block`."""
        reasons = "\n".join(f"- {_marked(s)}" for s in self.verdict.sentences)
        return f"**{_marked(self.about)}: {_marked(self.headline)}.**\n\n{reasons}"

    def html(self) -> str:
        """See `Block`."""
        reasons = "".join(f"<li>{_escaped(s)}</li>" for s in self.verdict.sentences)
        return (
            f'<section class="verdict {_escaped(self.verdict.level)}">'
            f'<p class="about">{_escaped(self.about)}</p>'
            f'<p class="headline">{_escaped(self.headline)}</p><ul>{reasons}</ul></section>'
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """A file beside the page. See `Block`.

    Attributes:
        file: Its name.
        shows: What it shows, for those who do not see it.
        width: In CSS pixels, so that letters are as large in every picture; None for its own.
    """

    file: str
    shows: str
    width: int | None = None

    def markdown(self) -> str:
        """See `Block`."""
        return f"![{_marked(self.shows)}]({self.file})"

    def html(self) -> str:
        """See `Block`."""
        width = "" if self.width is None else f' width="{self.width}"'
        return (
            f'<figure><img src="{_escaped(self.file)}" alt="{_escaped(self.shows)}"{width}'
            "></figure>"
        )


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. See `Block`."""

    table: Table

    def markdown(self) -> str:
        """See `Block`."""
        head, rows = self.table.columns, self.table.rows
        lines = [_row(head), "|" + "|".join([":--", *("--:" for _ in head[1:])]) + "|"]
        lines += [_row(row) for row in rows]
        note = f"\n\n{_marked(self.table.note)}" if self.table.note else ""
        return "\n".join(lines) + note

    def html(self) -> str:
        """See `Block`."""
        head = "".join(f"<th>{_escaped(c)}</th>" for c in self.table.columns)
        rows = "".join(
            f"<tr><th scope=row>{_escaped(row[0])}</th>"
            + "".join(f"<td>{_escaped(c)}</td>" for c in row[1:])
            + "</tr>"
            for row in self.table.rows
        )
        note = f'<p class="note">{_escaped(self.table.note)}</p>' if self.table.note else ""
        return (
            f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>{note}"
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what they are. See `Block`."""

    facts: Mapping[str, str]

    def markdown(self) -> str:
        """See `Block`."""
        return "\n".join(f"- {_marked(k)}: {_marked(v)}" for k, v in self.facts.items())

    def html(self) -> str:
        """See `Block`."""
        rows = "".join(
            f"<dt>{_escaped(k)}</dt><dd>{_escaped(v)}</dd>" for k, v in self.facts.items()
        )
        return f"<dl>{rows}</dl>"


def markdown_page(title: str, blocks: Sequence[Block]) -> str:
    """The whole page as Markdown."""
    return "\n\n".join([f"# {_marked(title)}", *(b.markdown() for b in blocks)]) + "\n"


def html_page(title: str, blocks: Sequence[Block]) -> str:
    """The whole page as HTML that needs nothing but the pictures beside it."""
    body = "\n".join(b.html() for b in blocks)
    return _PAGE.format(title=_escaped(title), style=_CSS, body=body)


def _escaped(text: str) -> str:
    return html.escape(printable(text))


def _marked(text: str) -> str:
    """Markdown that shows the text as it stands: no mark formats it, and none is HTML."""
    marks = r"([\\`*\[\]|]|(?<!\w)_|_(?!\w))"  # inside a word an underscore is only that
    escaped = re.sub(r"&(?=#?\w+;)", "&amp;", re.sub(marks, r"\\\1", printable(text)))
    return escaped.replace("<", "&lt;")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_marked(cell) for cell in cells) + " |"


_CSS = """
:root { color-scheme: light dark; --ink: #22272e; --soft: #6b7480; --line: #d9dee4; --paper: #fff;
  --wash: #f6f8fa; --good: #2a8f74; --partial: #d5731c; --none: #b3383f; --unsure: #6b7480; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --soft: #9aa3ad; --line: #363d46;
  --paper: #15191e; --wash: #1d2329; --good: #4cb898; --partial: #e89a4f; --none: #e2777c;
  --unsure: #9aa3ad; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.75rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
p { margin: .6rem 0; } .note, .about { color: var(--soft); font-size: .875rem; }
.verdict { border-left: 4px solid var(--unsure); background: var(--wash);
  border-radius: 0 8px 8px 0; padding: .8rem 1.25rem; margin: 1rem 0; } .verdict p { margin: 0; }
.verdict ul { margin: .5rem 0 .2rem; padding-left: 1.1rem; } .verdict li { margin: .3rem 0; }
.headline { font-weight: 650; font-size: 1.1rem; color: var(--unsure); }
.good { border-color: var(--good); } .good .headline { color: var(--good); }
.partial { border-color: var(--partial); } .partial .headline { color: var(--partial); }
.none { border-color: var(--none); } .none .headline { color: var(--none); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .925rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th:first-child { text-align: left; padding-left: 0; } thead th { color: var(--soft);
  font-weight: 500; } tbody th { font-weight: 600; }
figure { margin: 1rem 0; } img { display: block; max-width: 100%; height: auto; background: #fff;
  border-radius: 8px; border: 1px solid var(--line); }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .25rem 1.5rem;
  margin: 0; font-size: .925rem; } dt { color: var(--soft); } dd { margin: 0;
  overflow-wrap: anywhere; }
""".strip()

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""
