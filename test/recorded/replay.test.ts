import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { expect } from "chai";
import { getAddress, toBeHex } from "ethers";
import { ArbError } from "../../src/errors.js";
import { readCase } from "../../src/sim/recorded-case.js";
import { cycleOf } from "../../src/sim/recorded-cycle.js";
import { forkRecording } from "../../src/sim/recorded-fork.js";
import { pairFee, readPool } from "../../src/sim/recorded-pools.js";
import { type ReplayResult, replay } from "../../src/sim/replay.js";
import { quoteExactIn } from "../../src/venues/swap.js";
import type { Pool, V2Pool } from "../../src/venues/venue.js";

const shared = path.resolve("../shared/recorded");
const readme = path.join(shared, "README.md");
/** Rows of the recordings' table: case and whether it is a pure V2/V3 cycle. */
const table: [id: string, pure: boolean][] = existsSync(readme)
  ? [...readFileSync(readme, "utf8").matchAll(/^\| (\d+-\d+-\d+) \|.*\| (yes|no) \|[^|]*\|$/gm)].map((row) => [
      row[1]!,
      row[2] === "yes",
    ])
  : [];
const fileOf = (id: string) => path.join(shared, "cases", `${id}.json.gz`);

/** Cycles with Curve or Uniswap V4 pools, which run as plans of steps. */
const WITH_STEPS = ["1-10760440-0", "1-13217637-1", "1-19933597-1", "1-24628607-11", "1-24628607-36"];

const WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2";
const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";

async function usageError(attempt: Promise<unknown>): Promise<ArbError> {
  const error = await attempt.then(
    () => null,
    (e: unknown) => e,
  );
  expect(error).to.be.instanceOf(ArbError);
  expect((error as ArbError).code).to.equal("usage");
  return error as ArbError;
}

/** What holds for every replay whose state was recorded. */
function expectSound({ ours, unrecordedReads, profitToken }: ReplayResult): void {
  expect(unrecordedReads).to.deep.equal([]);
  expect(ours.grossProfit > 0n).to.equal(true);
  expect(ours.grossProfit).to.equal(ours.estimatedProfit);
  expect(ours.hops[0]!.tokenIn).to.equal(profitToken);
  expect(ours.hops[0]!.amountIn).to.equal(ours.amountIn);
  expect(ours.hops.at(-1)!.amountOut - ours.amountIn).to.equal(ours.grossProfit);
  for (const [i, hop] of ours.hops.slice(1).entries()) {
    expect([hop.tokenIn, hop.amountIn]).to.deep.equal([ours.hops[i]!.tokenOut, ours.hops[i]!.amountOut]);
  }
}

describe("replay of recorded cases", () => {
  let scratch: string;
  /** A case as JSON, changed, as a new file. */
  const changed = async (id: string, change: (json: any) => void) => {
    const json = JSON.parse(gunzipSync(readFileSync(fileOf(id))).toString());
    change(json);
    const file = path.join(scratch, "changed.json");
    await writeFile(file, JSON.stringify(json));
    return file;
  };

  before(async function () {
    if (table.length === 0) {
      console.log(`      skipped: no recordings at ${shared}`);
      this.skip();
    }
    scratch = await mkdtemp(path.join(os.tmpdir(), "replay-test-"));
  });
  after(async () => {
    if (scratch) await rm(scratch, { recursive: true });
  });

  for (const [id, pure] of table) {
    if (pure) {
      it(`gets at least 99.9 % of what the searcher got in ${id}`, async () => {
        const result = await replay(fileOf(id));
        expectSound(result);
        expect(result.caseId).to.equal(id);
        expect(result.ours.dust).to.equal(true);
        expect(result.ours.sizing).to.equal("optimum");
        expect(result.ours.grossProfit * 1000n >= result.searcher.grossProfit * 999n).to.equal(true);
      });
    } else if (WITH_STEPS.includes(id)) {
      it(`gets what the searcher got in ${id}, with its amounts`, async () => {
        const { ours, searcher, unrecordedReads } = await replay(fileOf(id));
        expect(ours.grossProfit).to.equal(searcher.grossProfit);
        expect(ours.sizing).to.equal("recorded");
        expect(ours.hops[0]!.tokenIn).to.equal(WETH);
        expect(ours.hops.at(-1)!.amountOut - ours.amountIn).to.equal(ours.grossProfit);
        expect(unrecordedReads).to.deep.equal([]);
      });
    } else {
      it(`refuses ${id}, which is no cycle of V2 and V3 swaps`, async () => {
        expect((await usageError(replay(fileOf(id)))).message).to.match(/no cycle of V2 and V3 swaps: ./);
      });
    }
  }

  it("names the kind of a hop that the executor cannot call", async () => {
    const error = await usageError(replay(fileOf("1-10824035-159")));
    expect(error.message).to.contain('"balancer-v1"');
    expect(error.where).to.equal("arbitrage.hops[1].kind");
  });

  it("finds the same cycle in any order of the hops", async () => {
    const expected = cycleOf(await readCase(fileOf("1-12159808-103")));
    expect(expected.profitToken).to.equal(WETH.toLowerCase());
    for (const order of ["012", "120", "201", "021", "102", "210"]) {
      const file = await changed("1-12159808-103", (json) => {
        const { hops } = json.arbitrage;
        json.arbitrage.hops = order.split("").map((i) => hops[Number(i)]);
      });
      expect(cycleOf(await readCase(file))).to.deep.equal(expected);
    }
  });

  it("profits in another token where the searcher did, beside dust of the wrapped native one", async () => {
    const file = await changed("1-13217637-2", (json) => {
      json.arbitrage.poolsNet = { [USDC.toLowerCase()]: "172000000", [WETH.toLowerCase()]: "1" };
    });
    const result = await replay(file);
    expectSound(result);
    expect(result.profitToken).to.equal(USDC);
    expect(result.ours.dust).to.equal(true);
    expect(result.ours.grossProfit > 171_000_000n).to.equal(true);
  });

  for (const chainId of [10, 8453, 42161]) {
    it(`replays on chain ${chainId}`, async () => {
      const result = await replay(await changed("1-13217637-1037", (json) => (json.chainId = chainId)));
      expectSound(result);
      expect(result.profitToken).to.equal(WETH);
    });
  }

  it("takes hops whose amounts do not join by a unit, and fees that the recording does not name", async () => {
    const file = await changed("1-24628607-28", (json) => {
      for (const hop of json.arbitrage.hops) delete hop.fee;
      json.arbitrage.hops[2].amountIn = String(BigInt(json.arbitrage.hops[2].amountIn) - 1n);
    });
    const result = await replay(file);
    expect(result.ours.grossProfit >= result.searcher.grossProfit).to.equal(true);
    expect(result.ours.hops.map((hop) => hop.feePips)).to.deep.equal([3000, 500, 100]);
  });

  it("costs what a first transfer costs more without dust", async () => {
    const [warm, cold] = [await replay(fileOf("1-17666333-37")), await replay(fileOf("1-17666333-37"), { cold: true })];
    expect([warm.ours.dust, cold.ours.dust]).to.deep.equal([true, false]);
    expect(cold.ours.grossProfit).to.equal(warm.ours.grossProfit);
    // SSTORE from zero instead of from non-zero: 20,000 against 2,900 (EIP-2200, EIP-2929)
    expect(cold.ours.gasUsed - warm.ours.gasUsed).to.equal(17_100);
  });

  it("falls back to the recorded size where the best one would cross a tick that is not recorded, and says so", async () => {
    const id = "1-24628607-25";
    const recording = await readCase(fileOf(id));
    const cycle = cycleOf(recording);
    const fork = await forkRecording(recording, "executor");
    const pools: Pool[] = [];
    for (const hop of cycle.hops) pools.push((await readPool(fork, hop))!);
    await fork.close();
    // the first pair sells a fifth cheaper, so that the best size is far larger; the recorded swaps follow suit
    const cheap = { ...(pools[0] as V2Pool) };
    expect(getAddress(cycle.hops[0]!.tokenIn)).to.equal(cheap.token0);
    cheap.reserve0 = (cheap.reserve0 * 4n) / 5n;
    const file = await changed(id, (json) => {
      const storage = json.pre[cycle.hops[0]!.pool].storage;
      const slot = Object.keys(storage).find((key) => BigInt(key) === 8n)!;
      storage[slot] = toBeHex(((BigInt(storage[slot]) >> 112n) << 112n) | cheap.reserve0, 32);
      let amount = cycle.hops[0]!.amountIn;
      for (const [i, hop] of cycle.hops.entries()) {
        const swap = quoteExactIn(i === 0 ? cheap : pools[i]!, getAddress(hop.tokenIn), amount);
        if (!swap.ok) throw new Error(swap.detail);
        const entry = json.arbitrage.hops.find((h: any) => h.pool === hop.pool);
        [entry.amountIn, entry.amountOut] = [String(amount), String(swap.amountOut)];
        amount = swap.amountOut;
      }
      json.arbitrage.poolsNet = { [cycle.profitToken]: String(amount - cycle.hops[0]!.amountIn) };
    });
    const result = await replay(file);
    expectSound(result);
    expect(result.ours.sizing).to.equal("recorded");
    expect(result.ours.note).to.match(/ticks of pool 0x\w+ that are not recorded/);
    // exact outputs may need a unit less of the first input than the searcher paid
    expect(result.ours.grossProfit >= result.searcher.grossProfit).to.equal(true);
    expect(result.ours.amountIn <= cycle.hops[0]!.amountIn).to.equal(true);
  });

  it("leaves the amounts to a pool that our formulas do not cover, and lists its unrecorded slots", async () => {
    const pool = "0xb6ac989887d0930b03263e1f5dc707f97d40dee9";
    const file = await changed("1-13217637-1037", ({ pre }) => {
      // without the words of the tick bitmap
      const storage = pre[pool].storage;
      for (const slot of Object.keys(storage)) if (BigInt(slot) > 100_000n) delete storage[slot];
    });
    const { searcher, ours, unrecordedReads } = await replay(file);
    expect(ours.sizing).to.equal("recorded");
    expect(ours.note).to.contain("do not reproduce the recorded swap");
    expect(ours.estimatedProfit).to.equal(null);
    expect(ours.grossProfit).to.equal(searcher.grossProfit);
    expect(unrecordedReads.length).to.be.greaterThan(0);
    for (const read of unrecordedReads) expect([read.of, read.address]).to.deep.equal(["pool", pool]);
  });

  it("gives the reason where our transaction fails", async () => {
    const file = await changed("1-17666333-37", ({ pre, arbitrage }) => {
      // a pair that can never be entered: its lock is taken
      const storage = pre[arbitrage.hops[1].pool].storage;
      storage[Object.keys(storage).find((key) => BigInt(key) === 12n)!] = toBeHex(0, 32);
    });
    const error = await replay(file).then(
      () => null,
      (e: unknown) => e as ArbError,
    );
    expect(error?.code).to.equal("reverted");
    expect(error?.message).to.contain("inside its own swap");
  });
});

describe("fee of a recorded pair", () => {
  const token0 = "0x1111111111111111111111111111111111111111";
  const token1 = "0x2222222222222222222222222222222222222222";
  const pair: V2Pool = {
    kind: "v2",
    venue: "v2-fork",
    address: "0x3333333333333333333333333333333333333333",
    token0,
    token1,
    feePips: 0,
    reserve0: 4_000n * 10n ** 18n,
    reserve1: 9_000_000n * 10n ** 6n,
  };
  const swapped = (tokenIn: string, amountIn: bigint, feePips: number, less = 0n) => {
    const swap = quoteExactIn({ ...pair, feePips }, tokenIn, amountIn);
    if (!swap.ok) throw new Error(swap.detail);
    const tokenOut = tokenIn === token0 ? token1 : token0;
    const { address: pool, kind } = pair;
    return { kind, venue: "v2-other", pool, feePips: null, tokenIn, tokenOut, amountIn, amountOut: swap.amountOut - less };
  };

  it("follows from the amounts, either way and to the unit", () => {
    for (const fee of [3000, 2500, 2000, 1000, 10_000, 1700, 100, 0]) {
      expect(pairFee(pair, swapped(token0, 10n ** 18n, fee)), `${fee} down`).to.equal(fee);
      expect(pairFee(pair, swapped(token1, 2_000n * 10n ** 6n, fee)), `${fee} up`).to.equal(fee);
      expect(pairFee(pair, swapped(token0, 10n ** 18n, fee, 1n)), `${fee} off by one`).to.equal(fee);
    }
  });

  it("is refused where no usual fee explains them", () => {
    const tooMuch = { ...swapped(token0, 10n ** 18n, 0), amountOut: 2_400_000_000n };
    for (const hop of [tooMuch, swapped(token0, 10n ** 18n, 25_000), swapped(token0, 10n ** 18n, 2_951)]) {
      expect(() => pairFee(pair, hop)).to.throw(ArbError, "no usual fee explains");
    }
  });
});
