import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ContractFactory, hexlify, JsonRpcProvider, keccak256, randomBytes, toQuantity, Wallet } from "ethers";
import { ArbExecutor__factory, Tally__factory } from "../../types/contracts/index.js";
import { connectChain } from "../../src/chain/connect.js";
import { Secret } from "../../src/config/secrets.js";
import { deployExecutor } from "../../src/deploy/deploy.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import type { FaultScript, RelayFault } from "../../src/sim/relay/faults.js";
import { startLocalRelay } from "../../src/sim/relay/relay.js";
import { startLocalSequencer } from "../../src/sim/relay/sequencer.js";
import { reorgsOf } from "../../src/sim/reorg.js";
import { serveRpc } from "../../src/sim/server.js";
import { findPool, shareOf, submitMove } from "../../src/sim/trader.js";
import { createKeystore } from "../../src/wallet/keystore.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import type { PoolId } from "../../src/venues/venue.js";
import { BLOCK_MS, type RelayFaultName, type RoundPlan } from "./plan.js";

/** A bundle is for the next block alone: it must be there before that one is built. */
const RELAY_BLOCK_MS = 250;
const SCRYPT_N = 1024;
const ETHER = 10n ** 18n;
const FEES = { priorityFee: 1_000_000n, patienceBlocks: 2, maxFeePerGas: 10n ** 12n };

/** What a driver process reads when it starts. */
export interface DriverWorld {
  /** Folder of its database. */
  database: string;
  /** Of the keystores; the local world's. */
  password: string;
  chains: {
    chainId: number;
    url: string;
    /** What its transactions go by. */
    way: { kind: "relay" | "sequencer"; url: string };
    executor: string;
    tally: string;
    pools: PoolId[];
    keystores: string[];
  }[];
}

/** One chain with its miner, and what its node was offered. */
export interface Site {
  local: LocalChain;
  url: string;
  executor: string;
  tally: string;
  /** The driver's accounts. */
  accounts: string[];
  /** Signed bytes that were offered to the node, by hash. */
  offered: Map<string, string>;
  /** Signed bytes that the relay, or the sequencer, was given until now, by hash. */
  given(): Map<string, string>;
  /** Lets the relay, or the sequencer, do this with some of the next requests; "none": it is well again. */
  relayFault(fault: RelayFaultName): void;
  /** Blocks that were replaced until now. */
  replaced: number;
  /** Lets the last `depth` blocks be replaced once so many more were mined. */
  reorg(depth: number, branch: RoundPlan["branch"]): void;
  /** Whether a reorganisation is still to come. */
  restless(): boolean;
  /** Stops the blocks until the returned function is called. */
  pause(): Promise<() => void>;
  /** A trader's move, which opens a gap between two pools. */
  openGap(): Promise<void>;
}

export interface World {
  sites: [Site, Site];
  /** File that the driver reads. */
  file: string;
  database: string;
  close(): Promise<void>;
}

/** Two local chains with a contract that counts, an executor, and two funded accounts each; blocks come every 120 ms, the relay's every 250. */
export async function openWorld(folder: string): Promise<World> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const password = hexlify(randomBytes(16));
  const database = path.join(folder, "database");
  const opened = await Promise.all([1, 8453].map(async (chainId) => await openSite(chainId, folder, password)));
  const [first, second] = opened;
  const file = path.join(folder, "world.json");
  const chains = opened.map(({ site, keystores, way }) => {
    const { local, url, executor, tally } = site;
    return { chainId: local.network.chainId, url, way, executor, tally, pools: local.pools, keystores };
  });
  writeFileSync(file, JSON.stringify({ database, password, chains } satisfies DriverWorld), { mode: 0o600 });
  return {
    sites: [first!.site, second!.site],
    file,
    database,
    close: async () => {
      for (const each of opened) await each.close();
    },
  };
}

async function openSite(
  chainId: number,
  folder: string,
  password: string,
): Promise<{ site: Site; keystores: string[]; way: DriverWorld["chains"][number]["way"]; close(): Promise<void> }> {
  const isL1 = chainId === 1;
  const local = await startLocalChain(chainId, isL1 ? { blockOrder: "fifo" } : {});
  const keystores = [0, 1].map((i) => path.join(folder, `account-${chainId}-${i}.json`));
  const accounts: string[] = [];
  for (const file of keystores) {
    accounts.push(await createKeystore(file, new Secret(password), { insecureScryptN: SCRYPT_N }));
    await local.fund(accounts.at(-1)!, { eth: 1_000n * ETHER });
  }
  const { executor, tally } = await deploy(local, accounts, folder);
  await local.setMining({ auto: false });

  const offered = new Map<string, string>();
  const server = await serveRpc({
    request: async (method, params) => {
      if (method === "eth_sendRawTransaction") offered.set(keccak256(String(params[0])), String(params[0]));
      return await local.rpc(method, params);
    },
    onNotification: () => () => undefined,
  });
  const relay = isL1 ? await startLocalRelay(local, { limits: NO_LIMITS }) : null;
  const service = relay ?? (await startLocalSequencer(local));
  const build = async (): Promise<void> => void (await (relay === null ? local.rpc("evm_mine") : relay.buildBlock()));
  const miner = startMiner(local, build, isL1 ? RELAY_BLOCK_MS : BLOCK_MS);
  const site: Site = {
    local,
    url: server.url,
    executor,
    tally,
    accounts,
    offered,
    given: givenTo(service),
    relayFault: (fault) => setFault(service, fault),
    get replaced() {
      return miner.replaced();
    },
    reorg: miner.reorg,
    restless: miner.restless,
    pause: miner.pause,
    openGap: gapOpener(local),
  };
  const close = async (): Promise<void> => {
    await miner.stop();
    await service.close();
    await server.close();
    await local.close();
  };
  return { site, keystores, way: { kind: isL1 ? "relay" : "sequencer", url: service.url }, close };
}

async function deploy(local: LocalChain, operators: string[], folder: string): Promise<{ executor: string; tally: string }> {
  const provider = new JsonRpcProvider(local.url, local.network.chainId, { staticNetwork: true });
  const chain = await connectChain(local.network, [local.url], { local: true });
  const wallet = new WalletManager(new Secret(local.keys[0]!));
  try {
    const factory = new ContractFactory(Tally__factory.abi, Tally__factory.bytecode, new Wallet(local.keys[1]!, provider));
    const contract = await factory.deploy();
    await contract.waitForDeployment();
    const { deployment } = await deployExecutor({
      chain,
      wallet,
      artifact: ArbExecutor__factory,
      arguments: { owner: local.owner, operators },
      folder,
      name: `local-${local.network.name}`,
      fees: FEES,
      deadlineMs: 30_000,
      pollMs: 20,
    });
    await local.fund(deployment.address, { tokens: { WETH: 1n, USDC: 1n, DAI: 1n } });
    return { executor: deployment.address, tally: await contract.getAddress() };
  } finally {
    wallet.close();
    chain.close();
    provider.destroy();
  }
}

const NO_LIMITS = { eth_sendBundle: Infinity, eth_cancelBundle: Infinity };
/** How many requests a fault lasts. */
const FAULT_TIMES = 8;
const LATE_MS = 250;

const FAULTS: Record<Exclude<RelayFaultName, "none">, RelayFault> = {
  drop: { kind: "accept-and-drop" },
  delay: { kind: "slow", ms: LATE_MS },
  "lose-answer": { kind: "lose-answer" },
  "refuse-and-keep": { kind: "refuse-and-keep" },
  down: { kind: "down" },
};

function setFault({ faults }: { faults: FaultScript }, fault: RelayFaultName): void {
  faults.clear();
  if (fault !== "none") faults.add(FAULTS[fault], { times: FAULT_TIMES });
}

/** Gathers what a relay or a sequencer was given, each request once. */
function givenTo({ requests }: { requests: { method: string; params: unknown[] }[] }): () => Map<string, string> {
  const given = new Map<string, string>();
  return () => {
    for (const { method, params } of requests.splice(0)) {
      const raws =
        method === "eth_sendBundle" ? (params[0] as { txs: string[] }).txs : method === "eth_sendRawTransaction" ? params : [];
      for (const raw of raws as string[]) given.set(keccak256(raw), raw);
    }
    return given;
  };
}

interface Miner extends Pick<Site, "reorg" | "restless" | "pause"> {
  replaced(): number;
  stop(): Promise<void>;
}

/** Mines block after block, and replaces some when it is told to. Nobody sees the chain between two branches. */
function startMiner(local: LocalChain, build: () => Promise<void>, pauseMs: number): Miner {
  let ask: (method: string, params: unknown[]) => Promise<unknown> = local.rpc;
  const reorgs = reorgsOf(async (method, params) => {
    try {
      return await ask(method, params);
    } catch (error) {
      // the snapshot has its mempool back too, and with it some of what the branch is to mine
      if (method === "eth_sendRawTransaction") return null;
      throw error;
    }
  });
  let wanted: { depth: number; branch: RoundPlan["branch"]; mined: number } | null = null;
  let replaced = 0;
  const life = new AbortController();
  let gate = Promise.resolve();
  let open = (): void => undefined;
  let busy: Promise<unknown> = Promise.resolve();
  const turn = async (): Promise<void> => {
    if (wanted === null) return await build();
    if (wanted.mined === 0) await reorgs.mark();
    if (wanted.mined < wanted.depth) {
      wanted.mined++;
      return await build();
    }
    const { depth, branch } = wanted;
    wanted = null;
    replaced += depth;
    await local.alone(async (desk) => {
      ask = async (method, params) => await desk.request(method, params);
      try {
        await reorgs.reorg(depth, { branch: (old) => [[], ...branchOf(old, branch)] });
      } finally {
        ask = local.rpc;
      }
    });
  };
  const loop = async (): Promise<void> => {
    while (!life.signal.aborted) {
      await gate;
      busy = turn();
      await busy;
      await sleep(pauseMs);
    }
  };
  const ended = loop();
  // its failure is raised by `stop`
  ended.catch(() => undefined);
  return {
    reorg: (depth, branch) => {
      if (depth > 0) wanted ??= { depth, branch, mined: 0 };
    },
    restless: () => wanted !== null,
    replaced: () => replaced,
    pause: async () => {
      gate = new Promise((resolve) => (open = resolve));
      await busy;
      return open;
    },
    stop: async () => {
      life.abort();
      open();
      await ended;
    },
  };
}

function branchOf(old: string[][], branch: RoundPlan["branch"]): string[][] {
  if (branch === "again") return old;
  let i = 0;
  return old.map((raws) => raws.filter(() => branch === "half" && i++ % 2 === 0));
}

/** WETH falls and rises in turn, so that no pool is drained. */
function gapOpener(local: LocalChain): () => Promise<void> {
  const pool = findPool(local, "uniswap-v2", "WETH", "USDC", 3000);
  let moves = 0;
  return async () => {
    const sold = tokenOf(local.network, moves++ % 2 === 0 ? "WETH" : "USDC").address;
    if (pool !== null) await submitMove(local, { pool, tokenIn: sold, amountIn: await shareOf(local, pool, sold, 20_000) });
  };
}

/** The canonical transactions of some accounts in blocks after `from`, oldest first. */
export async function minedBy(
  site: Site,
  from: number,
  to: number,
): Promise<{ hash: string; from: string; nonce: number; blockNumber: number; blockHash: string }[]> {
  const own = new Set(site.accounts.map((a) => a.toLowerCase()));
  const mined = [];
  for (let number = from + 1; number <= to; number++) {
    const block = await site.local.rpc<{ hash: string; transactions: { hash: string; from: string; nonce: string }[] }>(
      "eth_getBlockByNumber",
      [toQuantity(number), true],
    );
    for (const { hash, from: sender, nonce } of block.transactions) {
      if (own.has(sender)) mined.push({ hash, from: sender, nonce: Number(nonce), blockNumber: number, blockHash: block.hash });
    }
  }
  return mined;
}
