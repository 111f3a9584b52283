"""Inference: what stands before the dot is followed to its class, and where nothing is known, to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from repofill.context.index import WorkspaceIndex
from repofill.context.infer import Inference, Ref

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


def check(
    tmp_path: Path,
    text: str,
    expected: str,
    files: Mapping[str, str] = FILES,
    main: str = "main.py",
    asked: Callable[[Inference], Iterable[Ref]] = Inference.receiver,
) -> None:
    """The names of the receiver's classes at the end of a text."""
    for path, content in {**files, main: text}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content, "utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    found = []
    for path, number in asked(Inference(index.view, main, text)):
        outline = index.view.names(path).outline
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
    check(tmp_path, IMPORTS + code, expected)


TYPESCRIPT = {
    "net.ts": (
        "export class Connection { close() {} }\n"
        "export class Request { constructor(readonly connection: Connection) {} answer(): Promise<$Response> {} }\n"
        "export interface $Response { request: Request }\n"
        "export type Secure = Connection & { peers: Map<string, Request> }\n"
        "export const connect = (url: string): Connection => open(url)\n"
    )
}
PACKAGE = {
    "acme/__init__.py": "class App: ...\n",
    "acme/net/__init__.py": "def listen() -> 'Server': ...\n\nclass Server: ...\n",
    "acme/net/client.py": "class Client:\n    def fetch(self): ...\n\ndef connect() -> Client: ...\n",
    "acme/log.py": "def write(): ...\n",
    "acme/store.py": "class Store:\n    def load(self): ...\n",
}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("acme.net.client.", "acme/net/client.py"),
        ("acme.", "acme/__init__.py acme/net/__init__.py acme/net/client.py acme/store.py acme/log.py"),
        ("acme.log.", "acme/log.py"),
        ("acme.App().", "App"),
        ("acme.net.", "acme/net/__init__.py acme/net/client.py"),
        ("acme.net.listen().", "Server"),
        ("acme.store.", "acme/store.py"),
        ("acme.net.client.connect().", "Client"),
        ("store = acme.store.Store()\nstore.", "Store"),
        ("def f(store: acme.store.Store):\n    store.", "Store"),
        ("acme.other.", ""),
    ],
)
def test_modules_within_a_package(tmp_path: Path, code: str, expected: str) -> None:
    """Python binds the package's name, whatever module of it is imported."""
    check(tmp_path, f"import acme.net.client\nimport acme.store\nimport acme.log\n\n{code}", expected, PACKAGE)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("Client().", "Client"),
        ("def f(store: Store):\n    store.", "Store"),
        ("Other().", ""),
    ],
)
def test_names_that_a_star_import_passes_on(tmp_path: Path, code: str, expected: str) -> None:
    """What a package's __init__ imports is the package's own."""
    init = "from .net.client import *\nfrom .store import Store\n"
    check(tmp_path, f"from acme import *\n\n{code}", expected, {**PACKAGE, "acme/__init__.py": init})


TYPESCRIPT_IMPORTS = "import { Connection, Request, $Response, Secure, connect } from './net'\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("new Request(c).", "Request"),
        ("function f(x?: Request) { x?.", "Request"),
        ("function f(x: $Response) { x.", "$Response"),
        ("function f(x: $Response) { x.request.connection.", "Connection"),
        ("const $x: Request = make()\n$x.", "Request"),
        ("const a = await new Request(c).answer()\na.", "$Response"),
        ("function f(x: Secure) { x.", "Secure"),
        ("function f(x: Secure) { x.peers.get(1)!.", "Request"),
        ("class A { #c: Connection; f() { this.#c.", "Connection"),
        ("class A { constructor(private c: Connection) {} f() { this.c.", "Connection"),
        ("connect('u').", "Connection"),
        ("const { request } = answer as $Response\nrequest.", "Request"),
        ("function f({ request }: $Response) {\n  request.connection.", "Connection"),
        ("items.map((x: Request) => x.", "Request"),
        ("unknown.", ""),
        ("$.", ""),
    ],
)
def test_receiver_in_typescript(tmp_path: Path, code: str, expected: str) -> None:
    check(tmp_path, TYPESCRIPT_IMPORTS + code, expected, TYPESCRIPT, "main.ts")


ALIKE = {
    "net.py": (
        "class Request:\n    connection = 1\n    peers = 2\n    url = 3\n\n\n"
        "class Secure:\n    peers = 4\n    key = 5\n\n\n"
        "url = 6\n"
    ),
    **{f"{name}.py": f"class {name}:\n    name = 1\n" for name in ("A", "B", "C")},
}


@pytest.mark.parametrize(
    ("code", "after", "expected"),
    [
        ("def f(x):\n    x.connection\n    x.peers\n    x.", "", "Request"),
        ("def f(x):\n    x.connection\n    x.", "\n    x.peers = 1\n", "Request"),
        ("x.y.connection\nx.y.peers\nx.y.", "", "Request"),
        # what few classes have says enough alone, what many have does not
        ("x.peers\nx.", "", "Request Secure"),
        ("x.name\nx.", "", ""),
        ("x.name\nx.connection\nx.", "", "Request"),
        # of other objects, of calls, of nothing that is there
        ("y.connection\ny.peers\nx.", "", ""),
        ("x(1).connection\nx(1).peers\nx(1).", "", ""),
        ("x.nowhere\nx.", "", ""),
        ("", "", ""),
    ],
)
def test_alike(tmp_path: Path, code: str, after: str, expected: str) -> None:
    """Where nothing says what an object is, the members taken of it do."""
    check(tmp_path, code, expected, ALIKE, asked=lambda inference: inference.alike(inference.chain_ahead(), after))
