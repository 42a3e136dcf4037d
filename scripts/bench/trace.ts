import { getBytes } from "ethers";
import { type AccessList, accessListOf, type Prestate } from "../../src/sim/access-list.js";
import type { World } from "../../test/helpers/pools.js";

/** A frame of the call tracer. Gas as hexadecimal quantities; a frame's own gas is its gas less that of its calls. */
interface Frame {
  to?: string;
  gasUsed: string;
  calls?: Frame[];
}

/** What a transaction costs before any frame runs (Ethereum Yellow Paper, appendix G). */
const TRANSACTION = 21_000;

/** Gas of a transaction's calldata: 4 per zero byte, 16 per other (EIP-2028). */
export function calldataGas(data: string): number {
  return getBytes(data).reduce((sum, byte) => sum + (byte === 0 ? 4 : 16), 0);
}

/** The least that the calls of a transaction cost: 21,000 + calldata + the own frames of `accounts`, less refunds. */
export async function traceFloor(world: World, hash: string, data: string, accounts: ReadonlySet<string>): Promise<number> {
  const trace = (options: object) => world.provider.request({ method: "debug_traceTransaction", params: [hash, options] });
  const top = (await trace({ tracer: "callTracer" })) as Frame;
  const { structLogs } = (await trace({ disableMemory: true, disableStack: true, disableStorage: true })) as {
    structLogs: { refund?: number }[];
  };
  const refund = structLogs.at(-1)?.refund ?? 0;
  return TRANSACTION + calldataGas(data) + ownGas(top, accounts) - refund;
}

function ownGas({ to, gasUsed, calls = [] }: Frame, accounts: ReadonlySet<string>): number {
  const inside = calls.reduce((sum, call) => sum + ownGas(call, accounts), 0);
  if (to === undefined || !accounts.has(to.toLowerCase())) return inside;
  return inside + Number(gasUsed) - calls.reduce((sum, call) => sum + Number(call.gasUsed), 0);
}

/** What a transaction in the latest block touched, without its sender, its target and the block's beneficiary. */
export async function traceAccessList(world: World, hash: string, tx: { from: string; to: string }): Promise<AccessList> {
  const touched = (await world.provider.request({
    method: "debug_traceTransaction",
    params: [hash, { tracer: "prestateTracer" }],
  })) as Prestate;
  const block = (await world.provider.request({ method: "eth_getBlockByNumber", params: ["latest", false] })) as {
    miner: string;
  };
  return accessListOf(touched, new Set([tx.from, tx.to, block.miner].map((account) => account.toLowerCase())));
}
