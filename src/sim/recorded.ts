import http from "node:http";
import type { AddressInfo } from "node:net";
import { toBeHex, toQuantity } from "ethers";
import { ArbError } from "../errors.js";
import { type RecordedCase, recordedSlot } from "./recorded-case.js";

/** A read that the recording could not answer; it was answered as empty. `slot` null: the account as a whole. */
export interface UnrecordedRead {
  address: string;
  slot: string | null;
}

export interface RecordedServer {
  url: string;
  /** Every read of unrecorded state so far, each once. */
  unrecorded(): UnrecordedRead[];
  close(): Promise<void>;
}

/** Root of an empty trie: what the served headers give where the recording has no block body. */
const EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
const EMPTY_UNCLES = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";

/**
 * OP stack blocks since Holocene carry version 0, denominator and elasticity of the base fee there (OP specs, Holocene,
 * "EIP-1559 parameters in block header"), and fork mode stops without them. Elsewhere the field means nothing.
 */
const BASE_FEE_PARAMETERS = `0x00${"000000fa"}${"00000006"}`;

/**
 * How far the served head is ahead of the recorded state. Fork mode caches only blocks that no reorganisation can reach;
 * without the cache it would ask for every slot again at each call.
 */
const HEAD_DISTANCE = 1000n;

/**
 * Precompiles, and the predeploys of the OP stack, which a node reads to charge for any transaction whatever it does. Reads of
 * them say nothing about a trade, except where a predeploy is a traded token (WETH).
 */
export function isSystem(address: string): boolean {
  return /^0x(0{36}|42000000000000000000000000000000000000)/i.test(address);
}

type Answer = { result: unknown } | { error: { code: number; message: string } };
interface Request {
  id?: unknown;
  method?: unknown;
  params?: unknown;
}

/**
 * Serves the state right before a recorded transaction as an archive node would, on a free port of the loopback interface.
 * Every block number has that one state. Unrecorded state reads as empty and is listed.
 */
export async function serveRecording(recording: RecordedCase): Promise<RecordedServer> {
  const unrecorded = new Map<string, UnrecordedRead>();
  const missed = (address: string, slot: string | null) => unrecorded.set(`${address} ${slot}`, { address, slot });
  const account = (of: unknown) => {
    const address = String(of).toLowerCase();
    const found = recording.pre.get(address);
    if (!found) missed(address, null);
    return found;
  };
  const parent = recording.block.number - 1n;
  const gasPrice = toQuantity(recording.block.baseFeePerGas ?? 1_000_000_000n);

  const answer = (method: string, params: unknown[]): Answer => {
    switch (method) {
      case "eth_chainId":
        return { result: toQuantity(recording.chainId) };
      case "net_version":
        return { result: String(recording.chainId) };
      case "web3_clientVersion":
        return { result: "recorded-state/1" };
      case "eth_blockNumber":
        return { result: toQuantity(parent + HEAD_DISTANCE) };
      case "eth_gasPrice":
        return { result: gasPrice };
      case "eth_getBlockByNumber": {
        const tag = String(params[0]);
        return { result: blockHeader(recording, /^0x/.test(tag) ? BigInt(tag) : parent) };
      }
      case "eth_getBlockByHash":
        return { result: params[0] === recording.block.parentHash ? blockHeader(recording, parent) : null };
      case "eth_getBalance":
        return { result: toQuantity(account(params[0])?.balance ?? 0n) };
      case "eth_getTransactionCount":
        return { result: toQuantity(account(params[0])?.nonce ?? 0n) };
      case "eth_getCode":
        return { result: account(params[0])?.code ?? "0x" };
      case "eth_getStorageAt": {
        const address = String(params[0]).toLowerCase();
        const slot = toBeHex(String(params[1]), 32);
        const value = recordedSlot(recording, address, slot);
        if (value === null) missed(address, slot);
        return { result: value ?? toBeHex(0, 32) };
      }
      case "eth_getLogs":
      case "eth_accounts":
        return { result: [] };
      case "eth_getTransactionByHash":
      case "eth_getTransactionReceipt":
        return { result: null };
      default:
        return { error: { code: -32601, message: `the recording does not answer ${method}` } };
    }
  };

  const respond = (request: unknown) => {
    const { id, method, params } = (typeof request === "object" && request !== null ? request : {}) as Request;
    const outcome: Answer =
      typeof method === "string"
        ? guarded(() => answer(method, Array.isArray(params) ? params : []))
        : { error: { code: -32600, message: "no JSON-RPC request" } };
    return { jsonrpc: "2.0", id: id ?? null, ...outcome };
  };
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      let body: unknown;
      try {
        body = JSON.parse(Buffer.concat(chunks).toString("utf8"));
      } catch {
        response.statusCode = 400;
        response.end();
        return;
      }
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(Array.isArray(body) ? body.map(respond) : respond(body)));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new ArbError("network", "the recorded state cannot be served on 127.0.0.1", { cause })),
    );
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    unrecorded: () => [...unrecorded.values()],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A malformed parameter is answered as one, so that a faulty request cannot end the server. */
function guarded(answer: () => Answer): Answer {
  try {
    return answer();
  } catch (error) {
    return { error: { code: -32602, message: String(error) } };
  }
}

/** The header of an ancestor: its recorded hash where there is one, and what the recorded block tells of the rest. */
function blockHeader(recording: RecordedCase, number: bigint): object {
  const { block, blockHashes } = recording;
  const hashOf = (n: bigint) =>
    n === block.number - 1n ? block.parentHash : (blockHashes[String(n)] ?? toBeHex((n + 1n) << 128n, 32));
  // every block is older than the next and than the recorded one, also those that the fork calls the head
  const age = number < block.number ? 2n * (block.number - number) : 1n;
  return {
    number: toQuantity(number),
    hash: hashOf(number),
    parentHash: hashOf(number - 1n),
    timestamp: toQuantity(block.timestamp - age),
    nonce: "0x0000000000000000",
    sha3Uncles: EMPTY_UNCLES,
    logsBloom: `0x${"00".repeat(256)}`,
    transactionsRoot: EMPTY_ROOT,
    stateRoot: EMPTY_ROOT,
    receiptsRoot: EMPTY_ROOT,
    miner: block.miner,
    difficulty: toQuantity(block.difficulty ?? 0n),
    totalDifficulty: "0x0",
    extraData: BASE_FEE_PARAMETERS,
    size: "0x400",
    gasLimit: toQuantity(block.gasLimit),
    gasUsed: "0x0",
    transactions: [],
    uncles: [],
    mixHash: toBeHex(0, 32),
    // what later upgrades added stands in every header, also in those of older blocks: the executor runs under later rules
    baseFeePerGas: toQuantity(block.baseFeePerGas ?? 0n),
    withdrawalsRoot: EMPTY_ROOT,
    withdrawals: [],
    excessBlobGas: toQuantity(block.excessBlobGas ?? 0n),
    blobGasUsed: "0x0",
    parentBeaconBlockRoot: block.parentBeaconBlockRoot ?? toBeHex(0, 32),
    ...(block.requestsHash == null ? {} : { requestsHash: block.requestsHash }),
  };
}
