"""Inference: what stands before the dot is followed to its class, and where nothing is known, to nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from repofill.context.index import WorkspaceIndex
from repofill.context.infer import Inference

FILES = {
    "net.py": (
        "class Connection:\n    def close(self): ...\n\n\n"
        "class Request:\n    connection: Connection\n\n    def answer(self) -> 'Response': ...\n\n\n"
        "class Response:\n    def __init__(self):\n        self.request = Request()\n\n\n"
        "def connect(url: str) -> Connection: ...\n\n\n"
        "class Secure(Connection):\n    peers: list[Request]\n"
    ),
}
IMPORTS = "from net import Connection, Request, Response, Secure, connect\nimport net\n\n\n"


def check(tmp_path: Path, code: str, expected: str) -> None:
    """The names of the receiver's classes at the end of `code`."""
    text = IMPORTS + code
    for path, content in {**FILES, "main.py": text}.items():
        (tmp_path / path).write_text(content, "utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    found = []
    for path, number in Inference(index.view, "main.py", text).receiver():
        outline = index.view.outline(path)
        assert outline is not None
        found.append(path if number < 0 else outline.definitions[number].qualified)
    assert " ".join(dict.fromkeys(found)) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("Request().", "Request"),
        ("net.", "net.py"),
        ("net.Request().", "Request"),
        ("x = Request()\nx.", "Request"),
        ("x: Request = make()\nx.", "Request"),
        ("def f(x: Request):\n    x.", "Request"),
        ("def f(x: Request | None):\n    x.", "Request"),
        ("def f(x: 'list[Request]'):\n    for y in x:\n        y.", "Request"),
        ("connect('u').", "Connection"),
        ("with connect('u') as c:\n    c.", "Connection"),
        # attributes: declared, and set in a method; what a method gives back
        ("def f(x: Request):\n    x.connection.", "Connection"),
        ("def f(x: Request):\n    x.answer().request.connection.clo", "Connection"),
        # inherited attributes, of the class around the cursor as well
        ("class Mine(Secure):\n    def f(self):\n        self.peers[0].", "Request"),
        (
            "class Mine:\n    def __init__(self):\n        self.r = Response()\n\n    def f(self):\n        self.r.",
            "Response",
        ),
        # nothing is known
        ("unknown.", ""),
        ("x = unknown()\nx.", ""),
        ("x = x\nx.", ""),
        ("def f(x):\n    x.y.z.", ""),
        ("Request", ""),
        (")))).", ""),
        ("((((.", ""),
    ],
)
def test_receiver(tmp_path: Path, code: str, expected: str) -> None:
    check(tmp_path, code, expected)
