import { expect } from "chai";
import { encodeSteps } from "../../src/plan/steps.js";
import type { Asset, Step, StepAmount, StepsPlan } from "../../src/plan/step-types.js";
import {
  StepExecutor__factory,
  CurveMock__factory,
  FalseToken__factory,
  HookToken__factory,
  RebasingToken__factory,
  ReturnBomb__factory,
  type Scripted,
  Scripted__factory,
  type TestToken,
  VaultMock__factory,
} from "../../types/contracts/index.js";
import { call, createArena, ON_TRANSFER, SWAP_V2, SWAP_V3, v3 as v3Callback } from "../helpers/enemies.js";
import { ETHER, type World } from "../helpers/pools.js";
import { curve, erc20, fixed, loan, NATIVE, planOf, PREVIOUS, stepRunner, SURPLUS, v2, v3, wrap } from "../helpers/steps.js";

const E = ETHER;
const CURVE = "0x3df02124";
const BOMB_GAS = 1_000_000;

/** The executor holds WETH, token B, vault shares and ETH; the operator writes whatever plan. WETH at 0, B at 1, ETH at 2. */
describe("Plans of steps: enemies", function () {
  let arena: Awaited<ReturnType<typeof createArena>>;
  let world: World;
  let runner: ReturnType<typeof stepRunner>;
  let executor: string;
  let fake: Scripted;
  let fakeAddress: string;
  let weth: string;
  let tokenB: string;
  let b: TestToken;
  let assets: Asset[];
  const snapshots: { restore(): Promise<void> }[] = [];

  before(async function () {
    arena = await createArena(StepExecutor__factory);
    ({ world, executor, fake } = arena);
    runner = stepRunner(world);
    b = await world.token("B");
    [weth, tokenB, fakeAddress] = await Promise.all([world.weth.getAddress(), b.getAddress(), fake.getAddress()]);
    assets = [await erc20(weth), await erc20(tokenB), NATIVE];
    await b.mint(executor, 100n * E);
    await world.networkHelpers.setBalance(executor, 3n * E);
  });

  beforeEach(async function () {
    snapshots.push(await world.networkHelpers.takeSnapshot());
  });

  afterEach(async function () {
    await snapshots.pop()!.restore();
  });

  const step = async (target: string, data: string, mayFail = false) => ({ target, data, mayFail });
  const transfer = (to: string, amount: bigint) => b.interface.encodeFunctionData("transfer", [to, amount]);

  /** Sends a plan that must land, and tells what the scripted contract got for its calls. */
  async function stepped(plan: StepsPlan, contract = fake): Promise<string[]> {
    const sent = await world.operator.sendTransaction({ to: executor, data: encodeSteps(plan) });
    return arena.stepped(contract, sent.hash);
  }

  describe("an operator's key cannot take", function () {
    it("held tokens, by paying a fake pool: the first of the table or another", async function () {
      expect(await runner.refusal(planOf(assets, [v2(fakeAddress, [0, 1, fixed(E)], { amountOut: 1n })]))).to.equal(
        "ProfitTooLow",
      );
      expect(await runner.refusal(planOf(assets, [v2(fakeAddress, [1, 0, fixed(E)], { amountOut: 1n })]))).to.equal("AssetLost");
      await fake.script(SWAP_V3, [await step(executor, v3Callback("uniswapV3SwapCallback", 5n, -1n)("0x"))], "0x");
      expect(await runner.refusal(planOf(assets, [v3(fakeAddress, [1, 0, fixed(E)])]))).to.equal("AssetLost");
    });

    it("held ETH, by wrapping it and paying it out, or with a call", async function () {
      const wrapped = [wrap("wrap", [2, 0, fixed(E)]), v2(fakeAddress, [0, 1, PREVIOUS], { amountOut: 1n })];
      expect(await runner.refusal(planOf(assets, wrapped))).to.equal("AssetLost");
      const native = [curve(fakeAddress, [2, 1, fixed(E)], { form: "native" })];
      expect(await runner.refusal(planOf(assets, native))).to.equal("AssetLost");
      // no ETH in the table, no ETH to pay
      const bare = encodeSteps(planOf(assets, wrapped)).replace("00".repeat(21), "01" + weth.slice(2).toLowerCase());
      expect(await runner.refusal(bare)).to.equal("MalformedPlan");
    });

    it("held WETH, by unwrapping it and paying ETH out", async function () {
      const steps = [wrap("unwrap", [0, 2, fixed(E)]), curve(fakeAddress, [2, 1, PREVIOUS], { form: "native" })];
      expect(await runner.refusal(planOf(assets, steps))).to.equal("ProfitTooLow");
    });

    it("a held vault share, by redeeming it and paying the result to a fake pool", async function () {
      const vault = await new VaultMock__factory(world.deployer).deploy(b);
      const share = await vault.getAddress();
      await b.approve(vault, 1000n * E);
      await vault.deposit(1000n * E, executor);
      const table = [...assets, await erc20(share)];
      const redeem: Step = {
        kind: "erc4626-redeem",
        vault: share,
        assetIn: 3,
        assetOut: 1,
        amount: fixed(10n * E),
        measure: true,
      };
      const pay = v2(fakeAddress, [1, 0, PREVIOUS], { amountOut: 1n });
      expect(await runner.refusal(planOf(table, [redeem, pay]))).to.equal("AssetLost");

      // under another asset's index: what is burned must be the entry
      const hidden = encodeSteps(planOf(table, [redeem, pay]));
      const forged = hidden.replace("064031", "064011");
      expect(forged).to.not.equal(hidden);
      expect(await runner.refusal(forged)).to.equal("MalformedPlan");

      // through a vault that burns another contract's shares (ERC-7575), which the table does not list
      const front = await new VaultMock__factory(world.deployer).deploy(b);
      await front.setOther(vault);
      const frontAddress = await front.getAddress();
      const list = [...assets, await erc20(frontAddress)];
      expect(await runner.refusal(planOf(list, [{ ...redeem, vault: frontAddress }, pay]))).to.equal("MalformedPlan");
    });

    it("one token while it counts the profit in another", async function () {
      // the fake pool really pays a profit in WETH, for B that the executor held
      const give = transfer(executor, 2n * E);
      await fake.script(SWAP_V2, [await step(weth, give)], "0x");
      const sell = [v2(fakeAddress, [1, 0, fixed(50n * E)], { amountOut: 1n })];
      expect(await runner.refusal(planOf(assets, sell, { minProfit: E }))).to.equal("AssetLost");
    });

    it("an approval: what a pool does not take is not there afterwards", async function () {
      const lazy = await new CurveMock__factory(world.deployer).deploy(weth, tokenB, 1_000_000n);
      await lazy.setLazy();
      const address = await lazy.getAddress();
      const plan = planOf(assets, [curve(address, [0, 1, fixed(E)]), curve(address, [1, 0, fixed(E)], { i: 1, j: 0 })]);
      expect(await runner.changes(plan)).to.deep.equal([0n, 0n, 0n]);
      expect(await world.weth.allowance(executor, lazy)).to.equal(0n);
      expect(await b.allowance(executor, lazy)).to.equal(0n);
      for (const source of ["aave-v3", "morpho", "erc3156"] as const) {
        const types = { "aave-v3": "0x42b0b77c", morpho: "0xe0232b42", erc3156: "0x5cffe9de" };
        const data = encodeSteps(planOf(assets, [loan(source, fakeAddress, E, 0n, [])]));
        await fake.script(types[source], [await step(executor, lenderCallback(source, data, executor))], "0x");
        await stepped(planOf(assets, [loan(source, fakeAddress, E, 0n, [])]));
        expect(await world.weth.allowance(executor, fake)).to.equal(0n);
      }
    });

    it("anything by an allowance used inside the call that it was given for", async function () {
      const steal = b.interface.encodeFunctionData("transferFrom", [executor, fakeAddress, E]);
      await fake.script(CURVE, [await step(tokenB, steal)], "0x");
      expect(await runner.refusal(planOf(assets, [curve(fakeAddress, [1, 0, fixed(E)])]))).to.equal("AssetLost");
      const more = b.interface.encodeFunctionData("transferFrom", [executor, fakeAddress, E + 1n]);
      await fake.script(CURVE, [await step(tokenB, more, true)], "0x");
      expect(await runner.refusal(planOf(assets, [curve(fakeAddress, [1, 0, fixed(E)])]))).to.equal("landed");
    });
  });

  describe("callbacks", function () {
    const types = ["address", "uint256", "uint256", "bytes"];
    const flash = (pool: string, steps: Step[] = []): Step => ({
      kind: "flash-v2",
      pool,
      assetIn: 0,
      assetOut: 1,
      amountOut: 1n,
      maxIn: 1000n,
      feePips: null,
      steps,
    });
    const v2Callback = (data: string) => call("uniswapV2Call(address,uint256,uint256,bytes)", types, [executor, 1n, 0n, data]);

    it("are served once, with the plan's own bytes, while the pool is called", async function () {
      const plan = planOf(assets, [flash(fakeAddress)]);
      const data = encodeSteps(plan);
      const refund = await step(weth, transfer(executor, 5000n));
      const good = await step(executor, v2Callback(data), true);
      const altered = [
        data + "00",
        data.slice(0, -2),
        "0x",
        data.slice(0, -2) + "55",
        encodeSteps(planOf(assets, [flash(weth)])),
      ];
      const bad = await Promise.all(altered.map((bytes) => step(executor, v2Callback(bytes), true)));
      // a refused one uses nothing up
      await fake.script(SWAP_V2, [refund, ...bad, good, good], "0x");
      const refused = altered.map(() => "UnexpectedCallback");
      expect(await stepped(plan)).to.deep.equal(["done", ...refused, "done", "UnexpectedCallback"]);
      // and afterwards nobody is served
      expect(await arena.refusal(v2Callback(data), executor, world.stranger)).to.equal("NotOperator");
    });

    it("of another kind than the step's, or of a stranger, are refused", async function () {
      const plan = planOf(assets, [flash(fakeAddress)]);
      const data = encodeSteps(plan);
      const forms = [
        v3Callback("uniswapV3SwapCallback")(data),
        call("unlockCallback(bytes)", ["bytes"], [data]),
        call("onMorphoFlashLoan(uint256,bytes)", ["uint256", "bytes"], [1n, data]),
        lenderCallback("erc3156", data, executor),
        lenderCallback("aave-v3", data, executor),
        data,
      ];
      const stranger = await new Scripted__factory(world.deployer).deploy();
      const good = await step(executor, v2Callback(data), true);
      const strange = await step(await stranger.getAddress(), stranger.interface.encodeFunctionData("run", [[good]]));
      const own = await Promise.all(forms.map((bytes) => step(executor, bytes, true)));
      await fake.script(SWAP_V2, [...own, strange], "0x");
      const sent = await world.operator.sendTransaction({ to: executor, data });
      expect(await arena.stepped(fake, sent.hash)).to.deep.equal([...forms.map(() => "UnexpectedCallback"), "done"]);
      expect(await arena.stepped(stranger, sent.hash)).to.deep.equal(["UnexpectedCallback"]);
    });

    it("of a V3 pool get at most the cap, once, and with no data", async function () {
      const pay = (owed: bigint, data = "0x") => step(executor, v3Callback("uniswapV3SwapCallback", owed, -1n)(data), true);
      const give = await step(weth, transfer(executor, E));
      const plan = planOf(assets, [v3(fakeAddress, [0, 1, fixed(1000n)])]);
      await fake.script(SWAP_V3, [give, await pay(1001n), await pay(1000n, "0x12"), await pay(1000n), await pay(1n)], "0x");
      const refused = ["PaymentAboveCap", "UnexpectedCallback", "done", "UnexpectedCallback"];
      expect(await stepped(plan)).to.deep.equal(["done", ...refused]);
    });

    it("of lenders that strangers called with us as the receiver are refused, also inside our own loan", async function () {
      for (const source of ["aave-v3", "erc3156"] as const) {
        const plan = planOf(assets, [loan(source, fakeAddress, E, 0n, [])]);
        const data = encodeSteps(plan);
        const other = lenderCallback(source, data, await world.stranger.getAddress());
        await fake.script(source === "aave-v3" ? "0x42b0b77c" : "0x5cffe9de", [await step(executor, other, true)], "0x");
        expect(await stepped(plan)).to.deep.equal(["UnexpectedCallback"]);
        expect(await arena.refusal(other, executor, world.stranger)).to.equal("NotOperator");
      }
    });

    it("that never come leave nothing open", async function () {
      const plan = planOf(assets, [
        flash(fakeAddress),
        loan("morpho", fakeAddress, E, 0n, []),
        v3(fakeAddress, [0, 1, fixed(1n)]),
        // now the fake pool is called again, and calls back as the one before should have
        curve(fakeAddress, [0, 1, fixed(1n)]),
      ]);
      const data = encodeSteps(plan);
      const late = [v2Callback(data), v3Callback("uniswapV3SwapCallback", 1n, -1n)("0x"), data];
      await fake.script(CURVE, await Promise.all(late.map((bytes) => step(executor, bytes, true))), "0x");
      expect(await stepped(plan)).to.deep.equal(late.map(() => "UnexpectedCallback"));
    });
  });

  it("a hostile token's hook starts nothing: no plan, no rescue, no change of owner, whoever calls", async function () {
    const hook = await new HookToken__factory(world.deployer).deploy();
    const bot = arena.botOperator;
    const own = arena.ownAddress;
    const token = await hook.getAddress();
    await hook.mint(own, E);
    await hook.setHook(bot);
    const { interface: abi } = world.executor;
    const attempts = [
      encodeSteps(planOf(assets, [v2(fakeAddress, [0, 1, fixed(E)], { amountOut: 1n })])),
      abi.encodeFunctionData("execute", ["0xb0"]),
      abi.encodeFunctionData("execute", ["0xa0"]),
      abi.encodeFunctionData("rescue", [weth, 1n]),
    ];
    await bot.script(ON_TRANSFER, await Promise.all(attempts.map((data) => step(own, data, true))), "0x");
    const plan = planOf([await erc20(token), await erc20(weth)], [v2(fakeAddress, [0, 1, fixed(1n)], { amountOut: 1n })]);
    const runs = [{ target: own, data: encodeSteps(plan), mayFail: true }];
    // the hook's own answers are lost with the reverted plan; a plan that loses nothing keeps them
    await hook.mint(fake, 10n);
    await fake.script(SWAP_V2, [await step(token, hook.interface.encodeFunctionData("transfer", [own, 1n]))], "0x");
    const sent = await bot.connect(world.operator).run(runs);
    const results = await arena.stepped(bot, sent.hash);
    const refused = ["UnexpectedCallback", "PlanRunning", "PlanRunning", "NotOwner"];
    expect(results).to.deep.equal([...refused, ...refused, "done"]);
  });

  it("ETH comes in only while steps run, and is then a gift", async function () {
    const pay = { to: executor, value: 1n };
    const outcome = async (from: typeof world.operator) =>
      from.sendTransaction(pay).then(
        () => "landed",
        (error: Error) => error.message,
      );
    expect(await outcome(world.stranger)).to.contain("NotOperator");
    expect(await outcome(world.operator)).to.contain("MalformedPlan");
    const giver = await new CurveMock__factory(world.deployer).deploy(weth, tokenB, 1_000_000n, { value: 5n * E });
    const giverAddress = await giver.getAddress();
    const sell = (amount: StepAmount) => curve(giverAddress, [1, 2, amount], { form: "native", i: 1, j: 0 });
    // B for ETH: B fell, whatever came in
    expect(await runner.refusal(planOf(assets, [sell(fixed(E))], { profitAsset: 2 }))).to.equal("AssetLost");
    // B that somebody gave
    await b.mint(fake, E);
    await fake.script(SWAP_V3, [await step(tokenB, transfer(executor, E))], "0x");
    const plan = planOf(assets, [v3(fakeAddress, [0, 1, fixed(1n)]), sell(SURPLUS)], { profitAsset: 2, minProfit: E });
    expect(await runner.refusal({ ...plan, minProfit: E + 1n })).to.equal("ProfitTooLow");
    expect(await runner.changes(plan)).to.deep.equal([0n, 0n, E]);
  });

  it("donations before, during and after a plan change nothing but what they give", async function () {
    const nothing = planOf(assets, [v2(fakeAddress, [1, 0, fixed(1n)], { amountOut: 1n })]);
    await fake.script(SWAP_V2, [await step(weth, transfer(executor, 7n)), await step(tokenB, transfer(executor, 1n))], "0x");
    await b.mint(fake, 100n);
    expect((await runner.changes({ ...nothing, minProfit: 7n })).slice(0, 2)).to.deep.equal([7n, 0n]);
    // what lay there before is not the plan's
    await world.weth.transfer(executor, E);
    expect(await runner.refusal({ ...nothing, minProfit: 8n })).to.equal("ProfitTooLow");
    const spend = planOf(assets, [v2(fakeAddress, [1, 0, SURPLUS], { amountOut: 1n })]);
    expect((await runner.changes(spend))[1]).to.equal(1n);
  });

  it("tokens that answer false, or shrink while they move, make the plan fail", async function () {
    const liar = await new FalseToken__factory(world.deployer).deploy();
    await liar.mint(executor, E);
    const lie = planOf(
      [await erc20(await liar.getAddress()), assets[1]!],
      [v2(fakeAddress, [0, 1, fixed(1n)], { amountOut: 1n })],
    );
    expect(await runner.refusal(lie)).to.equal("TokenCallFailed");
    const shrinking = await new RebasingToken__factory(world.deployer).deploy();
    await shrinking.mint(executor, E);
    await shrinking.setVictim(executor);
    const shrink = planOf(
      [assets[0]!, await erc20(await shrinking.getAddress())],
      [v2(fakeAddress, [1, 0, fixed(1n)], { amountOut: 1n })],
    );
    expect(await runner.refusal(shrink)).to.equal("AssetLost");
    const noToken = planOf([await erc20(await world.stranger.getAddress()), assets[1]!], [v2(fakeAddress, [0, 1, fixed(1n)])]);
    expect(await runner.refusal(noToken)).to.equal("TokenCallFailed");
  });

  it("a bomb of return data costs little, as an answer and as a failure", async function () {
    const bomb = await new ReturnBomb__factory(world.deployer).deploy();
    const address = await bomb.getAddress();
    const plan = planOf(assets, [curve(address, [0, 1, fixed(1n)]), v3(address, [0, 1, fixed(1n)])]);
    for (const failing of [false, true]) {
      await bomb.setFailing(failing);
      const data = encodeSteps(plan);
      const sent = world.operator.sendTransaction({ to: executor, data, gasLimit: BOMB_GAS });
      expect(
        await sent.then(
          () => "landed",
          () => "reverted",
        ),
      ).to.equal(failing ? "reverted" : "landed");
      if (failing) continue;
      const receipt = (await world.ethers.provider.getTransactionReceipt((await sent).hash))!;
      expect(receipt.gasUsed < 700_000n).to.equal(true);
    }
    await bomb.setFailing(true);
    const answer = (await world.provider
      .request({
        method: "eth_call",
        params: [{ from: await world.operator.getAddress(), to: executor, data: encodeSteps(plan) }],
      })
      .catch((error: { data?: string }) => error.data)) as string;
    expect(answer.length).to.equal(2 + 2 * 1024);
  });

  it("a plan that was stolen from the mempool is nobody else's, and one plan leaves nothing to the next", async function () {
    const plan = planOf(assets, [wrap("unwrap", [0, 2, fixed(E)]), wrap("wrap", [2, 0, PREVIOUS])]);
    expect(await runner.refusal(plan, executor, world.stranger)).to.equal("NotOperator");
    expect(await runner.refusal(plan, executor, world.owner)).to.equal("NotOperator");
    // two plans in one transaction of an operator that is a contract: the second sees none of the first's snapshots
    const own = await new StepExecutor__factory(world.deployer).deploy(world.owner, [arena.botOperator]);
    const target = await own.getAddress();
    await world.weth.transfer(target, E);
    const runs = [encodeSteps(plan), encodeSteps(planOf(assets, [v2(fakeAddress, [0, 1, SURPLUS], { amountOut: 1n })]))];
    await arena.botOperator.run(runs.map((data) => ({ target, data, mayFail: false })));
    expect(await world.weth.balanceOf(target)).to.equal(E);
  });

  it("bytes that are no plan are refused", async function () {
    const good = encodeSteps(planOf(assets, [wrap("unwrap", [0, 2, fixed(E)]), wrap("wrap", [2, 0, PREVIOUS])])).slice(2);
    expect(await runner.refusal("0x" + good)).to.equal("landed");
    const table = 2 * 18;
    const first = 2 * (18 + 63);
    const put = (place: number, bytes: string) => "0x" + good.slice(0, place) + bytes + good.slice(place + bytes.length);
    const broken: Record<string, string> = {
      "a flag without meaning": put(0, "b2"),
      "another flag without meaning": put(0, "b8"),
      "no assets": put(2, "00"),
      "a profit asset beyond the table": put(2, "33"),
      "a kind of asset that is none": put(table, "03"),
      "a claim without a manager": put(table, "02"),
      "ETH with an address": put(table, "00"),
      "a kind of step that is none": put(first, "00"),
      "a kind of step beyond the last": put(first, "17"),
      "a source of amounts that is none": put(first + 2, "05"),
      "an asset beyond the table": put(first + 4, "32"),
      "a step longer than the plan": put(first + 6, "0030"),
      "a cut step": "0x" + good.slice(0, -2),
      "only a head": "0x" + good.slice(0, table),
      "a V4 step without a manager": put(first, "09"),
      "a loan whose amount is not fixed": put(first, "1201"),
    };
    for (const [what, bytes] of Object.entries(broken))
      expect([what, await runner.refusal(bytes)]).to.deep.equal([what, "MalformedPlan"]);
  });

  function lenderCallback(source: "aave-v3" | "erc3156" | "morpho", data: string, initiator: string): string {
    if (source === "morpho") return call("onMorphoFlashLoan(uint256,bytes)", ["uint256", "bytes"], [E, data]);
    const [a, n, bytes] = ["address", "uint256", "bytes"];
    return source === "aave-v3"
      ? call("executeOperation(address,uint256,uint256,address,bytes)", [a!, n!, n!, a!, bytes!], [weth, E, 0n, initiator, data])
      : call("onFlashLoan(address,address,uint256,uint256,bytes)", [a!, a!, n!, n!, bytes!], [initiator, weth, E, 0n, data]);
  }
});
