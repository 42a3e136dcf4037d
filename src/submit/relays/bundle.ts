import type { Route } from "../route.js";
import type { Bundle, BundleClient } from "./bundle-client.js";

/** What a route adds to every bundle: refunds, and builders that the relay passes it on to. */
export type BundleExtras = Pick<Bundle, "refundPercent" | "refundRecipient" | "builders">;

/**
 * Bundles to one relay or builder: [the followed transaction,] ours. Neither may revert, so both land next to each other in the target
 * block, or none does.
 */
export function bundleRoute(id: string, client: BundleClient, extras: BundleExtras = {}): Route {
  // BuilderNet pays back to whoever signed the request, and that key holds no funds and may be thrown away with the process
  const paysSigner = client.facts.fields.includes("refundIdentity");
  return {
    id,
    visibility: "private",
    holds: "target",
    async send(signed, terms) {
      const { targetBlock, after, deadlineMs, replacementUuid, minTimestamp, maxTimestamp } = terms;
      if (targetBlock === undefined)
        return { status: "refused", kind: "unsupported-method", detail: "a bundle needs the block that it is for" };
      const bundle: Bundle = {
        ...extras,
        ...(paysSigner && { refundIdentity: extras.refundRecipient ?? signed.from }),
        txs: after === undefined ? [signed.raw] : [after, signed.raw],
        blockNumber: targetBlock,
        ...(replacementUuid !== undefined && { replacementUuid }),
        ...(minTimestamp !== undefined && { minTimestamp }),
        ...(maxTimestamp !== undefined && { maxTimestamp }),
      };
      return await client.sendBundle(bundle, deadlineMs);
    },
    async cancel(_signed, { replacementUuid, deadlineMs }) {
      if (replacementUuid === undefined)
        return { status: "refused", kind: "unsupported-method", detail: "only a bundle with a replacementUuid can be cancelled" };
      return await client.cancelBundle(replacementUuid, deadlineMs);
    },
  };
}
