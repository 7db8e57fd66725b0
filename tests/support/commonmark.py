"""Markdown as a renderer of GitHub's reads it, and whether anything of a text would be obeyed."""

import re

from markdown_it import MarkdownIt

OWN_HTML = {
    "<details>\n<summary>Lowest scored cases</summary>\n",
    "<details>\n<summary>Flipped prompts: prompts and responses</summary>\n",
    "</details>\n",
    "</details>",
}


def tokens(text):
    """All tokens, inline ones included, as a renderer of GitHub's tables sees them."""
    found = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        found.append(token)
        found.extend(token.children or ())
    return found


def plain_words(text):
    """What a renderer would look for mentions and addresses in: text outside of code."""
    return " ".join(token.content for token in tokens(text) if token.type == "text")


def assert_inert(text):
    seen = tokens(text)
    assert {token.content for token in seen if token.type == "html_block"} <= OWN_HTML
    types = {token.type for token in seen}
    assert not types & {"link_open", "image", "html_inline", "s_open", "code_block"}
    assert "@" not in plain_words(text)
    assert not re.search(r"https?:|www\.|#\d", plain_words(text))
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text
    )
