import assert from "node:assert/strict";
import fileSystem, * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, beforeEach, mock, suite, test } from "node:test";
import { addressProblem, download, fileName, shownFailure, shownProgress, type Arrived } from "../src/logic/download";

const BYTES = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));

suite("download", () => {
  let server: http.Server;
  let origin = "";
  let folder = "";
  let respond: (response: http.ServerResponse) => void;

  before(async () => {
    server = http.createServer((_, response) => {
      respond(response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    folder = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "repofill-download-")), "models");
    respond = (response) => response.writeHead(200, { "content-length": BYTES.length }).end(BYTES);
  });

  const seen: Arrived[] = [];
  const accepts: Parameters<typeof download>[4] = () => Promise.resolve();

  async function fetched({ name = "a.gguf", signal = new AbortController().signal, check = accepts } = {}): Promise<string> {
    seen.length = 0;
    return download(`${origin}/${name}?download=true`, folder, signal, (arrived) => seen.push(arrived), check);
  }

  /** Nothing but these files is left. */
  function holds(...names: string[]): void {
    assert.deepEqual(fs.existsSync(folder) ? fs.readdirSync(folder) : [], names);
  }

  async function fails(why: RegExp, options: Parameters<typeof fetched>[0] = {}): Promise<void> {
    await assert.rejects(fetched(options), (error) => {
      assert.match(shownFailure(error), why);
      return true;
    });
    holds();
  }

  test("a file arrives as it is, is looked at before it has its name, and says how far it is", async () => {
    let looked = "";
    const file = await fetched({
      check: (part) => {
        assert.ok(fs.readFileSync(part).equals(BYTES));
        holds(path.basename(path.dirname(part)));
        looked = part;
        return Promise.resolve();
      },
    });
    assert.notEqual(looked, "");
    assert.equal(file, path.join(folder, "a.gguf", "a.gguf"));
    assert.ok(fs.readFileSync(file).equals(BYTES));
    holds("a.gguf");
    assert.deepEqual(seen.at(-1), { bytes: BYTES.length, total: BYTES.length });
    assert.ok(seen.every(({ bytes }, index) => bytes > (seen[index - 1]?.bytes ?? 0)));
  });

  test("without a length it says how much came", async () => {
    respond = (response) => response.writeHead(200).end(BYTES);
    await fetched();
    assert.deepEqual(seen.at(-1), { bytes: BYTES.length, total: undefined });
  });

  test("given up half way, it leaves nothing, and the connection ends", async () => {
    const giving = new AbortController();
    const closed = new Promise<void>((resolve) => {
      respond = (response) => {
        response.once("close", resolve);
        response.writeHead(200, { "content-length": BYTES.length }).write(BYTES.subarray(0, 1000)); // and never more
      };
    });
    const fetching = download(`${origin}/a.gguf`, folder, giving.signal, () => {
      giving.abort();
    }, accepts);
    await assert.rejects(fetching, { name: "AbortError" });
    await closed;
    holds();
  });

  test("given up while it is looked at, it leaves nothing", async () => {
    const giving = new AbortController();
    const check = (): Promise<void> => {
      giving.abort();
      return Promise.resolve();
    };
    await fails(/abort/, { signal: giving.signal, check });
  });

  test("what is no good leaves nothing", () =>
    fails(/it is not a GGUF file/, { check: () => Promise.reject(new Error("it is not a GGUF file")) }));

  test("an answer that is none leaves nothing", async () => {
    respond = (response) => response.writeHead(404).end("no");
    await fails(/answered 404/);
  });

  test("a connection that breaks leaves nothing", async () => {
    respond = (response) => {
      response.writeHead(200, { "content-length": BYTES.length }).write(BYTES.subarray(0, 1000), () => response.destroy());
    };
    await fails(/./);
  });

  test("nobody there is said with its reason", async () => {
    const nobody = download("http://127.0.0.1:1/a.gguf", folder, new AbortController().signal, () => undefined, accepts);
    await assert.rejects(nobody, (error) => /fetch failed: .*ECONNREFUSED|bad port/.test(shownFailure(error)));
    holds();
  });

  test("nothing is overwritten, neither what is there before nor what comes meanwhile", async () => {
    const file = path.join(folder, "a.gguf");
    const check = (): Promise<void> => {
      fs.writeFileSync(file, "mine");
      return Promise.resolve();
    };
    await assert.rejects(fetched({ check }), /ENOTDIR/);
    assert.equal(fs.readFileSync(file, "utf-8"), "mine");
    await assert.rejects(fetched(), /is there already/);
    assert.equal(fs.readFileSync(file, "utf-8"), "mine");
    holds("a.gguf");
  });

  test("what a killed VS Code left is removed after a day, and nothing else", async () => {
    const yesterday = Date.now() / 1000 - 25 * 60 * 60;
    const age = (...parts: string[]): void => {
      fs.utimesSync(path.join(folder, ...parts), yesterday, yesterday);
    };
    for (const name of ["arriving-dead00", "arriving-slow00", "arriving-begun0", "mine"]) {
      fs.mkdirSync(path.join(folder, name), { recursive: true });
      fs.writeFileSync(path.join(folder, name, "b.gguf"), "GGUF");
    }
    fs.writeFileSync(path.join(folder, "arriving-model0"), "GGUF");
    age("arriving-dead00", "b.gguf");
    age("arriving-dead00");
    age("arriving-slow00"); // whose file still grows
    age("mine", "b.gguf");
    age("mine");
    age("arriving-model0");
    await fetched();
    holds("a.gguf", "arriving-begun0", "arriving-model0", "arriving-slow00", "mine");
  });

  test("two at once of the same name: one of them is kept, whole", async () => {
    const [first, second] = await Promise.allSettled([fetched(), fetched()]);
    assert.deepEqual([first.status, second.status].sort(), ["fulfilled", "rejected"]);
    holds("a.gguf");
    assert.ok(fs.readFileSync(path.join(folder, "a.gguf", "a.gguf")).equals(BYTES));
  });

  test("it needs nothing that some file systems lack", async () => {
    mock.method(fileSystem, "linkSync", () => assert.fail("there are no hard links on this one"));
    try {
      assert.ok(fs.readFileSync(await fetched()).equals(BYTES));
    } finally {
      mock.restoreAll();
    }
  });
});

suite("an address", () => {
  test("names a plain file", () => {
    for (const [address, name] of [
      ["https://models.example/resolve/main/coder-1.3b.Q4_K_M.gguf?download=true", "coder-1.3b.Q4_K_M.gguf"],
      ["http://127.0.0.1:8000/a%20b.GGUF", "a b.GGUF"],
      ["https://models.example/..%2F..%2Fevil.gguf", undefined],
      ["https://models.example/..%5Cevil.gguf", undefined],
      ["https://models.example/.gguf", undefined],
      ["https://models.example/%zz.gguf", undefined],
      ["https://models.example/page.html", undefined],
      ["https://models.example", undefined],
      ["a.gguf", undefined],
    ] as const) {
      assert.equal(fileName(address), name, address);
    }
  });

  test("is complained about while it is typed", () => {
    for (const [address, problem] of [
      ["https://models.example/a.gguf", undefined],
      ["file:///etc/a.gguf", /https/],
      ["a.gguf", /https/],
      ["", /https/],
      ["https://models.example/", /name of a \.gguf file/],
      ["https://me:secret@models.example/a.gguf", /password/],
      ["https://token@models.example/a.gguf", /password/],
    ] as const) {
      const said = addressProblem(address);
      assert.ok(problem === undefined ? said === undefined : said !== undefined && problem.test(said), address);
    }
  });
});

test("progress for people", () => {
  assert.equal(shownProgress({ bytes: 1_500_000, total: 4_000_000 }), "1.5 MB of 4.0 MB (37 %)");
  assert.equal(shownProgress({ bytes: 1_500_000_000, total: undefined }), "1.50 GB");
});
