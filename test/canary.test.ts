import http from "node:http";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { expect } from "chai";
import { parseConfig } from "../src/config/load.js";
import { Secret } from "../src/config/secrets.js";
import { connectTo, openSession } from "../src/execution/session.js";
import { importKey } from "../src/wallet/keystore.js";
import { openWallet } from "../src/wallet/open.js";
import { arb, temporaryFolder } from "./helpers/arb.js";
import { canaryKey, canaryPassword, canaryRpcKey, canaryToken, expectNoCanary } from "./helpers/canary.js";

const ADDRESS = "0xB45d09A038a382607a505cc6D3a9404b1f60bFef";

/** An endpoint that refuses everything and repeats all it was told: path, headers, body. */
async function echo(status: number): Promise<{ url: string; close: () => void; heard: () => string }> {
  let heard = "";
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      heard += `${request.url} ${JSON.stringify(request.headers)} ${body}`;
      const { id } = JSON.parse(body) as { id: number };
      const message = `${request.url} ${JSON.stringify(request.headers)} is not allowed`;
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32000, message } }));
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, close: () => (server.closeAllConnections(), server.close()), heard: () => heard };
}

describe("secrets", function () {
  const { folder: cwd, remove } = temporaryFolder();
  const at = (name: string): string => path.join(cwd, name);
  const secret = (name: string, text: string): void => writeFileSync(at(name), text, { mode: 0o600 });
  let node: Awaited<ReturnType<typeof echo>>;
  let broken: Awaited<ReturnType<typeof echo>>;

  before(async () => {
    [node, broken] = await Promise.all([echo(200), echo(403)]);
    secret("password", canaryPassword);
    secret("wrong", `${canaryPassword}-not`);
    secret("key", canaryKey);
    secret("token", canaryToken);
    secret("rpc", `${node.url}/v2/${canaryRpcKey}?apikey=${canaryRpcKey}`);
    secret("rpc-broken", `${broken.url}/${canaryRpcKey}`);
    mkdirSync(at("deployments"));
    await importKey(at("operator.json"), new Secret(canaryKey), new Secret(canaryPassword), { insecureScryptN: 2 });
  });
  after(() => {
    node.close();
    broken.close();
    remove();
  });

  const KEYSTORE = { keystore: "operator.json", password: "file:password" };
  const WALLETS: Record<string, object> = {
    keystore: KEYSTORE,
    "wrong password": { ...KEYSTORE, password: "file:wrong" },
    "a key instead of a keystore": { ...KEYSTORE, keystore: "key" },
    "password from the environment": { ...KEYSTORE, password: "env:PASSWORD" },
  };
  const remote = (): object => ({ remote: `${node.url}/`, address: ADDRESS, token: "file:token" });
  const config = (wallet: object, rpc: string, executor = ADDRESS): string =>
    JSON.stringify({ networks: { base: { rpc: [rpc], executor } }, wallet, timeouts: { rpc: "5 s" } });
  const env = { PASSWORD: canaryPassword };

  it("stay out of what every command prints, whatever fails", async function () {
    // ten programs, one after another on a slow machine
    this.timeout(120_000);
    for (const [name, wallet] of Object.entries({ ...WALLETS, remote: remote() }))
      writeFileSync(at(name), config(wallet, "file:rpc"));
    writeFileSync(at("broken"), config(KEYSTORE, "file:rpc-broken"));
    const inline = config({ ...KEYSTORE, password: canaryPassword }, `${node.url}/${canaryRpcKey}`);
    writeFileSync(at("inline"), inline);
    const shown = ["keystore", "wrong password", "a key instead of a keystore", "remote", "broken", "inline"];
    const commands = [
      ...shown.map((file) => ["wallet", "show", "--config", file]),
      ["execute", "--config", "keystore", "--json"],
      ["wallet", "import", "copy.json", "--key", "file:password", "--password", "file:password"],
      ["wallet", "create", "made.json", "--password", canaryPassword],
      ["deploy", "--network", "base", "--owner", `0x${"11".repeat(20)}`, "--config", "keystore", "--deployments", "deployments"],
    ];
    for (let i = 0; i < commands.length; i += 3)
      await Promise.all(
        commands.slice(i, i + 3).map(async (args) => {
          const run = await arb(args, { cwd, env });
          expectNoCanary(run, `arb ${args.slice(0, 2).join(" ")}`);
          if (args[0] !== "execute") expect(run.code, args.join(" ")).not.to.equal(0);
        }),
      );
    // the endpoints were really asked, with the real secrets
    expect(node.heard()).to.include(canaryRpcKey).and.include(canaryToken);
    expect(broken.heard()).to.include(canaryRpcKey);
    expectNoCanary(readFileSync(at("operator.json"), "utf8"), "the keystore");
  });

  it("stay out of values and errors of the library, causes included", async () => {
    const caught: unknown[] = [];
    const attempt = async (work: () => Promise<unknown>): Promise<unknown> => {
      const value = await work().catch((error: unknown) => caught.push(error) && error);
      expectNoCanary(value);
      return value;
    };
    for (const rpc of [node, broken])
      for (const wallet of [...Object.values(WALLETS), remote()]) {
        const parsed = parseConfig(config(wallet, `${rpc.url}/${canaryRpcKey}`), at("c"));
        // relative references are of the working directory, which is another one here
        const own = JSON.parse(JSON.stringify(parsed.wallet).replaceAll("file:", `file:${cwd}/`)) as NonNullable<
          typeof parsed.wallet
        >;
        const opened = await attempt(() => openWallet(own, "dry-run"));
        if (typeof opened === "object" && opened !== null && "close" in opened) (opened as { close(): void }).close();
        await attempt(() => connectTo(parsed.networks[0]!, parsed));
        await attempt(() => openSession(parsed, { deployments: cwd, send: false }));
      }
    expect(caught.length).to.be.greaterThan(15);
  });

  it("would be seen in any form", () => {
    const forms = [
      canaryPassword,
      canaryKey,
      canaryKey.slice(2).toUpperCase(),
      BigInt(canaryKey).toString(),
      Buffer.from(canaryToken).toString("base64"),
    ];
    for (const form of forms) {
      expect(() => expectNoCanary(`... ${form} ...`)).to.throw(/shows the/);
      expect(() => expectNoCanary({ a: [{ b: form }] })).to.throw(/shows the/);
      expect(() => expectNoCanary(new Error("x", { cause: { config: { headers: form } } }))).to.throw(/shows the/);
      expect(() => expectNoCanary(Object.assign(new Error("x"), { request: { body: form } }))).to.throw(/shows the/);
    }
    expect(() => expectNoCanary(Uint8Array.from(Buffer.from(canaryKey.slice(2), "hex")))).to.throw(/shows the/);
    expectNoCanary(new Error("nothing"));
  });
});
