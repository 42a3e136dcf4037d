import type { Chain } from "../chain/connect.js";
import { ArbError } from "../errors.js";

/** EIP-7702: the code of an account that has delegated itself is this and the 20 bytes of the contract. */
const DESIGNATOR = "0xef0100";

/** What the code of one of our accounts means; null when it has none, as it should. */
export function faultOfAccountCode(account: string, code: string, network: string): ArbError | null {
  if (code === "0x") return null;
  if (code.toLowerCase().startsWith(DESIGNATOR) && code.length === 48) {
    return new ArbError(
      "secrets",
      `${account} has delegated itself to the contract 0x${code.slice(8)} on ${network} (EIP-7702); nothing is signed with it`,
      {
        where: account,
        hint:
          "if you did not do that, its key is known to somebody: move what it holds and use another account; " +
          "else delegate it to the zero address first",
      },
    );
  }
  return new ArbError("secrets", `${account} is a contract on ${network}; it cannot be one of our accounts`, { where: account });
}

/**
 * Raises ArbError "secrets" when one of our accounts has code: most delegations that nobody asked for sweep whatever arrives. Read
 * from the newest and the pending state, because a delegation that waits to be mined counts already.
 */
export async function refuseDelegated(chain: Chain, account: string): Promise<void> {
  const codes = await Promise.all(["latest", "pending"].map((tag) => chain.provider.getCode(account, tag)));
  for (const code of codes) {
    const fault = faultOfAccountCode(account, code, chain.network.title);
    if (fault !== null) throw fault;
  }
}
