/** A cross-chain desk: two local chains with Across, the program's own database, and an executor on them. */
import { hexlify, randomBytes } from "ethers";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { Secret } from "../../src/config/secrets.js";
import type { Database } from "../../src/database/open.js";
import { CrossChainExecutor, type CrossChainOptions } from "../../src/execution/cross-chain-executor.js";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import type { CrossChainOpportunity } from "../../src/opportunity/cross-chain.js";
import { type LocalAcross, openAcross } from "../../src/sim/bridges/across.js";
import { type LocalCctp, startLocalCctp } from "../../src/sim/bridges/cctp.js";
import { type LocalStargate, startLocalStargate } from "../../src/sim/bridges/stargate.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { findPool, movePrice, shareOf } from "../../src/sim/trader.js";
import { type LocalWorld, startLocalWorld } from "../../src/sim/world.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { IERC20__factory } from "../../types/contracts/index.js";
import { A, B, ETHER, FAST, localAcrossBridge, POLICY, RULES, USDC } from "./cross-chain-settings.js";
import { journalDatabase } from "./journal.js";

export * from "./cross-chain-settings.js";

export interface Site {
  world: LocalWorld;
  across: LocalAcross;
  /** Set where the site was opened with them. */
  cctp: LocalCctp | null;
  stargate: LocalStargate | null;
  chains: Map<number, Chain>;
  /** A wallet with ETH on both networks, and tokens as given. */
  wallet(tokens?: Partial<Record<number, Record<string, bigint>>>): Promise<{ wallet: WalletManager; key: string }>;
  balance(chainId: number, token: string, of: string): Promise<bigint>;
  /** The trader sells a share of a pool: opens or closes a gap. */
  move(chainId: number, sell: "WETH" | "USDC", ppm: number): Promise<void>;
  /** The trader sells WETH into every pool of a network, until it is worth about half. */
  crash(chainId: number): Promise<void>;
  opportunity(id: string, change?: Partial<CrossChainOpportunity>): CrossChainOpportunity;
  /** The same with WETH as the profit token: USDC travels. */
  usdcTravels(id: string, change?: Partial<CrossChainOpportunity>): CrossChainOpportunity;
  close(): Promise<void>;
}

/** `more`: further bridges than Across, and how many blocks make one final; none where it is left out. */
export async function openCrossChainSite(more: { cctp?: boolean; stargate?: boolean; finality?: number } = {}): Promise<Site> {
  const world = await startLocalWorld([A, B]);
  const across = await openAcross(world);
  const sites = [world.chain(A), world.chain(B)];
  const cctp = more.cctp === true ? await startLocalCctp(sites) : null;
  const stargate = more.stargate === true ? await startLocalStargate(sites) : null;
  const chains = new Map<number, Chain>();
  for (const chainId of [A, B]) {
    const local = world.chain(chainId);
    // by default every block of these chains is final: they make none that nobody asked for
    const network = { ...local.network, blockTimeMs: 200, finality: { blocks: more.finality ?? 0, source: "test" } };
    chains.set(chainId, await connectChain(network, [local.url], { local: true, pollMs: 50 }));
  }
  const token = (chainId: number, symbol: string) => tokenOf(world.chain(chainId).network, symbol).address;
  const pool = (chainId: number) => findPool(world.chain(chainId), "uniswap-v2", "WETH", "USDC", 3000)!;
  const leg = (chainId: number, tokenIn: string, tokenOut: string) => ({
    chainId,
    venue: "uniswap-v2" as const,
    pool: pool(chainId).address,
    tokenIn: token(chainId, tokenIn),
    tokenOut: token(chainId, tokenOut),
    feePips: 3000,
  });
  const trade = (
    id: string,
    profit: string,
    travels: string,
    amountIn: bigint,
    change: Partial<CrossChainOpportunity>,
  ): CrossChainOpportunity => ({
    version: "opportunity.v1",
    id,
    buy: leg(A, profit, travels),
    sell: leg(B, travels, profit),
    amountIn,
    mode: "bridge",
    bridges: null,
    returnToSource: true,
    deadline: null,
    source: null,
    ...change,
  });
  return {
    world,
    across,
    cctp,
    stargate,
    chains,
    wallet: async (tokens = {}) => {
      const key = hexlify(randomBytes(32));
      const wallet = new WalletManager(new Secret(key));
      for (const chainId of [A, B])
        await world.chain(chainId).fund(wallet.address, { eth: ETHER, tokens: tokens[chainId] ?? {} });
      return { wallet, key };
    },
    balance: async (chainId, symbol, of) => {
      const { provider } = chains.get(chainId)!;
      if (symbol === "ETH") return await provider.getBalance(of);
      return await IERC20__factory.connect(token(chainId, symbol), provider).balanceOf(of);
    },
    move: async (chainId, sell, ppm) => {
      const chain = world.chain(chainId);
      const tokenIn = token(chainId, sell);
      await movePrice(chain, pool(chainId), tokenIn, await shareOf(chain, pool(chainId), tokenIn, ppm));
    },
    crash: async (chainId) => {
      const chain = world.chain(chainId);
      const weth = token(chainId, "WETH");
      for (const p of chain.pools.filter((each) =>
        [each.token0, each.token1].every((t) => [weth, token(chainId, "USDC")].includes(t)),
      ))
        await movePrice(chain, p, weth, await shareOf(chain, p, weth, 400_000));
    },
    opportunity: (id, change = {}) => trade(id, "USDC", "WETH", 3_000n * USDC, change),
    usdcTravels: (id, change = {}) => trade(id, "WETH", "USDC", ETHER, change),
    close: async () => {
      await across.close();
      await cctp?.close();
      for (const chain of chains.values()) chain.close();
      await world.close();
    },
  };
}

export interface OpenDriver {
  db: Database;
  journal: Journal;
  executor: CrossChainExecutor;
  faults: string[];
  close(): Promise<void>;
}

/** An executor on a new database. */
export async function openDriver(
  site: Pick<Site, "chains">,
  wallets: WalletManager[],
  change: Partial<CrossChainOptions> = {},
): Promise<OpenDriver> {
  const db = change.db ?? (await journalDatabase());
  const journal = await openJournal(db, { ttlMs: 6_000 });
  const faults: string[] = [];
  const executor = await CrossChainExecutor.open({
    db,
    journal,
    networks: [...site.chains.values()].map((chain) => ({
      chain,
      fees: { priorityFee: 1_000_000n, patienceBlocks: 3, maxFeePerGas: null },
      arrivalBlocks: 0,
    })),
    wallets,
    bridges: [localAcrossBridge()],
    rules: RULES,
    policy: { ...POLICY },
    onFault: (error) => faults.push(error instanceof Error ? error.message : JSON.stringify(error)),
    ...change,
    settings: { ...FAST, ...change.settings },
  });
  const close = async () => {
    await executor.close();
    await journal.close();
    if (change.db === undefined) await db.close();
  };
  return { db, journal, executor, faults, close };
}

/** What changed on the chains since `before` and is in no book: nothing, where the books are complete. */
export async function unbooked(
  site: Site,
  db: Pick<Database, "pool">,
  of: string,
  before: Map<string, bigint>,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const chainId of [A, B]) {
    for (const symbol of ["USDC", "WETH", "ETH"]) {
      const asset = symbol === "ETH" ? "native" : tokenOf(site.world.chain(chainId).network, symbol).address.toLowerCase();
      const { rows } = await db.pool.query<{ sum: string }>(
        `select coalesce(sum(amount - gas), 0)::text as sum from crosschain.entry where chain_id = $1 and holder = $2 and asset = $3`,
        [chainId, of.toLowerCase(), asset],
      );
      const changed = (await site.balance(chainId, symbol, of)) - before.get(`${chainId} ${symbol}`)!;
      if (changed !== BigInt(rows[0]!.sum)) wrong.push(`${chainId} ${symbol}: chain ${changed}, books ${rows[0]!.sum}`);
    }
  }
  return wrong;
}

export async function balances(site: Site, of: string): Promise<Map<string, bigint>> {
  const all = new Map<string, bigint>();
  for (const chainId of [A, B])
    for (const symbol of ["USDC", "WETH", "ETH"]) all.set(`${chainId} ${symbol}`, await site.balance(chainId, symbol, of));
  return all;
}

/**
 * The trader sells what the trade buys at its source, until the trade would gain so much before gas and bridges: whatever trades came
 * before. Per cent of the amount.
 */
export async function widen(
  site: Site,
  executor: Pick<CrossChainExecutor, "env" | "senders">,
  { buy, sell, amountIn }: CrossChainOpportunity,
  percent = 3n,
): Promise<void> {
  const { quotes } = executor.env;
  const account = executor.senders.wallets[0]!.address;
  const travels = site.usdcTravels("").buy.tokenOut === buy.tokenOut ? "USDC" : "WETH";
  await until("a gap", async () => {
    const { tokenIn, tokenOut } = buy;
    const [bought] = await quotes.sales(account, buy.chainId, { tokenIn, tokenOut, amountIn, preferred: buy });
    const there = { tokenIn: sell.tokenIn, tokenOut: sell.tokenOut, amountIn: bought!.amountOut, preferred: sell };
    const [sold] = await quotes.sales(account, sell.chainId, there);
    if (sold!.amountOut >= (amountIn * (100n + percent)) / 100n) return true;
    await site.move(buy.chainId, travels, 20_000);
    return false;
  });
}

/** Asks again until it is so; fails after the deadline with what was seen last. */
export async function until<T>(what: string, ask: () => Promise<T | null | false | undefined>, seconds = 90): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== false && answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
