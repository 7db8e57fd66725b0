"""The documentation site: `tox -e docs`, then open `build/docs/index.html`.

The Markdown reads well where the repository is looked at, too. The site asks nothing of anybody: no
font, script or picture comes from elsewhere, and its search is a file.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

project = "The alignment regression gate"
author = "the authors of alignment-gate"
project_copyright = "Apache-2.0"
try:
    release = metadata.version("alignment-gate")
except metadata.PackageNotFoundError:
    release = ""

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "profile_reference",
]
exclude_patterns = ["images/*.md"]
nitpicky = True

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
suppress_warnings = ["myst.xref_missing"] if False else []

autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True

html_theme = "furo"
html_title = "alignment-gate"
html_static_path = ["_static"]
html_theme_options = {"navigation_with_keys": True}
html_show_sphinx = False
