import { Contract, ContractFactory, ZeroAddress } from "ethers";
import type { PlanFunding } from "../../src/plan/plan.js";
import { balancerArtifact } from "../../src/sim/artifacts.js";
import { deployAave } from "../../test/helpers/aave.js";
import { createWorld, ETHER, type TestPool, type World } from "../../test/helpers/pools.js";
import { addV4, placeV4, quoteV4, tradeV4, type V4Pool } from "./v4.js";

/** What the figures mean; printed with them. */
export const SCENARIO = {
  chain: "Hardhat's EDR, osaka rules, chain id 1; every transaction in a block of its own",
  code: "npm bytecode of Uniswap v2-core, v3-core, v4-core and WETH9, of Aave core-v3 and Balancer's Vault where they lend; X and Y are plain ERC-20s",
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
  pools: (TestPool | V4Pool)[];
}

/** A swap of a cycle, with exact amounts in base units at the present state. */
export interface PathHop {
  kind: "v2" | "v3" | "v4";
  pool: string;
  tokenIn: string;
  tokenOut: string;
  feePips: number;
  amountIn: bigint;
  amountOut: bigint;
}

export interface Stage {
  world: World;
  /** X and Y. */
  tokens: string[];
  paths: Path[];
  /** The swaps of a path with AMOUNT_IN. */
  hopsOf(path: Path): Promise<PathHop[]>;
  /** Lenders of the profit token, by funding id. Base units of the fee for 1 WETH. */
  lenders: PlanFunding[];
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
  const v4Trader = await placeV4(world);
  const firstV4 = await addV4(world, v4Trader, [weth, E], [x, 2015n * E], 500, 100_000n * E);
  const lastV4 = await addV4(world, v4Trader, [weth, E], [x, 1985n * E], 3000, 100_000n * E);
  for (const pool of [firstV4, lastV4]) {
    await tradeV4(v4Trader, pool, pool.token0, E / 10n);
    await tradeV4(v4Trader, pool, pool.token1, 200n * E);
  }
  paths.push({ name: "V4-V4", pools: [firstV4, lastV4] }, { name: "V4-V3", pools: [firstV4, last.V3] });

  async function hopsOf({ pools }: Path): Promise<PathHop[]> {
    const hops: PathHop[] = [];
    let [tokenIn, amountIn] = [await weth.getAddress(), AMOUNT_IN];
    for (const pool of pools) {
      const amountOut =
        pool.kind === "v4" ? await quoteV4(v4Trader, pool, tokenIn, amountIn) : await world.quoteOut(pool, tokenIn, amountIn);
      const tokenOut = tokenIn === pool.token0 ? pool.token1 : pool.token0;
      hops.push({ kind: pool.kind, pool: pool.address, tokenIn, tokenOut, feePips: pool.feePips, amountIn, amountOut });
      [tokenIn, amountIn] = [tokenOut, amountOut];
    }
    return hops;
  }

  for (const token of [x, y]) await token.transfer(world.executorAddress, 1n);
  const tokens = [await x.getAddress(), await y.getAddress()];
  return { world, tokens, paths, hopsOf, lenders: await placeLenders(world) };
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

/** The factory of a V2 or V3 pool. */
export async function factoryOf(world: World, pool: string): Promise<string> {
  const view = new Contract(pool, ["function factory() view returns (address)"], world.deployer);
  return (await view.getFunction("factory")()) as string;
}
