import { expect } from "chai";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { loadConfig, parseConfig } from "../../src/config/load.js";
import { NETWORKS } from "../../src/config/networks.js";
import { arb, jsonLines, temporaryFolder } from "../helpers/arb.js";

describe("arb init", () => {
  const { folder: cwd, remove } = temporaryFolder();
  after(remove);
  const textOf = (file: string) => readFileSync(path.join(cwd, file), "utf8");

  it("writes a commented configuration in dry-run mode that only its owner can read", async () => {
    const run = await arb(["init"], { cwd });
    expect(run).to.include({ code: 0, stderr: "" });
    expect(run.stdout).to.match(/^arb\.config\.jsonc for base-sepolia, mode dry-run\n.*BASE_SEPOLIA_RPC\n$/);
    expect(textOf("arb.config.jsonc")).to.match(/^ +\/\/ "dry-run" does everything but send/m);
    expect(statSync(path.join(cwd, "arb.config.jsonc")).mode & 0o777).to.equal(0o600);
    const config = loadConfig(path.join(cwd, "arb.config.jsonc"));
    expect(config.mode).to.equal("dry-run");
    expect(config.networks.map((n) => [n.network.name, n.rpc])).to.deep.equal([["base-sepolia", ["env:BASE_SEPOLIA_RPC"]]]);
  });

  it("never overwrites", async () => {
    writeFileSync(path.join(cwd, "mine.jsonc"), "mine");
    const run = await arb(["init", "--config", "mine.jsonc"], { cwd });
    expect(run).to.include({ code: 7, stdout: "" });
    expect(run.stderr).to.match(/already there; nothing was written \(at mine\.jsonc\)/);
    expect(textOf("mine.jsonc")).to.equal("mine");
  });

  it("takes networks and endpoints, and changes no default", async () => {
    const networks = NETWORKS.flatMap((n) => ["--network", n.name]);
    const rpc = ["--rpc", "base=https://one.example", "--rpc", "base=file:/run/two"];
    const run = await arb(["init", "--config", "all.jsonc", ...networks, ...rpc, "--json"], { cwd });
    expect(run.code).to.equal(0);
    expect(jsonLines(run)[0]!["networks"]).to.deep.equal(NETWORKS.map((n) => n.name));
    const config = loadConfig(path.join(cwd, "all.jsonc"));
    expect(config.networks.find((n) => n.network.name === "base")!.rpc).to.deep.equal(["https://one.example", "file:/run/two"]);
    const bare = Object.fromEntries(config.networks.map((n) => [n.network.name, { rpc: n.rpc }]));
    const wallet = { keystore: "operator.json", password: "prompt" };
    expect(config).to.deep.equal(parseConfig(JSON.stringify({ networks: bare, wallet }), config.file));
  });

  it("names a schema that is there", () => {
    const [, schema = ""] = /"\$schema": "(.+)"/.exec(textOf("arb.config.jsonc")) ?? [];
    const { title } = JSON.parse(readFileSync(path.resolve(cwd, schema), "utf8")) as { title: string };
    expect(title).to.equal("arb.config.jsonc");
  });

  const wrong: [what: string, args: string[], message: RegExp][] = [
    ["an unknown network", ["--network", "polygon"], /no network "polygon"/],
    ["an endpoint without a network", ["--rpc", "https://one.example"], /given as NETWORK=REFERENCE/],
    ["an endpoint that is none", ["--rpc", "base=wss:one.example"], /an endpoint is none/],
  ];
  for (const [what, args, message] of wrong) {
    it(`refuses ${what} and writes nothing`, async () => {
      const run = await arb(["init", "--config", "none.jsonc", ...args], { cwd });
      expect(run).to.include({ code: 2, stdout: "" });
      expect(run.stderr).to.match(message);
      expect(() => statSync(path.join(cwd, "none.jsonc"))).to.throw("ENOENT");
    });
  }
});
