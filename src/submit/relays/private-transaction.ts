import type { Route } from "../route.js";
import type { BundleClient, PrivatePreferences } from "./bundle-client.js";

/** Single transactions that a relay keeps to itself and tries in every block until `terms.lastBlock`. */
export function privateTransactionRoute(
  id: string,
  client: BundleClient,
  preferences: Omit<PrivatePreferences, "lastBlock"> = {},
): Route {
  return {
    id,
    visibility: "private",
    holds: "last",
    async send(signed, { after, lastBlock, deadlineMs }) {
      if (after !== undefined)
        return { status: "refused", kind: "unsupported-method", detail: "a single transaction cannot follow another one" };
      const wanted = { ...preferences, ...(lastBlock !== undefined && { lastBlock }) };
      return await client.sendPrivateTransaction(signed, wanted, deadlineMs);
    },
    cancel: async (signed, { deadlineMs }) => await client.cancelPrivateTransaction(signed.hash, deadlineMs),
  };
}
