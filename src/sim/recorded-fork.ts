import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { id, toBeHex, toQuantity } from "ethers";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";
import { ArbError } from "../errors.js";
import { withDeadline } from "../venues/multicall.js";
import { type RecordedServer, serveRecording } from "./recorded.js";
import type { RecordedCase } from "./recorded-case.js";

/** A local chain that continues from the state right before a recorded transaction. */
export interface RecordedFork {
  server: RecordedServer;
  /** One JSON-RPC request to the chain. */
  request(method: string, params?: unknown[]): Promise<unknown>;
  /** Two unlocked accounts with 1,000,000 ETH and no history. */
  accounts: [string, string];
  /**
   * Mines one block with the recorded block's number, time, beneficiary, base fee and randomness out of the pending
   * transactions, in the order of their arrival.
   */
  mineRecordedBlock(): Promise<void>;
  close(): Promise<void>;
}

/**
 * `recorded`: the rules that the transaction ran under, to run it again. `executor`: the oldest rules that our contract runs
 * under (it needs TSTORE, MCOPY and PUSH0; Prague has them all), or the recorded ones where those are newer.
 */
export type Rules = "recorded" | "executor";

/** OP stack upgrades by activation time, the same on OP Mainnet and Base (ethereum-optimism/superchain-registry). */
const OP_UPGRADES: [since: bigint, name: string][] = [
  [1746806401n, "isthmus"],
  [1736445601n, "holocene"],
  [1726070401n, "granite"],
  [1720627201n, "fjord"],
  [1710374401n, "ecotone"],
  [1704992401n, "canyon"],
  [0n, "regolith"],
];
const OP_CHAINS = new Set([10, 8453]);

/** Hardhat's names of Ethereum's upgrades where the recordings use others. Blob parameter forks change no EVM rule. */
const HARDHAT_NAMES: Record<string, string> = {
  paris: "merge",
  bpo1: "osaka",
  bpo2: "osaka",
  bpo3: "osaka",
  bpo4: "osaka",
  bpo5: "osaka",
};

const EXECUTOR_GAS_LIMIT = 30_000_000n;
/** A request runs one transaction or call at most, on the machine itself. */
const REQUEST_TIMEOUT_MS = 60_000;
const ACCOUNT_KEYS = [id("recorded fork account 0"), id("recorded fork account 1")];

/** Starts a chain on a recording. Throws "usage" where Hardhat cannot start it (an unknown hard fork). The caller closes it. */
export async function forkRecording(recording: RecordedCase, rules: Rules): Promise<RecordedFork> {
  const server = await serveRecording(recording);
  // fork mode caches what it read by host and port, which another recording may have had: a folder of our own, then gone
  const cache = await mkdtemp(path.join(os.tmpdir(), "arb-replay-"));
  const release = async () => {
    await server.close();
    await rm(cache, { recursive: true, force: true });
  };
  try {
    const connection = await connect(recording, rules, server.url, cache);
    const request = (method: string, params: unknown[] = []): Promise<unknown> =>
      withDeadline(
        connection.provider.request({ method, params }) as Promise<unknown>,
        REQUEST_TIMEOUT_MS,
        `${method} on the recorded state`,
      );
    const accounts = (await request("eth_accounts")) as [string, string];
    return {
      server,
      request,
      accounts,
      mineRecordedBlock: () => mineRecordedBlock(recording, rules, request),
      close: async () => {
        await connection.close();
        await release();
      },
    };
  } catch (error) {
    await release();
    if (error instanceof ArbError) throw error;
    throw new ArbError(
      "usage",
      `the recorded state cannot be forked: ${error instanceof Error ? error.message : String(error)}`,
      {
        where: recording.id,
        cause: error,
      },
    );
  }
}

async function connect(recording: RecordedCase, rules: Rules, url: string, cache: string) {
  const { chainId, block } = recording;
  const chainType = OP_CHAINS.has(chainId) ? "op" : "l1";
  const hardfork = hardforkOf(recording, rules);
  const hre = await createHardhatRuntimeEnvironment(
    {
      paths: { cache },
      // what Hardhat knows of a chain's history does not fit Arbitrum, whose recordings count blocks of L1
      chainDescriptors: {
        [chainId]: { name: `recorded ${chainId}`, chainType, hardforkHistory: { [hardfork]: { blockNumber: 0 } } },
      },
      networks: {
        recorded: {
          type: "edr-simulated",
          chainType,
          chainId,
          hardfork,
          accounts: ACCOUNT_KEYS.map((privateKey) => ({ privateKey, balance: 10n ** 24n })),
          allowBlocksWithSameTimestamp: true,
          // contracts may read it; ours is deployed in the same block, for which a limit of 2020 leaves little room
          blockGasLimit: rules === "recorded" || block.gasLimit > EXECUTOR_GAS_LIMIT ? block.gasLimit : EXECUTOR_GAS_LIMIT,
          mining: { auto: false, interval: 0, mempool: { order: "fifo" } },
          throwOnTransactionFailures: false,
          forking: { url, blockNumber: block.number - 1n },
        },
      },
    },
    {},
    // the package's own folder: Hardhat wants one, and the working directory may be anywhere
    import.meta.dirname,
  );
  return await hre.network.create({ network: "recorded", chainType });
}

function hardforkOf(recording: RecordedCase, rules: Rules): string {
  const { chainId, hardfork, block } = recording;
  if (OP_CHAINS.has(chainId)) {
    if (rules === "executor") return "isthmus";
    return OP_UPGRADES.find(([since, name]) => name === hardfork || block.timestamp >= since)?.[1] ?? hardfork;
  }
  const own = HARDHAT_NAMES[hardfork] ?? hardfork;
  return rules === "recorded" || own === "osaka" ? own : "prague";
}

async function mineRecordedBlock(recording: RecordedCase, rules: Rules, request: RecordedFork["request"]): Promise<void> {
  const { block } = recording;
  await request("hardhat_setCoinbase", [block.miner]);
  await request("evm_setNextBlockTimestamp", [toQuantity(block.timestamp)]);
  if (block.baseFeePerGas != null || rules === "executor") {
    await request("hardhat_setNextBlockBaseFeePerGas", [toQuantity(block.baseFeePerGas ?? 0n)]);
  }
  const merged = rules === "executor" || (block.difficulty ?? 0n) === 0n;
  if (merged) await request("hardhat_setPrevRandao", [block.mixHash ?? toBeHex(0, 32)]);
  await request("evm_mine");
}
