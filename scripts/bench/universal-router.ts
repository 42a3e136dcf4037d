import { AbiCoder, concat, Contract, ContractFactory, keccak256, MaxUint256, toBeHex, ZeroAddress } from "ethers";
import type { PlanHop } from "../../src/plan/plan.js";
import { artifact as packageArtifact, EXTRACTS, packageText } from "../../src/sim/artifacts.js";
import { artifact, type World } from "../../test/helpers/pools.js";
import { Batch__factory, IERC20__factory } from "../../types/contracts/index.js";
import { POOL_MANAGER } from "../../test/helpers/v4-world.js";
import { AMOUNT_IN, type Baseline, factoryOf, pairsOf, type Stage } from "./scenario.js";

export const PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3";
const V2_PAIR = "@uniswap/v2-core/build/UniswapV2Pair.json";
const V3_POOL = "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json";

// commands and constants: Commands.sol of universal-router, ActionConstants.sol of v4-periphery
const COMMANDS = { v3: 0x00, v2: 0x08, v4: 0x10 } as const;
const TO_SENDER = toBeHex(1, 20);
const TO_ROUTER = toBeHex(2, 20);
const ALREADY_PAID = 0n;
const WHOLE_BALANCE = 1n << 255n;

const coder = AbiCoder.defaultAbiCoder();

/** Neighbouring hops that one command swaps. */
interface Leg {
  kind: PlanHop["kind"];
  /** The V2 factory whose pairs they are; null for V3. */
  factory: string | null;
  hops: PlanHop[];
}

/** Places Permit2, and deploys a Universal Router for each V2 factory of the scenario, by factory. */
export async function deployUniversalRouters({ world, paths }: Stage): Promise<Map<string, Contract>> {
  const code = /hex"([0-9a-f]+)"/.exec(packageText(`${EXTRACTS.permit2}/DeployPermit2.sol`))![1]!;
  await world.networkHelpers.setCode(PERMIT2, `0x${code}`);
  const weth = await world.weth.getAddress();
  const pools = pairsOf(paths);
  const v3Factory = await factoryOf(world, pools.find(({ kind }) => kind === "v3")!.address);
  const { abi, bytecode } = packageArtifact(`${EXTRACTS.universalRouter}/UniversalRouter.sol/UniversalRouter.json`);
  const hashes = [V2_PAIR, V3_POOL].map((file) => keccak256(artifact(file).bytecode));
  const routers = new Map<string, Contract>();
  for (const pool of pools.filter(({ kind }) => kind === "v2")) {
    const v2Factory = await factoryOf(world, pool.address);
    if (routers.has(v2Factory)) continue;
    const settings = [PERMIT2, weth, v2Factory, v3Factory, ...hashes, POOL_MANAGER, ZeroAddress, ZeroAddress, ZeroAddress];
    routers.set(v2Factory, (await new ContractFactory(abi, bytecode, world.operator).deploy(settings)) as Contract);
  }
  return routers;
}

/** Uniswap's Universal Router with own capital, approved through Permit2; its least output leaves 90 % of the profit. */
export async function universalRouterBaseline(stage: Stage, routers: ReadonlyMap<string, Contract>): Promise<Baseline> {
  const { world } = stage;
  const weth = await world.weth.getAddress();
  const user = world.operator;
  const batch = await new Batch__factory(user).deploy();
  for (const holder of [await user.getAddress(), await batch.getAddress()]) {
    await world.weth.transfer(holder, 2n * AMOUNT_IN);
    for (const token of stage.tokens) await IERC20__factory.connect(token, world.deployer).transfer(holder, 1n);
  }
  await IERC20__factory.connect(weth, user).approve(PERMIT2, MaxUint256);
  await batch.approve(weth, PERMIT2);

  const permit2 = new Contract(PERMIT2, ["function approve(address,address,uint160,uint48)"], user);
  for (const router of routers.values()) {
    await permit2.getFunction("approve")(weth, router, 2n ** 160n - 1n, 2n ** 48n - 1n);
    await batch.approvePermit2(PERMIT2, weth, router);
  }
  const [anyRouter] = [...routers.values()];

  return async (path) => {
    const legs = await legsOf(world, (await stage.planOf(path)).hops);
    const v2Factories = new Set(legs.flatMap(({ factory }) => factory ?? []));
    const commands = legs.map((leg, i) => ({
      leg,
      command: [COMMANDS[leg.kind as keyof typeof COMMANDS]],
      input: inputOf(legs, i),
    }));
    return await world.rolledBack(async () => {
      if (v2Factories.size < 2) {
        const router = routers.get([...v2Factories][0] ?? "") ?? anyRouter!;
        const data = executeData(
          router,
          commands.flatMap(({ command }) => command),
          commands.map(({ input }) => input),
        );
        const sent = await user.sendTransaction({ to: router, data });
        return Number((await sent.wait())!.gasUsed);
      }
      const calls = [];
      for (const { leg, command, input } of commands) {
        const router = routers.get(leg.factory ?? "") ?? anyRouter!;
        calls.push({ router, data: executeData(router, command, [input]) });
      }
      const sent = await batch.run(
        calls.map(({ router }) => router),
        calls.map(({ data }) => data),
      );
      return Number((await sent.wait())!.gasUsed);
    });
  };
}

/** Neighbours of one kind and one factory go together. */
async function legsOf(world: World, hops: PlanHop[]): Promise<Leg[]> {
  const legs: Leg[] = [];
  for (const hop of hops) {
    const factory = hop.kind === "v2" ? await factoryOf(world, hop.pool) : null;
    const last = legs.at(-1);
    if (last?.kind === hop.kind && last.factory === factory) last.hops.push(hop);
    else legs.push({ kind: hop.kind, factory, hops: [hop] });
  }
  return legs;
}

/** Arguments of a swap with exact input. Outputs go straight to a following pair; V3 pools are paid out of the router. */
function inputOf(legs: Leg[], i: number): string {
  const { kind, hops } = legs[i]!;
  if (kind === "v4") return inputOfV4(legs, i);
  const next = legs[i + 1];
  const recipient = next === undefined ? TO_SENDER : next.kind === "v2" ? next.hops[0]!.pool : TO_ROUTER;
  const amount = i === 0 ? AMOUNT_IN : kind === "v2" ? ALREADY_PAID : WHOLE_BALANCE;
  const least = next === undefined ? AMOUNT_IN + ((hops.at(-1)!.amountOut - AMOUNT_IN) * 9n) / 10n : 0n;
  const first = hops[0]!.tokenIn;
  const route =
    kind === "v2"
      ? [first, ...hops.map(({ tokenOut }) => tokenOut)]
      : concat([first, ...hops.flatMap(({ feePips, tokenOut }) => [toBeHex(feePips, 3), tokenOut])]);
  const types = ["address", "uint256", "uint256", kind === "v2" ? "address[]" : "bytes", "bool"];
  return coder.encode(types, [recipient, amount, least, route, i === 0]);
}

function executeData(router: Contract, commands: number[], inputs: string[]): string {
  const list = concat(commands.map((command) => toBeHex(command, 1)));
  return router.interface.encodeFunctionData("execute(bytes,bytes[])", [list, inputs]);
}

// actions of Actions.sol, structs of IV4Router.sol, of the v4-periphery that Universal Router 2.1 is built with
const SWAP_EXACT_IN = 0x07;
const SETTLE_ALL = 0x0c;
const TAKE = 0x0e;
const TAKE_ALL = 0x0f;
const PATH_KEY = "tuple(address intermediateCurrency, uint24 fee, int24 tickSpacing, address hooks, bytes hookData)";
const EXACT_INPUT = `tuple(address, ${PATH_KEY}[], uint256[] maxHopSlippage, uint128 amountIn, uint128 amountOutMinimum)`;

/** Actions of the V4_SWAP command, for a leg that starts the cycle. A whole cycle in V4 takes its profit and pays nothing. */
function inputOfV4(legs: Leg[], i: number): string {
  if (i !== 0) throw new Error("a V4 leg behind others is not part of the scenario");
  const { hops } = legs[i]!;
  const { tokenOut, amountOut } = hops.at(-1)!;
  const path = hops.map(({ tokenOut: to, v4 }) => [to, v4!.fee, v4!.tickSpacing, v4!.hooks, v4!.hookData]);
  const swap = coder.encode([EXACT_INPUT], [[hops[0]!.tokenIn, path, [], AMOUNT_IN, 0n]]);
  const isWhole = legs.length === 1;
  const actions = isWhole ? [SWAP_EXACT_IN, TAKE_ALL] : [SWAP_EXACT_IN, SETTLE_ALL, TAKE];
  const rest = isWhole
    ? [coder.encode(["address", "uint256"], [tokenOut, ((amountOut - AMOUNT_IN) * 9n) / 10n])]
    : [
        coder.encode(["address", "uint256"], [hops[0]!.tokenIn, AMOUNT_IN]),
        coder.encode(["address", "address", "uint256"], [tokenOut, TO_ROUTER, 0n]),
      ];
  return coder.encode(["bytes", "bytes[]"], [concat(actions.map((action) => toBeHex(action, 1))), [swap, ...rest]]);
}
