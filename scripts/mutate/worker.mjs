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
import { bytecodes, readSources } from "./compiler.mjs";
import { applyMutant } from "./mutants.mjs";

os.setPriority(10);
process.env.HH_TEST = "true";
process.env.NODE_ENV ??= "test";
/** Gas is no behaviour: these tests judge only what the others let pass. */
const GAS = "gas.test.ts";

const { default: config } = await import(pathToFileURL(path.join(root, "hardhat.config.ts")).href);
const sources = readSources();
const original = bytecodes(sources, config.solidity);
const names = Object.keys(original);
let replaced = {};
let deployed = 0;

const abis = await Promise.all(names.map(async (name) => (await artifacts.readArtifact(name)).abi));
const errors = new Interface(abis.flat().filter(({ type }) => type === "error"));

// called with its own this below
// oxlint-disable-next-line typescript/unbound-method
const plain = ContractFactory.prototype.getDeployTransaction;
ContractFactory.prototype.getDeployTransaction = async function (...args) {
  const transaction = await plain.apply(this, args);
  for (const name of names) {
    if (!transaction.data.startsWith(original[name])) continue;
    deployed++;
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
const suites = [];
for (const group of [files.filter((file) => !file.endsWith(GAS)), files.filter((file) => file.endsWith(GAS))]) {
  const mocha = new Mocha({ ...config.test.mocha, bail: true, reporter: silent, timeout: 20_000 });
  mocha.cleanReferencesAfterRun(false);
  for (const file of group.toSorted((a, b) => (a < b ? -1 : 1))) mocha.addFile(path.join(root, "test", "contracts", file));
  await mocha.loadFilesAsync();
  suites.push(mocha);
}
function silent() {}

/** Title of the first test that fails, or null. */
async function firstFailure(mocha) {
  let failure = null;
  await new Promise((resolve) => {
    const runner = mocha.run(resolve);
    runner.on("fail", (test) => {
      failure ??= test;
    });
  });
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
  if (!failure) return null;
  let suite = failure.parent;
  while (suite.parent?.parent) suite = suite.parent;
  const order = mocha.suite.suites;
  // what found a fault is asked first the next time: by and by the best files come first
  const place = order.indexOf(suite);
  if (place > 0) order.splice(place - 1, 0, ...order.splice(place, 1));
  return failure.fullTitle();
}

let pending;
async function onMessage(message) {
  if (message.mutant) {
    const { mutant } = message;
    pending = bytecodes({ ...sources, [mutant.file]: applyMutant(sources[mutant.file], mutant) }, config.solidity, names);
    const changed = pending && names.filter((name) => pending[name] !== original[name]);
    return { compiled: pending === null ? "invalid" : changed.length === 0 ? "unchanged" : Object.values(pending).join() };
  }
  deployed = 0;
  if (message.control) {
    // other bytes with the same meaning must pass: else the tests depend on more than what the contract does
    const [{ settings }] = config.solidity.compilers;
    const other = { compilers: [{ settings: { ...settings, optimizer: { enabled: true, runs: 200 } } }] };
    for (const codes of [bytecodes(sources, other, names), {}]) {
      replaced = codes;
      const by = await firstFailure(suites[0]);
      if (by) return { done: "killed", by };
    }
    if (deployed === 0) throw new Error("no test deployed the contract: is the build older than the source?");
    return { done: "survived" };
  }
  replaced = pending;
  const by = await firstFailure(suites[0]);
  const gasBy = by === null ? await firstFailure(suites[1]) : null;
  return { done: by ? "killed" : gasBy ? "gas" : "survived", by: by ?? gasBy };
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
