import { concat, getAddress, id, Transaction, toBeHex, verifyMessage } from "ethers";
import { setTimeout as sleep } from "node:timers/promises";
import type { LocalChain } from "../chain.js";
import { type FaultScript, faultScript } from "./faults.js";
import { type RelayRequest, rpcError, serveRelay } from "./http.js";

export interface LocalSequencerOptions {
  /** Whether eth_sendRawTransactionSync is served, and in which form its time is read. */
  sync?: "number" | "hex" | false;
  conditional?: boolean;
  /** Arbitrum's express lane: who controls which round. */
  expressLane?: { auction: string; controller: string; round: () => bigint };
  port?: number;
}

export interface LocalSequencer {
  url: string;
  faults: FaultScript;
  requests: { method: string; params: unknown[] }[];
  close(): Promise<void>;
}

const POLL_MS = 10;
const MAX_SYNC_MS = 10_000;

/** A sequencer's endpoint over a local chain: it takes transactions and answers nothing else. */
export async function startLocalSequencer(chain: LocalChain, options: LocalSequencerOptions = {}): Promise<LocalSequencer> {
  const faults = faultScript();
  const requests: LocalSequencer["requests"] = [];
  const service = await serveRelay(
    async (request) => {
      requests.push({ method: request.method, params: request.params });
      return await answer(chain, options, request);
    },
    faults,
    options.port,
  );
  return { url: service.url, faults, requests, close: () => service.close() };
}

async function answer(
  chain: LocalChain,
  options: LocalSequencerOptions,
  { method, params, act }: RelayRequest,
): Promise<unknown> {
  const send = async (raw: unknown): Promise<string> =>
    act ? await chain.rpc<string>("eth_sendRawTransaction", [raw]) : (Transaction.from(String(raw)).hash ?? "");
  if (method === "eth_sendRawTransaction") return await send(params[0]);
  if (method === "eth_sendRawTransactionSync" && options.sync !== false && options.sync !== undefined) {
    const [raw, given] = params;
    if (given !== undefined && (options.sync === "hex") !== (typeof given === "string"))
      throw rpcError(-32602, "invalid params: timeout");
    return await receiptInTime(chain, await send(raw), Math.min(Number(given ?? MAX_SYNC_MS), MAX_SYNC_MS));
  }
  if (method === "eth_sendRawTransactionConditional" && options.conditional === true) {
    await checkCondition(chain, params[1] as Condition | undefined);
    return await send(params[0]);
  }
  if (method === "timeboost_sendExpressLaneTransaction" && options.expressLane) {
    await send(checkExpressLane(chain, options.expressLane, params[0] as ExpressLaneParams));
    return null;
  }
  throw rpcError(-32601, `the method ${method} does not exist/is not available`);
}

/** EIP-7966: error 4 with the hash as data when the time is over. */
async function receiptInTime(chain: LocalChain, hash: string, timeoutMs: number): Promise<unknown> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const receipt = await chain.rpc("eth_getTransactionReceipt", [hash]);
    if (receipt) return receipt;
    if (performance.now() >= end)
      throw rpcError(4, "The transaction was added to the transaction pool but wasn't processed in time", { data: hash });
    await sleep(POLL_MS);
  }
}

interface Condition {
  blockNumberMin?: string;
  blockNumberMax?: string;
  timestampMin?: string;
  timestampMax?: string;
}

/** ERC-7796, against the newest block. */
async function checkCondition(chain: LocalChain, condition: Condition = {}): Promise<void> {
  const head = await chain.rpc<{ number: string; timestamp: string }>("eth_getBlockByNumber", ["latest", false]);
  const outside = (value: string, min?: string, max?: string): boolean =>
    (min !== undefined && BigInt(value) < BigInt(min)) || (max !== undefined && BigInt(value) > BigInt(max));
  if (outside(head.number, condition.blockNumberMin, condition.blockNumberMax))
    throw rpcError(-32003, "BlockNumber condition not met");
  if (outside(head.timestamp, condition.timestampMin, condition.timestampMax))
    throw rpcError(-32003, "Timestamp condition not met");
}

interface ExpressLaneParams {
  chainId: string;
  round: string;
  auctionContractAddress: string;
  sequenceNumber: string;
  transaction: string;
  signature: string;
}

/** Source: docs.arbitrum.io, Timeboost. Returns the transaction. */
function checkExpressLane(
  chain: LocalChain,
  lane: NonNullable<LocalSequencerOptions["expressLane"]>,
  params: ExpressLaneParams,
): string {
  if (Number(params.chainId) !== chain.network.chainId) throw rpcError(-32000, "WRONG_CHAIN_ID");
  if (getAddress(params.auctionContractAddress) !== getAddress(lane.auction)) throw rpcError(-32000, "WRONG_AUCTION_CONTRACT");
  if (BigInt(params.round) !== lane.round()) throw rpcError(-32000, "BAD_ROUND_NUMBER");
  const message = concat([
    id("TIMEBOOST_BID"),
    toBeHex(params.chainId, 32),
    params.auctionContractAddress,
    toBeHex(params.round, 8),
    toBeHex(params.sequenceNumber, 8),
    params.transaction,
  ]);
  const signer = verifyMessage(Buffer.from(message.slice(2), "hex"), params.signature);
  if (getAddress(signer) !== getAddress(lane.controller)) throw rpcError(-32000, "NOT_EXPRESS_LANE_CONTROLLER");
  return params.transaction;
}
