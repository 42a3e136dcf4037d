import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hexlify, keccak256, randomBytes } from "ethers";
import { depositNonce, unsafeDepositId } from "../../../src/bridges/across-abi.js";
import type { SeenDeposit } from "../../../src/bridges/across-key.js";
import { findToken, networkById } from "../../../src/config/networks.js";
import { Secret } from "../../../src/config/secrets.js";
import type { AcrossFate } from "../../../src/sim/bridges/across.js";
import type { Attesting } from "../../../src/sim/bridges/cctp.js";
import { type Counterparts, openCounterparts } from "../../../src/sim/bridges/counterparts.js";
import type { Delivery } from "../../../src/sim/bridges/stargate.js";
import type { LocalChain } from "../../../src/sim/chain.js";
import { tokenOf } from "../../../src/sim/protocols/tokens.js";
import { serveRpc } from "../../../src/sim/server.js";
import { findPool, movePrice } from "../../../src/sim/trader.js";
import { type LocalWorld, startLocalWorld } from "../../../src/sim/world.js";
import { createKeystore } from "../../../src/wallet/keystore.js";
import type { DriverWorld, Fate, SagaWish } from "./plan.js";

/** Source and target network of every trade here. */
export const CHAINS = [1, 42161] as const;
const TICK_MS = 120;
const SCRYPT_N = 1024;
const USDC = 10n ** 6n;
const ETHER = 10n ** 18n;
/** What an account starts with, by network. */
const FUNDS = [
  { eth: 1_000n * ETHER, tokens: { USDC: 500_000n * USDC } },
  { eth: 1_000n * ETHER, tokens: { USDC: 100_000n * USDC, WETH: 200n * ETHER } },
];
/** Longest that a transfer without a fill is left alone before the clocks are moved, in two steps: late, then expired. Milliseconds. */
const PATIENCE_MS = 800;
const LATE_SECONDS = 150;
const EXPIRED_SECONDS = 8_000;

/** One chain, and what its node was offered. */
export interface Site {
  local: LocalChain;
  url: string;
  /** The drivers' accounts: the same on all chains. */
  accounts: string[];
  /** Signed bytes that were offered to the node, by hash. */
  offered: Map<string, string>;
}

/** Which transfer of which trade a deposit of ours belongs to; from the names of the transfers, without any table. */
export interface Purpose {
  saga: string;
  /** out, home, back or restock. */
  leg: string;
}

export interface World {
  sites: [Site, Site];
  bridges: Counterparts;
  /** File that the drivers read. */
  file: string;
  database: string;
  accounts: string[];
  /** Deposits by id, for all trades that were handed out. */
  purposes: Map<bigint, Purpose>;
  /** What wrong fills of a relayer gave our accounts: by network, account in lower case and symbol, base units. */
  gifts: Map<string, bigint>;
  /** Deposits that the data worker paid back or credited, by id. */
  refunded: Set<bigint>;
  /** Lets the bridges know what becomes of these trades' transfers. */
  expect(wishes: readonly SagaWish[]): void;
  /** Sets the price of WETH on a network's Uniswap V2 pool, parts per million of what it was at first. */
  setPrice(chain: 0 | 1, ppm: number): Promise<void>;
  /** Lets time pass on all chains. */
  pass(seconds: number): void;
  pauseDeposits(chain: 0 | 1, paused: boolean): void;
  /** Stops the blocks until the returned function is called. */
  still(): Promise<() => void>;
  close(): Promise<void>;
}

const FATE: Record<Fate, AcrossFate> = {
  fill: { fill: "fill" },
  late: { fill: "fill", afterBlocks: 10 },
  never: { fill: "never" },
  "wrong-recipient": { fill: "wrong-recipient" },
  "wrong-amount": { fill: "wrong-amount" },
  slow: { fill: "slow" },
  "sped-up": { fill: "sped-up" },
  "refund-fails": { fill: "never", refund: "fails" },
};
/** The nearest that CCTP and Stargate have; what they hold back is let go after a while. */
const ATTESTING: Partial<Record<Fate, Attesting>> = {
  late: { kind: "late", unseen: 3, pending: 4 },
  slow: { kind: "insufficient-fee", pending: 6 },
  never: { kind: "never" },
  "refund-fails": { kind: "expires", blocks: 2 },
  "wrong-amount": { kind: "bare" },
};
const DELIVERY: Partial<Record<Fate, Delivery>> = {
  late: { kind: "late", steps: 15 },
  slow: { kind: "unexecuted" },
  never: { kind: "never" },
};
const RELEASE_MS = 3_000;
const LEGS = ["out", "home", "back", "restock"];
const LEG_NUMBERS = 40;

/** Two local chains with three bridges, two accounts of the drivers on both; a block every 120 ms, with the bridges' acts before it. */
export async function openWorld(folder: string): Promise<World> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const password = hexlify(randomBytes(16));
  const database = path.join(folder, "database");
  const local = await startLocalWorld([...CHAINS]);
  const purposes = new Map<bigint, Purpose>();
  const fates = new Map<string, SagaWish>();
  const waiting = new Map<bigint, { since: number; late: boolean }>();
  const poor = new Map<bigint, SeenDeposit>();
  const gifts = new Map<string, bigint>();
  const served = new Set<string>();
  /** The first transfer of each kind has the fate that was planned for it; those after it arrive. */
  const script = (deposit: SeenDeposit): AcrossFate => {
    const { relay } = deposit;
    const purpose = purposes.get(relay.depositId);
    const wish = purpose === undefined ? undefined : fates.get(purpose.saga);
    if (purpose === undefined || wish === undefined) return FATE.fill;
    const there = purpose.leg === "out" || purpose.leg === "restock";
    const key = `${purpose.saga} ${there ? "out" : "home"}`;
    if (served.has(key)) return FATE.fill;
    served.add(key);
    let fate = there ? wish.out : wish.home;
    // only USDC can refuse a refund's transfer
    const source = networkById(Number(relay.originChainId));
    const isUsdc = source !== null && findToken(source, relay.inputToken)?.symbol === "USDC";
    if (fate === "refund-fails" && !isUsdc) fate = "never";
    if (fate === "wrong-amount") poor.set(relay.depositId, deposit);
    if (fate !== "fill" && fate !== "late") waiting.set(relay.depositId, { since: Date.now(), late: false });
    return FATE[fate];
  };
  const bridges = await openCounterparts(local);
  const { across, cctp, stargate } = bridges;
  across.setScript(script);
  const keystores = [0, 1].map((i) => path.join(folder, `account-${i}.json`));
  const accounts: string[] = [];
  for (const file of keystores) accounts.push(await createKeystore(file, new Secret(password), { insecureScryptN: SCRYPT_N }));
  for (const [i, chainId] of CHAINS.entries())
    for (const account of accounts) await local.chain(chainId).fund(account, FUNDS[i]!);
  for (const chain of local.chains) await chain.setMining({ auto: false });
  const opened = await Promise.all(CHAINS.map(async (chainId) => await openSite(local.chain(chainId), accounts)));
  const [first, second] = opened;
  const file = path.join(folder, "world.json");
  const chains = opened.map(({ site }) => ({ chainId: site.local.network.chainId, url: site.url }));
  writeFileSync(file, JSON.stringify({ database, password, keystores, attestationUrl: cctp.url, chains } satisfies DriverWorld), {
    mode: 0o600,
  });

  const refunded = new Set<bigint>();
  const acts: (() => Promise<unknown>)[] = [];
  let released = Date.now();
  const turn = async (): Promise<void> => {
    for (const chain of local.chains) await chain.rpc("evm_setAutomine", [true]);
    for (const act of acts.splice(0)) await act();
    for (const { act, depositId } of await across.step()) {
      if (act === "refunded" || act === "credited") refunded.add(depositId);
      const stray = act === "filled-wrongly" ? poor.get(depositId) : undefined;
      if (stray !== undefined) noteGift(gifts, stray);
      if (act !== "filled-wrongly" && act !== "slow-requested") waiting.delete(depositId);
    }
    if (Date.now() - released > RELEASE_MS) {
      released = Date.now();
      cctp.release();
      stargate.release();
    }
    await stargate.step();
    for (const chain of local.chains) await chain.rpc("evm_setAutomine", [false]);
    for (const chain of local.chains) await chain.rpc("evm_mine");
    const overdue = [...waiting.values()].filter((w) => Date.now() - w.since > PATIENCE_MS);
    if (overdue.length === 0) return;
    const seconds = overdue.some((w) => !w.late) ? LATE_SECONDS : EXPIRED_SECONDS;
    for (const w of overdue) Object.assign(w, { since: Date.now(), late: true });
    await passOn(local, seconds);
  };
  const clock = startClock(turn);
  return {
    sites: [first!.site, second!.site],
    bridges,
    file,
    database,
    accounts,
    purposes,
    gifts,
    refunded,
    expect: (wishes) => {
      for (const wish of wishes) {
        fates.set(wish.id, wish);
        const { homeBridge, home } = wish;
        if (homeBridge === "cctp") cctp.attest(ATTESTING[home] ?? { kind: "prompt" });
        if (homeBridge === "stargate") stargate.deliver(DELIVERY[home] ?? { kind: "prompt" });
        const account = accounts[wish.account]!;
        for (const leg of LEGS)
          for (let i = 0; i < LEG_NUMBERS; i++) {
            const id = unsafeDepositId(account, account, depositNonce(`saga/${wish.id}:${leg}.${i}`));
            purposes.set(id, { saga: wish.id, leg });
          }
      }
    },
    setPrice: priceSetter(local),
    pass: (seconds) => void acts.push(async () => await passOn(local, seconds)),
    pauseDeposits: (chain, paused) => void acts.push(async () => await across.pool(CHAINS[chain]).pause("deposits", paused)),
    still: async () => await clock.still(),
    close: async () => {
      await clock.stop();
      await bridges.close();
      for (const each of opened) await each.close();
      await local.close();
    },
  };
}

/** A wrong fill of one base unit: nobody's books have it, because it is of no transfer of ours. WETH comes to accounts as the native coin. */
function noteGift(gifts: Map<string, bigint>, { relay, destinationChainId }: SeenDeposit): void {
  const { wrappedNative } = networkById(destinationChainId)!;
  const symbol = relay.outputToken === wrappedNative ? "native" : "USDC";
  const key = `${destinationChainId} ${relay.recipient.toLowerCase()} ${symbol}`;
  gifts.set(key, (gifts.get(key) ?? 0n) + 1n);
}

async function passOn(world: LocalWorld, seconds: number): Promise<void> {
  for (const chain of world.chains) {
    await chain.rpc("evm_increaseTime", [`0x${seconds.toString(16)}`]);
    await chain.rpc("evm_mine");
  }
}

async function openSite(local: LocalChain, accounts: string[]): Promise<{ site: Site; close(): Promise<void> }> {
  const offered = new Map<string, string>();
  const server = await serveRpc({
    request: async (method, params) => {
      if (method === "eth_sendRawTransaction") offered.set(keccak256(String(params[0])), String(params[0]));
      return await local.rpc(method, params);
    },
    onNotification: () => () => undefined,
  });
  return { site: { local, url: server.url, accounts, offered }, close: async () => await server.close() };
}

/** Takes a turn every 120 ms until it is stopped; a turn that fails shows when it is. */
function startClock(turn: () => Promise<void>): { still(): Promise<() => void>; stop(): Promise<void> } {
  const life = new AbortController();
  let gate = Promise.resolve();
  let open = (): void => undefined;
  let busy: Promise<void> = Promise.resolve();
  const loop = async (): Promise<void> => {
    while (!life.signal.aborted) {
      await gate;
      busy = turn();
      await busy;
      await sleep(TICK_MS);
    }
  };
  const ended = loop();
  ended.catch(() => undefined);
  return {
    still: async () => {
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

/** A trader brings a pool to a price: by the product of its reserves, so that it hardly changes over many rounds. */
function priceSetter(world: LocalWorld): World["setPrice"] {
  const first = new Map<number, number>();
  return async (index, ppm) => {
    const chain = world.chain(CHAINS[index]);
    const pool = findPool(chain, "uniswap-v2", "WETH", "USDC", 3000)!;
    const [weth, usdc] = ["WETH", "USDC"].map((symbol) => tokenOf(chain.network, symbol).address) as [string, string];
    const word = await chain.rpc<string>("eth_call", [{ to: pool.address, data: "0x0902f1ac" }, "latest"]);
    const reserves = [Number(BigInt(word.slice(0, 66))), Number(BigInt(`0x${word.slice(66, 130)}`))];
    const [x, y] = pool.token0 === weth ? [reserves[0]!, reserves[1]!] : [reserves[1]!, reserves[0]!];
    const base = first.get(index) ?? y / x;
    first.set(index, base);
    const wanted = (base * ppm) / 1e6;
    const nextX = Math.sqrt((x * y) / wanted);
    const [token, amount] = nextX > x ? [weth, nextX - x] : [usdc, wanted * nextX - y];
    if (amount / (token === weth ? x : y) > 1e-4) await movePrice(chain, pool, token, BigInt(Math.floor(amount)));
  };
}
