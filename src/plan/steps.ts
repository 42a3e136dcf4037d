import { getAddress, isHexString } from "ethers";
import { IArbExecutor__factory } from "../../types/contracts/index.js";
import { addressDigits } from "../address.js";
import { ArbError } from "../errors.js";
import { decodeGuards, encodeGuards, NO_GUARDS } from "./guards.js";
import { checkStepsPlan } from "./step-check.js";
import type { Asset, CurveForm, Step, StepAmount, StepLender, StepsPlan } from "./step-types.js";

/** Plans of steps as bytes. The layout is documented at the head of contracts/StepRunner.sol. */

/** First byte of every plan of steps without its flags. No selector of ArbExecutor starts with this digit. */
export const STEPS_PREFIX = 0xb0;
const FLAGS = { manager: 1, guards: 4 } as const;
const OPTIONS = { direct: 0x10, exactOut: 0x20, measure: 0x40, given: 0x80 } as const;
const ASSETS: readonly Asset["kind"][] = ["native", "erc20", "claim"];
const SOURCES: readonly StepAmount["from"][] = ["fixed", "previous", "surplus", "share", "arrived"];
const FORMS: readonly CurveForm[] = ["int128", "uint256", "underlying-int128", "underlying-uint256", "native"];
const ZERO = `0x${"00".repeat(20)}`;
/** Fee of a V2 pool that computes its output itself. */
const ASK_POOL = 0xffffff;

/** Kinds of steps and loans by their number. */
const KINDS = "- v2 v3 curve balancer-v2 erc4626-deposit erc4626-redeem wrap unwrap v4-swap v4-take v4-settle v4-mint v4-burn"
  .split(" ")
  .concat("flash-v2 flash-v3-swap aave-v3 balancer-v2 morpho erc3156 v3-flash v4-unlock balancer-v3 balancer-v3-swap".split(" "));
/** These kinds have steps inside. */
const FIRST_LOAN = 14;
const LAST_LOAN = 22;

/** A step as the contract sees it. */
interface Packed {
  code: number;
  options: number;
  assetIn: number;
  assetOut: number;
  target: string;
  amount: bigint;
  /** Hexadecimal, without the steps inside. */
  extra: string;
  inside: Step[];
}

/** The bare calldata of a plan, for the contract's fallback. Throws ArbError "usage" naming the first field that is wrong. */
export function encodeSteps(plan: StepsPlan): string {
  checkStepsPlan(plan);
  const { v4Manager } = plan;
  const guards = encodeGuards(plan);
  return [
    "0x",
    bytes(STEPS_PREFIX | (v4Manager === null ? 0 : FLAGS.manager) | (guards === "" ? 0 : FLAGS.guards), 1),
    bytes((plan.profitAsset << 4) | plan.assets.length, 1),
    bytes(plan.minProfit, 16),
    guards,
    v4Manager === null ? "" : address(v4Manager),
    ...plan.assets.map((asset) => bytes(ASSETS.indexOf(asset.kind), 1) + address(asset.address)),
    ...plan.steps.map(encodeStep),
  ].join("");
}

/** Calldata of `execute(bytes)` with the same plan. Throws like `encodeSteps`. */
export function encodeExecuteSteps(plan: StepsPlan): string {
  return IArbExecutor__factory.createInterface().encodeFunctionData("execute", [encodeSteps(plan)]);
}

/** Whether calldata starts like a plan of steps. */
export function isStepsPlan(data: string): boolean {
  return /^0xb/i.test(data);
}

function encodeStep(step: Step): string {
  const { code, options, assetIn, assetOut, target, amount, extra, inside } = pack(step);
  const rest = extra + inside.map(encodeStep).join("");
  return (
    bytes(code, 1) +
    bytes(options, 1) +
    bytes((assetIn << 4) | assetOut, 1) +
    bytes(rest.length / 2, 2) +
    address(target) +
    bytes(amount, 16) +
    rest
  );
}

function pack(step: Step): Packed {
  const leaf = { code: KINDS.indexOf(step.kind), inside: [] };
  switch (step.kind) {
    case "v2": {
      const given = step.amountOut === null ? 0 : OPTIONS.given;
      const fee = bytes(step.feePips ?? ASK_POOL, 3);
      const more = step.amountOut ?? step.maxIn;
      return { ...leaf, ...swap(step), options: swap(step).options | given, target: step.pool, extra: fee + optional(more) };
    }
    case "v3":
      return { ...leaf, ...swap(step), target: step.pool, extra: optional(step.maxIn) };
    case "curve": {
      const extra = bytes(step.i, 1) + bytes(step.j, 1) + bytes(FORMS.indexOf(step.form), 1);
      return { ...leaf, ...swap(step), target: step.pool, extra };
    }
    case "balancer-v2":
      return { ...leaf, ...swap(step), target: step.vault, extra: step.poolId.slice(2).toLowerCase() + optional(step.maxIn) };
    case "balancer-v3-swap":
      return { ...leaf, ...swap(step), target: step.vault, extra: address(step.pool) + optional(step.maxIn) };
    case "erc4626-deposit":
    case "erc4626-redeem":
      return { ...leaf, ...swap(step), target: step.vault, extra: "" };
    case "wrap":
    case "unwrap":
      return { ...leaf, ...swap(step), target: ZERO, extra: "" };
    case "v4-swap": {
      const spacing = bytes(step.tickSpacing & 0xffffff, 3);
      const extra = bytes(step.feePips, 3) + spacing + address(step.hooks) + step.hookData.slice(2).toLowerCase();
      const options = swap(step).options | (step.exact === "out" ? OPTIONS.exactOut : 0);
      return { ...leaf, ...swap(step), options, target: ZERO, extra };
    }
    case "v4-take":
    case "v4-mint":
    case "v4-burn": {
      const [options, amount] = amountOf(step.amount);
      return { ...leaf, options, assetIn: step.asset, assetOut: step.asset, target: ZERO, amount, extra: "" };
    }
    case "v4-settle":
      return { ...leaf, options: 0, assetIn: step.asset, assetOut: step.asset, target: ZERO, amount: step.max, extra: "" };
    case "v4-unlock":
      return { ...leaf, options: 0, assetIn: 0, assetOut: 0, target: ZERO, amount: 0n, extra: "", inside: step.steps };
    case "flash-v2": {
      const { assetIn, assetOut, pool, amountOut } = step;
      const extra = bytes(step.maxIn, 16) + bytes(step.feePips ?? 0, 3);
      return { ...leaf, options: 0, assetIn, assetOut, target: pool, amount: amountOut, extra, inside: step.steps };
    }
    case "flash-v3-swap": {
      const { assetIn, assetOut, pool, amount } = step;
      const options = step.exact === "out" ? OPTIONS.exactOut : 0;
      return { ...leaf, options, assetIn, assetOut, target: pool, amount, extra: bytes(step.maxIn, 16), inside: step.steps };
    }
    case "loan": {
      const { asset, lender, amount } = step;
      const code = KINDS.indexOf(step.source, FIRST_LOAN);
      const options = step.token1 ? OPTIONS.exactOut : 0;
      const extra = bytes(step.maxFee, 16);
      return { code, options, assetIn: asset, assetOut: asset, target: lender, amount, extra, inside: step.steps };
    }
  }
}

/** What all swaps have in common. */
function swap(step: {
  assetIn: number;
  assetOut: number;
  amount: StepAmount;
  measure: boolean;
  direct?: boolean;
  maxIn?: bigint | null;
}) {
  const [source, amount] = amountOf(step.amount);
  const options =
    source |
    (step.direct ? OPTIONS.direct : 0) |
    (step.maxIn == null ? 0 : OPTIONS.exactOut) |
    (step.measure ? OPTIONS.measure : 0);
  return { options, assetIn: step.assetIn, assetOut: step.assetOut, amount };
}

function amountOf(amount: StepAmount): [options: number, value: bigint] {
  const value = amount.from === "fixed" ? amount.value : amount.from === "share" ? BigInt(amount.bips) : 0n;
  return [SOURCES.indexOf(amount.from), value];
}

// ---------------------------------------------------------------------------------------------------------------- decoding

/** Reads bare calldata back. Throws ArbError "usage" if it is not a plan of steps as `encodeSteps` writes them. */
export function decodeSteps(data: string): StepsPlan {
  if (!isHexString(data) || data.length % 2 !== 0) throw usage("plan", "is not a hexadecimal string of whole bytes");
  const reader = new Reader(data.slice(2).toLowerCase());
  const first = Number(reader.uint(1));
  if ((first & ~(FLAGS.manager | FLAGS.guards)) !== STEPS_PREFIX) throw usage("plan", "does not start like a plan of steps");
  const counts = Number(reader.uint(1));
  const minProfit = reader.uint(16);
  const { poolBound, ...guards } = (first & FLAGS.guards) === 0 ? NO_GUARDS : decodeGuards(reader);
  if (poolBound !== null) throw usage("plan.guards", "has a bound for the first pool, which plans of steps have not");
  const v4Manager = (first & FLAGS.manager) === 0 ? null : reader.address();
  const assets = Array.from({ length: counts & 15 }, (_, i): Asset => {
    const kind = ASSETS[Number(reader.uint(1))];
    if (kind === undefined) throw usage(`assets[${i}].kind`, "is not known");
    return { kind, address: reader.address() };
  });
  const plan: StepsPlan = {
    assets,
    profitAsset: counts >> 4,
    minProfit,
    v4Manager,
    ...guards,
    steps: decodeList(reader, "steps"),
  };
  // whatever the layout has room for and no plan has: bits without meaning, flags of empty guards
  if (encodeSteps(plan) !== data.toLowerCase()) throw usage("plan", "is not written as plans of steps are");
  return plan;
}

function decodeList(reader: Reader, where: string): Step[] {
  const steps: Step[] = [];
  while (!reader.atEnd()) steps.push(decodeStep(reader, `${where}[${steps.length}]`));
  return steps;
}

function decodeStep(reader: Reader, where: string): Step {
  const code = Number(reader.uint(1));
  const options = Number(reader.uint(1));
  const indices = Number(reader.uint(1));
  const size = Number(reader.uint(2));
  const target = reader.address();
  const value = reader.uint(16);
  const extra = new Reader(reader.take(size));
  const kind = code === 0 ? undefined : KINDS[code];
  if (kind === undefined) throw usage(`${where}.kind`, `${code} is not known`);
  const [assetIn, assetOut] = [indices >> 4, indices & 15];
  const inside = () => decodeList(extra, `${where}.steps`);
  if (code >= FIRST_LOAN && code <= LAST_LOAN) {
    if (kind === "v4-unlock") return { kind, steps: inside() };
    const most = extra.uint(16);
    const pair = { pool: target, assetIn, assetOut, maxIn: most };
    if (kind === "flash-v2") return { kind, ...pair, amountOut: value, feePips: Number(extra.uint(3)) || null, steps: inside() };
    const second = (options & OPTIONS.exactOut) !== 0;
    if (kind === "flash-v3-swap") return { kind, ...pair, amount: value, exact: second ? "out" : "in", steps: inside() };
    const source = kind as StepLender;
    return { kind: "loan", source, lender: target, asset: assetIn, amount: value, maxFee: most, token1: second, steps: inside() };
  }
  const amount = amountFrom(options, value, where);
  const common = { assetIn, assetOut, amount, measure: (options & OPTIONS.measure) !== 0 };
  const direct = (options & OPTIONS.direct) !== 0;
  const cap = () => ((options & OPTIONS.exactOut) === 0 ? null : extra.uint(16));
  switch (kind) {
    case "v2": {
      const fee = Number(extra.uint(3));
      const amountOut = (options & OPTIONS.given) === 0 ? null : extra.uint(16);
      return { kind, pool: target, ...common, feePips: fee === ASK_POOL ? null : fee, amountOut, maxIn: cap(), direct };
    }
    case "v3":
      return { kind, pool: target, ...common, maxIn: cap(), direct };
    case "curve": {
      const [i, j] = [Number(extra.uint(1)), Number(extra.uint(1))];
      const form = FORMS[Number(extra.uint(1))];
      if (form === undefined) throw usage(`${where}.form`, "is not known");
      return { kind, pool: target, ...common, i, j, form };
    }
    case "balancer-v2": {
      const poolId = "0x" + extra.take(32);
      return { kind, vault: target, ...common, poolId, maxIn: cap() };
    }
    case "balancer-v3-swap":
      return { kind, vault: target, pool: extra.address(), ...common, maxIn: cap(), direct };
    case "erc4626-deposit":
    case "erc4626-redeem":
      return { kind, vault: target, ...common };
    case "wrap":
    case "unwrap":
      return { kind, ...common };
    case "v4-swap": {
      const feePips = Number(extra.uint(3));
      const tickSpacing = Number(BigInt.asIntN(24, extra.uint(3)));
      const hooks = extra.address();
      const hookData = "0x" + extra.rest();
      const exact = (options & OPTIONS.exactOut) === 0 ? "in" : "out";
      return { kind, ...common, exact, feePips, tickSpacing, hooks, hookData };
    }
    case "v4-settle":
      return { kind, asset: assetIn, max: value };
    default:
      return { kind: kind as "v4-take" | "v4-mint" | "v4-burn", asset: assetIn, amount };
  }
}

function amountFrom(options: number, value: bigint, where: string): StepAmount {
  const from = SOURCES[options & 15];
  if (from === undefined) throw usage(`${where}.amount`, "comes from a source that is not known");
  if (from === "fixed") return { from, value };
  return from === "share" ? { from, bips: Number(value) } : { from };
}

function usage(where: string, text: string): ArbError {
  return new ArbError("usage", `${where} ${text}`, { where });
}

function optional(value: bigint | null): string {
  return value === null ? "" : bytes(value, 16);
}

function bytes(value: bigint | number, size: number): string {
  return value.toString(16).padStart(size * 2, "0");
}

function address(value: string): string {
  const digits = addressDigits(value);
  if (digits === null) throw new ArbError("usage", `"${value}" is not an address`);
  return digits;
}

/** Reads big-endian fields one after the other from hexadecimal digits. */
class Reader {
  private position = 0;

  constructor(private readonly digits: string) {}

  uint(size: number): bigint {
    return BigInt("0x" + this.take(size));
  }

  number(size: number): number {
    return Number(this.uint(size));
  }

  address(): string {
    return getAddress("0x" + this.take(20));
  }

  take(size: number): string {
    const end = this.position + size * 2;
    if (end > this.digits.length) throw usage("plan", "is cut off");
    const part = this.digits.slice(this.position, end);
    this.position = end;
    return part;
  }

  rest(): string {
    return this.take((this.digits.length - this.position) / 2);
  }

  atEnd(): boolean {
    return this.position === this.digits.length;
  }
}
