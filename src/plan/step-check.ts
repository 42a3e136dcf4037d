import { isHexString } from "ethers";
import { addressDigits } from "../address.js";
import { ArbError } from "../errors.js";
import { checkGuardValues } from "./guards.js";
import type { Asset, Step, StepAmount, StepsPlan } from "./step-types.js";

/** More would fit the layout, but nothing in the program makes them. Steps inside others count. */
export const MAX_STEPS = 16;
export const MAX_ASSETS = 15;
/** Amounts have 16 bytes. Larger ones are refused, never cut. */
export const MAX_STEP_AMOUNT = (1n << 128n) - 1n;
/** A fee that the pool's hook sets (LPFeeLibrary.DYNAMIC_FEE_FLAG of v4-core). */
const DYNAMIC_FEE = 0x800000;

interface Place {
  plan: StepsPlan;
  where: string;
  /** The step before and after in the same list. */
  previous: Step | null;
  next: Step | null;
  /** Inside an unlock of the PoolManager. */
  unlocked: boolean;
  /** Vaults of Balancer V3 that are unlocked. */
  vaults: string[];
}

/** Throws ArbError "usage" naming the first field of a plan of steps that is wrong. */
export function checkStepsPlan(plan: StepsPlan): void {
  const { assets, v4Manager } = plan;
  if (assets.length < 1 || assets.length > MAX_ASSETS)
    throw usage("assets", `has ${assets.length} entries; allowed are 1 to ${MAX_ASSETS}`);
  for (const [i, asset] of assets.entries()) {
    const where = `assets[${i}].address`;
    checkAddress(where, asset.address, asset.kind !== "erc20");
    if (asset.kind === "native" && BigInt(asset.address) !== 0n) throw usage(where, "must be the zero address for ETH");
    if (asset.kind === "claim" && v4Manager === null) throw usage("v4Manager", "is needed for claims");
    const same = (other: Asset) => other.kind === asset.kind && BigInt(other.address) === BigInt(asset.address);
    if (assets.findIndex(same) !== i) throw usage(where, "stands there twice");
  }
  checkIndex(plan, "profitAsset", plan.profitAsset);
  checkAmount("minProfit", plan.minProfit, 0n);
  if (v4Manager !== null) checkAddress("v4Manager", v4Manager, false);
  checkGuardValues(plan);
  for (const field of ["tip", "sweep"] as const) {
    // on chain a tip also needs the chain's own wrapped native token, on Ethereum or Sepolia
    if (plan[field] && assets[plan.profitAsset]!.kind !== "erc20") throw usage(field, "needs a profit in a token");
  }
  const count = checkList(plan, plan.steps, "steps", false, []);
  if (count < 1 || count > MAX_STEPS) throw usage("steps", `are ${count} in all; allowed are 1 to ${MAX_STEPS}`);
}

/** Checks the steps of a list and returns how many they are with those inside. */
function checkList(plan: StepsPlan, steps: Step[], where: string, unlocked: boolean, vaults: string[]): number {
  let count = 0;
  for (const [i, step] of steps.entries()) {
    const place = { plan, where: `${where}[${i}]`, previous: steps[i - 1] ?? null, next: steps[i + 1] ?? null, unlocked, vaults };
    checkStep(step, place);
    count += 1;
    if (!("steps" in step)) continue;
    const inside = step.kind === "loan" && step.source === "balancer-v3" ? [...vaults, step.lender.toLowerCase()] : vaults;
    count += checkList(plan, step.steps, `${place.where}.steps`, unlocked || step.kind === "v4-unlock", inside);
  }
  return count;
}

function checkStep(step: Step, place: Place): void {
  const { plan, where } = place;
  if (step.kind.startsWith("v4-")) {
    if (plan.v4Manager === null) throw usage("v4Manager", `is needed for ${where}`);
    if ((step.kind === "v4-unlock") === place.unlocked) {
      throw usage(where, place.unlocked ? "is an unlock inside another" : "stands outside an unlock of the PoolManager");
    }
  }
  if ("pool" in step) checkAddress(`${where}.pool`, step.pool, false);
  if ("vault" in step) checkAddress(`${where}.vault`, step.vault, false);
  if ("asset" in step) checkIndex(plan, `${where}.asset`, step.asset);
  if ("assetIn" in step) {
    checkIndex(plan, `${where}.assetIn`, step.assetIn);
    checkIndex(plan, `${where}.assetOut`, step.assetOut);
    if (step.assetIn === step.assetOut) throw usage(`${where}.assetOut`, "is the same asset as assetIn");
    if (step.kind !== "wrap" && step.kind !== "unwrap") checkKinds(step, place);
  }
  if ("measure" in step) checkSource(step.amount, place, step.kind === "v2");
  if ("maxIn" in step && step.maxIn !== null) checkAmount(`${where}.maxIn`, step.maxIn, 1n);
  switch (step.kind) {
    case "v2":
      if (step.feePips !== null) checkFee(`${where}.feePips`, step.feePips);
      if (step.amountOut !== null) {
        checkAmount(`${where}.amountOut`, step.amountOut, 1n);
        if (step.maxIn !== null) throw usage(`${where}.maxIn`, "must be null: the input is what is paid");
      }
      if (step.maxIn !== null && step.feePips === null)
        throw usage(`${where}.maxIn`, "must be null: the pool computes outputs only");
      if (step.maxIn !== null && step.amount.from === "arrived")
        throw usage(`${where}.maxIn`, "must be null: the input is there");
      checkDirect(step.direct, place);
      break;
    case "balancer-v3-swap":
      if (!place.vaults.includes(step.vault.toLowerCase())) {
        throw usage(where, "stands outside a loan of its vault, which unlocks it");
      }
      checkDirect(step.direct, place);
      break;
    case "v3":
      checkDirect(step.direct, place);
      break;
    case "curve":
      for (const field of ["i", "j"] as const) checkInteger(`${where}.${field}`, step[field], 0, 15);
      if (step.i === step.j) throw usage(`${where}.j`, "is the same coin as i");
      break;
    case "balancer-v2":
      if (!isHexString(step.poolId, 32)) throw usage(`${where}.poolId`, "is not 32 bytes");
      break;
    case "erc4626-deposit":
    case "erc4626-redeem": {
      const share = plan.assets[step.kind === "erc4626-deposit" ? step.assetOut : step.assetIn]!;
      if (BigInt(share.address) !== BigInt(step.vault)) throw usage(`${where}.vault`, "is not the asset that it mints or burns");
      break;
    }
    case "wrap":
    case "unwrap": {
      const [native, wrapped] = step.kind === "wrap" ? (["assetIn", "assetOut"] as const) : (["assetOut", "assetIn"] as const);
      if (plan.assets[step[native]]!.kind !== "native") throw usage(`${where}.${native}`, "is not ETH");
      if (plan.assets[step[wrapped]]!.kind !== "erc20") throw usage(`${where}.${wrapped}`, "is not a token");
      break;
    }
    case "v4-swap":
      checkInteger(`${where}.feePips`, step.feePips, 0, step.feePips === DYNAMIC_FEE ? DYNAMIC_FEE : 1_000_000);
      checkInteger(`${where}.tickSpacing`, step.tickSpacing, 1, 32767);
      checkAddress(`${where}.hooks`, step.hooks, true);
      if (!isHexString(step.hookData) || step.hookData.length % 2 !== 0) throw usage(`${where}.hookData`, "is not whole bytes");
      break;
    case "v4-take":
    case "v4-mint":
    case "v4-burn":
      checkSource(step.amount, place, false);
      checkClaim(step.kind !== "v4-take", step.asset, place);
      break;
    case "v4-settle":
      checkAmount(`${where}.max`, step.max, 0n);
      checkClaim(false, step.asset, place);
      break;
    case "flash-v2":
      checkAmount(`${where}.amountOut`, step.amountOut, 1n);
      if (step.feePips !== null) checkInteger(`${where}.feePips`, step.feePips, 1, 999_999);
      break;
    case "flash-v3-swap":
      checkAmount(`${where}.amount`, step.amount, 1n);
      break;
    case "loan":
      checkAddress(`${where}.lender`, step.lender, false);
      checkAmount(`${where}.amount`, step.amount, 1n);
      checkAmount(`${where}.maxFee`, step.maxFee, 0n);
      if (plan.assets[step.asset]!.kind !== "erc20") throw usage(`${where}.asset`, "is not a token");
      if (step.token1 && step.source !== "v3-flash") throw usage(`${where}.token1`, `must be false: "${step.source}" is no pool`);
      if (step.maxFee !== 0n && (step.source === "morpho" || step.source === "balancer-v3")) {
        throw usage(`${where}.maxFee`, `must be 0: "${step.source}" lends for nothing`);
      }
      break;
    case "v4-unlock":
      break;
  }
}

/** Assets of a swap: tokens, ETH where the pool knows it, and claims only in V4 (where they stand for their currency). */
function checkKinds(step: Extract<Step, { assetIn: number }>, { plan, where }: Place): void {
  for (const field of ["assetIn", "assetOut"] as const) {
    const { kind } = plan.assets[step[field]]!;
    if (kind === "erc20" || step.kind === "v4-swap") continue;
    const native = kind === "native" && (step.kind === "curve" || step.kind === "balancer-v2");
    if (!native) throw usage(`${where}.${field}`, "is not a token");
  }
}

function checkClaim(claim: boolean, asset: number, { plan, where }: Place): void {
  if ((plan.assets[asset]!.kind === "claim") !== claim) throw usage(`${where}.asset`, claim ? "is not a claim" : "is a claim");
}

function checkSource(amount: StepAmount, { where, previous }: Place, isV2: boolean): void {
  const field = `${where}.amount`;
  if (amount.from === "fixed") checkAmount(field, amount.value, 1n);
  if (amount.from === "share") checkInteger(`${field}.bips`, amount.bips, 1, 10_000);
  if (amount.from === "previous" && previous === null) throw usage(field, "is the output of the step before, and there is none");
  const sent = previous !== null && "direct" in previous && previous.direct;
  if ((amount.from === "arrived") !== (isV2 && sent)) {
    throw usage(field, sent ? 'must come from "arrived": the step before sends here' : "arrives from no step before");
  }
}

function checkDirect(direct: boolean, { where, next }: Place): void {
  if (direct && next?.kind !== "v2") throw usage(`${where}.direct`, "is for a next step in a V2 pool");
}

function checkIndex({ assets }: StepsPlan, where: string, value: number): void {
  checkInteger(where, value, 0, assets.length - 1);
}

function checkFee(where: string, value: number): void {
  checkInteger(where, value, 0, 999_999);
}

function checkInteger(where: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    throw usage(where, `is ${value}; allowed are ${least} to ${most}`);
}

function checkAddress(where: string, value: string, mayBeZero: boolean): void {
  const digits = addressDigits(value);
  if (digits === null || (!mayBeZero && BigInt(`0x${digits}`) === 0n)) throw usage(where, `"${value}" is not an address`);
}

function checkAmount(where: string, value: bigint, least: bigint): void {
  if (value < least || value > MAX_STEP_AMOUNT) throw usage(where, `is ${value}; allowed are ${least} to 2^128 - 1`);
}

function usage(where: string, text: string): ArbError {
  return new ArbError("usage", `${where} ${text}`, { where });
}
