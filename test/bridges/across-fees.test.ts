import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { type FeeAnswer, feeSchedule, suggestedFees } from "../../src/bridges/across-fees.js";
import type { TransferRequest } from "../../src/bridges/bridge.js";
import { acrossFacts } from "../../src/config/across.js";
import { findToken, networkById } from "../../src/config/networks.js";
import { Secret } from "../../src/config/secrets.js";
import { ArbError } from "../../src/errors.js";

const token = (chainId: number) => findToken(networkById(chainId)!, "USDC")!.address;
const ME = "0x1111111111111111111111111111111111111111";
const request: TransferRequest = {
  route: { fromChainId: 1, toChainId: 10, tokenIn: token(1), tokenOut: token(10) },
  amountIn: 1_000_000_000n,
  sender: ME,
  recipient: ME,
  deadline: 2_000_000_000,
  id: "one",
};
const answer = {
  totalRelayFee: { pct: "100000000000000", total: "100000" },
  isAmountTooLow: false,
  timestamp: "1800000000",
  estimatedFillTimeSec: 3,
  spokePoolAddress: acrossFacts(1)!.spokePool.address,
  destinationSpokePoolAddress: acrossFacts(10)!.spokePool.address.toLowerCase(),
  limits: { minDeposit: "1000000", maxDeposit: "9000000000000" },
};

describe("fees of Across", () => {
  let server: Server;
  let url: string;
  let seen: IncomingMessage | undefined;
  let reply: { status: number; body: string } | null;

  before(async () => {
    server = createServer((incoming, response) => {
      seen = incoming;
      // null: never answered
      if (reply) response.writeHead(reply.status, { "content-type": "application/json" }).end(reply.body);
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => (reply = { status: 200, body: JSON.stringify(answer) }));

  const ask = (change: Record<string, unknown> = {}): Promise<FeeAnswer> =>
    suggestedFees({ url, maxFeePpm: 1_000, ...change })(request, request.amountIn);
  const reason = async (body: object): Promise<string> => {
    reply = { status: 200, body: JSON.stringify({ ...answer, ...body }) };
    const said = await ask();
    return said.ok ? "accepted" : said.reason;
  };
  const failure = async (promise: Promise<unknown>): Promise<ArbError> => {
    const error: unknown = await promise.then(
      () => null,
      (e: unknown) => e,
    );
    if (!(error instanceof ArbError)) throw new Error(`no ArbError but ${String(error)}`);
    return error;
  };

  it("asks for the route and amount with the key as a bearer token, and takes fee, limits and times", async () => {
    const said = await ask({ apiKey: new Secret("very-secret"), integratorId: "0xbeef" });
    expect(said).to.deep.equal({
      ok: true,
      advice: {
        fee: 100_000n,
        limits: { min: 1_000_000n, max: 9_000_000_000_000n },
        etaSeconds: 3,
        quoteTimestamp: 1_800_000_000,
        source: new URL(url).host,
      },
    });
    expect(seen?.headers.authorization).to.equal("Bearer very-secret");
    const { pathname, searchParams } = new URL(seen!.url!, url);
    expect(pathname).to.equal("/api/suggested-fees");
    expect(Object.fromEntries(searchParams)).to.include({ originChainId: "1", amount: "1000000000", integratorId: "0xbeef" });
  });

  it("refuses a fee above our limit, an amount too low, and other contracts than the registry's", async () => {
    expect(await reason({ totalRelayFee: { total: "1000001" } })).to.match(/above the limit of 1000 ppm/);
    expect(await reason({ isAmountTooLow: true })).to.match(/small/);
    expect(await reason({ spokePoolAddress: ME })).to.match(/another SpokePool on chain 1 /);
    expect(await reason({ destinationSpokePoolAddress: "x" })).to.match(/another SpokePool on chain 10 /);
    expect(await reason({})).to.equal("accepted");
  });

  it("a service that fails, is silent or talks nonsense is an error without the key, or the schedule's turn", async () => {
    const apiKey = new Secret("very-secret");
    for (const bad of [{ status: 500, body: "very-secret" }, { status: 200, body: "<html>" }, null]) {
      reply = bad;
      const error = await failure(ask({ apiKey, timeoutMs: 200 }));
      expect(error.code).to.equal("network");
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.to.include("very-secret");
      const fallback = feeSchedule([{ symbol: "USDC", ppm: 100, fixed: 7n, min: 1n, max: 2n, etaSeconds: 9 }]);
      const said = await ask({ fallback, timeoutMs: 200 });
      expect(said.ok && said.advice).to.include({ fee: 100_007n, source: "schedule", etaSeconds: 9 });
    }
    reply = { status: 200, body: JSON.stringify({ ...answer, totalRelayFee: { total: "-5" } }) };
    expect((await failure(ask())).where).to.match(/totalRelayFee\.total/);
  });

  it("sends a key to https:// or to this machine only", () => {
    expect(() => suggestedFees({ url: "http://example.org/api", maxFeePpm: 1 })).to.throw(ArbError, /https/);
    expect(() => suggestedFees({ url: "http://127.0.0.1.example.org/api", maxFeePpm: 1 })).to.throw(ArbError, /https/);
    expect(() => suggestedFees({ maxFeePpm: 1 })).not.to.throw();
  });

  it("a schedule takes the first line that fits token and chains, and rounds the share up", async () => {
    const line = { symbol: "USDC", fixed: 0n, min: 1n, max: 10n ** 18n, etaSeconds: 2 };
    const fees = feeSchedule([
      { ...line, toChainId: 8453, ppm: 1 },
      { ...line, fromChainId: 1, ppm: 500 },
    ]);
    const said = await fees(request, 1_001n);
    expect(said.ok && said.advice.fee).to.equal(1n);
    const route = { ...request.route, fromChainId: 42161, tokenIn: token(42161) };
    expect(await fees({ ...request, route }, 1n)).to.include({ ok: false });
  });
});
