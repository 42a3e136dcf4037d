import {
  JsonRpcApiProvider,
  type JsonRpcPayload,
  type JsonRpcResult,
  Network as EthersNetwork,
  type Subscriber,
  type Subscription,
} from "ethers";
import { ArbError } from "../errors.js";
import { RpcError } from "./endpoint.js";
import type { RpcPool } from "./pool.js";

/** The state methods whose block may be given by hash, and the place of the block among their parameters. */
const BLOCK_PARAMETER: Record<string, number> = {
  eth_call: 1,
  eth_estimateGas: 1,
  eth_getBalance: 1,
  eth_getCode: 1,
  eth_getTransactionCount: 1,
  eth_getStorageAt: 2,
};

/**
 * The pool as an ethers provider, for contracts and whatever else is written for ethers. Nothing is cached, nothing waits to be
 * sent together, a block tag that is a hash pins the read (EIP-1898), signed bytes go to all endpoints, and a receipt is there
 * only when two endpoints agree on it.
 */
export class PoolProvider extends JsonRpcApiProvider {
  readonly pool: RpcPool;
  readonly #pollMs: number;
  #id = 0;

  constructor(pool: RpcPool, pollMs: number) {
    super(new EthersNetwork(pool.network.name, pool.network.chainId), {
      staticNetwork: true,
      batchMaxCount: 1,
      cacheTimeout: -1,
    });
    this.pool = pool;
    this.#pollMs = pollMs;
    this._start(); // oxlint-disable-line no-underscore-dangle -- ethers' own name
  }

  /** Without ethers' queue, which waits for a timer before every request. */
  override async send(method: string, params: unknown[] | Record<string, unknown>): Promise<unknown> {
    const list = Array.isArray(params) ? params : [params];
    try {
      if (method === "eth_sendRawTransaction") return await this.#broadcast(String(list[0]));
      if (method === "eth_getTransactionReceipt") return await this.#receipt(String(list[0]));
      return await this.pool.call(method, pinned(method, list));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      const { code, message, data } = error;
      const payload: JsonRpcPayload = { id: ++this.#id, jsonrpc: "2.0", method, params: list };
      throw this.getRpcError(payload, { id: payload.id, error: { code, message, data } });
    }
  }

  // oxlint-disable-next-line no-underscore-dangle -- ethers' own name
  override async _send(payload: JsonRpcPayload | JsonRpcPayload[]): Promise<JsonRpcResult[]> {
    const list = Array.isArray(payload) ? payload : [payload];
    return await Promise.all(list.map(async ({ id, method, params }) => ({ id, result: await this.send(method, params) })));
  }

  // oxlint-disable-next-line no-underscore-dangle -- ethers' own name
  override _getSubscriber(subscription: Subscription): Subscriber {
    const subscriber = super._getSubscriber(subscription); // oxlint-disable-line no-underscore-dangle
    if ("pollingInterval" in subscriber) (subscriber as { pollingInterval: number }).pollingInterval = this.#pollMs;
    return subscriber;
  }

  async #broadcast(raw: string): Promise<string> {
    const answer = await this.pool.broadcast(raw);
    if (answer.status === "accepted") return answer.hash;
    if (answer.status === "refused") {
      // one endpoint's words: those of several together could be read as something else
      const said = answer.answers.find(({ kind }) => kind === answer.kind)?.detail ?? answer.detail;
      throw new RpcError(this.pool.preferred(), { code: -32000, message: said });
    }
    throw new Error(`timeout: no endpoint says that it took the transaction: ${answer.detail}`);
  }

  async #receipt(hash: string): Promise<unknown> {
    const verdict = await this.pool.receipt(hash);
    if (verdict.status === "mined") return verdict.receipt;
    // not there yet on one of them is not there yet
    if (verdict.status === "missing" || verdict.why === "lag") return null;
    throw new ArbError("network", `the receipt is not certain: ${verdict.reason}`, { where: this.pool.network.name });
  }

  override destroy(): void {
    super.destroy();
    this.pool.close();
  }
}

function pinned(method: string, params: unknown[]): unknown[] {
  const at = BLOCK_PARAMETER[method];
  const tag = at === undefined ? undefined : params[at];
  if (at === undefined || typeof tag !== "string" || tag.length !== 66) return params;
  return params.with(at, { blockHash: tag, requireCanonical: true });
}
