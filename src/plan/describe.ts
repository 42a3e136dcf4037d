import { formatUnits, isHexString, ZeroAddress } from "ethers";
import { IArbExecutor__factory } from "../../types/contracts/index.js";
import { formatToken } from "../config/format-token.js";
import type { Network } from "../config/network.js";
import { findToken } from "../config/networks.js";
import { usage } from "./bytes.js";
import { type DecodedPlan, decodePlan, PLAN_PREFIX } from "./codec.js";
import { guardLines } from "./guards.js";
import { decodeV4Plan, V4_PREFIX } from "./v4.js";
import { describeSteps } from "./describe-steps.js";
import { STEPS_PREFIX } from "./steps.js";

/** Any calldata of the executor, for people and as an object. Amounts in base units. */
export interface PlanDescription {
  /** How it was sent: as bare bytes, or through `execute(bytes)`. */
  entry: "bare" | "execute";
  format: string;
  bytes: number;
  plan: object;
  lines: string[];
}

/** One format of plans, told by the first byte. */
interface PlanFormat {
  name: string;
  matches(first: number): boolean;
  describe(data: string, network: Network | null): { plan: object; lines: string[] };
}

/** Every format that the contract knows; another format is one entry more. */
const FORMATS: readonly PlanFormat[] = [
  { name: "fast", matches: (first) => (first & 0xf8) === PLAN_PREFIX, describe: describeFast },
  { name: "V4", matches: (first) => (first & 0xf8) === V4_PREFIX, describe: describeV4 },
  {
    name: "steps",
    matches: (first) => (first & 0xf0) === STEPS_PREFIX,
    describe: (data, network) => describeSteps(data, (address) => named(network, address)),
  },
];

/**
 * Reads bare or wrapped calldata back into words. The network names the profit token, and what else its registry knows.
 * Throws ArbError "usage" for bytes that are no plan.
 */
export function describePlan(data: string, network: Network | null): PlanDescription {
  if (!isHexString(data) || data.length % 2 !== 0) throw usage("plan", "is not a hexadecimal string of whole bytes");
  const execute = IArbExecutor__factory.createInterface().getFunction("execute");
  const wrapped = data.toLowerCase().startsWith(execute.selector);
  const bare = wrapped ? unwrap(data) : data;
  const first = bare.length < 4 ? -1 : Number(bare.slice(0, 4));
  const format = FORMATS.find((known) => known.matches(first));
  if (!format) throw usage("plan", "does not start like a plan of any known format");
  const { plan, lines } = format.describe(bare, network);
  const [entry, bytes] = [wrapped ? ("execute" as const) : ("bare" as const), (data.length - 2) / 2];
  const title = `plan in the ${format.name} format, ${bytes} bytes${wrapped ? " through execute(bytes)" : ""}`;
  return { entry, format: format.name, bytes, plan, lines: [title, ...lines] };
}

function unwrap(data: string): string {
  try {
    return IArbExecutor__factory.createInterface().decodeFunctionData("execute", data)[0] as string;
  } catch {
    // the selector alone, or arguments that do not decode: the same mistake to whoever pasted it
    throw usage("plan", "starts like execute(bytes) but its argument does not decode");
  }
}

function describeFast(data: string, network: Network | null): { plan: DecodedPlan; lines: string[] } {
  const plan = decodePlan(data);
  const profitToken = plan.profitToken ?? network?.wrappedNative ?? null;
  const profit = (amount: bigint) =>
    network && profitToken
      ? formatToken(network, profitToken, amount)
      : `${amount} units of ${profitToken ?? "the wrapped native token"}`;
  const { funding } = plan;
  const lines = [
    `profit token  ${profitToken ? named(network, profitToken) : "the chain's wrapped native token"}`,
    `amounts       ${plan.amounts}`,
    `funding       ${funding.source}${funding.lender ? ` ${named(network, funding.lender)}, ${profit(funding.loan)}, fee at most ${profit(funding.maxFee)}` : ""}`,
    `amount in     ${plan.exact ? "" : "at most "}${profit(plan.amountIn)}`,
    ...plan.hops.map((hop, i) => {
      const direction = hop.zeroForOne ? "token0 -> token1" : "token1 -> token0";
      const amount =
        hop.feePips !== null
          ? `output computed, fee ${formatUnits(hop.feePips, 4)} %`
          : hop.kind === "v2"
            ? `${hop.amount} units out`
            : i === plan.pivot
              ? `exactly ${hop.amount} units in, called first`
              : hop.amount === 0n
                ? "delivers what the next pool is owed"
                : `exactly ${hop.amount} units out`;
      return `hop ${i + 1}         ${hop.kind} ${named(network, hop.pool)} ${direction}, ${amount}`;
    }),
    `least profit  ${profit(plan.minProfit)}`,
    ...guardLines(plan, profit),
  ];
  return { plan, lines };
}

function describeV4(data: string, network: Network | null): { plan: object; lines: string[] } {
  const plan = decodeV4Plan(data);
  const wrapped = network?.wrappedNative ?? null;
  const profit = (amount: bigint) =>
    network && wrapped ? formatToken(network, wrapped, amount) : `${amount} units of the wrapped native token`;
  const lines = [
    `profit token  ${wrapped ? named(network, wrapped) : "the chain's wrapped native token"}`,
    `amount in     ${profit(plan.amountIn)}${plan.startsNative ? ", as ETH" : ""}`,
    ...plan.hops.map((hop, i) => {
      const end = plan.endsNative ? "ETH" : "the profit token";
      const tokenOut = hop.tokenOut === null ? end : hop.tokenOut === ZeroAddress ? "ETH" : named(network, hop.tokenOut);
      const { key } = hop;
      const what = key
        ? `fee ${key.fee === 0x800000 ? "dynamic" : `${formatUnits(key.fee, 4)} %`}, spacing ${key.tickSpacing}${key.hooks === ZeroAddress ? "" : `, hooks ${key.hooks}`}${key.hookData === "0x" ? "" : `, data ${key.hookData}`}`
        : `${hop.pool}${hop.amountOut === null ? "" : `, ${hop.amountOut} units out`}`;
      return `hop ${i + 1}         ${hop.kind} to ${tokenOut}, ${what}`;
    }),
    `least profit  ${profit(plan.minProfit)}`,
    ...guardLines(plan, profit),
  ];
  return { plan, lines };
}

/** An address with what the registry calls it. */
function named(network: Network | null, address: string): string {
  if (!network) return address;
  const token = findToken(network, address);
  if (token) return `${token.symbol} (${token.address})`;
  const lender = Object.entries(network.lenders).find(([, entry]) => entry?.address.toLowerCase() === address.toLowerCase());
  return lender ? `${lender[0]} (${address})` : address;
}
