import { type Provider, type TransactionReceipt, ZeroAddress, id, zeroPadValue } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";

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

/**
 * Everything that a mined transaction paid, in wei: execution, and on the OP stack the L1 data fee and the operator fee that
 * its receipt names (Isthmus: gasUsed * operatorFeeScalar / 1e6 + operatorFeeConstant; since Jovian, which its receipts show by
 * their DA footprint, gasUsed * operatorFeeScalar * 100 + operatorFeeConstant).
 */
export async function feePaid(
  provider: { send(method: string, params: unknown[]): Promise<unknown> },
  receipt: TransactionReceipt,
): Promise<bigint> {
  const raw = (await provider.send("eth_getTransactionReceipt", [receipt.hash])) as {
    l1Fee?: string;
    operatorFeeScalar?: string;
    operatorFeeConstant?: string;
    daFootprintGasScalar?: string;
  } | null;
  const scaled = receipt.gasUsed * BigInt(raw?.operatorFeeScalar ?? 0);
  const operatorFee =
    (raw?.daFootprintGasScalar === undefined ? scaled / 1_000_000n : scaled * 100n) + BigInt(raw?.operatorFeeConstant ?? 0);
  return receipt.gasUsed * receipt.gasPrice + BigInt(raw?.l1Fee ?? 0) + operatorFee;
}
