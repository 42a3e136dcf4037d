import { expect } from "chai";
import { Wallet } from "ethers";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Bridge } from "../../src/bridges/bridge.js";
import { cctpBridge } from "../../src/bridges/cctp.js";
import { iris } from "../../src/bridges/iris.js";
import { Secret } from "../../src/config/secrets.js";
import { type Counterparts, openCounterparts } from "../../src/sim/bridges/counterparts.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { type LocalWorld, startLocalWorld } from "../../src/sim/world.js";
import { importKey } from "../../src/wallet/keystore.js";
import { arb, jsonLines, PASSWORD, PRIVATE_KEY, type Run, temporaryFolder } from "../helpers/arb.js";
import { advance, clockOf, richWallet, sendCalls, type TestViews, viewsOf } from "../helpers/bridges.js";
import { freshDatabaseUrl } from "../helpers/database.js";

const [BASE, ARBITRUM] = [8453, 42161];
const ETHER = 10n ** 18n;
const USDC = 10n ** 6n;
const DAY = 24 * 3_600;

describe("arb recover --scan, over loopback, with no record of what was sent", function () {
  this.timeout(400_000);
  const { folder: cwd, remove } = temporaryFolder();
  let world: LocalWorld;
  let counterparts: Counterparts;
  let test: TestViews;
  let operator: string;

  before(async () => {
    world = await startLocalWorld([BASE, ARBITRUM]);
    counterparts = await openCounterparts(world);
    test = viewsOf(world);
    write("password", `${PASSWORD}\n`);
    operator = await importKey(path.join(cwd, "operator.json"), new Secret(PRIVATE_KEY), new Secret(PASSWORD), {
      insecureScryptN: 1024,
    });
    await world.chain(BASE).fund(operator, { eth: ETHER, tokens: { USDC: 2_000n * USDC } });
    await world.chain(ARBITRUM).fund(operator, { eth: ETHER });
    // so that the newest final block is one of theirs
    const { network, rpc } = world.chain(ARBITRUM);
    await rpc("hardhat_mine", [`0x${(network.finality.blocks + 10).toString(16)}`]);
    write("database-url", await freshDatabaseUrl());
    writeConfig("dry.jsonc", {});
    writeConfig("live.jsonc", { mode: "live" });
  });
  after(async () => {
    test.close();
    await counterparts.close();
    await world.close();
    remove();
  });

  function write(file: string, text: string): void {
    writeFileSync(path.join(cwd, file), text, { mode: 0o600 });
  }

  function writeConfig(file: string, change: object): void {
    const on = (chainId: number) => ({ rpc: [world.chain(chainId).url], routes: ["node"] });
    write(
      file,
      JSON.stringify({
        networks: { base: on(BASE), arbitrum: on(ARBITRUM) },
        wallet: { keystore: "operator.json", password: "file:password" },
        // a busy machine answers late
        timeouts: { rpc: "30 s" },
        database: { url: "file:database-url" },
        // none is enabled: all are searched
        bridges: { cctp: { url: counterparts.cctp.url } },
        ...change,
      }),
    );
  }

  const recover = async (config: string, ...args: string[]): Promise<Run> =>
    await arb(["recover", "--scan", "--account", operator, "--config", config, ...args], { cwd, deadlineMs: 120_000 });
  const scanned = async (...args: string[]): Promise<Record<string, any>[]> => {
    const seen = await recover("live.jsonc", "--json", ...args);
    expect(seen.code, seen.stderr).to.equal(0);
    return jsonLines(seen)[0] as unknown as Record<string, any>[];
  };
  const balance = async (chainId: number): Promise<bigint> =>
    (await scanned())
      .filter((f) => f["kind"] === "balance" && f["chainId"] === chainId && f["symbol"] === "USDC")
      .reduce((sum, f) => sum + BigInt(f["amount"] as string), 0n);

  /** From Base to Arbitrum One, for the operator, whoever pays. */
  async function send(bridge: Bridge, amountIn: bigint, payer: Wallet, id: string): Promise<bigint> {
    const token = (chainId: number): string => tokenOf(world.chain(chainId).network, "USDC").address;
    const answer = await bridge.quote(
      {
        route: { fromChainId: BASE, toChainId: ARBITRUM, tokenIn: token(BASE), tokenOut: token(ARBITRUM) },
        amountIn,
        sender: operator,
        recipient: operator,
        deadline: (await clockOf(test, BASE)) + 2 * DAY,
        id,
      },
      test.views,
    );
    if (!answer.ok) throw new Error(answer.reason);
    await sendCalls(test, payer, bridge.start(answer.quote).calls);
    return answer.quote.amountIn;
  }

  it("tells of an account with nothing under way only what it has, in JSON and in words", async () => {
    const found = await scanned();
    expect(found).to.have.length(1);
    expect(found[0]).to.deep.include({
      kind: "balance",
      holder: operator,
      chainId: BASE,
      symbol: "USDC",
      amount: String(2_000n * USDC),
      bridge: null,
      state: null,
      finish: null,
      seen: null,
    });
    const text = await recover("dry.jsonc");
    expect(text, text.stderr).to.include({ code: 0 });
    expect(text.stdout).to.equal(`balance on Base: 2000 USDC of ${operator}, waits for nothing: it is in the account\n`);
    const stranger = Wallet.createRandom().address;
    const none = await arb(["recover", "--scan", "--account", stranger, "--config", "dry.jsonc"], { cwd, deadlineMs: 120_000 });
    expect(none.stdout).to.equal(`nothing of ${stranger} was found\n`);
  });

  it("a burn of CCTP that nobody minted: found with the call that finishes it, sent once, and gone", async () => {
    const bridge = cctpBridge({ iris: iris({ url: counterparts.cctp.url, deadlineMs: 30_000 }), speed: "fast" });
    const amount = await send(bridge, 1_000n * USDC, new Wallet(PRIVATE_KEY), "lost-burn");
    const [found, text, dry, wrong] = await Promise.all([
      scanned(),
      recover("dry.jsonc"),
      recover("dry.jsonc", "--finish"),
      arb(["recover", "--scan", "--account", "0x12", "--config", "dry.jsonc"], { cwd, deadlineMs: 120_000 }),
    ]);
    const [burn] = found.filter((f) => f["kind"] === "transfer");
    expect(burn).to.deep.include({
      holder: operator,
      chainId: BASE,
      toChainId: ARBITRUM,
      symbol: "USDC",
      amount: String(amount),
      bridge: "cctp",
      state: "claimable",
    });
    expect(burn!["finish"]).to.include({ chainId: ARBITRUM, value: "0" });
    expect(burn!["seen"].from).to.be.a("number");
    expect(text.stdout).to.match(
      /^transfer claimable by cctp on Base to Arbitrum One: 1000 USDC of 0x\w+, \d+ s old, .*waits for our mint; --finish sends it \(0x[0-9a-f]{64}\)$/m,
    );
    expect([dry.code, dry.stdout]).to.deep.equal([3, ""]);
    expect(dry.stderr).to.match(/the configuration's mode is "dry-run": nothing is sent \(at mode\)/);
    expect([wrong.code, /"0x12" is no address \(at --account\)/.test(wrong.stderr)]).to.deep.equal([2, true]);
    expect(await balance(ARBITRUM)).to.equal(0n);

    const finished = await recover("live.jsonc", "--finish");
    expect(finished.code, finished.stderr).to.equal(0);
    expect(finished.stdout).to.match(/^1000 USDC: mint the USDC that CCTP attested \(0x[0-9a-f]{64}\)\n$/);
    expect(await balance(ARBITRUM)).to.be.greaterThan(998n * USDC);
    expect(await scanned("--finish")).to.deep.equal([]);
    const nothing = await recover("live.jsonc", "--finish");
    expect(nothing).to.include({ code: 0, stdout: "nothing of it can be finished now\n" });
  });

  it("a second refund credit of the same token is claimed as well, by a transaction that is not the first's", async () => {
    const payer = await richWallet([world.chain(BASE)], { USDC: 5_000n * USDC });
    const [across] = counterparts.bridges();
    const hashes = new Set<string>();
    for (const n of [1, 2]) {
      counterparts.across.setScript(() => ({ fill: "never", refund: "fails" }));
      const amount = await send(across!, 500n * USDC, payer, `lost-deposit-${n}`);
      for (let i = 0, done = false; !done; i++) {
        done = (await counterparts.across.step()).some((a) => a.act === "credited");
        expect(i).to.be.below(10);
        for (const chainId of done ? [] : [BASE, ARBITRUM]) await advance(world.chain(chainId), 8_000);
      }
      const before = await balance(BASE);
      const text = await recover("dry.jsonc", "--back", "48 h");
      expect(text.code, text.stderr).to.equal(0);
      expect(text.stdout).to.match(
        /refund-credit by across on Base: [\d.]+ USDC of 0x\w+, waits for our claim; --finish sends it/,
      );
      const ended = await scanned("--finish");
      expect(ended.map((f) => [f["found"].kind, f["sent"]])).to.deep.equal([["refund-credit", true]]);
      hashes.add(ended[0]!["hash"] as string);
      expect(hashes.size).to.equal(n);
      expect((await balance(BASE)) - before).to.equal(amount);
    }
  });
});
