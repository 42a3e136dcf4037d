import { type Provider, type TransactionReceipt, id, zeroPadValue } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { ArbError } from "../errors.js";
import { chargedFee, type FeeReceipt } from "../fees/charged.js";

const TRANSFER = id("Transfer(address,address,uint256)");

/** What `account` gained of `token` in one transaction by its Transfer logs, base units, negative when it lost. */
export function profitFromLogs(receipt: Pick<TransactionReceipt, "logs">, token: string, account: string): bigint {
  const me = zeroPadValue(account, 32).toLowerCase();
  let profit = 0n;
  for (const log of receipt.logs) {
    if (log.address.toLowerCase() !== token.toLowerCase() || log.topics[0] !== TRANSFER || log.topics.length !== 3) continue;
    if (log.topics[2]?.toLowerCase() === me) profit += BigInt(log.data);
    if (log.topics[1]?.toLowerCase() === me) profit -= BigInt(log.data);
  }
  return profit;
}

/** How the balance of `account` changed over one block, base units. */
export async function balanceChange(provider: Provider, token: string, account: string, blockNumber: number): Promise<bigint> {
  const contract = IERC20__factory.connect(token, provider);
  const [before, after] = await Promise.all([
    contract.balanceOf(account, { blockTag: blockNumber - 1 }),
    contract.balanceOf(account, { blockTag: blockNumber }),
  ]);
  return after - before;
}

/** Everything that a mined transaction paid, in wei; see `chargedFee`. Throws ArbError "network" when its receipt is gone. */
export async function feePaid(
  provider: { send(method: string, params: unknown[]): Promise<unknown> },
  receipt: Pick<TransactionReceipt, "hash">,
): Promise<bigint> {
  const raw = (await provider.send("eth_getTransactionReceipt", [receipt.hash])) as FeeReceipt | null;
  if (raw === null) throw new ArbError("network", "the receipt of a mined transaction is gone", { where: receipt.hash });
  return chargedFee(raw).wei;
}
