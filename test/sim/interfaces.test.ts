import { expect } from "chai";
import { EventFragment, FunctionFragment, type Interface } from "ethers";
import { artifact, balancerArtifact, EXTRACTS, packageText } from "../../src/sim/artifacts.js";
import * as own from "../../types/contracts/index.js";

const v2 = (name: string) => artifact(`@uniswap/v2-core/build/${name}.json`);
const v2Periphery = (name: string) => artifact(`@uniswap/v2-periphery/build/${name}.json`);
const v3 = (name: string) => artifact(`@uniswap/v3-core/artifacts/contracts/${name}.sol/${name}.json`);
const v3Periphery = (folder: string, name: string) =>
  artifact(`@uniswap/v3-periphery/artifacts/contracts/${folder}${name}.sol/${name}.json`);

/** Our interface, and the real contracts that are called through it. */
const INTERFACES: [string, { createInterface(): Interface }, () => { abi: Interface }[]][] = [
  ["IERC20", own.IERC20__factory, () => [v2("ERC20"), artifact(`${EXTRACTS.usdc}/v2/FiatTokenV2_2.sol/FiatTokenV2_2.json`)]],
  ["IWETH9", own.IWETH9__factory, () => [v2Periphery("WETH9")]],
  [
    "IUniswapV2Factory",
    own.IUniswapV2Factory__factory,
    () => [v2("UniswapV2Factory"), artifact(`${EXTRACTS.sushiswap}/UniswapV2Factory.json`)],
  ],
  ["IUniswapV2Pair", own.IUniswapV2Pair__factory, () => [v2("UniswapV2Pair")]],
  [
    "IUniswapV2Router02",
    own.IUniswapV2Router02__factory,
    () => [v2Periphery("UniswapV2Router02"), artifact(`${EXTRACTS.sushiswap}/UniswapV2Router02.json`)],
  ],
  ["IUniswapV3Factory", own.IUniswapV3Factory__factory, () => [v3("UniswapV3Factory"), pancake("PancakeV3Factory")]],
  ["IUniswapV3Pool", own.IUniswapV3Pool__factory, () => [v3("UniswapV3Pool")]],
  [
    "INonfungiblePositionManager",
    own.INonfungiblePositionManager__factory,
    () => [v3Periphery("", "NonfungiblePositionManager")],
  ],
  ["IQuoterV2", own.IQuoterV2__factory, () => [v3Periphery("lens/", "QuoterV2")]],
  ["ISwapRouter02", own.ISwapRouter02__factory, () => [artifact(`${EXTRACTS.swapRouter}/SwapRouter02.sol/SwapRouter02.json`)]],
  [
    "IAaveV3Pool",
    own.IAaveV3Pool__factory,
    () => [artifact("@aave/core-v3/artifacts/contracts/protocol/pool/Pool.sol/Pool.json")],
  ],
  ["IBalancerV2Vault", own.IBalancerV2Vault__factory, () => [balancerArtifact("20210418-vault", "Vault")]],
];

function pancake(name: string) {
  return artifact(`${EXTRACTS.pancakeV3}/${name}.sol/${name}.json`);
}

const selectors = (abi: Interface) =>
  abi.fragments
    .filter((f) => FunctionFragment.isFragment(f) && !NEWER.includes(f.name))
    .map((f) => (f as FunctionFragment).selector);
const topics = (abi: Interface) => abi.fragments.filter((f) => EventFragment.isFragment(f)).map((f) => f.topicHash);

/** Functions that the npm package is too old for: Aave v3.1 added this one, and it is called from v3.4 on. */
const NEWER = ["getVirtualUnderlyingBalance"];

describe("our interfaces of other protocols", () => {
  for (const [name, factory, real] of INTERFACES)
    it(`${name} has only functions and events of the real contract`, () => {
      const ours = factory.createInterface();
      expect(selectors(ours).length).to.be.greaterThan(0);
      for (const { abi } of real()) {
        expect(selectors(abi)).to.include.members(selectors(ours));
        expect(topics(abi)).to.include.members(topics(ours));
      }
    });

  it("IUniswapV3Pool fits PancakeSwap's pool, but for its Swap event, which carries two more fields", () => {
    const ours = own.IUniswapV3Pool__factory.createInterface();
    const theirs = pancake("PancakeV3Pool").abi;
    expect(selectors(theirs)).to.include.members(selectors(ours));
    expect(topics(theirs)).to.not.include(ours.getEvent("Swap").topicHash);
    expect(
      theirs
        .getEvent("Swap")
        ?.inputs.slice(0, 7)
        .map((i) => i.type),
    ).to.deep.equal(ours.getEvent("Swap").inputs.map((i) => i.type));
  });

  it("IMulticall3 has only functions that the deployed code dispatches", () => {
    const code = packageText(`${EXTRACTS.viem}/contracts.js`);
    for (const selector of selectors(own.IMulticall3__factory.createInterface())) expect(code).to.include(selector.slice(2));
  });
});
