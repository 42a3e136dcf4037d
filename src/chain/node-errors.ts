/** What nodes, sequencers and gateways really say: data only. `errors.ts` recognises it, docs/rpc.md explains the classes. */

/** What a node's refusal means for the one who sent the request. */
export type NodeErrorKind = keyof typeof NODE_ERROR_KINDS;

/** What to do about it. */
export type NodeErrorAction =
  /** The endpoint's own trouble: another one may answer. */
  | "retry-elsewhere"
  /** Every endpoint says so for now: ask again after a pause. */
  | "retry-later"
  /** The node has the transaction: watch it. */
  | "treat-as-sent"
  /** The request will never do: give it up. */
  | "refuse"
  /** Sign again with fees that the next block takes. */
  | "rebuild-fees"
  /** Look up which transactions of the account are mined before the next one is signed. */
  | "resync-nonce"
  /** Nothing can be sent from this account until somebody has looked at it. */
  | "stop-account"
  /** Never use this endpoint again before its configuration is corrected. */
  | "quarantine-endpoint"
  /** Ask in smaller pieces. */
  | "split-request"
  /** It may have been done or not: watch as if it had. */
  | "watch";

export interface KindFacts {
  action: NodeErrorAction;
  /** Whether a node that answers `eth_sendRawTransaction` so has the transaction. */
  taken: "yes" | "no" | "maybe";
  meaning: string;
}

const kind = (action: NodeErrorAction, taken: KindFacts["taken"], meaning: string): KindFacts => ({ action, taken, meaning });

export const NODE_ERROR_KINDS = {
  "nonce-too-low": kind("resync-nonce", "no", "the nonce is used"),
  // maybe: Nitro's sequencer keeps it for a second, others queue it
  "nonce-too-high": kind("resync-nonce", "maybe", "an earlier nonce is missing there"),
  "insufficient-funds": kind("stop-account", "no", "the account cannot pay"),
  "fee-below-base-fee": kind("rebuild-fees", "no", "the fee cap is below the next block's base fee"),
  "replacement-underpriced": kind("rebuild-fees", "no", "the nonce is taken by a transaction that pays nearly as much"),
  underpriced: kind("rebuild-fees", "no", "the node asks for a higher tip or price"),
  "already-known": kind("treat-as-sent", "yes", "the node has this transaction"),
  "sent-not-mined": kind("treat-as-sent", "yes", "taken, but not mined within the time of a synchronous send"),
  // maybe: some nodes mine a transaction and then report its revert as an error
  reverted: kind("refuse", "maybe", "the call reverts"),
  "gas-limit-exceeded": kind("refuse", "no", "more gas than a block or a transaction may have"),
  "intrinsic-gas-too-low": kind("refuse", "no", "less gas than the transaction costs before it runs"),
  "fee-too-high": kind("refuse", "no", "the total fee is above what the node allows"),
  "invalid-transaction": kind("refuse", "no", "the bytes are no valid transaction of this network"),
  "condition-failed": kind("refuse", "no", "the condition of a conditional send does not hold"),
  "account-refused": kind("stop-account", "no", "the node takes nothing of this kind from this account"),
  "account-limit": kind("retry-later", "no", "too many pending transactions of this account"),
  "txpool-full": kind("retry-elsewhere", "no", "the node's pool is full or closed"),
  "sequencer-down": kind("retry-later", "maybe", "the sequencer does not take transactions now"),
  syncing: kind("retry-elsewhere", "no", "the node is not synchronised"),
  "block-not-found": kind("retry-elsewhere", "maybe", "the node does not have the block (yet, or any more)"),
  "state-unavailable": kind("retry-elsewhere", "maybe", "the node has dropped the state or the history of the block"),
  "range-limit": kind("split-request", "no", "too many blocks, logs or bytes for one answer"),
  "batch-limit": kind("split-request", "no", "too many calls in one request"),
  "unsupported-method": kind("retry-elsewhere", "no", "the endpoint does not offer the method"),
  "rate-limited": kind("retry-elsewhere", "maybe", "too many requests"),
  "quota-exceeded": kind("retry-elsewhere", "no", "the plan's requests of the day or month are used up"),
  unauthorized: kind("quarantine-endpoint", "no", "the endpoint refuses the key"),
  "wrong-chain": kind("quarantine-endpoint", "no", "the endpoint is of another chain"),
  "bad-request": kind("refuse", "no", "the node does not understand the request"),
  "malformed-answer": kind("retry-elsewhere", "maybe", "the answer is no JSON-RPC"),
  "node-fault": kind("retry-elsewhere", "maybe", "a fault inside the node"),
  timeout: kind("retry-elsewhere", "maybe", "no answer in time"),
  unreachable: kind("retry-elsewhere", "maybe", "no connection, or it broke"),
  unknown: kind("watch", "maybe", "none of these: it may have been done"),
} satisfies Record<string, KindFacts>;

/** One thing that was really said: by whom, in which words, and what it is. */
export interface NodeErrorRow {
  client: string;
  /** The JSON-RPC code or HTTP status that comes with it, where the client has a fixed one. */
  code?: number;
  text: string;
  kind: NodeErrorKind;
}

const rows = (client: string, list: [text: string, kind: NodeErrorKind, code?: number][]): NodeErrorRow[] =>
  list.map(([text, rowKind, code]) => ({ client, text, kind: rowKind, ...(code === undefined ? {} : { code }) }));

/** Texts as the named programs give them, with numbers filled in where they have placeholders. */
export const NODE_ERRORS: NodeErrorRow[] = [
  ...rows("geth", [
    ["already known", "already-known"],
    ["invalid sender", "invalid-transaction"],
    ["invalid sender: invalid chain id for signer: have 10 want 1", "wrong-chain"],
    ["transaction underpriced", "underpriced"],
    ["transaction gas price below minimum: gas tip cap 0, minimum needed 1", "underpriced"],
    ["replacement transaction underpriced", "replacement-underpriced"],
    ["account limit exceeded: pooled 16 txs", "account-limit"],
    ["in-flight transaction limit reached for delegated accounts", "account-limit"],
    ["gapped-nonce tx from delegated accounts", "nonce-too-high"],
    ["exceeds block gas limit", "gas-limit-exceeded"],
    ["transaction gas limit too high (cap: 16777216, tx: 30000000)", "gas-limit-exceeded"],
    ["oversized data: transaction size 140000, limit 131072", "invalid-transaction"],
    ["negative value", "invalid-transaction"],
    ["future transaction tries to replace pending", "replacement-underpriced"],
    ["address already reserved", "account-refused"],
    ["authority already reserved", "account-refused"],
    ["txpool is full", "txpool-full"],
    ["nonce too low: next nonce 5, tx nonce 4", "nonce-too-low"],
    ["nonce too high: tx nonce 9, gapped nonce 5", "nonce-too-high"],
    ["nonce has max value", "account-refused"],
    ["insufficient funds for gas * price + value: balance 0, tx cost 21000, overshot 21000", "insufficient-funds"],
    ["insufficient funds for transfer", "insufficient-funds", -38014],
    ["gas required exceeds allowance (21000)", "insufficient-funds"],
    ["max initcode size exceeded: code size 60000, limit 49152", "invalid-transaction"],
    ["intrinsic gas too low: gas 20000, minimum needed 21000", "intrinsic-gas-too-low"],
    ["insufficient gas for floor data gas cost: gas 21000, minimum needed 22000", "intrinsic-gas-too-low"],
    ["transaction type not supported", "invalid-transaction"],
    ["max priority fee per gas higher than max fee per gas", "invalid-transaction"],
    ["max fee per gas less than block base fee: address 0x11, maxFeePerGas: 1, baseFee: 7", "fee-below-base-fee"],
    ["max fee per blob gas less than block blob gas fee", "fee-below-base-fee"],
    ["too many blobs in transaction: have 9, permitted 6", "invalid-transaction"],
    ["missing sidecar in blob transaction", "invalid-transaction"],
    ["sender not an eoa: address 0x11, codehash: 0x22", "account-refused"],
    ["tx fee (2.10 ether) exceeds the configured cap (1.00 ether)", "fee-too-high"],
    ["only replay-protected (EIP-155) transactions allowed over RPC", "invalid-transaction"],
    ["execution reverted", "reverted", 3],
    ["execution reverted: UniswapV2: K", "reverted", 3],
    ["invalid opcode: INVALID", "reverted"],
    ["out of gas", "reverted"],
    ["execution aborted (timeout = 5s)", "timeout"],
    ["The transaction was added to the mempool but wasn't processed in 2s.", "sent-not-mined", 4],
    ["header not found", "block-not-found"],
    ["header for hash not found", "block-not-found"],
    ["hash is not currently canonical", "block-not-found"],
    ["missing trie node 5f3ccb9f (path 0203) state 0x5f3c is not available, not found", "state-unavailable"],
    ["historical state 5f3ccb9f is not available", "state-unavailable"],
    ["pruned history unavailable", "state-unavailable", 4444],
    ["transaction indexing is in progress", "syncing"],
    ["invalid block range params", "bad-request"],
    ["batch too large", "batch-limit"],
    ["response too large", "range-limit"],
    ["request timed out", "timeout", -32002],
    ["the method eth_simulateV1 does not exist/is not available", "unsupported-method", -32601],
    ["notifications not supported", "unsupported-method", -32601],
    ["invalid argument 0: hex string has length 38, want 40 for common.Address", "bad-request", -32602],
    ["missing value for required argument 1", "bad-request", -32602],
    ["parse error", "bad-request", -32700],
  ]),
  ...rows("erigon", [
    ["fee too low", "underpriced"],
    ["underpriced", "underpriced"],
    ["could not replace existing tx", "replacement-underpriced"],
    ["existing txn with same hash", "already-known"],
    ["pending sub-pool is full", "txpool-full"],
    ["baseFee sub-pool is full", "txpool-full"],
    ["blobs limit in txpool is full", "txpool-full"],
    ["spammer", "account-limit"],
    ["gas limit is too high", "gas-limit-exceeded"],
    ["IntrinsicGas", "intrinsic-gas-too-low"],
    ["insufficient funds", "insufficient-funds"],
    ["RLPTooLong", "invalid-transaction"],
    ["initcode too large", "invalid-transaction"],
    ["blob transactions must have at least one blob", "invalid-transaction"],
    ["fork supporting this transaction type is not activated yet", "invalid-transaction"],
    ["mined", "nonce-too-low"],
    ["replaced by transaction with higher tip", "replacement-underpriced"],
    ["EIP-7702 transaction with authority already reserved", "account-refused"],
  ]),
  ...rows("reth", [
    ["already imported", "already-known"],
    ["insufficient gas price to replace existing transaction", "replacement-underpriced"],
    ["transaction feeCap 5 below chain minimum", "fee-below-base-fee"],
    ["rejected due to 0x1111111111111111111111111111111111111111 being identified as a spammer", "account-limit"],
    ["transaction discarded outright due to pool size constraints", "txpool-full"],
    ["transaction type 3 conflicts with existing transaction for 0x11", "account-refused"],
    ["transaction's gas limit 40000000 exceeds block's gas limit 36000000", "gas-limit-exceeded"],
    ["transaction's size 60000 exceeds max_init_code_size 49152", "invalid-transaction"],
    ["transaction overdraws from account", "insufficient-funds"],
    ["input data too large", "invalid-transaction"],
    ["intrinsic gas too high", "gas-limit-exceeded"],
    ["invalid chain ID", "wrong-chain"],
    ["sender is not an EOA", "account-refused"],
    ["failed to decode signed transaction", "invalid-transaction", -32602],
    ["invalid transaction signature", "invalid-transaction", -32602],
    ["empty transaction data", "invalid-transaction", -32602],
    ["transaction priority fee below minimum required priority fee 1000", "underpriced"],
    ["blob transaction missing blob hashes", "invalid-transaction"],
    ["EVM error: InvalidFEOpcode", "reverted"],
    ["out of gas: gas required exceeds: 50000000", "reverted"],
    ["block not found: hash 0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060", "block-not-found", -32001],
    ["unknown block or tx index", "block-not-found", -32001],
    ["internal blocking task error", "node-fault", -32603],
    [
      "Transaction 0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060 was added to the mempool but wasn't confirmed within 30s.",
      "sent-not-mined",
    ],
  ]),
  ...rows("nethermind", [
    ["AlreadyKnown", "already-known"],
    ["FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 7", "fee-below-base-fee"],
    ["FeeTooLowToCompete", "underpriced"],
    ["ReplacementNotAllowed", "replacement-underpriced"],
    ["OldNonce, Current nonce: 7, nonce of rejected tx: 6", "nonce-too-low"],
    ["NonceGap, Future nonce. Expected nonce: 7", "nonce-too-high"],
    ["NonceTooFarInFuture", "nonce-too-high"],
    ["GasLimitExceeded, Gas limit: 30000000, gas limit of rejected tx: 40000000", "gas-limit-exceeded"],
    ["InsufficientFunds, Account balance: 0, cumulative cost: 21000", "insufficient-funds"],
    ["FailedToResolveSender", "invalid-transaction"],
    ["SenderIsContract", "account-refused"],
    ["PendingTxsOfConflictingType", "account-refused"],
    ["NotCurrentNonceForDelegation", "account-limit"],
    ["Syncing", "syncing"],
    ["No state available for block 0x5c504e", "state-unavailable", -32002],
  ]),
  ...rows("besu", [
    ["Known transaction", "already-known", -32000],
    ["Nonce too low", "nonce-too-low", -32001],
    ["Nonce too high", "nonce-too-high", -32006],
    ["Transaction nonce is too distant from current sender nonce", "nonce-too-high", -32000],
    ["An invalid transaction with a lower nonce exists", "nonce-too-high", -32000],
    ["Invalid signature", "invalid-transaction", -32002],
    ["Intrinsic gas exceeds gas limit", "intrinsic-gas-too-low", -32003],
    ["Upfront cost exceeds account balance", "insufficient-funds", -32004],
    ["Transaction gas limit exceeds block gas limit", "gas-limit-exceeded", -32005],
    ["Requested range exceeds maximum RPC range limit", "range-limit", -32005],
    ["Number of requests exceeds max batch size", "batch-limit", -32005],
    ["Sender account not authorized to send transactions", "account-refused", -32007],
    ["Initial sync is still in progress", "syncing", -32008],
    ["Gas price below configured minimum gas price", "underpriced", -32009],
    ["Gas price below current base fee", "fee-below-base-fee", -32009],
    ["Wrong chainId", "wrong-chain", -32000],
    ["Transaction fee cap exceeded", "fee-too-high", -32000],
    ["Replacement transaction underpriced", "replacement-underpriced", -32000],
    ["Unknown block", "block-not-found", -39001],
    ["World state unavailable", "state-unavailable", -32000],
    ["Method not enabled", "unsupported-method", -32604],
    ["Transaction pool not enabled. (Either txpool explicitly disabled, or node not yet in sync).", "txpool-full", -32002],
    ["Timeout expired", "timeout", -32603],
    ["Internal error", "node-fault", -32603],
  ]),
  ...rows("op-geth", [
    ["failed conditional validation", "condition-failed", -32003],
    ["failed header check", "condition-failed", -32003],
    ["failed state check", "condition-failed", -32003],
    ["failed parent block 0x5c50 state check", "condition-failed", -32003],
    ["conditional cost, 2000, exceeded max: 1000", "condition-failed", -32005],
    ["insufficient funds for gas * price + value + l1 cost", "insufficient-funds"],
  ]),
  ...rows("op-reth", [
    ["failed to calculate l1 gas fee", "node-fault", -32603],
    ["conditional cost exceeded maximum allowed", "condition-failed", -32602],
    ["storage value mismatch", "condition-failed", -32602],
  ]),
  ...rows("nitro", [
    ["sequencer temporarily not available", "sequencer-down"],
    ["currently not accepting transactions due to expected surplus being below threshold", "sequencer-down"],
    ["transaction sender is not on the whitelist", "account-refused"],
    ["express lane service not enabled", "unsupported-method"],
    ["timeboost not enabled", "unsupported-method"],
    ["context deadline exceeded", "timeout"],
    ["oversized data", "invalid-transaction"],
    ["Storage slot value condition not met", "condition-failed", -32003],
    ["TimestampMax condition not met", "condition-failed", -32003],
    ["failed to publish transaction to any of the forwarding targets", "sequencer-down"],
    ["publishing transactions not supported by this endpoint", "unsupported-method"],
    ["nonce too high: address 0x11, tx: 9 state: 7", "nonce-too-high"],
    ["nonce too low: address 0x11, tx: 6 state: 7", "nonce-too-low"],
    ["internal error", "node-fault"],
  ]),
  ...rows("hardhat", [
    ["Nonce too low. Expected nonce to be 3 but got 2.", "nonce-too-low"],
    [
      "Nonce too high. Expected nonce to be 3 but got 5. Note that transactions can't be queued when automining.",
      "nonce-too-high",
    ],
    [
      "Sender doesn't have enough funds to send tx. The max upfront cost is: 5 and the sender's balance is: 0.",
      "insufficient-funds",
    ],
    ["Transaction maxFeePerGas (1) is too low for the next block, which has a baseFeePerGas of 7", "fee-below-base-fee"],
    [
      "Replacement transaction underpriced. A gasPrice/maxFeePerGas of at least 11 is necessary to replace the existing transaction with nonce 1.",
      "replacement-underpriced",
    ],
    ["Received invalid block tag 153. Latest block number is 0", "block-not-found", -32000],
    ["VM Exception while processing transaction: reverted with reason string 'no'", "reverted"],
  ]),
  ...rows("infura", [
    ["daily request count exceeded, request rate limited", "quota-exceeded", -32005],
    ["project ID request rate exceeded", "rate-limited", -32005],
    ["query returned more than 10000 results", "range-limit", -32005],
    ["range 1000000 exceeds limit of 10000", "range-limit", -32602],
    ["query timeout exceeded", "timeout", -32005],
    ["invalid project id", "unauthorized", 401],
  ]),
  ...rows("alchemy", [
    [
      "Your app has exceeded its compute units per second capacity. If you have retries enabled, you can safely ignore this message.",
      "rate-limited",
      429,
    ],
    [
      "Monthly capacity limit exceeded. Visit the dashboard to upgrade your scaling policy for continued service.",
      "quota-exceeded",
      429,
    ],
    ["Must be authenticated!", "unauthorized", -32600],
    ["Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range", "range-limit", -32602],
    ["eth_getBlockReceipts is not available on the Free tier", "unsupported-method", -32600],
  ]),
  ...rows("quicknode", [
    ["eth_getLogs is limited to a 10,000 range", "range-limit", -32614],
    ["credits limited to 6000/sec", "rate-limited", -32012],
    ["50/second request limit reached - reduce calls per second or upgrade your account", "rate-limited", -32007],
    ["daily request limit reached - upgrade your account", "quota-exceeded", -32003],
  ]),
  ...rows("ankr", [
    ["block range is too wide", "range-limit", -32600],
    ["Unauthorized: You must authenticate your request with an API key.", "unauthorized", -32000],
    ["Too many requests, please try again later", "rate-limited", -32090],
  ]),
  ...rows("cloudflare", [
    ["server response 429 <html><title>429 Too Many Requests</title>", "rate-limited", 429],
    ["server response 502 <html><title>502 Bad Gateway</title>", "unreachable", 502],
    ["server response 503 <html><title>503 Service Temporarily Unavailable</title>", "unreachable", 503],
    ["server response 504 <html><title>504 Gateway Time-out</title>", "timeout", 504],
    ["server response 524 error code: 524", "timeout", 524],
    ["server response 403 <html><title>Attention Required! | Cloudflare</title>", "unauthorized", 403],
    ["server response 401 Unauthorized", "unauthorized", 401],
    ["server response 404 404 page not found", "unreachable", 404],
    ["server response 413 <title>413 Request Entity Too Large</title>", "range-limit", 413],
    ["the answer is no JSON: <!DOCTYPE html><html><head><title>Just a moment...</title>", "malformed-answer"],
    ["the answer is no JSON: Unexpected end of JSON input", "malformed-answer"],
    ["the answer has another id than the request", "malformed-answer"],
    ["no healthy upstream", "unreachable"],
    ["upstream connect error or disconnect/reset before headers", "unreachable"],
  ]),
  ...rows("node.js", [
    ["connect ECONNREFUSED 127.0.0.1:8545", "unreachable"],
    ["read ECONNRESET", "unreachable"],
    ["socket hang up", "unreachable"],
    ["getaddrinfo ENOTFOUND rpc.example.org", "unreachable"],
    ["connect ENOENT /run/geth.ipc", "unreachable"],
    ["certificate has expired", "unreachable"],
    ["self-signed certificate in certificate chain", "unreachable"],
    ["timeout: no answer in 5000 ms", "timeout"],
    ["connect ETIMEDOUT 192.0.2.1:443", "timeout"],
  ]),
];
