import { ZeroAddress } from "ethers";
import { FUNDING } from "../funding/index.js";
import { usage } from "./bytes.js";
import type { Plan, PlanHop } from "./plan.js";
import { MAX_STEP_AMOUNT } from "./step-check.js";
import type { Asset, Step, StepAmount, StepsPlan } from "./step-types.js";

/** A plan as steps: the cycle with exact inputs from its first hop on, around it whoever funds it, and its guards. */

const PREVIOUS: StepAmount = { from: "previous" };
const SURPLUS: StepAmount = { from: "surplus" };
const fixed = (value: bigint): StepAmount => ({ from: "fixed", value });

/** What the writing of a plan needs to know. */
interface Draft {
  plan: Plan;
  wrapped: string;
  assets: Asset[];
}

/** The plan as steps; `wrapped` is the chain's wrapped native token. Throws ArbError "usage" for a plan that steps cannot carry. */
export function toSteps(plan: Plan, wrapped: string): StepsPlan {
  // steps have no first pool whose place is known
  if (plan.poolBound != null) throw usage("poolBound", "is not possible in a plan of steps");
  const draft: Draft = { plan, wrapped, assets: [] };
  const profitAsset = assetOf(draft, plan.profitToken);
  const { source } = plan.funding;
  // a first pool in V4 gives before it is paid, and so needs no loan of its own manager
  const isLent = source !== "flash-swap" && !(source === "uniswap-v4" && plan.hops[0]?.kind === "v4");
  const trades = isLent ? funded(draft, profitAsset) : selfFunded(draft);
  const isV4 = plan.hops.find(({ kind }) => kind === "v4")?.pool ?? (source === "uniswap-v4" ? plan.funding.lender : null);
  return {
    assets: draft.assets,
    profitAsset,
    minProfit: plan.minProfit,
    v4Manager: isV4,
    deadline: plan.deadline,
    blocks: plan.blocks,
    parentHash: plan.parentHash ?? null,
    gasPrice: plan.gasPrice ?? null,
    tip: plan.tip ?? null,
    sweep: plan.sweep === true,
    steps: source === "balancer-v3" ? trades : vaultUnlocked(draft, trades),
  };
}

function assetOf(draft: Draft, token: string): number {
  const at = draft.assets.findIndex(({ address }) => BigInt(address) === BigInt(token));
  if (at >= 0) return at;
  const kind = token === ZeroAddress ? "native" : "erc20";
  return draft.assets.push({ kind, address: token }) - 1;
}

/** A lender or our own balance pays first. */
function funded(draft: Draft, profitAsset: number): Step[] {
  const { hops, funding } = draft.plan;
  const cycle = chain(draft, hops, fixed(hops[0]!.amountIn), draft.plan.profitToken);
  const steps = funding.source === "uniswap-v4" ? cycle : unlocked(hops, cycle);
  const source = FUNDING[funding.source].steps;
  if (source === null) throw usage("funding.source", `"${funding.source}" cannot fund a plan of steps`);
  return source({
    lender: funding.lender ?? ZeroAddress,
    asset: profitAsset,
    amount: hops[0]!.amountIn,
    maxFee: funding.maxFee,
    token1: funding.token1 === true,
    steps,
  });
}

/** The first pool, or else the last, gives its output before it is paid. */
function selfFunded(draft: Draft): Step[] {
  const { hops } = draft.plan;
  const [first, last] = [hops[0]!, hops.at(-1)!];
  if (lends(first))
    return unlocked(
      hops,
      lend(draft, first, (amount) => chain(draft, hops.slice(1), amount, first.tokenOut), true),
    );
  if (!lends(last)) throw usage("funding.source", "is the pools themselves, and neither the first nor the last can lend");
  const before = (): Step[] => chain(draft, hops.slice(0, -1), fixed(first.amountIn), draft.plan.profitToken, last.tokenIn);
  return unlocked(hops, lend(draft, last, before, false));
}

const lends = ({ kind }: PlanHop): boolean => kind !== "step";

/** The pool gives, `inside` runs with what it gave, and the pool is paid. */
function lend(draft: Draft, hop: PlanHop, inside: (amount: StepAmount) => Step[], isFirst: boolean): Step[] {
  const { plan } = draft;
  const [assetIn, assetOut] = [assetOf(draft, hop.tokenIn), assetOf(draft, hop.tokenOut)];
  const { pool, amountIn, amountOut } = hop;
  switch (hop.kind) {
    case "v2": {
      // adaptive: what follows from the reserves of the moment, up to the cap
      const adaptive = plan.amounts === "adaptive" && isFirst;
      const terms = adaptive ? { maxIn: plan.maxAmountIn, feePips: hop.feePips } : { maxIn: amountIn, feePips: null };
      return [{ kind: "flash-v2", pool, assetIn, assetOut, amountOut, ...terms, steps: inside(fixed(amountOut)) }];
    }
    case "v3":
      return [
        {
          kind: "flash-v3-swap",
          pool,
          assetIn,
          assetOut,
          amount: amountIn,
          exact: "in",
          maxIn: amountIn,
          steps: inside(SURPLUS),
        },
      ];
    case "v4": {
      const rest = inside(PREVIOUS);
      const unwrap: Step[] =
        isFirst && hop.tokenIn === ZeroAddress
          ? [exchange("unwrap", [assetOf(draft, draft.wrapped), assetIn], fixed(amountIn))]
          : [];
      return [
        v4Swap(hop, [assetIn, assetOut], fixed(amountIn)),
        { kind: "v4-take", asset: assetOut, amount: PREVIOUS },
        ...(isFirst || hop.tokenOut !== ZeroAddress
          ? rest
          : [exchange("wrap", [assetOut, assetOf(draft, draft.wrapped)], PREVIOUS), ...rest]),
        ...unwrap,
        { kind: "v4-settle", asset: assetIn, max: amountIn },
      ];
    }
    case "step":
      throw usage("funding.source", "is a pool that cannot lend");
  }
}

/** Swaps one after the other, each with all that the one before gave; ETH is wrapped and unwrapped where pools differ. */
function chain(draft: Draft, hops: PlanHop[], start: StepAmount, startToken: string, endToken = draft.plan.profitToken): Step[] {
  const steps: Step[] = [];
  let [amount, token] = [start, startToken];
  const reach = (wanted: string): void => {
    if (token === wanted) return;
    const kind = wanted === ZeroAddress ? "unwrap" : "wrap";
    steps.push(exchange(kind, [assetOf(draft, token), assetOf(draft, wanted)], amount));
    [amount, token] = [PREVIOUS, wanted];
  };
  for (const hop of hops) {
    reach(hop.tokenIn);
    steps.push(...swap(draft, hop, amount));
    [amount, token] = [PREVIOUS, hop.tokenOut];
  }
  reach(endToken);
  return steps;
}

function swap(draft: Draft, hop: PlanHop, amount: StepAmount): Step[] {
  const [assetIn, assetOut] = [assetOf(draft, hop.tokenIn), assetOf(draft, hop.tokenOut)];
  const { pool } = hop;
  const common = { assetIn, assetOut, amount, measure: false };
  switch (hop.kind) {
    case "v2": {
      const amountOut = draft.plan.amounts === "fixed" ? hop.amountOut : null;
      return [{ kind: "v2", pool, ...common, feePips: hop.feePips, amountOut, maxIn: null, direct: false }];
    }
    case "v3":
      return [{ kind: "v3", pool, ...common, maxIn: null, direct: false }];
    case "v4":
      return [
        v4Swap(hop, [assetIn, assetOut], amount),
        { kind: "v4-settle", asset: assetIn, max: MAX_STEP_AMOUNT },
        { kind: "v4-take", asset: assetOut, amount: SURPLUS },
      ];
    case "step":
      if (!hop.step) throw usage("hops", "have a pool without its step");
      return [{ ...hop.step, assetIn, assetOut, amount }];
  }
}

function v4Swap({ v4 }: PlanHop, [assetIn, assetOut]: [number, number], amount: StepAmount): Step {
  if (!v4) throw usage("hops", "have a V4 pool without its key");
  const { fee, tickSpacing, hooks, hookData } = v4;
  return { kind: "v4-swap", exact: "in", feePips: fee, tickSpacing, hooks, hookData, assetIn, assetOut, amount, measure: false };
}

function exchange(kind: "wrap" | "unwrap", [assetIn, assetOut]: [number, number], amount: StepAmount): Step {
  return { kind, assetIn, assetOut, amount, measure: false };
}

/**
 * Balancer V3's vault swaps only inside an unlock, which is a loan of it: of one unit, which comes back from the cycle. It is a unit of
 * what a pool of the vault gives, because that the vault has; only the first hop's output is ever taken as a surplus.
 */
function vaultUnlocked(draft: Draft, steps: Step[]): Step[] {
  const hop = draft.plan.hops.find(({ step }) => step?.kind === "balancer-v3-swap");
  if (hop === undefined) return steps;
  const asset = assetOf(draft, hop.tokenOut);
  const terms = { lender: hop.pool, asset, amount: 1n, maxFee: 0n, token1: false };
  return [{ kind: "loan", source: "balancer-v3", ...terms, steps }];
}

/** V4's manager swaps only inside an unlock. */
function unlocked(hops: PlanHop[], steps: Step[]): Step[] {
  return hops.some(({ kind }) => kind === "v4") ? [{ kind: "v4-unlock", steps }] : steps;
}
