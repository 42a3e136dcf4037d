/**
 * Version of the sagas' steps, not of the program. It changes when their names or their order do, and every such change stands in
 * CHANGES: a saga of a version in CONTINUED goes on under this one, on its old way where it was, on the new one from there.
 */
export const SAGA_VERSION = "saga-2";
/** Older versions whose sagas this one finishes. Others are told, and stand still. */
export const CONTINUED = ["saga-1"];
/** Changes of steps since the oldest version of CONTINUED, each asked for by `Engine.patched` where it branches. */
export const CHANGES = {
  halts: "a network that is silent for too long is a failure to be decided on",
  "target-price": "the target's price is asked for before the bridge starts",
  "open-ends": "a transaction without an end holds the saga after its time",
  "failed-calls": "a call of the bridge that failed is followed by a pause, and counted",
  "ways-back": "what a failed leg is decided to do by a bridge is done",
  unstarted: "a held trade that goes on asks what became of a start that had no end",
  quiet: "a transfer's wait is written down when it changes",
  coins: "a held trade that goes on wraps what arrived as the coin",
  restocked: "inventory whose stock was brought back is not bought again when it goes on",
  "stock-approvals": "what a transfer of stock that did not start may take is taken back",
  "stock-coins": "what a transfer of stock that did not start had unwrapped is wrapped again",
  "earlier-approvals": "a held trade that ends takes back what it approved before it was held",
  "other-ends": "what its transactions came to is looked at again before its books are closed",
  "open-pushes":
    "a call that brings a transfer on and has no end is told after its time, and goes on under its name at a later look",
  "open-revokes": "what is taken back and has no end keeps a trade or a transfer of stock from its end for a time",
  "start-coins": "what a trade's start that failed had unwrapped is wrapped again",
  "late-starts": "a start of stock that has no end after its time is told",
  "no-legs": "what both legs of an inventory trade let others take that failed is taken back",
  "all-home": "a held trade of which nothing is left elsewhere ends by its books",
} as const;
export type Change = keyof typeof CHANGES;
/** Schema of the workflow engine's own tables. */
export const ENGINE_SCHEMA = "dbos";
/** The engine's name of the program; versions are unique within it. */
export const APPLICATION = "arb";
/** Topic of what operators say to a saga. */
export const COMMANDS = "command";
