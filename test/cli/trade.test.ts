import { expect } from "chai";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { connectChain } from "../../src/chain/connect.js";
import { loadConfig } from "../../src/config/load.js";
import { networkById } from "../../src/config/networks.js";
import { Secret } from "../../src/config/secrets.js";
import { openSession } from "../../src/execution/session.js";
import { quoteAtBlock } from "../../src/market/market.js";
import { scanBlock } from "../../src/market/watcher.js";
import { type OpportunityJson, toJson } from "../../src/opportunity/schema.js";
import type { LocalChain } from "../../src/sim/chain.js";
import { findPool, movePrice, shareOf, submitMove } from "../../src/sim/trader.js";
import { type LocalWorld, startLocalWorld } from "../../src/sim/world.js";
import type { VenueId } from "../../src/venues/venue.js";
import { importKey } from "../../src/wallet/keystore.js";
import { planDeployment } from "../../src/deploy/deploy.js";
import { IERC20__factory, StepExecutor__factory } from "../../types/contracts/index.js";
import { freshDatabaseUrl } from "../helpers/database.js";
import { PASSWORD, PRIVATE_KEY, type Run, type RunOptions, arb, jsonLines, temporaryFolder } from "../helpers/arb.js";

const ETHER = 10n ** 18n;
const OWNER = "0x00000000000000000000000000000000000A11cE";
const LANDED_FIELDS =
  "amountIn block chainId expectedProfit feeWei funding gasUsed opportunityId path profit profitToken seconds status txHash";

const LIVE = { mode: "live", database: { url: "file:database-url" } };

describe("arb: trading on local chains over loopback", function () {
  const { folder: cwd, remove } = temporaryFolder();
  let world: LocalWorld;
  let base: LocalChain;
  let operator: string;
  let executor: string;

  before(async () => {
    world = await startLocalWorld([8453, 10]);
    base = world.chain(8453);
    write("password", `${PASSWORD}\n`);
    write("wrong", "another password\n");
    // a cheap keystore: what its real cost is, the tests of the wallet tell
    operator = await importKey(path.join(cwd, "operator.json"), new Secret(PRIVATE_KEY), new Secret(PASSWORD), {
      insecureScryptN: 1024,
    });
    writeConfig("dry.jsonc", {});
    writeConfig("live.jsonc", LIVE);
  });
  after(async () => {
    await world.close();
    remove();
  });

  function write(file: string, text: string): void {
    writeFileSync(path.join(cwd, file), text, { mode: 0o600 });
  }

  function writeConfig(file: string, change: object): void {
    const networks = { base: { rpc: [base.url] }, optimism: { rpc: [world.chain(10).url] } };
    const wallet = { keystore: "operator.json", password: "file:password" };
    // a busy machine answers late
    write(file, JSON.stringify({ networks, wallet, timeouts: { rpc: "30 s" }, ...change }));
  }

  const run = async (command: string, config: string, args: string[] = [], options: Partial<RunOptions> = {}): Promise<Run> =>
    await arb([...command.split(" "), ...args, "--config", config, "--deployments", "deployments"], { cwd, ...options });
  const deploy = async (network: string, config = "dry.jsonc") =>
    await run("deploy", config, ["--network", network, "--owner", OWNER, "--json"]);
  const nonce = async (chain = base) => Number(await chain.rpc<string>("eth_getTransactionCount", [operator, "latest"]));
  const height = async () => Number(await base.rpc("eth_blockNumber"));
  const held = async (token: string): Promise<bigint> => {
    const data = IERC20__factory.createInterface().encodeFunctionData("balanceOf", [executor]);
    return BigInt(await base.rpc<string>("eth_call", [{ to: token, data }, "latest"]));
  };

  /** The trader sells WETH in a pool; the cycle that the watcher finds for it, as JSON. */
  async function gap(id: string, venue: VenueId = "uniswap-v2", symbol = "USDC", fee = 3000): Promise<OpportunityJson> {
    const weth = base.network.wrappedNative;
    const pool = findPool(base, venue, "WETH", symbol, fee)!;
    await movePrice(base, pool, weth, await shareOf(base, pool, weth, 20_000));
    const chain = await connectChain(base.network, [base.url], { local: true });
    try {
      const pools = base.pools.filter((p) => p.token0 === pool.token0 && p.token1 === pool.token1);
      const [best] = await scanBlock(chain.provider, base.network, pools, { profitTokens: [weth], lifetimeSeconds: 600 });
      return { ...toJson(best!.opportunity, base.network), id };
    } finally {
      chain.close();
    }
  }

  /** Undoes what the tests did to the chain's prices. */
  async function atSnapshot<T>(work: () => Promise<T>): Promise<T> {
    const snapshot = await base.rpc("evm_snapshot");
    // a chain that is turned back is another chain, with a journal of its own
    write("database-url", await freshDatabaseUrl());
    try {
      return await work();
    } finally {
      await base.setMining({ auto: true });
      await base.rpc("evm_revert", [snapshot]);
    }
  }

  describe("deploy", () => {
    it("says what to do while nothing is deployed", async () => {
      write("early.json", JSON.stringify(await atSnapshot(async () => await gap("early"))));
      const early = await run("execute", "dry.jsonc", ["early.json"]);
      expect(early).to.include({ code: 3, stdout: "" });
      expect(early.stderr).to.match(/no executor is deployed on Base .*\n.*arb deploy --network base --owner/);
    });

    it("deploys, records what it did, and sends nothing the second time", async () => {
      await base.fund(operator, { eth: ETHER });
      const first = await deploy("base");
      expect(first.code, first.stderr).to.equal(0);
      const [made] = jsonLines(first) as [Record<string, any>];
      executor = made["address"] as string;
      expect(made).to.include({ network: "base", chainId: 8453, sent: true });
      expect(made["arguments"]).to.deep.equal({ owner: OWNER, operators: [operator] });
      expect(await base.rpc("eth_getCode", [executor, "latest"])).to.have.length.above(1000);
      const record = readFileSync(path.join(cwd, "deployments", "base.json"), "utf8");
      const { network: _network, sent: _sent, ...rest } = made;
      expect(JSON.parse(record)).to.deep.equal(rest);

      const count = await nonce();
      const second = await deploy("base");
      expect(jsonLines(second)[0]).to.include({ address: executor, sent: false, tx: made["tx"] });
      expect(await nonce()).to.equal(count);
      expect(readFileSync(path.join(cwd, "deployments", "base.json"), "utf8")).to.equal(record);
    });

    it("deploys a StepExecutor beside it, and records it apart", async () => {
      const both = await run("deploy", "dry.jsonc", ["--network", "base", "--owner", OWNER, "--contract", "both", "--json"]);
      const [known, steps] = jsonLines(both) as [Record<string, any>, Record<string, any>];
      expect(known).to.include({ address: executor, sent: false });
      expect(steps).to.include({ network: "base", sent: true });
      const { address } = planDeployment(
        StepExecutor__factory,
        { owner: OWNER, operators: [operator] },
        base.network.create2Proxy.address,
      );
      expect(steps["address"]).to.equal(address);
      const record = JSON.parse(readFileSync(path.join(cwd, "deployments", "base.steps.json"), "utf8")) as Record<string, any>;
      expect(record).to.include({ address, chainId: 8453 });
    });

    it("gives the same address on another chain", async () => {
      await world.chain(10).fund(operator, { eth: ETHER });
      expect(jsonLines(await deploy("optimism"))[0]).to.include({ address: executor, chainId: 10, sent: true });
    });

    it("refuses another owner than the recorded one, unless told", async () => {
      const other = ["--network", "base", "--owner", "0x0000000000000000000000000000000000000B0b"];
      const refused = await run("deploy", "dry.jsonc", other);
      expect(refused).to.include({ code: 7, stdout: "" });
      expect(refused.stderr).to.match(/another executor is recorded for base: .*\n.*--replace/);
    });
  });

  describe("configuration and connection", () => {
    const faults: [what: string, change: () => object, code: number, message: RegExp][] = [
      [
        "a wrong password",
        () => ({ wallet: { keystore: "operator.json", password: "file:wrong" } }),
        4,
        /does not open the keystore/,
      ],
      ["a missing keystore", () => ({ wallet: { keystore: "none.json", password: "file:password" } }), 4, /none\.json/],
      ["a dead endpoint", () => ({ networks: { base: { rpc: ["http://127.0.0.1:1"] } } }), 5, /no endpoint of Base can be used/],
      [
        "an endpoint of another chain",
        () => ({ networks: { base: { rpc: [world.chain(10).url] } } }),
        3,
        /is chain 10, Base is 8453/,
      ],
      ["an endpoint that is no URL", () => ({ networks: { base: { rpc: ["http://["] } } }), 3, /networks\.base\.rpc/],
      [
        "a setting that does not exist",
        () => ({ walet: {} }),
        3,
        /faulty\.jsonc:1:\d+ walet is no setting; did you mean "wallet"/,
      ],
      [
        "an executor without code",
        () => ({ networks: { base: { rpc: [base.url], executor: OWNER } } }),
        3,
        /no contract at the executor/,
      ],
    ];
    for (const [what, change, code, message] of faults) {
      it(`ends with ${code} for ${what}`, async () => {
        writeConfig("faulty.jsonc", change());
        const seen = await run("execute", "faulty.jsonc", ["early.json"]);
        expect(seen, seen.stderr).to.include({ code, stdout: "" });
        expect(seen.stderr).to.match(message);
      });
    }

    it("asks a node again that did not answer the first time", async () => {
      write("endpoint", "http://127.0.0.1:1");
      const rpc = [`file:${path.join(cwd, "endpoint")}`];
      writeConfig("moving.jsonc", { networks: { base: { rpc } }, wallet: undefined });
      const config = loadConfig(path.join(cwd, "moving.jsonc"));
      const session = await openSession(config, { deployments: path.join(cwd, "deployments"), send: false });
      try {
        const first = await session.driver(8453).catch((error: unknown) => error);
        expect(first).to.have.property("code", "network");
        write("endpoint", base.url);
        expect((await session.driver(8453)).context.executor).to.equal(executor);
      } finally {
        await session.close();
      }
    });

    it("ends with 2 for a file that is not there", async () => {
      const seen = await run("quote", "dry.jsonc", ["nowhere.json"]);
      expect(seen).to.include({ code: 2, stdout: "" });
      expect(seen.stderr).to.match(/cannot read nowhere\.json/);
    });
  });

  describe("quote", () => {
    it("gives exact amounts without a key, as text and as JSON", async () => {
      await atSnapshot(async () => {
        const opportunity = await gap("q-1");
        write("q.json", JSON.stringify(opportunity));
        writeConfig("keyless.jsonc", { wallet: undefined });
        const [text, json] = await Promise.all([
          run("quote", "keyless.jsonc", ["q.json"]),
          run("quote", "keyless.jsonc", ["q.json", "--json"]),
        ]);
        const chain = await connectChain(base.network, [base.url], { local: true });
        const hops = opportunity.hops.map((hop) => ({ ...hop, feePips: Number.parseFloat(hop.fee!) * 10_000 }));
        const wanted = { ...opportunity, hops, amountIn: null, funding: null, amounts: null, deadline: null, after: null };
        const { result } = await quoteAtBlock(chain.provider, base.network, wanted as never, { executor });
        chain.close();
        if (!result.ok) throw new Error(result.rejection.detail);
        const { amountIn, amountOut, profit, blockNumber, blockHash } = result.value;
        expect([json.code, json.stderr, text.code]).to.deep.equal([0, "", 0]);
        const [quoted] = jsonLines(json) as [Record<string, any>];
        expect(quoted).to.deep.include({
          status: "quoted",
          opportunityId: "q-1",
          chainId: 8453,
          block: { number: blockNumber, hash: blockHash },
          sizing: "optimum",
          amountIn: amountIn.toString(),
          amountOut: amountOut.toString(),
          funding: "flash-swap",
          profit: profit.toString(),
        });
        expect(text.stdout).to.match(
          /^q-1: 0\.\d+ WETH profit before gas on Base, block \d+\n(.+ -> .+\n){2}size: optimum, funding: flash-swap/,
        );
      });
    });

    it("knows the pools that the configuration vouches for", async () => {
      const weth = base.network.wrappedNative;
      const [own, other] = [3000, 500].map((fee) =>
        findPool(base, fee === 500 ? "uniswap-v3" : "uniswap-v2", "WETH", "USDC", fee)!,
      );
      const usdc = own!.token0 === weth ? own!.token1 : own!.token0;
      const hops = [
        { venue: "v2-fork", pool: own!.address, tokenIn: weth, tokenOut: usdc },
        { venue: "uniswap-v3", pool: other!.address, tokenIn: usdc, tokenOut: weth, fee: "0.05 %" },
      ];
      write("fork.json", JSON.stringify({ version: "opportunity.v1", id: "fork-1", chainId: 8453, hops, amountIn: "1 WETH" }));
      const pools = [{ address: own!.address, venue: "v2-fork", token0: "WETH", token1: "USDC", fee: "0.3 %" }];
      writeConfig("fork.jsonc", { networks: { base: { rpc: [base.url], pools } } });
      const [without, vouched] = await Promise.all([
        run("quote", "dry.jsonc", ["fork.json", "--json"]),
        run("quote", "fork.jsonc", ["fork.json", "--json"]),
      ]);
      expect(jsonLines(without)[0]).to.include({ reason: "unknown-pool", where: "hops[0].pool" });
      // the pools agree on the price, so the answer is about profit
      expect(jsonLines(vouched)[0]).to.include({ reason: "not-profitable" });
    });

    it("explains a rejection and ends with 0", async () => {
      write("flat.json", readFileSync(path.join(cwd, "early.json"), "utf8"));
      const seen = await run("quote", "dry.jsonc", ["flat.json", "--json"]);
      expect(seen.code).to.equal(0);
      expect(jsonLines(seen)[0]).to.include({ status: "rejected", opportunityId: "early", reason: "not-profitable" });
    });
  });

  describe("execute", () => {
    it("plans and simulates in a dry run, and sends nothing", async () => {
      await atSnapshot(async () => {
        write("dry.json", JSON.stringify(await gap("dry-1")));
        const before = [await nonce(), await height()];
        const seen = await run("execute", "dry.jsonc", ["dry.json", "--json"]);
        expect(seen.code, seen.stderr).to.equal(0);
        expect(seen.stderr).to.match(/"dry-run": everything is done but sending/);
        expect(jsonLines(seen)[0]).to.include({ status: "dry-run", opportunityId: "dry-1", funding: "flash-swap" });
        expect(jsonLines(seen)[0]).not.to.have.property("txHash");
        expect([await nonce(), await height()]).to.deep.equal(before);
      });
    });

    it("lands in live mode, and the booked profits are what the executor holds", async () => {
      await atSnapshot(async () => {
        const both = [await gap("live-1"), await gap("live-2", "uniswap-v2", "DAI")];
        write("both.json", JSON.stringify(both));
        const count = await nonce();
        const seen = await run("execute", "live.jsonc", ["both.json", "--json"]);
        expect(seen.code, seen.stderr).to.equal(0);
        const trades = jsonLines(seen);
        expect(trades.map((t) => [t["status"], t["opportunityId"]])).to.deep.equal([
          ["landed", "live-1"],
          ["landed", "live-2"],
        ]);
        for (const trade of trades) {
          expect(Object.keys(trade).toSorted().join(" ")).to.equal(LANDED_FIELDS);
          const receipt = await base.rpc<Record<string, string>>("eth_getTransactionReceipt", [trade["txHash"]]);
          expect(receipt).to.include({ status: "0x1", to: executor.toLowerCase(), from: operator.toLowerCase() });
          expect([Number(receipt["gasUsed"]), Number(receipt["blockNumber"])]).to.deep.equal([trade["gasUsed"], trade["block"]]);
          expect(BigInt(trade["profit"]) > 0n && trade["profit"] === trade["expectedProfit"]).to.equal(true);
        }
        expect(await nonce()).to.equal(count + 2);
        expect(seen.stderr).to.include(`live-1 sent ${trades[0]!["txHash"]}`);
        const booked = trades.reduce((sum, t) => sum + BigInt(t["profit"]), 0n);
        expect(await held(base.network.wrappedNative)).to.equal(booked);

        const shown = jsonLines(await run("wallet show", "live.jsonc", ["--json"]))[0]!;
        const onBase = shown["balances"].find((b: { network: string }) => b.network === "base");
        expect(onBase.executor.address).to.equal(executor);
        expect(onBase.executor.tokens[0]).to.include({ address: base.network.wrappedNative, amount: booked.toString() });
      });
    });

    it("reads JSON lines from stdin, and a bad line stops nothing", async () => {
      await atSnapshot(async () => {
        const good = await gap("line-1");
        const lines = [
          JSON.stringify(good),
          '{"version": "opportunity.v1",',
          "",
          JSON.stringify({ ...good, id: "line-4", hops: [good.hops[0], good.hops[0]] }),
          JSON.stringify({ ...good, id: "line-5", chainId: 1 }),
          JSON.stringify({ ...good, id: "line-1" }),
          JSON.stringify({ ...good, id: "line-7" }),
        ];
        const seen = await run("execute", "dry.jsonc", ["--json", "--quiet"], { stdin: `${lines.join("\n")}\n` });
        expect([seen.code, seen.stderr]).to.deep.equal([0, ""]);
        expect(
          jsonLines(seen).map((o) => [o["status"], o["opportunityId"], o["reason"] ?? null, o["where"] ?? null]),
        ).to.deep.equal([
          ["dry-run", "line-1", null, null],
          ["rejected", null, "malformed", "line 2, column 30"],
          ["rejected", "line-4", "not-a-cycle", "line 4, hops[1].tokenIn"],
          ["rejected", "line-5", "unknown-chain", "line 5, chainId"],
          ["rejected", "line-1", "malformed", "line 6, id"],
          ["dry-run", "line-7", null, null],
        ]);
      });
    });

    it("goes on with other networks when one does not answer, and ends with 5", async () => {
      await atSnapshot(async () => {
        const good = await gap("alive");
        const optimism = networkById(10)!;
        const dead = { ...good, id: "dead", chainId: 10, hops: hopsOn(10) };
        writeConfig("half.jsonc", { networks: { base: { rpc: [base.url] }, [optimism.name]: { rpc: ["http://127.0.0.1:1"] } } });
        const stdin = `${JSON.stringify(dead)}\n${JSON.stringify(good)}\n`;
        const seen = await run("execute", "half.jsonc", ["--json", "--quiet"], { stdin });
        expect(seen.code).to.equal(5);
        expect(JSON.parse(seen.stderr)).to.have.nested.property("error.code", "network");
        expect(jsonLines(seen).map((o) => [o["status"], o["opportunityId"]])).to.deep.equal([["dry-run", "alive"]]);
      });
    });

    it("ends with 6 when a rival comes first, and loses nothing but gas", async () => {
      await atSnapshot(async () => {
        write("late.json", JSON.stringify(await gap("late-1")));
        const holdings = await held(base.network.wrappedNative);
        await base.setMining({ auto: false });
        const running = run("execute", "live.jsonc", ["late.json", "--json"]);
        await pending();
        const pool = findPool(base, "uniswap-v2", "WETH", "USDC", 3000)!;
        const usdc = pool.token0 === base.network.wrappedNative ? pool.token1 : pool.token0;
        await submitMove(base, { pool, tokenIn: usdc, amountIn: await shareOf(base, pool, usdc, 50_000) }, 10n ** 9n);
        await base.rpc("evm_mine");
        const seen = await running;
        expect(seen.code, seen.stderr).to.equal(6);
        const [outcome] = jsonLines(seen) as [Record<string, any>];
        expect(Object.keys(outcome).toSorted()).to.deep.equal(
          ["chainId", "feeWei", "gasUsed", "opportunityId", "reason", "status", "txHash"].toSorted(),
        );
        expect(outcome).to.include({ status: "reverted", opportunityId: "late-1" });
        expect(outcome["reason"]).to.match(/The plan needed 0\.0001\d* WETH; after block \d+/);
        expect(await held(base.network.wrappedNative)).to.equal(holdings);
      });
    });

    it("ends with 10 when the end of what it sent is not known", async () => {
      await atSnapshot(async () => {
        write("open.json", JSON.stringify(await gap("open-1")));
        writeConfig("hasty.jsonc", { ...LIVE, timeouts: { rpc: "30 s", receipt: "300 ms" } });
        await base.setMining({ auto: false });
        const seen = await run("execute", "hasty.jsonc", ["open.json", "--json"]);
        expect(seen.code, seen.stderr).to.equal(10);
        expect(jsonLines(seen)[0]).to.include({ status: "unknown", opportunityId: "open-1" });
      });
    });

    it("ends with 130 on an interrupt, and has said what is on its way", async () => {
      await atSnapshot(async () => {
        write("broken.json", JSON.stringify(await gap("broken-1")));
        await base.setMining({ auto: false });
        const onStderr: RunOptions["onStderr"] = (text, kill) => {
          if (/broken-1 sent 0x[0-9a-f]{64}\n/.test(text)) kill("SIGINT");
        };
        const seen = await run("execute", "live.jsonc", ["broken.json"], { onStderr });
        expect(seen).to.include({ code: 130, stdout: "" });
        const [hash] = /0x[0-9a-f]{64}/.exec(seen.stderr)!;
        expect(await base.rpc("eth_getTransactionByHash", [hash])).to.include({ hash, blockNumber: null });
      });
    });
  });

  /** A cycle on another chain, which is never quoted. */
  function hopsOn(chainId: number): OpportunityJson["hops"] {
    const chain = world.chain(chainId);
    const [weth, usdc] = [chain.network.wrappedNative, chain.network.tokens.find((t) => t.symbol === "USDC")!.address];
    const at = (venue: VenueId) => findPool(chain, venue, "WETH", "USDC", 3000)!.address;
    return [
      { venue: "uniswap-v2", pool: at("uniswap-v2"), tokenIn: weth, tokenOut: usdc },
      { venue: "sushiswap-v2", pool: at("sushiswap-v2"), tokenIn: usdc, tokenOut: weth },
    ];
  }

  /** Until a transaction waits for a block. */
  async function pending(): Promise<void> {
    const until = Date.now() + 15_000;
    for (;;) {
      const { transactions } = await base.rpc<{ transactions: string[] }>("eth_getBlockByNumber", ["pending", false]);
      if (transactions.length > 0) return;
      if (Date.now() > until) throw new Error("no transaction came within 15 s");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
});
