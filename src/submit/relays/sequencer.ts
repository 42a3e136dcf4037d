import { toQuantity } from "ethers";
import { endpointName } from "../../chain/errors.js";
import type { Route, RouteAnswer, RouteTerms, SignedBytes } from "../route.js";
import { refuseAfter, sendRaw } from "./node.js";
import { answerOf, postRpc, type Reply } from "./rpc.js";

/** "raw": eth_sendRawTransaction; "sync": EIP-7966, answers with the receipt; "conditional": ERC-7796, refused when its time is over. */
export type SequencerMode = "raw" | "sync" | "conditional";

/** EIP-7966: not in a block when the time was over; it may still land. */
const SYNC_TIMEOUT = 4;
/** ERC-7796: the condition does not hold, and checking it would cost too much. */
const CONDITION_REFUSED = [-32003, -32005];

/**
 * The endpoint of a network's sequencer. A sequencer without the method of `mode` is sent the bytes by eth_sendRawTransaction: it
 * said that it did not take them. `ownBlocks`: false where its conditions count the blocks of the chain below, as Arbitrum's do (OffchainLabs
 * go-ethereum, arbitrum_types/txoptions.go); then times alone are conditions.
 */
export function sequencerRoute(url: string, mode: SequencerMode = "raw", { id = "sequencer", ownBlocks = true } = {}): Route {
  const conditional: typeof sendSync = async (to, signed, { lastBlock, ...terms }) =>
    await sendConditional(to, signed, { ...terms, ...(ownBlocks && lastBlock !== undefined && { lastBlock }) });
  const send = { raw: sendRaw, sync: sendSync, conditional }[mode];
  return {
    id,
    visibility: "private",
    async send(signed, terms) {
      const start = performance.now();
      const first = refuseAfter(terms) ?? (await send(url, signed, terms));
      if (mode === "raw" || first.status !== "refused" || first.kind !== "unsupported-method" || terms.after !== undefined)
        return first;
      return await sendRaw(url, signed, { deadlineMs: terms.deadlineMs - (performance.now() - start) });
    },
  };
}

/** Source: EIP-7966. The server is given a little less time than we have, so that its own answer arrives. */
async function sendSync(url: string, signed: SignedBytes, { deadlineMs }: RouteTerms): Promise<RouteAnswer> {
  const start = performance.now();
  const timeout = Math.max(1, Math.floor(deadlineMs * 0.8));
  const ask = (form: number | string): Promise<Reply> =>
    postRpc(url, "eth_sendRawTransactionSync", [signed.raw, form], { deadlineMs: deadlineMs - (performance.now() - start) });
  let reply = await ask(timeout);
  // some servers read the time as a quantity only; wrong parameters mean that nothing was taken
  if (reply.kind === "error" && reply.code === -32602) reply = await ask(toQuantity(timeout));
  if (reply.kind === "error" && reply.code === SYNC_TIMEOUT)
    return { status: "unknown", detail: `${endpointName(url)}: not in a block after ${timeout} ms` };
  return answerOf(reply, (result) => {
    const { transactionHash, blockNumber } = (result ?? {}) as { transactionHash?: unknown; blockNumber?: unknown };
    if (typeof transactionHash !== "string" || transactionHash.toLowerCase() !== signed.hash.toLowerCase())
      return { status: "unknown", detail: "the answer is no receipt of this transaction" };
    const block = typeof blockNumber === "string" && /^0x[0-9a-f]{1,16}$/i.test(blockNumber) ? BigInt(blockNumber) : null;
    return block === null ? { status: "accepted" } : { status: "accepted", detail: `in block ${block}` };
  });
}

/** Source: ERC-7796. */
async function sendConditional(url: string, signed: SignedBytes, terms: RouteTerms): Promise<RouteAnswer> {
  const { lastBlock, minTimestamp, maxTimestamp, deadlineMs } = terms;
  const condition = {
    ...(lastBlock !== undefined && { blockNumberMax: toQuantity(lastBlock) }),
    ...(minTimestamp !== undefined && { timestampMin: toQuantity(minTimestamp) }),
    ...(maxTimestamp !== undefined && { timestampMax: toQuantity(maxTimestamp) }),
  };
  const reply = await postRpc(url, "eth_sendRawTransactionConditional", [signed.raw, condition], { deadlineMs });
  return answerOf(
    reply,
    (result) =>
      typeof result === "string" && result.toLowerCase() === signed.hash.toLowerCase()
        ? { status: "accepted" }
        : { status: "unknown", detail: "the answer names another transaction" },
    { codes: CONDITION_REFUSED },
  );
}
