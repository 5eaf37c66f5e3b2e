"""What files say, as a part of a page."""

from html import escape

from keras_gans_core.errors import printable


def text(value):
    """A value as text of a page or of an attribute, whatever is in it.

    >>> text('<b>"cat" & dog</b>')
    '&lt;b&gt;&quot;cat&quot; &amp; dog&lt;/b&gt;'
    """
    return escape(printable(str(value), allowed="\n\t"))
