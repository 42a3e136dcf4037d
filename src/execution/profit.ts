import { type Provider, type TransactionReceipt, ZeroAddress, id, zeroPadValue } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { ArbError } from "../errors.js";
import { chargedFee, type FeeReceipt } from "../fees/charged.js";

const TRANSFER = id("Transfer(address,address,uint256)");
/** WETH9 wraps and unwraps without a Transfer. */
const DEPOSIT = id("Deposit(address,uint256)");
const WITHDRAWAL = id("Withdrawal(address,uint256)");
const NOBODY = zeroPadValue(ZeroAddress, 32);

type Log = TransactionReceipt["logs"][number];

/** What the holders together gained of `token` in one transaction by its logs, base units, negative when they lost. */
export function profitFromLogs(receipt: Pick<TransactionReceipt, "logs">, token: string, holders: string | string[]): bigint {
  const mine = new Set([holders].flat().map((holder) => zeroPadValue(holder, 32).toLowerCase()));
  const isMine = (topic: string | undefined): boolean => mine.has(topic?.toLowerCase() ?? "");
  const logs = receipt.logs.filter((log) => log.address.toLowerCase() === token.toLowerCase());
  // some wrapped tokens log a mint as well: that is then the one that counts
  const minted = logs.some((log) => isTransfer(log) && [log.topics[1], log.topics[2]].includes(NOBODY));
  let profit = 0n;
  for (const log of logs) {
    if (isTransfer(log)) {
      if (isMine(log.topics[2])) profit += BigInt(log.data);
      if (isMine(log.topics[1])) profit -= BigInt(log.data);
    } else if (!minted && log.topics.length === 2 && isMine(log.topics[1])) {
      if (log.topics[0] === DEPOSIT) profit += BigInt(log.data);
      if (log.topics[0] === WITHDRAWAL) profit -= BigInt(log.data);
    }
  }
  return profit;
}

const isTransfer = ({ topics }: Log): boolean => topics[0] === TRANSFER && topics.length === 3;

/** How the balances of the holders together changed over one block, base units. */
export async function balanceChange(
  provider: Provider,
  token: string,
  holders: string | string[],
  blockNumber: number,
): Promise<bigint> {
  const contract = IERC20__factory.connect(token, provider);
  const at = async (blockTag: number): Promise<bigint> => {
    const balances = await Promise.all([holders].flat().map((holder) => contract.balanceOf(holder, { blockTag })));
    return balances.reduce((sum, balance) => sum + balance, 0n);
  };
  const [before, after] = await Promise.all([at(blockNumber - 1), at(blockNumber)]);
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
