"""Rules: what of a post is not the author's prose, each with a name and a sentence for its author.
Knows words for people. Knows nothing of how such parts are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Why parts of a post are not read."""

    name: str
    """On the page, beside what is struck through."""
    why: str
    """A sentence for who hovers or asks."""


RULES: Final[dict[str, Rule]] = {
    "quotation": Rule(name="Quotation", why="Somebody else’s words, set apart as a quotation."),
    "code": Rule(name="Code", why="A listing is not prose."),
    "table": Rule(name="Table", why="Rows and columns are not prose."),
    "caption": Rule(name="Caption", why="It belongs to a picture that the model cannot see."),
    "embed": Rule(name="Embed", why="A post, video or card from elsewhere."),
    "shortcode": Rule(name="Shortcode", why="A command to the blog program."),
    "widget": Rule(name="Button or form", why="Something to click on, not to read."),
    "footnote mark": Rule(name="Footnote mark", why="A number that points to a note."),
    "byline": Rule(name="Byline", why="Who wrote it and when."),
    "bio": Rule(name="About the author", why="A few words about the author, the same under every post."),
    "subscribe": Rule(name="Subscribe block", why="An invitation to subscribe or share."),
    "boilerplate": Rule(name="Boilerplate", why="What the blog program or the site adds to every post."),
    "signature": Rule(name="Signature", why="The end of a mail, the same under every one."),
    "quoted mail": Rule(name="Quoted mail", why="What somebody else wrote before."),
    "repeated": Rule(name="Repeated", why="The same words stand in many of your posts."),
}
