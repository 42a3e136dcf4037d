import { expect } from "chai";
import { hexlify, randomBytes } from "ethers";
import { Secret } from "../../src/config/secrets.js";
import type { Database } from "../../src/database/open.js";
import { CrossChainExecutor } from "../../src/execution/cross-chain-executor.js";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import type { CrossChainOpportunity } from "../../src/opportunity/cross-chain.js";
import { TransferStore } from "../../src/transfers/store.js";
import type { SagaResult } from "../../src/transfers/types.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { POLICY, RULES } from "../helpers/cross-chain-settings.js";
import { until } from "../helpers/drivers.js";
import { journalDatabase } from "../helpers/journal.js";

const TOKEN = `0x${"70".repeat(20)}`;

describe("cross-chain executor: held trades that are told to go on", function () {
  this.timeout(60_000);
  let db: Database;
  let journal: Journal;
  let executor: CrossChainExecutor;
  const wallet = new WalletManager(new Secret(hexlify(randomBytes(32))));
  const faults: string[] = [];

  before(async () => {
    db = await journalDatabase();
    journal = await openJournal(db);
    executor = await CrossChainExecutor.open({
      db,
      journal,
      // nothing is asked of a network: a trade goes on as far as its first question
      networks: [],
      wallets: [wallet],
      bridges: [],
      rules: RULES,
      policy: { ...POLICY },
      settings: { pollSeconds: 0.05, mostPollSeconds: 0.05 },
      deadAfterMs: 500,
      onFault: (error) => faults.push(error instanceof Error ? error.message : String(error)),
    });
  });
  after(async () => {
    await executor.close();
    await journal.close();
    await db.close();
  });

  async function hold(id: string, account: string): Promise<void> {
    const store = new TransferStore(db, () => {
      throw new Error("no network is needed");
    });
    const hop = { chainId: 1, venue: "uniswap-v2", pool: TOKEN, tokenIn: TOKEN, tokenOut: TOKEN };
    const opportunity = { id, buy: hop, sell: hop, amountIn: 1n } as unknown as CrossChainOpportunity;
    const result = { outcome: "held", reason: "no way out", books: [], decisions: [] } as unknown as SagaResult;
    await store.open({ opportunity, mode: "bridge", account, estimate: {} as never }, []);
    await store.finish({ saga: id, account, workflow: `saga/${id}` }, "held", result);
  }
  const wishes = async (): Promise<Record<string, string | null>> =>
    Object.fromEntries(
      (await db.pool.query<{ id: string; wish: string | null }>(`select id, wish from crosschain.saga order by id`)).rows.map(
        (r) => [r.id, r.wish],
      ),
    );
  const begun = async (id: string): Promise<boolean> =>
    (await db.pool.query(`select 1 from dbos.workflow_status where workflow_uuid = $1`, [`saga/${id}/1`])).rows.length === 1;

  it("one that cannot go on keeps no other from being heard; it is told, and asked for again", async () => {
    const stranger = `0x${"ee".repeat(20)}`;
    await hold("broken", wallet.address);
    await hold("good", wallet.address);
    await hold("silent", wallet.address);
    await hold("strange", stranger);
    await db.pool.query(`update crosschain.saga set opportunity = '{"amountIn": {"bigint": "x"}}' where id = 'broken'`);
    // told in this order, all at one moment for the driver
    await db.pool.query(
      `update crosschain.saga set wish = 'look', wished_at = clock_timestamp() + case when id = 'broken' then interval '0' else interval '1 s' end
       where id <> 'silent'`,
    );
    await until(
      async () => await begun("good"),
      () => `it was not heard: ${faults.slice(-5).join("; ")}`,
    );
    await until(
      async () => (await wishes())["good"] === null,
      () => `its wish stands: ${faults.slice(-5).join("; ")}`,
    );
    const told = faults.filter((f) => /BigInt/.test(f)).length;
    expect(told, faults.slice(-5).join("; ")).to.be.greaterThan(0);
    await until(
      () => faults.filter((f) => /BigInt/.test(f)).length > told,
      () => "it was not asked for again",
    );
    // heard once it can go on
    await db.pool.query(
      `update crosschain.saga set opportunity = (select jsonb_set(opportunity, '{id}', '"broken"') from crosschain.saga where id = 'good') where id = 'broken'`,
    );
    await until(
      async () => (await wishes())["broken"] === null,
      () => `it was not heard: ${faults.slice(-5).join("; ")}`,
    );
    expect(await begun("silent"), "nobody told it to go on").to.equal(false);
    expect([await begun("strange"), (await wishes())["strange"]], "another's account").to.deep.equal([false, "look"]);
  });
});
