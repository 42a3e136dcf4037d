import { AbiCoder, Interface, id, keccak256, solidityPackedKeccak256, toBeHex, type TypedDataField, zeroPadValue } from "ethers";

/** What identifies one relay (SpokePool, V3RelayData). Addresses in 20 bytes; amounts in base units; times in unix seconds. */
export interface RelayData {
  depositor: string;
  recipient: string;
  exclusiveRelayer: string;
  inputToken: string;
  outputToken: string;
  inputAmount: bigint;
  outputAmount: bigint;
  originChainId: bigint;
  depositId: bigint;
  fillDeadline: bigint;
  exclusivityDeadline: bigint;
  message: string;
}

const RELAY_DATA =
  "tuple(bytes32 depositor, bytes32 recipient, bytes32 exclusiveRelayer, bytes32 inputToken, bytes32 outputToken, uint256 inputAmount, uint256 outputAmount, uint256 originChainId, uint256 depositId, uint32 fillDeadline, uint32 exclusivityDeadline, bytes message)";

/** What we use of Across' SpokePool (V3, @across-protocol/contracts 5). */
export const spokePool = new Interface([
  "function unsafeDeposit(bytes32 depositor, bytes32 recipient, bytes32 inputToken, bytes32 outputToken, uint256 inputAmount, uint256 outputAmount, uint256 destinationChainId, bytes32 exclusiveRelayer, uint256 depositNonce, uint32 quoteTimestamp, uint32 fillDeadline, uint32 exclusivityParameter, bytes message) payable",
  "function speedUpDeposit(bytes32 depositor, uint256 depositId, uint256 updatedOutputAmount, bytes32 updatedRecipient, bytes updatedMessage, bytes depositorSignature)",
  `function requestSlowFill(${RELAY_DATA} relayData)`,
  "function claimRelayerRefund(bytes32 l2TokenAddress, bytes32 refundAddress)",
  "function getUnsafeDepositId(address msgSender, bytes32 depositor, uint256 depositNonce) view returns (uint256)",
  `function getV3RelayHash(${RELAY_DATA} relayData) view returns (bytes32)`,
  "function getRelayerRefund(address l2TokenAddress, address refundAddress) view returns (uint256)",
  "function fillStatuses(bytes32) view returns (uint256)",
  "function pausedDeposits() view returns (bool)",
  "function pausedFills() view returns (bool)",
  "function depositQuoteTimeBuffer() view returns (uint32)",
  "function fillDeadlineBuffer() view returns (uint32)",
  "function getCurrentTime() view returns (uint256)",
  "event FundsDeposited(bytes32 inputToken, bytes32 outputToken, uint256 inputAmount, uint256 outputAmount, uint256 indexed destinationChainId, uint256 indexed depositId, uint32 quoteTimestamp, uint32 fillDeadline, uint32 exclusivityDeadline, bytes32 indexed depositor, bytes32 recipient, bytes32 exclusiveRelayer, bytes message)",
  "event FilledRelay(bytes32 inputToken, bytes32 outputToken, uint256 inputAmount, uint256 outputAmount, uint256 repaymentChainId, uint256 indexed originChainId, uint256 indexed depositId, uint32 fillDeadline, uint32 exclusivityDeadline, bytes32 exclusiveRelayer, bytes32 indexed relayer, bytes32 depositor, bytes32 recipient, bytes32 messageHash, tuple(bytes32 updatedRecipient, bytes32 updatedMessageHash, uint256 updatedOutputAmount, uint8 fillType) relayExecutionInfo)",
  "event ExecutedRelayerRefundRoot(uint256 amountToReturn, uint256 indexed chainId, uint256[] refundAmounts, uint32 indexed rootBundleId, uint32 indexed leafId, address l2TokenAddress, address[] refundAddresses, bool deferredRefunds, address caller)",
  "event ClaimedRelayerRefund(bytes32 indexed l2TokenAddress, bytes32 indexed refundAddress, uint256 amount, address indexed caller)",
]);

/** What we use of Across' MulticallHandler. */
export const multicallHandler = new Interface([
  "event CallsFailed(tuple(address target, bytes callData, uint256 value)[] calls, address indexed fallbackRecipient)",
  "event DrainedTokens(address indexed recipient, address indexed token, uint256 indexed amount)",
]);

const coder = AbiCoder.defaultAbiCoder();

/** An address as the SpokePool writes it: 32 bytes, zeros in front. */
export const bytes32 = (address: string): string => zeroPadValue(address, 32);

/** The same back; null when the word is no EVM address (Across also serves chains with longer ones). */
export function addressOf(word: string): string | null {
  return /^0x0{24}[0-9a-f]{40}$/i.test(word) ? (coder.decode(["address"], word)[0] as string) : null;
}

/** The struct as the contract's functions take it. */
export function relayTuple(relay: RelayData): Record<string, unknown> {
  return {
    ...relay,
    depositor: bytes32(relay.depositor),
    recipient: bytes32(relay.recipient),
    exclusiveRelayer: bytes32(relay.exclusiveRelayer),
    inputToken: bytes32(relay.inputToken),
    outputToken: bytes32(relay.outputToken),
  };
}

/** The name under which the destination remembers a fill (SpokePool.getV3RelayHash). */
export function relayHash(relay: RelayData, destinationChainId: number): string {
  return keccak256(coder.encode([RELAY_DATA, "uint256"], [relayTuple(relay), destinationChainId]));
}

/** Id of a deposit with a nonce of our own, known before it is sent (SpokePool.getUnsafeDepositId). `caller`: who calls the pool. */
export function unsafeDepositId(caller: string, depositor: string, nonce: bigint): bigint {
  return BigInt(solidityPackedKeccak256(["address", "bytes32", "uint256"], [caller, bytes32(depositor), nonce]));
}

/** Our nonce of a transfer: the same in every process, never another transfer's. */
export const depositNonce = (transferId: string): bigint => BigInt(id(`across ${transferId}`));

/** How FilledRelay writes a message: zero for none, else its hash. */
export const messageHash = (message: string): string => (message === "0x" ? toBeHex(0, 32) : keccak256(message));

/** The message that makes the MulticallHandler run `calls` and give what is left, or all when one fails, to `fallbackRecipient`. */
export function handlerMessage(calls: { target: string; data: string; value: bigint }[], fallbackRecipient: string): string {
  const instructions = { calls: calls.map((c) => ({ ...c, callData: c.data })), fallbackRecipient };
  return coder.encode(
    ["tuple(tuple(address target, bytes callData, uint256 value)[] calls, address fallbackRecipient)"],
    [instructions],
  );
}

/** What the depositor signs (EIP-712) so that relayers may fill with less (SpokePool.UPDATE_BYTES32_DEPOSIT_DETAILS_HASH). */
export const SPEED_UP_TYPES: Record<string, TypedDataField[]> = {
  UpdateDepositDetails: [
    { name: "depositId", type: "uint256" },
    { name: "originChainId", type: "uint256" },
    { name: "updatedOutputAmount", type: "uint256" },
    { name: "updatedRecipient", type: "bytes32" },
    { name: "updatedMessage", type: "bytes" },
  ],
};
