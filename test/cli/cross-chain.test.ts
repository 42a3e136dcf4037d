import { expect } from "chai";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Secret } from "../../src/config/secrets.js";
import type { CrossChainJson } from "../../src/opportunity/cross-chain.js";
import { type CrossChainDesk, openCrossChainDesk, type PoolName, unequal } from "../../src/sim/cross-chain-desk.js";
import { type LocalWorld, startLocalWorld } from "../../src/sim/world.js";
import type { BookLine } from "../../src/transfers/types.js";
import { importKey } from "../../src/wallet/keystore.js";
import { PASSWORD, PRIVATE_KEY, type Run, type RunOptions, arb, jsonLines, temporaryFolder } from "../helpers/arb.js";
import { freshDatabaseUrl } from "../helpers/database.js";

const [BASE, ARBITRUM] = [8453, 42161];
const ETHER = 10n ** 18n;
const POOL: PoolName = ["uniswap-v2", "WETH", "USDC", 3000];
/** Trades of several transactions, in processes of their own, beside two chains in this one. */
const RUN_MS = 240_000;

describe("arb: trades across local chains over loopback", function () {
  this.timeout(400_000);
  const { folder: cwd, remove } = temporaryFolder();
  let world: LocalWorld;
  let desk: CrossChainDesk;
  let operator: string;
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
    write("database-url", await freshDatabaseUrl());
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
        crossChain: {
          enabled: true,
          minProfit: ["0.001 WETH"],
          maxLoss: ["0.5 WETH"],
          holdLimit: ["20 WETH"],
          arrivalBlocks: { base: 0, arbitrum: 0 },
          // these chains make no blocks that nobody asks for: nothing becomes final
          finalWithin: "1 s",
        },
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

  it("execute live: runs it to its end, by CCTP and home by Across, with books equal to the chains", async () => {
    const before = await desk.balances(operator);
    const seen = await run("execute", "live.jsonc", [opportunity("live-1"), "--json"]);
    expect(seen.code, seen.stderr).to.equal(0);
    const [outcome] = jsonLines(seen) as [Record<string, any>];
    expect(outcome).to.include({ status: "ended", opportunityId: "live-1", outcome: "profit" });
    expect((outcome["transfers"] as { bridge: string }[]).map((t) => t.bridge)).to.deep.equal(["cctp", "across"]);
    expect(unequal(before, await desk.balances(operator), booksOf(outcome))).to.deep.equal([]);
    expect(seen.stderr).to.match(/live-1: in-flight, waits for/);

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

  it("--detach returns when it has begun, and the next execute ends it", async () => {
    const begun = await run("execute", "live.jsonc", [opportunity("off-1"), "--detach", "--json"]);
    expect(begun.code, begun.stderr).to.equal(0);
    expect(jsonLines(begun)[0]).to.include({ status: "started", opportunityId: "off-1", outcome: null });
    const ended = await run("execute", "live.jsonc", ["--json"]);
    expect(jsonLines(ended)[0], ended.stderr).to.include({ status: "ended", opportunityId: "off-1", outcome: "profit" });
    const listed = await run("transfers list", "live.jsonc");
    expect(listed.stdout).to.equal("no cross-chain trade is under way\n");
  });
});
