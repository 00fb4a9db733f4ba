"""How the documentation is built: `make docs`; every warning is an error."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "understudy"
author = "The understudy authors"
project_copyright = "The understudy authors"
release = installed_version("understudy")
version = release

extensions = [
    "markdown_docstrings",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
templates_path = ["_templates"]
exclude_patterns = ["_templates"]
# Names such as `type` are also fields of classes; which one a signature means is only a link.
suppress_warnings = ["ref.python"]

html_theme = "furo"
html_title = f"understudy {release}"

default_role = "code"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

autodoc_member_order = "bysource"
# A name is described where it is written, not again where a room hands it on.
autodoc_default_options = {"members": True, "show-inheritance": True, "ignore-module-all": True}
add_module_names = False
python_use_unqualified_type_names = True
