import { expect } from "chai";
import type { Wallet } from "ethers";
import { arbitrumGatewayBridge } from "../../src/bridges/arbitrum-gateway.js";
import type { Bridge, BridgeId, TransferRequest } from "../../src/bridges/bridge.js";
import { cctpBridge } from "../../src/bridges/cctp.js";
import { iris } from "../../src/bridges/iris.js";
import { stargateBridge } from "../../src/bridges/stargate.js";
import { type LocalArbitrumGateway, startLocalArbitrumGateway } from "../../src/sim/bridges/arbitrum-gateway.js";
import { type LocalCctp, startLocalCctp } from "../../src/sim/bridges/cctp.js";
import { type LocalStargate, startLocalStargate } from "../../src/sim/bridges/stargate.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { Secret } from "../../src/config/secrets.js";
import { openJournal } from "../../src/journal/journal.js";
import { finishFound } from "../../src/transfers/finish.js";
import { type Found, scanForFunds } from "../../src/transfers/scan.js";
import { Senders } from "../../src/transfers/senders.js";
import { forVaults } from "../../src/vault/vault-bridge.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { journalDatabase } from "../helpers/journal.js";
import { advance, clockOf, richWallet, sendCalls, type TestViews, viewsOf } from "../helpers/bridges.js";
import { A, B, ETHER, localAcrossBridge, openCrossChainSite, type Site, USDC } from "../helpers/cross-chain.js";
import { openVaultDesk, type VaultDesk } from "../helpers/cross-chain-vault.js";

const DAY = 24 * 3_600;

describe("recovery from the chains alone, by every bridge, for an account and its vault", function () {
  this.timeout(240_000);
  let site: Site;
  let test: TestViews;
  let cctp: LocalCctp;
  let stargate: LocalStargate;
  let gateway: LocalArbitrumGateway;
  let wallet: Wallet;
  let desk: VaultDesk;
  let bridges: Record<Exclude<BridgeId, "op-standard">, Bridge>;
  let count = 0;

  before(async () => {
    site = await openCrossChainSite();
    const chains = [A, B].map((id) => site.world.chain(id));
    test = viewsOf(site.world);
    cctp = await startLocalCctp(chains);
    stargate = await startLocalStargate(chains);
    gateway = await startLocalArbitrumGateway(chains[0]!, chains[1]!);
    wallet = await richWallet([chains[0]!], { USDC: 50_000n * USDC, WBTC: 10n ** 9n });
    await chains[1]!.fund(wallet.address, { eth: 10n * ETHER });
    desk = await openVaultDesk(site, wallet.address);
    await desk.fund(A, { USDC: 50_000n * USDC });
    bridges = {
      across: localAcrossBridge(),
      cctp: cctpBridge({ iris: iris({ url: cctp.url, deadlineMs: 30_000 }), speed: "fast" }),
      stargate: stargateBridge({ maxNativeFee: ETHER / 100n }),
      "arbitrum-gateway": arbitrumGatewayBridge({ maxNativeFee: ETHER / 10n }),
    };
  });
  after(async () => {
    test.close();
    await cctp.close();
    await site.close();
  });

  const token = (chainId: number, symbol: string) => tokenOf(site.world.chain(chainId).network, symbol).address;

  /** Starts a transfer and forgets everything of it. */
  async function lose(
    bridge: Bridge,
    symbol: string,
    amountIn: bigint,
    change: Partial<TransferRequest> = {},
    payer = wallet,
  ): Promise<bigint> {
    const request: TransferRequest = {
      route: { fromChainId: A, toChainId: B, tokenIn: token(A, symbol), tokenOut: token(B, symbol) },
      amountIn,
      sender: wallet.address,
      recipient: wallet.address,
      deadline: (await clockOf(test, A)) + 2 * DAY,
      id: `lost-${count++}`,
      ...change,
    };
    const answer = await bridge.quote(request, test.views);
    if (!answer.ok) throw new Error(answer.reason);
    await sendCalls(test, payer, bridge.start(answer.quote).calls);
    return answer.quote.amountIn;
  }

  async function scan(): Promise<Found[]> {
    return await scanForFunds({
      holders: [
        { address: wallet.address, isVault: false },
        { address: desk.vault, isVault: true },
      ],
      views: [A, B].map((id) => test.views(id)),
      bridges: Object.values(bridges),
      lookBackSeconds: DAY,
    });
  }
  const transfers = async () => (await scan()).filter((f) => f.kind === "transfer");
  const only = async (): Promise<Found> => {
    const found = await transfers();
    expect(found).to.have.length(1);
    return found[0]!;
  };

  it("balances are found, of the account and of the vault", async () => {
    const found = await scan();
    const held = (holder: string) =>
      found.filter((f) => f.kind === "balance" && f.holder === holder).map((f) => [f.symbol, f.amount]);
    expect(held(wallet.address)).to.have.deep.members([
      ["USDC", 50_000n * USDC],
      ["WBTC", 10n ** 9n],
    ]);
    expect(held(desk.vault)).to.deep.equal([["USDC", 50_000n * USDC]]);
  });

  it("CCTP: a burn that nobody minted is claimable by one call, and then gone from the list", async () => {
    const amount = await lose(bridges.cctp, "USDC", 1_000n * USDC);
    const found = await only();
    expect([found.bridge, found.state, found.amount, found.chainId, found.toChainId]).to.deep.equal([
      "cctp",
      "claimable",
      amount,
      A,
      B,
    ]);
    await sendCalls(test, wallet, [found.finish!]);
    expect(await transfers()).to.deep.equal([]);
  });

  /** With a journal of their own, beside which the account's key is not to be used. */
  async function withSenders(work: (senders: Senders) => Promise<void>): Promise<void> {
    const db = await journalDatabase();
    const journal = await openJournal(db);
    const networks = [...site.chains.values()].map((chain) => ({
      chain,
      fees: { priorityFee: 1_000_000n, patienceBlocks: 3, maxFeePerGas: null },
    }));
    const senders = new Senders(journal, networks, [new WalletManager(new Secret(wallet.privateKey))], () => undefined);
    try {
      await work(senders);
    } finally {
      await senders.close();
      await journal.close();
      await db.close();
    }
  }

  it("what can be finished is sent once: a second run looks at the same transaction", async () => {
    await lose(bridges.cctp, "USDC", 800n * USDC);
    await withSenders(async (senders) => {
      const found = await scan();
      const [first] = await finishFound(found, senders, wallet.address, 60_000);
      expect([first?.sent, first?.found.bridge], first?.detail).to.deep.equal([true, "cctp"]);
      const [again] = await finishFound(found, senders, wallet.address, 60_000);
      expect(again?.hash).to.equal(first?.hash);
      expect(await transfers()).to.deep.equal([]);
    });
  });

  it("CCTP from the vault: the same, though its burn has no mark", async () => {
    const bridge = forVaults(bridges.cctp, (_, address) => address === desk.vault);
    await lose(bridge, "USDC", 700n * USDC, { sender: desk.vault, recipient: desk.vault });
    const found = await only();
    expect([found.bridge, found.state, found.holder]).to.deep.equal(["cctp", "claimable", desk.vault]);
    await sendCalls(test, wallet, [found.finish!]);
    expect(await transfers()).to.deep.equal([]);
    expect(await site.balance(B, "USDC", desk.vault)).to.be.greaterThan(698n * USDC);
  });

  it("the attestation service does not answer: the burn is told as unknown, not left out", async () => {
    await lose(bridges.cctp, "USDC", 900n * USDC);
    const { cctp: answering } = bridges;
    bridges.cctp = cctpBridge({ iris: iris({ url: "http://127.0.0.1:9", deadlineMs: 500 }), speed: "fast" });
    const found = await only();
    expect([found.state, found.finish]).to.deep.equal(["unknown", null]);
    expect(found.waitsFor).to.match(/an answer: /);
    bridges.cctp = answering;
    await sendCalls(test, wallet, [(await only()).finish!]);
    expect(await transfers()).to.deep.equal([]);
  });

  it("Stargate: a message that LayerZero's executor left is executed by us", async () => {
    stargate.deliver({ kind: "unexecuted" });
    await lose(bridges.stargate, "USDC", 2_000n * USDC);
    await stargate.step();
    expect((await only()).finish).to.equal(null);
    for (const chainId of [A, B]) await advance(site.world.chain(chainId), 3_600);
    const found = await only();
    expect([found.bridge, found.state]).to.deep.equal(["stargate", "claimable"]);
    await sendCalls(test, wallet, [found.finish!]);
    expect(await transfers()).to.deep.equal([]);
    stargate.release();
  });

  it("Arbitrum's gateway: a ticket that did not redeem itself, with the day it lapses", async () => {
    gateway.fate("unredeemed");
    await lose(bridges["arbitrum-gateway"], "WBTC", 5_000_000n);
    await gateway.step();
    const found = await only();
    expect([found.bridge, found.state, found.symbol]).to.deep.equal(["arbitrum-gateway", "claimable", "WBTC"]);
    expect(found.deadline! > (await clockOf(test, B))).to.equal(true);
    await sendCalls(test, wallet, [found.finish!]);
    await gateway.step();
    expect(await transfers()).to.deep.equal([]);
  });

  it("Across from the vault: unfilled, expired, a credit that only the vault claims, then nothing", async () => {
    site.across.setScript(() => ({ fill: "never", refund: "fails" }));
    const bridge = forVaults(bridges.across, (_, address) => address === desk.vault);
    await lose(bridge, "USDC", 3_000n * USDC, { sender: desk.vault, recipient: desk.vault });
    await site.across.step();
    expect([(await only()).bridge, (await only()).state]).to.deep.equal(["across", "initiated"]);
    for (const chainId of [A, B]) await advance(site.world.chain(chainId), 8_000);
    expect((await only()).state).to.equal("expired");
    await site.across.step();
    const found = await only();
    expect(found.state).to.equal("claimable");
    expect(found.finish?.to).to.equal(desk.vault);
    const before = await site.balance(A, "USDC", desk.vault);
    await sendCalls(test, wallet, [found.finish!]);
    expect((await site.balance(A, "USDC", desk.vault)) - before).to.equal(found.amount);
    expect((await scan()).filter((f) => f.kind !== "balance")).to.deep.equal([]);
  });

  /** One that nobody fills, and whose refund becomes a credit. */
  async function credit(): Promise<void> {
    site.across.setScript(() => ({ fill: "never", refund: "fails" }));
    const payer = await richWallet([site.world.chain(A)], { USDC: 1_000n * USDC });
    await lose(bridges.across, "USDC", 500n * USDC, {}, payer);
    for (let i = 0; i < 10; i++) {
      if ((await site.across.step()).some((a) => a.act === "credited")) return;
      for (const chainId of [A, B]) await advance(site.world.chain(chainId), 8_000);
    }
    throw new Error("the deposit did not become a credit");
  }

  it("a second credit of the same token is claimed by a transaction of its own, though its bytes are the first one's", async () => {
    await withSenders(async (senders) => {
      const hashes: (string | null)[] = [];
      for (const known of [0, 1]) {
        await credit();
        const found = (await scan()).filter((f) => f.finish !== null);
        expect(found.map((f) => f.finish!.data.slice(0, 10))).to.have.length(1);
        const before = await site.balance(A, "USDC", wallet.address);
        const [end] = await finishFound(found, senders, wallet.address, 60_000);
        expect(end?.sent, end?.detail).to.equal(true);
        expect(hashes).to.have.length(known).and.not.include(end!.hash);
        expect(await site.balance(A, "USDC", wallet.address)).to.equal(before + found[0]!.amount);
        // the scan of before still has it: that claim is the one
        expect((await finishFound(found, senders, wallet.address, 60_000))[0]?.hash).to.equal(end!.hash);
        hashes.push(end!.hash);
      }
    });
    expect((await scan()).filter((f) => f.kind !== "balance")).to.deep.equal([]);
  });

  it("a credit without its transfer, as of one from before the time that is searched, is of one block", async () => {
    await credit();
    const late = await scanForFunds({
      holders: [{ address: wallet.address, isVault: false }],
      views: [test.views(A)],
      bridges: [],
      lookBackSeconds: 1,
    });
    const [found] = late.filter((f) => f.kind === "refund-credit");
    const head = await test.provider(A).getBlockNumber();
    expect(found?.seen).to.deep.equal({ from: head, to: head });
    await sendCalls(test, wallet, [found!.finish!]);
  });
});
