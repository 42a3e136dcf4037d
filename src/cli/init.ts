import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import { Command } from "commander";
import { parseConfig } from "../config/load.js";
import type { Network } from "../config/network.js";
import { NETWORKS, findToken, networkByName } from "../config/networks.js";
import { configSchema } from "../config/schema.js";
import { ArbError } from "../errors.js";
import { ETHER, formatAmount, formatGwei, unitOf } from "../units.js";
import { type CommonOptions, ROOT } from "./common.js";
import { makeOutput } from "./output.js";

interface InitOptions extends CommonOptions {
  config: string;
  network: string[];
  rpc: string[];
}

const NAMES = NETWORKS.map((n) => n.name).join(", ");
const DEFAULT_NETWORK = "base-sepolia";

export function initCommand(): Command {
  const gather = (value: string, list: string[]): string[] => [...list, value];
  return new Command("init")
    .description("write a commented configuration in dry-run mode; never overwrites a file")
    .option("--config <file>", "file to write", "arb.config.jsonc")
    .option("--network <name>", `network to trade on, repeatable: ${NAMES} (default: ${DEFAULT_NETWORK})`, gather, [])
    .option(
      "--rpc <name=reference>",
      'endpoint of a network, repeatable: "https://...", "env:NAME" or "file:/path"; default: env:NETWORK_RPC',
      gather,
      [],
    )
    .action((options: InitOptions) => {
      const endpoints = endpointsOf(options);
      const file = path.resolve(options.config);
      const text = configText(endpoints, file);
      checkText(text, file);
      writeNew(options.config, text);
      const networks = [...endpoints.keys()].map((n) => n.name);
      const variables = [...endpoints.values()].flat().flatMap((r) => (r.startsWith("env:") ? [r.slice("env:".length)] : []));
      makeOutput(options).result({ file: options.config, networks, variables }, () => {
        const needs = variables.length === 0 ? "" : `\nset in the environment, with the endpoint's URL: ${variables.join(", ")}`;
        return `${options.config} for ${networks.join(", ")}, mode dry-run${needs}`;
      });
    });
}

/** The chosen networks with their endpoints, in the registry's order. */
function endpointsOf(options: InitOptions): Map<Network, string[]> {
  const given = new Map<string, string[]>(options.network.map((name) => [name, []]));
  for (const pair of options.rpc) {
    const [, name = "", reference = ""] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
    if (reference === "")
      throw new ArbError("usage", "an endpoint is given as NETWORK=REFERENCE", {
        where: "--rpc",
        hint: `for example ${DEFAULT_NETWORK}=env:${variableOf(DEFAULT_NETWORK)}`,
      });
    given.set(name, [...(given.get(name) ?? []), reference]);
  }
  if (given.size === 0) given.set(DEFAULT_NETWORK, []);
  for (const name of given.keys())
    if (!networkByName(name)) throw new ArbError("usage", `there is no network "${name}"`, { hint: `known are ${NAMES}` });
  return new Map(
    NETWORKS.flatMap((n): [Network, string[]][] => {
      const references = given.get(n.name);
      if (!references) return [];
      return [[n, references.length > 0 ? references : [`env:${variableOf(n.name)}`]]];
    }),
  );
}

const variableOf = (network: string): string => `${network.toUpperCase().replaceAll("-", "_")}_RPC`;

/** The file with the schema's own defaults as its values. */
function configText(endpoints: Map<Network, string[]>, file: string): string {
  const networks = Object.fromEntries([...endpoints].map(([n, rpc]) => [n.name, { rpc }]));
  const defaults = configSchema.safeParse({ networks });
  if (!defaults.success) throw badEndpoint();
  const minNet = defaults.data.profit.minNet.filter((amount) =>
    [...endpoints.keys()].some((n) => findToken(n, unitOf(amount) ?? "") !== null),
  );
  const sections = parseConfig(JSON.stringify({ networks }), file).networks.map((n) =>
    [
      `    ${JSON.stringify(n.network.name)}: {`,
      `      "rpc": [${n.rpc.map((r) => JSON.stringify(r)).join(", ")}],`,
      `      // highest price per gas, and the most that one transaction may cost`,
      `      "maxFeePerGas": "${formatGwei(n.maxFeePerGas)}",`,
      `      "maxGasCost": "${formatAmount(n.maxGasCost, ETHER)}"`,
      `    }`,
    ].join("\n"),
  );
  return `{
  // Every setting with its default: docs/configuration.md of the installation. Editors check this file against the schema.
  "$schema": ${JSON.stringify(schemaPath(file))},

  // "dry-run" does everything but send. "live" sends transactions.
  "mode": "dry-run",

  "networks": {
    // endpoints in order of preference: "https://...", or, because URLs hold keys, "env:NAME" or "file:/path" (mode 0600)
${sections.join(",\n")}
  },

  // The operator's key, encrypted: arb wallet create operator.json
  // The password: "prompt", "file:/path" (mode 0600) or "fd:3"; "env:NAME" in dry-run mode only.
  "wallet": { "keystore": "operator.json", "password": "prompt" },

  "profit": {
    // least profit after all costs; a token without an entry is not traded for profit
    "minNet": [${minNet.map((a) => JSON.stringify(a)).join(", ")}],
    // how far the profit must exceed the expected cost: 100 % asks for twice the cost
    "marginOverCost": "100 %"
  },

  // who may fund a trade, if the opportunity does not say; among equally cheap ones the first counts
  "funding": { "preference": [${defaults.data.funding.preference.map((s) => JSON.stringify(s)).join(", ")}] },

  // trades between networks; they also need minProfit and maxLoss here, and bridges.enabled
  "crossChain": { "enabled": false }
}
`;
}

/** Where the schema lies, seen from the configuration's folder; with forward slashes, as in a URL. */
function schemaPath(file: string): string {
  const relative = path.relative(path.dirname(file), path.join(ROOT, "docs", "arb.config.schema.json"));
  return relative.startsWith("..") ? relative.replaceAll("\\", "/") : `./${relative.replaceAll("\\", "/")}`;
}

/** The configuration must be one that the program itself takes; only an endpoint given by the user can be at fault. */
function checkText(text: string, file: string): void {
  try {
    parseConfig(text, file);
  } catch (error) {
    if (error instanceof ArbError && error.code === "config") throw badEndpoint();
    throw error;
  }
}

const badEndpoint = (): ArbError =>
  new ArbError("usage", "an endpoint is none", { where: "--rpc", hint: 'write "https://...", "env:NAME" or "file:/path"' });

function writeNew(file: string, text: string): void {
  let fd: number;
  try {
    // an endpoint's URL may hold a key
    fd = openSync(file, "wx", 0o600);
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new ArbError(
      exists ? "refused" : "config",
      exists ? "a file is already there; nothing was written" : "the configuration cannot be written",
      { where: file, cause },
    );
  }
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
