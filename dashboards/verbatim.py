"""Keeps text from the wire what it is: a service may not be named into a link, an image or a heading of the page."""

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]()<>#+-.!|:$~&"})


def plain(text: object) -> str:
    """The text as Streamlit's Markdown shows it unchanged, on one line."""
    return " ".join(str(text).split()).translate(_SPECIAL)
