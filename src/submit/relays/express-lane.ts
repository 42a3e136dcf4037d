import { concat, hashMessage, id as hashText, Interface, toBeHex, toQuantity } from "ethers";
import type { Secret } from "../../config/secrets.js";
import type { Route } from "../route.js";
import { ArbError } from "../../errors.js";
import { EXPRESS_LANE_AUCTION } from "./builders.js";
import { type Ask, refuseAfter } from "./node.js";
import { answerOf, postRpc } from "./rpc.js";
import { signingKey } from "./signer.js";

/** Arbitrum's Timeboost: the controller of a round is sequenced at once, everybody else 200 ms later. */
export interface ExpressLane {
  chainId: number;
  /** The auction contract. */
  auction: string;
  /** Key of the account that controls the lane. */
  key: Secret;
  /** Round 0 began at `offset`; both in seconds. See readRoundTiming. */
  timing: { offset: number; duration: number };
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** "Don't care": no place in the controller's own order. */
const NO_SEQUENCE = (1n << 64n) - 1n;
const REFUSED =
  /MALFORMED_DATA|WRONG_CHAIN_ID|WRONG_SIGNATURE|BAD_ROUND_NUMBER|NOT_EXPRESS_LANE_CONTROLLER|NO_ONCHAIN_CONTROLLER|SEQUENCE_NUMBER_TOO_LOW/;

/** The parameters of timeboost_sendExpressLaneTransaction, signed. Source: docs.arbitrum.io, Timeboost. */
export function expressLaneParams(lane: ExpressLane, round: bigint, raw: string): Record<string, unknown> {
  const message = concat([
    hashText("TIMEBOOST_BID"),
    toBeHex(lane.chainId, 32),
    lane.auction,
    toBeHex(round, 8),
    toBeHex(NO_SEQUENCE, 8),
    raw,
  ]);
  const bytes = Buffer.from(message.slice(2), "hex");
  return {
    chainId: toQuantity(lane.chainId),
    round: toQuantity(round),
    auctionContractAddress: lane.auction,
    sequenceNumber: toQuantity(NO_SEQUENCE),
    transaction: raw,
    options: {},
    signature: signingKey(lane.key).sign(hashMessage(bytes)).serialized,
  };
}

/** The express lane, for those who won a round. Beside it the sequencer's route should be used: rounds may be lost. */
export function expressLaneRoute(url: string, lane: ExpressLane, id = "express-lane"): Route {
  const now = lane.now ?? Date.now;
  return {
    id,
    visibility: "private",
    async send(signed, terms) {
      const refused = refuseAfter(terms);
      if (refused) return refused;
      const { offset, duration } = lane.timing;
      const round = BigInt(Math.floor((now() / 1000 - offset) / duration));
      if (round < 0n) return { status: "refused", kind: "unsupported-method", detail: "the first round has not begun" };
      const params = expressLaneParams(lane, round, signed.raw);
      const reply = await postRpc(url, "timeboost_sendExpressLaneTransaction", [params], terms);
      // null: taken, not yet in a block
      return answerOf(reply, () => ({ status: "accepted" }), { words: REFUSED });
    },
  };
}

/**
 * Reads when the rounds of an auction are, in seconds. Source: ExpressLaneAuction, roundTimingInfo() in OffchainLabs/nitro-contracts. Throws
 * ArbError "config" where there is no such contract, and what `ask` throws.
 */
export async function readRoundTiming(ask: Ask, auction = EXPRESS_LANE_AUCTION): Promise<ExpressLane["timing"]> {
  const answer = await ask("eth_call", [{ to: auction, data: AUCTION.encodeFunctionData("roundTimingInfo") }, "latest"]);
  try {
    const [offset, duration] = AUCTION.decodeFunctionResult("roundTimingInfo", String(answer)) as unknown as [bigint, bigint];
    if (duration > 0n) return { offset: Number(offset), duration: Number(duration) };
  } catch {
    // answered below: no contract, or another one
  }
  throw new ArbError("config", "there is no auction of the express lane at this address", { where: auction });
}

const AUCTION = new Interface([
  "function roundTimingInfo() view returns (int64 offset, uint64 duration, uint64 auctionClosing, uint64 reserveSubmission)",
]);
