import type { Asset, Step, StepAmount, StepsPlan } from "./step-types.js";
import { guardLines } from "./guards.js";
import { decodeSteps } from "./steps.js";

/** A plan of steps for people, one line for each step; `named` says what an address is called. Throws like `decodeSteps`. */
export function describeSteps(data: string, named: (address: string) => string): { plan: StepsPlan; lines: string[] } {
  const plan = decodeSteps(data);
  const name = ({ kind, address }: Asset) =>
    kind === "native" ? "ETH" : kind === "claim" ? `claim on ${named(address)}` : named(address);
  const asset = (index: number) => name(plan.assets[index]!);
  const lines = [
    ...plan.assets.map((entry, i) => `asset ${i}       ${name(entry)}`),
    ...stepLines(plan.steps, asset, named, ""),
    `least profit  ${plan.minProfit} units of ${asset(plan.profitAsset)}`,
    ...guardLines(plan, (amount) => `${amount} units of ${asset(plan.profitAsset)}`),
  ];
  return { plan, lines };
}

function stepLines(
  steps: Step[],
  asset: (index: number) => string,
  named: (address: string) => string,
  indent: string,
): string[] {
  return steps.flatMap((step) => {
    const where = "pool" in step ? step.pool : "vault" in step ? step.vault : "lender" in step ? step.lender : null;
    const source = "source" in step ? ` from ${step.source}` : step.kind === "balancer-v3-swap" ? ` at ${named(step.vault)}` : "";
    const at = where === null ? "" : ` ${named(where)}`;
    const what =
      "assetIn" in step ? `, ${asset(step.assetIn)} -> ${asset(step.assetOut)}` : "asset" in step ? `, ${asset(step.asset)}` : "";
    const line = `${indent}step          ${step.kind}${source}${at}${what}${termsOf(step)}`;
    return "steps" in step ? [line, ...stepLines(step.steps, asset, named, indent + "  ")] : [line];
  });
}

function termsOf(step: Step): string {
  if (step.kind === "v4-unlock") return "";
  if (step.kind === "v4-settle") return `, what is owed, at most ${step.max} units`;
  if (step.kind === "flash-v2") {
    return `, lends ${step.amountOut} units, paid ${step.feePips === null ? "exactly" : "at most"} ${step.maxIn}`;
  }
  if (step.kind === "flash-v3-swap") return `, exactly ${step.amount} units ${step.exact}, paid at most ${step.maxIn}`;
  if (step.kind === "loan") return `, ${step.amount} units, fee at most ${step.maxFee}`;
  const cap = "maxIn" in step && step.maxIn !== null ? ` out, at most ${step.maxIn} in` : "";
  return `, ${amountText(step.amount)}${cap}${"direct" in step && step.direct ? ", straight to the next pool" : ""}`;
}

function amountText(amount: StepAmount): string {
  switch (amount.from) {
    case "fixed":
      return `${amount.value} units`;
    case "share":
      return `${amount.bips / 100} % of what is above the balance before`;
    case "previous":
      return "what the step before gave";
    case "surplus":
      return "all above the balance before";
    case "arrived":
      return "what arrived";
  }
}
