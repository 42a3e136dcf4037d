import { getAddress, type Log, zeroPadValue } from "ethers";
import { NETWORKS } from "../config/networks.js";
import { OP_PREDEPLOYS, opStandardFacts } from "../config/op-standard.js";
import { ArbError } from "../errors.js";
import type { ChainView, TransferKey, Views } from "./bridge.js";
import { ask, blockAt, logsBetween } from "./logs.js";
import { type OpStandardData, portal, standardBridge } from "./op-standard-abi.js";
import { blockBeforeOn } from "./scan.js";

/** As op-standard.ts promises them; here it only decides what counts as slow. */
const DEPOSIT_SECONDS = 300;
const PROPOSAL_SECONDS = 2 * 3600;

/**
 * Keys of every deposit and withdrawal that an account began from a block on, out of the chain alone. Where another began it for the
 * account, or it was begun past the standard bridge, it is not among them.
 */
export async function scanOpStandard(
  sender: string,
  fromChainId: number,
  fromBlock: number,
  views: Views,
): Promise<TransferKey[]> {
  const own = opStandardFacts(fromChainId);
  if (own) return await scanBridge(sender, { from: fromChainId, to: own.l1ChainId, l2: fromChainId, fromBlock }, views);
  const keys: TransferKey[] = [];
  for (const { chainId } of NETWORKS)
    if (opStandardFacts(chainId)?.l1ChainId === fromChainId)
      keys.push(...(await scanBridge(sender, { from: fromChainId, to: chainId, l2: chainId, fromBlock }, views)));
  return keys;
}

async function scanBridge(
  sender: string,
  { from, to, l2, fromBlock }: { from: number; to: number; l2: number; fromBlock: number },
  views: Views,
): Promise<TransferKey[]> {
  const source = views(from);
  const facts = opStandardFacts(l2)!;
  const isDeposit = to === l2;
  const address = isDeposit ? facts.l1Bridge.address : OP_PREDEPLOYS.bridge;
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  const word = zeroPadValue(sender, 32).toLowerCase();
  const [eth, erc20] = ["ETHBridgeInitiated", "ERC20BridgeInitiated"].map((name) => standardBridge.getEvent(name)!.topicHash);
  const logs = [
    ...(await logsBetween(source, { address, topics: [eth!, word] }, fromBlock, head)),
    ...(await logsBetween(source, { address, topics: [erc20!, null, null, word] }, fromBlock, head)),
  ];
  if (logs.length === 0) return [];
  const l1 = viewOrNull(views, facts.l1ChainId);
  const answerOf = async (at: string, data: string): Promise<string> =>
    l1 === null ? "0x" : await ask(l1, "the standard bridge", l1.provider.call({ to: at, data }));
  const messenger = await answerOf(facts.l1Bridge.address, standardBridge.encodeFunctionData("MESSENGER"));
  const delay = isDeposit ? "0x" : await answerOf(facts.portal.address, portal.encodeFunctionData("proofMaturityDelaySeconds"));
  const eta = isDeposit ? DEPOSIT_SECONDS : PROPOSAL_SECONDS + (delay === "0x" ? 0 : Number(BigInt(delay)));
  const keys: TransferKey[] = [];
  for (const log of logs) {
    const began = (await blockAt(source, log.blockNumber)).timestamp;
    const data: OpStandardData = {
      ...begun(log, source, NETWORKS.find((n) => n.chainId === to)!.wrappedNative),
      sender: getAddress(sender),
      l1Messenger: messenger === "0x" ? "" : getAddress(`0x${messenger.slice(-40)}`),
      etaSeconds: String(eta),
      sourceFrom: String(log.blockNumber),
      destinationFrom: String(await blockBeforeOn(views, to, began)),
    };
    const id = `scan:${log.transactionHash}:${log.index}`;
    keys.push({ bridge: "op-standard", fromChainId: from, toChainId: to, id, sourceTx: log.transactionHash, data });
  }
  return keys;
}

function begun(log: Log, source: ChainView, wrappedThere: string) {
  const { name, args } = standardBridge.parseLog(log)!;
  const recipient = args["to"] as string;
  const [amountIn, mark] = [String(args["amount"] as bigint), args["extraData"] as string];
  return name === "ETHBridgeInitiated"
    ? { recipient, amountIn, mark, native: "1", tokenIn: source.network.wrappedNative, tokenOut: wrappedThere }
    : {
        recipient,
        amountIn,
        mark,
        native: "0",
        tokenIn: args["localToken"] as string,
        tokenOut: args["remoteToken"] as string,
      };
}

function viewOrNull(views: Views, chainId: number): ChainView | null {
  try {
    return views(chainId);
  } catch (error) {
    // a network that is not set up: tracking the key will say so
    if (error instanceof ArbError && error.code === "config") return null;
    throw error;
  }
}
