"""A check of HTML pages: balanced tags, and no resources from other files or the network."""

from __future__ import annotations

from html.parser import HTMLParser


class PageTags(HTMLParser):
    """The structure of an HTML page.

    Attributes
    ----------
    open : list of str
        Elements that are not closed.
    resources : list of str
        Elements that load a script, a style sheet or a similar resource.
    images : list of str
        Sources of the images.
    """

    _VOID = ("meta", "img", "br", "link")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.resources: list[str] = []
        self.images: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs)["src"])
        elif "src" in dict(attrs) or tag in ("link", "script"):
            self.resources.append(tag)
        if tag not in self._VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"line {self.getpos()[0]} closes {tag}"


def check_page(page: str) -> PageTags:
    """Check that a page is well-formed and self-contained, and return its structure."""
    tags = PageTags(page)
    assert tags.open == [] and tags.resources == []
    assert all(source.startswith("data:image/png;base64,") for source in tags.images)
    return tags
