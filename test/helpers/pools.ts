import { createRequire } from "node:module";
import { type BaseContract, Contract, ContractFactory, type ContractRunner, type InterfaceAbi, type Signer } from "ethers";
import { network } from "hardhat";
import {
  type IArbExecutor,
  IArbExecutor__factory,
  ArbExecutor__factory,
  type StepExecutor__factory,
  IQuoterV2__factory,
  IUniswapV2Pair__factory,
  IWETH9__factory,
  type IWETH9,
  type PoolTrader,
  PoolTrader__factory,
  type TestToken,
  TestToken__factory,
} from "../../types/contracts/index.js";
import type { Plan } from "../../src/plan/plan.js";
import type { PoolKind } from "../../src/venues/venue.js";

const require = createRequire(import.meta.url);

interface Artifact {
  abi: InterfaceAbi;
  bytecode: string;
  linkReferences?: Record<string, Record<string, { start: number; length: number }[]>>;
}

/** The compiled contract of an npm package, as published. */
export function artifact(path: string): Artifact {
  const json = require(path) as Artifact;
  return { ...json, bytecode: json.bytecode.startsWith("0x") ? json.bytecode : `0x${json.bytecode}` };
}

/** Deploys a published contract; `libraries` are addresses by name. */
export async function deploy(
  runner: ContractRunner,
  path: string,
  args: unknown[] = [],
  libraries: Record<string, string> = {},
): Promise<Contract> {
  const { abi, bytecode, linkReferences } = artifact(path);
  let code = bytecode;
  for (const file of Object.values(linkReferences ?? {})) {
    for (const [name, places] of Object.entries(file)) {
      for (const { start, length } of places) {
        code = code.slice(0, 2 + start * 2) + libraries[name]!.slice(2).toLowerCase() + code.slice(2 + (start + length) * 2);
      }
    }
  }
  const contract = await new ContractFactory(abi, code, runner).deploy(...args);
  return contract.waitForDeployment() as Promise<Contract>;
}

export interface TestPool {
  kind: PoolKind;
  address: string;
  token0: string;
  token1: string;
  feePips: number;
}

export const ETHER = 10n ** 18n;
const WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2";
const V2_CORE = "@uniswap/v2-core/build/";
const V3_CORE = "@uniswap/v3-core/artifacts/contracts/";
const MIN_TICK = -887220;

/** Which executor a test is about. */
export type ExecutorFactory = typeof ArbExecutor__factory | typeof StepExecutor__factory;

export type World = Awaited<ReturnType<typeof createWorld>>;

/**
 * A chain with WETH9 at its address on Ethereum, Uniswap's factories and quoter, an executor that holds a little WETH, and test
 * tokens whose addresses are all above (`wethFirst`) or all below WETH's.
 */
export async function createWorld(wethFirst = false, Executor: ExecutorFactory = ArbExecutor__factory) {
  const connection = await network.create({
    network: "default",
    override: { type: "edr-simulated", chainId: 1, hardfork: "osaka" } as never,
  });
  const { ethers, provider, networkHelpers } = connection;
  const [deployer, operator, owner, stranger] = (await ethers.getSigners()) as unknown as [Signer, Signer, Signer, Signer];
  const at = async (contract: BaseContract) => contract.getAddress();

  const wethTemplate = await deploy(deployer, "@uniswap/v2-periphery/build/WETH9.json");
  await networkHelpers.setCode(
    WETH,
    (await provider.request({ method: "eth_getCode", params: [await at(wethTemplate), "latest"] })) as string,
  );
  const weth: IWETH9 = IWETH9__factory.connect(WETH, deployer);
  await networkHelpers.setBalance(await deployer.getAddress(), 10_000_000n * ETHER);
  await weth.deposit({ value: 1_000_000n * ETHER });

  const v2Factories: Contract[] = [];
  for (let i = 0; i < 2; i++)
    v2Factories.push(await deploy(deployer, V2_CORE + "UniswapV2Factory.json", [await deployer.getAddress()]));
  const v3Factory = await deploy(deployer, V3_CORE + "UniswapV3Factory.sol/UniswapV3Factory.json");
  const quoter = IQuoterV2__factory.connect(
    await at(
      await deploy(deployer, "@uniswap/v3-periphery/artifacts/contracts/lens/QuoterV2.sol/QuoterV2.json", [
        await at(v3Factory),
        WETH,
      ]),
    ),
    deployer,
  );
  const trader: PoolTrader = await new PoolTrader__factory(deployer).deploy();
  const deployed = await new Executor(deployer).deploy(await owner.getAddress(), [await operator.getAddress()]);
  const executor: IArbExecutor = IArbExecutor__factory.connect(await at(deployed), deployer);
  // a little WETH, as every executor in use holds: a balance that starts at zero costs 17,100 gas more
  await weth.transfer(await at(executor), 10n ** 15n);
  await weth.transfer(await at(trader), 300_000n * ETHER);

  /** Tokens by name; made on first use. */
  const tokens = new Map<string, TestToken>();
  async function token(name: string): Promise<TestToken> {
    for (;;) {
      const known = tokens.get(name);
      if (known) return known;
      const made = await new TestToken__factory(deployer).deploy(name);
      if (BigInt(await at(made)) > BigInt(WETH) === wethFirst) tokens.set(name, made);
      await made.mint(await deployer.getAddress(), 10n ** 40n);
      await made.mint(await at(trader), 10n ** 40n);
    }
  }

  /** A pair with the given reserves, of the first or second factory. */
  async function addV2(a: BaseContract, b: BaseContract, amountA: bigint, amountB: bigint, factory = 0): Promise<TestPool> {
    const [tokenA, tokenB] = [await at(a), await at(b)];
    await v2Factories[factory]!.getFunction("createPair")(tokenA, tokenB);
    const address = (await v2Factories[factory]!.getFunction("getPair")(tokenA, tokenB)) as string;
    await weth.attach(tokenA).getFunction("transfer")(address, amountA);
    await weth.attach(tokenB).getFunction("transfer")(address, amountB);
    await IUniswapV2Pair__factory.connect(address, deployer).mint(await deployer.getAddress());
    return pool("v2", address, tokenA, tokenB, 3000);
  }

  /** A V3 pool at a price of `amountB` of b for `amountA` of a, with liquidity around it and over the whole range. */
  async function addV3(
    a: BaseContract,
    b: BaseContract,
    amountA: bigint,
    amountB: bigint,
    feePips: number,
    liquidity = 20_000n * ETHER,
  ): Promise<TestPool> {
    const made = pool("v3", "", await at(a), await at(b), feePips);
    await v3Factory.getFunction("createPool")(made.token0, made.token1, feePips);
    const address = (await v3Factory.getFunction("getPool")(made.token0, made.token1, feePips)) as string;
    const [amount0, amount1] = made.token0 === (await at(a)) ? [amountA, amountB] : [amountB, amountA];
    const contract = new Contract(address, artifact(V3_CORE + "UniswapV3Pool.sol/UniswapV3Pool.json").abi, deployer);
    await contract.getFunction("initialize")(sqrt((amount1 << 192n) / amount0));
    const spacing = Number(await contract.getFunction("tickSpacing")());
    const tick = Math.floor(Math.log(Number(amount1) / Number(amount0)) / Math.log(1.0001) / spacing) * spacing;
    const width = 6000 - (6000 % spacing);
    await trader.mint(address, tick - width, tick + width, liquidity);
    await trader.mint(
      address,
      Math.ceil(MIN_TICK / spacing) * spacing,
      -Math.ceil(MIN_TICK / spacing) * spacing,
      liquidity / 100n,
    );
    return { ...made, address };
  }

  /** Trades in a pool, as someone else would: fees and observations are no longer zero afterwards. */
  async function trade(where: TestPool, tokenIn: string, amountIn: bigint): Promise<void> {
    const zeroForOne = tokenIn === where.token0;
    if (where.kind === "v3") {
      await trader.swap(where.address, zeroForOne, amountIn);
      return;
    }
    const amountOut = await quoteOut(where, tokenIn, amountIn);
    await weth.attach(tokenIn).getFunction("transfer")(where.address, amountIn);
    const pair = IUniswapV2Pair__factory.connect(where.address, deployer);
    await pair.swap(zeroForOne ? 0n : amountOut, zeroForOne ? amountOut : 0n, await deployer.getAddress(), "0x");
  }

  async function reserves(where: TestPool, tokenIn: string): Promise<[bigint, bigint]> {
    const [reserve0, reserve1] = await IUniswapV2Pair__factory.connect(where.address, deployer).getReserves();
    return tokenIn === where.token0 ? [reserve0, reserve1] : [reserve1, reserve0];
  }

  /** Exact output for an input: UniswapV2Library.getAmountOut, or QuoterV2. */
  async function quoteOut(where: TestPool, tokenIn: string, amountIn: bigint): Promise<bigint> {
    if (where.kind === "v3") {
      const params = { tokenIn, tokenOut: other(where, tokenIn), amountIn, fee: where.feePips, sqrtPriceLimitX96: 0n };
      return (await quoter.quoteExactInputSingle.staticCall(params)).amountOut;
    }
    const [reserveIn, reserveOut] = await reserves(where, tokenIn);
    const kept = amountIn * BigInt(1_000_000 - where.feePips);
    return (kept * reserveOut) / (reserveIn * 1_000_000n + kept);
  }

  /** Exact input for an output: UniswapV2Library.getAmountIn, or QuoterV2. */
  async function quoteIn(where: TestPool, tokenIn: string, amountOut: bigint): Promise<bigint> {
    if (where.kind === "v3") {
      const params = { tokenIn, tokenOut: other(where, tokenIn), amount: amountOut, fee: where.feePips, sqrtPriceLimitX96: 0n };
      return (await quoter.quoteExactOutputSingle.staticCall(params)).amountIn;
    }
    const [reserveIn, reserveOut] = await reserves(where, tokenIn);
    return (reserveIn * amountOut * 1_000_000n) / ((reserveOut - amountOut) * BigInt(1_000_000 - where.feePips)) + 1n;
  }

  /** A plan through these pools, quoted forward at the present state. */
  async function planFor(pools: TestPool[], amountIn: bigint, changes: Partial<Plan> = {}): Promise<Plan> {
    const profitToken = changes.profitToken ?? WETH;
    let [tokenIn, amount] = [profitToken, amountIn];
    const hops = [];
    for (const where of pools) {
      const tokenOut = other(where, tokenIn);
      const amountOut = await quoteOut(where, tokenIn, amount);
      hops.push({
        kind: where.kind,
        pool: where.address,
        tokenIn,
        tokenOut,
        feePips: where.feePips,
        amountIn: amount,
        amountOut,
      });
      [tokenIn, amount] = [tokenOut, amountOut];
    }
    return {
      chainId: 1,
      amounts: "fixed",
      funding: { source: "flash-swap", lender: null, maxFee: 0n },
      profitToken,
      hops,
      maxAmountIn: amountIn,
      minProfit: 0n,
      deadline: null,
      blocks: null,
      ...changes,
    };
  }

  /**
   * What the plan pays into its first pool and what it gains, to the wei, from formulas and the quoter: the hops behind the
   * pivot run forward from its exact input, those before it backward from what that input is.
   */
  async function expectation(plan: Plan, pools: TestPool[]): Promise<{ payment: bigint; profit: bigint }> {
    const { hops } = plan;
    const pivot = hops.reduce((last, hop, i) => (hop.kind === "v3" ? i : last), -1);
    if (pivot < 0) {
      let amount = hops[0]!.amountIn;
      for (const [i, hop] of hops.entries()) {
        amount = plan.amounts === "adaptive" ? await quoteOut(pools[i]!, hop.tokenIn, amount) : hop.amountOut;
      }
      return { payment: hops[0]!.amountIn, profit: amount - hops[0]!.amountIn };
    }
    let received = await quoteOut(pools[pivot]!, hops[pivot]!.tokenIn, hops[pivot]!.amountIn);
    for (let i = pivot + 1; i < hops.length; i++) {
      received = plan.amounts === "adaptive" ? await quoteOut(pools[i]!, hops[i]!.tokenIn, received) : hops[i]!.amountOut;
    }
    let owed = hops[pivot]!.amountIn;
    for (let i = pivot - 1; i >= 0; i--) {
      const fixed = hops[i]!.kind === "v2" && plan.amounts === "fixed";
      owed = fixed ? hops[i]!.amountIn : await quoteIn(pools[i]!, hops[i]!.tokenIn, owed);
    }
    return { payment: owed, profit: received - owed };
  }

  /** Runs a test's body and takes back what it did to the chain. */
  async function rolledBack<T>(body: () => Promise<T>): Promise<T> {
    const snapshot = await networkHelpers.takeSnapshot();
    try {
      return await body();
    } finally {
      await snapshot.restore();
    }
  }

  return {
    connection,
    ethers,
    provider,
    networkHelpers,
    deployer,
    operator,
    owner,
    stranger,
    weth,
    trader,
    quoter,
    executor,
    executorAddress: await at(executor),
    token,
    addV2,
    addV3,
    trade,
    quoteOut,
    quoteIn,
    planFor,
    expectation,
    rolledBack,
  };
}

function pool(kind: PoolKind, address: string, tokenA: string, tokenB: string, feePips: number): TestPool {
  const [token0, token1] = BigInt(tokenA) < BigInt(tokenB) ? [tokenA, tokenB] : [tokenB, tokenA];
  return { kind, address, token0, token1, feePips };
}

function other(where: TestPool, token: string): string {
  return token === where.token0 ? where.token1 : where.token0;
}

function sqrt(value: bigint): bigint {
  let x = 1n << BigInt(Math.ceil(value.toString(2).length / 2));
  for (;;) {
    const next = (x + value / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}
