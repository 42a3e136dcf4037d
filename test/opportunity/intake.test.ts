import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "chai";
import { networkById } from "../../src/config/networks.js";
import { ArbError } from "../../src/errors.js";
import { type IntakeItem, MAX_LINE_BYTES, createIntake, intakeFile, intakeLines } from "../../src/opportunity/intake.js";
import { VENUES } from "../../src/venues/index.js";

const ethereum = networkById(1)!;
const [WETH, USDC] = ["WETH", "USDC"].map((symbol) => ethereum.tokens.find((t) => t.symbol === symbol)!.address) as [
  string,
  string,
];
const intake = () => createIntake(() => ({ networks: [ethereum], allowedPools: [], now: 1_800_000_000 }));

const opportunity = (id: string): object => ({
  version: "opportunity.v1",
  id,
  chainId: 1,
  hops: (["uniswap-v2", "sushiswap-v2"] as const).map((venue, i) => ({
    venue,
    pool: VENUES[venue].poolAddress(ethereum, WETH, USDC, 3000),
    tokenIn: i === 0 ? WETH : USDC,
    tokenOut: i === 0 ? USDC : WETH,
  })),
});
const line = (id: string): string => JSON.stringify(opportunity(id));

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

async function collect(items: AsyncIterable<IntakeItem>): Promise<string[]> {
  const all: string[] = [];
  for await (const { line: at, result } of items) {
    all.push(`${at}: ${result.ok ? result.value.id : `${result.rejection.where}: ${result.rejection.detail}`}`);
  }
  return all;
}

describe("intake", () => {
  it("goes on after bad lines, whatever the chunks, and numbers them as an editor does", async () => {
    const input = Buffer.concat([
      Buffer.from(`${line("a")}\r\n\n{"id": \n`),
      Buffer.from([0xff, 0xfe, 0x0a]),
      Buffer.from(`${"x".repeat(MAX_LINE_BYTES + 1)}\n${line("b")}\n${line("a")}\n{"id": "c", "zz": 1}\n`),
      Buffer.from(line("é").replace("é", "d")),
    ]);
    const expected = [
      "1: a",
      "3: line 3, column 8: not valid JSON: value expected",
      "4: line 4: the line is not valid UTF-8",
      `5: line 5: the line is longer than ${MAX_LINE_BYTES} bytes`,
      "6: b",
      '7: line 7, id: the id "a" was already used by line 1',
    ];
    for (const size of [1, 7, 1000, input.length]) {
      const got = await collect(intakeLines(inChunks(input, size), intake()));
      expect(got.slice(0, 6), `chunks of ${size}`).to.deep.equal(expected);
      expect(got[6]).to.match(/^8: line 8, /);
      expect(got[7]).to.equal("9: d");
      expect(got).to.have.length(8);
    }
  });

  it("does not remember the id of a refused one", () => {
    const desk = intake();
    expect(desk.value({ ...opportunity("a"), chainId: 5 }).ok).to.equal(false);
    expect(desk.value(opportunity("a")).ok).to.equal(true);
    const again = desk.value(opportunity("a"));
    expect(again.ok ? null : again.rejection.detail).to.include("already used by an earlier opportunity");
  });

  describe("files", () => {
    let folder: string;
    before(() => (folder = mkdtempSync(path.join(tmpdir(), "intake-"))));
    after(() => rmSync(folder, { recursive: true }));
    const write = (name: string, text: string): string => {
      writeFileSync(path.join(folder, name), text);
      return path.join(folder, name);
    };

    it("reads lines, one object, or a list of them", async () => {
      expect(await collect(intakeFile(write("a.jsonl", `${line("a")}\n${line("b")}\n`), intake()))).to.deep.equal([
        "1: a",
        "2: b",
      ]);
      expect(await collect(intakeFile(write("a.json", JSON.stringify(opportunity("a"), null, 2)), intake()))).to.deep.equal([
        "null: a",
      ]);
      const list = write("b.json", JSON.stringify([opportunity("a"), { ...opportunity("b"), chainId: 0 }, opportunity("c")]));
      expect(await collect(intakeFile(list, intake()))).to.deep.equal([
        "null: a",
        "null: [1], chainId: must be positive, is 0",
        "null: c",
      ]);
    });

    it("names line and column in a file that is no JSON, and fails on one that is not there", async () => {
      const got = await collect(intakeFile(write("c.json", '{\n  "id": oops\n}'), intake()));
      expect(got).to.deep.equal(["null: line 2, column 9: not valid JSON: invalid symbol"]);
      const missing = await collect(intakeFile(path.join(folder, "none"), intake())).catch((error: unknown) => error);
      expect(missing).to.be.instanceOf(ArbError).and.have.property("code", "usage");
    });
  });
});
