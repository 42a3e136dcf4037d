import { expect } from "chai";
import { freshDatabase } from "../helpers/database.js";

describe("an open database", () => {
  it("gives int8 as bigint and numeric as string", async () => {
    const db = await freshDatabase();
    try {
      const { rows } = await db.pool.query(
        "select 9007199254740993::int8 as a, 1.10::numeric as b, array[1, null]::int8[] as c, $1::int8 as d",
        [2n ** 63n - 1n],
      );
      expect(rows).to.deep.equal([{ a: 9007199254740993n, b: "1.10", c: [1n, null], d: 2n ** 63n - 1n }]);
    } finally {
      await db.close();
    }
  });
});
