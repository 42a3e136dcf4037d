import { expect } from "chai";
import {
  AbiCoder,
  Contract,
  getCreate2Address,
  id,
  type Interface,
  JsonRpcProvider,
  keccak256,
  type Signer,
  type TransactionRequest,
  Wallet,
  ZeroHash,
} from "ethers";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { AAVE_PREMIUM_BPS } from "../../src/sim/protocols/aave-v3.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { artifact, EXTRACTS } from "../../src/sim/artifacts.js";
import { findPool, movePrice, shareOf } from "../../src/sim/trader.js";
import {
  FlashBorrower__factory,
  IERC20__factory,
  IMulticall3__factory,
  IQuoterV2__factory,
  ISwapRouter02__factory,
  IUniswapV2Router02__factory,
  IWETH9__factory,
  LocalPancakeV3Periphery__factory,
  LocalToken__factory,
} from "../../types/contracts/index.js";

/** A pool writes its oracle once per second: an estimate made in the same second as its last swap lacks the gas of that write. */
class PatientWallet extends Wallet {
  override async estimateGas(tx: TransactionRequest): Promise<bigint> {
    return ((await super.estimateGas(tx)) * 3n) / 2n;
  }
}

const ETHER = 10n ** 18n;
const FAR = 4_000_000_000n;

describe("protocols of a local chain", () => {
  let chain: LocalChain;
  let provider: JsonRpcProvider;
  let user: Signer;
  let me: string;
  let weth: string;
  let usdc: string;

  before(async () => {
    chain = await startLocalChain(1);
    provider = new JsonRpcProvider(chain.url, undefined, { staticNetwork: true, cacheTimeout: -1, pollingInterval: 20 });
    user = new PatientWallet(chain.keys[0]!, provider);
    me = await user.getAddress();
    weth = chain.network.wrappedNative;
    usdc = tokenOf(chain.network, "USDC").address;
    await chain.fund(me, { tokens: { WETH: 100n * ETHER, USDC: 10n ** 12n } });
    for (const token of [weth, usdc])
      for (const router of Object.values(chain.routers)) await (await erc20(token).approve(router, 2n ** 255n)).wait();
  });
  after(async () => {
    provider.destroy();
    await chain.close();
  });

  const erc20 = (token: string) => IERC20__factory.connect(token, user);
  const pool = (...args: [Parameters<typeof findPool>[1], string, string, number]) => findPool(chain, ...args)!;
  const router = (venue: keyof LocalChain["routers"]) => chain.routers[venue]!;

  for (const venue of ["uniswap-v2", "sushiswap-v2"] as const) {
    it(`swaps on ${venue} for what the router quotes`, async () => {
      const r = IUniswapV2Router02__factory.connect(router(venue), user);
      const [, quoted] = await r.getAmountsOut(ETHER, [weth, usdc]);
      const before = await erc20(usdc).balanceOf(me);
      await (await r.swapExactTokensForTokens(ETHER, 0, [weth, usdc], me, FAR)).wait();
      expect((await erc20(usdc).balanceOf(me)) - before).to.equal(quoted);
      // 3,000 less 0.3 %
      expect(Number(quoted) / 1e6).to.be.within(2_980, 2_992);
    });
  }

  for (const venue of ["uniswap-v3", "sushiswap-v3"] as const) {
    it(`swaps on ${venue} for what QuoterV2 quotes, across ticks`, async () => {
      const quoter = IQuoterV2__factory.connect(chain.network.venues[venue]!.quoter!.address, user);
      const amountIn = await shareOf(chain, pool(venue, "WETH", "USDC", 500), usdc, 100_000);
      await chain.fund(me, { tokens: { USDC: amountIn } });
      const params = { tokenIn: usdc, tokenOut: weth, amountIn, fee: 500, sqrtPriceLimitX96: 0 };
      const quote = await quoter.quoteExactInputSingle.staticCall(params);
      const before = await erc20(weth).balanceOf(me);
      const swap = { ...params, recipient: me, amountOutMinimum: 0 };
      await (await ISwapRouter02__factory.connect(router(venue), user).exactInputSingle(swap)).wait();
      expect((await erc20(weth).balanceOf(me)) - before).to.equal(quote.amountOut);
      expect(quote.initializedTicksCrossed).to.be.greaterThan(0n);
    });
  }

  it("swaps on PancakeSwap V3 for what a call foretells", async () => {
    const { address } = pool("pancakeswap-v3", "WETH", "USDC", 500);
    const r = LocalPancakeV3Periphery__factory.connect(router("pancakeswap-v3"), user);
    const quoted = await r.exactInput.staticCall(address, weth, ETHER);
    const before = await erc20(usdc).balanceOf(me);
    await (await r.exactInput(address, weth, ETHER)).wait();
    expect((await erc20(usdc).balanceOf(me)) - before).to.equal(quoted);
    expect(Number(quoted) / 1e6).to.be.within(2_990, 2_999);
  });

  it("lends WETH, USDC and DAI from Aave V3 for 5 basis points, and refuses an unpaid loan", async () => {
    const lender = chain.network.lenders["aave-v3"]!.address;
    const borrower = await new FlashBorrower__factory(user).deploy();
    for (const symbol of ["WETH", "USDC", "DAI"]) {
      const { address, decimals } = tokenOf(chain.network, symbol);
      const amount = 1_000n * 10n ** BigInt(decimals);
      const fee = (amount * BigInt(AAVE_PREMIUM_BPS)) / 10_000n;
      await expectRevert(borrower.aave.staticCall(lender, address, amount));
      await chain.fund(await borrower.getAddress(), { tokens: { [symbol]: fee } });
      const receipt = await (await borrower.aave(lender, address, amount)).wait();
      expect(charged(receipt!.logs)).to.deep.equal([amount, fee]);
      expect(await erc20(address).balanceOf(borrower)).to.equal(0n);
    }
  });

  it("lends what the weighted pool holds from Balancer V2's Vault, free of charge", async () => {
    const vault = chain.network.lenders["balancer-v2"]!.address;
    const borrower = await new FlashBorrower__factory(user).deploy();
    const held = await erc20(weth).balanceOf(vault);
    expect(held).to.be.greaterThan(1_000n * ETHER);
    const receipt = await (await borrower.balancer(vault, weth, held)).wait();
    expect(charged(receipt!.logs)).to.deep.equal([held, 0n]);
    await expectRevert(borrower.balancer.staticCall(vault, weth, held + 1n));
  });

  it("swaps in Balancer's weighted pool at the price of the other pools", async () => {
    const vault = new Contract(
      chain.network.lenders["balancer-v2"]!.address,
      [
        "function queryBatchSwap(uint8 kind, tuple(bytes32 poolId, uint256 assetInIndex, uint256 assetOutIndex, uint256 amount, bytes userData)[] swaps, address[] assets, tuple(address sender, bool fromInternalBalance, address recipient, bool toInternalBalance) funds) returns (int256[])",
      ],
      user,
    );
    const step = { poolId: chain.balancerPoolId, assetInIndex: 0, assetOutIndex: 1, amount: ETHER, userData: "0x" };
    const funds = { sender: me, fromInternalBalance: false, recipient: me, toInternalBalance: false };
    const [, out] = await vault.getFunction("queryBatchSwap").staticCall(0, [step], [weth, usdc], funds);
    expect(-(out as bigint)).to.be.within(2_985_000_000n, 2_992_000_000n);
  });

  it("deploys through the CREATE2 proxy at the predicted address", async () => {
    const proxy = chain.network.create2Proxy.address;
    const code = new LocalToken__factory().bytecode;
    const init = code + AbiCoder.defaultAbiCoder().encode(["string", "string", "uint8", "address"], ["A", "A", 18, me]).slice(2);
    const expected = getCreate2Address(proxy, ZeroHash, keccak256(init));
    expect(await provider.getCode(expected)).to.equal("0x");
    await (await user.sendTransaction({ to: proxy, data: ZeroHash + init.slice(2) })).wait();
    expect(await LocalToken__factory.connect(expected, user).owner()).to.equal(me);
  });

  it("answers through Multicall3", async () => {
    const multicall = IMulticall3__factory.connect(chain.network.multicall3.address, user);
    const callData = IERC20__factory.createInterface().encodeFunctionData("decimals");
    const calls = [weth, usdc].map((target) => ({ target, allowFailure: false, callData }));
    const answers = await multicall.aggregate3.staticCall(calls);
    expect(answers.map((a) => BigInt(a.returnData))).to.deep.equal([18n, 6n]);
  });

  it("has Permit2 with this chain's domain separator", async () => {
    const at = chain.network.permit2.address;
    const permit2 = new Contract(at, ["function DOMAIN_SEPARATOR() view returns (bytes32)"], provider);
    const type = id("EIP712Domain(string name,uint256 chainId,address verifyingContract)");
    const domain = AbiCoder.defaultAbiCoder().encode(["bytes32", "bytes32", "uint256", "address"], [type, id("Permit2"), 1, at]);
    expect(await permit2.getFunction("DOMAIN_SEPARATOR")()).to.equal(keccak256(domain));
  });

  it("has USDC as Circle's FiatToken, whose blocklist stops transfers", async () => {
    const { abi } = artifact(`${EXTRACTS.usdc}/v2/FiatTokenV2_2.sol/FiatTokenV2_2.json`);
    const token = new Contract(usdc, abi, new Wallet(chain.keys.at(-2)!, provider));
    expect(await token.getFunction("version")()).to.equal("2");
    const victim = Wallet.createRandom().address;
    await erc20(usdc).transfer.staticCall(victim, 1n);
    await (await token.getFunction("blacklist")(victim)).wait();
    await expectRevert(erc20(usdc).transfer.staticCall(victim, 1n), "Blacklistable: account is blacklisted");
  });

  it("wraps and unwraps ETH one for one", async () => {
    const coin = IWETH9__factory.connect(weth, user);
    await chain.fund(me, { tokens: { WETH: 5n * ETHER } });
    expect(await coin.totalSupply()).to.equal(await provider.getBalance(weth));
    const before = await provider.getBalance(me);
    const receipt = await (await coin.withdraw(2n * ETHER)).wait();
    expect((await provider.getBalance(me)) - before).to.equal(2n * ETHER - receipt!.fee);
  });

  it("gives the trader what its swap's receipt says", async () => {
    const target = pool("uniswap-v3", "USDC", "DAI", 100);
    const dai = tokenOf(chain.network, "DAI").address;
    const before = await erc20(dai).balanceOf(chain.trader);
    const moved = await movePrice(chain, target, usdc, 1_000_000_000n);
    expect((await erc20(dai).balanceOf(chain.trader)) - before).to.equal(moved.amountOut);
  });

  const charged = (logs: readonly { topics: readonly string[]; data: string }[]) => {
    const abi: Interface = FlashBorrower__factory.createInterface();
    const event = logs.map((l) => abi.parseLog(l)).find((e) => e?.name === "Charged");
    return [...(event?.args ?? [])];
  };

  async function expectRevert(call: Promise<unknown>, reason?: string) {
    const error = await call.then(
      () => null,
      (e: unknown) => e as { code: string; reason: string | null },
    );
    expect(error?.code).to.equal("CALL_EXCEPTION");
    if (reason !== undefined) expect(error?.reason).to.equal(reason);
  }
});
