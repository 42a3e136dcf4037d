import { AbiCoder, getAddress, keccak256, ZeroAddress } from "ethers";
import { ArbError } from "../errors.js";
import { BUILT_IN_TOKENS } from "../plan/codec.js";
import type { Asset, CurveForm, Step, StepAmount, StepsPlan } from "../plan/step-types.js";
import type { PoolKind } from "../venues/venue.js";
import type { RecordedCase, RecordedHop } from "./recorded-case.js";
import { type Cycle, type CycleHop, cycleThrough, KINDS } from "./recorded-cycle.js";

/** Kinds of pools that only plans of steps can swap in. */
export type StepKind = "curve" | "v4";
export type AnyKind = PoolKind | StepKind;

/** The recordings' names of them. */
const STEP_KINDS: Record<string, StepKind> = {
  curve: "curve",
  "curve-crypto": "curve",
  "curve-crypto-ng": "curve",
  "uni-v4": "v4",
};
const ALL_KINDS: Record<string, AnyKind> = { ...KINDS, ...STEP_KINDS };

/** Curve's events of an exchange tell the form of the call. Sources: the contracts of StableSwap, CryptoSwap and Tricrypto-NG. */
const CURVE_EVENTS: Record<string, CurveForm> = {
  // TokenExchange(address,int128,uint256,int128,uint256)
  "0x8b3e96f2b889fa771c53c981b40daf005f63f637f1869f707052d15a3dd97140": "int128",
  // TokenExchange(address,uint256,uint256,uint256,uint256)
  "0xb2e76ae99761dc136e598d4a629bb347eccb9532a5f8bbd72e18467c3c34cc98": "uint256",
  // TokenExchange(address,uint256,uint256,uint256,uint256,uint256,uint256)
  "0x143f1f8e861fbdeddd5b46e844b7d3ac7b86a122f36e8c463859ee6811b1f29c": "uint256",
};
/** Swap(bytes32,address,int128,int128,uint160,uint128,int24,uint24) of Uniswap V4's PoolManager. */
const V4_SWAP = "0x40e9cecb9f5f1f1c5b9c97dec2917b7ee92e57ba5563708daca94dd84ad7112f";
/** Tick spacings that pools without hooks are made with. */
const TICK_SPACINGS = [1, 10, 60, 200, 2, 4, 5, 8, 12, 16, 20, 30, 40, 50, 80, 100, 120, 128, 240, 400, 600, 1000];

interface V4Key {
  tokenIn: string;
  tokenOut: string;
  amountIn: bigint;
  amountOut: bigint;
  feePips: number;
  tickSpacing: number;
}

const coder = AbiCoder.defaultAbiCoder();

/** The cycle of a recorded arbitrage that needs a plan of steps; null where it is none. ETH counts as the wrapped token. */
export function stepsCycleOf(recording: RecordedCase): Cycle<AnyKind> | null {
  const { arbitrage } = recording;
  const hops = arbitrage?.hops ?? [];
  if (!hops.some(({ kind }) => STEP_KINDS[kind]) || hops.some(({ kind }) => !ALL_KINDS[kind])) return null;
  const poolsNet = { ...arbitrage!.poolsNet };
  const completed = hops.map((hop): RecordedHop => {
    if (STEP_KINDS[hop.kind] !== "v4" || hop.amountOut !== 0n) return hop;
    // the recording lacks what a V4 pool gave, as ETH moves without a log
    const { amountOut, tokenOut } = v4Key(recording, hop);
    const wrapped = tokenOut === ZeroAddress ? wrappedOf(recording) : tokenOut;
    poolsNet[wrapped] = (poolsNet[wrapped] ?? 0n) + amountOut;
    return { ...hop, tokenOut: wrapped, amountOut };
  });
  return cycleThrough({ ...recording, arbitrage: { hops: completed, poolsNet } }, ALL_KINDS);
}

/**
 * The plan of a recorded cycle with the searcher's amounts: its first pool lends its output, the other swaps run in its
 * callback. Throws ArbError "usage" where a pool's terms cannot be told from the recording.
 */
export function stepsPlanOf(recording: RecordedCase, cycle: Cycle<AnyKind>): StepsPlan {
  const [first, ...others] = cycle.hops;
  const hasV4 = cycle.hops.some(({ kind }) => kind === "v4");
  const tokens = cycle.hops.map(({ tokenIn }) => getAddress(tokenIn));
  const native: Asset[] = hasV4 ? [{ kind: "native", address: ZeroAddress }] : [];
  const assets: Asset[] = [...tokens.map((address): Asset => ({ kind: "erc20", address })), ...native];
  const indexOf = (token: string) => assets.findIndex(({ address }) => BigInt(address) === BigInt(token));
  const steps = others.flatMap((hop) => stepsOf(recording, hop, indexOf));
  const { pool, amountIn, amountOut } = first!;
  const lent = {
    pool: getAddress(pool),
    assetIn: indexOf(first!.tokenIn),
    assetOut: indexOf(first!.tokenOut),
    maxIn: amountIn,
    steps,
  };
  const outer: Record<string, () => Step> = {
    v2: () => ({ kind: "flash-v2", ...lent, amountOut, feePips: null }),
    v3: () => ({ kind: "flash-v3-swap", ...lent, amount: amountIn, exact: "in" }),
  };
  const make = outer[first!.kind];
  if (make === undefined) {
    throw new ArbError("usage", `the cycle starts in a pool of kind "${first!.kind}", which does not lend`, {
      where: recording.id,
    });
  }
  return {
    assets,
    profitAsset: 0,
    minProfit: 1n,
    v4Manager: hasV4 ? getAddress(cycle.hops.find(({ kind }) => kind === "v4")!.pool) : null,
    deadline: null,
    blocks: null,
    steps: [make()],
  };
}

function stepsOf(recording: RecordedCase, hop: CycleHop<AnyKind>, indexOf: (token: string) => number): Step[] {
  const amount: StepAmount = { from: "fixed", value: hop.amountIn };
  const [assetIn, assetOut] = [indexOf(hop.tokenIn), indexOf(hop.tokenOut)];
  const swap = { pool: getAddress(hop.pool), assetIn, assetOut, amount, measure: false };
  switch (hop.kind) {
    case "v2":
      return [{ kind: "v2", ...swap, feePips: 0, amountOut: hop.amountOut, maxIn: null, direct: false }];
    case "v3":
      return [{ kind: "v3", ...swap, maxIn: null, direct: false }];
    case "curve":
      return [{ kind: "curve", ...swap, ...curveTerms(recording, hop) }];
    case "v4": {
      const key = v4Key(recording, hop);
      const [from, to] = [indexOf(key.tokenIn), indexOf(key.tokenOut)];
      const all: StepAmount = { from: "surplus" };
      const terms = { feePips: key.feePips, tickSpacing: key.tickSpacing, hooks: ZeroAddress, hookData: "0x" };
      const v4: Step = {
        kind: "v4-unlock",
        steps: [
          { kind: "v4-swap", exact: "in", ...terms, assetIn: from, assetOut: to, amount, measure: false },
          { kind: "v4-take", asset: to, amount: all },
          { kind: "v4-settle", asset: from, max: hop.amountIn },
        ],
      };
      return to === assetOut ? [v4] : [v4, { kind: "wrap", assetIn: to, assetOut, amount: all, measure: false }];
    }
  }
}

/** Coins and form of a recorded exchange, from its log. */
function curveTerms(
  recording: RecordedCase,
  { pool, amountIn, amountOut }: CycleHop<AnyKind>,
): { i: number; j: number; form: CurveForm } {
  for (const { address, topics, data } of recording.receipt.logs) {
    const form = CURVE_EVENTS[topics[0] ?? ""];
    if (address !== pool || form === undefined) continue;
    const [i, sold, j, bought] = coder.decode(["uint256", "uint256", "uint256", "uint256"], data) as unknown as bigint[];
    if (sold === amountIn && bought === amountOut) return { i: Number(i), j: Number(j), form };
  }
  throw new ArbError("usage", `no log tells the coins of the Curve pool ${pool}`, { where: recording.id });
}

/** The pool of a recorded V4 swap: its log names the id, which is the hash of the terms that are tried here. */
function v4Key(recording: RecordedCase, { pool, tokenIn, amountIn }: Pick<RecordedHop, "pool" | "tokenIn" | "amountIn">): V4Key {
  const tokens = [ZeroAddress, ...(recording.arbitrage?.hops ?? []).flatMap((hop) => [hop.tokenIn, hop.tokenOut])];
  for (const { address, topics, data } of recording.receipt.logs) {
    if (address !== pool || topics[0] !== V4_SWAP) continue;
    const types = ["int128", "int128", "uint160", "uint128", "int24", "uint24"];
    const [amount0, amount1, , , , fee] = coder.decode(types, data) as unknown as bigint[];
    // what the swapper paid is negative
    const zeroForOne = amount0! < 0n;
    if ((zeroForOne ? -amount0! : -amount1!) !== amountIn) continue;
    for (const tokenOut of new Set(tokens.filter((token) => /^0x[0-9a-f]{40}$/i.test(token)))) {
      if (BigInt(tokenIn) < BigInt(tokenOut) !== zeroForOne) continue;
      const currencies = zeroForOne ? [tokenIn, tokenOut] : [tokenOut, tokenIn];
      for (const tickSpacing of TICK_SPACINGS) {
        const key = coder.encode(
          ["address", "address", "uint24", "int24", "address"],
          [...currencies, fee, tickSpacing, ZeroAddress],
        );
        const amountOut = zeroForOne ? amount1! : amount0!;
        if (keccak256(key) === topics[1]) return { tokenIn, tokenOut, amountIn, amountOut, feePips: Number(fee), tickSpacing };
      }
    }
  }
  throw new ArbError("usage", "no log tells the terms of the Uniswap V4 pool", {
    where: recording.id,
    hint: "pools with hooks, or between tokens that the recording does not name, are not known",
  });
}

function wrappedOf({ chainId, id }: RecordedCase): string {
  const wrapped = BUILT_IN_TOKENS[chainId];
  if (wrapped === undefined)
    throw new ArbError("usage", `the wrapped native token of chain ${chainId} is not known`, { where: id });
  return wrapped.toLowerCase();
}
