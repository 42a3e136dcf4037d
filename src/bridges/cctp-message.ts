import { concat, dataLength, dataSlice, hexlify, id as hashOfText, Interface, toBeHex, ZeroHash, zeroPadValue } from "ethers";

export const tokenMessenger = new Interface([
  "function depositForBurn(uint256 amount, uint32 destinationDomain, bytes32 mintRecipient, address burnToken, bytes32 destinationCaller, uint256 maxFee, uint32 minFinalityThreshold)",
  "function depositForBurnWithHook(uint256 amount, uint32 destinationDomain, bytes32 mintRecipient, address burnToken, bytes32 destinationCaller, uint256 maxFee, uint32 minFinalityThreshold, bytes hookData)",
  "function getMinFeeAmount(uint256 amount) view returns (uint256)",
  "function localMinter() view returns (address)",
  "function remoteTokenMessengers(uint32 domain) view returns (bytes32)",
  "function isDenylisted(address account) view returns (bool)",
  "event DepositForBurn(address indexed burnToken, uint256 amount, address indexed depositor, bytes32 mintRecipient, uint32 destinationDomain, bytes32 destinationTokenMessenger, bytes32 destinationCaller, uint256 maxFee, uint32 indexed minFinalityThreshold, bytes hookData)",
  "event MintAndWithdraw(address indexed mintRecipient, uint256 amount, address indexed mintToken, uint256 feeCollected)",
]);

export const messageTransmitter = new Interface([
  "function receiveMessage(bytes message, bytes attestation) returns (bool)",
  "function usedNonces(bytes32 nonce) view returns (uint256)",
  "function paused() view returns (bool)",
  "event MessageSent(bytes message)",
  "event MessageReceived(address indexed caller, uint32 sourceDomain, bytes32 indexed nonce, bytes32 sender, uint32 indexed finalityThresholdExecuted, bytes messageBody)",
]);

export const tokenMinter = new Interface(["function burnLimitsPerMessage(address token) view returns (uint256)"]);

export const fiatToken = new Interface([
  "function isBlacklisted(address account) view returns (bool)",
  "function paused() view returns (bool)",
]);

/** Finality that a message asks for: attested soon for a fee, or when the source's block is final. */
export const FAST = 1000;
export const STANDARD = 2000;
/** Least finality with which TokenMessengerV2 mints. */
export const LEAST_FINALITY = 500;

const HEADER = 148;
/** What the attesters fill in, as [first byte, last byte + 1]; zero in the event. */
const NONCE = [12, 44] as const;
const FINALITY_EXECUTED = [144, 148] as const;
const FEE_EXECUTED = [HEADER + 164, HEADER + 196] as const;
const EXPIRATION_BLOCK = [HEADER + 196, HEADER + 228] as const;

export interface Burn {
  sourceDomain: number;
  destinationDomain: number;
  /** TokenMessengerV2 of the source and of the destination. */
  sender: string;
  recipient: string;
  minFinality: number;
  burnToken: string;
  mintRecipient: string;
  amount: bigint;
  /** Who burns: msg.sender of depositForBurn. */
  messageSender: string;
  maxFee: bigint;
  hookData: string;
}

/** What the attesters decided about a message. */
export interface Attested {
  nonce: string;
  finality: number;
  /** Base units of USDC, taken from the amount. */
  fee: bigint;
  /** First destination block in which a fast message is no longer taken; 0n = never. */
  expirationBlock: bigint;
}

export const bytes32 = (address: string): string => zeroPadValue(address, 32).toLowerCase();

/**
 * Our transfer's mark in the message: it makes the burn, and the mint of it, recognisable from chain state alone, although the
 * attesters choose the nonce. Nobody runs it: hook data has a meaning only to the recipient.
 */
export const markOf = (transferId: string): string => hashOfText(`arb-executor.transfer.v1:${transferId}`);

/**
 * The bytes that MessageSent carries for a burn: everything but nonce, executed finality, executed fee and expiration.
 * Source: circlefin/evm-cctp-contracts, MessageV2 and BurnMessageV2.
 */
export function messageOf(b: Burn): string {
  const body = [
    toBeHex(1, 4),
    bytes32(b.burnToken),
    bytes32(b.mintRecipient),
    toBeHex(b.amount, 32),
    bytes32(b.messageSender),
    toBeHex(b.maxFee, 32),
    ZeroHash,
    ZeroHash,
    b.hookData,
  ];
  return concat([
    toBeHex(1, 4),
    toBeHex(b.sourceDomain, 4),
    toBeHex(b.destinationDomain, 4),
    ZeroHash,
    bytes32(b.sender),
    bytes32(b.recipient),
    ZeroHash,
    toBeHex(b.minFinality, 4),
    toBeHex(0, 4),
    ...body,
  ]);
}

/** The body, which MessageReceived carries on the destination. */
export const bodyOf = (message: string): string => dataSlice(message, HEADER);

/** A message as the event had it, with what the attesters decided. */
export function withAttested(sent: string, a: Attested): string {
  const bytes = Uint8Array.from(Buffer.from(sent.slice(2), "hex"));
  const put = ([from, to]: readonly [number, number], value: string): void =>
    bytes.set(Buffer.from(value.slice(2), "hex").subarray(0, to - from), from);
  put(NONCE, a.nonce);
  put(FINALITY_EXECUTED, toBeHex(a.finality, 4));
  put(FEE_EXECUTED, toBeHex(a.fee, 32));
  put(EXPIRATION_BLOCK, toBeHex(a.expirationBlock, 32));
  return hexlify(bytes);
}

/** What the attesters decided, out of a whole message. null when it is too short for one of a burn. */
export function attestedOf(message: string): Attested | null {
  if (!/^0x([0-9a-f]{2})*$/i.test(message) || dataLength(message) < HEADER + 228) return null;
  const part = ([from, to]: readonly [number, number]): string => dataSlice(message, from, to);
  return {
    nonce: part(NONCE),
    finality: Number(part(FINALITY_EXECUTED)),
    fee: BigInt(part(FEE_EXECUTED)),
    expirationBlock: BigInt(part(EXPIRATION_BLOCK)),
  };
}

/** Whether a whole message, or its body alone, is the one that was sent, whatever the attesters filled in. */
export function isSameMessage(sent: string, message: string): boolean {
  const attested = attestedOf(message);
  return attested !== null && withAttested(sent, attested) === message.toLowerCase();
}

export function isSameBody(sent: string, body: string): boolean {
  return isSameMessage(sent, concat([dataSlice(sent, 0, HEADER), body]));
}
