import { expect } from "chai";
import { MaxUint256, type Signer, ZeroAddress } from "ethers";
import { network } from "hardhat";
import { BUILT_IN_TOKENS } from "../../src/plan/codec.js";
import {
  ArbExecutor__factory,
  FalseToken__factory,
  ForceEther__factory,
  IArbExecutor__factory,
  MissingReturnToken__factory,
  Scripted__factory,
  TestToken__factory,
} from "../../types/contracts/index.js";
import { explainRevert } from "../../src/plan/errors.js";
import { createWorld, ETHER, type World } from "../helpers/pools.js";

describe("ArbExecutor: roles and rescue", function () {
  let world: World;
  let owner: string;
  let operator: string;
  let stranger: string;

  before(async function () {
    world = await createWorld();
    [owner, operator, stranger] = (await Promise.all(
      [world.owner, world.operator, world.stranger].map((signer) => signer.getAddress()),
    )) as [string, string, string];
  });

  /** The custom error's name that a promise rejects with; "done" if it does not. */
  async function refusal(promise: Promise<unknown>): Promise<string> {
    try {
      await promise;
      return "done";
    } catch (error) {
      return (
        /'(\w+)\(/.exec((error as Error).message)?.[1] ??
        (error as { revert?: { name: string } }).revert?.name ??
        (error as Error).message
      );
    }
  }

  const deploy = (by: string, operators: string[]) => refusal(new ArbExecutor__factory(world.deployer).deploy(by, operators));
  const numbered = (count: number) => Array.from({ length: count }, (_, i) => "0x" + (0x1000 + i).toString(16).padStart(40, "0"));

  it("is deployed with an owner and one to four operators, all different and none zero", async function () {
    for (const count of [1, 2, 3, 4]) expect(await deploy(owner, numbered(count))).to.equal("done");
    expect(await deploy(ZeroAddress, numbered(1))).to.equal("InvalidOwner");
    expect(await deploy(owner, [])).to.equal("InvalidOperators");
    expect(await deploy(owner, numbered(5))).to.equal("InvalidOperators");
    expect(await deploy(owner, [ZeroAddress])).to.equal("InvalidOperators");
    expect(await deploy(owner, [stranger, owner])).to.equal("InvalidOperators");
    expect(await deploy(owner, [stranger, operator, stranger])).to.equal("InvalidOperators");
  });

  it("tells its operators in order, and each of them may execute", async function () {
    for (const count of [1, 2, 3, 4]) {
      const list = (await world.ethers.getSigners()).slice(4, 4 + count);
      const deployed = await new ArbExecutor__factory(world.deployer).deploy(owner, list);
      const executor = IArbExecutor__factory.connect(await deployed.getAddress(), world.deployer);
      expect([...(await executor.operators())]).to.deep.equal(list.map((signer) => signer.address));
      // an operator's empty plan is malformed, a stranger's is not even looked at
      for (const signer of list)
        expect(await refusal(executor.connect(signer).execute.staticCall("0x"))).to.equal("MalformedPlan");
      expect(await refusal(executor.connect(world.stranger).execute.staticCall("0x"))).to.equal("NotOperator");
    }
  });

  it("hands ownership over in two steps", async function () {
    await world.rolledBack(async () => {
      const [asOwner, asStranger] = [world.executor.connect(world.owner), world.executor.connect(world.stranger)];
      expect(await refusal(asStranger.transferOwnership(stranger))).to.equal("NotOwner");
      expect(await refusal(world.executor.connect(world.operator).transferOwnership(operator))).to.equal("NotOwner");
      expect(await refusal(asStranger.acceptOwnership())).to.equal("NotOwner");
      expect(await refusal(asOwner.transferOwnership(operator))).to.equal("InvalidOwner");
      await asOwner.transferOwnership(stranger);
      expect(await world.executor.owner()).to.equal(owner);
      expect(await world.executor.pendingOwner()).to.equal(stranger);
      expect(await refusal(asOwner.acceptOwnership())).to.equal("NotOwner");
      await asStranger.acceptOwnership();
      expect(await world.executor.owner()).to.equal(stranger);
      expect(await world.executor.pendingOwner()).to.equal(ZeroAddress);
      expect(await refusal(asOwner.rescue(await world.weth.getAddress(), 0n))).to.equal("NotOwner");
      expect(await refusal(asStranger.acceptOwnership())).to.equal("NotOwner");
    });
  });

  it("withdraws an offer of ownership", async function () {
    await world.rolledBack(async () => {
      await world.executor.connect(world.owner).transferOwnership(stranger);
      await world.executor.connect(world.owner).transferOwnership(ZeroAddress);
      expect(await refusal(world.executor.connect(world.stranger).acceptOwnership())).to.equal("NotOwner");
    });
  });

  it("rescues tokens to the owner only, also those that return nothing", async function () {
    await world.rolledBack(async () => {
      const asOwner = world.executor.connect(world.owner);
      const usdt = await new MissingReturnToken__factory(world.deployer).deploy();
      await usdt.mint(world.executor, 100n);
      for (const by of [world.operator, world.stranger]) {
        expect(await refusal(world.executor.connect(by).rescue(usdt, 1n))).to.equal("NotOwner");
      }
      await asOwner.rescue(usdt, 30n);
      expect(await usdt.balanceOf(owner)).to.equal(30n);
      await asOwner.rescue(usdt, MaxUint256);
      expect(await usdt.balanceOf(owner)).to.equal(100n);
      const before = await world.weth.balanceOf(world.executor);
      await asOwner.rescue(await world.weth.getAddress(), MaxUint256);
      expect(await world.weth.balanceOf(owner)).to.equal(before);
    });
  });

  it("reports a rescue that moved nothing", async function () {
    const asOwner = world.executor.connect(world.owner);
    const liar = await new FalseToken__factory(world.deployer).deploy();
    await liar.mint(world.executor, 1n);
    expect(await refusal(asOwner.rescue(liar, 1n))).to.equal("TokenCallFailed");
    expect(await refusal(asOwner.rescue(stranger, 1n))).to.equal("TokenCallFailed");
    expect(await refusal(asOwner.rescue(await world.weth.getAddress(), ETHER * 1000n))).to.equal("TokenCallFailed");
  });

  it("rescues ETH that was forced in, to the owner only", async function () {
    await world.rolledBack(async () => {
      await new ForceEther__factory(world.deployer).deploy(world.executor, { value: 5n });
      expect(await refusal(world.executor.connect(world.operator).rescueNative(5n))).to.equal("NotOwner");
      const before = await world.ethers.provider.getBalance(owner);
      const sent = await world.executor.connect(world.owner).rescueNative(2n);
      const again = await world.executor.connect(world.owner).rescueNative(MaxUint256);
      const fees = (await Promise.all([sent.wait(), again.wait()])).reduce((sum, receipt) => sum + receipt!.fee, 0n);
      expect((await world.ethers.provider.getBalance(owner)) - before).to.equal(5n - fees);
      expect(await refusal(world.executor.connect(world.owner).rescueNative(1n))).to.equal("NativeTransferFailed");
    });
  });

  it("knows the wrapped native token of each chain, and fails elsewhere", async function () {
    for (const [chainId, token] of [...Object.entries(BUILT_IN_TOKENS), ["31337", ZeroAddress]] as [string, string][]) {
      const override = { type: "edr-simulated", chainId: Number(chainId) } as never;
      const { ethers, provider, networkHelpers } = await network.create({ network: "default", override });
      const [signer, other] = (await ethers.getSigners()) as unknown as [Signer & { address: string }, Signer];
      const executor = await new ArbExecutor__factory(signer).deploy(other, [signer]);
      const idle = await (await new Scripted__factory(signer).deploy()).getAddress();
      // pools that do nothing: the plan reads the balance of its profit token twice, and lands
      const plan = "0xa0110000" + "00".repeat(12) + (idle.slice(2) + "00".repeat(12)).repeat(2) + "00".repeat(12);
      const outcome = () =>
        provider
          .request({ method: "eth_call", params: [{ from: signer.address, to: executor.target, data: plan }, "latest"] })
          .then(
            () => "landed",
            (error: { data: string }) => explainRevert(error.data).name,
          );
      expect(await outcome(), chainId).to.equal("TokenCallFailed");
      if (token !== ZeroAddress) {
        const code = await provider.request({
          method: "eth_getCode",
          params: [await (await new TestToken__factory(signer).deploy("W")).getAddress(), "latest"],
        });
        await networkHelpers.setCode(token, code as string);
        expect(await outcome(), chainId).to.equal("landed");
      }
    }
  });
});
