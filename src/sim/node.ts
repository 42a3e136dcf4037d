import path from "node:path";
import os from "node:os";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";
import type { HardhatRuntimeEnvironment } from "hardhat/types/hre";
import { HDNodeWallet, Mnemonic } from "ethers";
import type { Network } from "../config/network.js";
import type { RpcBackend } from "./server.js";

/** A simulated chain in this process, empty but for its funded accounts. */
export interface LocalNode extends RpcBackend {
  /**
   * Runs `work` while every other request waits: nobody sees the blocks that a builder tries and takes back. Their notifications
   * are kept back too, and those of pending transactions, which would show what was given in private.
   */
  alone<T>(work: (desk: LonelyDesk) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** What the one who is alone with a chain works with. */
export interface LonelyDesk {
  request(method: string, params?: unknown[]): Promise<unknown>;
  /** A block that was taken back: nobody is told of it. */
  forget(blockHash: string): void;
}

export interface NodeOptions {
  /** Which pending transaction comes first in a block: the highest tip, or the first to arrive (what a block builder needs). */
  blockOrder?: "priority" | "fifo";
}

export interface LocalAccount {
  address: string;
  privateKey: string;
}

const ETHER = 10n ** 18n;
/** The phrase that every development chain knows. Never send anything of value to its accounts. */
const PHRASE = "test test test test test test test test test test test junk";

let environment: Promise<HardhatRuntimeEnvironment> | undefined;
let accounts: LocalAccount[] | undefined;

/** The ten unlocked accounts of every local chain. */
export function localAccounts(): LocalAccount[] {
  if (!accounts) {
    const root = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(PHRASE), "m/44'/60'/0'/0");
    accounts = Array.from({ length: 10 }, (_, i) => root.deriveChild(i)).map(({ address, privateKey }) => ({
      address,
      privateKey,
    }));
  }
  return accounts;
}

/** Starts a chain with the network's chain id, rules and transaction gas cap. Every transaction is mined at once. */
export async function startNode(network: Network, options: NodeOptions = {}): Promise<LocalNode> {
  environment ??= createEnvironment();
  const hre = await environment;
  const connection = await hre.network.create({
    network: "local",
    chainType: network.stack === "arbitrum" ? "generic" : network.stack,
    override: {
      chainId: network.chainId,
      accounts: localAccounts().map(({ privateKey }) => ({ privateKey, balance: 10_000n * ETHER })),
      transactionGasCap: network.transactionGasCap ?? false,
      // set-up mines hundreds of blocks in a second; without this the chain's clock would run ahead of the real one
      allowBlocksWithSameTimestamp: true,
      initialBaseFeePerGas: 1_000_000_000n,
      mining: { mempool: { order: options.blockOrder ?? "priority" } },
      // as real nodes do: the hash of a transaction that reverts is still its hash
      throwOnTransactionFailures: false,
    },
  });
  const { provider } = connection;
  const raw = async (method: string, params: unknown[] = []): Promise<unknown> => await provider.request({ method, params });
  const { shared, alone, onNotification } = gate(raw, (listener) => provider.on("notification", listener));
  return { request: shared, alone, onNotification, close: async () => await connection.close() };
}

type Request = (method: string, params?: unknown[]) => Promise<unknown>;
interface Notification {
  subscription: string;
  result: unknown;
}
type Listener = (message: Notification) => void;

/** Lets requests through, many at a time or one caller alone. */
function gate(
  raw: Request,
  subscribe: (listener: Listener) => unknown,
): {
  shared: Request;
  alone: LocalNode["alone"];
  onNotification: RpcBackend["onNotification"];
} {
  const listeners = new Set<Listener>();
  const running = new Set<Promise<unknown>>();
  const forgotten = new Set<string>();
  const queue = { waiting: 0 };
  let last: Promise<unknown> = Promise.resolve();
  let held: Notification[] = [];

  const tell = (message: Notification): void => {
    const { hash, blockHash } = message.result as { hash?: string; blockHash?: string };
    if (!forgotten.has(blockHash ?? hash ?? "")) for (const listener of listeners) listener(message);
  };
  subscribe((message) => {
    if (queue.waiting === 0) tell(message);
    else if (typeof message.result === "object") held.push(message);
  });
  const shared: Request = async (method, params) => {
    while (queue.waiting > 0) await last;
    const answer = raw(method, params);
    running.add(answer);
    try {
      return await answer;
    } finally {
      running.delete(answer);
    }
  };
  const turn = async <T>(before: Promise<unknown>, work: (desk: LonelyDesk) => Promise<T>): Promise<T> => {
    await before;
    await Promise.allSettled(running);
    try {
      return await work({ request: raw, forget: (hash) => forgotten.add(hash) });
    } finally {
      queue.waiting -= 1;
      const messages = held;
      held = [];
      for (const message of messages) tell(message);
    }
  };
  return {
    shared,
    alone: async (work) => {
      queue.waiting += 1;
      const mine = turn(last, work);
      last = mine.catch(() => undefined);
      return await mine;
    },
    onNotification: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/**
 * A Hardhat environment of our own, so that it works outside any Hardhat task and, inside one, reads no artifacts and writes
 * no files of the project.
 */
async function createEnvironment(): Promise<HardhatRuntimeEnvironment> {
  const nowhere = path.join(os.tmpdir(), "arb-local-world");
  return await createHardhatRuntimeEnvironment(
    {
      paths: {
        artifacts: path.join(nowhere, "artifacts"),
        cache: path.join(nowhere, "cache"),
        sources: path.join(nowhere, "contracts"),
      },
      networks: { local: { type: "edr-simulated", chainType: "generic" } },
    },
    {},
    import.meta.dirname,
  );
}
