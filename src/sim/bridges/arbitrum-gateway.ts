import { toQuantity } from "ethers";
import { LocalArbRetryable__factory, LocalBridgedToken__factory } from "../../../types/contracts/index.js";
import { delayed, type Ticket, ticketId, ticketsIn } from "../../bridges/arbitrum-gateway-abi.js";
import { ARB_RETRYABLE, arbitrumGatewayFacts } from "../../config/arbitrum-gateway.js";
import { findToken } from "../../config/networks.js";
import { ArbError } from "../../errors.js";
import { artifact, type Artifact, EXTRACTS, ownArtifact } from "../artifacts.js";
import { sendRoot } from "../arbitrum-outbox.js";
import { deploy, invoke, place, type RawReceipt, type Site } from "../site.js";

const tokenBridge = (file: string) => {
  const name = file.split("/").at(-1)!;
  return artifact(`${EXTRACTS.arbitrumTokens}/${file}.sol/${name}.json`);
};
const nitro = (name: string) => artifact(`${EXTRACTS.nitro}/bridge/${name}.sol/${name}.json`);
const retryableTx = ownArtifact(LocalArbRetryable__factory);

/** The token that the local gateways carry. */
const SYMBOL = "WBTC";
const MAX_DATA = 117_964;
/** Gas, its price and the submission of the tickets that register the token. */
const REGISTER = [200_000n, 10n ** 9n, 10n ** 16n] as const;
const REGISTER_VALUE = { value: REGISTER[0] * REGISTER[1] + REGISTER[2] };

/** What becomes of a ticket: redeemed at once; created without enough gas; taken over only by a later step. */
export type TicketFate = "prompt" | "unredeemed" | "held";

export interface LocalArbitrumGateway {
  /** For the next tickets; the rest are redeemed at once. */
  fate(fate: TicketFate, times?: number): void;
  /** Takes the inbox's new messages over and runs the redemptions that were asked for. Gives the transactions of both. */
  step(): Promise<string[]>;
  /** The rollup confirms the layer 2 up to its newest block: what was withdrawn until then can be paid. */
  confirm(): Promise<void>;
}

/**
 * Arbitrum's own routers, custom gateways, inbox, bridge and outbox between two chains, carrying WBTC. Stand-ins: the precompiles of tickets
 * and of messages, the bridged token, the sequencer, and the rollup, which confirms whatever it is asked to.
 */
export async function startLocalArbitrumGateway(l1: Site, l2: Site): Promise<LocalArbitrumGateway> {
  const facts = arbitrumGatewayFacts(l2.network.chainId);
  const [token, remote] = [findToken(l2.network, SYMBOL), findToken(l1.network, SYMBOL)];
  if (!facts || !token || !remote || l1.network.chainId !== facts.l1ChainId)
    throw new ArbError("usage", "no gateways between these chains", { where: `${l1.network.name}, ${l2.network.name}` });
  const [bridge, inbox, router] = [facts.bridge.address, facts.inbox.address, facts.l1Router.address];
  const l1Custom = tokenBridge("ethereum/gateway/L1CustomGateway");
  const l2Custom = tokenBridge("arbitrum/gateway/L2CustomGateway");
  const l1Router = tokenBridge("ethereum/gateway/L1GatewayRouter");
  const l2Router = tokenBridge("arbitrum/gateway/L2GatewayRouter");
  await behindProxy(l1, bridge, nitro("Bridge"));
  await invoke(l1, bridge, nitro("Bridge"), "initialize", [l1.owner]);
  await behindProxy(l1, inbox, nitro("Inbox"), [MAX_DATA]);
  await invoke(l1, inbox, nitro("Inbox"), "initialize", [bridge, l1.owner]);
  await invoke(l1, bridge, nitro("Bridge"), "setDelayedInbox", [inbox, true]);
  const outbox = facts.outbox.address;
  await behindProxy(l1, outbox, nitro("Outbox"));
  await invoke(l1, outbox, nitro("Outbox"), "initialize", [bridge]);
  await invoke(l1, bridge, nitro("Bridge"), "setOutbox", [outbox, true]);
  const [l1Gateway, l2Gateway] = [await deploy(l1, l1Custom), await deploy(l2, l2Custom)];
  await place(l1, router, l1Router);
  await place(l2, facts.l2Router.address, l2Router);
  await invoke(l1, router, l1Router, "initialize", [l1.owner, l1Gateway, l1.owner, facts.l2Router.address, inbox]);
  await invoke(l1, l1Gateway, l1Custom, "initialize", [l2Gateway, router, inbox, l1.owner]);
  await invoke(l2, l2Gateway, l2Custom, "initialize", [l1Gateway, facts.l2Router.address]);
  await invoke(l2, facts.l2Router.address, l2Router, "initialize", [router, l2Gateway]);
  await place(l2, ARB_RETRYABLE, retryableTx);
  const bridged = ownArtifact(LocalBridgedToken__factory);
  await place(l2, token.address, bridged, [`Local ${SYMBOL}`, SYMBOL, token.decimals, l2.owner, remote.address, l2Gateway]);

  let next = Number(await l1.rpc<string>("eth_blockNumber")) + 1;
  let nextL2 = Number(await l2.rpc<string>("eth_blockNumber")) + 1;
  const fates: TicketFate[] = [];
  const seen = new Set<string>();
  const tickets = new Map<string, Ticket>();
  let held: Ticket[] = [];

  const logsOf = async (site: Site, address: string, topic: string, from: number, to: number) =>
    await site.rpc<RawReceipt["logs"] & { transactionHash: string }[]>("eth_getLogs", [
      { address, topics: [topic], fromBlock: toQuantity(from), toBlock: toQuantity(to) },
    ]);
  /** Runs a ticket's call as its sender and writes down how it went. */
  const redeem = async (id: string): Promise<string> => {
    const ticket = tickets.get(id)!;
    const { sender: from, to, data, callValue, maxGas } = ticket;
    await l2.rpc("hardhat_setBalance", [from, toQuantity(10n ** 20n + callValue)]);
    await l2.rpc("hardhat_impersonateAccount", [from]);
    const fees = { maxFeePerGas: toQuantity(10n ** 11n), maxPriorityFeePerGas: "0x0" };
    const tx = { from, to, data, value: toQuantity(callValue), gas: toQuantity(maxGas), ...fees };
    const hash = await l2.rpc<string>("eth_sendTransaction", [tx]);
    const receipt = await l2.rpc<RawReceipt>("eth_getTransactionReceipt", [hash]);
    await invoke(l2, ARB_RETRYABLE, retryableTx, "scheduled", [id, hash, receipt.status === "0x1"]);
    return hash;
  };
  const take = async (ticket: Ticket, fate: TicketFate): Promise<string[]> => {
    if (fate === "held") {
      held.push(ticket);
      return [];
    }
    const id = ticketId(l2.network.chainId, ticket);
    tickets.set(id, ticket);
    const created = await invoke(l2, ARB_RETRYABLE, retryableTx, "create", [id]);
    return fate === "prompt" ? [created.transactionHash, await redeem(id)] : [created.transactionHash];
  };
  const step = async (): Promise<string[]> => {
    const hashes: string[] = [];
    for (const ticket of held.splice(0)) hashes.push(...(await take(ticket, "prompt")));
    const head = Number(await l1.rpc<string>("eth_blockNumber"));
    if (head + 1 < next) next = Math.max(0, head - 64); // the chain was set back
    for (const { transactionHash } of await logsOf(l1, bridge, delayed.getEvent("MessageDelivered")!.topicHash, next, head)) {
      if (seen.has(transactionHash)) continue;
      seen.add(transactionHash);
      const receipt = await l1.rpc<RawReceipt>("eth_getTransactionReceipt", [transactionHash]);
      for (const ticket of ticketsIn(receipt as never, { inbox, bridge }))
        hashes.push(...(await take(ticket, fates.shift() ?? "prompt")));
    }
    next = head + 1;
    const headL2 = Number(await l2.rpc<string>("eth_blockNumber"));
    const asked = await logsOf(l2, ARB_RETRYABLE, retryableTx.abi.getEvent("RedeemAsked")!.topicHash, nextL2, headL2);
    nextL2 = headL2 + 1;
    for (const log of asked) hashes.push(await redeem(log.topics[1]!));
    return hashes;
  };

  await invoke(
    l1,
    l1Gateway,
    l1Custom,
    "forceRegisterTokenToL2",
    [[remote.address], [token.address], ...REGISTER],
    REGISTER_VALUE,
  );
  await invoke(l1, router, l1Router, "setGateways", [[remote.address], [l1Gateway], ...REGISTER], REGISTER_VALUE);
  await step();
  return {
    fate: (fate, times = 1) => {
      for (let i = 0; i < times; i++) fates.push(fate);
    },
    step,
    confirm: async () => {
      const { hash } = await l2.rpc<{ hash: string }>("eth_getBlockByNumber", ["latest", false]);
      await invoke(l1, outbox, nitro("Outbox"), "updateSendRoot", [await sendRoot({ request: l2.rpc }), hash]);
    },
  };
}

/** Contracts of Nitro work behind a proxy only: their code at one address knows that it was made at another. */
async function behindProxy(site: Site, address: string, a: Artifact, args: readonly unknown[] = []): Promise<void> {
  const implementation = await deploy(site, a, args);
  await site.rpc("hardhat_setCode", [address, await site.rpc<string>("eth_getCode", [implementation, "latest"])]);
}
