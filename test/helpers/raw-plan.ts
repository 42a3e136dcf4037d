import { toBeHex } from "ethers";

/** A plan as a thief writes it: any bytes, no rule of the encoder kept. Fields as in the layout at contracts/ArbExecutor.sol. */
export interface RawPlan {
  flags?: number;
  funding?: number;
  /** Number of hops in the head; absent = the number of words. */
  hops?: number;
  pivot?: number;
  v3?: number;
  /** Absent = every hop swaps token0, so that a pool asks for its payment as amount0. */
  directions?: number;
  amountIn?: bigint;
  words: readonly (readonly [pool: string, amount: bigint])[];
  token?: string;
  terms?: readonly [lender: string, loan: bigint, maxFee: bigint];
  minProfit?: bigint;
}

export const MOST = (1n << 96n) - 1n;

const hex = (value: bigint | number, size: number) => toBeHex(value, size).slice(2);

/** The bytes that pools get. */
export function rawBody(plan: RawPlan): string {
  const flags = plan.flags ?? (plan.token === undefined ? 0 : 2);
  const shape = ((plan.funding ?? 0) << 6) | ((plan.hops ?? plan.words.length) << 3) | (plan.pivot ?? 0);
  return [
    "0x",
    hex(0xa0 | flags, 1),
    hex(shape, 1),
    hex(plan.v3 ?? 0, 1),
    hex(plan.directions ?? 0xff, 1),
    hex(plan.amountIn ?? MOST, 12),
    ...plan.words.map(([pool, amount]) => pool.slice(2) + hex(amount, 12)),
    plan.token?.slice(2) ?? "",
  ].join("");
}

/** The bytes that a lender gets. */
export function rawTerms(plan: RawPlan): string {
  const { terms } = plan;
  return rawBody(plan) + (terms ? terms[0].slice(2) + hex(terms[1], 12) + hex(terms[2], 12) : "");
}

export const rawPlan = (plan: RawPlan): string => rawTerms(plan) + hex(plan.minProfit ?? 0n, 12);
