import { expect } from "chai";
import { type Migration, migrate } from "../../src/database/migrate.js";
import { type Database, openDatabase } from "../../src/database/open.js";
import { freshDatabaseUrl } from "../helpers/database.js";
import { rejection } from "../helpers/rejection.js";

const FIRST: Migration = { name: "test-001", up: "create table arb.a (n int8); insert into arb.a values (1)" };
const SECOND: Migration = {
  name: "test-002",
  up: async (sql) => {
    const [row] = await sql<{ n: bigint }>("select n from arb.a where n = $1", [1n]);
    await sql("insert into arb.a values ($1)", [(row?.n ?? 0n) + 1n]);
  },
};

describe("migrations", () => {
  let url: string;
  let db: Database;
  beforeEach(async () => {
    url = await freshDatabaseUrl();
    db = await openDatabase({ url });
  });
  afterEach(async () => db.close());
  const numbers = async () => (await db.pool.query<{ n: bigint }>("select n from arb.a order by n")).rows.map((r) => r.n);

  it("are applied once, in their order, and later ones are added", async () => {
    expect(await migrate(db, [FIRST])).to.deep.equal(["test-001"]);
    expect(await migrate(db, [FIRST, SECOND])).to.deep.equal(["test-002"]);
    expect(await migrate(db, [FIRST, SECOND])).to.deep.equal([]);
    expect(await numbers()).to.deep.equal([1n, 2n]);
  });

  it("of several programs that start at once are applied by one", async () => {
    const others = await Promise.all([0, 1, 2].map(() => openDatabase({ url })));
    const applied = await Promise.all([db, ...others].map((d) => migrate(d, [FIRST, SECOND])));
    await Promise.all(others.map((d) => d.close()));
    expect(applied.flat().toSorted()).to.deep.equal(["test-001", "test-002"]);
    expect(await numbers()).to.deep.equal([1n, 2n]);
  });

  it("are all undone when one fails", async () => {
    const broken: Migration = { name: "test-003", up: "insert into arb.a values (3); select 1 / 0" };
    expect((await rejection(migrate(db, [FIRST, broken]))).message).to.match(/division by zero/);
    expect(await migrate(db, [FIRST])).to.deep.equal(["test-001"]);
    expect(await numbers()).to.deep.equal([1n]);
  });

  it("of a newer version are refused, and nothing is changed", async () => {
    await migrate(db, [FIRST, SECOND]);
    const error = await rejection(migrate(db, [FIRST, { name: "test-004", up: "drop table arb.a" }]));
    expect(error).to.include({ code: "refused", where: db.url });
    expect(error.message).to.include("newer version of this program (test-002)");
    expect(await numbers()).to.deep.equal([1n, 2n]);
  });

  it("that were changed after their release are refused", async () => {
    await migrate(db, [FIRST]);
    const error = await rejection(migrate(db, [{ name: FIRST.name, up: `${FIRST.up as string} ` }]));
    expect(error).to.include({ code: "refused" });
  });
});
