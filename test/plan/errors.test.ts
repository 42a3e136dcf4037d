import { expect } from "chai";
import { Interface } from "ethers";
import { explainRevert } from "../../src/plan/errors.js";
import { ArbExecutor__factory } from "../../types/contracts/index.js";

const standard = new Interface(["error Error(string)", "error Panic(uint256)"]);

describe("explainRevert", function () {
  it("has a sentence of its own for every custom error of the contract", function () {
    const face = ArbExecutor__factory.createInterface();
    const seen = new Set<string>();
    face.forEachError((error) => {
      const explained = explainRevert(
        face.encodeErrorResult(
          error,
          error.inputs.map((_, i) => BigInt(i + 5)),
        ),
      );
      expect(explained.name).to.equal(error.name);
      expect(explained.args).to.deep.equal(error.inputs.map((_, i) => BigInt(i + 5)));
      seen.add(explained.text);
    });
    expect(seen.size).to.be.greaterThan(10);
  });

  it("tells a loss from a gain", function () {
    const data = ArbExecutor__factory.createInterface().encodeErrorResult("ProfitTooLow", [-7n, 3n]);
    expect(explainRevert(data)).to.deep.equal({
      name: "ProfitTooLow",
      args: [-7n, 3n],
      text: "The balance changed by -7 base units where at least 3 was required.",
    });
  });

  it("knows what pools, lenders and Solidity say", function () {
    const error = (message: string) => explainRevert(standard.encodeErrorResult("Error", [message]));
    expect(error("UniswapV2: K").text).to.contain("reserves changed");
    expect(error("Pancake: K").text).to.equal(error("UniswapV2: K").text);
    expect(error("IIA").text).to.contain("less than it was owed");
    expect(error("LOK").text).to.contain("inside its own swap");
    expect(error("BAL#515").text).to.contain("not repaid");
    expect(error("Strange: 5")).to.deep.equal({
      name: "Error",
      args: ["Strange: 5"],
      text: 'A pool, token or lender refused: "Strange: 5".',
    });
    expect(explainRevert(standard.encodeErrorResult("Panic", [0x11])).text).to.contain("0x11");
  });

  it("names what it does not know instead of failing", function () {
    expect(explainRevert("0x").name).to.equal("empty");
    expect(explainRevert("0x12345678").name).to.equal("unknown");
    expect(explainRevert("0x12").name).to.equal("unknown");
    // the selector of Error(string) without its string
    expect(explainRevert("0x08c379a0").name).to.equal("unknown");
    expect(explainRevert("execution reverted").name).to.equal("unknown");
  });
});
