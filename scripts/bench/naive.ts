import type { Contract } from "ethers";
import { IERC20__factory, type NaiveArbitrage, NaiveArbitrage__factory } from "../../types/contracts/index.js";
import { deploy } from "../../test/helpers/pools.js";
import { AMOUNT_IN, type Baseline, factoryOf, type Stage } from "./scenario.js";
import { PERMIT2 } from "./universal-router.js";

const V2_ROUTER = "@uniswap/v2-periphery/build/UniswapV2Router02.json";
const V3_ROUTER = "@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json";

/** NaiveArbitrage.Kind. */
const KINDS = ["v2", "v3", "v4"];

/** The usual design: Aave lends, routers swap, 1 % of slippage per hop; its least profit is 90 % of what the premium leaves. */
export async function naiveBaseline(stage: Stage, v4Router: Contract): Promise<Baseline> {
  const { world } = stage;
  const weth = await world.weth.getAddress();
  const aave = stage.lenders.find(({ source }) => source === "aave-v3")!;
  const naive = await new NaiveArbitrage__factory(world.operator).deploy(aave.lender!);
  await world.weth.transfer(naive, 10n ** 15n);
  for (const token of stage.tokens) await IERC20__factory.connect(token, world.deployer).transfer(naive, 1n);

  const routers = new Map<string, string>();
  const routerOf = async (kind: string, pool: string) => {
    if (kind === "v4") return await v4Router.getAddress();
    const factory = await factoryOf(world, pool);
    if (!routers.has(factory)) {
      const made = await deploy(world.deployer, kind === "v3" ? V3_ROUTER : V2_ROUTER, [factory, weth]);
      routers.set(factory, await made.getAddress());
    }
    return routers.get(factory)!;
  };
  for (const token of [weth, ...stage.tokens]) await naive.allow(PERMIT2, token, v4Router);
  return async (path) => {
    const hops = await stage.hopsOf(path);
    const routed: Parameters<NaiveArbitrage["execute"]>[2] = [];
    for (const { kind, pool, tokenIn, tokenOut, feePips, amountOut } of hops) {
      const router = await routerOf(kind, pool);
      const amountOutMin = (amountOut * 99n) / 100n;
      routed.push({ kind: KINDS.indexOf(kind), router, tokenIn, tokenOut, fee: feePips, amountOutMin });
    }
    const profit = hops.at(-1)!.amountOut - AMOUNT_IN - aave.maxFee;
    return await world.rolledBack(async () => {
      const sent = await naive.execute(weth, AMOUNT_IN, routed, (profit * 9n) / 10n);
      return Number((await sent.wait())!.gasUsed);
    });
  };
}
