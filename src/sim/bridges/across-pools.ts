import { AbiCoder, getAddress, keccak256, toBeHex, toQuantity, ZeroAddress, ZeroHash } from "ethers";
import { ACROSS_TOKENS, acrossFacts } from "../../config/across.js";
import { findToken } from "../../config/networks.js";
import { ArbError } from "../../errors.js";
import { type RelayData, relayTuple, spokePool } from "../../bridges/across-abi.js";
import { artifact, EXTRACTS } from "../artifacts.js";
import type { LocalChain } from "../chain.js";
import { approve, give } from "../protocols/tokens.js";
import { deploy, invoke, place, type RawReceipt, send } from "../site.js";

const across = (name: string) => artifact(`${EXTRACTS.across}/${name}.sol/${name}.json`);

/** As on the live networks: one hour and six hours. */
export const QUOTE_BUFFER = 3600;
export const FILL_BUFFER = 6 * 3600;
/** Anybody may hold these: they exist on local chains only, where they need no key. */
export const RELAYER = "0x00000000000000000000000000000000ac055001";
const HUB = "0x00000000000000000000000000000000ac055002";
/** Added to an L1 contract's address where it calls on Arbitrum. */
const ALIAS = 0x1111000000000000000000000000000000001111n;

const RELAY_DATA = spokePool
  .getFunction("getV3RelayHash")!
  .inputs[0]!.format("full")
  .replace(/ relayData$/, "");
const REFUND_LEAF =
  "tuple(uint256 amountToReturn, uint256 chainId, uint256[] refundAmounts, uint32 leafId, address l2TokenAddress, address[] refundAddresses)";
const SLOW_LEAF = `tuple(${RELAY_DATA} relayData, uint256 chainId, uint256 updatedOutputAmount)`;

/** A SpokePool on one local chain, with what its relayer and its owner do there. */
export interface LocalPool {
  chain: LocalChain;
  address: string;
  /** The relayer fills, with other data than the deposit's where a script wants so. Throws ArbError "reverted". */
  fillRelay(relay: RelayData): Promise<RawReceipt>;
  /** The relayer fills with less, by the depositor's signature. */
  fillUpdated(relay: RelayData, outputAmount: bigint, recipient: string, message: string, signature: string): Promise<RawReceipt>;
  /** The relayer asks for a slow fill. */
  requestSlowFill(relay: RelayData): Promise<RawReceipt>;
  /** Brings a root bundle with one slow fill and executes it, paid by the pool. */
  slowFill(relay: RelayData, outputAmount: bigint): Promise<RawReceipt>;
  /** Brings a root bundle with one refund leaf of one token and executes it. */
  refund(token: string, to: string[], amounts: bigint[]): Promise<RawReceipt>;
  pause(what: "deposits" | "fills", paused: boolean): Promise<void>;
}

/**
 * Places Across' real contracts at their addresses on a local chain: the Ethereum_SpokePool on Ethereum, the Arbitrum_SpokePool on the
 * others (the OP one differs in how its owner reaches it from L1), and the MulticallHandler. The HubPool is an account of ours, so root
 * bundles need no challenge period.
 */
export async function placeAcross(chain: LocalChain): Promise<LocalPool> {
  const { network, rpc } = chain;
  const facts = acrossFacts(network.chainId);
  if (!facts) throw new ArbError("usage", `Across is not on ${network.title}`);
  const address = facts.spokePool.address;
  const isL1 = network.stack === "l1";
  const kind = across(isL1 ? "Ethereum_SpokePool" : "Arbitrum_SpokePool");
  // no gateway, CCTP or OFT messenger: the pool's own tokens pay
  const fixed = [network.wrappedNative, QUOTE_BUFFER, FILL_BUFFER];
  const args = isL1 ? [...fixed, ZeroAddress] : [...fixed, ZeroAddress, ZeroAddress, 30101, 10n ** 18n, ZeroAddress];
  const implementation = await deploy(chain, kind, args);
  const init = isL1
    ? kind.abi.encodeFunctionData("initialize", [0, HUB])
    : kind.abi.encodeFunctionData("initialize", [0, HUB, HUB, HUB]);
  await place(chain, address, across("ERC1967Proxy"), [implementation, init]);
  await place(chain, facts.multicallHandler.address, across("MulticallHandler"));

  const admin = isL1 ? chain.owner : aliased(HUB);
  for (const account of [RELAYER, admin]) {
    await rpc("hardhat_impersonateAccount", [account]);
    await rpc("hardhat_setBalance", [account, toQuantity(10n ** 27n)]);
  }
  for (const symbol of ACROSS_TOKENS) {
    const token = findToken(network, symbol);
    if (!token) continue;
    // for fills by the relayer, and for slow fills by the pool
    const plenty = 10n ** BigInt(token.decimals) * (symbol === "WETH" ? 10_000n : 10_000_000n);
    await give(chain, token, RELAYER, plenty);
    await give(chain, token, address, plenty);
    await approve(chain, token.address, address, RELAYER);
  }

  const asRelayer = { from: RELAYER };
  const asAdmin = { from: admin };
  const nextRoot = async () => {
    const logs = await rpc<unknown[]>("eth_getLogs", [
      { address, topics: [kind.abi.getEvent("RelayedRootBundle")!.topicHash], fromBlock: "0x0", toBlock: "latest" },
    ]);
    return logs.length;
  };
  const bringRoots = async (refundRoot: string, slowRoot: string): Promise<number> => {
    const index = await nextRoot();
    await invoke(chain, address, kind, "relayRootBundle", [refundRoot, slowRoot], asAdmin);
    return index;
  };
  const word = (a: string) => toBeHex(a, 32);
  return {
    chain,
    address,
    fillRelay: (relay) =>
      invoke(chain, address, kind, "fillRelay", [relayTuple(relay), network.chainId, word(RELAYER)], asRelayer),
    fillUpdated: (relay, outputAmount, recipient, message, signature) => {
      const updated = [outputAmount, word(recipient), message, signature];
      const all = [relayTuple(relay), network.chainId, word(RELAYER), ...updated];
      return invoke(chain, address, kind, "fillRelayWithUpdatedDeposit", all, asRelayer);
    },
    requestSlowFill: (relay) => invoke(chain, address, kind, "requestSlowFill", [relayTuple(relay)], asRelayer),
    slowFill: async (relay, outputAmount) => {
      const leaf = { relayData: relayTuple(relay), chainId: network.chainId, updatedOutputAmount: outputAmount };
      const root = await bringRoots(ZeroHash, rootOf(SLOW_LEAF, leaf));
      return await invoke(chain, address, kind, "executeSlowRelayLeaf", [leaf, root, []]);
    },
    refund: async (token, to, amounts) => {
      const leaf = {
        amountToReturn: 0n,
        chainId: network.chainId,
        refundAmounts: amounts,
        leafId: 0,
        l2TokenAddress: token,
        refundAddresses: to,
      };
      const root = await bringRoots(rootOf(REFUND_LEAF, leaf), ZeroHash);
      return await invoke(chain, address, kind, "executeRelayerRefundLeaf", [root, leaf, []]);
    },
    pause: async (what, paused) => {
      const fn = what === "deposits" ? "pauseDeposits" : "pauseFills";
      await send(chain, address, kind.abi.encodeFunctionData(fn, [paused]), asAdmin);
    },
  };
}

const aliased = (l1: string): string => getAddress(toBeHex((BigInt(l1) + ALIAS) & ((1n << 160n) - 1n), 20));

/** Root of a tree with one leaf: the leaf's hash; its proof is empty. */
const rootOf = (type: string, leaf: unknown): string => keccak256(AbiCoder.defaultAbiCoder().encode([type], [leaf]));
