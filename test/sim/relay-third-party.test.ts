import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";
import { expect } from "chai";
import { JsonRpcProvider, Wallet } from "ethers";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type LocalRelay, startLocalRelay } from "../../src/sim/relay/relay.js";
import { Account, FAILS, head, placePayer } from "../helpers/relay.js";

/** The part of Flashbots' own client that is used here. */
interface Client {
  simulate(txs: string[], block: number): Promise<any>;
  sendRawBundle(txs: string[], block: number, options?: object): Promise<any>;
  sendPrivateTransaction(tx: { signedTransaction: string }, options?: object): Promise<any>;
  cancelBundles(uuid: string): Promise<any>;
  cancelPrivateTransaction(hash: string): Promise<any>;
}
const folder = path.resolve(import.meta.dirname, "../../node_modules/.extracts/@flashbots/ethers-provider-bundle@1.0.0");
const { FlashbotsBundleProvider, FlashbotsBundleResolution: Resolution } = createRequire(import.meta.url)(
  path.join(folder, "build/index.js"),
) as {
  FlashbotsBundleProvider: { create(provider: unknown, auth: unknown, url: string, chainId: number): Promise<Client> };
  FlashbotsBundleResolution: Record<string, number>;
};

describe("local relay, through Flashbots' own client", function () {
  this.timeout(60_000);
  let chain: LocalChain;
  let relay: LocalRelay;
  let provider: JsonRpcProvider;
  let client: Client;
  let a: Account;
  let b: Account;

  before(async () => {
    chain = await startLocalChain(1, { blockOrder: "fifo", mining: { auto: false } });
    await placePayer(chain);
    relay = await startLocalRelay(chain);
    [a, b] = [new Account(chain, 0), new Account(chain, 1)];
    provider = new JsonRpcProvider(chain.url, 1, { staticNetwork: true, cacheTimeout: -1, batchMaxCount: 1 });
    provider.pollingInterval = 20;
    client = await FlashbotsBundleProvider.create(provider, Wallet.createRandom(), relay.url, 1);
  });
  after(async () => {
    provider?.destroy();
    await relay?.close();
    await chain?.close();
  });
  const next = async (): Promise<number> => Number(await head(chain)) + 1;

  it("simulates", async () => {
    const [x, y] = [await a.sign({ value: 5n }), await b.sign({ data: FAILS })];
    const good = await client.simulate([x.raw], await next());
    expect([BigInt(good.coinbaseDiff) > 5n, good.totalGasUsed, good.firstRevert]).to.deep.equal([
      true,
      good.results[0].gasUsed,
      undefined,
    ]);
    const bad = await client.simulate([x.raw, y.raw], await next());
    expect(bad.firstRevert).to.include({ txHash: y.hash, revert: "no" });
  });

  it("sends a bundle and sees it included or passed over", async () => {
    const x = await a.sign();
    for (const [built, resolution] of [
      [true, Resolution["BundleIncluded"]],
      [false, Resolution["BlockPassedWithoutInclusion"]],
    ] as const) {
      const signed = built ? x : await a.sign();
      const sent = await client.sendRawBundle([signed.raw], await next(), { replacementUuid: randomUUID() });
      expect(sent.error).to.equal(undefined);
      const waiting = sent.wait() as Promise<number>;
      if (!built) await client.cancelBundles((relay.requests.at(-1)!.params[0] as { replacementUuid: string }).replacementUuid);
      // it hears of blocks by polling, the first of which tells it the head
      const mined = (async () => {
        for (let i = 0; i < 200; i++) {
          if (await Promise.race([waiting.then(() => true), new Promise<false>((r) => setTimeout(r, 50, false))])) return;
          if (i % 4 === 1) await relay.buildBlock();
        }
      })();
      expect(await waiting).to.equal(resolution);
      await mined;
    }
  });

  it("sends a private transaction, and cancels it", async () => {
    const x = await a.sign();
    const sent = await client.sendPrivateTransaction({ signedTransaction: x.raw });
    // it sends its last block as a number, which the specification does not allow; without one it is taken
    expect([sent.error, relay.waiting()]).to.deep.equal([undefined, 1]);
    expect(await client.cancelPrivateTransaction(x.hash)).to.equal(true);
    expect(relay.waiting()).to.equal(0);
  });
});
