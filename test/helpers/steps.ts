import { AbiCoder, type BaseContract, Contract, ContractFactory, ZeroAddress } from "ethers";
import { encodeSteps } from "../../src/plan/steps.js";
import { explainRevert } from "../../src/plan/errors.js";
import type {
  Asset,
  BalancerV2Step,
  BalancerV3Step,
  CurveStep,
  LoanStep,
  Step,
  StepAmount,
  StepsPlan,
  V2Step,
  V3Step,
} from "../../src/plan/step-types.js";
import { balancerArtifact } from "../../src/sim/artifacts.js";
import { callsOf } from "./calls.js";
import type { World } from "./pools.js";

export const fixed = (value: bigint): StepAmount => ({ from: "fixed", value });
export const PREVIOUS: StepAmount = { from: "previous" };
export const SURPLUS: StepAmount = { from: "surplus" };
export const ARRIVED: StepAmount = { from: "arrived" };
export const NATIVE: Asset = { kind: "native", address: ZeroAddress };

export async function erc20(token: BaseContract | string): Promise<Asset> {
  return { kind: "erc20", address: typeof token === "string" ? token : await token.getAddress() };
}

type From = [assetIn: number, assetOut: number, amount: StepAmount];

/** Steps with what most tests need: output to the executor, not measured, exact input. */
export const v2 = (pool: string, [assetIn, assetOut, amount]: From, changes: Partial<V2Step> = {}): V2Step => ({
  kind: "v2",
  pool,
  assetIn,
  assetOut,
  amount,
  measure: false,
  direct: false,
  feePips: 3000,
  amountOut: null,
  maxIn: null,
  ...changes,
});
export const v3 = (pool: string, [assetIn, assetOut, amount]: From, changes: Partial<V3Step> = {}): V3Step => ({
  kind: "v3",
  pool,
  assetIn,
  assetOut,
  amount,
  measure: false,
  direct: false,
  maxIn: null,
  ...changes,
});
export const curve = (pool: string, [assetIn, assetOut, amount]: From, changes: Partial<CurveStep> = {}): CurveStep => ({
  kind: "curve",
  pool,
  assetIn,
  assetOut,
  amount,
  measure: true,
  i: 0,
  j: 1,
  form: "int128",
  ...changes,
});
export const balancerV2 = (
  vault: string,
  poolId: string,
  [assetIn, assetOut, amount]: From,
  maxIn: bigint | null = null,
): BalancerV2Step => ({ kind: "balancer-v2", vault, poolId, assetIn, assetOut, amount, maxIn, measure: false });
export const balancerV3 = (
  vault: string,
  pool: string,
  [assetIn, assetOut, amount]: From,
  changes: Partial<BalancerV3Step> = {},
): BalancerV3Step => ({
  kind: "balancer-v3-swap",
  vault,
  pool,
  assetIn,
  assetOut,
  amount,
  maxIn: null,
  measure: false,
  direct: false,
  ...changes,
});
export const wrap = (kind: "wrap" | "unwrap", [assetIn, assetOut, amount]: From): Step => ({
  kind,
  assetIn,
  assetOut,
  amount,
  measure: false,
});
export const loan = (
  source: LoanStep["source"],
  lender: string,
  amount: bigint,
  maxFee: bigint,
  steps: Step[],
  asset = 0,
): LoanStep => ({
  kind: "loan",
  source,
  lender,
  asset,
  amount,
  maxFee,
  token1: false,
  steps,
});

const UNGUARDED = { deadline: null, blocks: null, parentHash: null, gasPrice: null, tip: null, sweep: false };

/** A plan that gains its first asset. */
export function planOf(assets: Asset[], steps: Step[], changes: Partial<StepsPlan> = {}): StepsPlan {
  return { assets, profitAsset: 0, minProfit: 0n, v4Manager: null, ...UNGUARDED, steps, ...changes };
}

/** Sends plans of steps to a world's executor and tells what came of them. */
export function stepRunner(world: World) {
  const data = (plan: StepsPlan | string) => (typeof plan === "string" ? plan : encodeSteps(plan));

  /** Name of the error that a plan reverts with; "landed" if it does not. Nothing is sent. */
  async function refusal(plan: StepsPlan | string, to = world.executorAddress, from = world.operator): Promise<string> {
    try {
      const call = { from: await from.getAddress(), to, data: data(plan) };
      await world.provider.request({ method: "eth_call", params: [call, "latest"] });
      return "landed";
    } catch (error) {
      const explained = explainRevert((error as { data?: string }).data ?? "none");
      return explained.name === "Error" ? String(explained.args[0]) : explained.name;
    }
  }

  /** How much each asset of the executor changes by a plan that lands. */
  async function changes(plan: StepsPlan): Promise<bigint[]> {
    const all = () => Promise.all(plan.assets.map((asset) => balance(asset, plan.v4Manager)));
    const before = await all();
    const sent = await world.operator.sendTransaction({ to: world.executorAddress, data: data(plan) });
    await sent.wait();
    await callsOf(world, sent.hash);
    return (await all()).map((after, i) => after - before[i]!);
  }

  async function balance({ kind, address }: Asset, manager: string | null): Promise<bigint> {
    if (kind === "native") return world.ethers.provider.getBalance(world.executorAddress);
    const erc6909 = ["function balanceOf(address,uint256) view returns (uint256)"];
    if (kind === "claim") {
      return (await new Contract(manager!, erc6909, world.deployer).getFunction("balanceOf")(
        world.executorAddress,
        BigInt(address),
      )) as bigint;
    }
    const token = new Contract(address, ["function balanceOf(address) view returns (uint256)"], world.deployer);
    return (await token.getFunction("balanceOf")(world.executorAddress)) as bigint;
  }

  return { refusal, changes, balance };
}

/** Balancer V2's own vault with one weighted pool of equal weights, and its pool id. */
export async function deployBalancer(world: World, tokens: [token: string, amount: bigint][]) {
  const by = world.deployer;
  const me = await by.getAddress();
  const make = async (task: string, name: string, args: unknown[]) => {
    const { abi, bytecode } = balancerArtifact(task, name);
    return (await (await new ContractFactory(abi, bytecode, by).deploy(...args)).waitForDeployment()) as Contract;
  };
  const authorizer = await make("20210418-authorizer", "Authorizer", [me]);
  const vault = await make("20210418-vault", "Vault", [authorizer, world.weth, 0, 0]);
  const factory = await make("20210418-weighted-pool", "WeightedPool2TokensFactory", [vault]);
  const sorted = tokens.toSorted(([a], [b]) => (BigInt(a) < BigInt(b) ? -1 : 1));
  const assets = sorted.map(([token]) => token);
  const amounts = sorted.map(([, amount]) => amount);
  const half = 5n * 10n ** 17n;
  const created = (await factory.getFunction("create")("P", "P", assets, [half, half], 3n * 10n ** 15n, false, me)) as {
    hash: string;
  };
  const receipt = (await world.ethers.provider.getTransactionReceipt(created.hash))!;
  const event = receipt.logs.map((log) => factory.interface.parseLog(log)).find((log) => log?.name === "PoolCreated")!;
  const poolAbi = balancerArtifact("20210418-weighted-pool", "WeightedPool2Tokens").abi;
  const poolId = (await new Contract(String(event.args[0]), poolAbi, by).getFunction("getPoolId")()) as string;
  const vaultAddress = await vault.getAddress();
  for (const [token, amount] of tokens) await world.weth.attach(token).getFunction("approve")(vaultAddress, amount);
  const userData = AbiCoder.defaultAbiCoder().encode(["uint256", "uint256[]"], [0, amounts]);
  await vault.getFunction("joinPool")(poolId, me, me, { assets, maxAmountsIn: amounts, userData, fromInternalBalance: false });
  return { vault: vaultAddress, poolId, contract: vault };
}
