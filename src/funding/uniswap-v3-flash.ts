import { IERC20__factory } from "../../types/contracts/index.js";
import { readAll } from "../venues/multicall.js";
import { sameAddress } from "../venues/swap.js";
import { ceilDiv } from "../venues/tick-math.js";
import { uniswapV3 } from "../venues/uniswap-v3.js";
import { type FundingOffer, type FundingSource, loanOf } from "./funding.js";

const erc20 = IERC20__factory.createInterface();

/** Pools that hold less than this share of what the richest one holds are no use for the sake of a lower fee. */
const LEAST_SHARE = 20n;

/**
 * `flash` of a Uniswap V3 pool that is not in the cycle: of the registry's pools of the token the one with the lowest fee among
 * those that hold much. The fee is that of a swap, rounded up (v3-core, UniswapV3Pool.flash).
 */
export const uniswapV3Flash: FundingSource = {
  id: "uniswap-v3-flash",
  gas: 62_700n,
  offer: async (provider, network, _executor, token, block, pools = []): Promise<FundingOffer | null> => {
    const fees = network.venues["uniswap-v3"]?.feesPips ?? [];
    const candidates = network.tokens
      .filter(({ address }) => !sameAddress(address, token))
      .flatMap(({ address: other }) =>
        fees.flatMap((feePips) => {
          const pool = uniswapV3.poolAddress(network, token, other, feePips);
          const usable = pool !== null && !pools.some((taken) => sameAddress(taken, pool));
          return usable ? [{ pool, feePips, token1: BigInt(token) > BigInt(other) }] : [];
        }),
      );
    const reads = candidates.map(({ pool }) => {
      return { target: token, data: erc20.encodeFunctionData("balanceOf", [pool]), what: "balanceOf(pool)" };
    });
    const held = (await readAll(provider, reads, block)).map((data) => (data === "0x" ? 0n : BigInt(data)));
    const most = held.reduce((largest, amount) => (amount > largest ? amount : largest), 0n);
    // the lowest fee first, then the largest holding; tokens may lie where no pool is yet
    const rich = candidates
      .map((candidate, i) => ({ ...candidate, limit: held[i]! }))
      .filter(({ limit }) => limit > 0n && limit * LEAST_SHARE >= most)
      .toSorted((a, b) => a.feePips - b.feePips || (a.limit > b.limit ? -1 : 1));
    for (const { pool, feePips, token1, limit } of rich) {
      if ((await provider.getCode(pool, block)) === "0x") continue;
      const fee = (amount: bigint): bigint => ceilDiv(amount * BigInt(feePips), 1_000_000n);
      return { source: "uniswap-v3-flash", lender: pool, limit, token1, fee };
    }
    return null;
  },
  steps: loanOf("v3-flash"),
};
