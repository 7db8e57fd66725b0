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
try:
    release = metadata.version("alignment-gate")
except metadata.PackageNotFoundError:
    release = ""

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "fixture_reference",
    "formulas",
    "profile_reference",
]
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
default_role = "code"  # as everywhere in the docstrings
smartquotes = False  # two dashes are an option's
autodoc_typehints = "description"
# What types name that is documented elsewhere: no inventories are fetched to link it.
nitpick_ignore_regex = [("py:class", r"(collections\.abc|_pytest)\..*")]

html_theme = "furo"
html_title = "alignment-gate"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_search_summary = False  # opened from disk a page may not read another
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
