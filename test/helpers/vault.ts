import { type BaseContract, Contract, type ContractTransactionResponse, id as keccak, ZeroAddress, zeroPadValue } from "ethers";
import {
  type ArbVault,
  ArbVault__factory,
  MessengerStandIn__factory,
  type SettableFeed,
  SettableFeed__factory,
  SpokePoolStandIn__factory,
  StargateStandIn__factory,
} from "../../types/contracts/index.js";
import { artifact, createWorld, ETHER, type TestPool } from "./pools.js";

export const POOL_KIND = { none: 0, v2: 1, v3: 2 } as const;
export const BRIDGE_KIND = { none: 0, across: 1, cctp: 2, stargate: 3 } as const;
const V3_POOL = "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json";

export type VaultWorld = Awaited<ReturnType<typeof createVaultWorld>>;
export type Market = ArbVault.MarketStruct;
export type Route = ArbVault.RouteStruct;
export type Transfer = ArbVault.TransferStruct;

/** Name of the error that a call was refused with, or its string; "done" where it was not. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "done";
  } catch (error) {
    const { revert, message, reason } = error as { revert?: { name: string; args: unknown[] }; message: string; reason?: string };
    if (revert) return revert.name === "Error" ? String(revert.args[0]) : revert.name;
    const data = /return data: (0x[0-9a-f]{8,})/.exec(message)?.[1];
    if (data !== undefined) return ArbVault__factory.createInterface().parseError(data)?.name ?? data;
    return /custom error '(\w+)\(/.exec(message)?.[1] ?? /reason string '([^']*)'/.exec(message)?.[1] ?? reason ?? message;
  }
}

/** A vault that holds 100 WETH and 200,000 B, real pools of both at 2,000, feeds in one currency, and the stand-ins of the bridges. */
export async function createVaultWorld() {
  const world = await createWorld();
  const { deployer, owner, operator } = world;
  const b = await world.token("B");
  const vault = await new ArbVault__factory(deployer).deploy(owner, [operator]);
  const self = await vault.getAddress();
  const weth = await world.weth.getAddress();
  const tokenB = await b.getAddress();
  await world.weth.transfer(vault, 100n * ETHER);
  await b.mint(vault, 200_000n * ETHER);
  // the code was copied without its storage, where WETH9 keeps its decimals
  await world.networkHelpers.setStorageAt(weth, 2, 18);
  const v2 = await world.addV2(world.weth, b, 5_000n * ETHER, 10_000_000n * ETHER);
  const v3 = await world.addV3(world.weth, b, ETHER, 2_000n * ETHER, 500, 1_000_000n * ETHER);
  const feeds: Record<string, SettableFeed> = {
    [weth]: await new SettableFeed__factory(deployer).deploy(8, 2_000n * 10n ** 8n),
    [tokenB]: await new SettableFeed__factory(deployer).deploy(8, 10n ** 8n),
  };
  const spokePool = await new SpokePoolStandIn__factory(deployer).deploy();
  const messenger = await new MessengerStandIn__factory(deployer).deploy();
  const stargate = await new StargateStandIn__factory(deployer).deploy(tokenB, 10n ** 12n, 6n, 1_000n);

  async function byFeeds(tokenIn: string, tokenOut: string): Promise<Market["price"]> {
    const [feedIn, feedOut] = [await feeds[tokenIn]!.getAddress(), await feeds[tokenOut]!.getAddress()];
    return { feedIn, feedOut, maxAgeIn: 10 ** 9, maxAgeOut: 10 ** 9, sequencer: ZeroAddress, pool: ZeroAddress, window: 0 };
  }

  function byPool(pool: string, window = 1800): Market["price"] {
    return { feedIn: ZeroAddress, feedOut: ZeroAddress, maxAgeIn: 0, maxAgeOut: 0, sequencer: ZeroAddress, pool, window };
  }

  /** A market of a pool, priced by the feeds, with a limit of 50 WETH's worth and a loss of at most 1 %. */
  async function market(pool: TestPool, tokenIn: string, changes: Partial<Market> = {}): Promise<Market> {
    const tokenOut = tokenIn === pool.token0 ? pool.token1 : pool.token0;
    const dailyLimit = tokenIn === weth ? 50n * ETHER : 100_000n * ETHER;
    const price = changes.price ?? (await byFeeds(tokenIn, tokenOut));
    const { kind, feePips } = { kind: POOL_KIND[pool.kind as "v2" | "v3"], feePips: pool.feePips };
    return { kind, pool: pool.address, feePips, tokenIn, tokenOut, maxLossBps: 100, dailyLimit, price, ...changes };
  }

  const bridges = { across: spokePool, cctp: messenger, stargate };

  /** A route of token B to chain, domain or endpoint 10. */
  async function route(kind: keyof typeof bridges, changes: Partial<Route> = {}): Promise<Route> {
    return {
      kind: BRIDGE_KIND[kind],
      bridge: await bridges[kind].getAddress(),
      tokenIn: tokenB,
      tokenOut: zeroPadValue(tokenB, 32),
      destination: 10n,
      maxFeeBps: 20,
      dailyLimit: 10_000n * ETHER,
      maxFillSeconds: 3600,
      ...changes,
    };
  }

  async function setMarket(m: Market): Promise<string> {
    await (await vault.connect(owner).setMarket(m)).wait();
    return vault.marketId(m.pool, m.tokenIn);
  }

  async function setRoute(r: Route): Promise<string> {
    await (await vault.connect(owner).setRoute(r)).wait();
    return vault.routeId(r.bridge, r.tokenIn, r.destination);
  }

  let lastId = 0n;
  function transfer(changes: Partial<Transfer> = {}): Transfer {
    const amountIn = changes.amountIn ?? 1_000n * ETHER;
    const amountOut = BigInt(amountIn) - BigInt(amountIn) / 1000n;
    return { id: ++lastId, amountIn, amountOut, quoteTimestamp: 0, fillDeadline: 0, fast: true, ...changes };
  }

  /** The vault's events of a transaction. */
  async function events(sent: Promise<ContractTransactionResponse>) {
    const receipt = (await (await sent).wait())!;
    return receipt.logs.flatMap((log) => vault.interface.parseLog(log) ?? []);
  }

  const holds = async (token: string): Promise<bigint> =>
    world.weth.attach(token).getFunction("balanceOf")(self) as Promise<bigint>;
  const poolContract = (pool: string) => new Contract(pool, artifact(V3_POOL).abi, deployer) as Contract & Record<string, any>;

  return {
    world,
    vault,
    asOperator: vault.connect(operator),
    asOwner: vault.connect(owner),
    asStranger: vault.connect(world.stranger),
    self,
    weth,
    tokenB,
    b,
    v2,
    v3,
    feeds,
    spokePool,
    messenger,
    stargate,
    byFeeds,
    byPool,
    market,
    route,
    setMarket,
    setRoute,
    transfer,
    events,
    holds,
    poolContract,
    allowance: async (token: string, spender: BaseContract) =>
      world.weth.attach(token).getFunction("allowance")(self, await spender.getAddress()) as Promise<bigint>,
  };
}

/** Selector of a function by its signature. */
export const selector = (signature: string): string => keccak(signature).slice(0, 10);
