import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { networkById } from "../../src/config/networks.js";
import { parseConfig } from "../../src/config/load.js";
import { Secret } from "../../src/config/secrets.js";
import { type Session, openSession } from "../../src/execution/session.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type Desk, openDesk } from "../../src/sim/desk.js";
import { createKeystore } from "../../src/wallet/keystore.js";
import { rejection } from "../helpers/rejection.js";

describe("session", () => {
  let local: LocalChain;
  let desk: Desk;

  before(async () => {
    local = await startLocalChain(1);
    desk = await openDesk(local, null);
  });
  after(async () => {
    await desk.close();
    await local.close();
  });

  const open = async (executor: string): Promise<Session> => {
    const text = `{ "networks": { "ethereum": { "rpc": ["${local.url}"], "executor": "${executor}" } } }`;
    return openSession(parseConfig(text, "/arb.config.jsonc"), { deployments: "/nowhere", send: false });
  };

  it("asks again after a driver could not be opened, and keeps one that could", async () => {
    const executor = "0x1111111111111111111111111111111111111111";
    const session = await open(executor);
    expect(await rejection(session.driver(1))).to.include({ code: "config" });
    await local.rpc("hardhat_setCode", [executor, await desk.chain.provider.getCode(desk.executor)]);
    const driver = await session.driver(1);
    expect(driver.context.operator).to.equal(desk.wallet.address);
    expect(await session.driver(1)).to.equal(driver);
    await session.close();
  });

  it("opens a driver per account, and none for an account that has delegated itself", async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "session-"));
    const password = path.join(folder, "password");
    writeFileSync(password, "twelve letters", { mode: 0o600 });
    const secret = new Secret("twelve letters");
    const addresses = await Promise.all(
      ["a", "b"].map((name) => createKeystore(path.join(folder, `${name}.json`), secret, { insecureScryptN: 2 })),
    );
    // an executor that answers with both accounts as its operators
    const words = [32n, 2n, ...addresses.map(BigInt)].map((n) => n.toString(16).padStart(64, "0")).join("");
    const executor = "0x2222222222222222222222222222222222222222";
    await local.rpc("hardhat_setCode", [executor, `0x6080600a5f3960805ff3${words}`]);
    const wallet = (name: string) => ({ keystore: `${name}.json`, password: `file:${password}` });
    const text = JSON.stringify({
      networks: { ethereum: { rpc: [local.url], executor, wallets: ["a", "b"] } },
      wallets: { a: wallet("a"), b: wallet("b") },
    });
    const session = await openSession(parseConfig(text, path.join(folder, "c")), { deployments: "/nowhere", send: false });
    expect(session.accounts(1)).to.deep.equal(["a", "b"]);
    const drivers = [await session.driver(1), await session.driver(1, "b")];
    expect(drivers.map((d) => d.context.operator)).to.deep.equal(addresses);
    expect(await session.driver(1, "a")).to.equal(drivers[0]);
    expect(() => session.driver(1, "c")).to.throw(/no account/);
    await session.close();

    // what is signed in a local world counts on the real network too
    const live = JSON.stringify({ ...(JSON.parse(text) as object), mode: "live" });
    const astray = await openSession(parseConfig(live, path.join(folder, "c")), { deployments: "/nowhere", send: true });
    const led = await rejection(astray.driver(1));
    expect(led).to.include({ code: "config", where: "networks.ethereum.routes" });
    expect(led.message).to.match(/flashbots leads to the real Ethereum/);
    await astray.close();

    await local.rpc("hardhat_setCode", [addresses[1], `0xef0100${"77".repeat(20)}`]);
    const again = await openSession(parseConfig(text, path.join(folder, "c")), { deployments: "/nowhere", send: false });
    await again.driver(1);
    const refused = await rejection(again.driver(1, "b"));
    expect(refused).to.include({ code: "secrets" });
    expect(refused.message).to.match(/EIP-7702/);
    await again.close();
    rmSync(folder, { recursive: true });
  });

  it("says that a contract is no executor", async () => {
    for (const other of [networkById(1)!.wrappedNative, networkById(1)!.multicall3.address]) {
      const session = await open(other);
      expect(await rejection(session.driver(1))).to.include({ code: "config" });
      await session.close();
    }
  });
});
