import { toQuantity } from "ethers";
import type { RpcProvider } from "../chain/connect.js";
import { classifyNodeError } from "../chain/errors.js";
import type { RevertExplanation } from "./errors.js";
import type { FinalCall } from "./final-simulation.js";
import type { Plan, PlanHop } from "./plan.js";

/** Where in a plan a revert came from. */
export interface FailedAt {
  /** Indices into `plan.hops`; several where the reason alone does not tell which. */
  hops: number[];
  /** The contract that reverted first; null where the node traces nothing. */
  contract: string | null;
  text: string;
}

interface Frame {
  to?: string;
  error?: string;
  output?: string;
  calls?: Frame[];
}

const TRACE_DEADLINE = "5s";

/** Which kinds of pools say what: a prefix of a string or a custom error's name. */
const SAYINGS: [RegExp, PlanHop["kind"]][] = [
  [/^(UniswapV2|Pancake): /, "v2"],
  [/^(LOK|IIA|SPL|AS|TF|L|M0|M1)$/, "v3"],
  [/^(ManagerLocked|CurrencyNotSettled|PoolNotInitialized|PriceLimit\w+|WrappedError|Hook\w+|SwapAmountCannotBeZero)$/, "v4"],
];

/**
 * Names the hop that failed: by the call tree where the node has `debug_traceCall`, else by what only some pools say. Null when
 * neither tells, for example where the executor itself refused.
 */
export async function locateFailure(
  provider: RpcProvider,
  call: FinalCall,
  parent: number,
  plan: Plan,
  revert: RevertExplanation,
): Promise<FailedAt | null> {
  const path = await failingPath(provider, call, parent);
  return (path === null ? null : byPath(path, call.to, plan)) ?? bySaying(plan, revert);
}

/** The contracts from the call's receiver down to the one whose revert went through to the top; null where nothing is traced. */
async function failingPath(provider: RpcProvider, call: FinalCall, parent: number): Promise<string[] | null> {
  const { from, to, data, value, gasLimit, accessList } = call;
  const request = { from, to, data, value: toQuantity(value), gas: toQuantity(gasLimit), ...(accessList ? { accessList } : {}) };
  let frame: Frame;
  try {
    const options = { tracer: "callTracer", timeout: TRACE_DEADLINE };
    frame = (await provider.send("debug_traceCall", [request, toQuantity(parent), options])) as Frame;
  } catch (error) {
    // most endpoints sell no traces: an explanation is missing then, the verdict stands
    classifyNodeError(error);
    return null;
  }
  if (frame.error === undefined) return null;
  const path: string[] = [];
  for (let at: Frame | undefined = frame; at !== undefined; at = causeOf(at)) path.push((at.to ?? "").toLowerCase());
  return path;
}

/** The call inside a failed one that it failed with: the last that failed with the same bytes, as callers pass reasons on. */
function causeOf(frame: Frame): Frame | undefined {
  const failed = (frame.calls ?? []).filter((child) => child.error !== undefined);
  return failed.findLast((child) => (child.output ?? "0x") === (frame.output ?? "0x"));
}

function byPath(path: string[], executor: string, plan: Plan): FailedAt | null {
  const contract = path.at(-1) ?? "";
  if (contract === executor.toLowerCase()) return null;
  const lender = plan.funding.lender?.toLowerCase() ?? null;
  // the deepest pool on the way: pools call back into the executor, which calls the next pool
  for (const place of path.toReversed()) {
    if (place === executor.toLowerCase()) break;
    const hops = plan.hops.flatMap((hop, i) => (hop.pool.toLowerCase() === place ? [i] : []));
    if (hops.length > 0) {
      const inside = place === contract ? "" : `, in a call to ${contract}`;
      return { hops, contract, text: `Failed in ${named(plan, hops)}${inside}.` };
    }
  }
  if (contract === lender) return { hops: [], contract, text: `Failed in the lender ${plan.funding.source} ${contract}.` };
  return { hops: [], contract, text: `Failed in a call of the executor to ${contract}.` };
}

function bySaying(plan: Plan, { name, args }: RevertExplanation): FailedAt | null {
  // these are about the first pool by what they check
  if (name === "PaymentAboveCap" || name === "PoolMoved")
    return { hops: [0], contract: null, text: `It is ${named(plan, [0])}.` };
  const said = name === "Error" ? String(args[0]) : name;
  const kind = SAYINGS.find(([pattern]) => pattern.test(said))?.[1];
  const hops = plan.hops.flatMap((hop, i) => (hop.kind === kind ? [i] : []));
  if (hops.length === 0) return null;
  return { hops, contract: null, text: `It can only be ${named(plan, hops)}.` };
}

function named(plan: Plan, hops: number[]): string {
  return hops.map((i) => `hop ${i + 1}, the ${plan.hops[i]!.kind.toUpperCase()} pool ${plan.hops[i]!.pool}`).join(", or ");
}
