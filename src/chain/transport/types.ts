/** What all transports have in common: JSON-RPC 2.0 requests and replies. */

export interface RpcRequest {
  method: string;
  params: readonly unknown[];
}

export interface RpcErrorBody {
  code: number;
  message: string;
  data?: unknown;
}

/** What the node said: a result, or its refusal. */
export type RpcReply = { result: unknown } | { error: RpcErrorBody };

export interface SendOptions {
  /** Time that is left, in milliseconds. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Sends only over this connection: a new one may lead to another node, which has not been checked. */
  generation?: number;
  /** Longest wait for a place under the endpoint's rate limit, milliseconds; default: all the time that is left. */
  queueMs?: number;
}

/** Every method rejects with a TransportError: no answer came, or one that is no JSON-RPC. */
export interface Transport {
  readonly kind: "http" | "ws" | "ipc";
  /** Connects where that is a thing of its own. Gives a number that changes with every new connection; HTTP: always 0. */
  connect(options: SendOptions): Promise<number>;
  request(request: RpcRequest, options: SendOptions): Promise<RpcReply>;
  /** The replies in the order of the requests. */
  batch(requests: readonly RpcRequest[], options: SendOptions): Promise<RpcReply[]>;
  /** Calls back with every notification of `eth_subscribe`; null when the connection is lost. Absent on HTTP. */
  onNotification?(listener: (message: { subscription: string; result: unknown } | null) => void): () => void;
  /** Drops the connection and rejects what is under way. More calls do nothing more. */
  close(): void;
}

/** No usable answer. The message names no part of the endpoint's URL. */
export class TransportError extends Error {
  /** As Node and ethers name them: "TIMEOUT", "ABORTED", "ECONNRESET", "MALFORMED", "HTTP" ... */
  readonly code: string;
  /** Whether the request may have reached the node. */
  readonly sent: boolean;
  /** HTTP status, where there was one. */
  readonly status: number | undefined;
  /** How long the server asks to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, details: { sent: boolean; status?: number; retryAfterMs?: number | undefined }) {
    super(message);
    this.name = "TransportError";
    this.code = code;
    this.sent = details.sent;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}
