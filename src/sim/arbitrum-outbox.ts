/** The tree of a local Arbitrum's messages to Ethereum, out of what LocalArbSys wrote down: roots for its rollup, proofs for its outbox. */
import { AbiCoder, concat, keccak256, toQuantity, ZeroHash } from "ethers";
import { arbSys } from "../bridges/arbitrum-withdrawal.js";
import { ARB_SYS } from "../config/arbitrum-gateway.js";
import type { LocalNode } from "./node.js";

/** A chain that counts its blocks as it simulates them, or by its JSON-RPC. */
type Asked = Pick<LocalNode, "request">;
const topic = arbSys.getEvent("L2ToL1Tx")!.topicHash;

/** Hashes of the messages up to a block (all by default), in order. */
async function messages(chain: Asked, toBlock = "latest"): Promise<string[]> {
  const filter = { address: ARB_SYS, topics: [topic], fromBlock: "0x0", toBlock };
  const logs = (await chain.request("eth_getLogs", [filter])) as { topics: string[] }[];
  return logs.map((log) => log.topics[2]!);
}

export const sendCount = async (chain: Asked, block: string): Promise<string> =>
  toQuantity((await messages(chain, block)).length);

/** Levels of the tree over the first `size` messages; what is missing on the right is zero, as in Nitro's accumulator. */
function levelsOf(hashes: string[]): string[][] {
  const levels = [hashes.map((hash) => keccak256(hash))];
  for (let level = levels[0]!; level.length > 1; levels.push(level)) {
    const above: string[] = [];
    for (let i = 0; i < level.length; i += 2) above.push(keccak256(concat([level[i]!, level[i + 1] ?? ZeroHash])));
    level = above;
  }
  return levels;
}

export const sendRoot = async (chain: Asked): Promise<string> => levelsOf(await messages(chain)).at(-1)?.[0] ?? ZeroHash;

/** What NodeInterface's constructOutboxProof answers. */
export async function outboxProof(chain: Asked, size: bigint, leaf: bigint): Promise<string> {
  const hashes = (await messages(chain)).slice(0, Number(size));
  const levels = levelsOf(hashes);
  const proof: string[] = [];
  let at = Number(leaf);
  for (const level of levels.slice(0, -1)) {
    proof.push(level[at ^ 1] ?? ZeroHash);
    at >>= 1;
  }
  return AbiCoder.defaultAbiCoder().encode(["bytes32", "bytes32", "bytes32[]"], [hashes[Number(leaf)], levels.at(-1)![0], proof]);
}
