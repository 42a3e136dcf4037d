import { createRequire } from "node:module";
import os from "node:os";
import hardhatToolboxMochaEthers from "@nomicfoundation/hardhat-toolbox-mocha-ethers";
import { defineConfig } from "hardhat/config";

const require = createRequire(import.meta.url);
/** Test files at once. Each is waiting for a chain, a program or a database for most of its time. */
const jobs = Math.min(4, os.availableParallelism());
/** Calls of the stateful fuzz test, in sequences of this many. */
const depth = 50;
const invariantCalls = Number(process.env.INVARIANT_CALLS ?? 10_000);

const compiler = (runs: number) => ({
  version: "0.8.37",
  // an absolute path: nothing is ever downloaded
  path: require.resolve("solc-0.8.37/soljson.js"),
  settings: {
    optimizer: { enabled: true, runs },
    viaIR: true,
    // the oldest rules that have transient storage and MCOPY, on all our networks
    evmVersion: "cancun",
    metadata: { bytecodeHash: "none", appendCBOR: false },
  },
});

export default defineConfig({
  plugins: [hardhatToolboxMochaEthers],
  paths: { sources: ["contracts", "test/mocks"], tests: { mocha: "test", solidity: "test/contracts" } },
  solidity: {
    compilers: [compiler(1_000_000)],
    // for size: with the settings of the hot path they would exceed the 24,576 bytes that a contract may have (EIP-170)
    overrides: { "contracts/StepExecutor.sol": compiler(1_000), "contracts/ArbVault.sol": compiler(1_000) },
  },
  typechain: { outDir: "types/contracts" },
  test: {
    mocha: { timeout: 60_000, parallel: jobs > 1, jobs, require: [require.resolve("./test/helpers/worker.ts")] },
    solidity: {
      fuzz: { runs: 256, seed: "0x5eed" },
      invariant: { runs: Math.ceil(invariantCalls / depth), depth, failOnRevert: false },
    },
  },
});
