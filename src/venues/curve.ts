import { type BlockTag, Interface, type Provider } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { ArbError } from "../errors.js";
import type { CurveForm } from "../plan/step-types.js";
import { readAll } from "./multicall.js";
import { sampled } from "./quoted-pool.js";
import { isToken0, sameAddress } from "./swap.js";
import { identity, noPool } from "./v2-pair.js";
import type { LoadOptions, PoolId, QuotedPool, Venue } from "./venue.js";

/** Curve's pools have at most this many coins. */
const MOST_COINS = 8;
const INDEX_TYPES = ["int128", "uint256"] as const;

const erc20 = IERC20__factory.createInterface();
/** Stable pools count coins in int128, crypto pools in uint256; `coins` itself takes uint256 but in the oldest pools. */
const pools = Object.fromEntries(
  INDEX_TYPES.map((type) => [
    type,
    new Interface([
      `function coins(${type}) view returns (address)`,
      `function get_dy(${type},${type},uint256) view returns (uint256)`,
    ]),
  ]),
) as Record<(typeof INDEX_TYPES)[number], Interface>;

/**
 * Curve's stable and crypto pools between two of their coins (https://docs.curve.finance): quoted by `get_dy`. Pools stand on the
 * allow-list. A coin that is ETH itself, and the coins underneath those of a pool, cannot be traded.
 */
export const curve: Venue = {
  id: "curve",
  kind: "quoted",
  isOn: () => true,
  poolAddress: () => null,
  load: loadCurve,
  quote: {
    read: (pool, tokenIn, amountIn) => {
      const step = pool.steps?.[isToken0(pool, tokenIn) ? 0 : 1];
      if (step?.kind !== "curve") throw new TypeError(`${pool.address} is no Curve pool`);
      const type = step.form === "int128" ? "int128" : "uint256";
      return { target: pool.address, data: pools[type].encodeFunctionData("get_dy", [step.i, step.j, amountIn]), what: "get_dy" };
    },
    answer: (data) => BigInt(data),
  },
};

async function loadCurve(provider: Provider, pool: PoolId, block: BlockTag, options: LoadOptions = {}): Promise<QuotedPool> {
  const { address } = pool;
  const ask = (what: string, data: string, target = address) => ({ target, data, what, mayRevert: true });
  const numbers = Array.from({ length: MOST_COINS }, (_, n) => n);
  const answers = await readAll(
    provider,
    [
      ...INDEX_TYPES.flatMap((type) => numbers.map((n) => ask(`coins(${n})`, pools[type].encodeFunctionData("coins", [n])))),
      ask("balanceOf(pool)", erc20.encodeFunctionData("balanceOf", [address]), pool.token0),
      ask("balanceOf(pool)", erc20.encodeFunctionData("balanceOf", [address]), pool.token1),
    ],
    block,
    options.timeoutMs,
  );
  const coins = numbers.map((n) => {
    const answer = [answers[n]!, answers[n + MOST_COINS]!].find((data) => data.length === 66);
    return answer === undefined ? null : `0x${answer.slice(26)}`;
  });
  if (coins[0] === null) throw noPool(pool);
  const [i, j] = [pool.token0, pool.token1].map((token) =>
    coins.findIndex((coin) => coin !== null && sameAddress(coin, token)),
  ) as [number, number];
  if (i < 0 || j < 0) {
    throw new ArbError("refused", `the Curve pool at ${address} does not trade ${i < 0 ? pool.token0 : pool.token1}`, {
      where: address,
    });
  }
  const [held0, held1] = answers.slice(-2).map(BigInt) as [bigint, bigint];
  const form = await formOf(provider, pool, [i, j], held0, block, options);
  const step = { kind: "curve", pool: address, form, measure: true } as const;
  const steps: QuotedPool["steps"] = [
    { ...step, i, j },
    { ...step, i: j, j: i },
  ];
  return await sampled(provider, curve, { ...identity(pool), steps }, [held0, held1], block, options.timeoutMs);
}

/** The form of `exchange` that the pool has: that of the `get_dy` that answers. */
async function formOf(
  provider: Provider,
  { address }: PoolId,
  [i, j]: [number, number],
  held: bigint,
  block: BlockTag,
  options: LoadOptions,
): Promise<CurveForm> {
  const amount = held / 1000n + 1n;
  const reads = INDEX_TYPES.map((type) => ({
    target: address,
    data: pools[type].encodeFunctionData("get_dy", [i, j, amount]),
    what: "get_dy",
    mayRevert: true,
  }));
  const answers = await readAll(provider, reads, block, options.timeoutMs);
  const at = answers.findIndex((data) => data.length === 66);
  if (at < 0) throw new ArbError("refused", `the Curve pool at ${address} quotes nothing`, { where: address });
  return INDEX_TYPES[at]!;
}
