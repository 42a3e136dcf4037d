import { expect } from "chai";
import { encodeSteps } from "../../src/plan/steps.js";
import type { Asset, Step, StepAmount } from "../../src/plan/step-types.js";
import { StepExecutor__factory, Scripted__factory, type TestToken } from "../../types/contracts/index.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";
import { erc20, fixed, NATIVE, planOf, PREVIOUS, stepRunner, SURPLUS, v2, wrap } from "../helpers/steps.js";
import { deployV4, type V4Pool, v4Swap } from "../helpers/v4.js";

/** On the published PoolManager. WETH at 0, ETH at 1, B at 2. */
describe("Plans of steps: Uniswap V4", function () {
  let world: World;
  let runner: ReturnType<typeof stepRunner>;
  let b: TestToken;
  let weth: string;
  let tokenB: string;
  let v4: Awaited<ReturnType<typeof deployV4>>;
  let assets: Asset[];
  let cheap: V4Pool;
  let dear: V4Pool;
  let pair: TestPool;
  const E = ETHER;
  const ALL = SURPLUS;

  before(async function () {
    world = await createWorld(true, StepExecutor__factory);
    runner = stepRunner(world);
    b = await world.token("B");
    [weth, tokenB] = [await world.weth.getAddress(), await b.getAddress()];
    v4 = await deployV4(world);
    assets = [await erc20(weth), NATIVE, await erc20(tokenB)];
    // ETH and WETH are both below B: prices of B in them. 45 ^ 2 = 2025, 44 ^ 2 = 1936
    cheap = await v4.addPool([null, b], 45n << 96n, 10_000n * E);
    dear = await v4.addPool([world.weth, b], 44n << 96n, 10_000n * E);
    pair = await world.addV2(world.weth, b, 500n * E, 970_000n * E);
    await world.weth.transfer(world.executorAddress, 5n * E);
  });

  const plan = (steps: Step[], changes = {}, table = assets) => planOf(table, steps, { v4Manager: v4.address, ...changes });
  const unlock = (...steps: Step[]): Step => ({ kind: "v4-unlock", steps });
  const settle = (asset: number, max: bigint): Step => ({ kind: "v4-settle", asset, max });
  const take = (asset: number, amount: StepAmount = ALL): Step => ({ kind: "v4-take", asset, amount });

  it("swaps in one unlock: native ETH in, WETH out, the rest is wrapped", async function () {
    await world.rolledBack(async () => {
      const steps = [
        unlock(
          v4Swap(cheap, [1, 2, fixed(E)]),
          v4Swap(dear, [2, 0, PREVIOUS]),
          take(0),
          wrap("unwrap", [0, 1, fixed(E)]),
          settle(1, E),
        ),
      ];
      const [profit, ...rest] = await runner.changes(plan(steps, { minProfit: 1n }));
      expect(profit! > 10n ** 16n).to.equal(true);
      expect(rest).to.deep.equal([0n, 0n]);
      expect(await runner.refusal(plan(steps, { minProfit: profit! * 2n }))).to.equal("ProfitTooLow");
    });
  });

  it("pays no more than the cap, and neither more nor less than it owes", async function () {
    const swaps = [v4Swap(cheap, [1, 2, fixed(E)]), v4Swap(dear, [2, 0, PREVIOUS]), take(0), wrap("unwrap", [0, 1, fixed(E)])];
    expect(await runner.refusal(plan([unlock(...swaps, settle(1, E - 1n))]))).to.equal("PaymentAboveCap");
    expect(await runner.refusal(plan([unlock(...swaps)]))).to.equal("CurrencyNotSettled");
    expect(await runner.refusal(plan([unlock(...swaps, settle(1, 5n * E), settle(1, 5n * E))]))).to.equal("landed");
  });

  it("swaps for an exact output", async function () {
    await world.rolledBack(async () => {
      const steps = [
        unlock(
          v4Swap(dear, [2, 0, fixed(E)], { exact: "out" }),
          v4Swap(cheap, [1, 2, fixed(1955n * E)], { exact: "out" }),
          take(0, fixed(E)),
          settle(2, 0n),
          wrap("unwrap", [0, 1, fixed(E)]),
          settle(1, E),
          take(2),
          wrap("wrap", [1, 0, ALL]),
        ),
      ];
      const [profit] = await runner.changes(plan(steps));
      expect(profit! > 10n ** 16n).to.equal(true);
    });
  });

  it("lends: taken before anything is owed, and settled after a cycle elsewhere", async function () {
    await world.rolledBack(async () => {
      const steps = [
        unlock(
          take(0, fixed(E)),
          wrap("unwrap", [0, 1, fixed(E)]),
          v4Swap(cheap, [1, 2, fixed(E)]),
          take(2),
          settle(1, E),
          v2(pair.address, [2, 0, ALL]),
          settle(0, E),
        ),
      ];
      const [profit, ...rest] = await runner.changes(plan(steps));
      expect(profit! > 10n ** 16n).to.equal(true);
      expect(rest).to.deep.equal([0n, 0n]);
    });
  });

  it("keeps and spends ERC-6909 claims: what the table lists of them never falls", async function () {
    const table: Asset[] = [...assets, { kind: "claim", address: tokenB }];
    const mint = unlock(
      v4Swap(cheap, [1, 2, fixed(E)]),
      { kind: "v4-mint", asset: 3, amount: PREVIOUS },
      wrap("unwrap", [0, 1, fixed(E)]),
      settle(1, E),
    );
    const burn = (amount: bigint) =>
      unlock({ kind: "v4-burn", asset: 3, amount: fixed(amount) }, v4Swap(dear, [2, 0, fixed(amount)]), take(0));
    await world.rolledBack(async () => {
      // WETH for claims is no profit in WETH, but one in claims: then WETH must not fall
      expect(await runner.refusal(plan([mint], {}, table))).to.equal("ProfitTooLow");
      expect(await runner.refusal(plan([mint], { profitAsset: 3 }, table))).to.equal("AssetLost");
      const both = unlock(...("steps" in mint ? mint.steps : []), { kind: "v4-burn", asset: 3, amount: ALL }, take(2));
      const [profit, , , claims] = await runner.changes(plan([both, v2(pair.address, [2, 0, ALL])], {}, table));
      expect(profit! > 10n ** 16n).to.equal(true);
      expect(claims).to.equal(0n);
      // claims that the executor held before are safe, also where the table does not list them
      await v4.manager.getFunction("setOperator")(world.executorAddress, true);
      await world.weth.transfer(world.executorAddress, E);
      const giver = await new Scripted__factory(world.deployer).deploy();
      await b.mint(giver, 100n * E);
      const { interface: abi } = v4.manager;
      const step = (target: string, data: string) => ({ target, data, mayFail: false });
      await giver.script(
        "0x91dd7346",
        [
          step(v4.address, abi.encodeFunctionData("sync", [tokenB])),
          step(tokenB, b.interface.encodeFunctionData("transfer", [v4.address, 50n * E])),
          step(v4.address, abi.encodeFunctionData("settle", [])),
          step(v4.address, abi.encodeFunctionData("mint", [world.executorAddress, BigInt(tokenB), 50n * E])),
        ],
        `0x${"20".padStart(64, "0")}${"0".repeat(64)}`,
      );
      await giver.run([step(v4.address, abi.encodeFunctionData("unlock", ["0x"]))]);
      expect(await runner.balance(table[3]!, v4.address)).to.equal(50n * E);
      expect(await runner.refusal(plan([burn(50n * E)], {}, table))).to.equal("AssetLost");
    });
  });

  it("a hook is asked with the plan's data, and can neither call back nor start anything", async function () {
    // the lowest bits of its address say that it wants beforeSwap
    const hook = "0x0000000000000000000000000000000000008080";
    const code = await new Scripted__factory(world.deployer).deploy();
    await world.rolledBack(async () => {
      await world.networkHelpers.setCode(hook, await world.ethers.provider.getCode(code));
      const hooked = await v4.addPool([null, b], 46n << 96n, 10_000n * E, hook, 0x800000);
      const contract = Scripted__factory.connect(hook, world.deployer);
      const beforeSwap = "0x575e24b4";
      // its own selector, no delta, no fee of its own
      const answer = beforeSwap + "0".repeat(56) + "0".repeat(64) + "0".repeat(64);
      const executor = world.executorAddress;
      const back = v4.manager.interface.encodeFunctionData("unlock", ["0x"]).slice(10);
      const steps = [
        unlock(v4Swap(hooked, [1, 2, fixed(E)], { hookData: "0x1234" }), take(2), wrap("unwrap", [0, 1, fixed(E)]), settle(1, E)),
        v2(pair.address, [2, 0, ALL]),
      ];
      const inner = world.executor.interface.encodeFunctionData("execute", ["0xb001"]);
      await contract.script(
        beforeSwap,
        [inner, "0x91dd7346" + back, "0xb001"].map((data) => ({ target: executor, data, mayFail: true })),
        answer,
      );
      const sent = await world.operator.sendTransaction({ to: executor, data: encodeSteps(plan(steps)) });
      const receipt = (await world.ethers.provider.getTransactionReceipt(sent.hash))!;
      const results = receipt.logs
        .filter((log) => log.address.toLowerCase() === hook)
        .map((log) => contract.interface.parseLog(log)!.args)
        .map((args) => [args.success as boolean, (args.result as string).slice(0, 10)]);
      const abi = StepExecutor__factory.createInterface();
      const [running, unexpected] = [abi.getError("PlanRunning")!.selector, abi.getError("UnexpectedCallback")!.selector];
      expect(results).to.deep.equal([
        [false, running],
        [false, unexpected],
        [false, unexpected],
      ]);
    });
  });

  it("V4 steps without the manager or outside its unlock are refused by the manager or the contract", async function () {
    const inside = encodeSteps(plan([unlock(take(0, fixed(E)))]));
    // the same bytes with the unlock's head taken away: take(0) stands alone
    const bare = inside.slice(0, -82 * 2) + inside.slice(-41 * 2);
    expect(await runner.refusal(bare)).to.equal("ManagerLocked");
  });
});
