import { Interface, toBeHex } from "ethers";
import { addressOf, type RelayData, relayHash, spokePool } from "../../bridges/across-abi.js";
import { depositIn, type SeenDeposit } from "../../bridges/across-key.js";
import { acrossFacts } from "../../config/across.js";
import { findToken } from "../../config/networks.js";
import { ArbError } from "../../errors.js";
import type { LocalChain } from "../chain.js";
import { invoke, type RawReceipt, read } from "../site.js";
import type { LocalWorld } from "../world.js";
import { type LocalPool, placeAcross } from "./across-pools.js";

/** What the local relayer and Across' data worker do with one deposit. */
export interface AcrossFate {
  /**
   * `wrong-recipient` and `wrong-amount` fill another relay that has this deposit's id, and leave the deposit itself alone. `slow`:
   * the relayer asks for a slow fill, which the data worker brings with the next step. `sped-up`: only after a speed-up, on its terms.
   */
  fill: "fill" | "never" | "wrong-recipient" | "wrong-amount" | "slow" | "sped-up";
  /** Seconds of the destination's clock since the deposit was first seen before the relayer acts. */
  afterSeconds?: number;
  /** Blocks of the destination since the deposit was first seen before the relayer acts. */
  afterBlocks?: number;
  /** After expiry. `fails`: the token refuses the transfer, so that it becomes a credit (USDC only). `pay` by default. */
  refund?: "pay" | "fails" | "hold";
}

/** Decides the fate of each deposit when it is first seen; `index` counts deposits from 0. */
export type AcrossScript = (deposit: SeenDeposit, index: number) => AcrossFate;

/** Something that a step did, for tests and demonstrations. */
export interface AcrossAct {
  act: "filled" | "filled-wrongly" | "slow-requested" | "slow-filled" | "refunded" | "credited";
  depositId: bigint;
  chainId: number;
  txHash: string;
}

export interface LocalAcross {
  pool(chainId: number): LocalPool;
  /** Changes what happens to deposits that were not seen yet. */
  setScript(script: AcrossScript): void;
  /** Looks at all chains once and does what is due. Deterministic: it acts on chain state and clocks of the chains alone. */
  step(): Promise<AcrossAct[]>;
  /** Steps until closed. A step that fails ends it and shows when closing. */
  run(everyMs?: number): void;
  close(): Promise<void>;
}

interface Open extends SeenDeposit {
  fate: AcrossFate;
  seenAt: number;
  seenBlock: number;
  done: boolean;
  refunded: boolean;
  /** Seen as filled: nothing is done for it any more. */
  filled: boolean;
}

const FILL: AcrossFate = { fill: "fill" };
const blacklist = { abi: new Interface(["function blacklist(address)", "function unBlacklist(address)"]) };
const SPEED_UP = new Interface([
  "event RequestedSpeedUpDeposit(uint256 updatedOutputAmount, uint256 indexed depositId, bytes32 indexed depositor, bytes32 updatedRecipient, bytes updatedMessage, bytes depositorSignature)",
]);

/** Places Across on the world's chains with one relayer and one data worker that follow a script; by default everything is filled. */
export async function openAcross(world: LocalWorld, script: AcrossScript = () => FILL): Promise<LocalAcross> {
  const pools = new Map<number, LocalPool>();
  for (const chain of world.chains)
    if (acrossFacts(chain.network.chainId)) pools.set(chain.network.chainId, await placeAcross(chain));
  const pool = (chainId: number): LocalPool => {
    const found = pools.get(chainId);
    if (!found) throw new ArbError("usage", `Across was not opened on chain ${chainId}`);
    return found;
  };
  const seen = new Map<string, Open>();
  const decoded: ReadLogs = new Map();
  let decide = script;
  const closing = new AbortController();
  let running: Promise<void> | undefined;

  const step = async (): Promise<AcrossAct[]> => {
    const acts: AcrossAct[] = [];
    const present = new Set<string>();
    for (const source of pools.values())
      for (const { deposit, hash } of await depositsOn(source, decoded)) {
        if (!pools.has(deposit.destinationChainId)) continue;
        present.add(hash);
        if (seen.has(hash)) continue;
        const now = await clock(pool(deposit.destinationChainId).chain);
        const fate = decide(deposit, seen.size);
        seen.set(hash, { ...deposit, fate, seenAt: now.time, seenBlock: now.block, done: false, refunded: false, filled: false });
      }
    for (const [hash, open] of seen) {
      // a reorganisation took the deposit away: whoever filled it has lost, whoever has not does not
      if (!present.has(hash) || open.filled || open.refunded) continue;
      const act = (await relayerActs(open)) ?? (await dataWorkerActs(open));
      if (act) acts.push(act);
    }
    return acts;
  };

  const relayerActs = async (open: Open): Promise<AcrossAct | null> => {
    const target = pool(open.destinationChainId);
    const { fill, afterSeconds = 0, afterBlocks = 0 } = open.fate;
    if (open.done || fill === "never") return null;
    const now = await clock(target.chain);
    if (now.time < open.seenAt + afterSeconds || now.block < open.seenBlock + afterBlocks) return null;
    if (BigInt(now.time) >= open.relay.fillDeadline) return null;
    const acted = (act: AcrossAct["act"], receipt: RawReceipt): AcrossAct => {
      open.done = true;
      return { act, depositId: open.relay.depositId, chainId: open.destinationChainId, txHash: receipt.transactionHash };
    };
    const { relay } = open;
    if ((await statusOf(target, relay)) === 2n) return null; // by a test or another relayer
    if (fill === "fill") return acted("filled", await target.fillRelay(relay));
    if (fill === "wrong-amount") return acted("filled-wrongly", await target.fillRelay({ ...relay, outputAmount: 1n }));
    if (fill === "wrong-recipient")
      return acted("filled-wrongly", await target.fillRelay({ ...relay, recipient: target.chain.trader, outputAmount: 1n }));
    if (fill === "slow") return acted("slow-requested", await target.requestSlowFill(relay));
    const wish = await speedUpOf(pool(Number(relay.originChainId)), relay);
    if (!wish) return null;
    return acted("filled", await target.fillUpdated(relay, wish.amount, wish.recipient, wish.message, wish.signature));
  };

  const dataWorkerActs = async (open: Open): Promise<AcrossAct | null> => {
    const target = pool(open.destinationChainId);
    const { relay } = open;
    const filled = await statusOf(target, relay);
    open.filled = filled === 2n;
    if (open.filled) return null;
    const now = await clock(target.chain);
    const made = { depositId: relay.depositId };
    if (BigInt(now.time) <= relay.fillDeadline) {
      if (filled !== 1n || relay.message !== "0x") return null;
      const { transactionHash } = await target.slowFill(relay, relay.outputAmount);
      return { ...made, act: "slow-filled", chainId: open.destinationChainId, txHash: transactionHash };
    }
    const how = open.fate.refund ?? "pay";
    if (how === "hold") return null;
    const source = pool(Number(relay.originChainId));
    const { transactionHash } = await refund(source, relay, how);
    open.refunded = true;
    return {
      ...made,
      act: how === "fails" ? "credited" : "refunded",
      chainId: Number(relay.originChainId),
      txHash: transactionHash,
    };
  };

  const loop = async (everyMs: number): Promise<void> => {
    while (!closing.signal.aborted) {
      await step();
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  };
  return {
    pool,
    setScript: (next) => void (decide = next),
    step,
    run: (everyMs = 50) => {
      running ??= loop(everyMs);
      // shown by close; until then it must not end the process
      running.catch(() => undefined);
    },
    close: async () => {
      closing.abort();
      await running;
    },
  };
}

async function refund(source: LocalPool, relay: RelayData, how: "pay" | "fails"): Promise<RawReceipt> {
  const { chain } = source;
  const pay = () => source.refund(relay.inputToken, [relay.depositor], [relay.inputAmount]);
  if (how === "pay") return await pay();
  if (findToken(chain.network, relay.inputToken)?.symbol !== "USDC")
    throw new ArbError("usage", "only USDC can refuse a refund's transfer here");
  await invoke(chain, relay.inputToken, blacklist, "blacklist", [relay.depositor]);
  const receipt = await pay();
  await invoke(chain, relay.inputToken, blacklist, "unBlacklist", [relay.depositor]);
  return receipt;
}

/** Deposits by the block and the place of their logs: a thousand of them are not decoded anew with every step. */
type ReadLogs = Map<string, { deposit: SeenDeposit; hash: string } | null>;
const DEPOSITED = spokePool.getEvent("FundsDeposited")!.topicHash;

async function depositsOn(source: LocalPool, known: ReadLogs): Promise<{ deposit: SeenDeposit; hash: string }[]> {
  const { chainId } = source.chain.network;
  const found = (await logsOf(source, [DEPOSITED])).map((log) => {
    const place = `${log.blockHash} ${log.logIndex}`;
    if (!known.has(place)) {
      const deposit = depositIn(log, chainId);
      known.set(place, deposit && { deposit, hash: relayHash(deposit.relay, deposit.destinationChainId) });
    }
    return known.get(place)!;
  });
  return found.filter((d) => d !== null);
}

async function speedUpOf(source: LocalPool, relay: RelayData) {
  const [log] = (
    await logsOf(source, [SPEED_UP.getEvent("RequestedSpeedUpDeposit")!.topicHash, toBeHex(relay.depositId, 32)])
  ).toReversed();
  if (!log) return null;
  const { args: a } = SPEED_UP.parseLog(log)!;
  return {
    amount: a["updatedOutputAmount"] as bigint,
    recipient: addressOf(a["updatedRecipient"] as string)!,
    message: a["updatedMessage"] as string,
    signature: a["depositorSignature"] as string,
  };
}

const statusOf = ({ chain, address }: LocalPool, relay: RelayData) =>
  read<bigint>(chain, address, { abi: spokePool }, "fillStatuses", [relayHash(relay, chain.network.chainId)]);

const logsOf = (pool: LocalPool, topics: string[]) =>
  pool.chain.rpc<RawReceipt["logs"]>("eth_getLogs", [{ address: pool.address, topics, fromBlock: "0x0", toBlock: "latest" }]);

/** The time that the next block would have, and the number of the last. */
async function clock(chain: LocalChain): Promise<{ time: number; block: number }> {
  const block = (tag: string) => chain.rpc<{ timestamp: string; number: string }>("eth_getBlockByNumber", [tag, false]);
  const [next, head] = [await block("pending"), await block("latest")];
  return { time: Number(next.timestamp), block: Number(head.number) };
}
