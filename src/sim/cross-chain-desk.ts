/** A desk for cross-chain trades: local chains with all three bridges, accounts, and an executor on them. */
import { randomBytes } from "node:crypto";
import { hexlify } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { type Chain, connectChain } from "../chain/connect.js";
import { Secret } from "../config/secrets.js";
import { ArbError } from "../errors.js";
import type { CrossChainOptions } from "../execution/cross-chain-executor.js";
import type { CrossChainOpportunity, Leg } from "../opportunity/cross-chain.js";
import type { TradingNetwork } from "../transfers/senders.js";
import type { BookLine } from "../transfers/types.js";
import type { VenueId } from "../venues/venue.js";
import { WalletManager } from "../wallet/wallet-manager.js";
import { type Counterparts, openCounterparts } from "./bridges/counterparts.js";
import type { LocalChain } from "./chain.js";
import { tokenOf } from "./protocols/tokens.js";
import { findPool, movePrice, shareOf } from "./trader.js";
import type { LocalWorld } from "./world.js";

/** Whole or broken amounts by symbol, base units. */
export type Amounts = Record<string, bigint>;

/** Balances by "chain asset": asset in lower case, "native" for the chain's coin. */
export type Balances = Map<string, bigint>;

/** A pool by venue, two tokens and fee in pips. */
export type PoolName = [venue: VenueId, tokenA: string, tokenB: string, feePips: number];

export interface CrossChainDesk {
  world: LocalWorld;
  counterparts: Counterparts;
  chains: Map<number, Chain>;
  /** For CrossChainExecutor.open: every block counts as final, because these chains make none that nobody asked for. */
  networks(): TradingNetwork[];
  /** An account with ETH on every chain, and tokens as given. */
  account(tokens?: Partial<Record<number, Amounts>>): Promise<{ wallet: WalletManager; key: string }>;
  balances(of: string): Promise<Balances>;
  /** The trader sells parts per million of what a pool holds of a token: opens or closes a gap. */
  move(chainId: number, pool: PoolName, sell: string, ppm: number): Promise<void>;
  /** One leg: what it sells and buys, by symbol. */
  leg(chainId: number, pool: PoolName, sell: string, buy: string): Leg;
  opportunity(
    given: Pick<CrossChainOpportunity, "id" | "buy" | "sell" | "amountIn"> & Partial<CrossChainOpportunity>,
  ): CrossChainOpportunity;
  /** Moves the clocks of all chains. */
  pass(seconds: number): Promise<void>;
  close(): Promise<void>;
}

const ETHER = 10n ** 18n;
const GWEI = 10n ** 9n;
/** Several chains run in one process, and one of them may be busy with a transaction of another. */
const RPC_DEADLINE_MS = 20_000;

/** Short waits: a local chain answers at once. */
export const DESK_SETTINGS: NonNullable<CrossChainOptions["settings"]> = {
  legMs: 15_000,
  pollSeconds: 0.05,
  mostPollSeconds: 0.2,
  recheckSeconds: 0.2,
  finalSeconds: 30,
  haltSeconds: 60,
};

/** Opens one on a running world. Its chains are closed by whoever started them. */
export async function openCrossChainDesk(world: LocalWorld): Promise<CrossChainDesk> {
  const counterparts = await openCounterparts(world);
  const chains = new Map<number, Chain>();
  const close = async () => {
    await counterparts.close();
    for (const chain of chains.values()) chain.close();
  };
  try {
    for (const local of world.chains) {
      const network = { ...local.network, blockTimeMs: 200, finality: { blocks: 0, source: "local world" } };
      const chain = await connectChain(network, [local.url], { local: true, pollMs: 20, timeoutMs: RPC_DEADLINE_MS });
      chains.set(local.network.chainId, chain);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const fees = { priorityFee: 1_000_000n, patienceBlocks: 3, maxFeePerGas: null };
  const stuck = { maxFeePerGas: 200n * GWEI, cancelBudget: ETHER / 100n };
  return {
    world,
    counterparts,
    chains,
    networks: () => [...chains.values()].map((chain) => ({ chain, fees, stuck, arrivalBlocks: 0 })),
    account: async (tokens = {}) => {
      const key = hexlify(randomBytes(32));
      const wallet = new WalletManager(new Secret(key));
      for (const local of world.chains) {
        await local.fund(wallet.address, { eth: ETHER, tokens: tokens[local.network.chainId] ?? {} });
      }
      return { wallet, key };
    },
    balances: async (of) => {
      const all: Balances = new Map();
      for (const [chainId, { provider, network }] of chains) {
        all.set(`${chainId} native`, await provider.getBalance(of));
        for (const { address } of network.tokens)
          all.set(`${chainId} ${address.toLowerCase()}`, await heldBy(of, address, chains.get(chainId)!));
      }
      return all;
    },
    move: async (chainId, pool, sell, ppm) => {
      const local = world.chain(chainId);
      const id = poolOf(local, pool);
      const token = tokenOf(local.network, sell).address;
      await movePrice(local, id, token, await shareOf(local, id, token, ppm));
    },
    leg: (chainId, pool, sell, buy) => {
      const local = world.chain(chainId);
      const [tokenIn, tokenOut] = [tokenOf(local.network, sell).address, tokenOf(local.network, buy).address];
      const { venue, address, feePips } = poolOf(local, pool);
      return { chainId, venue, pool: address, tokenIn, tokenOut, feePips };
    },
    opportunity: (given) => ({
      version: "opportunity.v1",
      mode: "bridge",
      bridges: null,
      returnToSource: true,
      deadline: null,
      source: "local world",
      ...given,
    }),
    pass: async (seconds) => {
      for (const local of world.chains) {
        await local.rpc("evm_increaseTime", [`0x${seconds.toString(16)}`]);
        await local.rpc("hardhat_mine", ["0x1"]);
      }
    },
    close,
  };
}

/** A token that the registry knows and the local chain does not have counts as none. */
async function heldBy(of: string, token: string, { provider }: Chain): Promise<bigint> {
  const data = IERC20__factory.createInterface().encodeFunctionData("balanceOf", [of]);
  const answer = await provider.call({ to: token, data });
  return answer === "0x" ? 0n : BigInt(answer);
}

function poolOf(local: LocalChain, [venue, a, b, feePips]: PoolName) {
  const pool = findPool(local, venue, a, b, feePips);
  if (!pool) throw new ArbError("internal", `${local.network.title} has no ${venue} pool of ${a} and ${b}`);
  return pool;
}

/** Where what changed on the chains is not what books say, in words; empty where they are equal to the wei. */
export function unequal(before: Balances, after: Balances, books: readonly BookLine[]): string[] {
  const wrong: string[] = [];
  const booked = new Map(books.map((b) => [`${b.chainId} ${b.asset}`, b.amount - b.gas]));
  for (const place of new Set([...after.keys(), ...booked.keys()])) {
    const changed = (after.get(place) ?? 0n) - (before.get(place) ?? 0n);
    const told = booked.get(place) ?? 0n;
    if (changed !== told) wrong.push(`${place}: the chain says ${changed}, the books ${told}`);
  }
  return wrong;
}
