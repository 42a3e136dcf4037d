import { Interface, toQuantity, ZeroAddress } from "ethers";
import { bytes32 } from "../../bridges/cctp-message.js";
import { endpoint as endpointEvents, type Packet, packetOf } from "../../bridges/stargate-abi.js";
import { findToken } from "../../config/networks.js";
import { stargateFacts, type StargateFacts } from "../../config/stargate.js";
import { ArbError } from "../../errors.js";
import { artifact, EXTRACTS } from "../artifacts.js";
import { approve, give } from "../protocols/tokens.js";
import { deploy, invoke, place, type RawReceipt, type Site } from "../site.js";

const stargate = (path: string) => artifact(`${EXTRACTS.stargate}/${path}.json`);
const layerzero = (path: string) => artifact(`${EXTRACTS.layerzero}/${path}.json`);

/** Asset number of USDC in Stargate's messages. */
const USDC_ASSET = 1;
const ASSETS = 5;
const QUEUE = 512;
/** Gas that a taxi's delivery is paid for, and of a native drop. */
const DELIVERY_GAS = [200_000, 50_000];
/** What the owner puts into each pool, and the credit of each path, base units of USDC. */
const POOLED = 1_000_000n * 10n ** 6n;
const CREDIT = 500_000n * 10n ** 6n;
/** The pool's fee: 6 basis points in each of its zones, in millionths. */
const FEE = 600;
/** Zones' bounds, so high that the first holds for every amount here. */
const ZONE = 10n ** 12n;

/** What becomes of one message. Counts are of steps. */
export type Delivery =
  | { kind: "prompt" }
  /** Verified and executed only after this many further steps. */
  | { kind: "late"; steps: number }
  /** Not verified until `release`. */
  | { kind: "never" }
  /** Verified, but the executor does not come until `release`. */
  | { kind: "unexecuted" };

export interface StargateAct {
  act: "verified" | "executed";
  chainId: number;
  guid: string;
  txHash: string;
}

/** LayerZero's verifiers and executor, and what the world's owner may do to Stargate. Nothing happens but by `step`. */
export interface LocalStargate {
  /** For the next `times` messages; the rest are delivered at the next step. */
  deliver(fate: Delivery, times?: number): void;
  /** Lets every message that is held back go on from the next step. */
  release(): void;
  step(): Promise<StargateAct[]>;
  /** Fee of the pool for this path, millionths. */
  setFee(fromChainId: number, toChainId: number, millionths: number): Promise<void>;
  /** Price of every message from a chain, wei. */
  setMessageFee(chainId: number, wei: bigint): Promise<void>;
  pause(chainId: number, paused: boolean): Promise<void>;
  /** Blocks an account in the token itself: deliveries to it are then held back. */
  blacklist(chainId: number, account: string, blocked: boolean): Promise<void>;
}

interface End {
  site: Site;
  facts: StargateFacts;
  usdc: string;
  library: string;
  feeLib: string;
  /** First block that was not looked at yet. */
  next: number;
}

const pool = () => stargate("usdc/StargatePoolUSDC.sol/StargatePoolUSDC");
const messaging = () => stargate("messaging/TokenMessaging.sol/TokenMessaging");
const feeLibrary = () => stargate("feelibs/FeeLibV1.sol/FeeLibV1");
const endpointV2 = () => layerzero("EndpointV2.sol/EndpointV2");
const simpleLibrary = () => layerzero("messagelib/SimpleMessageLib.sol/SimpleMessageLib");
const roles = new Interface(["function blacklist(address account)", "function unBlacklist(address account)"]);

/**
 * Stargate's and LayerZero's own contracts at their real addresses on each chain. In place of LayerZero's verifier network stands its
 * SimpleMessageLib, which lets the world's owner say what is verified.
 */
export async function startLocalStargate(sites: Site[]): Promise<LocalStargate> {
  const ends: End[] = [];
  for (const site of sites) ends.push(await placeStargate(site, sites));
  const fates: Delivery[] = [];
  const open: { packet: Packet; encoded: string; fate: Delivery; age: number; verified: boolean }[] = [];

  const seen = new Set<string>();

  const endOf = (chainId: number): End => {
    const end = ends.find((e) => e.site.network.chainId === chainId);
    if (!end) throw new ArbError("usage", `local Stargate is not on chain ${chainId}`);
    return end;
  };
  const step = async (): Promise<StargateAct[]> => {
    for (const end of ends)
      for (const encoded of await newPackets(end)) {
        const packet = packetOf(encoded);
        if (!packet || !ends.some((e) => e.facts.eid === packet.dstEid)) continue;
        // a message that comes back after a reorganisation is the same one
        if (seen.has(packet.guid)) continue;
        seen.add(packet.guid);
        open.push({ packet, encoded, fate: fates.shift() ?? { kind: "prompt" }, age: 0, verified: false });
      }
    const acts: StargateAct[] = [];
    for (const message of open.slice()) {
      const { fate, packet } = message;
      if (fate.kind === "never" || (fate.kind === "late" && message.age++ < fate.steps)) continue;
      const end = ends.find((e) => e.facts.eid === packet.dstEid)!;
      const act = (kind: StargateAct["act"], receipt: RawReceipt): StargateAct => ({
        act: kind,
        chainId: end.site.network.chainId,
        guid: packet.guid,
        txHash: receipt.transactionHash,
      });
      if (!message.verified) {
        message.verified = true;
        acts.push(act("verified", await invoke(end.site, end.library, simpleLibrary(), "validatePacket", [message.encoded])));
      }
      if (fate.kind === "unexecuted") continue;
      open.splice(open.indexOf(message), 1);
      const receipt = await execute(end, packet);
      if (receipt) acts.push(act("executed", receipt));
    }
    return acts;
  };

  return {
    deliver: (fate, times = 1) => {
      for (let i = 0; i < times; i++) fates.push(fate);
    },
    release: () => {
      for (const message of open) message.fate = { kind: "prompt" };
    },
    step,
    setFee: async (fromChainId, toChainId, millionths) =>
      await setFee(endOf(fromChainId), endOf(toChainId).facts.eid, millionths),
    setMessageFee: async (chainId, wei) => {
      const { site, library } = endOf(chainId);
      await invoke(site, library, simpleLibrary(), "setMessagingFee", [wei, 0]);
    },
    pause: async (chainId, paused) => {
      const { site, facts } = endOf(chainId);
      await invoke(site, facts.usdcPool.address, pool(), "setPause", [paused]);
    },
    blacklist: async (chainId, account, blocked) => {
      const { site, usdc } = endOf(chainId);
      await invoke(site, usdc, { abi: roles }, blocked ? "blacklist" : "unBlacklist", [account]);
    },
  };
}

/** What the endpoint sent since the last look. */
async function newPackets(end: End): Promise<string[]> {
  const { site, facts } = end;
  const head = Number(await site.rpc<string>("eth_blockNumber"));
  if (head + 1 < end.next) end.next = Math.max(0, head - 64); // the chain was set back
  const filter = {
    address: facts.endpoint.address,
    topics: [endpointEvents.getEvent("PacketSent")!.topicHash],
    fromBlock: toQuantity(end.next),
    toBlock: toQuantity(head),
  };
  const logs = await site.rpc<{ data: string }[]>("eth_getLogs", [filter]);
  end.next = head + 1;
  return logs.map((log) => endpointEvents.decodeEventLog("PacketSent", log.data)[0] as string);
}

/** null where somebody else was first, or the delivery reverts; the real executor gives up too, and the message stays verified. */
async function execute({ site, facts }: End, packet: Packet): Promise<RawReceipt | null> {
  const origin = [packet.srcEid, packet.sender, packet.nonce];
  const args = [origin, packet.receiver, packet.guid, packet.message, "0x"];
  const data = endpointEvents.encodeFunctionData("lzReceive", args);
  const passes = await site.rpc("eth_call", [{ from: site.owner, to: facts.endpoint.address, data }, "latest"]).then(
    () => true,
    () => false,
  );
  return passes ? await invoke(site, facts.endpoint.address, { abi: endpointEvents }, "lzReceive", args) : null;
}

async function setFee({ site, feeLib }: End, eid: number, millionths: number): Promise<void> {
  await invoke(site, feeLib, feeLibrary(), "setFeeConfig", [eid, ZONE, ZONE, millionths, millionths, millionths, 0]);
}

async function placeStargate(site: Site, sites: Site[]): Promise<End> {
  const { owner } = site;
  const facts = factsOf(site);
  const usdc = findToken(site.network, "USDC")!;
  const [ep, tm, at] = [facts.endpoint.address, facts.tokenMessaging.address, facts.usdcPool.address];
  const others = sites.map(factsOf).filter((f) => f.eid !== facts.eid);

  await place(site, ep, endpointV2(), [facts.eid, owner]);
  const library = await deploy(site, simpleLibrary(), [ep, owner]);
  await invoke(site, ep, endpointV2(), "registerLibrary", [library]);
  await place(site, tm, messaging(), [ep, owner, QUEUE]);
  await place(site, at, pool(), ["USDC-LP", "S*USDC", usdc.address, 6, 6, ep, owner]);
  const feeLib = await deploy(site, feeLibrary(), [at]);
  const treasurer = await deploy(site, stargate("peripheral/Treasurer.sol/Treasurer"), [owner, owner]);
  // the owner is planner and credit messenger too: it pauses, and grants the credit that Stargate's planner would
  await invoke(site, at, pool(), "setAddressConfig", [[feeLib, owner, treasurer, tm, owner, ZeroAddress]]);
  await invoke(site, tm, messaging(), "setMaxAssetId", [ASSETS]);
  await invoke(site, tm, messaging(), "setAssetId", [at, USDC_ASSET]);

  const end: End = { site, facts, usdc: usdc.address, library, feeLib, next: 0 };
  await give(site, usdc, owner, POOLED);
  await approve(site, usdc.address, at);
  await invoke(site, at, pool(), "deposit", [owner, POOLED]);
  for (const other of others) {
    await invoke(site, ep, endpointV2(), "setDefaultSendLibrary", [other.eid, library]);
    await invoke(site, ep, endpointV2(), "setDefaultReceiveLibrary", [other.eid, library, 0]);
    await invoke(site, tm, messaging(), "setGasLimit", [other.eid, ...DELIVERY_GAS]);
    await invoke(site, tm, messaging(), "setPeer", [other.eid, bytes32(other.tokenMessaging.address)]);
    await setFee(end, other.eid, FEE);
    await invoke(site, at, pool(), "receiveCredits", [other.eid, [[other.eid, CREDIT]]]);
  }
  end.next = Number(await site.rpc<string>("eth_blockNumber")) + 1;
  return end;
}

function factsOf(site: Site): StargateFacts {
  const facts = stargateFacts(site.network.chainId);
  if (!facts) throw new ArbError("usage", `${site.network.title} has no Stargate`);
  return facts;
}
