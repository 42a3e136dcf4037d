import { expect } from "chai";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { connectChain } from "../../src/chain/connect.js";
import { Secret } from "../../src/config/secrets.js";
import { openDatabase } from "../../src/database/open.js";
import { scanBlock } from "../../src/market/watcher.js";
import { toJson } from "../../src/opportunity/schema.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type LocalRelay, startLocalRelay } from "../../src/sim/relay/relay.js";
import { findPool, movePrice, shareOf } from "../../src/sim/trader.js";
import { importKey } from "../../src/wallet/keystore.js";
import { arb, jsonLines, temporaryFolder } from "../helpers/arb.js";
import {
  canaryDatabasePassword,
  canaryKey,
  canaryPassword,
  canaryRelayKey,
  canaryRpcKey,
  expectNoCanary,
  expectNoCanaryInDatabase,
} from "../helpers/canary.js";
import { freshDatabaseUrl } from "../helpers/database.js";

describe("arb: secrets and the database", function () {
  this.timeout(120_000);
  const { folder: cwd, remove } = temporaryFolder();
  let local: LocalChain;
  let relay: LocalRelay;
  before(async () => {
    local = await startLocalChain(1, { blockOrder: "fifo" });
    relay = await startLocalRelay(local, { slotMs: 50 });
  });
  after(async () => {
    await relay?.close();
    await local?.close();
    remove();
  });
  const write = (file: string, text: string): void => writeFileSync(path.join(cwd, file), text, { mode: 0o600 });

  /** A database of a role whose password is a canary; the URL of its owner, to look into all of it. */
  async function databaseOf(role: string): Promise<{ admin: string; url: string }> {
    const admin = await freshDatabaseUrl();
    const db = await openDatabase({ url: admin });
    const name = new URL(admin).pathname.slice(1);
    await db.pool.query(`create role ${role} login password '${canaryDatabasePassword}'`);
    await db.pool.query(`alter database ${name} owner to ${role}`);
    await db.close();
    const url = new URL(admin);
    [url.username, url.password] = [role, canaryDatabasePassword];
    return { admin, url: url.href };
  }

  it("no table holds a password, a key or an endpoint after journaled trades", async () => {
    const { admin, url } = await databaseOf(`canary_${process.pid}`);
    write("password", canaryPassword);
    write("relay-key", canaryRelayKey);
    write("database", url);
    write("rpc", `${local.url}/v2/${canaryRpcKey}`);
    const operator = await importKey(path.join(cwd, "operator.json"), new Secret(canaryKey), new Secret(canaryPassword), {
      insecureScryptN: 1024,
    });
    await local.fund(operator, { eth: 10n ** 18n });
    const ethereum = {
      rpc: [`file:${path.join(cwd, "rpc")}`],
      routes: ["mine"],
      relays: [{ id: "mine", url: relay.url, like: "flashbots" }],
      relayKey: `file:${path.join(cwd, "relay-key")}`,
    };
    const config = {
      mode: "live",
      networks: { ethereum },
      wallet: { keystore: "operator.json", password: "file:password" },
      database: { url: "file:database" },
      timeouts: { rpc: "30 s" },
    };
    write("arb.config.jsonc", JSON.stringify(config));
    const run = async (...args: string[]) => await arb([...args, "--deployments", "deployments", "--json"], { cwd });
    const deployed = await run("deploy", "--network", "ethereum", "--owner", "0x00000000000000000000000000000000000A11cE");
    expect(deployed.code, deployed.stderr).to.equal(0);

    const [weth, pool] = [local.network.wrappedNative, findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!];
    await movePrice(local, pool, weth, await shareOf(local, pool, weth, 20_000));
    const chain = await connectChain(local.network, [local.url], { local: true });
    const pools = local.pools.filter((p) => p.token0 === pool.token0 && p.token1 === pool.token1);
    const [best] = await scanBlock(chain.provider, local.network, pools, { profitTokens: [weth], lifetimeSeconds: 600 });
    chain.close();
    write("trade.json", JSON.stringify({ ...toJson(best!.opportunity, local.network), id: "trade" }));
    const traded = await run("execute", "trade.json");
    expect(traded.code, traded.stderr).to.equal(0);
    expect(jsonLines(traded)[0]).to.deep.include({ status: "landed", routes: ["mine"], journal: "mined" });
    expectNoCanary(traded.stdout + traded.stderr, "the output");

    const db = await openDatabase({ url: admin });
    try {
      const { rows } = await db.pool.query(`select 1 from journal.send where route = 'mine'`);
      expect(rows).to.have.length.above(0);
      expect(await expectNoCanaryInDatabase(db.pool)).to.be.at.least(5);
    } finally {
      await db.close();
    }
  });
});
