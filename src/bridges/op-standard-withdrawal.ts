import { dataSlice, getAddress, type Interface, type JsonRpcApiProvider, toQuantity } from "ethers";
import { classifyNodeError } from "../chain/errors.js";
import { OP_PREDEPLOYS } from "../config/op-standard.js";
import { ArbError } from "../errors.js";
import type { ChainView, TransferKey } from "./bridge.js";
import { ask, blockAt, firstBlockSince, logsBetween, type Moment } from "./logs.js";
import {
  endsOf,
  finalizeCall,
  game as gameAbi,
  gameFactory,
  gameOf,
  messagePasser,
  type OpStandardData,
  outputRoot,
  portal as portalAbi,
  proveCall,
  sentSlot,
  SUPER_GAMES,
  superClaim,
  type Withdrawal,
  withdrawalHash,
} from "./op-standard-abi.js";
import { type OpStandardLook, type SentMessage, waiting } from "./op-standard-look.js";

/** Newest games that are looked through for one that our own node of the layer 2 agrees with. */
const GAMES = 20;
const TRIED = 5;
const CHALLENGER_WINS = 1n;

interface Portal {
  view: ChainView;
  at: string;
  head: number;
}

/** A withdrawal that Ethereum has not paid out: unproven, or proven and waiting, or ready. */
export async function lookAtWithdrawal(
  key: TransferKey,
  sent: SentMessage,
  source: ChainView,
  target: ChainView,
  { head }: Moment,
  facts: Record<string, string>,
): Promise<OpStandardLook> {
  const data = key.data as OpStandardData;
  const ends = endsOf(key);
  const withdrawal = withdrawalIn(key, sent);
  const hash = withdrawalHash(withdrawal);
  const portal: Portal = { view: target, at: ends.portal, head };
  const more = { ...facts, withdrawal: hash };
  const read = async (fn: string, args: unknown[]) => await readAt(portal, portalAbi, ends.portal, fn, args);
  if ((await read("finalizedWithdrawals", [hash]))[0] === true)
    return waiting("stuck", "an operator: the portal finalised the withdrawal, but its message was not handed over", more, 300);
  if ((await read("paused", []))[0] === true)
    return waiting(
      "blocked",
      "the portal to be resumed: withdrawals are paused",
      { ...more, wish: "retry", paused: "true" },
      300,
    );

  const call = (calldata: string, purpose: string) => ({
    chainId: key.toChainId,
    to: ends.portal,
    data: calldata,
    value: 0n,
    purpose,
  });
  const proofs = await liveProofs(portal, hash, Number(data.destinationFrom));
  for (const { submitter } of proofs) {
    const ready = await passes(portal, portalAbi.encodeFunctionData("checkWithdrawal", [hash, submitter]));
    if (ready)
      return waiting(
        "claimable",
        "our call: finalise the withdrawal",
        { ...more, step: "finalise" },
        0,
        call(finalizeCall(withdrawal, submitter), "finalise the withdrawal"),
      );
  }
  if (proofs[0]) {
    const delay = Number((await read("proofMaturityDelaySeconds", []))[0]);
    const now = (await blockAt(target, head)).timestamp;
    const provenAt = Math.min(...proofs.map((p) => p.timestamp));
    const left = Math.max(60, Math.min(provenAt + delay - now, 3600));
    return waiting(
      "attesting",
      "the claim that the withdrawal is proven by to stand, and its delay to pass",
      { ...more, step: "proven", provenAt: String(provenAt) },
      left,
    );
  }
  const proof = await buildProof(key, sent, withdrawal, hash, source, portal);
  if (proof === null)
    return waiting("attesting", "a claim about the layer 2's state that covers the withdrawal", { ...more, step: "sent" }, 300);
  return waiting(
    "claimable",
    "our call: prove the withdrawal",
    { ...more, step: "prove" },
    0,
    call(proof, "prove the withdrawal"),
  );
}

/** The withdrawal that carries our message, out of the same receipt. */
function withdrawalIn(key: TransferKey, { receipt, relay }: SentMessage): Withdrawal {
  const topic = messagePasser.getEvent("MessagePassed")!.topicHash;
  for (const log of receipt.logs) {
    if (getAddress(log.address) !== OP_PREDEPLOYS.messagePasser || log.topics[0] !== topic) continue;
    const { nonce, sender, target, value, gasLimit, data } = messagePasser.parseLog(log)!.args as unknown as Withdrawal;
    if (data === relay) return { nonce, sender, target, value, gasLimit, data };
  }
  throw new ArbError("network", "a node shows the bridge's message without its withdrawal", {
    where: key.sourceTx ?? receipt.hash,
    hint: "it is asked again; use an endpoint that gives whole receipts",
  });
}

async function readAt({ view, head }: Portal, abi: Interface, to: string, fn: string, args: unknown[]): Promise<unknown[]> {
  const answer = await ask(view, fn, view.provider.call({ to, data: abi.encodeFunctionData(fn, args), blockTag: head }));
  if (answer !== "0x") return abi.decodeFunctionResult(fn, answer).toArray() as unknown[];
  throw new ArbError("network", `${view.network.title} does not answer ${fn} at ${to}`, {
    where: view.network.name,
    hint: "check the endpoint's chain",
  });
}

async function passes({ view, at, head }: Portal, data: string): Promise<boolean> {
  const call = view.provider.call({ to: at, data, blockTag: head }).then(
    () => true,
    (error: unknown) => {
      if (classifyNodeError(error).kind !== "reverted") throw error;
      return false;
    },
  );
  return await ask(view, "checkWithdrawal", call);
}

interface Proof {
  submitter: string;
  timestamp: number;
}

/** Proofs of a withdrawal, whoever sent them, whose games may still hold. Those of overthrown or retired games are worth nothing. */
async function liveProofs(portal: Portal, hash: string, from: number): Promise<Proof[]> {
  const filter = { address: portal.at, topics: [portalAbi.getEvent("WithdrawalProvenExtension1")!.topicHash, hash] };
  const logs = await logsBetween(portal.view, filter, from, portal.head);
  const submitters = new Set(logs.map((log) => getAddress(dataSlice(log.topics[2]!, 12))));
  const [retired] = (await readAt(portal, portalAbi, portal.at, "respectedGameTypeUpdatedAt", [])) as [bigint];
  const live: Proof[] = [];
  for (const submitter of submitters) {
    const [game, timestamp] = (await readAt(portal, portalAbi, portal.at, "provenWithdrawals", [hash, submitter])) as [
      string,
      bigint,
    ];
    if (timestamp === 0n) continue;
    const [[status], [createdAt], [blacklisted]] = await Promise.all([
      readAt(portal, gameAbi, game, "status", []),
      readAt(portal, gameAbi, game, "createdAt", []),
      readAt(portal, portalAbi, portal.at, "disputeGameBlacklist", [game]),
    ]);
    if (status === CHALLENGER_WINS || blacklisted === true || (createdAt as bigint) < retired) continue;
    // never finalised: the portal wants proofs to be younger than their games
    if (timestamp <= (createdAt as bigint)) continue;
    live.push({ submitter, timestamp: Number(timestamp) });
  }
  return live;
}

/**
 * The call that proves a withdrawal by the newest claim that covers it and that our own node of the layer 2 agrees with: a false claim
 * would be overthrown, and the wait would start anew. null while there is none.
 */
async function buildProof(
  key: TransferKey,
  { receipt }: SentMessage,
  withdrawal: Withdrawal,
  hash: string,
  source: ChainView,
  portal: Portal,
): Promise<string | null> {
  const [factory] = (await readAt(portal, portalAbi, portal.at, "disputeGameFactory", [])) as [string];
  const [type] = (await readAt(portal, portalAbi, portal.at, "respectedGameType", [])) as [bigint];
  const [count] = (await readAt(portal, gameFactory, factory, "gameCount", [])) as [bigint];
  if (count === 0n) return null;
  const [games] = (await readAt(portal, gameFactory, factory, "findLatestGames", [type, count - 1n, GAMES])) as [
    { index: bigint; metadata: string; rootClaim: string; extraData: string }[],
  ];
  const newest = await ask(source, "its newest block", source.provider.getBlockNumber());
  let tried = 0;
  for (const { index, metadata, rootClaim, extraData } of games) {
    let claimed = rootClaim;
    let block: number;
    if (SUPER_GAMES.has(Number(type))) {
      const claim = superClaim(extraData, rootClaim, key.fromChainId);
      if (!claim) continue;
      claimed = claim.outputRoot;
      block = await firstBlockSince(source, claim.timestamp, receipt.blockNumber, newest);
    } else block = Number((await readAt(portal, gameAbi, gameOf(metadata), "l2SequenceNumber", []))[0]);
    // beyond our node's head: nothing can be said about it yet
    if (block < receipt.blockNumber || block > newest) continue;
    if (tried++ === TRIED) return null;
    const [[status], [blacklisted]] = await Promise.all([
      readAt(portal, gameAbi, gameOf(metadata), "status", []),
      readAt(portal, portalAbi, portal.at, "disputeGameBlacklist", [gameOf(metadata)]),
    ]);
    if (status === CHALLENGER_WINS || blacklisted === true) continue;
    const state = await stateAt(source, block, hash);
    if (outputRoot(state.stateRoot, state.storageRoot, state.blockHash) === claimed)
      return proveCall(withdrawal, index, state, state.proof);
  }
  return null;
}

/** What eth_getProof (EIP-1186) and the block say of the message passer. Throws "network" where the node has no such proof. */
async function stateAt(
  source: ChainView,
  number: number,
  hash: string,
): Promise<{ stateRoot: string; storageRoot: string; blockHash: string; proof: string[] }> {
  const { send } = source.provider as Partial<JsonRpcApiProvider>;
  if (!send)
    throw new ArbError("internal", "a withdrawal's proof needs a provider that sends JSON-RPC calls", {
      where: source.network.name,
    });
  const rpc = source.provider as JsonRpcApiProvider;
  const tag = toQuantity(number);
  const slot = sentSlot(hash);
  const [proven, block] = await Promise.all([
    ask(source, "eth_getProof", rpc.send("eth_getProof", [OP_PREDEPLOYS.messagePasser, [slot], tag])) as Promise<{
      storageHash: string;
      storageProof: { value: string; proof: string[] }[];
    }>,
    ask(source, `block ${number}`, rpc.send("eth_getBlockByNumber", [tag, false])) as Promise<{
      hash: string;
      stateRoot: string;
    } | null>,
  ]);
  const [entry] = proven.storageProof;
  if (!block || !entry || BigInt(entry.value) !== 1n)
    throw new ArbError("network", `a node of ${source.network.title} does not have the withdrawal in its block ${number}`, {
      where: source.network.name,
      hint: "use an endpoint that keeps the state of some days and answers eth_getProof",
    });
  return { stateRoot: block.stateRoot, storageRoot: proven.storageHash, blockHash: block.hash, proof: entry.proof };
}
