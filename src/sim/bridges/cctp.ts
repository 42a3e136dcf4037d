import { computeAddress, concat, dataSlice, getAddress, id, Interface, keccak256, SigningKey } from "ethers";
import {
  IMulticall3__factory,
  LocalMessageTransmitterV2__factory,
  LocalTokenMessengerV2__factory,
  LocalTokenMinterV2__factory,
} from "../../../types/contracts/index.js";
import { type Attested, bytes32, FAST, messageTransmitter, STANDARD, withAttested } from "../../bridges/cctp-message.js";
import { cctpFacts, type CctpFacts } from "../../config/cctp.js";
import { findToken } from "../../config/networks.js";
import { ArbError } from "../../errors.js";
import { ownArtifact } from "../artifacts.js";
import { invoke, place, type RawReceipt, read, type Site } from "../site.js";
import { type Answer, type AttestationServer, serveAttestations } from "./attestation-server.js";

const transmitter = ownArtifact(LocalMessageTransmitterV2__factory);
const messenger = ownArtifact(LocalTokenMessengerV2__factory);
const minter = ownArtifact(LocalTokenMinterV2__factory);
const multicall = { abi: IMulticall3__factory.createInterface() };

/** What the world's owner may do to the real USDC. */
const roles = new Interface([
  "function configureMinter(address minter, uint256 allowed) returns (bool)",
  "function blacklist(address account)",
  "function unBlacklist(address account)",
]);

/** Where the stand-in of the minter is; on real networks the messenger names it. */
const MINTER = "0x000000000000000000000000000000000cc79001";
const FEE_RECIPIENT = "0x000000000000000000000000000000000cc79002";
/** Most USDC of one message, as Circle's limit. */
const MOST = 10_000_000n * 10n ** 6n;
/** Two attesters, as Circle has; everybody knows their keys. */
const ATTESTERS = ["arb-executor local attester 1", "arb-executor local attester 2"].map((seed) => new SigningKey(id(seed)));
/** A fast attestation is good for this many blocks of the destination. */
const FAST_BLOCKS = 1_000;

/** What the attesters do with one message. Counts are of questions for it, so that nothing depends on a clock. */
export type Attesting =
  /** Signs when first asked. */
  | { kind: "prompt" }
  /** Does not know it for `unseen` questions, then waits for confirmations for `pending`. */
  | { kind: "late"; unseen?: number; pending?: number }
  /** Waits for confirmations until `release`. */
  | { kind: "never" }
  /** Finds the fee too low: waits for finality for `pending` questions, then signs as standard, free. */
  | { kind: "insufficient-fee"; pending: number }
  /** The signature is good for `blocks` blocks of the destination from now (0: already expired) until asked to sign again. */
  | { kind: "expires"; blocks: number }
  /** Signs another message than was sent. */
  | { kind: "wrong-message"; change: "amount" | "recipient" | "fee" }
  /** Signs with a key that no contract knows. */
  | { kind: "wrong-key" }
  /** Leaves `message` out, as the real service sometimes does. */
  | { kind: "bare" };

export interface LocalCctp extends AttestationServer {
  /** For the next `times` messages that are asked for; the rest are signed promptly. */
  attest(behaviour: Attesting, times?: number): void;
  /** Lets every message that is held back be signed from now on. */
  release(): void;
  /** Fast fee of all routes, in basis points as text; null = no fast transfers. */
  setFastFee(bps: string | null): void;
  /** USDC that may still go fast, base units. */
  setAllowance(amount: bigint): void;
  pause(chainId: number, paused: boolean): Promise<void>;
  /** Blocks an account in the token itself. */
  blacklist(chainId: number, account: string, blocked: boolean): Promise<void>;
  /** Mints as a stranger would; returns the transaction hashes. */
  mintAll(sourceChainId: number, txHash: string): Promise<string[]>;
}

interface Known {
  sent: string;
  behaviour: Attesting;
  asked: number;
  released: boolean;
  nonce: string;
}

/**
 * Stand-ins of CCTP's contracts at their real addresses on each chain, the minter's role on the real USDC, and an attestation
 * service over HTTP. It moves when it is asked, and only then: no clock, no polling.
 */
export async function startLocalCctp(sites: Site[], options: { port?: number } = {}): Promise<LocalCctp> {
  const ends = sites.map((site) => ({ site, facts: factsOf(site), usdc: findToken(site.network, "USDC")!.address }));
  for (const end of ends) await placeCctp(end, ends);
  const known = new Map<string, Known>();
  const queue: Attesting[] = [];
  let fastFee: string | null = "1";
  let allowance = 50_000_000n * 10n ** 6n;

  const endOf = (domain: number): (typeof ends)[number] => {
    const end = ends.find((e) => e.facts.domain === domain);
    if (!end) throw new ArbError("usage", `no local chain has CCTP domain ${domain}`);
    return end;
  };
  const siteOf = (chainId: number): (typeof ends)[number] => {
    const end = ends.find((e) => e.site.network.chainId === chainId);
    if (!end) throw new ArbError("usage", `local CCTP is not on chain ${chainId}`);
    return end;
  };

  /** Messages of a transaction, in order; new ones take the next behaviours. */
  const messagesOf = async (domain: number, txHash: string): Promise<Known[]> => {
    const { site, facts } = endOf(domain);
    const receipt = await site.rpc<RawReceipt | null>("eth_getTransactionReceipt", [txHash]);
    const topic = messageTransmitter.getEvent("MessageSent")!.topicHash;
    const logs = (receipt?.logs ?? []).filter(
      (log) => log.topics[0] === topic && getAddress(log.address) === facts.messageTransmitter.address,
    );
    return logs.map((log, i) => {
      const nonce = id(`${domain}:${txHash}:${i}`);
      const before = known.get(nonce);
      if (before) return before;
      const sent = messageTransmitter.decodeEventLog("MessageSent", log.data)[0] as string;
      const fresh = { sent, behaviour: queue.shift() ?? { kind: "prompt" as const }, asked: 0, released: false, nonce };
      known.set(nonce, fresh);
      return fresh;
    });
  };

  const decide = async (m: Known): Promise<Attested> => {
    const [minFinality, amount, maxFee] = [word(m.sent, 140, 144), word(m.sent, 216, 248), word(m.sent, 280, 312)];
    const isFast = minFinality <= BigInt(FAST) && m.behaviour.kind !== "insufficient-fee" && fastFee !== null;
    const fee = isFast ? feeOf(amount, fastFee!) : 0n;
    if (!isFast || fee > maxFee || m.released) return { nonce: m.nonce, finality: STANDARD, fee: 0n, expirationBlock: 0n };
    const { site } = endOf(Number(word(m.sent, 8, 12)));
    // as contracts count: Arbitrum's see L1's number
    const head = await read<bigint>(site, site.network.multicall3.address, multicall, "getBlockNumber");
    const blocks = m.behaviour.kind === "expires" ? m.behaviour.blocks : FAST_BLOCKS;
    return { nonce: m.nonce, finality: FAST, fee, expirationBlock: head + BigInt(blocks) };
  };

  const signed = new Map<string, { attested: Attested; message: string; attestation: string }>();
  const signatureOf = async (m: Known): Promise<{ attested: Attested; message: string; attestation: string }> => {
    const before = signed.get(m.nonce);
    if (before) return before;
    const attested = await decide(m);
    const message = twisted(withAttested(m.sent, attested), m.released ? { kind: "prompt" } : m.behaviour);
    const keys = m.behaviour.kind === "wrong-key" ? [1, 2].map((i) => new SigningKey(id(`stranger ${i}`))) : ATTESTERS;
    const fresh = { attested, message, attestation: attestation(message, keys) };
    signed.set(m.nonce, fresh);
    return fresh;
  };

  const show = async (m: Known): Promise<object | null> => {
    const { behaviour } = m;
    const asked = m.asked++;
    const unseen = behaviour.kind === "late" ? (behaviour.unseen ?? 0) : 0;
    const pending = behaviour.kind === "late" || behaviour.kind === "insufficient-fee" ? (behaviour.pending ?? 0) : 0;
    const waits = !m.released && (behaviour.kind === "never" || asked < unseen + pending);
    if (waits && asked < unseen) return null;
    const delayReason = behaviour.kind === "insufficient-fee" ? "insufficient_fee" : null;
    if (waits)
      return {
        message: "0x",
        eventNonce: m.nonce,
        attestation: "PENDING",
        cctpVersion: 2,
        status: "pending_confirmations",
        decodedMessage: null,
        delayReason,
      };
    const { message, attestation: signature } = await signatureOf(m);
    return {
      message: behaviour.kind === "bare" ? "0x" : message,
      eventNonce: m.nonce,
      attestation: signature,
      cctpVersion: 2,
      status: "complete",
      decodedMessage: decoded(message),
      delayReason,
    };
  };

  const answer = async (method: string, url: URL): Promise<Answer> => {
    const messages = /^\/v2\/messages\/(\d+)$/.exec(url.pathname);
    if (method === "GET" && messages) {
      const found = await messagesOf(Number(messages[1]), url.searchParams.get("transactionHash") ?? "");
      const shown = (await Promise.all(found.map(show))).filter((m) => m !== null);
      return shown.length === 0 ? notFound("Message not found") : { status: 200, json: { messages: shown } };
    }
    const again = /^\/v2\/reattest\/(0x[0-9a-f]{64})$/.exec(url.pathname);
    const m = again ? known.get(again[1]!) : undefined;
    if (method === "POST" && m) {
      Object.assign(m, { released: true });
      signed.delete(m.nonce);
      return { status: 200, json: { message: "Re-attestation successfully requested for nonce.", nonce: m.nonce } };
    }
    if (method === "GET" && /^\/v2\/burn\/USDC\/fees\/\d+\/\d+$/.test(url.pathname)) {
      const standard = { finalityThreshold: STANDARD, minimumFee: 0 };
      const fast = fastFee === null ? [] : [{ finalityThreshold: FAST, minimumFee: Number(fastFee) }];
      return { status: 200, json: [...fast, standard] };
    }
    if (method === "GET" && url.pathname === "/v2/fastBurn/USDC/allowance")
      return { status: 200, json: { allowance: Number(allowance) / 1e6, lastUpdated: "2026-11-22T00:00:00Z" } };
    return notFound("Not found");
  };

  const server = await serveAttestations(answer, options.port);
  return {
    ...server,
    attest: (behaviour, times = 1) => {
      for (let i = 0; i < times; i++) queue.push(behaviour);
    },
    release: () => {
      for (const m of known.values()) if (!signed.has(m.nonce)) m.released = true;
    },
    setFastFee: (bps) => void (fastFee = bps),
    setAllowance: (amount) => void (allowance = amount),
    pause: async (chainId, paused) => {
      const { site, facts } = siteOf(chainId);
      await invoke(site, facts.messageTransmitter.address, transmitter, paused ? "pause" : "unpause", []);
    },
    blacklist: async (chainId, account, blocked) => {
      const { site, usdc } = siteOf(chainId);
      await invoke(site, usdc, { abi: roles }, blocked ? "blacklist" : "unBlacklist", [account]);
    },
    mintAll: async (sourceChainId, txHash) => {
      const hashes: string[] = [];
      for (const m of await messagesOf(siteOf(sourceChainId).facts.domain, txHash)) {
        const { message, attestation: signature } = await signatureOf(m);
        const { site, facts } = endOf(Number(word(m.sent, 8, 12)));
        const receipt = await invoke(site, facts.messageTransmitter.address, transmitter, "receiveMessage", [message, signature]);
        hashes.push(receipt.transactionHash);
      }
      return hashes;
    },
  };
}

const notFound = (error: string): Answer => ({ status: 404, json: { code: 404, error } });

/** Signatures over the message's hash, in rising order of the signers' addresses. */
function attestation(message: string, keys: SigningKey[]): string {
  const digest = keccak256(message);
  const sorted = keys.toSorted((a, b) => (BigInt(computeAddress(a.publicKey)) < BigInt(computeAddress(b.publicKey)) ? -1 : 1));
  return concat(sorted.map((key) => key.sign(digest).serialized));
}

function twisted(message: string, behaviour: Attesting): string {
  if (behaviour.kind !== "wrong-message") return message;
  const [from, to, value] = {
    amount: [216, 248, 1n],
    recipient: [184, 216, 0xbadn],
    fee: [312, 344, word(message, 280, 312) + 1n],
  }[behaviour.change] as [number, number, bigint];
  const filled = `0x${value.toString(16).padStart((to - from) * 2, "0")}`;
  return concat([dataSlice(message, 0, from), filled, dataSlice(message, to)]);
}

const word = (message: string, from: number, to: number): bigint => BigInt(dataSlice(message, from, to));

/** Rounded up, as Circle takes it. `bps` may have a fraction. */
function feeOf(amount: bigint, bps: string): bigint {
  const [whole = "0", fraction = ""] = bps.split(".");
  const unit = 10n ** BigInt(fraction.length);
  const rate = BigInt(whole + fraction);
  const denominator = 10_000n * unit;
  return (amount * rate + denominator - 1n) / denominator;
}

/** The form of the service's own answers: numbers as text, addresses short. */
function decoded(message: string): object {
  const number = (from: number, to: number): string => String(word(message, from, to));
  const address = (from: number): string => dataSlice(message, from + 12, from + 32);
  return {
    sourceDomain: number(4, 8),
    destinationDomain: number(8, 12),
    nonce: dataSlice(message, 12, 44),
    sender: address(44),
    recipient: address(76),
    destinationCaller: dataSlice(message, 108, 140),
    minFinalityThreshold: number(140, 144),
    finalityThresholdExecuted: number(144, 148),
    messageBody: dataSlice(message, 148),
    decodedMessageBody: {
      burnToken: address(152),
      mintRecipient: address(184),
      amount: number(216, 248),
      messageSender: address(248),
      maxFee: number(280, 312),
      feeExecuted: number(312, 344),
      expirationBlock: number(344, 376),
      hookData: message.length > 2 + 376 * 2 ? dataSlice(message, 376) : null,
    },
  };
}

function factsOf(site: Site): CctpFacts {
  const facts = cctpFacts(site.network.chainId);
  if (!facts) throw new ArbError("usage", `${site.network.title} has no CCTP`);
  return facts;
}

interface End {
  site: Site;
  facts: CctpFacts;
  usdc: string;
}

async function placeCctp({ site, facts, usdc }: End, ends: End[]): Promise<void> {
  const { owner } = site;
  const [at, from] = [facts.messageTransmitter.address, facts.tokenMessenger.address];
  const attesters = ATTESTERS.map((key) => computeAddress(key.publicKey));
  await place(site, at, transmitter, [owner, facts.domain, attesters]);
  await place(site, MINTER, minter, [owner]);
  await place(site, from, messenger, [owner, at, MINTER, FEE_RECIPIENT]);
  await invoke(site, MINTER, minter, "addLocalTokenMessenger", [from]);
  await invoke(site, MINTER, minter, "setMaxBurnAmountPerMessage", [usdc, MOST]);
  await invoke(site, usdc, { abi: roles }, "configureMinter", [MINTER, 2n ** 255n]);
  for (const other of ends) {
    if (other.facts.domain === facts.domain) continue;
    await invoke(site, from, messenger, "addRemoteTokenMessenger", [
      other.facts.domain,
      bytes32(other.facts.tokenMessenger.address),
    ]);
    await invoke(site, MINTER, minter, "linkTokenPair", [usdc, other.facts.domain, bytes32(other.usdc)]);
  }
}
