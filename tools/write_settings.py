"""Writes `docs/settings.md`: every setting of every method, from the classes that hold them.

Usage: `python tools/write_settings.py` after a setting was added or changed.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from understudy import settings
from understudy.run.methods import METHODS, config_class, recipes
from understudy.settings import Setting

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
HEAD = """\
# Settings

Every setting of `understudy learn`, by method, as `understudy config --with METHOD --list` prints
them; this page is written by `tools/write_settings.py`. [How to say them](howto/settings.md). Some
methods are others with a recipe: their settings are the same, and what the recipe says stands at
the end.
"""
TITLES = {
    "bc": "Behavioral cloning: `--with bc`",
    "ppo": "Proximal policy optimization: `--with ppo`",
    "sac": "Soft actor-critic: `--with sac`",
    "dagger": "Asking an expert: `--with dagger`",
}
GROUPS = {
    "": "The run",
    "net": "The network",
    "critic": "The critics",
    "learner": "How weights move",
    "practice": "What is remembered, and how often it is learned from",
    "signals.<name>": "What else is sought: one signal",
    "signals.<name>.net": "What else is sought: the discriminator's network",
    "extrinsic": "How the environment's reward counts",
    "gate": "Where the expert is asked, and where it acts",
    "clone": "How closely to do what was shown",
    "source": "How demonstrations are served",
    "held_out": "What is held out",
    "shown": "How demonstrations help",
    "shown.learner": "How demonstrations help: how weights move in updates of cloning alone",
    "shown.clone": "How demonstrations help: how closely to do what was shown",
    "shown.source": "How demonstrations help: how they are served",
    "keep": "What is written down",
}


def page() -> str:
    """The page's text."""
    parts = [HEAD]
    for method, title in TITLES.items():
        parts.append(f"\n## {title}\n")
        described = settings.describe(config_class(method))
        for group, some in groupby(described, lambda s: s.path.rpartition(".")[0]):
            parts.append(f"\n### {GROUPS[group]}\n")
            parts += [_entry(setting) for setting in some]
    parts.append("\n## Recipes\n")
    for method in METHODS:
        for recipe in recipes(method, None):
            parts.append(f"\n### `--with {method}`\n\n```yaml\n{recipe.read_text()}```\n")
    return "".join(parts)


def _entry(setting: Setting) -> str:
    kind = setting.type.replace("<", "\\<").replace(">", "\\>")
    return f"\n`{setting.path}`\n: `{setting.default}` ({kind}). {setting.doc}\n"


if __name__ == "__main__":
    PAGE.write_text(page())
