import { expect } from "chai";
import { Client } from "pg";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Secret } from "../../src/config/secrets.js";
import type { CrossChainJson } from "../../src/opportunity/cross-chain.js";
import { type CrossChainDesk, openCrossChainDesk, type PoolName, unequal } from "../../src/sim/cross-chain-desk.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { movePrice, shareOf } from "../../src/sim/trader.js";
import { type LocalWorld, startLocalWorld } from "../../src/sim/world.js";
import type { BookLine } from "../../src/transfers/types.js";
import { importKey } from "../../src/wallet/keystore.js";
import { PASSWORD, PRIVATE_KEY, type Run, type RunOptions, arb, jsonLines, temporaryFolder } from "../helpers/arb.js";
import { freshDatabaseUrl } from "../helpers/database.js";

const [BASE, ARBITRUM] = [8453, 42161];
const ETHER = 10n ** 18n;
const POOL: PoolName = ["uniswap-v2", "WETH", "USDC", 3000];
const CROSS_CHAIN = {
  enabled: true,
  minProfit: ["0.001 WETH"],
  maxLoss: ["0.5 WETH"],
  holdLimit: ["20 WETH"],
  arrivalBlocks: { base: 0, arbitrum: 0 },
  // these chains make no blocks that nobody asks for: nothing becomes final
  finalWithin: "1 s",
};
/** Trades of several transactions, in processes of their own, beside two chains in this one. */
const RUN_MS = 240_000;

describe("arb: trades across local chains over loopback", function () {
  this.timeout(400_000);
  const { folder: cwd, remove } = temporaryFolder();
  let world: LocalWorld;
  let desk: CrossChainDesk;
  let operator: string;
  let databaseUrl: string;
  let relayed = true;
  const closing = new AbortController();
  let stepping: Promise<void>;

  before(async () => {
    world = await startLocalWorld([BASE, ARBITRUM]);
    desk = await openCrossChainDesk(world);
    // the other ends of the bridges act only while a test lets them
    stepping = (async () => {
      while (!closing.signal.aborted) {
        if (relayed) await desk.counterparts.step();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    write("password", `${PASSWORD}\n`);
    operator = await importKey(path.join(cwd, "operator.json"), new Secret(PRIVATE_KEY), new Secret(PASSWORD), {
      insecureScryptN: 1024,
    });
    await world.chain(BASE).fund(operator, { eth: ETHER, tokens: { WETH: 20n * ETHER } });
    await world.chain(ARBITRUM).fund(operator, { eth: ETHER });
    databaseUrl = await freshDatabaseUrl();
    write("database-url", databaseUrl);
    writeConfig("dry.jsonc", {});
    writeConfig("live.jsonc", { mode: "live" });
    await desk.move(BASE, POOL, "USDC", 200_000);
  });
  after(async () => {
    closing.abort();
    await stepping;
    await desk.close();
    await world.close();
    remove();
  });

  function write(file: string, text: string): void {
    writeFileSync(path.join(cwd, file), text, { mode: 0o600 });
  }

  function writeConfig(file: string, change: object): void {
    const on = (chainId: number) => ({ rpc: [world.chain(chainId).url], routes: ["node"] });
    const fees = { share: "0.05 %", max: "1000", eta: "2 s" };
    write(
      file,
      JSON.stringify({
        networks: { base: on(BASE), arbitrum: on(ARBITRUM) },
        wallet: { keystore: "operator.json", password: "file:password" },
        // a busy machine answers late
        timeouts: { rpc: "30 s" },
        database: { url: "file:database-url" },
        bridges: {
          enabled: ["across", "cctp"],
          across: { schedule: [{ token: "WETH", ...fees }] },
          cctp: { url: desk.counterparts.cctp.url, speed: "fast" },
        },
        crossChain: CROSS_CHAIN,
        ...change,
      }),
    );
  }

  /** WETH is dear on Base: sold there, and bought again on Arbitrum One. */
  function opportunity(id: string, change: Partial<CrossChainJson> = {}): string {
    const [buy, sell] = [desk.leg(BASE, POOL, "WETH", "USDC"), desk.leg(ARBITRUM, POOL, "USDC", "WETH")];
    const legOf = ({ chainId, venue, pool, tokenIn, tokenOut }: typeof buy) => ({ chainId, venue, pool, tokenIn, tokenOut });
    const file = `${id}.json`;
    const json = {
      version: "opportunity.v1",
      id,
      buy: legOf(buy),
      sell: legOf(sell),
      amountIn: "1 WETH",
      mode: "bridge",
      ...change,
    };
    write(file, JSON.stringify(json));
    return file;
  }

  /** The trader sells a token in every pool of a network that trades WETH for USDC. */
  async function everywhere(chainId: number, sold: "WETH" | "USDC", ppm: number): Promise<void> {
    const chain = world.chain(chainId);
    const [weth, usdc] = ["WETH", "USDC"].map((symbol) => tokenOf(chain.network, symbol).address) as [string, string];
    const token = sold === "WETH" ? weth : usdc;
    for (const pool of chain.pools.filter((p) => [p.token0, p.token1].every((t) => [weth, usdc].includes(t))))
      await movePrice(chain, pool, token, await shareOf(chain, pool, token, ppm));
  }

  const run = async (command: string, config: string, args: string[] = [], options: Partial<RunOptions> = {}): Promise<Run> =>
    await arb([...command.split(" "), ...args, "--config", config], { cwd, deadlineMs: RUN_MS, ...options });
  const nonces = async () =>
    await Promise.all(world.chains.map(async (c) => await c.rpc("eth_getTransactionCount", [operator, "latest"])));
  const booksOf = (outcome: Record<string, any>): BookLine[] =>
    (outcome["books"] as Record<"chainId" | "asset" | "amount" | "gas", any>[]).map((b) => ({
      chainId: b.chainId as number,
      asset: b.asset as string,
      amount: BigInt(b.amount as string),
      gas: BigInt(b.gas as string),
    }));

  it("quote: what it would give, with its ways out, without a key", async () => {
    const before = await nonces();
    writeConfig("keyless.jsonc", { wallet: undefined });
    const seen = await run("quote", "keyless.jsonc", [opportunity("q-1"), "--json"]);
    expect(seen.code, seen.stderr).to.equal(0);
    const [quoted] = jsonLines(seen) as [Record<string, any>];
    expect(quoted).to.deep.include({
      status: "quoted",
      opportunityId: "q-1",
      mode: "bridge",
      fromChainId: BASE,
      toChainId: ARBITRUM,
      amountIn: String(ETHER),
      bridges: ["cctp"],
    });
    expect(BigInt(quoted["expectedProfit"] as string) > 0n).to.equal(true);
    expect((quoted["waysOut"] as { state: string }[]).map((w) => w.state)).to.deep.equal(["refunded", "target-leg"]);
    expect(await nonces()).to.deep.equal(before);
  });

  it("execute in a dry run: the estimate, its ways out and the worst loss, in words; nothing is sent", async () => {
    const before = await nonces();
    const seen = await run("execute", "dry.jsonc", [opportunity("d-1")]);
    expect(seen.code, seen.stderr).to.equal(0);
    expect(seen.stdout).to.match(
      /^d-1: 0\.\d+ WETH net profit expected, Base -> Arbitrum One, bridge, not started\n {2}1 WETH -> [\d.]+ USDC -> by cctp -> [\d.]+ WETH/,
    );
    expect(seen.stdout).to.match(/if stuck in refunded: sell-at-source (gains|loses) .* WETH/);
    expect(seen.stdout).to.match(/worst of the best ways out: (gains|loses) [\d.]+ WETH\n$/);
    expect(await nonces()).to.deep.equal(before);
  });

  it("is refused with the reason where it would not pay, where the money is not there, and where it is off", async () => {
    writeConfig("off.jsonc", { crossChain: {} });
    writeConfig("greedy.jsonc", {
      crossChain: { enabled: true, minProfit: ["5 WETH"], maxLoss: ["0.5 WETH"], arrivalBlocks: { base: 0, arbitrum: 0 } },
    });
    const [off, greedy, poor] = await Promise.all([
      run("execute", "off.jsonc", [opportunity("off")]),
      run("execute", "greedy.jsonc", [opportunity("greedy"), "--json"]),
      run("execute", "dry.jsonc", [opportunity("poor", { amountIn: "50 WETH" }), "--json"]),
    ]);
    expect(off).to.include({ code: 3, stdout: "" });
    expect(off.stderr).to.match(/cross-chain trades are off \(at crossChain\.enabled\)/);
    expect([greedy.code, poor.code]).to.deep.equal([0, 0]);
    expect(jsonLines(greedy)[0]).to.include({ status: "rejected", reason: "not-started", opportunityId: "greedy" });
    expect(jsonLines(greedy)[0]!["detail"]).to.match(/the expected profit of \d+ is below 5000000000000000000/);
    expect(jsonLines(poor)[0]!["detail"]).to.match(
      /units of WETH are wanted on chain 8453, 20000000000000000000 are free|the worst way out/,
    );
  });

  it("inventory: the stock, without a key, with the transfer that its shares ask for and what that costs", async () => {
    writeConfig("shares.jsonc", {
      wallet: undefined,
      crossChain: { ...CROSS_CHAIN, rebalancing: [{ token: "WETH", shares: { base: "75 %", arbitrum: "25 %" } }] },
    });
    const [seen, text, wrong] = await Promise.all([
      run("inventory", "shares.jsonc", ["--account", operator, "--json"]),
      run("inventory", "shares.jsonc", ["--account", operator]),
      run("inventory", "shares.jsonc", ["--account", "0x12"]),
    ]);
    expect(seen.code, seen.stderr).to.equal(0);
    const found = jsonLines(seen)[0]! as Record<string, any[]>;
    expect(found).to.deep.include({ account: operator, inFlight: [], limits: {}, rebalancings: [] });
    const held = (found["stock"] as { token: string; held: Record<string, unknown>[] }[]).find((s) => s.token === "WETH")!.held;
    expect(held.map((h) => [h["chainId"], h["balance"], h["free"], h["sharePpm"]])).to.have.deep.members([
      [BASE, String(20n * ETHER), String(20n * ETHER), 750_000],
      [ARBITRUM, "0", "0", 250_000],
    ]);
    const [plan] = found["plans"] as { moves: Record<string, unknown>[] }[];
    const [move] = plan!.moves;
    expect(move).to.include({ fromChainId: BASE, toChainId: ARBITRUM, bridge: "across", amount: String(5n * ETHER) });
    expect(BigInt(move!["cost"] as string) > 0n).to.equal(true);
    expect(text.stdout).to.match(/Base +20 WETH +20 WETH .* 75 %/);
    expect(text.stdout).to.match(/plan: 5 WETH from Base to Arbitrum One by across for 0\.\d+ WETH\n$/);
    expect([wrong.code, wrong.stderr]).to.satisfy(
      ([code, words]: [number, string]) => code === 2 && /"0x12" is no address \(at --account\)/.test(words),
    );
  });

  it("execute live: runs it to its end, by CCTP and home by Across, with books equal to the chains", async () => {
    const before = await desk.balances(operator);
    const seen = await run("execute", "live.jsonc", [opportunity("live-1"), "--json"]);
    expect(seen.code, seen.stderr).to.equal(0);
    const [outcome] = jsonLines(seen) as [Record<string, any>];
    expect(outcome).to.include({ status: "ended", opportunityId: "live-1", outcome: "profit" });
    expect((outcome["transfers"] as { bridge: string }[]).map((t) => t.bridge)).to.deep.equal(["cctp", "across"]);
    expect(unequal(before, await desk.balances(operator), booksOf(outcome))).to.deep.equal([]);
    expect(seen.stderr).to.match(/live-1: [a-z-]+, waits for /);

    const [again, shown, text] = await Promise.all([
      run("execute", "live.jsonc", ["live-1.json", "--json"]),
      run("transfers show live-1", "live.jsonc", ["--json"]),
      run("transfers show live-1", "live.jsonc"),
    ]);
    expect(jsonLines(again)[0], again.stderr).to.deep.equal(outcome);
    expect(jsonLines(shown)[0]).to.deep.include({
      outcome: "profit",
      atRisk: null,
      legs: outcome["legs"],
      books: outcome["books"],
    });
    expect(text.stdout).to.match(/^live-1 \(bridge, Base -> Arbitrum One\): profit in [\d.]+ s\n {2}buy on Base: 1 WETH -> /);
    expect(text.stdout).to.match(/\n {2}books on Base: .* ETH, gas 0\.\d+ ETH\n/);
  });

  it("an interrupt leaves it where it is, says how to go on, and the next execute ends it", async () => {
    relayed = false;
    const before = await desk.balances(operator);
    const stopped = await run("execute", "live.jsonc", [opportunity("cut-1", { bridges: ["across", "cctp"] })], {
      onStderr: (text, kill) => {
        // the way home: only a relayer of Across brings it
        if (/cut-1: return-in-flight/.test(text)) kill("SIGINT");
      },
    });
    expect(stopped).to.include({ code: 130, stdout: "" });
    expect(stopped.stderr).to.match(
      /cut-1: interrupted\. Nothing is lost: .*goes on with the next `arb execute`.*`arb transfers list`/,
    );

    const listed = await run("transfers list", "live.jsonc", ["--json"]);
    const [trade] = (jsonLines(listed)[0]!["trades"] as Record<string, any>[]).filter((t) => t["id"] === "cut-1");
    expect(trade).to.include({ state: "return-in-flight", outcome: null, overdue: false });
    expect(trade!["waitsFor"]).to.be.a("string").and.not.equal("");
    expect(new Date(trade!["deadline"] as string).getTime()).to.be.greaterThan(Date.now());
    expect(trade!["atRisk"]).to.include({ chainId: ARBITRUM, symbol: "WETH" });
    const text = await run("transfers list", "live.jsonc");
    expect(text.stdout).to.match(
      /cut-1 \(bridge, \d+ s\): return-in-flight, waits for .*, until .*Z, at risk [\d.]+ WETH on Arbitrum One/,
    );

    relayed = true;
    const ended = await run("execute", "live.jsonc", ["--json"]);
    expect(ended.code, ended.stderr).to.equal(0);
    expect(ended.stderr).to.match(/goes on with what an earlier run began: cut-1/);
    const [outcome] = jsonLines(ended) as [Record<string, any>];
    expect(outcome).to.include({ status: "ended", opportunityId: "cut-1", outcome: "profit" });
    expect(unequal(before, await desk.balances(operator), booksOf(outcome))).to.deep.equal([]);
  });

  it("--detach returns when it has begun; held by a later run, it goes on as it was told, and the next execute follows it", async () => {
    const before = await desk.balances(operator);
    const base = world.chain(BASE);
    // the gap is between the networks: what is sold back on the first one loses its fees
    await desk.move(BASE, POOL, "WETH", 200_000);
    await everywhere(ARBITRUM, "WETH", 200_000);
    // nothing of it is in a block before the price of its target is gone
    await base.rpc("evm_setAutomine", [false]);
    // how long it is held is a trade's own from its start, what it may lose is the driver's of now
    writeConfig("short.jsonc", { mode: "live", crossChain: { ...CROSS_CHAIN, holdFor: "1 s" } });
    const begun = await run("execute", "short.jsonc", [opportunity("off-1"), "--detach", "--json"]);
    expect(begun.code, begun.stderr).to.equal(0);
    expect(jsonLines(begun)[0]).to.include({ status: "started", opportunityId: "off-1", outcome: null });
    await everywhere(ARBITRUM, "USDC", 500_000);
    await base.rpc("evm_setAutomine", [true]);
    await base.rpc("evm_mine");

    writeConfig("tight.jsonc", { mode: "live", crossChain: { ...CROSS_CHAIN, maxLoss: ["0.0001 WETH"] } });
    const held = await run("execute", "tight.jsonc", ["--json"]);
    expect(held.code, held.stderr).to.equal(10);
    expect(jsonLines(held)[0]).to.include({ status: "ended", opportunityId: "off-1", outcome: "held" });

    const sql = new Client({ connectionString: databaseUrl });
    await sql.connect();
    try {
      await sql.query(
        `insert into dbos.workflow_status (workflow_uuid, status, name, application_version) values ('saga/old', 'PENDING', 'x', 'saga-0')`,
      );
      const [listed, text, wrong, none] = await Promise.all([
        run("transfers list", "live.jsonc", ["--json"]),
        run("transfers list", "live.jsonc"),
        run("transfers resume live-1", "live.jsonc", ["--json"]),
        run("transfers resume rebalance/WETH/1", "live.jsonc"),
      ]);
      expect([listed.code, text.code]).to.deep.equal([7, 7]);
      const { trades, otherVersions } = jsonLines(listed)[0]! as {
        trades: { id: string; outcome: string }[];
        otherVersions: object[];
      };
      expect(trades.map((t) => [t.id, t.outcome])).to.deep.equal([["off-1", "held"]]);
      expect(otherVersions).to.deep.equal([{ id: "saga/old", version: "saga-0", status: "PENDING" }]);
      expect(text.stdout).to.match(
        /^off-1 \(bridge, \d+ s\): held, waits for the operator: .*; arb transfers resume off-1, at risk 2\d{3}\.\d+ USDC on Base\nSTANDS STILL: saga\/old was started by/,
      );
      expect([wrong.code, wrong.stderr]).to.satisfy(
        ([code, words]: [number, string]) => code === 2 && /live-1 has ended: profit/.test(words),
      );
      expect([none.code, none.stderr]).to.satisfy(
        ([code, words]: [number, string]) => code === 2 && /there is no rebalancing/.test(words),
      );
      await sql.query(`delete from dbos.workflow_status where workflow_uuid = 'saga/old'`);
    } finally {
      await sql.end();
    }

    const told = await run("transfers resume off-1", "live.jsonc", ["--choice", "sell-at-source"]);
    expect(told.code, told.stderr).to.equal(0);
    expect(told.stdout).to.match(/^off-1 is held, and goes on \(sell-at-source\) with the driver/);
    const ended = await run("execute", "tight.jsonc", ["--json"]);
    expect(ended.code, ended.stderr).to.equal(0);
    const [outcome] = jsonLines(ended) as [Record<string, any>];
    expect(outcome, ended.stderr).to.include({ status: "ended", opportunityId: "off-1", outcome: "sold-at-source" });
    expect(unequal(before, await desk.balances(operator), booksOf(outcome))).to.deep.equal([]);
    const listed = await run("transfers list", "live.jsonc");
    expect(listed).to.include({ code: 0, stdout: "no cross-chain trade is under way\n" });
  });
});
