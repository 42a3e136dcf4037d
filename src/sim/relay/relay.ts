import { getAddress, id, verifyMessage } from "ethers";
import { ArbError } from "../../errors.js";
import type { LocalChain } from "../chain.js";
import { BlockBuilder, type BuiltBlock } from "./block-builder.js";
import { type BundleBook, bundleBook, readBundle, readPrivate } from "./bundle-book.js";
import { type FaultScript, faultScript } from "./faults.js";
import { type RelayRequest, rpcError, serveRelay } from "./http.js";
import { callBundle } from "./simulate.js";

export interface LocalRelayOptions {
  /** Who gets the tips of the blocks that it builds. Each relay of a chain should have its own. */
  beneficiary?: string;
  /** Milliseconds between blocks; absent = only by `buildBlock`. A failure of a block is thrown by `close`. */
  slotMs?: number;
  /** Requests per minute and signer by method; the public relay's by default. */
  limits?: Record<string, number>;
  port?: number;
}

/** A relay and block builder over a local chain, to the published specification. */
export interface LocalRelay {
  url: string;
  /** Takes eth_sendRawTransaction without a signature, as wallets send it; preferences in the query. */
  protectUrl: string;
  faults: FaultScript;
  /** Every request that came in, oldest first. */
  requests: { method: string; params: unknown[]; signer: string | null; query: string }[];
  /** Builds the next block now. `timestamp` in seconds. */
  buildBlock(options?: { timestamp?: number }): Promise<BuiltBlock>;
  /** Bundles and private transactions that wait. */
  waiting(): number;
  close(): Promise<void>;
}

/** Per minute. Source: flashbots-docs ratelimiting.mdx. */
const LIMITS: Record<string, number> = { eth_sendBundle: 1800, eth_callBundle: 300, eth_cancelBundle: 600 };
const OTHER_LIMIT = 120;
const BENEFICIARY = "0x000000000000000000000000000000000000B1DE";

/**
 * Starts a relay over a local chain whose blocks are first come, first in (`blockOrder: "fifo"`). Public transactions wait for its
 * blocks where the chain does not mine by itself. Throws ArbError "usage".
 */
export async function startLocalRelay(chain: LocalChain, options: LocalRelayOptions = {}): Promise<LocalRelay> {
  if (chain.blockOrder !== "fifo")
    throw new ArbError("usage", "a local relay cannot order the blocks of this chain", {
      hint: 'start it with blockOrder: "fifo"',
    });
  const book = bundleBook();
  const faults = faultScript();
  const requests: LocalRelay["requests"] = [];
  const allowed = rateLimit(options.limits ?? {});

  /** Nobody else uses the chain meanwhile, and it does not mine by itself. */
  const withBuilder = async <T>(work: (builder: BlockBuilder) => Promise<T>): Promise<T> =>
    await chain.alone(async (desk) => {
      const automine = await desk.request("hardhat_getAutomine");
      await desk.request("evm_setAutomine", [false]);
      try {
        return await work(new BlockBuilder(desk, options.beneficiary ?? BENEFICIARY));
      } finally {
        await desk.request("evm_setAutomine", [automine]);
      }
    });
  const buildBlock: LocalRelay["buildBlock"] = async ({ timestamp } = {}) =>
    await withBuilder(async (builder) => {
      const head = await builder.head();
      const built = await builder.build(book.due(head.number + 1), timestamp ?? head.nextTimestamp);
      book.sweep(built.number, new Set(built.txs));
      return built;
    });

  const service = await serveRelay(
    async (request) => {
      const protect = request.path.pathname.startsWith("/protect");
      const signer = protect ? null : verifySignature(request.headers["x-flashbots-signature"], request.body);
      requests.push({ method: request.method, params: request.params, signer, query: request.path.search });
      allowed(request.method, signer ?? "protect");
      const head = Number(await chain.rpc<string>("eth_blockNumber"));
      if (signer === null) return protectMethod(request, book, head);
      if (request.method === "eth_callBundle")
        return await withBuilder((builder) => callBundle(builder, request.params[0] ?? {}));
      return relayMethod(request, signer, book, head);
    },
    faults,
    options.port,
  );

  /** One slot: on a chain that mines by itself, only what was given to the relay is worth a block. */
  const slot = async (): Promise<void> => {
    const next = Number(await chain.rpc<string>("eth_blockNumber")) + 1;
    if (book.due(next).length > 0 || !(await chain.rpc<boolean>("hardhat_getAutomine"))) await buildBlock();
  };
  let building: Promise<unknown> | null = null;
  let failure: unknown = null;
  const timer =
    options.slotMs === undefined
      ? undefined
      : setInterval(() => {
          building ??= slot()
            .catch((error: unknown) => {
              failure ??= error;
            })
            .finally(() => {
              building = null;
            });
        }, options.slotMs);
  return {
    url: service.url,
    protectUrl: `${service.url}/protect`,
    faults,
    requests,
    buildBlock,
    waiting: () => book.size(),
    close: async () => {
      clearInterval(timer);
      await service.close();
      await building;
      if (failure !== null) throw failure;
    },
  };
}

/** Checks `X-Flashbots-Signature: address:signature` over the exact body. Source: flashbots/go-utils, signature.go. */
export function verifySignature(header: string | string[] | undefined, body: string): string {
  if (typeof header !== "string" || header === "") throw rpcError(-32600, "no signature provided");
  const [address, signature, ...rest] = header.split(":");
  if (address === undefined || signature === undefined || rest.length > 0)
    throw rpcError(-32600, "invalid signature provided: missing separator");
  let signer: string;
  try {
    signer = verifyMessage(id(body), signature);
  } catch {
    throw rpcError(-32600, "invalid signature provided: malformed");
  }
  if (signer.toLowerCase() !== address.toLowerCase())
    throw rpcError(-32600, "invalid signature provided: signing address mismatch");
  return getAddress(signer);
}

function relayMethod({ method, params, act }: RelayRequest, signer: string, book: BundleBook, head: number): unknown {
  const [first = {}] = params as [Record<string, unknown>?];
  switch (method) {
    case "eth_sendBundle": {
      const uuid = uuidOf(first);
      // BuilderNet and others: a bundle without transactions cancels
      if (Array.isArray(first["txs"]) && first["txs"].length === 0) {
        if (uuid === null) throw rpcError(-32000, "bundle with no txs");
        if (act) book.cancel(signer, uuid);
        return { bundleHash: null };
      }
      const bundle = readBundle(signer, first, head);
      if (act) book.add(bundle, uuid);
      return { bundleHash: bundle.hash, ...(first["builders"] === undefined ? {} : { smart: true }) };
    }
    case "eth_cancelBundle": {
      const uuid = uuidOf(first);
      if (uuid === null) throw rpcError(-32602, "replacementUuid required");
      if (act) book.cancel(signer, uuid);
      return {};
    }
    case "eth_sendPrivateTransaction":
    case "eth_sendPrivateRawTransaction": {
      const given = method === "eth_sendPrivateRawTransaction" ? { tx: params[0] } : first;
      const bundle = readPrivate(signer, given, head);
      if (act) book.addPrivate(bundle);
      return bundle.txs[0]?.hash;
    }
    case "eth_cancelPrivateTransaction":
      return act ? book.cancelPrivate(signer, String(first["txHash"])) : true;
    default:
      throw rpcError(-32601, "method not found");
  }
}

function protectMethod({ method, params, act }: RelayRequest, book: BundleBook, head: number): unknown {
  if (method !== "eth_sendRawTransaction") throw rpcError(-32601, "method not found");
  const bundle = readPrivate("protect", { tx: params[0] }, head);
  if (act) book.addPrivate(bundle);
  return bundle.txs[0]?.hash;
}

function uuidOf(params: Record<string, unknown>): string | null {
  const uuid = params["replacementUuid"] ?? params["uuid"];
  return typeof uuid === "string" && uuid !== "" ? uuid : null;
}

/** Throws HTTP 429 for requests beyond a signer's limit per minute. */
function rateLimit(limits: Record<string, number>): (method: string, signer: string) => void {
  let minute = 0;
  let counts = new Map<string, number>();
  return (method, signer) => {
    const now = Math.floor(performance.now() / 60_000);
    if (now !== minute) {
      minute = now;
      counts = new Map();
    }
    const key = `${method} ${signer}`;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (count > (limits[method] ?? LIMITS[method] ?? OTHER_LIMIT)) throw rpcError(-32005, "rate limit exceeded", { status: 429 });
  };
}
