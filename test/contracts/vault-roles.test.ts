import { expect } from "chai";
import { MaxUint256, ZeroAddress } from "ethers";
import { ArbVault__factory } from "../../types/contracts/index.js";
import { ETHER } from "../helpers/pools.js";
import { createVaultWorld, refusal, type VaultWorld } from "../helpers/vault.js";

describe("ArbVault: roles", function () {
  let w: VaultWorld;
  let [owner, operator, stranger] = ["", "", ""];
  before(async function () {
    w = await createVaultWorld();
    [owner, operator, stranger] = (await Promise.all(
      [w.world.owner, w.world.operator, w.world.stranger].map((signer) => signer.getAddress()),
    )) as [string, string, string];
  });

  it("every function that changes something is guarded", async function () {
    const market = await w.market(w.v2, w.weth);
    const args: Record<string, unknown[]> = {
      swap: [[await w.vault.marketId(w.v2.address, w.weth)], 1n, 0n],
      bridge: [await w.vault.marketId(w.v2.address, w.weth), w.transfer()],
      claimAcrossRefund: [await w.vault.marketId(w.v2.address, w.weth)],
      wrap: [w.weth, await w.vault.marketId(w.v2.address, w.weth)],
      stop: [],
      resume: [],
      uniswapV3SwapCallback: [1n, 1n, "0x"],
      pancakeV3SwapCallback: [1n, 1n, "0x"],
      withdraw: [w.weth, 1n],
      withdrawNative: [0n],
      setMarket: [market],
      setRoute: [await w.route("cctp")],
      setOperator: [stranger, true],
      transferOwnership: [stranger],
      acceptOwnership: [],
    };
    const seen: string[] = [];
    w.vault.interface.forEachFunction((f) => {
      if (f.stateMutability !== "view" && f.stateMutability !== "pure") seen.push(f.name);
    });
    expect(seen).to.have.members(Object.keys(args));
    const forOperators = ["swap", "bridge", "claimAcrossRefund", "wrap", "stop"];
    for (const [name, values] of Object.entries(args)) {
      const outcome = (from: VaultWorld["asOwner"]) => refusal(from.getFunction(name).staticCall(...values));
      const callback = name.endsWith("Callback");
      const theirs = forOperators.includes(name);
      expect(await outcome(w.asStranger), name).to.equal(callback ? "UnexpectedCallback" : theirs ? "NotOperator" : "NotOwner");
      if (!theirs) expect(await outcome(w.asOperator), name).to.equal(callback ? "UnexpectedCallback" : "NotOwner");
      if (["swap", "bridge", "wrap"].includes(name)) expect(await outcome(w.asOwner), name).to.equal("NotOperator");
    }
  });

  it("has an owner, who is no operator", async function () {
    const deploy = (by: string, operators: string[]) =>
      refusal(new ArbVault__factory(w.world.deployer).deploy(by, operators).then((v) => v.waitForDeployment()));
    expect(await deploy(owner, [])).to.equal("done");
    expect(await deploy(owner, [operator, stranger])).to.equal("done");
    expect(await deploy(ZeroAddress, [operator])).to.equal("InvalidOwner");
    expect(await deploy(owner, [owner])).to.equal("InvalidOperator");
    expect(await deploy(owner, [ZeroAddress])).to.equal("InvalidOperator");
    expect(await refusal(w.asOwner.setOperator.staticCall(owner, true))).to.equal("InvalidOperator");
    expect(await refusal(w.asOwner.setOperator.staticCall(ZeroAddress, true))).to.equal("InvalidOperator");
  });

  it("hands ownership over in two steps, never to an operator", async function () {
    await w.world.rolledBack(async () => {
      expect(await refusal(w.asOwner.transferOwnership.staticCall(operator))).to.equal("InvalidOwner");
      await w.asOwner.transferOwnership(stranger);
      expect(await refusal(w.asOwner.acceptOwnership.staticCall())).to.equal("NotOwner");
      await w.asOwner.setOperator(stranger, true);
      expect(await refusal(w.asStranger.acceptOwnership.staticCall())).to.equal("InvalidOwner");
      await w.asOwner.setOperator(stranger, false);
      await w.asStranger.acceptOwnership();
      expect([await w.vault.owner(), await w.vault.pendingOwner()]).to.deep.equal([stranger, ZeroAddress]);
      expect(await refusal(w.asOwner.withdraw.staticCall(w.weth, 1n))).to.equal("NotOwner");
      await w.asStranger.transferOwnership(owner);
      await w.asStranger.transferOwnership(ZeroAddress);
      expect(await refusal(w.asOwner.acceptOwnership.staticCall())).to.equal("NotOwner");
    });
  });

  it("an operator stops it, only the owner starts it again, and an operator can be taken away", async function () {
    await w.world.rolledBack(async () => {
      const id = await w.setMarket(await w.market(w.v2, w.weth));
      const swap = () => refusal(w.asOperator.swap.staticCall([id], ETHER, 0n));
      for (const by of [w.asOperator, w.asOwner]) {
        expect(await swap()).to.equal("done");
        await by.stop();
        expect(await swap()).to.equal("Stopped");
        expect(await refusal(w.asOperator.wrap.staticCall(w.weth, id))).to.equal("Stopped");
        expect(await refusal(w.asOperator.resume.staticCall())).to.equal("NotOwner");
        // what is the owner's goes on
        await w.asOwner.withdraw(w.weth, 1n);
        await w.asOwner.resume();
      }
      await w.asOwner.setOperator(operator, false);
      expect(await swap()).to.equal("NotOperator");
    });
  });

  it("gives out assets to the owner only, all or a part", async function () {
    await w.world.rolledBack(async () => {
      const before = await w.world.weth.balanceOf(owner);
      const held = await w.holds(w.weth);
      await w.asOwner.withdraw(w.weth, 30n);
      await w.asOwner.withdraw(w.weth, MaxUint256);
      expect((await w.world.weth.balanceOf(owner)) - before).to.equal(held);
      await w.world.deployer.sendTransaction({ to: w.self, value: 5n });
      const provider = w.world.ethers.provider;
      const had = await provider.getBalance(owner);
      const receipts = [
        await (await w.asOwner.withdrawNative(2n)).wait(),
        await (await w.asOwner.withdrawNative(MaxUint256)).wait(),
      ];
      const fees = receipts.reduce((sum, receipt) => sum + receipt!.fee, 0n);
      expect((await provider.getBalance(owner)) - had + fees).to.equal(5n);
      expect(await refusal(w.asOwner.withdrawNative.staticCall(1n))).to.equal("NativeTransferFailed");
    });
  });

  it("takes no market that cannot be one", async function () {
    const outcome = async (changes: Parameters<typeof w.market>[2], pool = w.v2) =>
      refusal(w.asOwner.setMarket.staticCall(await w.market(pool, w.weth, changes)));
    expect(await outcome({})).to.equal("done");
    expect(await outcome({ maxLossBps: 501 })).to.equal("InvalidMarket");
    expect(await outcome({ feePips: 0 })).to.equal("InvalidMarket");
    expect(await outcome({ feePips: 1_000_000 })).to.equal("InvalidMarket");
    expect(await outcome({ feePips: 0 }, w.v3)).to.equal("done");
    expect(await outcome({ tokenOut: w.weth })).to.equal("InvalidMarket");
    expect(await outcome({ tokenOut: stranger })).to.equal("InvalidMarket");
    const c = await w.world.token("C");
    const other = await w.world.addV2(c, w.b, ETHER, ETHER);
    expect(await outcome({ pool: other.address })).to.equal("InvalidMarket");
    // what is forbidden is not looked at: it may be broken
    expect(await outcome({ kind: 0, pool: stranger, maxLossBps: 501 })).to.equal("done");
  });
});
