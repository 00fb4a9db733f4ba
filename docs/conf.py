"""How the documentation is built: `make docs`; every warning is an error."""

from __future__ import annotations

import logging
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "understudy"
author = "The understudy authors"
project_copyright = "The understudy authors"
release = installed_version("understudy")
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
templates_path = ["_templates"]
exclude_patterns = ["_templates"]
# The index may name pages that are still to be written; Sphinx 9 cannot suppress that by its kind.
logging.getLogger("sphinx.sphinx.directives.other").addFilter(
    lambda record: "toctree glob pattern" not in str(record.msg)
)

html_theme = "furo"
html_title = f"understudy {release}"

# Docstrings use single backticks for code, as Markdown does.
default_role = "code"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
add_module_names = False
python_use_unqualified_type_names = True


def show_tables_as_written(
    _app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Makes literal blocks of Markdown tables: reStructuredText has another form for them."""
    shown: list[str] = []
    inside = False
    for line in lines:
        is_row = line.lstrip().startswith("|")
        if is_row != inside:
            shown += ["", "::", ""] if is_row else [""]
        shown.append(f"    {line}" if is_row else line)
        inside = is_row
    lines[:] = shown


def setup(app: Sphinx) -> None:
    """Connects what this file adds to Sphinx."""
    app.connect("autodoc-process-docstring", show_tables_as_written)
