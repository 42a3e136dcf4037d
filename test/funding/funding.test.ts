import { expect } from "chai";
import { array, bigInt, constantFrom, nat, option, property as fcProperty, record } from "fast-check";
import { artifacts } from "hardhat";
import { networkById } from "../../src/config/networks.js";
import type { Network } from "../../src/config/network.js";
import { flashLoanFee as aaveFee } from "../../src/funding/aave-v3.js";
import { flashLoanFee as balancerFee } from "../../src/funding/balancer-v2.js";
import type { FundingOffer } from "../../src/funding/funding.js";
import { FUNDING, FUNDING_IDS, cheapestOffer, costOf, fundingOffers } from "../../src/funding/index.js";
import { type AaveWorld, deployAave } from "../helpers/aave-reserve.js";
import { type AnyContract, type Chain, startChain } from "../helpers/chain.js";
import { SEED, property } from "../helpers/property.js";
import { random, randomAmount } from "../helpers/random.js";

const E18 = 10n ** 18n;
const SUPPLY = 1000n * E18;

describe("funding", () => {
  let chain: Chain;
  let aave: AaveWorld;
  let vault: AnyContract;
  let network: Network;
  let token: string;
  const offer = (id: "aave-v3" | "balancer-v2" | "own-balance", executor = chain.me, asset = token) =>
    FUNDING[id].offer(chain.provider, network, executor, asset, "latest");

  before(async () => {
    chain = await startChain();
    aave = await deployAave(chain, 5, SUPPLY);
    token = aave.token.target as string;
    const { abi, bytecode } = await artifacts.readArtifact("BalancerFees");
    vault = await chain.deploy({ abi: abi as never, bytecode }, [3n * 10n ** 14n]);
    const at = (address: string) => ({ address, source: "test", verified: false });
    network = {
      ...networkById(1)!,
      lenders: { "aave-v3": at(aave.pool.target as string), "balancer-v2": at(vault.target as string) },
    };
  });

  it("charges what the real Aave charges, to the wei, for amounts on either side of its rounding", async () => {
    const lent = (await offer("aave-v3"))!;
    expect(lent).to.deep.include({ source: "aave-v3", lender: aave.pool.target, limit: SUPPLY });
    const next = random();
    const amounts = [1n, 999n, 1000n, 1001n, 2999n, 3000n, 3001n, lent.limit!];
    while (amounts.length < 24) amounts.push(randomAmount(next, 1n, SUPPLY));
    for (const amount of amounts) {
      const tx = await aave.pool["flashLoanSimple"](aave.receiver.target, token, amount, "0x", 0, { gasLimit: 3_000_000n });
      const receipt = await tx.wait();
      const events = receipt.logs
        .map((log: any) => aave.pool.interface.parseLog(log))
        .filter((event: any) => event?.name === "FlashLoan");
      expect(events).to.have.length(1);
      expect(lent.fee(amount)).to.equal(events[0].args.premium);
    }
  });

  it("offers no more than Aave can pay out", async () => {
    const lent = (await offer("aave-v3"))!;
    const borrow = (amount: bigint) => aave.pool["flashLoanSimple"].staticCall(aave.receiver.target, token, amount, "0x", 0);
    await borrow(lent.limit!);
    const error = await borrow(lent.limit! + 1n).catch((e: unknown) => e);
    expect(error).to.be.instanceOf(Error);
  });

  it("offers nothing of Aave while the reserve is paused, without flash loans or not listed", async () => {
    const configurator = aave.configurator;
    await (await configurator["setReservePause"](token, true)).wait();
    expect(await offer("aave-v3")).to.equal(null);
    await (await configurator["setReservePause"](token, false)).wait();
    await (await configurator["setReserveFlashLoaning"](token, false)).wait();
    expect(await offer("aave-v3")).to.equal(null);
    await (await configurator["setReserveFlashLoaning"](token, true)).wait();
    expect(await offer("aave-v3")).to.not.equal(null);
    expect(await offer("aave-v3", chain.me, network.wrappedNative)).to.equal(null);
  });

  it("rounds up since Aave v3.5 and half up before", () => {
    expect([999n, 1000n, 1001n].map((amount) => aaveFee(amount, 5n, 8n))).to.deep.equal([0n, 1n, 1n]);
    expect([1n, 2000n, 2001n].map((amount) => aaveFee(amount, 5n, 9n))).to.deep.equal([1n, 1n, 2n]);
    expect(aaveFee(10n ** 18n, 0n, 9n)).to.equal(0n);
  });

  it("reads Balancer's fee and what its vault holds", async () => {
    expect(await offer("balancer-v2")).to.equal(null);
    await (await aave.token["mint(address,uint256)"](vault.target, 7n * E18)).wait();
    const lent = (await offer("balancer-v2"))!;
    expect(lent).to.deep.include({ source: "balancer-v2", lender: vault.target, limit: 7n * E18 });
    expect(lent.fee(E18)).to.equal(3n * 10n ** 14n);
    expect([0n, 1n, 10_000n, 10_001n].map((amount) => balancerFee(amount, 10n ** 14n))).to.deep.equal([0n, 1n, 1n, 2n]);
  });

  it("leaves one unit of the executor's own balance", async () => {
    const executor = "0x00000000000000000000000000000000000000e1";
    expect(await offer("own-balance", executor)).to.equal(null);
    await (await aave.token["mint(address,uint256)"](executor, 1n)).wait();
    expect(await offer("own-balance", executor)).to.equal(null);
    await (await aave.token["mint(address,uint256)"](executor, 41n)).wait();
    expect((await offer("own-balance", executor))!.limit).to.equal(41n);
  });

  it("offers only what exists on the network, and takes the cheapest that is large enough", async () => {
    const { poolManager: _manager, ...others } = network;
    const bare: Network = { ...others, lenders: {}, venues: {} };
    const ids = (await fundingOffers(chain.provider, bare, aave.pool.target as string, token, "latest")).map((o) => o.source);
    expect(ids).to.deep.equal(["flash-swap"]);
    expect(FUNDING_IDS).to.have.members([
      "flash-swap",
      "own-balance",
      "balancer-v2",
      "aave-v3",
      "uniswap-v3-flash",
      "uniswap-v4",
      "balancer-v3",
      "morpho",
      "erc3156",
    ]);

    const make = (source: FundingOffer["source"], limit: bigint | null, fee: bigint): FundingOffer => ({
      source,
      lender: null,
      limit,
      fee: () => fee,
    });
    const offers = [make("aave-v3", 1000n, 5n), make("own-balance", 10n, 0n), make("balancer-v2", 500n, 1n)];
    expect(cheapestOffer(offers, 10n)?.source).to.equal("own-balance");
    expect(cheapestOffer(offers, 11n)?.source).to.equal("balancer-v2");
    expect(cheapestOffer(offers, 501n)?.source).to.equal("aave-v3");
    expect(cheapestOffer(offers, 1001n)).to.equal(null);
    expect(cheapestOffer(offers, 10n, "aave-v3")?.source).to.equal("aave-v3");
    expect(cheapestOffer([make("flash-swap", null, 0n), ...offers], 10n)?.source).to.equal("flash-swap");
  });

  describe("free lenders, Uniswap V3's flash and ERC-3156", () => {
    const LENDERS = ["morpho", "balancer-v3", "uniswap-v4"] as const;
    const RICH = "0x00000000000000000000000000000000000000f1";
    const at = (address: string) => ({ address, source: "test", verified: false });
    const on = (lender: string): Network => ({
      ...network,
      lenders: { morpho: at(lender), "balancer-v3": at(lender), erc3156: at(lender) },
      poolManager: at(lender),
    });
    const ask = (id: (typeof LENDERS)[number] | "erc3156", lender: string) =>
      FUNDING[id].offer(chain.provider, on(lender), chain.me, token, "latest");

    it("lend all that they hold for nothing, and nothing where they are not deployed", async () => {
      await (await aave.token["mint(address,uint256)"](RICH, 5n * E18)).wait();
      for (const id of LENDERS) {
        expect(await ask(id, RICH), "no code").to.equal(null);
        expect(await ask(id, vault.target as string)).to.deep.include({ source: id, lender: vault.target });
        expect((await ask(id, vault.target as string))!.fee(E18)).to.equal(0n);
      }
    });

    it("charge the share that the ERC-3156 lender charges, to the wei", async () => {
      const { abi, bytecode } = await artifacts.readArtifact("FlashLenderMock");
      const lender = await chain.deploy({ abi: abi as never, bytecode }, [token, 900n]);
      expect(await ask("erc3156", lender.target as string)).to.equal(null);
      await (await aave.token["mint(address,uint256)"](lender.target, 1000n * E18)).wait();
      const lent = (await ask("erc3156", lender.target as string))!;
      expect(lent.limit).to.equal(1000n * E18);
      const next = random();
      for (let i = 0; i < 20; i++) {
        const amount = randomAmount(next, 1n, 1000n * E18);
        expect(lent.fee(amount)).to.equal(await lender["flashFee"](token, amount));
      }
      // of a token that it does not lend it refuses to tell the fee
      const other = FUNDING.erc3156.offer(chain.provider, on(lender.target as string), chain.me, network.wrappedNative, "latest");
      expect(await other.catch(() => null)).to.equal(null);
    });
  });

  it(`takes, of any offers, none that is dearer than another that can lend it (property, seed ${SEED})`, () => {
    const ids = FUNDING_IDS.filter((id) => id !== "flash-swap");
    const offers = array(record({ id: constantFrom(...ids), limit: option(bigInt(0n, 10n ** 6n)), pips: nat(2000) }), {
      maxLength: 8,
    });
    property(
      fcProperty(offers, bigInt(1n, 10n ** 6n), bigInt(0n, 3n), (made, amount, perGas) => {
        const list = made.map(({ id, limit, pips }): FundingOffer => {
          return { source: id, lender: null, limit, fee: (lent) => (lent * BigInt(pips) + 999_999n) / 1_000_000n };
        });
        const gasPrice = (gas: bigint): bigint => (gas * perGas) / 1000n;
        const able = list.filter(({ limit }) => limit === null || limit >= amount);
        const best = cheapestOffer(list, amount, null, gasPrice);
        if (best === null) return able.length === 0;
        return able.includes(best) && able.every((other) => costOf(best, amount, gasPrice) <= costOf(other, amount, gasPrice));
      }),
    );
  });
});
