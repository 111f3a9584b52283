"""The filter of the training data, at, below and above each of its limits."""

from __future__ import annotations

import pytest

from repofill.context.quality import passes_filter


def check(path: str, text: str, passes: bool) -> None:
    assert passes_filter(path, text) == passes


def page(visible: int, hidden: int) -> str:
    """HTML of so many visible characters and so many others, in short lines."""
    return "a" * 10 + "<b>" + "a" * (visible - 10) + "<!--" + "b\n" * ((hidden - 10) // 2) + "b" * (hidden % 2) + "-->"


@pytest.mark.parametrize(
    ("path", "text", "passes"),
    [
        ("a.py", "value = word\n", True),
        ("a.py", "", False),
        ("a.py", " \n\t\n", False),
        # the longest line: 1000 characters, in text whose average is short
        ("a.py", "a" * 999 + "\n" + "a\n" * 20, True),
        ("a.py", "a" * 1000 + "\n" + "a\n" * 20, True),
        ("a.py", "a" * 1001 + "\n" + "a\n" * 20, False),
        ("a.py", "a\n" * 20 + "a" * 1001, False),
        ("a.py", "a" * 1000 + "\r\n" + "a\r\n" * 20, True),
        # the average line: 100 characters, without line ends
        ("a.py", ("a" * 99 + "\n") * 9, True),
        ("a.py", ("a" * 100 + "\n") * 9, True),
        ("a.py", ("a" * 101 + "\n") * 9, False),
        ("a.py", "a" * 100, True),
        ("a.py", ("a" * 150 + "\n" + "a" * 50 + "\n") * 2, True),
        ("a.py", ("a" * 150 + "\n" + "a" * 51 + "\n") * 2, False),
        # three lines may be one long definition
        ("a.py", "a" * 101, True),
        ("a.py", ("a" * 400 + "\n") * 3, True),
        ("a.py", ("a" * 400 + "\n") * 4, False),
        # letters: a quarter of all characters
        ("a.py", "a" * 26 + "1" * 74, True),
        ("a.py", "a" * 25 + "1" * 75, True),
        ("a.py", "a" * 24 + "1" * 76, False),
        ("a.py", "äπ語a" + "\n" * 12, True),
        ("a.py", "äπ語_" + "\n" * 12, False),
        # XML: its declaration in the first 100 characters, but for style sheets
        ("a.svg", "<?xml version='1.0'?>\n<a>word</a>\n", False),
        ("a.py", "<?xml version='1.0'?>\n<a>word</a>\n", False),
        ("a.xslt", "<?xml version='1.0'?>\n<a>word</a>\n", True),
        ("a.XSL", "<?xml version='1.0'?>\n<a>word</a>\n", True),
        ("a.py", "a\n" * 43 + "<?xml version=", False),
        ("a.py", "a\n" * 43 + "a<?xml version=", True),
        ("a.py", "<?xml", True),
        # HTML: at least 100 visible characters, and a fifth of all
        ("a.html", page(visible=101, hidden=200), True),
        ("a.html", page(visible=100, hidden=200), True),
        ("a.html", page(visible=99, hidden=200), False),
        ("a.html", page(visible=201, hidden=800), True),
        ("a.html", page(visible=200, hidden=800), True),
        ("a.html", page(visible=200, hidden=801), False),
        ("a.HTM", page(visible=99, hidden=200), False),
        ("a.py", page(visible=99, hidden=200), True),
        # neither scripts nor styles nor comments nor tags nor white space are visible, whether they are closed or not
        ("a.html", "<p>" + "word\n" * 25, True),
        ("a.html", "<script>" + "word\n" * 25 + "</script>", False),
        ("a.html", "<STYLE type=x>" + "word\n" * 25 + "</style >", False),
        ("a.html", "<!-- <p>" + "word\n" * 25 + "-->", False),
        ("a.html", "<p " + "word\n" * 25 + ">", False),
        ("a.html", "<script>" + "word\n" * 25, False),
        ("a.html", "<!--" + "word\n" * 25, False),
        ("a.html", "<p " + "word\n" * 25, False),
        ("a.html", "<p>" + "word  \n" * 25, True),
        ("a.html", "<p>" + "wor  \n" * 33, False),
        ("a.html", "<script>x</script>" + "word\n" * 25 + "<script>y</script>", True),
        # JSON and YAML: 50 to 5000 characters
        ("a.json", "a" * 49, False),
        ("a.json", "a" * 50, True),
        ("a.yaml", "a" * 49, False),
        ("a.yml", "a" * 50, True),
        ("a.json", "a\n" * 2499 + "a", True),
        ("a.json", "a\n" * 2500, True),
        ("a.json", "a\n" * 2500 + "a", False),
        ("a.YML", "a\n" * 2500 + "a", False),
        ("a.toml", "a\n" * 2500 + "a", True),
        ("a.py", "a", True),
    ],
)
def test_filter(path: str, text: str, passes: bool) -> None:
    check(path, text, passes)


def test_pages_measure_what_they_say() -> None:
    """The table's HTML has exactly the characters it is asked for."""
    for visible, hidden in [(100, 200), (200, 800), (200, 801)]:
        assert len(page(visible, hidden)) == visible + hidden
