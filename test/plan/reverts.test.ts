import { expect } from "chai";
import { Interface, MaxUint256, ZeroAddress } from "ethers";
import { classifyNodeError } from "../../src/chain/errors.js";
import { explainRevert } from "../../src/plan/errors.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { findPool } from "../../src/sim/trader.js";

const PAIR = new Interface(["function swap(uint256,uint256,address,bytes)"]);
const POOL = new Interface([
  "function swap(address,bool,int256,uint160,bytes)",
  "function slot0() view returns (uint160,int24,uint16,uint16,uint16,uint8,bool)",
]);
const ROUTER = new Interface(["function swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"]);
const AAVE = new Interface(["function flashLoanSimple(address,address,uint256,bytes,uint16)"]);
const VAULT = new Interface([
  "function flashLoan(address,address[],uint256[],bytes)",
  "function swap((bytes32 poolId,uint8 kind,address assetIn,address assetOut,uint256 amount,bytes userData),(address sender,bool,address payable recipient,bool),uint256 limit,uint256 deadline)",
]);
const ERC20 = new Interface(["function transfer(address,uint256)", "function transferFrom(address,address,uint256)"]);
const MIN_SQRT = 4_295_128_739n;

describe("revert reasons of real contracts", () => {
  let local: LocalChain;
  before(async () => (local = await startLocalChain(1)));
  after(() => local.close());
  const stranger = `0x${"5a".repeat(20)}`;
  const token = (symbol: string): string => local.network.tokens.find((t) => t.symbol === symbol)!.address;

  /** What the chain says to a call that must fail. */
  async function refusal(to: string, data: string): Promise<ReturnType<typeof explainRevert>> {
    try {
      await local.rpc("eth_call", [{ from: stranger, to, data, gas: "0xf00000" }, "latest"]);
    } catch (error) {
      return explainRevert(classifyNodeError(error).revertData ?? "0x");
    }
    throw new Error("passed");
  }

  it("are told for V2 pairs", async () => {
    const { address } = findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!;
    const swap = (a: bigint, b: bigint, to = stranger) => refusal(address, PAIR.encodeFunctionData("swap", [a, b, to, "0x"]));
    expect((await swap(0n, 0n)).text).to.match(/asked for nothing/);
    expect((await swap(1n, 0n)).text).to.match(/received no input/);
    expect((await swap(2n ** 111n, 0n)).text).to.match(/more than its reserve/);
    expect((await swap(1n, 0n, token("WETH"))).text).to.match(/one of its own tokens/);
  });

  it("are told for V2 pairs that are paid too little: the constant product", async () => {
    const { address, token0 } = findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!;
    const snapshot = await local.rpc<string>("evm_snapshot");
    await local.fund(address, { tokens: { [token0 === token("WETH") ? "WETH" : "USDC"]: 1000n } });
    const { name, args, text } = await refusal(address, PAIR.encodeFunctionData("swap", [1000n, 0n, stranger, "0x"]));
    expect([name, args[0]]).to.deep.equal(["Error", "UniswapV2: K"]);
    expect(text).to.match(/reserves changed/);
    await local.rpc("evm_revert", [snapshot]);
  });

  it("are told for V3 pools", async () => {
    const { address } =
      findPool(local, "uniswap-v3", "WETH", "USDC", 3000) ?? findPool(local, "uniswap-v3", "WETH", "USDC", 500)!;
    const swap = (amount: bigint, limit: bigint) =>
      refusal(address, POOL.encodeFunctionData("swap", [stranger, true, amount, limit, "0x"]));
    expect((await swap(0n, MIN_SQRT + 1n)).args).to.deep.equal(["AS"]);
    expect(await swap(1000n, 2n ** 159n)).to.deep.include({
      args: ["SPL"],
      text: "A V3 pool's price is already beyond the price limit.",
    });
    // an account without code cannot be called back
    expect((await swap(1000n, MIN_SQRT + 1n)).name).to.equal("empty");
  });

  it("are told for V3 pools that are not paid", async () => {
    const { address } =
      findPool(local, "uniswap-v3", "WETH", "USDC", 3000) ?? findPool(local, "uniswap-v3", "WETH", "USDC", 500)!;
    const data = POOL.encodeFunctionData("swap", [stranger, true, 1000n, MIN_SQRT + 1n, "0x"]);
    // code that passes its calldata on to the pool, and answers the callback with nothing
    const asker = `0x${"6b".repeat(20)}`;
    const pool = address.slice(2);
    const forward = `363d3d373d3d363d3d73${pool}5af13d6000803e3d6000fd`;
    const start = `73${pool}3314`;
    const answer = (start.length + 6 + forward.length) / 2;
    const code = `0x${start}60${answer.toString(16)}57${forward}5b00`;
    await local.rpc("hardhat_setCode", [asker, code]);
    expect(await refusal(asker, data)).to.deep.include({ args: ["IIA"], text: "A V3 pool got less than it was owed." });
  });

  it("are told for routers, lenders and tokens", async () => {
    const router = local.network.venues["uniswap-v2"]!.router!.address;
    const path = [token("WETH"), token("USDC")];
    const swap = (least: bigint, deadline: bigint) =>
      refusal(router, ROUTER.encodeFunctionData("swapExactTokensForTokens", [10n ** 15n, least, path, stranger, deadline]));
    expect((await swap(MaxUint256, MaxUint256)).text).to.match(/V2 router would give less/);
    expect((await swap(0n, 1n)).text).to.match(/deadline has passed/);
    expect((await swap(0n, MaxUint256)).text).to.match(/refused|transfer/i);

    const lenders = local.network.lenders as Record<string, { address: string } | undefined>;
    const aave = lenders["aave-v3"]!.address;
    const loan = (asset: string, amount: bigint) =>
      refusal(aave, AAVE.encodeFunctionData("flashLoanSimple", [stranger, asset, amount, "0x", 0]));
    const inactive = await loan(ZeroAddress, 1n);
    expect(inactive.text, JSON.stringify(inactive.args)).to.match(/Aave/);
    const vault = lenders["balancer-v2"]!.address;
    const flash = await refusal(vault, VAULT.encodeFunctionData("flashLoan", [stranger, [token("WETH")], [10n ** 30n], "0x"]));
    expect(flash).to.deep.include({ args: ["BAL#528"], text: "Balancer: the vault does not hold that much." });
    const single = [`0x${"00".repeat(32)}`, 0, token("WETH"), token("USDC"), 1n, "0x"];
    const missing = await refusal(
      vault,
      VAULT.encodeFunctionData("swap", [single, [stranger, false, stranger, false], 0n, MaxUint256]),
    );
    expect(missing.text).to.equal("Balancer: there is no such pool.");
    const late = await refusal(vault, VAULT.encodeFunctionData("swap", [single, [stranger, false, stranger, false], 0n, 1n]));
    expect(late.text).to.match(/deadline has passed/);
    const dai = await refusal(token("DAI"), ERC20.encodeFunctionData("transfer", [router, 1n]));
    expect(dai.text).not.to.match(/refused with 0x/);
  });

  it("are told for custom errors of V4, of tokens and of Solidly pools, also one inside another", () => {
    const face = new Interface([
      "error WrappedError(address,bytes4,bytes,bytes)",
      "error ERC20InsufficientBalance(address,uint256,uint256)",
      "error K()",
      "error CurrencyNotSettled()",
      "error Error(string)",
    ]);
    const inner = face.encodeErrorResult("ERC20InsufficientBalance", [stranger, 5n, 7n]);
    expect(explainRevert(inner).text).to.match(/holds 5, 7 are needed/);
    const wrapped = face.encodeErrorResult("WrappedError", [stranger, "0xa9059cbb", inner, "0x"]);
    expect(explainRevert(wrapped)).to.include({ name: "WrappedError" });
    expect(explainRevert(wrapped).text).to.match(/called by the pool manager, failed: A token: .* holds 5, 7 are needed/);
    expect(explainRevert(face.encodeErrorResult("K")).text).to.match(/Solidly/);
    expect(explainRevert(face.encodeErrorResult("CurrencyNotSettled")).text).to.match(/owed/);
    const evil = explainRevert(face.encodeErrorResult("Error", ["\u001b]52;c;ZXZpbA==\u0007"]));
    expect(evil.text).to.include("?]52;c;ZXZpbA==?");
    let deep = inner;
    for (let i = 0; i < 30; i++) deep = face.encodeErrorResult("WrappedError", [stranger, "0xa9059cbb", deep, "0x"]);
    expect(explainRevert(deep).name).to.equal("WrappedError");
  });
});
