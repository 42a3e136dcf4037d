import http from "node:http";
import https from "node:https";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { Transaction, Wallet } from "ethers";
import { faultOfSignerUrl } from "../../src/config/signer-url.js";
import { Secret } from "../../src/config/secrets.js";
import { RemoteSigner } from "../../src/wallet/remote-signer.js";
import type { FullTransaction } from "../../src/wallet/signer.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { canaryKey, canaryToken, expectNoCanary } from "../helpers/canary.js";

const account = new Wallet(canaryKey);
const stranger = new Wallet(`0x${"42".repeat(32)}`);
const TX: FullTransaction = {
  chainId: 8453,
  nonce: 7,
  to: `0x${"ab".repeat(20)}`,
  data: "0xa9059cbb",
  value: 0n,
  gasLimit: 200_000n,
  maxFeePerGas: 2_000_000_000n,
  maxPriorityFeePerGas: 1_000_000n,
  accessList: [{ address: `0x${"cd".repeat(20)}`, storageKeys: [`0x${"01".repeat(32)}`] }],
};

type Asked = Record<string, any>;
/** What the signer's owner could do with a request: give a result, or do as it likes with the response. */
type Behaviour = (asked: Asked, response: http.ServerResponse, request: http.IncomingMessage) => unknown;

/** What an honest signer signs: the request's fields, by ethers. */
const fieldsOf = (asked: Asked) => ({
  type: 2,
  chainId: BigInt(asked["chainId"]),
  nonce: Number(asked["nonce"]),
  to: asked["to"] as string,
  data: asked["data"] as string,
  value: BigInt(asked["value"]),
  gasLimit: BigInt(asked["gas"]),
  maxFeePerGas: BigInt(asked["maxFeePerGas"]),
  maxPriorityFeePerGas: BigInt(asked["maxPriorityFeePerGas"]),
  accessList: asked["accessList"] ?? [],
});
const honest: Behaviour = (asked) => account.signTransaction(fieldsOf(asked));
/** Signs with one field replaced. */
const altered =
  (change: object): Behaviour =>
  (asked) =>
    account.signTransaction({ ...fieldsOf(asked), ...change });

describe("remote signer", () => {
  let behaviour: Behaviour = honest;
  let accounts: unknown = [account.address.toLowerCase()];
  const answered = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString()) as {
      id: number;
      method: string;
      params: Asked[];
    };
    const result = method === "eth_accounts" ? accounts : await behaviour(params[0]!, response, request);
    if (response.writableEnded || result === undefined) return;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  };
  const server = http.createServer((request, response) => void answered(request, response));
  let url: string;
  let folder: string;
  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "signer-"));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  afterEach(() => {
    behaviour = honest;
    accounts = [account.address.toLowerCase()];
  });
  const signer = (timeoutMs = 5_000): RemoteSigner =>
    new RemoteSigner({ url, address: account.address, token: new Secret(canaryToken), timeoutMs });
  const refusal = async (timeoutMs?: number, tx = TX): Promise<{ code: string; message: string }> => {
    const remote = signer(timeoutMs);
    const error = await remote.signTransaction(tx).then(
      () => null,
      (e: unknown) => e,
    );
    remote.close();
    expectNoCanary(error);
    return error as { code: string; message: string };
  };

  it("gives what it was asked for, signed, for every shape of transaction", async () => {
    const remote = signer();
    await remote.check();
    const wallet = new WalletManager(remote);
    expect([wallet.local, wallet.address]).to.deep.equal([false, account.address]);
    for (const tx of [TX, { ...TX, accessList: [] }, { ...TX, data: "0x", value: 10n ** 20n, nonce: 0 }, { ...TX, to: null }]) {
      const signed = await wallet.signTransaction(tx);
      const { accessList = [], ...fields } = tx;
      expect(signed.raw).to.equal(await account.signTransaction({ type: 2, ...fields, accessList }));
      expect(Transaction.from(signed.raw)).to.include({ hash: signed.hash, from: account.address });
    }
    expect(() => wallet.sign(TX)).to.throw(/cannot sign at once/);
    expectNoCanary(wallet);
    expectNoCanary(remote);
    wallet.close();
    expect(await wallet.signTransaction(TX).catch((e: Error) => e.message)).to.match(/closed/);
  });

  it("sends its token, and takes Clef's form of answer", async () => {
    let seen: string | undefined;
    behaviour = async (asked, _, request) => {
      seen = request.headers.authorization;
      return { raw: await honest(asked, _, request), tx: {} };
    };
    const remote = signer();
    expect((await remote.signTransaction(TX)).raw).to.match(/^0x02/);
    expect(seen).to.equal(`Bearer ${canaryToken}`);
    remote.close();
  });

  const lies: [string, Behaviour, RegExp][] = [
    ["another receiver", altered({ to: stranger.address }), /signed something else: to differ/],
    ["another value", altered({ value: 1n }), /value differ/],
    ["another nonce", altered({ nonce: 8 }), /nonce differ/],
    ["another chain", altered({ chainId: 1 }), /chainId differ/],
    ["other data", altered({ data: "0xdeadbeef" }), /data differ/],
    ["a higher fee cap", altered({ maxFeePerGas: 10n ** 12n }), /maxFeePerGas differ/],
    ["another tip", altered({ maxPriorityFeePerGas: 2n }), /maxPriorityFeePerGas differ/],
    ["more gas", altered({ gasLimit: 200_001n }), /gasLimit differ/],
    ["no access list", altered({ accessList: [] }), /access list/],
    ["a legacy transaction", (a) => account.signTransaction({ ...legacy(a) }), /type 0, not 2/],
    ["another account", (a) => stranger.signTransaction(fieldsOf(a)), /signed as 0x/],
    ["an unsigned one", (a) => Transaction.from(fieldsOf(a)).unsignedSerialized, /without a signature/],
    ["a high s", async (a) => highS((await honest(a, null!, null!)) as string), /no valid transaction/],
    ["bytes behind the transaction", async (a) => `${(await honest(a, null!, null!)) as string}00`, /no valid transaction/],
    ["a hash", () => `0x${"11".repeat(32)}`, /no valid transaction/],
    ["nothing", () => null, /no signed transaction/],
    ["a number", () => 5, /no signed transaction/],
  ];
  for (const [name, lie, message] of lies)
    it(`is refused when it answers with ${name}`, async () => {
      behaviour = lie;
      const error = await refusal();
      expect(error.message)
        .to.match(message)
        .and.match(/dropped/);
      expect(error.code).to.equal("secrets");
    });

  const failures: [string, Behaviour, RegExp][] = [
    [
      "says no",
      (_, response) => response.end(JSON.stringify({ id: 1, error: { message: `locked\u001b[2J ${canaryToken}` } })),
      /refused to sign: locked\?\[2J \(hidden\)/,
    ],
    ["answers with HTML", (_, response) => response.end("<html>"), /no JSON/],
    ["answers another request", (_, response) => response.end(JSON.stringify({ id: 99, result: "0x02" })), /another request/],
    ["answers 500", (_, response) => response.writeHead(500).end(JSON.stringify({ id: 1, result: "0x02" })), /HTTP 500/],
    ["redirects", (_, response) => response.writeHead(302, { location: "http://example.invalid/" }).end("{}"), /HTTP 302/],
    ["closes the connection", (_, response) => response.destroy(), /ECONNRESET/],
    ["closes it within the answer", (_, response) => response.write("{", () => response.destroy()), /ECONNRESET|aborted/],
  ];
  for (const [name, failure, message] of failures)
    it(`that ${name} has signed nothing`, async () => {
      behaviour = (asked, response, request) => void failure(asked, response, request);
      const error = await refusal();
      expect(error.code).to.equal("network");
      expect(error.message).to.match(message);
    });

  it("is given up at the deadline, silent or dripping, and when its answer has no end", async () => {
    behaviour = () => undefined;
    expect((await refusal(100)).message).to.match(/did not answer in 100 ms/);
    behaviour = (_, response) => {
      const drip = setInterval(() => response.write(" "), 10);
      response.on("close", () => clearInterval(drip));
    };
    expect((await refusal(150)).message).to.match(/did not answer in 150 ms/);
    behaviour = (_, response) => {
      const flood = (): void => {
        if (!response.destroyed) response.write("x".repeat(65_536), () => setImmediate(flood));
      };
      flood();
    };
    expect((await refusal(20_000)).message).to.match(/without end/);
  });

  it("must have the account, where it tells", async () => {
    accounts = [stranger.address];
    const remote = signer();
    expect(await remote.check().catch((e: Error) => e)).to.include({ code: "config" });
    remote.close();
    const gone = new RemoteSigner({ url: "http://127.0.0.1:1/", address: account.address, timeoutMs: 2_000 });
    expect(await gone.check().catch((e: Error) => e)).to.include({ code: "network" });
    gone.close();
  });

  it("is spoken to by https, a unix socket or on loopback, and by nothing else", () => {
    for (const good of ["https://signer.example:9000/rpc", "unix:/run/signer.sock", "http://127.0.0.1:9000", "http://[::1]:9000"])
      expect(faultOfSignerUrl(good), good).to.equal(null);
    for (const bad of ["http://signer.example", "http://127.0.0.1.example", "ws://127.0.0.1", "unix:signer.sock", "signer", ""])
      expect(faultOfSignerUrl(bad), bad).to.be.a("string");
    const withToken = `https://user:${canaryToken}@signer.example`;
    expectNoCanary(faultOfSignerUrl(withToken));
    expect(() => new RemoteSigner({ url: "http://signer.example", address: account.address, timeoutMs: 1 })).to.throw(
      /unencrypted/,
    );
  });

  it("works on a unix socket", async () => {
    const socket = path.join(folder, "signer.sock");
    const other = http.createServer((request, response) => void answered(request, response));
    await new Promise<void>((done) => other.listen(socket, done));
    const remote = new RemoteSigner({ url: `unix:${socket}`, address: account.address, timeoutMs: 5_000 });
    expect((await remote.signTransaction(TX)).raw).to.match(/^0x02/);
    remote.close();
    other.close();
  });

  it("works over TLS with a certificate of ours, and trusts no other authority", async function () {
    const pem = (name: string): string => readFileSync(path.join(folder, name), "utf8");
    try {
      for (const name of ["server", "client"])
        execFileSync(
          "openssl",
          [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            `/CN=${name}`,
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            path.join(folder, `${name}.key`),
            "-out",
            path.join(folder, `${name}.crt`),
          ],
          { stdio: "ignore" },
        );
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      this.skip(); // no openssl on this machine to make certificates with
    }
    const tls = {
      cert: pem("server.crt"),
      key: pem("server.key"),
      ca: pem("client.crt"),
      requestCert: true,
      rejectUnauthorized: true,
    };
    const secure = https.createServer(tls, (request, response) => void answered(request, response));
    await new Promise<void>((done) => secure.listen(0, "127.0.0.1", done));
    const at = `https://127.0.0.1:${(secure.address() as AddressInfo).port}/`;
    const open = (more: object): RemoteSigner =>
      new RemoteSigner({ url: at, address: account.address, timeoutMs: 5_000, tls: more });
    const certificate = { certificate: new Secret(pem("client.crt")), key: new Secret(pem("client.key")) };
    const authority = new Secret(pem("server.crt"));
    const remote = open({ ...certificate, authority });
    expect((await remote.signTransaction(TX)).raw).to.match(/^0x02/);
    remote.close();
    for (const [wrong, message] of [
      [certificate, /SELF_SIGNED|UNABLE_TO_VERIFY/],
      [{ authority }, /ECONNRESET|ERR_SSL|CERTIFICATE_REQUIRED|EPROTO|EPIPE/],
    ] as const) {
      const refused = open(wrong);
      expect(await refused.signTransaction(TX).catch((e: Error) => e.message)).to.match(message);
      refused.close();
    }
    secure.closeAllConnections();
    secure.close();
  });
});

/** The same call as a transaction of the old form. */
function legacy(asked: Asked): object {
  const { type: _, maxFeePerGas, maxPriorityFeePerGas: __, accessList: ___, ...fields } = fieldsOf(asked);
  return { ...fields, type: 0, gasPrice: maxFeePerGas };
}

/** The other signature that is right for the same bytes: order minus s, with the other parity (EIP-2 forbids it). */
function highS(raw: string): string {
  const { signature } = Transaction.from(raw);
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const s = (order - BigInt(signature!.s)).toString(16).padStart(64, "0");
  return raw.replace(signature!.s.slice(2), s);
}
