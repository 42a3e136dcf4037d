import type { Provider, TransactionReceipt } from "ethers";
import type { Network } from "../config/network.js";

export type BridgeId = "across" | "cctp" | "stargate" | "op-standard" | "arbitrum-gateway";

/** From one token of one network to the same asset on another. */
export interface BridgeRoute {
  fromChainId: number;
  toChainId: number;
  tokenIn: string;
  tokenOut: string;
}

export interface TransferRequest {
  route: BridgeRoute;
  /** Base units of `tokenIn`. */
  amountIn: bigint;
  /** Account whose tokens leave, and to which refunds go: an EOA or a vault. */
  sender: string;
  recipient: string;
  /** Where the tokens go when a call at their destination fails. */
  fallbackRecipient?: string;
  /** Latest arrival wanted, unix seconds. */
  deadline: number;
  /** Our transfer's id, never used twice: it makes amount and nonce unique and the same in every process. */
  id: string;
  /** The sender attaches no data of ours to what it sends: the amount alone tells the transfer from others. */
  bare?: boolean;
}

/** What a bridge would do with a request, now. Amounts in base units of tokenIn / tokenOut. */
export interface BridgeQuote {
  bridge: BridgeId;
  request: TransferRequest;
  /** What leaves the sender; may be a few units below the request's, to be unique. */
  amountIn: bigint;
  /** Least that arrives. */
  amountOut: bigint;
  /** In tokenIn. */
  fee: bigint;
  /** Wei of the source chain that go with the start, beyond gas. */
  nativeFee: bigint;
  /** Gas of the claim on the destination; 0n when nobody of ours must claim. */
  claimGas: bigint;
  etaSeconds: number;
  /** How long a failed transfer's money is away, at most in usual operation. */
  refundSeconds: number;
  /** Unix seconds after which the start would revert or be worth less. */
  expiresAt: number;
  limits: { min: bigint; max: bigint };
  /** The bridge's own, JSON-safe. */
  terms: Record<string, string>;
}

/** Enough to find the transfer again from chain state alone. JSON-safe; stored before the start is sent where known. */
export interface TransferKey {
  bridge: BridgeId;
  fromChainId: number;
  toChainId: number;
  /** TransferRequest.id. */
  id: string;
  sourceTx: string | null;
  data: Record<string, string>;
}

/**
 * `not-started`: the source chain shows no start of this key. `initiated`: started, nothing more to do than wait. `attesting`: waits
 * for signatures of the bridge. `claimable`: a call of `claim` finishes it. `delivered`: arrived, in a final block. `slow`: later than
 * promised, may still arrive. `expired`: will not arrive, refund not yet under way. `refunding`: the refund is credited or being paid.
 * `refunded`: the input is back with the sender, in a final block. `blocked`: delivery failed, `recover` retries it. `stuck`: no rule
 * of the bridge ends it; an operator must look.
 */
export type TransferState =
  | "not-started"
  | "initiated"
  | "attesting"
  | "claimable"
  | "delivered"
  | "slow"
  | "expired"
  | "refunding"
  | "refunded"
  | "blocked"
  | "stuck";

/** The log that pays us, in the transaction that settles one key. `amount` in base units of `token`. */
export interface Arrival {
  chainId: number;
  txHash: string;
  blockNumber: number;
  blockHash: string;
  logIndex: number;
  token: string;
  amount: bigint;
}

export interface TransferStatus {
  state: TransferState;
  /** Set in `delivered` (on the destination) and `refunded` (on the source) only. */
  arrival: Arrival | null;
  /** In words for a person. */
  waitsFor: string;
  checkAgainSeconds: number;
  /** What the state was read from, JSON-safe. */
  facts: Record<string, string>;
}

/** One network as a bridge sees it. */
export interface ChainView {
  network: Network;
  provider: Provider;
  /** Newest block whose state may be relied on. */
  finalBlock(): Promise<bigint>;
}

/** Bridges that give back what they do not bring. */
export const REFUNDING: ReadonlySet<BridgeId> = new Set(["across", "arbitrum-gateway"]);

/** Throws ArbError "config" for a chain that is not set up. */
export type Views = (chainId: number) => ChainView;

/** A call that the sender (an EOA, or a vault through its operator) must make. `value` in wei. */
export interface BridgeCall {
  chainId: number;
  to: string;
  data: string;
  value: bigint;
  purpose: string;
}

export type QuoteAnswer = { ok: true; quote: BridgeQuote } | { ok: false; reason: string };

export type RecoverWish = "speed-up" | "re-attest" | "retry" | "claim-refund";

/** One bridge protocol. Chain state decides; what an HTTP service says is a hint. */
export interface Bridge {
  id: BridgeId;
  serves(route: BridgeRoute): boolean;
  /** Throws ArbError "network" when a source it needs does not answer; a refusal is an answer. */
  quote(request: TransferRequest, views: Views): Promise<QuoteAnswer>;
  /** Calls in order, an exact approval first where needed, the start last. The same quote always gives the same calls and key. */
  start(quote: BridgeQuote): { calls: BridgeCall[]; key: TransferKey };
  /** The key with what only the receipt tells. Throws ArbError where the receipt did not start this transfer. */
  started(key: TransferKey, receipt: TransactionReceipt): TransferKey;
  /** Throws ArbError "network" when a source does not answer: that is never a state. */
  track(key: TransferKey, views: Views): Promise<TransferStatus>;
  /** The call that finishes the mint, retries the delivery or claims a refund credit; null when there is nothing to claim. */
  claim(key: TransferKey, views: Views): Promise<BridgeCall | null>;
  /** The call that a wish needs; null when the state does not allow it. */
  recover(key: TransferKey, wish: RecoverWish, views: Views, more?: Record<string, string>): Promise<BridgeCall | null>;
}
