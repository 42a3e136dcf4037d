import { concat, dataLength, dataSlice, getAddress, Interface, keccak256 } from "ethers";

const SEND_PARAM =
  "(uint32 dstEid, bytes32 to, uint256 amountLD, uint256 minAmountLD, bytes extraOptions, bytes composeMsg, bytes oftCmd) sendParam";
const FEE = "(uint256 nativeFee, uint256 lzTokenFee) fee";

/** A pool of Stargate v2: the OFT interface, with its own retry. Source: @stargatefinance/stg-evm-v2, StargateBase. */
export const pool = new Interface([
  "function token() view returns (address)",
  "function status() view returns (uint8)",
  `function quoteOFT(${SEND_PARAM}) view returns ((uint256 minAmountLD, uint256 maxAmountLD) limit, (int256 feeAmountLD, string description)[] oftFeeDetails, (uint256 amountSentLD, uint256 amountReceivedLD) receipt)`,
  `function quoteSend(${SEND_PARAM}, bool payInLzToken) view returns (${FEE})`,
  `function send(${SEND_PARAM}, ${FEE}, address refundAddress) payable returns ((bytes32 guid, uint64 nonce, (uint256 nativeFee, uint256 lzTokenFee) fee) msgReceipt, (uint256 amountSentLD, uint256 amountReceivedLD) oftReceipt)`,
  "function unreceivedTokens(bytes32 guid, uint8 index) view returns (bytes32)",
  "function retryReceiveToken(bytes32 guid, uint8 index, uint32 srcEid, address receiver, uint256 amountLD, bytes composeMsg)",
  "event OFTSent(bytes32 indexed guid, uint32 dstEid, address indexed fromAddress, uint256 amountSentLD, uint256 amountReceivedLD)",
  "event OFTReceived(bytes32 indexed guid, uint32 srcEid, address indexed toAddress, uint256 amountReceivedLD)",
  "error Path_InsufficientCredit()",
  "error Stargate_Paused()",
  "error Stargate_SlippageTooHigh()",
  "error Stargate_InvalidAmount()",
  "error Stargate_InvalidPath()",
  "error Transfer_TransferFailed()",
  "error Stargate_OutflowFailed()",
  "error Stargate_UnreceivedTokenNotFound()",
]);

/** LayerZero's EndpointV2. Source: @layerzerolabs/lz-evm-protocol-v2. */
export const endpoint = new Interface([
  "event PacketSent(bytes encodedPayload, bytes options, address sendLibrary)",
  "function inboundPayloadHash(address receiver, uint32 srcEid, bytes32 sender, uint64 nonce) view returns (bytes32)",
  "function lazyInboundNonce(address receiver, uint32 srcEid, bytes32 sender) view returns (uint64)",
  "function lzReceive((uint32 srcEid, bytes32 sender, uint64 nonce) origin, address receiver, bytes32 guid, bytes message, bytes extraData) payable",
]);

/** `status` of a pool that is open; 2 is inside a call, 3 is paused. */
export const PAUSED = 3n;

/** A LayerZero packet of version 1: 113 bytes of header, then the message. */
export interface Packet {
  nonce: bigint;
  srcEid: number;
  /** bytes32. */
  sender: string;
  dstEid: number;
  receiver: string;
  guid: string;
  message: string;
}

const HEADER = 113;

/** null for what is no packet of version 1. Source: PacketV1Codec. */
export function packetOf(encoded: string): Packet | null {
  if (dataLength(encoded) < HEADER || dataSlice(encoded, 0, 1) !== "0x01") return null;
  return {
    nonce: BigInt(dataSlice(encoded, 1, 9)),
    srcEid: Number(dataSlice(encoded, 9, 13)),
    sender: dataSlice(encoded, 13, 45),
    dstEid: Number(dataSlice(encoded, 45, 49)),
    receiver: getAddress(dataSlice(encoded, 61, 81)),
    guid: dataSlice(encoded, 81, 113),
    message: dataSlice(encoded, HEADER),
  };
}

/** What the endpoint keeps of a verified packet until it is executed. */
export const payloadHash = (p: Packet): string => keccak256(concat([p.guid, p.message]));

/** Whom a taxi's message pays, bytes32. Source: TaxiCodec: kind (1 byte), asset (2), receiver (32), amount (8). */
export const taxiReceiver = (p: Packet): string | null => (dataLength(p.message) >= 35 ? dataSlice(p.message, 3, 35) : null);
