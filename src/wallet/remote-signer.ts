import http from "node:http";
import https from "node:https";
import { inspect } from "node:util";
import { getAddress, type Signature, Transaction, toQuantity } from "ethers";
import type { Secret } from "../config/secrets.js";
import { faultOfSignerUrl } from "../config/signer-url.js";
import { ArbError } from "../errors.js";
import type { FullTransaction, SignedTransaction, Signer } from "./signer.js";
import { type EcdsaSignature, withSignature } from "./transaction.js";

/**
 * A signer behind JSON-RPC `eth_signTransaction` (Web3Signer, Clef and others): the key never is in this process. What it answers
 * is believed only as far as it can be checked: the bytes must be exactly the fields that were asked for with a signature of the
 * account, else they are dropped and can be broadcast by nobody here.
 */
export interface RemoteSignerOptions {
  /** "https://host[:port][/path]", "unix:/path/to/socket", or "http://" on loopback. */
  url: string;
  /** The account that must have signed. */
  address: string;
  /** Sent as "Authorization: Bearer ...". */
  token?: Secret | null;
  /** PEM texts: our certificate and its key, and the authority that the server's certificate must be of. */
  tls?: { certificate?: Secret; key?: Secret; authority?: Secret };
  /** Deadline of one request, milliseconds. */
  timeoutMs: number;
}

const MAX_ANSWER_BYTES = 2 * 2 ** 20;
const SHOWN = 200;

export class RemoteSigner implements Signer {
  readonly kind: string;
  readonly address: string;
  readonly #options: RemoteSignerOptions;
  readonly #agent: http.Agent;
  readonly #request: (options: http.RequestOptions) => http.ClientRequest;
  #closed = false;
  #id = 0;

  /** Raises ArbError "config" for a URL that would carry transactions unencrypted, or is none. */
  constructor(options: RemoteSignerOptions) {
    const fault = faultOfSignerUrl(options.url);
    if (fault !== null) throw new ArbError("config", `the remote signer's URL ${fault}`);
    this.#options = options;
    this.address = getAddress(options.address);
    const socketPath = options.url.startsWith("unix:") ? options.url.slice("unix:".length) : null;
    const url = new URL(socketPath === null ? options.url : "http://localhost/");
    this.kind = socketPath === null ? `the remote signer ${url.host}` : "the remote signer on a socket";
    const { certificate, key, authority } = options.tls ?? {};
    const secure = url.protocol === "https:";
    this.#agent = secure
      ? new https.Agent({
          keepAlive: true,
          ...(certificate ? { cert: certificate.reveal() } : {}),
          ...(key ? { key: key.reveal() } : {}),
          ...(authority ? { ca: authority.reveal() } : {}),
        })
      : new http.Agent({ keepAlive: true });
    const target = socketPath === null ? { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port } : { socketPath };
    this.#request = (more) => {
      const all = { ...target, path: url.pathname + url.search, method: "POST", agent: this.#agent, ...more };
      return secure ? https.request(all) : http.request(all);
    };
  }

  /**
   * Asks whether the signer has the account, so that a wrong one shows at the start and not at the first trade. A signer without
   * `eth_accounts` passes. Raises ArbError "network", and "config" when it answers without the account.
   */
  async check(): Promise<void> {
    const answer = await this.#call("eth_accounts", []);
    if ("error" in answer) return;
    const accounts = Array.isArray(answer.result) ? answer.result.map((a) => String(a).toLowerCase()) : [];
    if (!accounts.includes(this.address.toLowerCase()))
      throw new ArbError("config", `${this.kind} does not have the account ${this.address}`, {
        hint: "check the address, or load its key into the signer",
      });
  }

  async signTransaction(tx: FullTransaction): Promise<SignedTransaction> {
    if (this.#closed) throw new ArbError("secrets", "the wallet is closed", { where: this.address });
    const answer = await this.#call("eth_signTransaction", [
      {
        type: "0x2",
        from: this.address,
        ...(tx.to === null ? {} : { to: tx.to }),
        data: tx.data,
        value: toQuantity(tx.value),
        gas: toQuantity(tx.gasLimit),
        maxFeePerGas: toQuantity(tx.maxFeePerGas),
        maxPriorityFeePerGas: toQuantity(tx.maxPriorityFeePerGas),
        nonce: toQuantity(tx.nonce),
        chainId: toQuantity(tx.chainId),
        ...(tx.accessList === undefined || tx.accessList.length === 0 ? {} : { accessList: tx.accessList }),
      },
    ]);
    if ("error" in answer)
      throw new ArbError("network", `${this.kind} refused to sign: ${answer.error}`, { where: this.#where(tx) });
    // Clef answers { raw, tx }
    const { result } = answer;
    const raw: unknown = typeof result === "object" && result !== null && "raw" in result ? result.raw : result;
    return this.#checked(tx, raw);
  }

  close(): void {
    this.#closed = true;
    this.#agent.destroy();
  }

  /** What was asked for, written by ourselves with the answer's signature: equal to the answer, or the answer is refused. */
  #checked(tx: FullTransaction, raw: unknown): SignedTransaction {
    const refuse = (what: string): ArbError =>
      new ArbError("secrets", `${this.kind} ${what}; the answer was dropped`, {
        where: this.#where(tx),
        hint: "check which key, chain and kind of transaction it is set up for; if that is right, do not trust it",
      });
    if (typeof raw !== "string" || !/^0x([0-9a-f]{2})+$/i.test(raw)) throw refuse("answered with no signed transaction");
    let read: Transaction;
    let signature: EcdsaSignature | null;
    try {
      read = Transaction.from(raw);
      signature = read.signature && { signature: rsOf(read.signature), yParity: read.signature.yParity };
    } catch {
      // ethers' message would repeat the whole answer
      throw refuse("answered with bytes that are no valid transaction");
    }
    if (read.type !== 2) throw refuse(`signed a transaction of type ${read.type}, not 2`);
    if (signature === null) throw refuse("answered without a signature");
    const ours = withSignature(tx, signature);
    if (ours.raw !== raw.toLowerCase()) throw refuse(`signed something else: ${differences(tx, read)}`);
    if (read.from !== this.address) throw refuse(`signed as ${read.from ?? "nobody"}, not as ${this.address}`);
    return ours;
  }

  async #call(method: string, params: unknown[]): Promise<{ result: unknown } | { error: string }> {
    const asked = ++this.#id;
    const body = JSON.stringify({ jsonrpc: "2.0", id: asked, method, params });
    const { status, text } = await this.#post(body, method);
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw this.#unreachable(method, `answered with HTTP ${status} and no JSON`);
    }
    const { error, result, id } = (json ?? {}) as { error?: { message?: unknown }; result?: unknown; id?: unknown };
    if (error !== undefined && error !== null)
      return { error: this.#shown(typeof error.message === "string" ? error.message : "no reason given") };
    if (status !== 200) throw this.#unreachable(method, `answered with HTTP ${status}`);
    if (id !== asked) throw this.#unreachable(method, "answered another request");
    return { result };
  }

  /** One request within the deadline, whatever the server does: silence, drops of bytes, an endless answer. */
  #post(body: string, method: string): Promise<{ status: number; text: string }> {
    const token = this.#options.token?.reveal();
    return new Promise((resolve, reject) => {
      const request = this.#request({
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
      });
      const fail = (what: string): void => {
        clearTimeout(late);
        reject(this.#unreachable(method, what));
        request.destroy();
      };
      const late = setTimeout(() => fail(`did not answer in ${this.#options.timeoutMs} ms`), this.#options.timeoutMs);
      request.on("error", (error: NodeJS.ErrnoException) => fail(this.#shown(error.code ?? error.message)));
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) fail("answered without end");
          else chunks.push(chunk);
        });
        response.on("error", (error: NodeJS.ErrnoException) => fail(this.#shown(error.code ?? error.message)));
        response.on("end", () => {
          clearTimeout(late);
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
        });
      });
      request.end(body);
    });
  }

  #unreachable(method: string, what: string): ArbError {
    return new ArbError("network", `${this.kind} ${what}`, { where: method, hint: "nothing was signed that this program uses" });
  }

  /** A remote text as it may be shown: short, without control characters, and without our token should it be repeated. */
  #shown(text: string): string {
    const token = this.#options.token?.reveal();
    const clean = token === undefined ? text : text.replaceAll(token, "(hidden)");
    return clean.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, SHOWN);
  }

  #where(tx: FullTransaction): string {
    return `chain ${tx.chainId}, nonce ${tx.nonce}`;
  }

  toString(): string {
    return `RemoteSigner(${this.address})`;
  }

  toJSON(): { address: string } {
    return { address: this.address };
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** r and s in 64 bytes. ethers throws on reading an s of the upper half, which EIP-2 forbids. */
const rsOf = ({ r, s }: Signature): Buffer => Buffer.from(r.slice(2) + s.slice(2), "hex");

/** Which fields of a signed transaction are not the ones that were asked for. */
function differences(asked: FullTransaction, signed: Transaction): string {
  const fields: [string, unknown, unknown][] = [
    ["chainId", BigInt(asked.chainId), signed.chainId],
    ["nonce", asked.nonce, signed.nonce],
    ["to", asked.to?.toLowerCase() ?? null, signed.to?.toLowerCase() ?? null],
    ["data", asked.data.toLowerCase(), signed.data],
    ["value", asked.value, signed.value],
    ["gasLimit", asked.gasLimit, signed.gasLimit],
    ["maxFeePerGas", asked.maxFeePerGas, signed.maxFeePerGas],
    ["maxPriorityFeePerGas", asked.maxPriorityFeePerGas, signed.maxPriorityFeePerGas],
  ];
  const names = fields.filter(([, a, b]) => a !== b).map(([name]) => name);
  return names.length > 0 ? `${names.join(", ")} differ` : "its access list or encoding differs";
}
