import { expect } from "chai";
import { feePaid } from "../../src/execution/profit.js";

describe("feePaid", () => {
  const gas = { gasUsed: "0x30d40", effectiveGasPrice: "0xf4240" };
  const paid = (raw: Record<string, string> | null) => feePaid({ send: async () => raw && { ...gas, ...raw } }, { hash: "0x" });
  const EXECUTION = 200_000_000_000n;

  it("is gas alone where the receipt names no more", async () => {
    expect(await paid({})).to.equal(EXECUTION);
  });

  it("is unknown when the receipt is gone", async () => {
    expect(await paid(null).catch((e: unknown) => e)).to.include({ code: "network" });
  });

  it("adds the data fee and the operator fee by the rule of the receipt's own time", async () => {
    const fees = { l1Fee: "0x64", operatorFeeScalar: "0x7d0", operatorFeeConstant: "0x5" };
    expect(await paid(fees)).to.equal(EXECUTION + 100n + 400n + 5n);
    expect(await paid({ ...fees, daFootprintGasScalar: "0x190" })).to.equal(EXECUTION + 100n + 200_000n * 2000n * 100n + 5n);
  });
});
