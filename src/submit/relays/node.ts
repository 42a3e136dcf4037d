import type { Chain } from "../../chain/connect.js";
import { PoolProvider } from "../../chain/pool-provider.js";
import type { RpcPool } from "../../chain/pool.js";
import type { Route, RouteAnswer, RouteTerms } from "../route.js";
import { answerOf, answerOfError, expectHash, postRpc, type RpcOptions } from "./rpc.js";

/** Plain eth_sendRawTransaction to one endpoint. */
export async function sendRaw(url: string, signed: { raw: string; hash: string }, options: RpcOptions): Promise<RouteAnswer> {
  return answerOf(await postRpc(url, "eth_sendRawTransaction", [signed.raw], options), expectHash(signed.hash));
}

/** The refusal of routes that cannot put bytes behind another transaction; null where nobody asked for that. */
export function refuseAfter(terms: RouteTerms): RouteAnswer | null {
  return terms.after === undefined
    ? null
    : { status: "refused", kind: "unsupported-method", detail: "only bundles can follow a pending transaction" };
}

/**
 * A node of any kind. On a network with a public mempool everybody sees the bytes before they are in a block, which is why this route
 * is used there only where the configuration names it.
 */
export function nodeRoute(url: string, id = "node"): Route {
  return {
    id,
    visibility: "public",
    send: async (signed, terms) => refuseAfter(terms) ?? (await sendRaw(url, signed, terms)),
  };
}

/** A JSON-RPC request to one or more nodes, with deadlines of its own; throws their errors. */
export type Ask = (method: string, params: unknown[]) => Promise<unknown>;

/** The endpoints of a chain that is connected already: its pool broadcasts to all of them. */
export function chainRoute({ provider }: Pick<Chain, "provider">, id = "node"): Route {
  // between the signature and the socket there is nothing to be made into a form of ethers'
  if (provider instanceof PoolProvider) return broadcastRoute(provider.pool, id);
  return askRoute(async (method, params) => await provider.send(method, params), id);
}

/** All endpoints of a pool at once, over the connections that are open already. */
export function broadcastRoute(pool: Pick<RpcPool, "broadcast">, id = "node"): Route {
  return {
    id,
    visibility: "public",
    async send({ raw, hash }, terms) {
      const refused = refuseAfter(terms);
      if (refused) return refused;
      const answer = await pool.broadcast(raw, { deadlineMs: terms.deadlineMs, hash });
      const { detail } = answer;
      return answer.status === "refused" ? { status: "refused", kind: answer.kind, detail } : { status: answer.status, detail };
    },
  };
}

/** The same over a connection of any kind that is open already. */
export function askRoute(ask: Ask, id = "node"): Route {
  return {
    id,
    visibility: "public",
    async send(signed, terms) {
      const refused = refuseAfter(terms);
      if (refused) return refused;
      try {
        return expectHash(signed.hash)(await ask("eth_sendRawTransaction", [signed.raw]));
      } catch (error) {
        return answerOfError(error as Error);
      }
    },
  };
}
