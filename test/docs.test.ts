import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { expect } from "chai";
import type { Command } from "commander";
import { NODE_ERROR_KINDS } from "../src/chain/node-errors.js";
import { makeProgram } from "../src/cli/program.js";
import { parseConfig } from "../src/config/load.js";
import { NETWORKS } from "../src/config/networks.js";
import { configJsonSchema } from "../src/config/schema.js";
import { EXIT_CODES } from "../src/errors.js";
import { isCrossChain, validateCrossChain } from "../src/opportunity/cross-chain.js";
import { REJECT_REASONS } from "../src/opportunity/reject.js";
import { HOP_FIELDS, OPPORTUNITY_FIELDS } from "../src/opportunity/schema.js";
import { validateOpportunity } from "../src/opportunity/validate.js";
import { ETHER, formatAmount, formatGwei } from "../src/units.js";

const ROOT = path.resolve(import.meta.dirname, "..");
const SKIPPED = new Set(["node_modules", "dist", "cache", "artifacts", "types", "coverage", ".git"]);
const textOf = (file: string) => readFileSync(path.join(ROOT, file), "utf8");

function markdownFiles(folder = ""): string[] {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : markdownFiles(at);
    return entry.name.endsWith(".md") ? [at] : [];
  });
}

/** The code blocks of a language in a document. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"))].map((m) => m[1]!);
}

/** The rows of all tables in a document as cells. */
function rows(text: string): string[][] {
  return [...text.matchAll(/^\| (.*) \|$/gm)].map((m) => m[1]!.split("|").map((cell) => cell.trim()));
}

const unquoted = (cell: string | undefined): string => cell?.replaceAll("`", "") ?? "";

/** A command of another by its name. */
function subOf(command: Command, name: string): Command {
  const sub = command.commands.find((c) => c.name() === name);
  if (!sub) throw new Error(`there is no command ${name} of ${command.name()}`);
  return sub;
}

describe("documentation", () => {
  const files = markdownFiles();

  it("links only to files that are there", () => {
    const broken = files.flatMap((file) =>
      [...textOf(file).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .map((m) => m[1]!)
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(path.resolve(ROOT, path.dirname(file), target)))
        .map((target) => `${file}: ${target}`),
    );
    expect(broken).to.deep.equal([]);
    expect(files.length).to.be.greaterThan(8);
  });

  for (const file of files.filter((f) => blocks(textOf(f), "json").length > 0)) {
    it(`${file}: every opportunity is valid`, () => {
      for (const text of blocks(textOf(file), "json")) {
        const context = { networks: NETWORKS, allowedPools: [], now: Math.floor(Date.now() / 1000) };
        const value: unknown = JSON.parse(text);
        const result = isCrossChain(value) ? validateCrossChain(value, context) : validateOpportunity(value, context);
        expect(result.ok, JSON.stringify(result.ok ? null : result.rejection)).to.equal(true);
      }
    });
  }

  for (const file of files.filter((f) => blocks(textOf(f), "jsonc").length > 0)) {
    it(`${file}: every configuration is valid`, () => {
      for (const text of blocks(textOf(file), "jsonc")) expect(parseConfig(text, "/arb.config.jsonc").mode).to.equal("dry-run");
    });
  }

  it("opportunity.md names every field and every reason", () => {
    const first = rows(textOf("docs/opportunity.md")).map(([cell]) => unquoted(cell));
    const named = first.flatMap((cell) => cell.split(", "));
    for (const field of [...OPPORTUNITY_FIELDS, ...HOP_FIELDS.map((f) => `hops[].${f}`)]) expect(named).to.include(field);
    const explained = new Map(rows(textOf("docs/opportunity.md")).map(([reason, meaning]) => [unquoted(reason), meaning]));
    for (const [reason, meaning] of Object.entries(REJECT_REASONS)) expect(explained.get(reason)).to.equal(meaning);
  });

  it("contract.md has the gas that is measured", () => {
    const golden = JSON.parse(textOf("test/golden/gas.json")) as Record<string, number>;
    const shown = rows(textOf("docs/contract.md")).filter(([name]) => /^V\d-V\d$/.test(name ?? ""));
    const kinds = ["fixed", "adaptive", "fixed, deadline", "fixed, execute"];
    const table = shown.flatMap(([name, ...cells]) =>
      kinds.map((kind, i): [string, number] => [`${name} ${kind}`, Number(cells[i]?.replaceAll(",", ""))]),
    );
    const guards = rows(textOf("docs/contract.md")).flatMap(([name, , gas]): [string, number][] =>
      golden[unquoted(name ?? "")] === undefined ? [] : [[unquoted(name ?? ""), Number(gas?.replaceAll(",", ""))]],
    );
    expect(Object.fromEntries([...table, ...guards])).to.deep.equal(golden);
  });

  it("rpc.md explains every kind of node error", () => {
    const shown = rows(textOf("docs/rpc.md")).filter(([kind]) => kind?.startsWith("`") && !kind.includes(" "));
    const kinds = shown.filter((row) => row.length === 4).map(([kind, ...facts]) => [unquoted(kind), ...facts]);
    expect(kinds).to.deep.equal(Object.entries(NODE_ERROR_KINDS).map(([k, f]) => [k, f.taken, f.action, f.meaning]));
  });

  it("networks.md lists the registry", () => {
    const shown = rows(textOf("docs/networks.md")).filter(([name]) => name?.startsWith("`"));
    const names = (list: object) => Object.keys(list).join(", ");
    expect(shown).to.deep.equal(
      NETWORKS.map((n) => [
        `\`${n.name}\``,
        String(n.chainId),
        names(n.venues),
        names(n.lenders),
        n.tokens.map((t) => t.symbol).join(", "),
      ]),
    );
  });

  it("cli.md has every exit code", () => {
    const shown = rows(textOf("docs/cli.md")).filter(([code, name]) => /^\d+$/.test(code ?? "") && name !== "");
    expect(Object.fromEntries(shown.map(([code, name]) => [name, Number(code)]))).to.deep.equal(EXIT_CODES);
  });

  it("cli.md has every command and every option, and no others", () => {
    const table = rows(textOf("docs/cli.md"));
    const options = new Map(
      table
        .filter(([c]) => c?.startsWith("`--"))
        .map(([o, of]) => [/--[a-z]+/.exec(o!)![0], of!.replaceAll(" (repeatable)", "")]),
    );
    const commands = table.flatMap(([c]) => /^`arb ([a-z ]+?)( \[?(?:FILE|CALLDATA|ID)\]?)?`$/.exec(c ?? "")?.[1] ?? []);
    const program = makeProgram(false);
    const helps = commands.map((c) =>
      c
        .split(" ")
        .reduce((at, name) => subOf(at, name), program)
        .helpInformation(),
    );
    const real = new Map<string, string[]>();
    for (const [i, help] of helps.entries()) {
      for (const [, option = ""] of help.matchAll(/^ +(?:-\w, )?(--[a-z]+)/gm)) {
        real.set(option, [...(real.get(option) ?? []), commands[i]!]);
      }
    }
    real.delete("--help");
    expect([...real.keys()].toSorted()).to.deep.equal([...options.keys()].toSorted());
    for (const [option, of] of real) {
      const said = options.get(option) === "all" ? commands : options.get(option)!.split(", ");
      expect(said, option).to.have.members(of);
    }
    const namesOf = (at: Command) => at.commands.map((c) => c.name());
    expect(new Set(commands.map((c) => c.split(" ")[0]))).to.deep.equal(new Set(namesOf(program)));
    for (const group of new Set(commands.flatMap((c) => (c.includes(" ") ? [c.split(" ")[0]!] : [])))) {
      const named = namesOf(subOf(program, group)).map((name) => `${group} ${name}`);
      expect(
        commands.filter((c) => c.startsWith(`${group} `)),
        group,
      ).to.have.members(named);
    }
  });

  describe("configuration.md", () => {
    const table = rows(textOf("docs/configuration.md")).filter(([setting]) => setting?.startsWith("`"));

    it("has exactly the settings of the schema, and says which are required", () => {
      const settings = settingsOf(configJsonSchema(), "");
      expect(table.map(([setting]) => unquoted(setting))).to.have.members([...settings.keys()]);
      for (const [setting, def] of table) expect(def === "required", setting).to.equal(settings.get(unquoted(setting)));
    });

    it("has the real defaults", () => {
      const minimal: Record<string, any> = { networks: Object.fromEntries(NETWORKS.map((n) => [n.name, { rpc: ["env:X"] }])) };
      const explicit = structuredClone(minimal);
      let checked = 0;
      for (const [setting, def] of table) {
        if (!def?.startsWith("`")) continue;
        const steps = unquoted(setting).split(".");
        for (const name of steps[1] === "NAME" ? NETWORKS.map((n) => n.name) : [""]) {
          const keys = steps.map((s) => (s === "NAME" ? name : s));
          const last = keys.pop()!;
          keys.reduce((at, key) => (at[key] ??= {}), explicit)[last] = JSON.parse(unquoted(def));
        }
        checked++;
      }
      expect(parseConfig(JSON.stringify(explicit), "/c")).to.deep.equal(parseConfig(JSON.stringify(minimal), "/c"));
      expect(checked).to.be.greaterThan(12);
    });

    it("has the real limits of each network", () => {
      const rpc = Object.fromEntries(NETWORKS.map((n) => [n.name, { rpc: ["env:X"] }]));
      const meaning = (setting: string) => table.find(([s]) => unquoted(s) === `networks.NAME.${setting}`)![2]!;
      for (const n of parseConfig(JSON.stringify({ networks: rpc }), "/c").networks) {
        const says = (value: string) => (n.network.stack === "l1" ? `: ${value} on Ethereum and Sepolia` : `, else ${value}`);
        expect(meaning("maxFeePerGas")).to.include(says(formatGwei(n.maxFeePerGas)));
        expect(meaning("priorityFee")).to.include(says(formatGwei(n.priorityFee)));
        expect(meaning("maxGasCost")).to.include(says(formatAmount(n.maxGasCost, ETHER)));
      }
    });
  });
});

interface SchemaNode {
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  required?: string[];
}

/** Every setting by its path, and whether it is required where its object is given. The networks count once, as NAME. */
function settingsOf(node: SchemaNode, at: string): Map<string, boolean> {
  const found = new Map<string, boolean>();
  for (const [key, value] of Object.entries(node.properties ?? {})) {
    const name = at === "networks." ? `${at}NAME` : `${at}${key}`;
    if (value.properties === undefined) found.set(name, node.required?.includes(key) === true);
    const below = value.items?.properties ? settingsOf(value.items, `${name}[].`) : settingsOf(value, `${name}.`);
    for (const [setting, required] of below) found.set(setting, required);
  }
  return found;
}
