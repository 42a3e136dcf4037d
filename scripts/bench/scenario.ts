import { Contract, ContractFactory, ZeroAddress } from "ethers";
import type { Plan, PlanFunding } from "../../src/plan/plan.js";
import { balancerArtifact } from "../../src/sim/artifacts.js";
import { deployAave } from "../../test/helpers/aave.js";
import {
  BalancerV3Mock__factory,
  LenderMock__factory,
  StepExecutor__factory,
  type TestToken,
} from "../../types/contracts/index.js";
import { morphoBlue } from "../../test/helpers/package-source.js";
import { createWorld, ETHER, type TestPool, type World } from "../../test/helpers/pools.js";
import { type AnyPool, addV4, keyOf, POOL_MANAGER } from "../../test/helpers/v4-world.js";

/** What the figures mean; printed with them. */
export const SCENARIO = {
  chain: "Hardhat's EDR, osaka rules, chain id 1; every transaction in a block of its own",
  code: "npm bytecode of Uniswap v2-core, v3-core, v4-core and WETH9, of Aave core-v3 and Balancer's Vault where they lend; X and Y are plain ERC-20s; rows of StepExecutor name the lender's code",
  cycle:
    "WETH -> X -> WETH and WETH -> X -> Y -> WETH with 1 WETH in and about 1 % profit; WETH is token0; no initialised tick is crossed",
  pools: "traded in both directions in earlier blocks, not yet touched in the block that is measured",
  executor:
    "holds 0.001 WETH and 1 wei of X and of Y; operator check on, least profit 90 % of the profit, deadline and window off",
  gasUsed:
    "of the whole transaction, from its receipt; gasUsedWithAccessList: with a list of all slots of pools and tokens that it touches",
  floor: "traced: 21,000 + calldata + the own frames of pools and tokens, less refunds",
  naive:
    "test/mocks/Naive.sol: Aave V3 flash loan, then Uniswap's V2 Router02, V3 SwapRouter and, for V4, Universal Router; on the same pools",
  universalRouter:
    "Uniswap's Universal Router 2.1.0 with own capital through Permit2; pairs of two V2 factories take two routers, called by a contract",
} as const;

/** A cycle of the scenario: its name is the kinds of its pools. */
export interface Path {
  name: string;
  pools: AnyPool[];
}

export interface Stage {
  world: World;
  /** X and Y. */
  tokens: string[];
  paths: Path[];
  /** A plan with AMOUNT_IN and fixed amounts, exact at the present state, funded by the pools, and what it gains. */
  planOf(path: Path): Promise<Plan & { profit: bigint }>;
  /** Lenders of the profit token, by funding id. Base units of the fee for 1 WETH. */
  lenders: PlanFunding[];
  /** A StepExecutor that holds what the executor does, and the lenders that only it knows. */
  stepExecutor: string;
  stepLenders: (PlanFunding & { code: string })[];
}

/** Gas of the same cycle, done in another way. */
export type Baseline = (path: Path) => Promise<number>;

/** What one cycle puts in. */
export const AMOUNT_IN = ETHER;

const KINDS = ["V2", "V3"] as const;

/** Builds the pools, lenders and tokens on a fresh chain. */
export async function buildStage(): Promise<Stage> {
  const world = await createWorld(true);
  const { weth } = world;
  const [x, y] = [await world.token("X"), await world.token("Y")];
  const E = ETHER;
  const first = {
    V2: await world.addV2(weth, x, 500n * E, 1_010_000n * E, 0),
    V3: await world.addV3(weth, x, E, 2015n * E, 500, 100_000n * E),
  };
  const last = {
    V2: await world.addV2(weth, x, 500n * E, 990_000n * E, 1),
    V3: await world.addV3(weth, x, E, 1985n * E, 3000, 100_000n * E),
  };
  const middle = {
    V2: await world.addV2(x, y, 1_000_000n * E, 1_000_000n * E, 0),
    V3: await world.addV3(x, y, E, E, 500, 4_500_000n * E),
  };
  const third = {
    V2: await world.addV2(weth, y, 500n * E, 982_000n * E, 0),
    V3: await world.addV3(weth, y, E, 1985n * E, 3000, 100_000n * E),
  };
  for (const pool of [first, last, middle, third].flatMap((pair) => Object.values(pair))) {
    for (const token of [pool.token0, pool.token1]) {
      await world.trade(pool, token, token === (await weth.getAddress()) ? E / 10n : 200n * E);
    }
  }
  const paths: Path[] = KINDS.flatMap((a) => KINDS.map((b) => ({ name: `${a}-${b}`, pools: [first[a], last[b]] })));
  for (const a of KINDS) {
    for (const b of KINDS) {
      for (const c of KINDS) paths.push({ name: `${a}-${b}-${c}`, pools: [first[a], middle[b], third[c]] });
    }
  }
  const v4 = await addV4(world);
  await x.mint(v4.trader, 10n ** 30n);
  const firstV4 = await v4.pool(weth, x, [E, 2015n * E], { fee: 500, tickSpacing: 10 });
  const lastV4 = await v4.pool(weth, x, [E, 1985n * E]);
  for (const pool of [firstV4, lastV4]) {
    await v4.trader.swap(keyOf(pool), true, E / 10n, "0x");
    await v4.trader.swap(keyOf(pool), false, 200n * E, "0x");
  }
  paths.push({ name: "V4-V4", pools: [firstV4, lastV4] }, { name: "V4-V3", pools: [firstV4, last.V3] });
  for (const token of [x, y]) await token.transfer(world.executorAddress, 1n);
  const tokens = [await x.getAddress(), await y.getAddress()];
  const planOf = ({ pools }: Path) => v4.planFor(pools, AMOUNT_IN);
  const lenders = await placeLenders(world);
  const stepExecutor = await placeStepExecutor(world, [x, y]);
  return { world, tokens, paths, planOf, lenders, stepExecutor, stepLenders: await placeStepLenders(world, first.V3.address) };
}

async function placeStepExecutor(world: World, tokens: TestToken[]): Promise<string> {
  const made = await new StepExecutor__factory(world.deployer).deploy(await world.owner.getAddress(), [
    await world.operator.getAddress(),
  ]);
  const address = await made.getAddress();
  await world.weth.transfer(address, 10n ** 15n);
  for (const token of tokens) await token.transfer(address, 1n);
  return address;
}

/**
 * Lenders by the steps' own loans. Morpho Blue is its package's source, compiled by our solc. No package has Maker's lender, and Balancer
 * V3's source takes more than a minute to compile: a mock of ours lends for them.
 */
async function placeStepLenders(world: World, v3Pool: string): Promise<Stage["stepLenders"]> {
  const mock = await new LenderMock__factory(world.deployer).deploy();
  await world.weth.transfer(mock, 1000n * ETHER);
  const lender = await mock.getAddress();
  const vault = await new BalancerV3Mock__factory(world.deployer).deploy();
  await world.weth.transfer(vault, 1000n * ETHER);
  await vault.sync(world.weth);
  const made = morphoBlue();
  const morpho = await new ContractFactory(made.abi, made.bytecode, world.deployer).deploy(world.deployer);
  await world.weth.transfer(morpho, 1000n * ETHER);
  const code = "test/mocks/StepPools.sol";
  const published = "npm bytecode";
  return [
    { source: "uniswap-v4", lender: POOL_MANAGER, maxFee: 0n, code: published },
    { source: "uniswap-v3-flash", lender: v3Pool, maxFee: AMOUNT_IN / 2000n, token1: false, code: published },
    { source: "balancer-v3", lender: await vault.getAddress(), maxFee: 0n, code },
    { source: "morpho", lender: await morpho.getAddress(), maxFee: 0n, code: "npm source" },
    { source: "erc3156", lender, maxFee: 0n, code },
  ];
}

async function placeLenders(world: World): Promise<PlanFunding[]> {
  const liquidity = 1000n * ETHER;
  const aave = await deployAave(world, liquidity);
  const { abi, bytecode } = balancerArtifact("20210418-vault", "Vault");
  const weth = await world.weth.getAddress();
  const vault = (await new ContractFactory(abi, bytecode, world.deployer).deploy(ZeroAddress, weth, 0, 0)) as Contract;
  await world.weth.transfer(vault, liquidity);
  return [
    { source: "aave-v3", lender: aave.pool, maxFee: aave.premium(AMOUNT_IN) },
    { source: "balancer-v2", lender: await vault.getAddress(), maxFee: 0n },
  ];
}

/** The V2 and V3 pools among those of a path. */
export function pairsOf(paths: Path[]): TestPool[] {
  return paths.flatMap(({ pools }) => pools).filter((pool) => "kind" in pool);
}

/** The factory of a V2 or V3 pool. */
export async function factoryOf(world: World, pool: string): Promise<string> {
  const view = new Contract(pool, ["function factory() view returns (address)"], world.deployer);
  return (await view.getFunction("factory")()) as string;
}
