import { toQuantity } from "ethers";
import type { LocalNode } from "./node.js";

/** Requests after which there may be a block more. */
const MINING = new Set(["evm_mine", "hardhat_mine", "eth_sendTransaction", "eth_sendRawTransaction"]);

/**
 * Arbitrum's base fee has a floor, which the simulated rule (EIP-1559) lacks: whenever the next block would fall below it, the floor is
 * set, before every request that mines and after every block that came by itself. Of many blocks at once the last has it again.
 */
export async function keepFloor(node: LocalNode, floor: bigint): Promise<LocalNode> {
  /** A fall is at most an eighth. */
  const mayFall = ({ baseFeePerGas }: { baseFeePerGas: string }): boolean => BigInt(baseFeePerGas) <= (floor * 8n) / 7n;
  const set = async (): Promise<unknown> => await node.request("hardhat_setNextBlockBaseFeePerGas", [toQuantity(floor)]);
  const hold = async (): Promise<void> => {
    if (mayFall((await node.request("eth_getBlockByNumber", ["latest", false])) as { baseFeePerGas: string })) await set();
  };
  const mine = async (method: string, params: unknown[]): Promise<unknown> => {
    const [blocks, interval] = params as [string?, string?];
    if (method === "hardhat_mine" && interval === undefined && BigInt(blocks ?? 1) > 1n) {
      await hold();
      await node.request(method, [toQuantity(BigInt(blocks!) - 1n)]);
      await set();
      return await node.request(method, ["0x1"]);
    }
    await hold();
    return await node.request(method, params);
  };
  // one after another: what is set holds for one block
  let last: Promise<unknown> = Promise.resolve();
  const request: LocalNode["request"] = async (method, params) => {
    if (!MINING.has(method)) return await node.request(method, params);
    const turn = last.then(async () => await mine(method, params));
    last = turn.catch(() => undefined);
    return await turn;
  };
  const subscription = await node.request("eth_subscribe", ["newHeads"]);
  const stop = node.onNotification((message) => {
    if (message.subscription !== subscription || !mayFall(message.result as { baseFeePerGas: string })) return;
    // fails only when the chain is being closed
    set().catch(() => undefined);
  });
  const close = async (): Promise<void> => {
    stop();
    await node.close();
  };
  return { ...node, request, close };
}
