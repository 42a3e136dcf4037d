import { AbiCoder, concat, dataLength, dataSlice, getAddress, id, Interface, keccak256, toBeHex, ZeroHash } from "ethers";
import { OP_PREDEPLOYS, opStandardFacts } from "../config/op-standard.js";
import type { TransferKey } from "./bridge.js";

export const standardBridge = new Interface([
  "function bridgeETHTo(address to, uint32 minGasLimit, bytes extraData) payable",
  "function bridgeERC20To(address localToken, address remoteToken, address to, uint256 amount, uint32 minGasLimit, bytes extraData)",
  "function finalizeBridgeETH(address from, address to, uint256 amount, bytes extraData) payable",
  "function finalizeBridgeERC20(address localToken, address remoteToken, address from, address to, uint256 amount, bytes extraData)",
  "function MESSENGER() view returns (address)",
  "function OTHER_BRIDGE() view returns (address)",
  "function paused() view returns (bool)",
  "function deposits(address localToken, address remoteToken) view returns (uint256)",
  "event ETHBridgeInitiated(address indexed from, address indexed to, uint256 amount, bytes extraData)",
  "event ERC20BridgeInitiated(address indexed localToken, address indexed remoteToken, address indexed from, address to, uint256 amount, bytes extraData)",
  "event ETHBridgeFinalized(address indexed from, address indexed to, uint256 amount, bytes extraData)",
  "event ERC20BridgeFinalized(address indexed localToken, address indexed remoteToken, address indexed from, address to, uint256 amount, bytes extraData)",
]);

export const messenger = new Interface([
  "function relayMessage(uint256 nonce, address sender, address target, uint256 value, uint256 minGasLimit, bytes message) payable",
  "function failedMessages(bytes32 hash) view returns (bool)",
  "event SentMessage(address indexed target, address sender, bytes message, uint256 messageNonce, uint256 gasLimit)",
  "event RelayedMessage(bytes32 indexed msgHash)",
]);

export const messagePasser = new Interface([
  "event MessagePassed(uint256 indexed nonce, address indexed sender, address indexed target, uint256 value, uint256 gasLimit, bytes data, bytes32 withdrawalHash)",
]);

const WITHDRAWAL = "(uint256 nonce, address sender, address target, uint256 value, uint256 gasLimit, bytes data)";

export const portal = new Interface([
  `function proveWithdrawalTransaction(${WITHDRAWAL} tx, uint256 disputeGameIndex, (bytes32 version, bytes32 stateRoot, bytes32 messagePasserStorageRoot, bytes32 latestBlockhash) outputRootProof, bytes[] withdrawalProof)`,
  `function finalizeWithdrawalTransactionExternalProof(${WITHDRAWAL} tx, address proofSubmitter)`,
  "function checkWithdrawal(bytes32 withdrawalHash, address proofSubmitter) view",
  "function provenWithdrawals(bytes32 withdrawalHash, address proofSubmitter) view returns (address disputeGame, uint64 timestamp)",
  "function finalizedWithdrawals(bytes32 withdrawalHash) view returns (bool)",
  "function proofMaturityDelaySeconds() view returns (uint256)",
  "function disputeGameFactory() view returns (address)",
  "function respectedGameType() view returns (uint32)",
  "function respectedGameTypeUpdatedAt() view returns (uint64)",
  "function disputeGameBlacklist(address game) view returns (bool)",
  "function paused() view returns (bool)",
  "event WithdrawalProvenExtension1(bytes32 indexed withdrawalHash, address indexed proofSubmitter)",
]);

export const gameFactory = new Interface([
  "function gameCount() view returns (uint256)",
  "function findLatestGames(uint32 gameType, uint256 start, uint256 n) view returns ((uint256 index, bytes32 metadata, uint64 timestamp, bytes32 rootClaim, bytes extraData)[] games)",
]);

export const game = new Interface([
  "function status() view returns (uint8)",
  "function createdAt() view returns (uint64)",
  "function l2SequenceNumber() view returns (uint256)",
]);

export const mintable = new Interface([
  "function l1Token() view returns (address)",
  "function l2Bridge() view returns (address)",
]);

/** What a key of the standard bridge holds. `native`: "1" where ETH goes over, for WETH has no counterpart on the other side. */
export type OpStandardData = Record<
  | "sender"
  | "recipient"
  | "tokenIn"
  | "tokenOut"
  | "amountIn"
  | "native"
  | "mark"
  | "l1Messenger"
  | "etaSeconds"
  | "sourceFrom"
  | "destinationFrom",
  string
>;

/** 32 bytes that follow from the transfer's id. The bridges hand them from one side's event to the other's. */
export const markOf = (transferId: string): string => id(`op-standard:${transferId}`);

export interface Ends {
  isDeposit: boolean;
  l2ChainId: number;
  bridgeFrom: string;
  bridgeTo: string;
  messengerFrom: string;
  messengerTo: string;
  portal: string;
}

/** The contracts at both ends of a transfer. */
export function endsOf(key: Pick<TransferKey, "fromChainId" | "toChainId" | "data">): Ends {
  const isDeposit = opStandardFacts(key.toChainId) !== null;
  const l2ChainId = isDeposit ? key.toChainId : key.fromChainId;
  const facts = opStandardFacts(l2ChainId)!;
  const l1 = { bridge: facts.l1Bridge.address, messenger: key.data["l1Messenger"]! };
  const [from, to] = isDeposit ? [l1, OP_PREDEPLOYS] : [OP_PREDEPLOYS, l1];
  return {
    isDeposit,
    l2ChainId,
    bridgeFrom: from.bridge,
    bridgeTo: to.bridge,
    messengerFrom: from.messenger,
    messengerTo: to.messenger,
    portal: facts.portal.address,
  };
}

/** The message that one bridge sends the other for this transfer: nobody else's is the same, since our mark is in it. */
export function messageFor(data: OpStandardData): string {
  const { sender, recipient, amountIn, mark, tokenIn, tokenOut } = data;
  return data.native === "1"
    ? standardBridge.encodeFunctionData("finalizeBridgeETH", [sender, recipient, amountIn, mark])
    : standardBridge.encodeFunctionData("finalizeBridgeERC20", [tokenOut, tokenIn, sender, recipient, amountIn, mark]);
}

export interface Withdrawal {
  nonce: bigint;
  sender: string;
  target: string;
  value: bigint;
  gasLimit: bigint;
  data: string;
}

const tuple = (w: Withdrawal): unknown[] => [w.nonce, w.sender, w.target, w.value, w.gasLimit, w.data];

/** keccak256(abi.encode(nonce, sender, target, value, gasLimit, data)) (specification, Withdrawals; Hashing.hashWithdrawal). */
export const withdrawalHash = (w: Withdrawal): string =>
  keccak256(AbiCoder.defaultAbiCoder().encode(["uint256", "address", "address", "uint256", "uint256", "bytes"], tuple(w)));

/** Slot of the message passer's storage that says that a withdrawal was sent: its mapping `sentMessages` is at slot 0. */
export const sentSlot = (hash: string): string => keccak256(concat([hash, ZeroHash]));

/** Version 0 of an output root: keccak256(version, state root, message passer's storage root, block hash). */
export const outputRoot = (stateRoot: string, storageRoot: string, blockHash: string): string =>
  keccak256(concat([ZeroHash, stateRoot, storageRoot, blockHash]));

/** Kinds of games that claim the state of several networks at a time (OP Stack, GameTypes.isSuperGame; OP Mainnet since Upgrade 20). */
export const SUPER_GAMES = new Set([4, 5, 7, 9, 10]);

/**
 * What a super root claims of a network: version byte 1, time in 8 bytes, then (chain id, output root) pairs, whose hash is the game's
 * root claim (specification, Super Root). null when it is no such thing, or does not have the network.
 */
export function superClaim(
  extraData: string,
  rootClaim: string,
  chainId: number,
): { timestamp: number; outputRoot: string } | null {
  const length = dataLength(extraData);
  if (length < 73 || (length - 9) % 64 !== 0 || dataSlice(extraData, 0, 1) !== "0x01") return null;
  if (keccak256(extraData) !== rootClaim) return null;
  const wanted = toBeHex(chainId, 32);
  for (let at = 9; at < length; at += 64)
    if (dataSlice(extraData, at, at + 32) === wanted)
      return { timestamp: Number(dataSlice(extraData, 1, 9)), outputRoot: dataSlice(extraData, at + 32, at + 64) };
  return null;
}

/** A game's address: the last 20 bytes of its metadata (LibGameId). */
export const gameOf = (metadata: string): string => getAddress(dataSlice(metadata, 12));

export const proveCall = (
  w: Withdrawal,
  index: bigint,
  root: { stateRoot: string; storageRoot: string; blockHash: string },
  proof: string[],
): string =>
  portal.encodeFunctionData("proveWithdrawalTransaction", [
    tuple(w),
    index,
    [ZeroHash, root.stateRoot, root.storageRoot, root.blockHash],
    proof,
  ]);

export const finalizeCall = (w: Withdrawal, submitter: string): string =>
  portal.encodeFunctionData("finalizeWithdrawalTransactionExternalProof", [tuple(w), submitter]);
