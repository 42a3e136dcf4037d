import type { Chain } from "../chain/connect.js";
import { ArbError } from "../errors.js";

/** What an account can surely still pay, without asking the node before every send. */
export interface Funds {
  /** Sets `needed` wei aside. Raises ArbError "refused" where the account does not have them. */
  require(needed: bigint): Promise<void>;
  /** What was set aside is not spent: the node is asked next time. */
  forget(): void;
}

export function openFunds({ provider, network }: Chain, address: string): Funds {
  let known: bigint | null = null;
  return {
    require: async (needed) => {
      if (known === null || known < needed) known = await provider.getBalance(address, "pending");
      if (known < needed) {
        const balance = known;
        known = null;
        throw new ArbError("refused", `${address} holds ${balance} wei on ${network.title}, the transaction may cost ${needed}`, {
          hint: "fund the operator, or lower the gas price limit",
          reason: "insufficient-gas-funds",
        });
      }
      known -= needed;
    },
    forget: () => {
      known = null;
    },
  };
}
