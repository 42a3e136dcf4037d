import { expect } from "chai";
import { hexlify, randomBytes } from "ethers";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { Secret } from "../../src/config/secrets.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import type { Route } from "../../src/submit/route.js";
import { chainRoute } from "../../src/submit/relays/node.js";
import { TransactionExecutor } from "../../src/submit/transaction-executor.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { freshJournal } from "../helpers/journal.js";
import { rejection } from "../helpers/rejection.js";

describe("TransactionExecutor", () => {
  let local: LocalChain;
  let chain: Chain;
  let wallet: WalletManager;
  let opened: Awaited<ReturnType<typeof freshJournal>>;
  const fees = { maxFeePerGas: 5_000_000_000n, maxPriorityFeePerGas: 1n, nextBaseFee: 1_000_000_000n };

  before(async () => {
    opened = await freshJournal();
    local = await startLocalChain(1);
    chain = await connectChain(local.network, [local.url], { local: true });
  });
  beforeEach(async () => {
    wallet = new WalletManager(new Secret(hexlify(randomBytes(32))));
    await local.fund(wallet.address, { eth: 10n ** 18n });
  });
  after(async () => {
    chain.close();
    await local.close();
    await opened.close();
  });
  const executorWith = (route: Route) => new TransactionExecutor(chain, wallet, [route], { journal: opened.journal });
  const intent = (name: string) => `${name} ${wallet.address}`;
  const call = () => ({ to: local.accounts[0]!, data: "0x", value: 1n });

  it("gives every one of many sends at once a nonce of its own, and all land", async () => {
    const executor = executorWith(chainRoute(chain));
    const attempts = await Promise.all(
      Array.from({ length: 12 }, (_, i) => executor.send(intent(`o${i}`), call(), 21_000n, fees)),
    );
    expect(attempts.map((a) => a.nonce)).to.deep.equal(Array.from({ length: 12 }, (_, i) => i));
    for (const attempt of attempts) {
      const watched = await executor.watch(attempt, 5_000, 5);
      expect(watched.status).to.equal("mined");
    }
  });

  it("counts a send whose answer is lost as sent, and finds it by its hash", async () => {
    const node = chainRoute(chain);
    const deaf: Route = {
      ...node,
      send: async (signed, terms) => {
        await node.send(signed, terms);
        return { status: "unknown", detail: "socket hang up" };
      },
    };
    const executor = executorWith(deaf);
    const attempt = await executor.send(intent("lost"), call(), 21_000n, fees);
    const watched = await executor.watch(attempt, 5_000, 5);
    expect(watched.status).to.equal("mined");
  });

  it("says unknown for what the node never got, within the deadline", async () => {
    const silent: Route = {
      id: "silent",
      visibility: "public",
      send: async () => ({ status: "unknown", detail: "fetch failed" }),
    };
    const executor = executorWith(silent);
    const attempt = await executor.send(intent("nowhere"), call(), 21_000n, fees);
    expect((await executor.watch(attempt, 50, 10)).status).to.equal("unknown");
  });

  it("never signs a nonce twice: what the node lost is sent again, the same bytes, before the next nonce is used", async () => {
    const node = chainRoute(chain);
    let online = false;
    const sent: string[] = [];
    const flaky: Route = {
      ...node,
      send: async (signed, terms) => {
        if (!online) return { status: "unknown", detail: "fetch failed" };
        sent.push(signed.raw);
        return await node.send(signed, terms);
      },
    };
    const executor = executorWith(flaky);
    const first = await executor.send(intent("first"), call(), 21_000n, fees);
    const locked = await rejection(executor.send(intent("second"), call(), 21_000n, fees));
    expect(locked).to.include({ code: "locked", where: first.hash });

    online = true;
    const second = await executor.send(intent("second"), call(), 21_000n, fees);
    expect([first.nonce, second.nonce]).to.deep.equal([0, 1]);
    expect(sent).to.deep.equal([first.raw, second.raw]);
    for (const attempt of [first, second]) expect((await executor.watch(attempt, 5_000, 5)).status).to.equal("mined");
  });

  it("throws where the node surely refused, and keeps the nonce for the next send", async () => {
    const executor = executorWith(chainRoute(chain));
    const refused = await rejection(executor.send(intent("cheap"), call(), 21_000n, { ...fees, maxFeePerGas: 2n }));
    expect(refused).to.include({ code: "network" });
    expect((await executor.send(intent("next"), call(), 21_000n, fees)).nonce).to.equal(0);
  });

  it("refuses to send what the account cannot pay, before it signs", async () => {
    const executor = executorWith(chainRoute(chain));
    const poor = await rejection(executor.send(intent("poor"), { ...call(), value: 10n ** 18n }, 21_000n, fees));
    expect(poor).to.include({ code: "refused" });
    expect(await chain.provider.getTransactionCount(wallet.address, "pending")).to.equal(0);
  });
});
