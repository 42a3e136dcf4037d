// One process that runs the contract's tests again and again, each time against another mutant. The test files, TypeChain's
// factories and Hardhat's network are loaded once; what a factory deploys is replaced on its way out.
import os from "node:os";
import path from "node:path";
import { readdirSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { ContractFactory, Interface } from "ethers";
import { artifacts, network } from "hardhat";
import Mocha from "mocha";
import { root } from "../setup/find-node.mjs";
import { bytecodes, contractNames, importsOf, readSources } from "./compiler.mjs";
import { applyMutant } from "./mutants.mjs";

os.setPriority(10);
process.env.HH_TEST = "true";
process.env.NODE_ENV ??= "test";
/** Gas is no behaviour: the tests in files whose names end like this judge only what the others let pass. */
const GAS = "gas.test.ts";
/** A test that is late fails, and its mutant counts as killed: only what hangs may be so late, not what a busy machine delays. */
const TEST_MS = 80_000;

const { default: config } = await import(pathToFileURL(path.join(root, "hardhat.config.ts")).href);
const sources = readSources();
const original = bytecodes(sources, config.solidity);
/** What is deployed, and the files that each is made of: the smallest first, because it is compiled and tested first. */
const reach = Object.fromEntries(
  contractNames(sources)
    .filter(([name]) => name in original)
    .map(([name, file]) => [name, importsOf(sources, file)])
    .toSorted(([, a], [, b]) => a.size - b.size),
);
const names = Object.keys(reach);
let replaced = {};
/** Names of the contracts that were deployed since this was last looked at. */
let deployed = new Set();

const abis = await Promise.all(names.map(async (name) => (await artifacts.readArtifact(name)).abi));
const errors = new Interface(abis.flat().filter(({ type }) => type === "error"));

// called with its own this below
// oxlint-disable-next-line typescript/unbound-method
const plain = ContractFactory.prototype.getDeployTransaction;
ContractFactory.prototype.getDeployTransaction = async function (...args) {
  const transaction = await plain.apply(this, args);
  for (const name of names) {
    if (!transaction.data.startsWith(original[name])) continue;
    deployed.add(name);
    return { ...transaction, data: (replaced[name] ?? original[name]) + transaction.data.slice(original[name].length) };
  }
  return transaction;
};

// every world of a run is let go at its end, or memory would grow by all of them
const connections = [];
const create = network.create.bind(network);
network.create = async (...args) => {
  const connection = await create(...args);
  connections.push(connection);
  const request = connection.provider.request.bind(connection.provider);
  connection.provider.request = (call) => request(call).catch((error) => Promise.reject(named(error)));
  return connection;
};

/** Hardhat names the errors of contracts that it compiled itself, and tests read its messages: do the same for mutants. */
function named(error) {
  error.message = error.message?.replace(/an unrecognized custom error \(return data: (0x[0-9a-f]*)\)/, (text, data) => {
    const known = data.length >= 10 && errors.getError(data.slice(0, 10));
    return known ? `custom error '${known.name}(${errors.decodeErrorResult(known, data).join(", ")})'` : text;
  });
  return error;
}

const files = readdirSync(path.join(root, "test", "contracts"), { recursive: true }).filter((file) => file.endsWith(".test.ts"));
const groups = [];
for (const group of [files.filter((file) => !file.endsWith(GAS)), files.filter((file) => file.endsWith(GAS))]) {
  const mocha = new Mocha({ ...config.test.mocha, parallel: false, bail: true, reporter: silent, timeout: TEST_MS });
  mocha.cleanReferencesAfterRun(false);
  for (const file of group.toSorted((a, b) => (a < b ? -1 : 1))) mocha.addFile(path.join(root, "test", "contracts", file));
  await mocha.loadFilesAsync();
  groups.push({ mocha, suites: mocha.suite.suites });
}
const [behaviour, gas] = groups;
function silent() {}

/** The contracts that each outermost suite deploys, learnt in the first run. */
const deploys = new Map();
/** How long each outermost suite takes when nothing fails, in ms. */
const durations = new Map();
/** How often a suite was run and how often it found the fault, by suite: in this function of this file, or anywhere (""). */
const records = new Map();

function recordOf(place, suite) {
  if (!records.has(place)) records.set(place, new Map());
  const suites = records.get(place);
  if (!suites.has(suite)) suites.set(suite, { runs: 0, found: 0 });
  return suites.get(suite);
}

/** Chance to find a fault per time, from what was found before; what was found in the same function counts more. */
function promise(suite, place) {
  const [here, all] = [recordOf(place, suite), recordOf("", suite)];
  return (4 * here.found + all.found + 1) / (4 * here.runs + all.runs + 4) / (durations.get(suite) ?? 1);
}

/** Title of the first test that fails of those suites that deploy the contract (of all without one), or null. */
async function firstFailure({ mocha, suites }, name, place = "control") {
  const ranks = new Map(suites.map((suite) => [suite, promise(suite, place)]));
  mocha.suite.suites = suites
    .filter((suite) => !name || deploys.get(suite)?.has(name))
    .toSorted((a, b) => ranks.get(b) - ranks.get(a));
  let failure = null;
  let reason;
  await new Promise((resolve) => {
    let current;
    let since;
    const settle = () => {
      if (current) {
        deploys.set(current, new Set([...(deploys.get(current) ?? []), ...deployed]));
        if (!failure) durations.set(current, Date.now() - since + 1);
        for (const where of name ? [place, ""] : []) {
          const record = recordOf(where, current);
          record.runs++;
          if (failure) record.found++;
        }
      }
      deployed = new Set();
      since = Date.now();
    };
    const runner = mocha.run(resolve);
    runner.on("suite", (suite) => {
      if (suite.parent !== mocha.suite) return;
      settle();
      current = suite;
    });
    runner.on("end", settle);
    runner.on("fail", (test, error) => {
      failure ??= test;
      reason ??= error.message;
    });
  });
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
  return failure && `${failure.fullTitle()}: ${String(reason).slice(0, 200)}`;
}

/** The changed code of one contract; null if it does not compile, undefined if it is as before. */
function changed({ file, ...mutant }, name) {
  if (!reach[name].has(file)) return undefined;
  const codes = bytecodes({ ...sources, [file]: applyMutant(sources[file], mutant) }, config.solidity, [name]);
  if (codes === null) return null;
  return codes[name] === original[name] ? undefined : codes[name];
}

let pending;
async function onMessage(message) {
  if (message.mutant) {
    pending = { mutant: message.mutant, codes: {}, rest: [...names] };
    while (pending.rest.length > 0) {
      const name = pending.rest.shift();
      const code = changed(message.mutant, name);
      if (code === null) return { compiled: "invalid" };
      if (code === undefined) continue;
      pending.codes[name] = code;
      return { compiled: name + code };
    }
    return { compiled: "unchanged" };
  }
  if (message.control) {
    const since = Date.now();
    replaced = {};
    const first = await firstFailure(behaviour);
    if (first) return { done: "killed", by: first };
    const ms = Date.now() - since;
    if ([...deploys.values()].every((each) => each.size === 0)) {
      throw new Error("no test deployed the contract: is the build older than the source?");
    }
    // other bytes with the same meaning must pass: else the tests depend on more than what the contract does
    const [{ settings }] = config.solidity.compilers;
    const other = { compilers: [{ settings: { ...settings, optimizer: { enabled: true, runs: 200 } } }] };
    replaced = bytecodes(sources, other, names);
    const by = await firstFailure(behaviour);
    if (by) return { done: "killed", by };
    await firstFailure(gas);
    return { done: "survived", ms };
  }
  // the smaller contract first; the one on top of it only where its tests let the mutant live
  const { mutant, codes, rest } = pending;
  const place = `${mutant.file} ${mutant.within}`;
  for (let [name] = Object.keys(codes); name; name = rest.shift()) {
    codes[name] ??= changed(mutant, name);
    if (!codes[name]) continue;
    replaced = { [name]: codes[name] };
    const by = await firstFailure(behaviour, name, place);
    if (by) return { done: "killed", by };
  }
  replaced = codes;
  const by = await firstFailure(gas);
  return { done: by ? "gas" : "survived", by };
}
process.on("message", (message) => {
  onMessage(message).then(
    (answer) => process.send(answer),
    (error) => process.send({ failed: error.stack }),
  );
});
// a promise that a failed test left behind; what else is not caught ends the process, which the parent takes for a verdict
process.on("unhandledRejection", () => {});
process.send({ ready: true });
