import { expect } from "chai";
import { getBytes, type Signer } from "ethers";
import { encodeExecute, encodePlan, MAX_AMOUNT } from "../../src/plan/codec.js";
import { explainRevert } from "../../src/plan/errors.js";
import type { Plan } from "../../src/plan/plan.js";
import { encodeExecuteSteps, encodeSteps } from "../../src/plan/steps.js";
import { BalancerLender__factory, StepExecutor__factory } from "../../types/contracts/index.js";
import { deployAave } from "../helpers/aave.js";
import { createWorld, ETHER, type World } from "../helpers/pools.js";
import { erc20, fixed, planOf, PREVIOUS, v3 } from "../helpers/steps.js";
import { addV4 } from "../helpers/v4-world.js";

const GAS_PRICE = 3n * 10n ** 9n;
/** A least profit that no plan makes. */
const UNREACHED = MAX_AMOUNT;
const E = ETHER;

/**
 * A plan that counts its own gas must never count less than the transaction costs: it would land with a loss. Refunds and zeros in
 * the calldata hide what is missing, so that both are taken out here.
 */
describe("ArbExecutor: a plan's own gas", function () {
  let world: World;
  /** Calldata of each plan with a least profit, bare and for `execute`. */
  let plans: Record<string, ((minProfit: bigint) => string)[]>;
  let operators: Signer[];
  let executor: string;

  before(async function () {
    world = await createWorld();
    const b = await world.token("B");
    const v4 = await addV4(world);
    await b.mint(v4.trader, 10n ** 30n);
    const first = {
      v2: await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0),
      v3: await world.addV3(world.weth, b, E, 2060n * E, 500),
    };
    const last = {
      v2: await world.addV2(world.weth, b, 500n * E, 970_000n * E, 1),
      v3: await world.addV3(world.weth, b, E, 1940n * E, 3000),
    };
    const [v4First, v4Last, v4Native] = [
      await v4.pool(world.weth, b, [E, 2060n * E], { fee: 500, tickSpacing: 10 }),
      await v4.pool(b, world.weth, [1940n * E, E]),
      await v4.pool(b, null, [1940n * E, E]),
    ];
    const aave = await deployAave(world, 1000n * E);
    const balancer = await new BalancerLender__factory(world.deployer).deploy();
    await world.weth.transfer(balancer, 1000n * E);
    const lent = { source: "aave-v3", lender: aave.pool, maxFee: E } as const;
    const free = { source: "balancer-v2", lender: await balancer.getAddress(), maxFee: E } as const;
    const own = { source: "own-balance", lender: null, maxFee: 0n } as const;
    const latest = (await world.ethers.provider.getBlock("latest"))!;
    const others = {
      tip: { kind: "share", bips: 5000, floor: 1n, cap: MAX_AMOUNT },
      sweep: true,
      deadline: latest.timestamp + 10 ** 6,
      blocks: { from: 1, to: latest.number + 10 ** 4 },
    } as const;
    const shapes: Record<string, Plan> = {
      "V2, V2": await world.planFor([first.v2, last.v2], E),
      "V3, V3": await world.planFor([first.v3, last.v3], E),
      "V3, V3 adaptive": await world.planFor([first.v3, last.v3], E, { amounts: "adaptive" }),
      "V3, V3 with other guards": await world.planFor([first.v3, last.v3], E, others),
      "V3, V3 with a token named": await world.planFor([first.v3, last.v3], E, { chainId: 31337 }),
      "V3, V3 of Aave": await world.planFor([first.v3, last.v3], E, { funding: lent }),
      "V3, V3 of Balancer": await world.planFor([first.v3, last.v3], E, { funding: free }),
      "V2, V2 of our own": await world.planFor([first.v2, last.v2], E, { funding: own }),
      "V4, V4": await v4.planFor([v4First, v4Last], E),
      "V4, V4 with ETH and other guards": { ...(await v4.planFor([v4First, v4Native], E)), ...others },
    };
    operators = ((await world.ethers.getSigners()) as unknown as Signer[]).slice(5, 9);
    // the contract that asks most before it starts a plan
    const made = await new StepExecutor__factory(world.deployer).deploy(world.owner, operators);
    executor = await made.getAddress();
    await world.weth.transfer(made, 5n * E);
    await b.mint(made, 1n);
    const gasPrice = { price: 1n, scale: 0 };
    plans = Object.fromEntries(
      Object.entries(shapes).map(([name, plan]) => [
        name,
        [encodePlan, encodeExecute].map((encode) => (minProfit: bigint) => encode({ ...plan, gasPrice, minProfit })),
      ]),
    );
    const table = [await erc20(world.weth), await erc20(b)];
    const steps = [v3(first.v3.address, [0, 1, fixed(E)]), v3(last.v3.address, [1, 0, PREVIOUS])];
    plans["steps"] = [encodeSteps, encodeExecuteSteps].map(
      (encode) => (minProfit: bigint) => encode(planOf(table, steps, { gasPrice, minProfit })),
    );
    await world.weth.transfer(world.owner, 1n);
  });

  /** What a plan that cannot make enough counts for itself, in gas. */
  async function countedBy(operator: Signer, data: string): Promise<bigint> {
    const request = { from: await operator.getAddress(), to: executor, data, gasPrice: "0x" + GAS_PRICE.toString(16) };
    const answer = await world.provider.request({ method: "eth_call", params: [request, "pending"] }).then(
      () => undefined,
      (error: { data?: string }) => error.data,
    );
    const told = explainRevert(answer ?? "none");
    expect(told.name).to.equal("ProfitTooLow");
    return ((told.args[1] as bigint) - UNREACHED) / GAS_PRICE;
  }

  /** What a plan costs before refunds, and as if no byte of its calldata were zero. */
  const usedBy = (operator: Signer, data: string): Promise<bigint> =>
    world.rolledBack(async () => {
      const sent = await operator.sendTransaction({ to: executor, data, gasPrice: GAS_PRICE });
      const options = { disableMemory: true, disableStack: true, disableStorage: true };
      const { structLogs } = (await world.provider.request({
        method: "debug_traceTransaction",
        params: [sent.hash, options],
      })) as { structLogs: { refund?: number }[] };
      const zeros = getBytes(data).filter((byte) => byte === 0).length;
      return (await sent.wait())!.gasUsed + BigInt(structLogs.at(-1)!.refund ?? 0) + 12n * BigInt(zeros);
    });

  it("is counted in full, and at most 3 % more, whoever sends it and however it is funded", async function () {
    for (const [name, ways] of Object.entries(plans)) {
      for (const operator of [operators[0]!, operators[3]!]) {
        for (const encoded of ways) {
          const counted = await countedBy(operator, encoded(UNREACHED));
          const used = await usedBy(operator, encoded(0n));
          const text = `${name}: ${counted} counted, ${used} used`;
          expect(counted >= used && counted * 100n <= used * 103n, text).to.equal(true);
        }
      }
    }
  });
});
