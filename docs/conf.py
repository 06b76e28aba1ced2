"""Sphinx settings. Notebooks live in `notebooks/`, as text; they are copied here and run, and an
error in one of them stops the build."""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import dvid_array  # noqa: E402

for _notebook in (HERE.parent / "notebooks").glob("*.md"):
    (HERE / "generated").mkdir(exist_ok=True)
    shutil.copy2(_notebook, HERE / "generated")

project = "dvid_array"
author = "the dvid_array developers"
copyright = f"2026, {author}"
version = release = dvid_array.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "jupyter_execute"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 240
nb_merge_streams = True

autodoc_default_options = {"exclude-members": "__init__, __new__"}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "separated"
napoleon_google_docstring = False
napoleon_use_rtype = False
default_role = "code"

html_theme = "pydata_sphinx_theme"
html_title = "dvid_array"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
html_sidebars = {"**": ["sidebar-nav-bs"]}


def _whole_sentences(app, what, name, obj, options, lines):
    """Napoleon takes what stands before a colon in a property's first line for its type."""
    if what in ("attribute", "property"):
        lines.insert(0, "")


def setup(app):
    """Ours runs before napoleon, which has the usual priority of 500."""
    app.connect("autodoc-process-docstring", _whole_sentences, priority=400)
