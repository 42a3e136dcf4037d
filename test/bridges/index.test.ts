import { expect } from "chai";
import { openBridges } from "../../src/bridges/index.js";
import { parseConfig } from "../../src/config/load.js";

const configOf = (bridges: unknown, more: object = {}) =>
  parseConfig(JSON.stringify({ networks: { ethereum: { rpc: ["env:X"] } }, bridges, ...more }), "/arb.config.jsonc");
const USDC = { token: "USDC", share: "0.05 %", fixed: "0.05", max: "10000" };

describe("bridges of a configuration", () => {
  it("are none unless they are named", async () => {
    expect(await openBridges(configOf({}))).to.deep.equal([]);
    expect(await openBridges(parseConfig('{"networks":{"ethereum":{"rpc":["env:X"]}}}', "/c"))).to.deep.equal([]);
  });

  it("are those that are named, in that order", async () => {
    const enabled = ["cctp", "across", "arbitrum-gateway", "stargate", "op-standard"];
    const opened = await openBridges(configOf({ enabled, across: { schedule: [USDC] } }));
    expect(opened.map((b) => b.id)).to.deep.equal(enabled);
  });

  it("need for Across a key or fees of our own, and no key from the environment in live mode", () => {
    expect(() => configOf({ enabled: ["across"] })).to.throw("needs bridges.across.apiKey or a schedule");
    const live = { mode: "live", wallet: { keystore: "k", password: "prompt" } };
    expect(() => configOf({ across: { apiKey: "env:KEY" } }, live)).to.throw("which live mode refuses");
    expect(() => configOf({ across: { apiKey: "abcdef" } })).to.throw("by reference");
  });

  it("refuse what cannot be meant", () => {
    expect(() => configOf({ enabled: ["cctp", "cctp"] })).to.throw("names a bridge twice");
    expect(() => configOf({ across: { schedule: [USDC, USDC] } })).to.throw("second line for USDC");
    expect(() => configOf({ across: { schedule: [{ ...USDC, min: "20000" }] } })).to.throw("above its largest");
    expect(() => configOf({ cctp: { url: "http://iris.example.org" } })).to.throw("no https URL");
  });

  it("do not serve main networks and test networks with one attestation service", async () => {
    const networks = { ethereum: { rpc: ["env:X"] }, sepolia: { rpc: ["env:Y"] } };
    const both = parseConfig(JSON.stringify({ networks, bridges: { enabled: ["cctp"] } }), "/c");
    const message = await openBridges(both).then(
      () => "",
      (error: Error) => error.message,
    );
    expect(message).to.include("main networks and test networks at once");
  });
});
