/** What the database knows of the cross-chain trades themselves: how they stand, what they own, and what is wished of those that are held. */
import { Transaction } from "ethers";
import { type BridgeQuote, REFUNDING } from "../bridges/bridge.js";
import { ArbError } from "../errors.js";
import type { ChoiceKind, SagaOutcome } from "../execution/recovery-manager.js";
import { type Change, expectWithin, type Providers, releaseWithin, reserveWithin, setWithin } from "../inventory/inventory.js";
import { toStored } from "../inventory/stored.js";
import { databaseError, inTransaction, type JournalDatabase, keyOf, type Sql } from "../journal/sql.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import { approvalIn, type Loose } from "./approvals.js";
import { type SagaRow, sagaOf, type Stand, transferOf } from "./rows.js";
import type { Estimate, Owner, SagaResult } from "./types.js";
import { ENGINE_SCHEMA } from "./version.js";

/** Name of a saga's workflow; intents are `<this>:<leg>`. The slash keeps it apart from every opportunity's id. */
export const workflowOf = (id: string): string => `saga/${id}`;

/** What a transfer may bring back. */
export const refundOf = ({ request: { route, sender }, amountIn }: BridgeQuote): Change => ({
  chainId: route.fromChainId,
  holder: sender,
  token: route.tokenIn,
  expected: amountIn,
});
/** What a transfer is to bring. */
export const arrivalOf = ({ request: { route, recipient }, amountIn }: BridgeQuote): Change => ({
  chainId: route.toChainId,
  holder: recipient,
  token: route.tokenOut,
  expected: amountIn,
});

export class SagaStore {
  /** `driverId`: whose steps these are; null for a program that runs no trades. */
  constructor(
    readonly db: JournalDatabase,
    readonly providers: Providers,
    readonly driverId: string | null = null,
  ) {}

  /** Whether this driver carries a workflow: not where it woke up in a step that another driver does now. */
  async carries(workflow: string, sql: Sql = this.db.pool): Promise<boolean> {
    if (this.driverId === null) return true;
    try {
      const { rows } = await sql.query(
        `select 1 from ${ENGINE_SCHEMA}.workflow_status where workflow_uuid = $1 and executor_id = $2 and status = 'PENDING'`,
        [workflow, this.driverId],
      );
      return rows.length > 0;
    } catch (error) {
      throw databaseError(error, `who carries ${workflow} is not known`);
    }
  }

  protected async mustCarry({ workflow }: Owner, sql: Sql): Promise<void> {
    if (!(await this.carries(workflow, sql))) throw new ArbError("locked", `${workflow} is done by another driver now`);
  }

  protected async set(sql: Sql, owner: Owner, changes: Change[]): Promise<void> {
    await setWithin(sql, owner.saga, changes, async () => await this.mustCarry(owner, sql));
  }

  /**
   * Writes a saga down and reserves what it needs, all or nothing. A saga that is there already stays as it is. `against`: asked last in the
   * same transaction, what else speaks against it. Gives what is missing, in words; null when it may go on.
   */
  async open(
    saga: { opportunity: CrossChainOpportunity; mode: "bridge" | "inventory"; account: string; estimate: Estimate },
    wanted: Change[],
    against: (sql: Sql) => Promise<string | null> = () => Promise.resolve(null),
  ): Promise<string | null> {
    const { opportunity, mode, account, estimate } = saga;
    const { id } = opportunity;
    try {
      return await inTransaction(this.db.pool, `${id} cannot be opened`, async (sql) => {
        const { rowCount } = await sql.query(
          `insert into crosschain.saga (id, mode, account, opportunity, estimate, state) values ($1, $2, $3, $4, $5, 'source-leg')
           on conflict (id) do nothing`,
          [id, mode, keyOf(account), toStored(opportunity), toStored(estimate)],
        );
        if (rowCount === 0) return null;
        const missing = (await reserveWithin(sql, this.providers, id, wanted)) ?? (await against(sql));
        // the row must not stay where nothing is reserved
        if (missing !== null) throw new ArbError("refused", missing);
        return null;
      });
    } catch (error) {
      if (error instanceof ArbError && error.code === "refused") return error.message;
      throw error;
    }
  }

  /** What a saga does now. Null `risk`: nothing of ours is in it. */
  async stand(id: string, { state, waitsFor = "", dueSeconds = null, risk }: Stand): Promise<void> {
    await this.run(
      `update crosschain.saga set state = $2, waits_for = $3, due = clock_timestamp() + $4 * interval '1 s', updated_at = clock_timestamp(),
         risk_chain = case when $8 then $5 else risk_chain end, risk_token = case when $8 then $6 else risk_token end,
         risk_amount = case when $8 then $7::numeric else risk_amount end
       where id = $1 and finished_at is null`,
      [id, state, waitsFor, dueSeconds, risk?.chainId ?? null, risk?.token ?? null, risk?.amount ?? null, risk !== undefined],
    );
  }

  /**
   * Ends a saga and gives back what it had reserved, in one transaction. A held one keeps that: another trade would sell its position. The
   * first end stands. Raises "locked" where another driver carries it.
   */
  async finish(owner: Owner, outcome: SagaOutcome, result: SagaResult): Promise<void> {
    const id = owner.saga;
    await inTransaction(this.db.pool, `${id} cannot be ended`, async (sql) => {
      await this.mustCarry(owner, sql);
      const { rowCount } = await sql.query(
        `update crosschain.saga set state = 'done', outcome = $2, result = $3, waits_for = '', due = null, finished_at = clock_timestamp(),
           updated_at = clock_timestamp() where id = $1 and finished_at is null`,
        [id, outcome, toStored(result)],
      );
      if (rowCount !== 1) return;
      if (outcome !== "held") return await releaseWithin(sql, id);
      // nobody looks at a held trade's transfers: what comes back of them is nobody else's either
      const open = await sql.query(
        `select *, false as overdue from crosschain.transfer where saga = $1 and ended is null and started_at is not null`,
        [id],
      );
      for (const { bridge, quote } of open.rows.map(transferOf))
        if (REFUNDING.has(bridge)) await expectWithin(sql, id, refundOf(quote));
    });
  }

  /** Contracts that a saga's transactions let take tokens of its account. */
  async approvals(saga: string): Promise<Loose[]> {
    const rows = await this.run(
      `select distinct a.raw from journal.attempt a join journal.inclusion i on i.hash = a.hash
       where starts_with(a.intent_id, $1) and i.succeeded and i.taken_back_at is null`,
      [`${workflowOf(saga)}:`],
    );
    const found = new Map<string, Loose>();
    for (const { raw } of rows) {
      const { chainId, to, data } = Transaction.from(String(raw));
      const approval = to === null ? null : approvalIn({ chainId: Number(chainId), to, data });
      if (approval === null || approval.amount === 0n) continue;
      const { token, spender } = approval;
      found.set(`${chainId} ${token} ${spender}`, { chainId: Number(chainId), token, spender });
    }
    return [...found.values()];
  }

  /**
   * A held saga goes on: it is open again, and what was wished of it is taken. One that is open stays as it is. Raises "locked" where another
   * driver carries it, "refused" where its operator has closed it.
   */
  async reopen(owner: Owner): Promise<void> {
    await inTransaction(this.db.pool, `${owner.saga} cannot be opened again`, async (sql) => {
      await this.mustCarry(owner, sql);
      await sql.query(
        `update crosschain.saga set outcome = null, finished_at = null, wish = null, wished_at = null, updated_at = clock_timestamp()
         where id = $1 and outcome = 'held'`,
        [owner.saga],
      );
      const closed = await sql.query(`select 1 from crosschain.saga where id = $1 and outcome = 'closed'`, [owner.saga]);
      if (closed.rows.length > 0) throw new ArbError("refused", `${owner.saga} was closed by its operator`);
    });
  }

  /** Notes that a held saga is to go on, for whatever driver has its account, now or when one starts. False where it is not held. */
  async wish(id: string, choice: ChoiceKind | "look"): Promise<boolean> {
    const rows = await this.run(
      `update crosschain.saga set wish = $2, wished_at = clock_timestamp() where id = $1 and outcome = 'held' returning id`,
      [id, choice],
    );
    return rows.length === 1;
  }

  /** Held sagas of these accounts that are to go on. */
  async wished(accounts: readonly string[]): Promise<{ id: string; choice: ChoiceKind | "look" }[]> {
    const rows = await this.run(
      `select id, wish from crosschain.saga where outcome = 'held' and wish is not null and account = any($1) order by wished_at`,
      [accounts.map(keyOf)],
    );
    return rows.map((r) => ({ id: String(r["id"]), choice: String(r["wish"]) as ChoiceKind | "look" }));
  }

  /** A saga that was refused before it had anything. */
  async refuse(opportunity: CrossChainOpportunity, account: string, estimate: Estimate, result: SagaResult): Promise<void> {
    await this.run(
      `insert into crosschain.saga (id, mode, account, opportunity, estimate, state, outcome, result, finished_at)
       values ($1, $2, $3, $4, $5, 'done', 'no-trade', $6, clock_timestamp()) on conflict (id) do nothing`,
      [opportunity.id, estimate.mode, keyOf(account), toStored(opportunity), toStored(estimate), toStored(result)],
    );
  }

  /** Sets what a saga owns and expects at the given places. Raises "locked" where another driver carries it. */
  async own(owner: Owner, changes: Change[]): Promise<void> {
    await inTransaction(this.db.pool, `the reservations of ${owner.saga} cannot be changed`, async (sql) => {
      await this.set(sql, owner, changes);
    });
  }

  async saga(id: string): Promise<SagaRow | null> {
    const rows = await this.run(`select * from crosschain.saga where id = $1`, [id]);
    return rows[0] ? sagaOf(rows[0]) : null;
  }

  /** Newest first; by default those that are not at their end, and those that are held. */
  async sagas(all: boolean): Promise<SagaRow[]> {
    const which = all ? "" : "where finished_at is null or outcome = 'held'";
    return (await this.run(`select * from crosschain.saga ${which} order by created_at desc limit 10000`, [])).map(sagaOf);
  }

  protected async run(text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
    try {
      return (await this.db.pool.query(text, values)).rows as Record<string, unknown>[];
    } catch (error) {
      throw databaseError(error, "the cross-chain tables cannot be used");
    }
  }
}
