"""Writes `docs/settings.md`: every setting of a cloning run, from the classes that hold them.

Usage: `python tools/write_settings.py` after a setting was added or changed.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from understudy import settings
from understudy.run.cloning import BCConfig
from understudy.settings import Setting

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
HEAD = """\
# Settings

Every setting of `understudy learn`, as `understudy config --list` prints them; this page is written
by `tools/write_settings.py`. [How to say them](howto/settings.md).
"""
GROUPS = {
    "": "The run",
    "net": "The network",
    "learner": "How weights move",
    "clone": "How closely to do what was shown",
    "source": "How demonstrations are served",
    "held_out": "What is held out",
    "keep": "What is written down",
}


def page() -> str:
    """The page's text."""
    parts = [HEAD]
    for group, some in groupby(settings.describe(BCConfig), lambda s: s.path.rpartition(".")[0]):
        parts.append(f"\n## {GROUPS[group]}\n")
        parts += [_entry(setting) for setting in some]
    return "".join(parts)


def _entry(setting: Setting) -> str:
    kind = setting.type.replace("<", "\\<").replace(">", "\\>")
    return f"\n`{setting.path}`\n: `{setting.default}` ({kind}). {setting.doc}\n"


if __name__ == "__main__":
    PAGE.write_text(page())
