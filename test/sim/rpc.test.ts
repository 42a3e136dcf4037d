import { expect } from "chai";
import { JsonRpcProvider, toQuantity, Wallet } from "ethers";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { IERC20__factory } from "../../types/contracts/index.js";

const ONE = "0x0000000000000000000000000000000000000001";

describe("JSON-RPC of a local chain", () => {
  let chain: LocalChain;
  before(async () => {
    chain = await startLocalChain(42161);
  });
  after(async () => await chain.close());

  const post = async (body: unknown) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return (await (await fetch(chain.url, { method: "POST", body: text })).json()) as any;
  };
  const request = (id: number, method: string, params: unknown[] = []) => ({ jsonrpc: "2.0", id, method, params });
  /** A WebSocket client that asks, and waits for the next message of a subscription. */
  async function connect() {
    const socket = new WebSocket(chain.wsUrl);
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    const waiting = new Map<unknown, (value: any) => void>();
    const notifications: unknown[] = [];
    let id = 0;
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data));
      if (message.method === "eth_subscription") notifications.push(message.params);
      const key = message.params?.subscription ?? message.id;
      waiting.get(key)?.(message.params?.result ?? message.result);
    });
    const next = (key: unknown) => new Promise<any>((resolve) => waiting.set(key, resolve));
    const ask = (method: string, params: unknown[] = []) => {
      socket.send(JSON.stringify(request(++id, method, params)));
      return next(id);
    };
    return { socket, notifications, next, ask };
  }
  const tooMuch = () => {
    const data = IERC20__factory.createInterface().encodeFunctionData("transfer", [ONE, 1n]);
    return { from: ONE, to: tokenOf(chain.network, "DAI").address, data };
  };

  it("listens on the loopback interface only", () => {
    expect(new URL(chain.url).hostname).to.equal("127.0.0.1");
    expect(new URL(chain.wsUrl).hostname).to.equal("127.0.0.1");
  });

  it("answers over HTTP, one request or a batch, in order", async () => {
    expect(await post(request(7, "eth_chainId"))).to.deep.equal({ jsonrpc: "2.0", id: 7, result: "0xa4b1" });
    const batch = await post([request(1, "eth_chainId"), request(2, "no_such_method"), request(3, "net_version")]);
    expect(batch.map((r: any) => r.id)).to.deep.equal([1, 2, 3]);
    expect(batch[1].error.code).to.equal(-32601);
    expect(batch[2].result).to.equal("42161");
  });

  it("says what is wrong with a malformed request", async () => {
    expect((await post("{")).error.code).to.equal(-32700);
    expect((await post([])).error.code).to.equal(-32600);
    expect((await post({ id: 1 })).error.code).to.equal(-32600);
    expect((await post("null")).error.code).to.equal(-32600);
  });

  it("gives a reverted call code 3 and the revert data, as geth does", async () => {
    const { error } = await post(request(1, "eth_call", [tooMuch(), "latest"]));
    expect(error.code).to.equal(3);
    expect(error.data).to.match(/^0x08c379a0/); // Error(string)
  });

  it("mines a reverting transaction and gives its hash, as real nodes do", async () => {
    const provider = new JsonRpcProvider(chain.url, undefined, { staticNetwork: true });
    const wallet = new Wallet(chain.keys[0]!, provider);
    const { to, data } = tooMuch();
    const sent = await wallet.sendTransaction({ to, data, gasLimit: 100_000n });
    expect(await provider.getTransactionReceipt(sent.hash)).to.have.property("status", 0);
    provider.destroy();
  });

  it("tells new heads and logs to WebSocket subscribers, each connection its own", async () => {
    const [mine, other] = [await connect(), await connect()];
    const usdc = tokenOf(chain.network, "USDC").address;
    const heads = await mine.ask("eth_subscribe", ["newHeads"]);
    const logs = await mine.ask("eth_subscribe", ["logs", { address: usdc }]);
    const before = Number(await other.ask("eth_blockNumber"));
    const head = mine.next(heads);
    const log = mine.next(logs);
    await chain.fund(ONE, { tokens: { USDC: 1n } });
    expect(Number((await head).number)).to.equal(before + 1);
    expect((await log).address).to.equal(usdc.toLowerCase());
    expect(await mine.ask("eth_unsubscribe", [heads])).to.equal(true);
    // its own answer comes after any message that was sent to it before
    await other.ask("eth_chainId");
    expect(other.notifications).to.deep.equal([]);
    for (const client of [mine, other]) client.socket.close();
  });

  it("holds transactions for a block by hand when told so, in the order of their tips", async () => {
    await chain.setMining({ auto: false });
    const [, a, b] = chain.accounts;
    const base = { to: ONE, value: "0x1", gas: "0x10000", maxFeePerGas: "0x174876e800" };
    const low = await chain.rpc<string>("eth_sendTransaction", [{ ...base, from: a, maxPriorityFeePerGas: toQuantity(1) }]);
    const high = await chain.rpc<string>("eth_sendTransaction", [{ ...base, from: b, maxPriorityFeePerGas: toQuantity(9) }]);
    expect(await chain.rpc("eth_getTransactionReceipt", [low])).to.equal(null);
    const refused = await chain.fund(ONE, { tokens: { USDC: 1n } }).then(
      () => null,
      (e: unknown) => e,
    );
    expect(refused).to.have.property("code", "usage");
    await chain.rpc("evm_mine");
    const { transactions } = await chain.rpc<{ transactions: string[] }>("eth_getBlockByNumber", ["latest", false]);
    expect(transactions.indexOf(high)).to.be.lessThan(transactions.indexOf(low));
    expect(transactions).to.include(low);
    await chain.setMining({ auto: true });
  });

  it("closes although a client still listens, and frees the port", async () => {
    const doomed = await startLocalChain(42161);
    const socket = new WebSocket(doomed.wsUrl);
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
    await doomed.close();
    await closed;
    const error = await fetch(doomed.url).then(
      () => null,
      (e: unknown) => e as { cause?: { code?: string } },
    );
    expect(error?.cause?.code).to.equal("ECONNREFUSED");
  });
});
