import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { SigningKey, Transaction } from "ethers";
import * as fc from "fast-check";
import { networkById } from "../../src/config/networks.js";
import { createIntake } from "../../src/opportunity/intake.js";
import type { Opportunity } from "../../src/opportunity/opportunity.js";
import type { Result } from "../../src/opportunity/reject.js";
import { opportunityJsonSchema, toJson } from "../../src/opportunity/schema.js";
import { type ValidationContext, validateOpportunity } from "../../src/opportunity/validate.js";
import { VENUES } from "../../src/venues/index.js";
import { property } from "../helpers/property.js";

const ethereum = networkById(1)!;
const [WETH, USDC, USDT, DAI] = ["WETH", "USDC", "USDT", "DAI"].map(
  (symbol) => ethereum.tokens.find((t) => t.symbol === symbol)!.address,
) as [string, string, string, string];
const V2 = VENUES["uniswap-v2"].poolAddress(ethereum, WETH, USDC, 3000)!;
const SUSHI = VENUES["sushiswap-v2"].poolAddress(ethereum, WETH, USDC, 3000)!;
const V3 = VENUES["uniswap-v3"].poolAddress(ethereum, USDC, WETH, 500)!;
const V3_DAI = VENUES["uniswap-v3"].poolAddress(ethereum, DAI, WETH, 500)!;
const FORK = "0x1111111111111111111111111111111111111111";
const NOW = 1_800_000_000;

const context: ValidationContext = {
  networks: [ethereum],
  allowedPools: [{ chainId: 1, address: FORK, kind: "v2", tokens: [USDC, WETH], feePips: 2500 }],
  now: NOW,
};

type Json = Record<string, any>;

const good = (): Json => ({
  version: "opportunity.v1",
  id: "one",
  chainId: 1,
  hops: [
    { venue: "uniswap-v2", pool: V2, tokenIn: WETH, tokenOut: USDC },
    { venue: "uniswap-v3", pool: V3, tokenIn: USDC, tokenOut: WETH, fee: "0.05 %" },
  ],
  amountIn: "1.5 WETH",
  deadline: NOW + 60,
});

/** The good one with changes at JSON paths: `{"hops[1].fee": "0.3 %"}`; undefined removes. */
function changed(changes: Json): Json {
  const value = good();
  for (const [path, to] of Object.entries(changes)) {
    const keys = path.split(/[.[\]]+/).filter((key) => key !== "");
    const last = keys.pop()!;
    const parent = keys.reduce<Json>((node, key) => node[key], value);
    if (to === undefined) delete parent[last];
    else parent[last] = to;
  }
  return value;
}

/** A signed transaction of a chain, and the same before it was signed. */
function pendingOf(chainId: number): { raw: string; hash: string; unsigned: string } {
  const fees = { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n };
  const tx = Transaction.from({ type: 2, chainId, nonce: 3, to: WETH, gasLimit: 50_000n, ...fees });
  const unsigned = tx.unsignedSerialized;
  tx.signature = new SigningKey(`0x${"07".repeat(32)}`).sign(tx.unsignedHash);
  return { raw: tx.serialized, hash: tx.hash!, unsigned };
}

const flip = (address: string): string => {
  const at = 2 + address.slice(2).search(/[a-f]/);
  return address.slice(0, at) + address[at]!.toUpperCase() + address.slice(at + 1);
};

type Row = [name: string, input: Json | string, reason: string, where: string | null, detail: RegExp];

const BAD: Row[] = [
  ["no JSON", "hello", "malformed", "line 1, column 1", /not valid JSON/],
  ["a JSON string only", '"x"', "malformed", null, /must be an object, is "x"/],
  ["a list", "[]", "malformed", null, /must be an object, is a list of 0/],
  ["null", "null", "malformed", null, /must be an object, is null/],
  ["an unclosed brace", '{"version": "opportunity.v1",\n "id": "x"', "malformed", "line 2, column 11", /close brace expected/],
  ["a comment", "{\n  // hm\n}", "malformed", "line 2, column 3", /comment/],
  ["a trailing comma", '{"id": "x",}', "malformed", "line 1, column 12", /expected/],
  ["a leading zero", '{"chainId": 01}', "malformed", "line 1, column 14", /expected|not valid JSON/],
  ["a field twice", '{"id": "x", "id": "y"}', "malformed", "line 1, column 13", /"id" stands twice/],
  ["a prototype", '{"__proto__": {"id": "x"}}', "malformed", "line 1, column 2", /unknown field "__proto__"/],
  ["deep nesting", "[".repeat(50_000), "malformed", "line 1, column 17", /more than 16 levels/],
  ["a missing version", changed({ version: undefined }), "malformed", "version", /missing/],
  ["another version", changed({ version: "opportunity.v2" }), "malformed", "version", /did you mean "opportunity\.v1"/],
  ["an unknown field", changed({ chianId: 1 }), "malformed", "chianId", /did you mean "chainId"/],
  ["an unknown field far from any", changed({ calldata: "0x" }), "malformed", "calldata", /unknown field "calldata"$/],
  ["an unknown field of a hop", changed({ "hops[1].tokenInn": WETH }), "malformed", "hops[1].tokenInn", /did you mean "tokenIn"/],
  ["an id with spaces", changed({ id: "my trade" }), "malformed", "id", /letters, digits/],
  ["a chain id as text", changed({ chainId: "1" }), "malformed", "chainId", /must be a number, is "1"/],
  ["a fraction of a chain", changed({ chainId: 1.5 }), "malformed", "chainId", /whole number/],
  ["a negative chain id", changed({ chainId: -1 }), "malformed", "chainId", /must be positive, is -1/],
  [
    "a chain that is not configured",
    changed({ chainId: 56 }),
    "unknown-chain",
    "chainId",
    /56 is not configured; configured: 1 \(ethereum\)/,
  ],
  ["hops as an object", changed({ hops: {} }), "malformed", "hops", /must be a list/],
  ["one hop", changed({ hops: good()["hops"].slice(0, 1) }), "malformed", "hops", /2 to 6 hops/],
  ["seven hops", changed({ hops: Array(7).fill(good()["hops"][0]) }), "malformed", "hops", /2 to 6 hops/],
  ["a hop without a pool", changed({ "hops[0].pool": undefined }), "malformed", "hops[0].pool", /missing/],
  ["a venue with a typo", changed({ "hops[0].venue": "uniswap-v22" }), "malformed", "hops[0].venue", /did you mean "uniswap-v2"/],
  ["a short address", changed({ "hops[0].pool": V2.slice(0, 41) }), "malformed", "hops[0].pool", /40 hexadecimal digits/],
  ["a wrong checksum of a pool", changed({ "hops[0].pool": flip(V2) }), "wrong-checksum", "hops[0].pool", /checksum/],
  ["a wrong checksum of a token", changed({ "hops[1].tokenOut": flip(WETH) }), "wrong-checksum", "hops[1].tokenOut", /checksum/],
  [
    "upper case",
    changed({ "hops[0].tokenIn": `0x${WETH.slice(2).toUpperCase()}` }),
    "wrong-checksum",
    "hops[0].tokenIn",
    /checksum/,
  ],
  [
    "an unknown token",
    changed({ "hops[0].tokenOut": FORK }),
    "unknown-token",
    "hops[0].tokenOut",
    /not on the token list of ethereum/,
  ],
  ["a token for itself", changed({ "hops[0].tokenOut": WETH }), "not-a-cycle", "hops[0].tokenOut", /trades a token for itself/],
  [
    "a pool of other tokens",
    changed({ "hops[0].pool": SUSHI }),
    "unknown-pool",
    "hops[0].pool",
    /0\.3 % pool of these tokens on uniswap-v2 is 0x/,
  ],
  ["a pool of another fee", changed({ "hops[1].fee": "0.3 %" }), "unknown-pool", "hops[1].pool", /the 0\.3 % pool .* not 0x/],
  [
    "a fee that the venue has not",
    changed({ "hops[1].fee": "0.31 %" }),
    "unknown-pool",
    "hops[1].fee",
    /no pools with a fee of 0\.31 %; it has 0\.01 %/,
  ],
  ["a V3 hop without fee", changed({ "hops[1].fee": undefined }), "malformed", "hops[1].fee", /several fees/],
  ["a fee as a number", changed({ "hops[1].fee": 500 }), "malformed", "hops[1].fee", /must be a string, is 500/],
  ["a fee without unit", changed({ "hops[1].fee": "0.05" }), "malformed", "hops[1].fee", /percentage like "0\.3 %"/],
  [
    "a fork pair nobody vouches for",
    changed({ "hops[0].venue": "v2-fork" }),
    "unknown-pool",
    "hops[0].pool",
    /not on the allow-list/,
  ],
  [
    "an allowed pair of another fee",
    changed({ "hops[0].venue": "v2-fork", "hops[0].pool": FORK, "hops[0].fee": "0.3 %" }),
    "unknown-pool",
    "hops[0].fee",
    /fee of 0\.25 %/,
  ],
  [
    "an allowed pair as V3",
    changed({ "hops[1].pool": FORK }),
    "unknown-pool",
    "hops[1].venue",
    /as a v2 pool, uniswap-v3 makes v3 pools/,
  ],
  [
    "no way back",
    changed({ "hops[1].tokenOut": USDT, "hops[1].pool": VENUES["uniswap-v3"].poolAddress(ethereum, USDC, USDT, 500) }),
    "not-a-cycle",
    "hops[1].tokenOut",
    /the last hop ends with/,
  ],
  [
    "hops that do not meet",
    changed({ "hops[1].tokenIn": DAI, "hops[1].pool": VENUES["uniswap-v3"].poolAddress(ethereum, DAI, WETH, 500) }),
    "not-a-cycle",
    "hops[1].tokenIn",
    /hop 0 gives .* hop 1 takes/,
  ],
  [
    "a pool twice",
    changed({ "hops[1]": { venue: "uniswap-v2", pool: V2.toLowerCase(), tokenIn: USDC, tokenOut: WETH } }),
    "pool-twice",
    "hops[1].pool",
    /hops 0 and 1/,
  ],
  ["an amount as a number", changed({ amountIn: 1.5 }), "malformed", "amountIn", /must be a string, is 1\.5/],
  ["an amount without unit", changed({ amountIn: "1.5" }), "malformed", "amountIn", /with its unit/],
  ["a negative amount", changed({ amountIn: "-1 WETH" }), "malformed", "amountIn", /with its unit.*is "-1 WETH"/],
  ["an exponent", changed({ amountIn: "1e18 units" }), "malformed", "amountIn", /with its unit.*1e18/],
  ["the unit of another token", changed({ amountIn: "1.5 ETH" }), "malformed", "amountIn", /"ETH" is neither "WETH"/],
  ["19 decimals", changed({ amountIn: "1.0000000000000000001 WETH" }), "malformed", "amountIn", /19 decimals: WETH has 18/],
  ["part of a base unit", changed({ amountIn: "1.5 units" }), "malformed", "amountIn", /base units are whole/],
  ["zero", changed({ amountIn: "0.0 WETH" }), "amount-out-of-range", "amountIn", /is zero/],
  ["a huge amount", changed({ amountIn: "79228162515 WETH" }), "amount-out-of-range", "amountIn", /more than a plan can carry/],
  ["an endless amount", changed({ amountIn: `${"9".repeat(200)} WETH` }), "malformed", "amountIn", /must be an amount like/],
  ["a lender with a typo", changed({ funding: "aave-v33" }), "malformed", "funding", /did you mean "aave-v3"/],
  ["an unknown amounts mode", changed({ amounts: "fast" }), "malformed", "amounts", /not one of fixed, adaptive/],
  ["a past deadline", changed({ deadline: NOW - 5 }), "expired", "deadline", /passed 5 s ago/],
  ["a deadline in milliseconds", changed({ deadline: NOW * 1000 }), "malformed", "deadline", /looks like milliseconds/],
  ["a deadline as text", changed({ deadline: "soon" }), "malformed", "deadline", /must be a number/],
  ["a short transaction hash", changed({ after: "0x1234" }), "malformed", "after", /64 hexadecimal digits/],
  ["a number to follow", changed({ after: 7 }), "malformed", "after", /must be a text or an object, is 7/],
  ["bytes that are no transaction", changed({ after: { raw: "0x0102" } }), "malformed", "after.raw", /are no transaction/],
  ["bytes that nobody signed", changed({ after: { raw: pendingOf(1).unsigned } }), "malformed", "after.raw", /not signed/],
  ["bytes of another chain", changed({ after: { raw: pendingOf(10).raw } }), "malformed", "after.raw", /of chain 10/],
  [
    "bytes of another transaction than was named",
    changed({ after: { raw: pendingOf(1).raw, hash: `0x${"ab".repeat(32)}` } }),
    "malformed",
    "after.raw",
    /are the transaction 0x[0-9a-f]{64}, not 0xabab/,
  ],
  ["a hash without bytes", changed({ after: { hash: pendingOf(1).hash } }), "malformed", "after.raw", /missing/],
  ["a typo in what it follows", changed({ after: { raw: "0x01", hashh: "0x" } }), "malformed", "after.hashh", /mean "hash"/],
  ["an empty source", changed({ source: "" }), "malformed", "source", /must not be empty/],
  ["endless notes", changed({ notes: "x".repeat(1001) }), "malformed", "notes", /at most 1000 characters/],
];

describe("opportunity.v1", () => {
  const read = (input: Json | string, where = context): Result<Opportunity> => {
    const result = createIntake(() => where).text(typeof input === "string" ? input : JSON.stringify(input), null);
    if (!result.ok) return result;
    if ("buy" in result.value) throw new Error("was read as one across chains");
    return { ok: true, value: result.value };
  };

  it("takes a good one, with the fee of a venue that has one and exact base units", () => {
    const result = read(good());
    if (!result.ok) throw new Error(result.rejection.detail);
    expect(result.value).to.deep.equal({
      version: "opportunity.v1",
      id: "one",
      chainId: 1,
      hops: [
        { venue: "uniswap-v2", pool: V2, tokenIn: WETH, tokenOut: USDC, feePips: 3000 },
        { venue: "uniswap-v3", pool: V3, tokenIn: USDC, tokenOut: WETH, feePips: 500 },
      ],
      amountIn: 1_500_000_000_000_000_000n,
      funding: null,
      amounts: null,
      deadline: NOW + 60,
      after: null,
      source: null,
    });
  });

  it("takes lower-case addresses, base units, an allowed pair and no amount", () => {
    const hops = good()["hops"];
    const lower = read(changed({ "hops[0].pool": V2.toLowerCase(), "hops[0].tokenIn": WETH.toLowerCase(), amountIn: "7 units" }));
    expect(lower.ok && lower.value.hops[0]).to.deep.equal({ ...hops[0], feePips: 3000 });
    expect(lower.ok && lower.value.amountIn).to.equal(7n);
    const fork = read(changed({ "hops[0].venue": "v2-fork", "hops[0].pool": FORK, amountIn: undefined, notes: "n" }));
    expect(fork.ok && fork.value.hops[0]!.feePips).to.equal(2500);
    expect(fork.ok && fork.value.amountIn).to.equal(null);
  });

  for (const [name, input, reason, where, detail] of BAD) {
    it(`refuses ${name}`, () => {
      const result = read(input);
      if (result.ok) throw new Error("accepted");
      expect(result.rejection).to.deep.include({ reason, where });
      expect(result.rejection.detail).to.match(detail);
    });
  }

  it("has a message of its own for each fault", () => {
    const messages = BAD.map(([, input]) => {
      const result = read(input);
      return result.ok ? "accepted" : `${result.rejection.reason} ${result.rejection.where} ${result.rejection.detail}`;
    });
    expect(new Set(messages).size).to.equal(BAD.length);
  });

  it("refuses an allowed pair that is passed off as one of other tokens", () => {
    const changes = { "hops[0].venue": "v2-fork", "hops[0].pool": FORK, "hops[0].tokenOut": DAI };
    const result = read(changed({ ...changes, "hops[1].tokenIn": DAI, "hops[1].pool": V3_DAI }));
    expect(!result.ok && result.rejection).to.include({ reason: "unknown-pool", where: "hops[0].tokenOut" });
  });

  it("refuses any value of the program's own with a reason, and never throws", () => {
    const loop: Json = {};
    loop["self"] = loop;
    const anything = fc.oneof(fc.anything({ withBigInt: true, withDate: true, withMap: true }), fc.constant(loop));
    const field = fc.constantFrom("version", "id", "chainId", "hops", "hops[0]", "hops[1].fee", "amountIn", "deadline", "extra");
    property(
      fc.property(field, anything, (path, value) => {
        for (const input of [value, changed({ [path]: value })]) {
          const result = validateOpportunity(input, context);
          if (result.ok) expect(result.value).to.include({ chainId: 1, version: "opportunity.v1" });
          else expect(result.rejection.detail).to.be.a("string").with.length.above(5);
        }
      }),
      500,
    );
  });

  it("refuses a venue that the network does not have", () => {
    const bare = { ...ethereum, venues: { "uniswap-v2": ethereum.venues["uniswap-v2"]! } };
    const result = validateOpportunity(good(), { ...context, networks: [bare] });
    expect(result.ok ? null : result.rejection).to.deep.include({
      reason: "unknown-venue",
      where: "hops[1].venue",
      opportunityId: "one",
    });
  });

  it("is the same after a trip through its JSON form", () => {
    const first = read(changed({ funding: "aave-v3", amounts: "fixed", after: `0x${"ab".repeat(32)}`, source: "desk" }));
    if (!first.ok) throw new Error(first.rejection.detail);
    const json = toJson(first.value, ethereum);
    expect(json.amountIn).to.equal("1.5 WETH");
    expect(json.hops[1]!.fee).to.equal("0.05 %");
    expect(read(json)).to.deep.equal(first);
  });

  it("takes the bytes of what it follows, in any case, and names it by its hash", () => {
    const { raw, hash } = pendingOf(1);
    expect(read(changed({ after: { raw: `${raw}00` } })).ok, "bytes with more behind").to.equal(false);
    for (const after of [{ raw }, { raw: `0x${raw.slice(2).toUpperCase()}`, hash: `0x${hash.slice(2).toUpperCase()}` }]) {
      const result = read(changed({ after }));
      if (!result.ok) throw new Error(result.rejection.detail);
      expect(result.value.after).to.deep.equal({ hash, raw });
      expect(toJson(result.value, ethereum).after).to.deep.equal({ hash, raw });
    }
  });

  it("has its JSON Schema in docs/ (UPDATE_SCHEMA=1 writes it anew)", () => {
    const file = new URL("../../docs/opportunity.v1.schema.json", import.meta.url);
    if (process.env["UPDATE_SCHEMA"] === "1") writeFileSync(file, `${JSON.stringify(opportunityJsonSchema(), null, 2)}\n`);
    expect(JSON.parse(readFileSync(file, "utf8"))).to.deep.equal(JSON.parse(JSON.stringify(opportunityJsonSchema())));
  });
});
