"""The site's configuration, for docs/build. Its source is the whole repository, so that pages can link to any file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import reference  # noqa: E402

project = "keras_gans"
author = "the keras_gans authors"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/*.md", "docs/reference/*.md", "examples/theory/README.md", "CHANGELOG.md"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "keras_gans"
html_show_sphinx = False
html_copy_source = False


def setup(app):
    reference.write()
