import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { inspect } from "node:util";
import { expect } from "chai";
import { Wallet } from "ethers";
import { type NetworkConfig, parseConfig } from "../../src/config/load.js";
import { NETWORKS } from "../../src/config/networks.js";
import { defaultRoutes, knownRoutes } from "../../src/config/routes.js";
import type { ArbError } from "../../src/errors.js";
import { openRoutes } from "../../src/submit/open-routes.js";
import { SEQUENCERS } from "../../src/submit/relays/builders.js";
import { rejection } from "../helpers/rejection.js";

const configured = (name: string, inside: object): NetworkConfig =>
  parseConfig(JSON.stringify({ networks: { [name]: { rpc: ["https://rpc.example.org"], ...inside } } }), "/c").networks[0]!;
const context = { nodes: ["https://rpc.example.org/canary"] };

function refusal(name: string, inside: object): ArbError {
  try {
    configured(name, inside);
  } catch (error) {
    return error as ArbError;
  }
  throw new Error("was accepted");
}

describe("the routes of a configuration", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), "routes-"));
  });
  after(() => rmSync(folder, { recursive: true }));
  const secretFile = (name: string, text: string): string => {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    chmodSync(file, 0o600);
    return `file:${file}`;
  };

  it("are private by default, on every network", async () => {
    for (const network of NETWORKS) {
      const { routes, simulator } = await openRoutes(configured(network.name, {}), context);
      expect(routes.map((route) => route.id)).to.deep.equal(defaultRoutes(network));
      expect(routes.every((route) => route.visibility === "private")).to.equal(true);
      expect(simulator !== null, network.name).to.equal(network.stack === "l1");
      expect(network.stack === "l1" || SEQUENCERS[network.chainId]).to.be.ok;
    }
  });

  it("can all be opened by the names that are known", async () => {
    const expressLaneKey = secretFile("lane", Wallet.createRandom().privateKey);
    for (const network of NETWORKS) {
      const inside = network.name === "arbitrum" ? { expressLaneKey } : {};
      const config = configured(network.name, { routes: knownRoutes(network), ...inside });
      const { routes } = await openRoutes(config, { ...context, expressLaneTiming: { offset: 0, duration: 60 } });
      expect(routes.map((route) => route.id)).to.deep.equal(knownRoutes(network));
      expect(routes.filter((route) => route.visibility === "public").map((route) => route.id)).to.deep.equal(["node"]);
    }
  });

  it("know relays of your own, and sign by your key", async () => {
    const wallet = Wallet.createRandom();
    const relays = [{ id: "mine", url: "https://relay.example.org/canary", like: "titan" }];
    const relayKey = secretFile("key", wallet.privateKey);
    const config = configured("ethereum", { routes: ["mine", "flashbots-private"], relays, relayKey });
    const opened = await openRoutes(config, context);
    expect(opened.routes.map((route) => route.id)).to.deep.equal(["mine", "flashbots-private"]);
    expect(opened.relayAddress).to.equal(wallet.address);
    expect(opened.simulator?.facts.id).to.equal("flashbots");
    const shown = inspect(opened, { depth: 9, showHidden: true });
    expect(shown).to.not.contain(wallet.privateKey.slice(2));
  });

  it("are refused where they cannot be", async () => {
    const faults: [string, object, RegExp][] = [
      ["ethereum", { routes: ["sequencer"] }, /is no route of Ethereum: choose from node, protect, flashbots/],
      ["base", { routes: ["flashbots"] }, /is no route of Base: choose from node, sequencer$/m],
      ["ethereum", { routes: [] }, /at least one route/],
      ["ethereum", { routes: ["node", "node"] }, /names a route twice/],
      ["ethereum", { relays: [{ id: "titan", url: "https://a.example", like: "titan" }] }, /is taken/],
      ["ethereum", { relays: [{ id: "x", url: "https://a.example", like: "nobody" }] }, /like/],
      ["base", { relays: [{ id: "x", url: "https://a.example", like: "titan" }] }, /no builders/],
      ["arbitrum", { routes: ["express-lane"] }, /expressLaneKey/],
      ["ethereum", { refund: { percent: 100, recipient: Wallet.createRandom().address } }, /percent/],
      ["ethereum", { relayKey: Wallet.createRandom().address }, /by reference/],
    ];
    for (const [name, inside, words] of faults) {
      const error = refusal(name, inside);
      expect(error.code).to.equal("config");
      expect(error.message).to.match(words);
    }
    const key = secretFile("bad", "not-a-key-canary");
    const error = await rejection(openRoutes(configured("ethereum", { relayKey: key }), context));
    expect(error).to.include({ code: "secrets" });
    expect(inspect(error)).to.not.contain("canary");
    const url = secretFile("url", "ftp://canary");
    const relays = [{ id: "mine", url, like: "titan" }];
    const bad = await rejection(openRoutes(configured("ethereum", { routes: ["mine"], relays }), context));
    expect(bad).to.include({ code: "config" });
    expect(inspect(bad)).to.not.contain("canary");
  });
});
