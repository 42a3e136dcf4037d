import type { NodeErrorKind } from "../chain/errors.js";

/** A way that signed bytes take to the chain: a node, a sequencer, a relay or a builder. One file per kind in routes/. */
export interface Route {
  /** "node", "flashbots", "sequencer", ...; unique on its network. */
  id: string;
  /** "public": anybody may see the bytes before they are in a block. */
  visibility: "public" | "private";
  /**
   * How long it may land what it took: in `targetBlock` only, up to `lastBlock`, or (the default) for ever. Bytes that went only to
   * routes of the first two kinds are over after their last block.
   */
  holds?: "target" | "last" | "open";
  /** Sends bytes that were read back from the journal. Never throws for an answer: a refusal is a value; only a bug throws. */
  send(signed: SignedBytes, terms: RouteTerms): Promise<RouteAnswer>;
  /** Asks for the bytes not to be included. Its answer is a promise of nobody: the hash stays watched. */
  cancel?(signed: SignedBytes, terms: RouteTerms): Promise<RouteAnswer>;
}

export interface SignedBytes {
  /** The signed transaction, 0x-prefixed. */
  raw: string;
  hash: string;
  from: string;
  nonce: number;
}

export interface RouteTerms {
  /** The block that a bundle is for. Routes without bundles do not read it. */
  targetBlock?: bigint;
  /** Last block in which the bytes may land, where the route can be told so. */
  lastBlock?: bigint;
  /** Raw pending transaction that must land just before. Routes that cannot promise that refuse. */
  after?: string;
  /** Names what a later bundle replaces, or a cancel ends. */
  replacementUuid?: string;
  /** Seconds since 1970, inclusive. */
  minTimestamp?: number;
  /** Seconds since 1970, inclusive. */
  maxTimestamp?: number;
  /** Milliseconds that the answer may take; after that it is "unknown". */
  deadlineMs: number;
}

/** "unknown" = may have been taken: watched like accepted. */
export type RouteAnswer =
  | { status: "accepted"; detail?: string }
  | { status: "refused"; kind: NodeErrorKind; detail: string }
  | { status: "unknown"; detail: string };
