import { toQuantity } from "ethers";
import { ArbError } from "../../errors.js";
import type { LocalChain } from "../chain.js";

/** A chain remembered at one block, so that what comes after it can be taken back. */
export interface Fork {
  /** Takes the later blocks back: as many empty ones of another hash stand in their place. Their transactions are gone. */
  drop(): Promise<void>;
  /** Takes them back, and brings one signed transaction again in a later block than before. Gives its hash. */
  delay(raw: string): Promise<string>;
}

/** Remembers the chain's present block. What was remembered can be used once. */
export async function forkHere(chain: LocalChain): Promise<Fork> {
  const snapshot = await chain.rpc<string>("evm_snapshot");
  const base = await heightOf(chain);
  const back = async () => {
    const blocks = (await heightOf(chain)) - base;
    if (!(await chain.rpc<boolean>("evm_revert", [snapshot])))
      throw new ArbError("usage", "this point of the local chain was used before", { where: chain.network.name });
    // another second than the blocks that are replaced, so that their hashes differ
    await chain.rpc("evm_increaseTime", [toQuantity(7)]);
    for (let i = 0; i < blocks; i++) await chain.rpc("hardhat_mine", ["0x1"]);
  };
  return {
    drop: back,
    delay: async (raw) => {
      await back();
      return await chain.rpc<string>("eth_sendRawTransaction", [raw]);
    },
  };
}

const heightOf = async (chain: LocalChain): Promise<number> => Number(await chain.rpc<string>("eth_blockNumber"));
