import type { Provider } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { keyOf, type Sql } from "./sql.js";
import type { Entry, EntryKind } from "./receipt.js";
import { amount } from "./slots.js";

/** Books what an inclusion changed. Twice the same is refused by the table. */
export async function book(sql: Sql, inclusion: string, chainId: number, entries: Entry[]): Promise<void> {
  for (const { holder, asset, kind, amount: value } of entries) {
    await sql.query(
      `insert into journal.ledger (inclusion, chain_id, holder, asset, kind, amount) values ($1, $2, $3, $4, $5, $6)`,
      [inclusion, chainId, holder, asset, kind, value],
    );
  }
}

/** Books the counter entry of everything that an inclusion booked. What was booked stays. */
export async function reverse(sql: Sql, inclusion: string): Promise<void> {
  await sql.query(
    `insert into journal.ledger (inclusion, chain_id, holder, asset, kind, amount, reverses)
     select l.inclusion, l.chain_id, l.holder, l.asset, l.kind, -l.amount, l.id from journal.ledger l
     where l.inclusion = $1 and l.reverses is null
       and not exists (select 1 from journal.ledger r where r.reverses = l.id)`,
    [inclusion],
  );
}

/** Sum of the ledger for a holder and an asset by kind, in the blocks after `fromBlock` up to `toBlock`, base units. */
export async function ledgerSums(
  sql: Sql,
  of: { chainId: number; holder: string; asset: string; fromBlock: number; toBlock: number },
): Promise<{ total: bigint; byKind: Partial<Record<EntryKind, bigint>> }> {
  const { rows } = await sql.query<{ kind: EntryKind; sum: unknown }>(
    `select l.kind, sum(l.amount) as sum from journal.ledger l join journal.inclusion i on i.id = l.inclusion
     where l.chain_id = $1 and l.holder = $2 and l.asset = $3 and i.block_number > $4 and i.block_number <= $5 group by l.kind`,
    [of.chainId, keyOf(of.holder), of.asset === "native" ? "native" : keyOf(of.asset), of.fromBlock, of.toBlock],
  );
  const byKind: Partial<Record<EntryKind, bigint>> = {};
  for (const row of rows) byKind[row.kind] = amount(row.sum);
  return { total: Object.values(byKind).reduce((a, b) => a + b, 0n), byKind };
}

/** A balance of the chain against the sums of the ledger. */
export interface Reconciliation {
  holder: string;
  /** "native", or a token. */
  asset: string;
  fromBlock: number;
  toBlock: number;
  /** Balance at `toBlock` less balance at `fromBlock`. */
  chain: bigint;
  /** Sum of what was booked between them. */
  ledger: bigint;
  byKind: Partial<Record<EntryKind, bigint>>;
  /** What moved the balance and is not ours: deposits, withdrawals, gifts; 0 where the books are complete. */
  difference: bigint;
}

/** Compares the ledger with the chain between two blocks, to the wei. Raises the node's error where it has no such state. */
export async function reconcile(
  sql: Sql,
  provider: Provider,
  of: { chainId: number; holder: string; asset: string; fromBlock: number; toBlock: number },
): Promise<Reconciliation> {
  const at = async (blockTag: number): Promise<bigint> =>
    of.asset === "native"
      ? await provider.getBalance(of.holder, blockTag)
      : await IERC20__factory.connect(of.asset, provider).balanceOf(of.holder, { blockTag });
  const [before, after, sums] = await Promise.all([at(of.fromBlock), at(of.toBlock), ledgerSums(sql, of)]);
  const { holder, asset, fromBlock, toBlock } = of;
  const chain = after - before;
  return { holder, asset, fromBlock, toBlock, chain, ledger: sums.total, byKind: sums.byKind, difference: chain - sums.total };
}
