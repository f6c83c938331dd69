import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from toys import mosaic

from fixlip.pictures.report import html


class Page(HTMLParser):
    """Collects tags with attributes, and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


def named(explanation, **names):
    """The same numbers of a pair that is called otherwise."""
    kind = "subject" if hasattr(explanation, "subject") else "players"
    return dataclasses.replace(explanation, **{kind: dataclasses.replace(getattr(explanation, kind), **names)})


def test_the_page_loads_nothing_from_anywhere():
    text = html(mosaic())
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe")
        assert attributes.get("src", "data:").startswith("data:image/png;base64,") or "src" not in attributes
        assert not set(attributes) & {"href", "srcset", "onload"}
    assert not re.search(r"https?://|url\(|@import", re.sub(r"base64,[^\"]*", "", text))


def test_every_picture_has_words_and_there_is_one_for_each_token():
    pictures = [attributes for tag, attributes in Page(html(mosaic())).tags if tag == "img"]
    assert len(pictures) == 1 + 4
    assert all(picture["alt"] for picture in pictures)


def test_captions_are_escaped():
    evil = mosaic(tokens=("<script>alert(1)</script>", '"&', "cat"))
    text = html(evil, title="<b>&")
    assert "<script" not in text and "<b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text and "&lt;b&gt;&amp;" in text


def test_the_strongest_interactions_stand_in_the_table():
    explanation = mosaic()
    words = " ".join(Page(html(explanation)).words)
    for term in explanation.top(12):
        assert f"{term.labels[1]} with {term.labels[0]}" in words and f"{term.value:+.2f}" in words
    assert "word or patch" in words
    for term in explanation.top(53, kind="players")[:8]:
        assert f"{term.value:+.2f}" in words
    first, second = "What words and the strongest patches contribute", "Strongest interactions of image and caption"
    assert words.index(first) < words.index("Word by word") < words.index(second), "contributions come first"
    assert "12.10" in words and "27.32" in words and "4,096" in words


@pytest.mark.slow
@pytest.mark.parametrize("tokens", [(), ("cat",), tuple("abcdefghijkl")])
def test_any_number_of_tokens_and_either_order_make_a_page(tokens):
    explanation = mosaic(tokens=tokens)
    for shown in (explanation, explanation.first_order(), explanation.restrict([])):
        assert html(shown).endswith("</html>\n")


def test_standard_errors_have_significant_digits():
    explanation = mosaic()
    n = explanation.n_players
    for error, shown in ((0.06, "\u00b1 0.06"), (0.004, "\u00b1 0.004"), (0.00052, "\u00b1 0.0005")):
        object.__setattr__(explanation, "stderr", (np.full(n, 0.07), np.full((n, n), error)))
        text = html(explanation)
        assert shown in text and "\u00b1 0.00<" not in text
        decimals = len(shown.split(".")[1])
        assert f"{explanation.top(1)[0].value:+.{decimals}f} {shown}" in text, "the value has as many decimals"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/home/somebody/secret/my-clip", "my-clip"),
        (r"C:\Users\somebody\secret\my-clip", "my-clip"),
        ("../secret/my-clip/", "my-clip"),
        ("openai/clip-vit-base-patch32", "openai/clip-vit-base-patch32"),
    ],
)
def test_a_page_names_the_model_without_its_folder(name, shown):
    text = html(named(mosaic(), model=name))
    assert f">{shown}, explained by" in text and "secret" not in text


def test_everything_that_a_file_can_say_is_escaped():
    evil = "</style><img src=x onerror=alert(1)>\"'&"
    explanation = mosaic()
    labels = tuple(evil for _ in explanation.labels)
    explanation = dataclasses.replace(named(explanation, model=evil, text=evil, labels=labels), estimator=evil)
    page = Page(html(explanation))
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert all(attributes["src"].startswith("data:") for tag, attributes in page.tags if tag == "img")
    assert "<img src=x" not in html(explanation) and evil in "".join(page.words)
