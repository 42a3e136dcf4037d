import type { Route } from "../route.js";
import { refuseAfter, sendRaw } from "./node.js";

/** What a Protect-style endpoint may do with a transaction. Source: docs.flashbots.net, Protect settings. */
export interface ProtectPreferences {
  /** What searchers may learn: "hash", "logs", "calldata", "function_selector", "contract_address", "default_logs". */
  hints?: string[];
  builders?: string[];
  /** Where refunds go, and which percent of them. */
  refund?: { address: string; percent: number };
  /** Whether a transaction that reverts may land. */
  canRevert?: boolean;
  /** Whether it is given to the public mempool at the end. Never by default. */
  useMempool?: boolean;
}

/**
 * The endpoint with its preferences in the query. Without hints, "hash" is asked for: an endpoint that is given none
 * shares more.
 */
export function protectUrl(base: string, preferences: ProtectPreferences = {}): string {
  const url = new URL(base);
  const { hints = ["hash"], builders = [], refund, canRevert = false, useMempool = false } = preferences;
  for (const hint of hints) url.searchParams.append("hint", hint);
  for (const builder of builders) url.searchParams.append("builder", builder);
  if (refund) url.searchParams.set("refund", `${refund.address}:${refund.percent}`);
  if (canRevert) url.searchParams.set("canRevert", "true");
  if (useMempool) url.searchParams.set("useMempool", "true");
  return url.toString();
}

/** A wallet endpoint that keeps transactions from the public mempool. It has no bundles and cancels nothing. */
export function protectRoute(id: string, base: string, preferences: ProtectPreferences = {}): Route {
  const url = protectUrl(base, preferences);
  return {
    id,
    visibility: preferences.useMempool === true ? "public" : "private",
    send: async (signed, terms) => refuseAfter(terms) ?? (await sendRaw(url, signed, terms)),
  };
}
