/** An in-process chain with the protocols' own bytecode from their npm packages, read at run time. */
import { createRequire } from "node:module";
import { Contract, ContractFactory, type InterfaceAbi, type Provider, type Signer } from "ethers";
import { network } from "hardhat";
import { sortTokens } from "../../src/venues/v2-pair.js";
import type { PoolId, VenueId } from "../../src/venues/venue.js";

const require = createRequire(import.meta.url);

interface Artifact {
  abi: InterfaceAbi;
  bytecode: string;
}

export const UNISWAP_V2 = "@uniswap/v2-core/build";
export const V2_PERIPHERY = "@uniswap/v2-periphery/build";
export const V3_CORE = "@uniswap/v3-core/artifacts/contracts";
export const V3_PERIPHERY = "@uniswap/v3-periphery/artifacts/contracts";

export function artifact(path: string): Artifact {
  const { abi, bytecode } = require(`${path}.json`) as Artifact;
  return { abi, bytecode: bytecode.startsWith("0x") ? bytecode : `0x${bytecode}` };
}

/** Contracts whose functions are called by name; their types live in npm artifacts, not in ours. */
export type AnyContract = Contract & Record<string, any>;

export interface Chain {
  provider: Provider;
  signer: Signer;
  me: string;
  /** Sends a JSON-RPC request past ethers, for the many calls of differential tests. */
  request(method: string, params: unknown[]): Promise<any>;
  deploy(artifact: Artifact, args?: unknown[]): Promise<AnyContract>;
}

export async function startChain(): Promise<Chain> {
  const connection = await network.create({ override: { allowUnlimitedContractSize: true } });
  const [signer] = await connection.ethers.getSigners();
  const provider = connection.ethers.provider;
  return {
    provider,
    signer: signer!,
    me: await signer!.getAddress(),
    request: (method, params) => connection.provider.request({ method, params }),
    deploy: async (art, args = []) => {
      const contract = await new ContractFactory(art.abi, art.bytecode, signer).deploy(...args, { gasLimit: 15_000_000n });
      await contract.waitForDeployment();
      return contract as AnyContract;
    },
  };
}

export function at(chain: Chain, address: string, art: Artifact): AnyContract {
  return new Contract(address, art.abi, chain.signer) as AnyContract;
}

/** A plain ERC-20 whose whole supply belongs to the deployer. */
export async function deployToken(chain: Chain, supply: bigint = 10n ** 40n): Promise<AnyContract> {
  return chain.deploy(artifact(`${UNISWAP_V2}/ERC20`), [supply]);
}

/** Puts a Multicall3 at its address; without it reads go one by one. */
export async function placeMulticall3(chain: Chain): Promise<void> {
  const { artifacts } = await import("hardhat");
  const { deployedBytecode } = await artifacts.readArtifact("Multicall");
  await chain.request("hardhat_setCode", ["0xcA11bde05977b3631167028862bE2a173976CA11", deployedBytecode]);
}

export interface V3World {
  factory: AnyContract;
  positions: AnyContract;
  quoter: AnyContract;
  router: AnyContract;
}

export async function deployV3(chain: Chain): Promise<V3World> {
  const weth = await chain.deploy(artifact(`${V2_PERIPHERY}/WETH9`));
  const factory = await chain.deploy(artifact(`${V3_CORE}/UniswapV3Factory.sol/UniswapV3Factory`));
  const targets = [await factory.getAddress(), await weth.getAddress()];
  const positions = await chain.deploy(artifact(`${V3_PERIPHERY}/NonfungiblePositionManager.sol/NonfungiblePositionManager`), [
    ...targets,
    `0x${"00".repeat(20)}`,
  ]);
  const quoter = await chain.deploy(artifact(`${V3_PERIPHERY}/lens/QuoterV2.sol/QuoterV2`), targets);
  const router = await chain.deploy(artifact(`${V3_PERIPHERY}/SwapRouter.sol/SwapRouter`), targets);
  await (await factory["enableFeeAmount"](100, 1)).wait();
  return { factory, positions, quoter, router };
}

/** Creates a pool at a price with positions `[lower tick, upper tick, liquidity-like amount of both tokens]`. */
export async function createV3Pool(
  chain: Chain,
  world: V3World,
  tokens: [string, string],
  feePips: number,
  sqrtPriceX96: bigint,
  positions: [lower: number, upper: number, amount: bigint][],
): Promise<PoolId> {
  const [token0, token1] = sortTokens(...tokens);
  await (await world.positions["createAndInitializePoolIfNecessary"](token0, token1, feePips, sqrtPriceX96)).wait();
  const recipient = chain.me;
  for (const [tickLower, tickUpper, amount] of positions) {
    const params = { token0, token1, fee: feePips, tickLower, tickUpper, recipient };
    const limits = { amount0Desired: amount, amount1Desired: amount, amount0Min: 0, amount1Min: 0, deadline: 10n ** 12n };
    await (await world.positions["mint"]({ ...params, ...limits })).wait();
  }
  const address = (await world.factory["getPool"](token0, token1, feePips)) as string;
  return { venue: "uniswap-v3", address, token0, token1, feePips };
}

export interface V2World {
  factory: AnyContract;
  router: AnyContract;
}

export async function deployV2(chain: Chain): Promise<V2World> {
  const weth = await chain.deploy(artifact(`${V2_PERIPHERY}/WETH9`));
  const factory = await chain.deploy(artifact(`${UNISWAP_V2}/UniswapV2Factory`), [chain.me]);
  const router = await chain.deploy(artifact(`${V2_PERIPHERY}/UniswapV2Router02`), [
    await factory.getAddress(),
    await weth.getAddress(),
  ]);
  return { factory, router };
}

/** Creates a pair with these reserves, given in the order of `tokens`. */
export async function createV2Pair(
  chain: Chain,
  world: V2World,
  tokens: [AnyContract, AnyContract],
  reserves: [bigint, bigint],
  venue: VenueId = "uniswap-v2",
): Promise<PoolId> {
  const addresses = (await Promise.all(tokens.map((token) => token.getAddress()))) as [string, string];
  await (await world.factory["createPair"](...addresses)).wait();
  const address = (await world.factory["getPair"](...addresses)) as string;
  for (const [i, token] of tokens.entries()) await (await token["transfer"](address, reserves[i])).wait();
  await (await at(chain, address, artifact(`${UNISWAP_V2}/UniswapV2Pair`))["mint"](chain.me)).wait();
  const [token0, token1] = sortTokens(...addresses);
  return { venue, address, token0, token1, feePips: 3000 };
}
