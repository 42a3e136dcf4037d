import { expect } from "chai";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { inspect } from "node:util";
import { ZeroAddress } from "ethers";
import * as fc from "fast-check";
import { type Config, loadConfig, parseConfig, resolveEndpoints } from "../../src/config/load.js";
import { findToken, NETWORKS } from "../../src/config/networks.js";
import { configJsonSchema } from "../../src/config/schema.js";
import { ArbError } from "../../src/errors.js";
import { validationOf } from "../../src/execution/session.js";
import { DYNAMIC_FEE } from "../../src/venues/uniswap-v4-hooks.js";
import { v4PoolId } from "../../src/venues/uniswap-v4.js";
import { property } from "../helpers/property.js";

const SCHEMA_FILE = path.resolve(import.meta.dirname, "../../docs/arb.config.schema.json");
const KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const MNEMONIC = "test test test test test test test test test test test junk";
const PAIR = "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc";

const HOOKS = "0x00000000000000000000000000000000000000C4";
const [WETH, USDC] = ["WETH", "USDC"].map((symbol) => findToken(NETWORKS[0]!, symbol)!.address) as [string, string];

/** An entry of the allow-list with the key of a pool that has hooks. */
function hookedPool(fee: string, ether = "WETH"): string {
  const key = `"fee": ${fee}, "tickSpacing": 60, "hooks": "${HOOKS}", "hookData": "0x01"`;
  return `{ "venue": "uniswap-v4-hooks", "token0": "${ether}", "token1": "USDC", ${key} }`;
}

function refusal(text: string): ArbError {
  try {
    parseConfig(text, "arb.config.jsonc");
  } catch (error) {
    return error as ArbError;
  }
  throw new Error("was accepted");
}

const withNetwork = (inside: string, rest = ""): string =>
  `{\n  "networks": {\n    "ethereum": {\n      "rpc": ["https://rpc.example.org"],\n      ${inside}\n    }\n  }${rest}\n}`;

describe("configuration", () => {
  it("needs no more than a network and an endpoint; everything else has a careful default", () => {
    const c = parseConfig('{ "networks": { "base": { "rpc": ["env:BASE_RPC"] } } }', "/home/me/arb.config.jsonc");
    expect(c.mode).to.equal("dry-run");
    expect(c.wallet).to.equal(null);
    const [base] = c.networks;
    expect(base!.network.name).to.equal("base");
    expect([base!.maxFeePerGas, base!.priorityFee, base!.maxGasCost]).to.deep.equal([10n ** 9n, 10n ** 6n, 2n * 10n ** 14n]);
    expect(base!.minNetProfit.get(findToken(base!.network, "WETH")!.address)).to.equal(10n ** 14n);
    expect(base!.minNetProfit.get(findToken(base!.network, "USDC")!.address)).to.equal(250_000n);
    expect(c.slippage).to.deep.equal({
      tiers: [
        { above: 20_000, allow: 5_000 },
        { above: 10_000, allow: 3_000 },
      ],
      otherwise: 1_000,
      impact: [
        { above: 5_000, size: 500_000 },
        { above: 3_000, size: 700_000 },
      ],
    });
    expect(c.gas).to.deep.equal({ bufferPpm: 200_000, patienceBlocks: 3 });
    expect(c.marginOverCostPpm).to.equal(1_000_000);
    expect(c.timeouts).to.deep.equal({ rpcMs: 5_000, opportunityMs: 30_000, receiptMs: 180_000 });
    expect(c.fundingPreference).to.deep.equal([
      "flash-swap",
      "balancer-v2",
      "uniswap-v4",
      "balancer-v3",
      "morpho",
      "erc3156",
      "uniswap-v3-flash",
      "aave-v3",
    ]);
    expect(c.guards).to.deep.equal({ firstPool: "l2", ownGas: false, sweep: false, tip: null });
  });

  it("reads every setting, comments and trailing commas", () => {
    const c = parseConfig(
      `// my bot
      {
        "$schema": "docs/arb.config.schema.json",
        "mode": "live",
        "networks": {
          "ethereum": {
            "rpc": ["https://a.example", "file:/run/secrets/rpc"],
            "executor": "${PAIR}",
            "maxFeePerGas": "12.5 gwei", "priorityFee": "1 gwei", "maxGasCost": "0.002 ETH",
            "tokens": [{ "symbol": "UNI", "decimals": 18, "address": "0x1f9840a85d5aF5bf1D1762F925BDADdC4201F984" }],
            "pools": [{ "address": "0xd3d2E2692501A5c9Ca623199D38826e513033a17", "venue": "v2-fork", "token0": "WETH", "token1": "uni", "fee": "0.25 %" }],
          },
          "base": { "enabled": false, "rpc": ["https://b.example"] },
        },
        "wallet": { "keystore": "keys/hot.json", "password": "fd:3" },
        "slippage": { "tiers": [{ "above": "3 %", "allow": "1 %" }], "otherwise": "0.05 %", "impact": [] },
        "profit": { "minNet": ["0.001 WETH", "2 UNI"], "marginOverCost": "50 %" },
        "gas": { "buffer": "10 %", "patienceBlocks": 5 },
        "timeouts": { "rpc": "800 ms", "opportunity": "4 s", "receipt": "2 min" },
        "funding": { "preference": ["aave-v3"] },
      }`,
      "/etc/arb/arb.config.jsonc",
    );
    expect(c.networks.map((n) => n.network.name)).to.deep.equal(["ethereum"]);
    const [n] = c.networks;
    const uni = findToken(n!.network, "UNI")!;
    expect(uni).to.include({ decimals: 18, verified: false });
    expect(NETWORKS[0]!.tokens.includes(uni), "the registry itself is not changed").to.equal(false);
    expect(n!.pools).to.deep.equal([
      {
        venue: "v2-fork",
        address: "0xd3d2E2692501A5c9Ca623199D38826e513033a17",
        token0: uni.address,
        token1: n!.network.wrappedNative,
        feePips: 2_500,
      },
    ]);
    expect([n!.executor, n!.maxFeePerGas, n!.maxGasCost]).to.deep.equal([PAIR, 12_500_000_000n, 2n * 10n ** 15n]);
    expect([...n!.minNetProfit.values()]).to.deep.equal([10n ** 15n, 2n * 10n ** 18n]);
    const wallet = { name: "wallet", kind: "keystore", keystore: "/etc/arb/keys/hot.json", password: "fd:3" };
    expect(c.wallet).to.deep.equal(wallet);
    expect([...c.wallets]).to.deep.equal([["wallet", wallet]]);
    expect(c.networks.every(({ wallets }) => wallets.join() === "wallet")).to.equal(true);
    expect(c.timeouts.rpcMs).to.equal(800);
  });

  it("takes a Uniswap V4 pool with hooks by its key, as one of ETH, too, and gives it to the allow-list", () => {
    for (const [ether, currency] of [
      ["WETH", WETH],
      ["ETH", ZeroAddress],
    ] as const) {
      const { networks } = parseConfig(withNetwork(`"pools": [${hookedPool('"dynamic"', ether)}]`), "arb.config.jsonc");
      const traits = { tickSpacing: 60, hooks: HOOKS, hookData: "0x01" };
      const address = v4PoolId(currency, USDC, DYNAMIC_FEE, 60, HOOKS);
      expect(networks[0]!.pools).to.deep.equal([
        { venue: "uniswap-v4-hooks", address, token0: USDC, token1: WETH, feePips: DYNAMIC_FEE, ...traits },
      ]);
      const [vouched] = validationOf({ networks } as Config).allowedPools;
      expect(vouched).to.deep.include({ kind: "quoted", address, traits });
    }
    const fixed = parseConfig(withNetwork(`"pools": [${hookedPool('"0.3 %"')}]`), "arb.config.jsonc");
    expect(fixed.networks[0]!.pools[0]!.address).to.equal(v4PoolId(WETH, USDC, 3000, 60, HOOKS));
  });

  it("takes the id of a Balancer V2 pool, and nothing else of its length", () => {
    const address = "0x96646936b91d6b9d7d0c47c496afbf3d6ec7b6f8000200000000000000000019";
    const pools = (at: string) =>
      withNetwork(`"pools": [{ "address": "${at}", "venue": "balancer-v2", "token0": "WETH", "token1": "USDC" }]`);
    expect(parseConfig(pools(address), "arb.config.jsonc").networks[0]!.pools[0]).to.include({ address, venue: "balancer-v2" });
    for (const other of [`0x${KEY}`, address.replace("0002000000", "0003000000"), address.replace("000019", "010019")]) {
      expect(refusal(pools(other)).code, other).to.equal("secrets");
    }
  });

  const malformed: [string, string, RegExp][] = [
    ["a syntax error", '{\n  "mode": "live"\n  "networks": {}\n}', /arb\.config\.jsonc:3:3 is not valid JSONC: CommaExpected/],
    ["no object", "[]", /:1:1 is not valid JSONC: an object in braces/],
    ["an empty file", "", /not valid JSONC/],
    [
      "a misspelt setting",
      withNetwork('"maxFeePerGaz": "1 gwei"'),
      /:5:7 networks\.ethereum\.maxFeePerGaz is no setting; did you mean "maxFeePerGas"\?/,
    ],
    [
      "a misspelt network",
      '{ "networks": { "arbitrun": { "rpc": [] } } }',
      /networks\.arbitrun is no setting; did you mean "arbitrum"/,
    ],
    ["a setting like no other", withNetwork('"colour": 1'), /colour is no setting; known here: enabled, rpc/],
    ["no networks", '{ "mode": "dry-run" }', /:1:1 networks is missing/],
    ["no enabled network", '{ "networks": {} }', /networks enables no network/],
    ["no endpoint", '{ "networks": { "base": { "rpc": [] } } }', /networks\.base\.rpc needs at least one endpoint/],
    ["an endpoint that is none", '{ "networks": { "base": { "rpc": ["rpc.example"] } } }', /rpc\[0\] is no endpoint/],
    ["a wrong mode", withNetwork('"enabled": true', ', "mode": "Live"'), /mode must be "dry-run" or "live"/],
    ["a number for an amount", withNetwork('"maxFeePerGas": 5'), /maxFeePerGas must be of type string, received number/],
    ["an amount without unit", withNetwork('"maxFeePerGas": "5"'), /maxFeePerGas "5" has no unit; write "5 gwei"/],
    ["an amount in another unit", withNetwork('"maxGasCost": "5 USDC"'), /is in USDC; an amount of ETH is expected/],
    [
      "a wrong checksum",
      withNetwork(`"executor": "${PAIR.replace("B4e1", "b4e1")}"`),
      /:5:19 networks\.ethereum\.executor does not match its EIP-55 checksum|checksum/,
    ],
    ["no checksum", withNetwork(`"executor": "${PAIR.toLowerCase()}"`), /has no checksum/],
    ["no address", withNetwork('"executor": "0x12"'), /is no address/],
    [
      "a percentage without sign",
      withNetwork('"enabled": true', ', "gas": { "buffer": "20" }'),
      /gas\.buffer "20" is not a percentage/,
    ],
    ["too large a buffer", withNetwork('"enabled": true', ', "gas": { "buffer": "200 %" }'), /gas\.buffer is more than 100 %/],
    [
      "tiers in the wrong order",
      withNetwork(
        '"enabled": true',
        ', "slippage": { "tiers": [{"above":"1 %","allow":"0.1 %"},{"above":"2 %","allow":"1 %"}] }',
      ),
      /slippage\.tiers must go from the highest/,
    ],
    [
      "a duration without unit",
      withNetwork('"enabled": true', ', "timeouts": { "rpc": "5" }'),
      /timeouts\.rpc "5" is not a duration/,
    ],
    [
      "a keystore and a remote signer",
      withNetwork('"enabled": true', ', "wallet": { "keystore": "k", "password": "fd:3", "remote": "https://s" }'),
      /wallet needs either/,
    ],
    [
      "a remote signer without its address",
      withNetwork('"enabled": true', ', "wallet": { "remote": "https://s" }'),
      /wallet needs the address/,
    ],
    [
      "a remote signer in the clear",
      withNetwork('"enabled": true', ', "wallet": { "remote": "http://signer" }'),
      /wallet\.remote.*unencrypted/,
    ],
    [
      "a keystore with a token",
      withNetwork('"enabled": true', ', "wallet": { "keystore": "k", "password": "fd:3", "token": "fd:4" }'),
      /wallet\.token is for a remote/,
    ],
    ["an account that is not listed", withNetwork('"wallets": ["hot"]', ""), /wallets\[0\] names hot, which is not listed/],
    [
      "an account twice",
      withNetwork('"wallets": ["hot", "hot"]', ', "wallets": { "hot": { "keystore": "k", "password": "fd:3" } }'),
      /names hot twice/,
    ],
    [
      "a token from the environment in live mode",
      withNetwork(
        '"wallets": ["hot"]',
        `, "mode": "live", "wallets": { "hot": { "remote": "https://s", "address": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "token": "env:T" } }`,
      ),
      /wallets\.hot\.token is read from the environment/,
    ],
    ["live without a wallet", withNetwork('"enabled": true', ', "mode": "live"'), /mode is "live", which needs a wallet/],
    [
      "a live password from the environment",
      withNetwork('"enabled": true', ', "mode": "live", "wallet": { "keystore": "k", "password": "env:PW" }'),
      /wallet\.password is read from the environment/,
    ],
    [
      "a password itself",
      withNetwork('"enabled": true', ', "wallet": { "keystore": "k", "password": "hunter2" }'),
      /wallet\.password must be given by reference/,
    ],
    [
      "a pool of an unknown token",
      withNetwork(`"pools": [{ "address": "${PAIR}", "venue": "v2-fork", "token0": "WETH", "token1": "SHIB", "fee": "0.3 %" }]`),
      /pools\[0\]\.token1 is no token of Ethereum/,
    ],
    [
      "a pool of one token",
      withNetwork(`"pools": [{ "address": "${PAIR}", "venue": "v2-fork", "token0": "WETH", "token1": "weth", "fee": "0.3 %" }]`),
      /same token as token0/,
    ],
    [
      "a pool with hooks without its key",
      withNetwork('"pools": [{ "venue": "uniswap-v4-hooks", "token0": "WETH", "token1": "USDC" }]'),
      /pools\[0\] needs fee, which is part of the pool's key/,
    ],
    [
      "a pool with hooks and an address",
      withNetwork(`"pools": [${hookedPool('"0.3 %"').replace("{", `{ "address": "${PAIR}",`)}]`),
      /pools\[0\]\.address follows from the pool's key/,
    ],
    [
      "a pool without address",
      withNetwork('"pools": [{ "venue": "curve", "token0": "WETH", "token1": "USDC" }]'),
      /needs an address/,
    ],
    [
      "hooks of a pool that has none",
      withNetwork(
        `"pools": [{ "address": "${PAIR}", "venue": "curve", "token0": "WETH", "token1": "USDC", "hooks": "${HOOKS}", "fee": "dynamic" }]`,
      ),
      /pools\[0\]\.hooks is for pools of Uniswap V4 with hooks/,
    ],
    [
      "a token that is listed already",
      withNetwork(`"tokens": [{ "symbol": "usdc", "decimals": 6, "address": "${PAIR}" }]`),
      /tokens\[0\] is already listed/,
    ],
    [
      "a profit in an unknown token",
      withNetwork('"enabled": true', ', "profit": { "minNet": ["1 SHIB"] }'),
      /profit\.minNet\[0\] names SHIB/,
    ],
    [
      "a profit finer than the token",
      withNetwork('"enabled": true', ', "profit": { "minNet": ["0.0000001 USDC"] }'),
      /has 7 decimals, the unit has 6/,
    ],
    [
      "one token's profit twice",
      withNetwork('"enabled": true', ', "profit": { "minNet": ["1 USDC", "2 usdc"] }'),
      /names USDC twice/,
    ],
    [
      "a tip above the limit",
      withNetwork('"maxFeePerGas": "1 gwei", "priorityFee": "2 gwei"'),
      /priorityFee makes the tip higher/,
    ],
    [
      "a highest tip above the limit",
      withNetwork('"maxFeePerGas": "1 gwei", "maxPriorityFee": "2 gwei"'),
      /maxPriorityFee makes the tip higher/,
    ],
    [
      "a highest tip below the least one",
      withNetwork('"priorityFee": "0.5 gwei", "maxPriorityFee": "0.1 gwei"'),
      /maxPriorityFee is below priorityFee/,
    ],
    ["a setting given twice", withNetwork('"enabled": true,\n      "enabled": false'), /enabled is given twice/],
    [
      "an unknown funding source",
      withNetwork('"enabled": true', ', "funding": { "preference": ["dydx"] }'),
      /funding\.preference\[0\] must be "flash-swap" or/,
    ],
  ];
  for (const [name, text, message] of malformed)
    it(`refuses ${name}, with its place`, () => {
      const error = refusal(text);
      expect(error.message).to.match(message);
      expect(error.message).to.match(/arb\.config\.jsonc:\d+:\d+ /);
      expect(error).to.include({ code: "config" });
      expect(error.message).not.to.include("hunter2");
    });

  it("reports all faults at once", () => {
    expect(refusal(withNetwork('"maxFeePerGas": 5, "executor": "x"', ', "mode": 1')).message.split("\n")).to.have.length(3);
  });

  const secrets: [string, string][] = [
    ["a private key as a password", withNetwork('"enabled": true', `, "wallet": { "keystore": "k", "password": "0x${KEY}" }`)],
    ["a private key in a URL", `{ "networks": { "base": { "rpc": ["https://x.example/${KEY.toUpperCase()}"] } } }`],
    ["a private key as a setting", `{ "${KEY}": 1 }`],
    ["a private key in a comment", `// old: ${KEY}\n{ "networks": {} }`],
    ["a mnemonic", withNetwork('"enabled": true', `, "wallet": { "keystore": "${MNEMONIC}", "password": "prompt" }`)],
    ["a mnemonic over several lines of a broken file", `{ "a":\n // ${MNEMONIC.replaceAll(" ", "\n // ").toUpperCase()}\n`],
  ];
  for (const [name, text] of secrets)
    it(`refuses ${name} and does not repeat it`, () => {
      const error = refusal(text);
      expect(error).to.include({ code: "secrets" });
      const all = `${error.stack} ${error.hint} ${error.where} ${JSON.stringify(error)}`.toLowerCase();
      expect(all).not.to.include(KEY.slice(0, 12));
      expect(all).not.to.include("junk");
      expect(error.where).to.match(/arb\.config\.jsonc:\d+:\d+$/);
    });

  it("has a published JSON Schema that equals the one in force (UPDATE_SCHEMA=1 writes it)", () => {
    const schema = configJsonSchema();
    if (process.env["UPDATE_SCHEMA"] === "1") writeFileSync(SCHEMA_FILE, `${JSON.stringify(schema, null, 2)}\n`);
    expect(JSON.parse(readFileSync(SCHEMA_FILE, "utf8"))).to.deep.equal(JSON.parse(JSON.stringify(schema)));
  });
});

describe("endpoints by reference", () => {
  let dir: string;
  before(() => (dir = mkdtempSync(path.join(os.tmpdir(), "config-"))));
  after(() => rmSync(dir, { recursive: true }));

  it("come from the environment and from private files, and a file open to others is refused", async () => {
    const secret = path.join(dir, "rpc");
    writeFileSync(secret, "https://rpc.example.org/CANARY\n", { mode: 0o600 });
    process.env["TEST_RPC"] = "https://env.example.org/CANARY";
    const file = path.join(dir, "arb.config.jsonc");
    writeFileSync(file, `{ "networks": { "base": { "rpc": ["env:TEST_RPC", "file:${secret}", "http://127.0.0.1:8545"] } } }`);
    const [base] = loadConfig(file).networks;
    expect(await resolveEndpoints(base!)).to.deep.equal([
      "https://env.example.org/CANARY",
      "https://rpc.example.org/CANARY",
      "http://127.0.0.1:8545",
    ]);
    chmodSync(secret, 0o644);
    expect(await resolveEndpoints(base!).catch((e: Error) => e)).to.include({ code: "secrets" });
    process.env["TEST_RPC"] = "CANARY no url";
    const error = (await resolveEndpoints({ ...base!, rpc: ["env:TEST_RPC"] }).catch((e: Error) => e)) as ArbError;
    expect(error.message).to.equal("env:TEST_RPC holds no http(s), ws(s) or ipc URL");
    delete process.env["TEST_RPC"];
    expect(await resolveEndpoints(base!).catch((e: Error) => e)).to.include({ code: "secrets" });
    expect(() => loadConfig(path.join(dir, "missing.jsonc"))).to.throw(/cannot be read/);
  });

  it("refuses whatever it cannot take by an ArbError with a place, and never crashes", () => {
    const refused = (text: string): void => {
      try {
        parseConfig(text, "arb.config.jsonc");
      } catch (error) {
        if (!(error instanceof ArbError)) throw error;
        expect(["config", "secrets"]).to.include(error.code);
        expect(error.where).to.match(/^arb\.config\.jsonc:\d+:\d+$/);
      }
    };
    for (const text of ["[".repeat(100_000), '{"networks":'.repeat(50_000), '{"__proto__": {"a": [{}]}}']) refused(text);
    const section = fc.constantFrom("mode", "networks", "wallet", "slippage", "profit", "gas", "timeouts", "funding", "$schema");
    property(
      fc.property(section, fc.jsonValue({ maxDepth: 4 }), fc.string(), (key, value, noise) => {
        refused(noise);
        refused(JSON.stringify(value));
        refused(withNetwork('"enabled": true', `, ${JSON.stringify(key)}: ${JSON.stringify(value)}`));
        refused(withNetwork(`"tokens": ${JSON.stringify(value)}`));
        refused(withNetwork('"enabled": true', `, "profit": {"minNet": [${JSON.stringify(noise)}]}`));
      }),
      100,
    );
  });

  it("refuses an endpoint that is no URL, without showing it", async () => {
    for (const url of ["https://[/v2/SECRETKEY", "https://host:99999/v2/SECRETKEY"]) {
      const error = refusal(`{ "networks": { "base": { "rpc": ["${url}"] } } }`);
      expect(error.code).to.equal("config");
      expect(inspect(error)).to.include("networks.base.rpc[0] is no URL").and.not.to.include("SECRETKEY");
      process.env["BASE_RPC"] = url;
      const { networks } = parseConfig('{ "networks": { "base": { "rpc": ["env:BASE_RPC"] } } }', "arb.config.jsonc");
      const unresolved = await resolveEndpoints(networks[0]!).catch((e: unknown) => e);
      delete process.env["BASE_RPC"];
      expect(unresolved).to.include({ code: "config" });
      expect(inspect(unresolved)).not.to.include("SECRETKEY");
    }
  });

  it("takes an address without letters, which has one form only", () => {
    const op = '{ "symbol": "OP", "decimals": 18, "address": "0x4200000000000000000000000000000000000042" }';
    const c = parseConfig(`{ "networks": { "optimism": { "rpc": ["env:RPC"], "tokens": [${op}] } } }`, "arb.config.jsonc");
    expect(findToken(c.networks[0]!.network, "OP")!.address).to.equal("0x4200000000000000000000000000000000000042");
  });

  it("takes endpoints over WebSocket and a node's socket, with their limits", () => {
    const rpc = ["wss://rpc.example.org", "ipc:/run/geth.ipc", "env:RPC"];
    const limits = { requestsPerSecond: 25, batch: 20 };
    const [n] = parseConfig(
      JSON.stringify({ networks: { base: { rpc, rpcLimits: limits, staleAfter: "45 s" } } }),
      "/arb.config.jsonc",
    ).networks;
    expect([n!.rpc, n!.rpcLimits, n!.staleAfterMs]).to.deep.equal([rpc, limits, 45_000]);
    const [plain] = parseConfig(JSON.stringify({ networks: { base: { rpc } } }), "/arb.config.jsonc").networks;
    expect([plain!.rpcLimits, plain!.staleAfterMs]).to.deep.equal([{ requestsPerSecond: null, batch: 100 }, null]);
    expect(refusal('{ "networks": { "base": { "rpc": ["ftp://x"] } } }').message).to.match(/is no endpoint: write "https/);
  });

  it("refuses a wait that Node's timers cannot count", () => {
    for (const wait of ["rpc", "opportunity", "receipt"])
      expect(refusal(withNetwork('"enabled": true', `, "timeouts": {"${wait}": "600 h"}`)).message).to.match(/longer than a day/);
  });
});
