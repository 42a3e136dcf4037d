import { Interface, isHexString } from "ethers";
import { StepExecutor__factory } from "../../types/contracts/index.js";

/** What a revert means: a name to count by, its arguments, and one sentence for people. */
export interface RevertExplanation {
  /** Custom error's name, "Error", "Panic", "empty" or "unknown". A pool's or token's own string is `args[0]` of "Error". */
  name: string;
  args: (bigint | string)[];
  text: string;
}

/** One sentence per custom error of ArbExecutor. */
const OWN_ERRORS: Record<string, (args: (bigint | string)[]) => string> = {
  NotOperator: () => "The sender is not an operator of this executor.",
  NotOwner: () => "Only the owner (or, to accept, the offered owner) may do this.",
  PlanRunning: () => "A plan is running; nothing else can be started inside it.",
  UnexpectedCallback: () => "A contract called back that should not, twice, or with altered data.",
  MalformedPlan: () => "The bytes are not a plan, or are cut off.",
  Expired: () => "The block's time is past the plan's deadline.",
  OutsideBlockWindow: () => "The block is outside the plan's block window.",
  WrongParent: () => "The parent block is not the one that the plan is for.",
  PoolMoved: () => "The first pool has moved beyond the plan's bound: someone traded there before.",
  GasPriceMissing: () => "The plan counts its own gas, but at a price of zero.",
  TipNotHere: () => "Tips to the block's proposer exist on Ethereum and Sepolia only.",
  TipNotNative: () => "A tip is paid out of a profit in the wrapped native token only.",
  TipAboveProfit: ([tip, profit]) => `The tip of ${tip} wei is more than the ${profit} that the plan made.`,
  TipRefused: () => "The block's proposer did not accept the tip.",
  EtherRefused: () => "The call came with ETH; the executor takes none.",
  PaymentAboveCap: ([payment, cap]) =>
    `The first pool wants ${payment} base units, more than the cap of ${cap}: the price moved.`,
  LenderFeeAboveCap: ([fee, cap]) => `The lender asks a fee of ${fee} base units, more than the cap of ${cap}.`,
  AllowanceLeft: () => "The lender did not take back its loan; an allowance would have been left.",
  TokenCallFailed: () => "A token refused a transfer or an approval, or is no token.",
  ProfitTooLow: ([got, needed]) => `The balance changed by ${got} base units where at least ${needed} was required.`,
  AssetLost: ([index, before, afterwards]) =>
    `The plan would end with ${afterwards} base units of its asset ${index}, where there were ${before}.`,
  InvalidOwner: () => "The owner must not be zero or an operator.",
  InvalidOperators: () => "One to four different operators are needed, none of them zero or the owner.",
  NativeTransferFailed: () => "The owner did not accept the ETH, or there is less than that.",
};

/** Strings of the protocols that we call. Sources: v2-core, v3-core, WETH9, Aave core-v3 (helpers/Errors.sol), Balancer V2. */
const STRINGS: Record<string, string> = {
  "UniswapV2: K": "A V2 pair got too little input for the output: its reserves changed since the quote.",
  "UniswapV2: INSUFFICIENT_INPUT_AMOUNT": "A V2 pair received no input.",
  "UniswapV2: INSUFFICIENT_OUTPUT_AMOUNT": "A V2 pair was asked for nothing.",
  "UniswapV2: INSUFFICIENT_LIQUIDITY": "A V2 pair was asked for more than its reserve.",
  "UniswapV2: INVALID_TO": "A V2 pair was told to send to one of its own tokens.",
  "UniswapV2: LOCKED": "A V2 pair was called inside its own swap.",
  "UniswapV2: TRANSFER_FAILED": "A token refused the transfer out of a V2 pair.",
  "UniswapV2: OVERFLOW": "A V2 pair's reserve would exceed 112 bits.",
  LOK: "A V3 pool was called inside its own swap, or is not initialised.",
  IIA: "A V3 pool got less than it was owed.",
  SPL: "A V3 pool's price is already beyond the price limit.",
  AS: "A V3 pool was asked to swap nothing.",
  TF: "A token refused the transfer out of a V3 pool.",
  "26": "Aave: the amount is not valid.",
  "27": "Aave: the reserve is not active.",
  "29": "Aave: the reserve is paused.",
  "91": "Aave: flash loans of this token are disabled.",
  "13": "Aave: the receiver of the flash loan did not answer true.",
  "BAL#400": "Balancer: the call was re-entered.",
  "BAL#402": "Balancer: the vault is paused.",
  "BAL#515": "Balancer: the flash loan was not repaid.",
  "BAL#602": "Balancer: the fee of the flash loan was not paid.",
  "BAL#528": "Balancer: the vault does not hold that much.",
  "BAL#304": "Balancer: the input is too large a share of the pool's balance.",
  "BAL#305": "Balancer: the output is too large a share of the pool's balance.",
  "BAL#500": "Balancer: there is no such pool.",
  "BAL#507": "Balancer: the swap would break its limit; the pool's balances changed since the quote.",
  "BAL#508": "Balancer: the swap's deadline has passed.",
  "BAL#521": "Balancer: the pool does not hold this token.",
  "UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT": "The V2 router would give less than asked for.",
  "UniswapV2Router: EXPIRED": "The V2 router's deadline has passed.",
  "Too little received": "The V3 router would give less than asked for.",
  "Too much requested": "The V3 router would take more than allowed.",
  "Transaction too old": "The V3 router's deadline has passed.",
  STF: "A token refused a transferFrom: too little balance or allowance.",
  "Exchange resulted in fewer coins than expected": "A Curve pool would give less than asked for.",
  "ERC20: transfer amount exceeds balance": "A token has too little of the payer's.",
  "ERC20: insufficient allowance": "A token may not be taken: its allowance is too low.",
  "ERC20: transfer amount exceeds allowance": "A token may not be taken: its allowance is too low.",
  "Dai/insufficient-balance": "DAI: the payer holds too little.",
  "Dai/insufficient-allowance": "DAI: its allowance is too low.",
  "ds-math-sub-underflow": "A token has too little of the payer's, or its allowance is too low.",
};

/** Custom errors of the protocols that we call. Sources: v4-core, OpenZeppelin 5 (EIP-6093), Aave v3.4, Aerodrome and Velodrome v2. */
const FOREIGN: [signature: string, text: (args: (bigint | string)[], depth: number) => string][] = [
  ["ManagerLocked()", () => "V4: the pool manager was called outside its unlock."],
  ["AlreadyUnlocked()", () => "V4: the pool manager is unlocked already."],
  ["CurrencyNotSettled()", () => "V4: the plan left something owed to the pool manager, or by it."],
  ["PoolNotInitialized()", () => "V4: there is no such pool."],
  ["SwapAmountCannotBeZero()", () => "V4: a pool was asked to swap nothing."],
  ["PriceLimitAlreadyExceeded(uint160,uint160)", () => "V4: the pool's price is already beyond the price limit."],
  ["PriceLimitOutOfBounds(uint160)", () => "V4: the price limit is no price."],
  ["HookDeltaExceedsSwapAmount()", () => "V4: the pool's hook took more than the swap has."],
  ["InvalidHookResponse()", () => "V4: the pool's hook did not answer as it must."],
  [
    "WrappedError(address,bytes4,bytes,bytes)",
    ([target, , inner], depth) => `V4: ${target}, called by the pool manager, failed: ${explain(String(inner), depth + 1).text}`,
  ],
  [
    "ERC20InsufficientBalance(address,uint256,uint256)",
    ([who, has, needs]) => `A token: ${who} holds ${has}, ${needs} are needed.`,
  ],
  [
    "ERC20InsufficientAllowance(address,uint256,uint256)",
    ([who, has, needs]) => `A token: ${who} may take ${has}, ${needs} are needed.`,
  ],
  ["ERC20InvalidReceiver(address)", ([who]) => `A token refuses ${who} as its receiver.`],
  ["SafeERC20FailedOperation(address)", ([token]) => `The token ${token} refused a transfer or an approval.`],
  ["FlashloanDisabled()", () => "Aave: flash loans of this token are disabled."],
  ["ReservePaused()", () => "Aave: the reserve is paused."],
  ["ReserveInactive()", () => "Aave: the reserve is not active."],
  ["InvalidFlashloanExecutorReturn()", () => "Aave: the receiver of the flash loan did not answer true."],
  ["K()", () => "A Solidly pool got too little input for the output: its reserves changed since the quote."],
  ["InsufficientOutputAmount()", () => "A Solidly pool was asked for nothing."],
  ["InsufficientInputAmount()", () => "A Solidly pool received no input."],
  ["InsufficientLiquidity()", () => "A Solidly pool was asked for more than its reserve."],
  ["IsPaused()", () => "A Solidly pool is paused."],
];
// SushiSwap and PancakeSwap changed the prefix only
const V2_PREFIXES = ["UniswapV2: ", "Pancake: "];

const foreign = new Interface(FOREIGN.map(([signature]) => `error ${signature}`));
const FOREIGN_TEXTS = new Map(FOREIGN.map(([signature, text]) => [signature.slice(0, signature.indexOf("(")), text]));
const standard = new Interface(["error Error(string)", "error Panic(uint256)"]);
const own = StepExecutor__factory.createInterface();

/** Explains the revert data of a transaction or `eth_call` to the executor. Never throws. */
export function explainRevert(data: string): RevertExplanation {
  return explain(data, 0);
}

/** Errors inside errors are followed this far: a hostile hook may wrap them without end. */
const MAX_DEPTH = 4;

function explain(data: string, depth: number): RevertExplanation {
  if (depth > MAX_DEPTH) return { name: "unknown", args: [], text: "More errors are wrapped inside." };
  if (!isHexString(data)) return { name: "unknown", args: [data], text: "The node reported no revert data." };
  if (data === "0x") {
    return { name: "empty", args: [], text: "Reverted without data: out of gas, or a call to something that is no contract." };
  }
  const ours = parse(own, data);
  const sentenceOf = ours && OWN_ERRORS[ours.name];
  if (sentenceOf) return { ...ours, text: sentenceOf(ours.args) };
  const error = parse(standard, data);
  if (error?.name === "Panic") {
    return { ...error, text: `A contract failed an internal check (Solidity panic 0x${BigInt(error.args[0]!).toString(16)}).` };
  }
  if (error) {
    const message = String(error.args[0]);
    if (message === "")
      return { ...error, text: "A pool or token reverted without a reason: most often a payment that is not covered." };
    return { ...error, text: sentence(message) ?? `A pool, token or lender refused: "${shown(message)}".` };
  }
  const theirs = parse(foreign, data);
  const tell = theirs && FOREIGN_TEXTS.get(theirs.name);
  if (tell) return { ...theirs, text: tell(theirs.args, depth) };
  return { name: "unknown", args: [data], text: `A pool, token or lender refused with ${data.slice(0, 10)}.` };
}

/** A stranger's text as it may be shown on a terminal: without control characters, and short. */
function shown(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, "?").slice(0, 200);
}

function sentence(message: string): string | undefined {
  const prefix = V2_PREFIXES.find((start) => message.startsWith(start));
  return STRINGS[prefix ? "UniswapV2: " + message.slice(prefix.length) : message];
}

function parse(contract: Interface, data: string): { name: string; args: (bigint | string)[] } | null {
  try {
    const error = contract.parseError(data);
    return error && { name: error.name, args: error.args.toArray().map(plain) };
  } catch {
    // the selector matches but the arguments do not decode: someone else's bytes
    return null;
  }
}

function plain(value: unknown): bigint | string {
  return typeof value === "bigint" ? value : String(value);
}
