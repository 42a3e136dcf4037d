import { readFileSync } from "node:fs";
import { expect } from "chai";
import { networkByName } from "../../src/config/networks.js";
import { ArbError } from "../../src/errors.js";
import { describePlan } from "../../src/plan/describe.js";
import { IArbExecutor__factory } from "../../types/contracts/index.js";

const golden = JSON.parse(readFileSync(new URL("../golden/plans.json", import.meta.url), "utf8")) as {
  name: string;
  data: string;
}[];
const dataOf = (name: string) => golden.find((entry) => entry.name === name)!.data;

describe("describePlan", function () {
  const ethereum = networkByName("ethereum");

  it("reads every shared vector, bare and wrapped alike", function () {
    for (const { name, data } of golden) {
      const bare = describePlan(data, ethereum);
      const calldata = IArbExecutor__factory.createInterface().encodeFunctionData("execute", [data]);
      const wrapped = describePlan(calldata, ethereum);
      expect([bare.entry, wrapped.entry, bare.format]).to.deep.equal(["bare", "execute", "fast"]);
      expect(wrapped.plan, name).to.deep.equal(bare.plan);
      expect(bare.lines.slice(1)).to.deep.equal(wrapped.lines.slice(1));
    }
  });

  it("names what the registry knows, and says every bound and guard", function () {
    const text = describePlan(dataOf("v2-v3 fixed, every guard with a fixed tip"), ethereum).lines.join("\n");
    for (const part of [
      "profit token  WETH (0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2)",
      "amount in     1 WETH",
      "hop 1         v2 0x",
      "called first",
      "least profit  0.01 WETH",
      "deadline      2027-01-15T08:00:00.000Z",
      "blocks        20000000 to 20000003",
      "parent        ...abababababababababababcd",
      "first pool    bound 79228162514264337593543950336",
      "own gas       counted at 1 / 2^0",
      "tip           0.001 WETH",
      "sweep",
    ]) {
      expect(text).to.contain(part);
    }
    const share = describePlan(dataOf("v3-v2 adaptive, aave, tip by share"), ethereum).lines.join("\n");
    expect(share).to.contain("90.0 % of the profit, 0.0001 WETH to 0.1 WETH");
    expect(share).to.contain("output computed, fee 0.05 %");
  });

  it("reads a plan without a network", function () {
    const text = describePlan(dataOf("v2-v2 fixed"), null).lines.join("\n");
    expect(text).to.contain("1000000000000000000 units of the wrapped native token");
  });

  it("refuses what is no plan", function () {
    for (const data of ["0x", "0x12", "hello", "0x09c5eabe", "0x09c5eabe00", "0xb0" + "00".repeat(40), "0xa011"]) {
      expect(() => describePlan(data, ethereum), data).to.throw(ArbError);
    }
  });
});
