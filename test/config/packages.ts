import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { getAddress } from "ethers";
import { ACROSS_DEPLOYMENTS } from "../../src/config/across.js";
import { ARBITRUM_NETWORKS } from "../../src/config/arbitrum-gateway.js";

import { CCTP_PROVIDER } from "../../src/config/cctp.js";
import { PACKAGES } from "../../src/config/facts.js";
import type { Network } from "../../src/config/network.js";
import { LAYERZERO_EIDS, STARGATE_DEPLOYMENTS } from "../../src/config/stargate.js";

const require = createRequire(import.meta.url);
const folder = path.resolve(import.meta.dirname, "../../node_modules/.extracts");

const fileOf = (source: string): string => path.join(folder, source.replace(":", "/"));
export const textOf = (source: string): string => readFileSync(fileOf(source), "utf8");

/** What the sushi package calls our networks in `[EvmChainId.NAME]`. */
const SUSHI_KEYS: Record<number, string> = {
  1: "ETHEREUM",
  42161: "ARBITRUM",
  10: "OPTIMISM",
  8453: "BASE",
  11155111: "SEPOLIA",
  421614: "ARBITRUM_SEPOLIA",
};

const VIEM_FILES: Record<number, string> = {
  1: "mainnet",
  42161: "arbitrum",
  10: "optimism",
  8453: "base",
  11155111: "sepolia",
  421614: "arbitrumSepolia",
  11155420: "optimismSepolia",
  84532: "baseSepolia",
};

const AAVE_MARKETS: Record<number, string> = {
  1: "AaveV3Ethereum",
  42161: "AaveV3Arbitrum",
  10: "AaveV3Optimism",
  8453: "AaveV3Base",
  11155111: "AaveV3Sepolia",
  421614: "AaveV3ArbitrumSepolia",
  11155420: "AaveV3OptimismSepolia",
  84532: "AaveV3BaseSepolia",
};

/** The names that the routing package gives to the test networks' USDC. */
const ROUTING_USDC: Record<number, string> = {
  11155111: "USDC_NATIVE_SEPOLIA",
  421614: "USDC_ARBITRUM_SEPOLIA",
  84532: "USDC_BASE_SEPOLIA",
};

/** The text of `NAME = {...}` or `NAME: {...}` in a source file; throws when the package no longer has it. */
function table(source: string, name: string): string {
  const found = new RegExp(`\\b${name}(?:: | = )\\{([\\s\\S]*?)\\n\\s*\\};`).exec(textOf(source));
  if (!found) throw new Error(`${source} has no table ${name}`);
  return found[1] ?? "";
}

const addressIn = (text: string, pattern: RegExp): string | undefined => {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? undefined : getAddress(found.toLowerCase());
};

export const sushi = (source: string, name: string, chainId: number): string | undefined =>
  addressIn(table(source, name), new RegExp(`^\\s*\\[EvmChainId\\.${SUSHI_KEYS[chainId]}\\]: '(0x[0-9a-fA-F]{40})'`, "m"));

export const pancake = (source: string, name: string, chainId: number): string | undefined =>
  addressIn(table(source, name), new RegExp(`readonly ${chainId}: "(0x[0-9a-fA-F]{40})"`));

const uniswap = require(fileOf(PACKAGES.uniswap)) as Record<string, any>;
const uniswapTable = (name: string, chainId: number): string | undefined => checksummed(uniswap[name][chainId]);
const checksummed = (a: string | undefined): string | undefined => (a === undefined ? undefined : getAddress(a.toLowerCase()));

const aave = (chainId: number, name: string): string | undefined =>
  addressIn(textOf(`${PACKAGES.aave}/${AAVE_MARKETS[chainId]}.mjs`), new RegExp(`^var ${name} = "(0x[0-9a-fA-F]{40})"`, "m"));

/** Aave calls the bridged USDC of Arbitrum and OP "USDC", the native one "USDCn". */
export function aaveToken(chainId: number, symbol: string): { decimals: number; address: string } | null {
  const key = symbol === "USDC" && (chainId === 42161 || chainId === 10) ? "USDCn" : symbol;
  const text = textOf(`${PACKAGES.aave}/${AAVE_MARKETS[chainId]}.mjs`);
  const found = new RegExp(`^ {2}${key}: \\{\\s*decimals: (\\d+),[\\s\\S]*?UNDERLYING: "(0x[0-9a-fA-F]{40})"`, "m").exec(text);
  return found ? { decimals: Number(found[1]), address: found[2] ?? "" } : null;
}

/** The routing package's QUOTER_V2_ADDRESSES: one address for the old networks, sdk-core's `quoterAddress` for the rest. */
function quoterV2(chainId: number): string | undefined {
  const text = textOf(PACKAGES.uniswapRouting).split("\nexports.QUOTER_V2_ADDRESSES = ")[1]?.split("\nexports.")[0] ?? "";
  const name = {
    8453: "BASE",
    11155111: "SEPOLIA",
    421614: "ARBITRUM_SEPOLIA",
    11155420: "OPTIMISM_SEPOLIA",
    84532: "BASE_SEPOLIA",
  }[chainId];
  if (name === undefined) return addressIn(text, /constructSameAddressMap\('(0x[0-9a-fA-F]{40})'\)/);
  if (!text.includes(`ChainId.${name}]: sdk_core_1.CHAIN_TO_ADDRESSES_MAP[sdk_core_1.ChainId.${name}].quoterAddress`))
    return undefined;
  return uniswap["CHAIN_TO_ADDRESSES_MAP"][chainId].quoterAddress as string;
}

const weth9 = (chainId: number): string | undefined =>
  addressIn(
    textOf(PACKAGES.weth),
    new RegExp(`^\\s*${chainId}: new token_1\\.Token\\(${chainId}, '(0x[0-9a-fA-F]{40})', 18, 'WETH'`, "m"),
  );

function tokenAddress(n: Network, symbol: string, source: string): string | undefined {
  if (symbol === "WETH") return weth9(n.chainId);
  if (source.startsWith(PACKAGES.aave)) return aaveToken(n.chainId, symbol)?.address;
  if (source.startsWith(PACKAGES.sushiTokens)) return sushi(source, `${symbol}_ADDRESS`, n.chainId);
  return addressIn(textOf(source), new RegExp(`exports\\.${ROUTING_USDC[n.chainId]} = new .*?'(0x[0-9a-fA-F]{40})', 6,`));
}

/** Every address that the packages know for a network, by its place in the registry. */
export function knownAddresses(n: Network): Map<string, string | undefined> {
  const id = n.chainId;
  const known = new Map<string, string | undefined>();
  for (const t of n.tokens) known.set(`tokens.${t.symbol}`, tokenAddress(n, t.symbol, t.source));
  const v2 = uniswapTable("V2_FACTORY_ADDRESSES", id);
  known.set("uniswap-v2.factory", v2).set("uniswap-v2.deployer", v2);
  known.set("uniswap-v2.router", uniswapTable("V2_ROUTER_ADDRESSES", id));
  const v3 = uniswapTable("V3_CORE_FACTORY_ADDRESSES", id);
  known.set("uniswap-v3.factory", v3).set("uniswap-v3.deployer", v3).set("uniswap-v3.quoter", quoterV2(id));
  known.set("uniswap-v3.router", checksummed(uniswap["SWAP_ROUTER_02_ADDRESSES"](id)));
  known.set("uniswap-v3.positionManager", uniswapTable("NONFUNGIBLE_POSITION_MANAGER_ADDRESSES", id));
  const s2 = sushi(PACKAGES.sushiV2, "SUSHISWAP_V2_FACTORY_ADDRESS", id);
  known.set("sushiswap-v2.factory", s2).set("sushiswap-v2.deployer", s2);
  known.set("sushiswap-v2.router", sushi(PACKAGES.sushiV2, "SUSHISWAP_V2_ROUTER_ADDRESS", id));
  const s3 = sushi(PACKAGES.sushiV3, "SUSHISWAP_V3_FACTORY_ADDRESS", id);
  known.set("sushiswap-v3.factory", s3).set("sushiswap-v3.deployer", s3);
  known.set("sushiswap-v3.quoter", sushi(PACKAGES.sushiV3, "SUSHISWAP_V3_QUOTER", id));
  known.set("sushiswap-v3.positionManager", sushi(PACKAGES.sushiV3, "SUSHISWAP_V3_POSITION_MANAGER", id));
  known.set("pancakeswap-v3.factory", pancake(PACKAGES.pancakeV3, "FACTORY_ADDRESSES", id));
  known.set("pancakeswap-v3.deployer", pancake(PACKAGES.pancakeV3, "DEPLOYER_ADDRESSES", id));
  known.set("pancakeswap-v3.positionManager", pancake(PACKAGES.pancakeV3, "NFT_POSITION_MANAGER_ADDRESSES", id));
  known.set("pancakeswap-v3.router", pancake(PACKAGES.pancakeRouter, "SMART_ROUTER_ADDRESSES", id));
  known.set("pancakeswap-v3.quoter", pancake(PACKAGES.pancakeQuoter, "V3_QUOTER_ADDRESSES", id));
  known.set("lenders.aave-v3", aave(id, "POOL")).set("aaveProvider", aave(id, "POOL_ADDRESSES_PROVIDER"));
  known.set("lenders.balancer-v2", balancerVault(id));
  const spoke = acrossContracts(id);
  known.set("across.spokePool", spoke?.["SpokePool"]?.address);
  known.set("across.multicallHandler", spoke?.["MulticallHandler"]?.address);
  known.set("lenders.balancer-v3", balancerV3(id, "Vault"));
  known.set("lenders.morpho", morpho(id));
  // the package's minified configuration of Ethereum is the only one with an address there
  if (id === 1)
    known.set(
      "lenders.erc3156",
      addressIn(textOf(PACKAGES.maker), /FlashMintModule:\{name:"FlashMintModule",address:"(0x(?!0{40})[0-9a-fA-F]{40})"/),
    );
  known.set("quoters.uniswap-v4-hooks", checksummed(uniswap["CHAIN_TO_ADDRESSES_MAP"][id]?.v4QuoterAddress));
  known.set("quoters.balancer-v3", balancerV3(id, "Router"));
  known.set("poolManager", checksummed(uniswap["CHAIN_TO_ADDRESSES_MAP"][id].v4PoolManagerAddress));
  if (id === 10)
    known.set("slipstream.factory", addressIn(velodromeOf("optimism"), /SLIPSTREAM_FACTORY_ADDRESS: "(0x[0-9a-fA-F]{40})"/));

  const circle = circleChain(id);
  known.set("cctp.tokenMessenger", circle?.tokenMessenger).set("cctp.messageTransmitter", circle?.messageTransmitter);
  const usdcPool = stargateDeployment(id, "StargatePoolUSDC");
  known.set("stargate.usdcPool", usdcPool?.address).set("stargate.endpoint", usdcPool?.args[5]);
  known.set("stargate.tokenMessaging", stargateDeployment(id, "TokenMessaging")?.address);
  const viem = textOf(`${PACKAGES.viem}/${VIEM_FILES[id]}.ts`);
  for (const [name, key] of [
    ["l1Bridge", "l1StandardBridge"],
    ["portal", "portal"],
  ])
    known.set(
      `opStandard.${name}`,
      addressIn(viem, new RegExp(`${key}: \\{\\s*\\[sourceId\\]: \\{\\s*address: '(0x[0-9a-fA-F]{40})'`)),
    );
  if (id === 42161) {
    const main = textOf(ARBITRUM_NETWORKS).split("const mainnetTokenBridge = {")[1]!.split("classicOutboxes")[0]!;
    for (const [name, key] of [
      ["l1Router", "parentGatewayRouter"],
      ["l2Router", "childGatewayRouter"],
      ["inbox", "inbox"],
      ["bridge", "bridge"],
    ])
      known.set(`arbitrumGateway.${name}`, addressIn(main, new RegExp(`\\b${key}: '(0x[0-9a-fA-F]{40})'`)));
  }
  known.set("multicall3", addressIn(viem, /multicall3: \{\s*address: '(0x[0-9a-fA-F]{40})'/));
  known.set("permit2", addressIn(textOf(PACKAGES.permit2), /PERMIT2_ADDRESS = '(0x[0-9a-fA-F]{40})'/));
  return known;
}

const balancerVault = (chainId: number): string | undefined =>
  addressIn(table(PACKAGES.balancer, "VAULT_V2"), new RegExp(`^\\s*\\[${chainId} /\\* \\w+ \\*/\\]: "(0x[0-9a-fA-F]{40})"`, "m"));

/** What Across' own list of deployments has for a network. */
const acrossContracts = (chainId: number): Record<string, { address: string }> | undefined =>
  (
    JSON.parse(textOf(ACROSS_DEPLOYMENTS)) as {
      chains: Record<string, { contracts: Record<string, { address: string }> }>;
    }
  ).chains[chainId]?.contracts;
const balancerV3 = (chainId: number, contract: "Vault" | "Router"): string | undefined =>
  addressIn(
    textOf(PACKAGES.balancer).split("var balancerV3Contracts = {")[1]?.split(`\n  ${contract}: {`)[1]?.split("\n  }")[0] ?? "",
    new RegExp(`^\\s*\\[${chainId} /\\* \\w+ \\*/\\]: "(0x[0-9a-fA-F]{40})"`, "m"),
  );

const MORPHO_KEYS: Record<number, string> = {
  1: "EthMainnet",
  10: "OptimismMainnet",
  8453: "BaseMainnet",
  42161: "ArbitrumMainnet",
};

const morpho = (chainId: number): string | undefined =>
  addressIn(
    textOf(PACKAGES.morpho).split(`[chain_js_1.ChainId.${MORPHO_KEYS[chainId]}]: {`)[1] ?? "",
    /^[^}]*?\bmorpho: "(0x[0-9a-fA-F]{40})"/,
  );

/** A chain's part of the package's list. */
const velodromeOf = (chain: string): string => textOf(PACKAGES.velodrome).split(`CHAIN: ${chain},`)[1]?.split("CHAIN:")[0] ?? "";

/** What Circle's provider says of a network's CCTP v2. */
export function circleChain(chainId: number): { domain: number; tokenMessenger: string; messageTransmitter: string } | null {
  const definition = textOf(CCTP_PROVIDER)
    .split("= defineChain({")
    .find((text) => new RegExp(`^\\s{4}chainId: ${chainId},`, "m").test(text));
  const cctp =
    /cctp: \{\s*domain: (\d+),[\s\S]*?v2: \{[\s\S]*?tokenMessenger: '(0x\w{40})'[\s\S]*?messageTransmitter: '(0x\w{40})'/.exec(
      definition ?? "",
    );
  return cctp ? { domain: Number(cctp[1]), tokenMessenger: cctp[2]!, messageTransmitter: cctp[3]! } : null;
}

const STARGATE_NAMES: Record<number, string> = { 1: "ethereum", 42161: "arbitrum", 10: "optimism", 8453: "base" };

/** A contract of Stargate's own deployments, with its constructor's arguments. */
export function stargateDeployment(chainId: number, name: string): { address: string; args: string[] } | null {
  const network = STARGATE_NAMES[chainId];
  if (network === undefined) return null;
  const { address, args } = JSON.parse(textOf(`${STARGATE_DEPLOYMENTS}/${network}-mainnet/${name}.json`)) as {
    address: string;
    args: string[];
  };
  return { address, args };
}

/** LayerZero's number of a network. */
export function layerzeroEid(chainId: number): number {
  const name = STARGATE_NAMES[chainId]?.toUpperCase();
  return Number(new RegExp(`"${name}_V2_MAINNET"\\] = (\\d+)\\]`).exec(textOf(LAYERZERO_EIDS))?.[1]);
}
