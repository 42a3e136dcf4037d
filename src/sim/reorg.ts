/** Reorganisations of a local chain: back to a snapshot, and another branch from there. */
import { Transaction, toBeHex, toQuantity } from "ethers";
import { ArbError } from "../errors.js";

type Ask = (method: string, params: unknown[]) => Promise<unknown>;

export interface ReorgOptions {
  /**
   * The blocks of the new branch as lists of signed transactions, made from those of the old branch (oldest first). Default: an
   * empty block, then the old ones, so that every transaction is mined again one block later.
   */
  branch?: (old: string[][]) => string[][];
}

/** What was dropped, and what stands there now. */
export interface ReorgResult {
  depth: number;
  /** Number of the last block that both branches have. */
  ancestor: number;
  dropped: string[];
  added: string[];
}

export interface Reorgs {
  /** Remembers the head, so that a later reorganisation can go back to it. */
  mark(): Promise<void>;
  /** Replaces the last `depth` blocks. Throws ArbError "usage" where no mark was set at that depth. */
  reorg(depth: number, options?: ReorgOptions): Promise<ReorgResult>;
}

interface Block {
  hash: string;
  transactions: (Record<string, string> & { accessList?: { address: string; storageKeys: string[] }[] })[];
}

/** A chain that can be reorganised. The marks are snapshots, which a revert uses up. */
export function reorgsOf(ask: Ask): Reorgs {
  let marks: { block: number; id: unknown }[] = [];
  let branches = 0;
  const height = async (): Promise<number> => Number(await ask("eth_blockNumber", []));

  const mine = async (raws: string[], salt: number): Promise<string> => {
    for (const raw of raws) await ask("eth_sendRawTransaction", [raw]);
    // otherwise the same transactions at the same second would make the same block
    await ask("hardhat_setPrevRandao", [toBeHex(salt, 32)]);
    await ask("evm_mine", []);
    return ((await ask("eth_getBlockByNumber", ["latest", false])) as Block).hash;
  };

  return {
    mark: async () => {
      const block = await height();
      if (marks.at(-1)?.block === block) return;
      marks.push({ block, id: await ask("evm_snapshot", []) });
    },
    reorg: async (depth, options = {}) => {
      const head = await height();
      const ancestor = head - depth;
      const mark = marks.find(({ block }) => block === ancestor);
      if (mark === undefined) {
        throw new ArbError("usage", `no mark was set at block ${ancestor}`, {
          hint: `marks: ${marks.map(({ block }) => block).join(", ")}`,
        });
      }
      const old: Block[] = [];
      for (let number = ancestor + 1; number <= head; number++)
        old.push((await ask("eth_getBlockByNumber", [toQuantity(number), true])) as Block);
      const automine = await ask("hardhat_getAutomine", []);
      await ask("evm_revert", [mark.id]);
      marks = marks.filter(({ block }) => block < ancestor);
      marks.push({ block: ancestor, id: await ask("evm_snapshot", []) });
      await ask("evm_setAutomine", [false]);
      const branch = (options.branch ?? ((blocks) => [[], ...blocks]))(old.map((block) => block.transactions.map(rawOf)));
      const added: string[] = [];
      branches++;
      for (const [i, raws] of branch.entries()) added.push(await mine(raws, branches * 1_000 + i));
      if (automine === true) await ask("evm_setAutomine", [true]);
      return { depth, ancestor, dropped: old.map((block) => block.hash), added };
    },
  };
}

/** The signed bytes of a transaction as the node gives it. */
function rawOf(json: Block["transactions"][number]): string {
  const type = Number(json["type"] ?? 0);
  const fees =
    type === 2
      ? { maxFeePerGas: json["maxFeePerGas"]!, maxPriorityFeePerGas: json["maxPriorityFeePerGas"]! }
      : { gasPrice: json["gasPrice"]! };
  return Transaction.from({
    type,
    chainId: json["chainId"] ?? null,
    nonce: Number(json["nonce"]),
    to: json["to"] ?? null,
    value: json["value"]!,
    data: json["input"]!,
    gasLimit: json["gas"]!,
    ...fees,
    ...(type === 0 ? {} : { accessList: json.accessList ?? [] }),
    signature: { r: json["r"]!, s: json["s"]!, v: type === 0 ? Number(json["v"]) : 27 + Number(json["yParity"] ?? json["v"]) },
  }).serialized;
}
