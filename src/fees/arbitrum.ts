import { isError, ZeroAddress } from "ethers";
import { INodeInterface__factory } from "../../types/contracts/index.js";
import { classifyNodeError } from "../chain/errors.js";
import { ArbError } from "../errors.js";
import { type FeeModel, NO_DATA_FEE } from "./fee-model.js";

/** Virtual contract of Arbitrum's nodes: there by eth_call, not for contracts. */
export const NODE_INTERFACE = "0x00000000000000000000000000000000000000C8";

/**
 * Arbitrum One and Sepolia. The data's fee is charged as gas, so it stands in `gasUsed` and in the node's estimate; the base
 * fee follows the load by time, above a floor, and not the parent's header; blocks are in order of arrival, tips buy nothing.
 * Source: docs.arbitrum.io, "Gas and fees" and "NodeInterface".
 */
export const arbitrum: FeeModel = {
  tips: false,
  baseFeeRule: () => null,
  dataFee: async (chain, tx, block) => {
    const node = INodeInterface__factory.connect(NODE_INTERFACE, chain.provider);
    const overrides = { from: tx.from ?? null, value: tx.value ?? 0n, blockTag: block };
    try {
      const { gasEstimate, gasEstimateForL1 } = await node.gasEstimateComponents.staticCall(
        tx.to ?? ZeroAddress,
        !tx.to,
        tx.data ?? "0x",
        overrides,
      );
      return { ...NO_DATA_FEE, gas: gasEstimate, l1Gas: gasEstimateForL1 };
    } catch (error) {
      const { kind, message } = classifyNodeError(error);
      if (kind === "reverted")
        throw new ArbError("reverted", `the transaction's gas cannot be estimated: ${message}`, { cause: error });
      if (!isError(error, "BAD_DATA")) throw error;
      throw new ArbError("network", `the node of ${chain.network.title} does not tell what data costs`, {
        where: NODE_INTERFACE,
        hint: "use a node of Arbitrum's own software (Nitro), or a provider that runs it",
        cause: error,
      });
    }
  },
};
