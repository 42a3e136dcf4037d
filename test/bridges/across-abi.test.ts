import { expect } from "chai";
import { EventFragment, FunctionFragment } from "ethers";
import { multicallHandler, spokePool } from "../../src/bridges/across-abi.js";
import { artifact, EXTRACTS } from "../../src/sim/artifacts.js";

const across = (name: string) => artifact(`${EXTRACTS.across}/${name}.sol/${name}.json`).abi;

describe("Across' interfaces", () => {
  for (const [own, real] of [
    [spokePool, "Ethereum_SpokePool"],
    [spokePool, "Arbitrum_SpokePool"],
    [multicallHandler, "MulticallHandler"],
  ] as const)
    it(`ours are those of the package's ${real}, names, indexes and results included`, () => {
      const theirAbi = across(real);
      let compared = 0;
      for (const fragment of own.fragments) {
        if (EventFragment.isFragment(fragment)) {
          const theirs = theirAbi.getEvent(fragment.topicHash);
          expect(theirs?.inputs.map((i) => [i.name, i.format(), i.indexed === true])).to.deep.equal(
            fragment.inputs.map((i) => [i.name, i.format(), i.indexed === true]),
          );
        } else if (FunctionFragment.isFragment(fragment)) {
          const theirs = theirAbi.getFunction(fragment.selector);
          expect(theirs?.outputs.map((o) => o.format())).to.deep.equal(fragment.outputs.map((o) => o.format()));
          expect(theirs?.stateMutability, fragment.name).to.be.oneOf([fragment.stateMutability, "pure"]);
        }
        compared++;
      }
      expect(compared).to.be.greaterThan(1);
    });
});
