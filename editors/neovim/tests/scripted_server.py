"""A language server that answers inline completion as a script tells it, with random delays and answers if asked to.

Run by the tests in the place of repofill: only so can an answer come late, twice, wrong or never on purpose.

    scripted_server.py FILE    FILE is JSON, read anew for every request:
        {"answers": [[insertText, …]] one list for each request, the last for all others,
         "delay_ms": [least, most], "seed": any,
         "log": path of a file; every request, cancel, answer, command and close is appended to it as one line of JSON,
         "continue": text; the answer is the rest of `text` after what stands in the line before the cursor,
         "random": true for answers made of random text}
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any

ALPHABET = ["a", "b", "(", ")", " ", "\t", "\n", "é", "界", "👍🏽", "def ", "    ", "\r\n", "xyz"]


class Server:
    def __init__(self, script: Path) -> None:
        self.script = script
        self.asked = 0
        self.lines: dict[str, list[str]] = {}
        self.chance = random.Random(script.read_text())
        self.running: dict[Any, asyncio.Task[None]] = {}

    def write(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        sys.stdout.buffer.flush()

    def note(self, event: str, **about: Any) -> None:
        if log := self.plan().get("log"):
            with open(log, "a", encoding="utf-8") as file:
                file.write(json.dumps({"event": event, **about}) + "\n")

    def plan(self) -> dict[str, Any]:
        return dict(json.loads(self.script.read_text()))

    def take(self, message: dict[str, Any]) -> None:
        method, id, params = message.get("method"), message.get("id"), message.get("params") or {}
        if method == "initialize":
            capabilities = {
                "positionEncoding": "utf-16",
                "textDocumentSync": {"openClose": True, "change": 1},
                "inlineCompletionProvider": {},
                "executeCommandProvider": {"commands": ["repofill.status", "repofill.accepted", "repofill.cursor"]},
            }
            self.write({"id": id, "result": {"capabilities": capabilities}})
        elif method == "textDocument/didOpen":
            self.lines[params["textDocument"]["uri"]] = params["textDocument"]["text"].split("\n")
        elif method == "textDocument/didChange":
            if params["textDocument"]["uri"] in self.lines:
                self.lines[params["textDocument"]["uri"]] = params["contentChanges"][-1]["text"].split("\n")
        elif method == "textDocument/didClose":
            if self.lines.pop(params["textDocument"]["uri"], None) is not None:
                self.note("close", uri=params["textDocument"]["uri"])
        elif method == "textDocument/inlineCompletion":
            self.running[id] = asyncio.get_running_loop().create_task(self.answer(id, params))
        elif method == "workspace/executeCommand":
            self.note("command", name=params["command"], arguments=params.get("arguments"))
            engine = {"state": "ready", "reason": "", "pid": 1}
            status = {"ready": True, "engine": engine, "folders": [], "accepted": 0, "model": "scripted"}
            self.write({"id": id, "result": status if params["command"] == "repofill.status" else None})
        elif method == "$/cancelRequest":
            self.note("cancel")
            if task := self.running.pop(params["id"], None):
                task.cancel()
                self.write({"id": params["id"], "error": {"code": -32800, "message": "cancelled"}})
        elif method == "exit":
            sys.exit(0)
        elif id is not None:
            self.write({"id": id, "result": None})

    async def answer(self, id: Any, params: dict[str, Any]) -> None:
        plan = self.plan()
        number, self.asked = self.asked, self.asked + 1
        position = params["position"]
        units = self.lines[params["textDocument"]["uri"]][position["line"]].encode("utf-16-le", "surrogatepass")
        cut = position["character"] * 2
        head, tail = (part.decode("utf-16-le", "surrogatepass") for part in (units[:cut], units[cut:]))
        self.note("request", head=head, tail=tail, kind=params["context"]["triggerKind"])
        await asyncio.sleep(self.chance.uniform(*plan.get("delay_ms", [0, 0])) / 1000)
        texts = self.texts(plan, number, head.lstrip())
        self.running.pop(id, None)
        here = {"start": position, "end": position}
        command = {"title": "accepted", "command": "repofill.accepted"}
        self.note("answer", head=head, tail=tail, texts=texts)
        items = [{"insertText": text, "range": here, "command": command} for text in texts]
        self.write({"id": id, "result": {"items": items}})

    def texts(self, plan: dict[str, Any], number: int, before: str) -> list[str]:
        if plan.get("random"):
            return [
                "".join(self.chance.choices(ALPHABET, k=self.chance.randint(0, 6)))
                for _ in range(self.chance.randint(0, 3))
            ]
        if whole := plan.get("continue"):
            return [whole[len(before) :]] if whole.startswith(before) and whole != before else []
        answers = plan["answers"]
        return list(answers[min(number, len(answers) - 1)])


async def main() -> None:
    server = Server(Path(sys.argv[1]))
    reader = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while header := await reader.readline():
        length = 0
        while header.strip():
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
            header = await reader.readline()
        server.take(json.loads(await reader.readexactly(length)))


asyncio.run(main())
