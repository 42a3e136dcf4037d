import { existsSync } from "node:fs";
import path from "node:path";
import { expect } from "chai";
import { BrowserProvider, getAddress } from "ethers";
import { readCase } from "../../src/sim/recorded-case.js";
import { forkRecording } from "../../src/sim/recorded-fork.js";
import { stepsCycleOf } from "../../src/sim/replay-steps.js";
import { VENUES } from "../../src/venues/index.js";
import { readQuotes } from "../../src/venues/quoted-pool.js";
import { sortTokens } from "../../src/venues/v2-pair.js";
import type { QuotedPool } from "../../src/venues/venue.js";

/**
 * Recorded exchanges in Curve pools whose `get_dy` needs nothing but the pool itself. Of crypto pools it needs contracts that an
 * exchange does not call, and that the recordings therefore do not have.
 */
const CASES: [id: string, pool: string][] = [
  ["1-10760440-0", "0xA5407eAE9Ba41422680e2e00537571bcC53efBfD"],
  ["1-19933597-1", "0xCa978A0528116DDA3cbA9ACD3e68bc6191CA53D0"],
];

describe("Curve quotes on mainnet's own pools", () => {
  for (const [id, address] of CASES) {
    it(`${id}: what the pool says is what its exchange gave`, async function () {
      const file = path.resolve("../shared/recorded/cases", `${id}.json.gz`);
      if (!existsSync(file)) return this.skip();
      const recording = await readCase(file);
      const hop = stepsCycleOf(recording)!.hops.find(({ pool }) => getAddress(pool) === address)!;
      const fork = await forkRecording(recording, "executor");
      try {
        const request = ({ method, params }: { method: string; params?: unknown }) =>
          fork.request(method, (params ?? []) as unknown[]);
        const provider = new BrowserProvider({ request });
        const [tokenIn, tokenOut] = [getAddress(hop.tokenIn), getAddress(hop.tokenOut)];
        const [token0, token1] = sortTokens(tokenIn, tokenOut);
        const known = { venue: "curve", address, token0, token1, feePips: 0 } as const;
        const pool = (await VENUES.curve.load(provider, known, "latest")) as QuotedPool;
        expect(await readQuotes(provider, VENUES.curve, pool, tokenIn, [hop.amountIn], "latest")).to.deep.equal([hop.amountOut]);
        provider.destroy();
      } finally {
        await fork.close();
      }
    });
  }
});
