import { concat, keccak256 } from "ethers";
import type { Network, Sourced, Token, VenueFacts } from "./network.js";

/**
 * Builders for the registry's entries. Every package named here is pinned in scripts/setup/extracts.json, and
 * test/config/networks.test.ts compares each verified address with what the package says.
 */
export const PACKAGES = {
  uniswap: "@uniswap/sdk-core@7.19.4:dist/cjs/src/addresses.js",
  weth: "@uniswap/sdk-core@7.19.4:dist/cjs/src/entities/weth9.js",
  uniswapRouting: "@uniswap/smart-order-router@4.31.10:build/main/util/addresses.js",
  uniswapTokens: "@uniswap/smart-order-router@4.31.10:build/main/providers/token-provider.js",
  permit2: "@uniswap/permit2-sdk@1.4.0:dist/cjs/src/constants.js",
  sushiV2: "sushi@7.3.15:_esm/evm/config/features/sushiswap-v2.js",
  sushiV3: "sushi@7.3.15:_esm/evm/config/features/sushiswap-v3.js",
  sushiTokens: "sushi@7.3.15:_esm/evm/config/tokens/tokens",
  pancakeV3: "@pancakeswap/v3-sdk@3.10.2:dist/constants.d.ts",
  pancakeRouter: "@pancakeswap/smart-router@7.7.3:dist/evm/constants/exchange.d.ts",
  pancakeQuoter: "@pancakeswap/smart-router@7.7.3:dist/evm/constants/v3.d.ts",
  aave: "@aave-dao/aave-address-book@4.68.1:dist",
  balancer: "@balancer/sdk@6.1.1:dist/index.js",
  morpho: "@morpho-org/morpho-ts@2.8.0:lib/cjs/addresses.js",
  maker: "@oasisdex/addresses@0.1.92:lib/index.js",
  velodrome: "@dromos-labs/sdk.js@0.3.0-alpha.3:dist/config.js",
  viem: "viem@2.57.20:chains/definitions",
} as const;

/** keccak256 of the creation code of a Uniswap V2 pair (@uniswap/v2-sdk@4.21.4). The forks on our list have their own. */
export const UNISWAP_V2_INIT_HASH = "0x96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f";
/** keccak256 of the creation code of a SushiSwap V2 pair (sushi@7.3.15). */
export const SUSHISWAP_V2_INIT_HASH = "0xe18a34eb0e04b04f7a0ac29a6e80748dca96319b42c54d679cb821dca90c6303";
/** keccak256 of the creation code of a Uniswap V3 pool (@uniswap/v3-sdk@3.31.5); SushiSwap V3 deploys the same code. */
export const UNISWAP_V3_INIT_HASH = "0xe34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54";
/** keccak256 of the creation code of a PancakeSwap V3 pool (@pancakeswap/v3-sdk@3.10.2). */
export const PANCAKESWAP_V3_INIT_HASH = "0x6ce8eb472fa82df5469c6ab6d485f17c3ad13c8cd7af59b3d4a8026c5ce0f7e2";

/** EIP-7825: no transaction may have more gas. Ethereum since Osaka, Base since Azul, OP Mainnet since Karst. */
export const EIP7825_GAS_CAP = 16_777_216;

export const verified = (address: string, source: string): Sourced => ({ address, source, verified: true });

/** An address that no npm package confirms: live mode checks the contract there first (checked-addresses.ts). */
export const unverified = (address: string, source: string): Sourced => ({ address, source, verified: false });

export const token = (symbol: string, decimals: number, address: string, source: string): Token => ({
  symbol,
  decimals,
  address,
  source,
  verified: true,
});

export const weth = (address: string): Token => token("WETH", 18, address, PACKAGES.weth);

export const uniswapV2 = (factory: string, router: string): VenueFacts =>
  v2(verified(factory, PACKAGES.uniswap), verified(router, PACKAGES.uniswap), UNISWAP_V2_INIT_HASH);

export const sushiswapV2 = (factory: string, router: string): VenueFacts =>
  v2(verified(factory, PACKAGES.sushiV2), verified(router, PACKAGES.sushiV2), SUSHISWAP_V2_INIT_HASH);

function v2(factory: Sourced, router: Sourced, initCodeHash: string): VenueFacts {
  return { factory, deployer: factory, initCodeHash, feesPips: [3000], router, quoter: null };
}

export function uniswapV3(at: { factory: string; router: string; quoter: string; positionManager: string }): VenueFacts {
  return {
    factory: verified(at.factory, PACKAGES.uniswap),
    deployer: verified(at.factory, PACKAGES.uniswap),
    initCodeHash: UNISWAP_V3_INIT_HASH,
    feesPips: [100, 500, 3000, 10_000],
    router: verified(at.router, PACKAGES.uniswap),
    quoter: verified(at.quoter, PACKAGES.uniswapRouting),
    positionManager: verified(at.positionManager, PACKAGES.uniswap),
  };
}

export function sushiswapV3(at: { factory: string; quoter: string; positionManager: string }): VenueFacts {
  return {
    factory: verified(at.factory, PACKAGES.sushiV3),
    deployer: verified(at.factory, PACKAGES.sushiV3),
    initCodeHash: UNISWAP_V3_INIT_HASH,
    feesPips: [100, 500, 3000, 10_000],
    router: null,
    quoter: verified(at.quoter, PACKAGES.sushiV3),
    positionManager: verified(at.positionManager, PACKAGES.sushiV3),
  };
}

/** PancakeSwap V3 has the same factory, pool deployer, quoter and position manager on all our networks but OP's. */
export function pancakeswapV3(router: string): VenueFacts {
  return {
    factory: verified("0x0BFbCF9fa4f9C56B0F40a671Ad40E0805A091865", PACKAGES.pancakeV3),
    deployer: verified("0x41ff9AA7e16B8B1a8a8dc4f0eFacd93D02d071c9", PACKAGES.pancakeV3),
    initCodeHash: PANCAKESWAP_V3_INIT_HASH,
    feesPips: [100, 500, 2500, 10_000],
    router: verified(router, PACKAGES.pancakeRouter),
    quoter: verified("0xB048Bbc1Ee6b733FFfCFb9e9CeF7375518e25997", PACKAGES.pancakeQuoter),
    positionManager: verified("0x46A15B0b27311cedF172AB29E4f4766fbE7F4364", PACKAGES.pancakeV3),
  };
}

/** Balancer V2's Vault has one address on every network that it is on. */
export const BALANCER_V2_VAULT = verified("0xBA12222222228d8Ba445958a75a0704d566BF2C8", PACKAGES.balancer);

/** Balancer V3's Vault has one address on every network that it is on. */
export const BALANCER_V3_VAULT = verified("0xbA1333333333a1BA1108E8412f11850A5C319bA9", PACKAGES.balancer);

export const poolManager = (address: string): Sourced => verified(address, PACKAGES.uniswap);

/** Uniswap's V4Quoter and Balancer V3's Router, null where the network has none. */
export function quoters(v4Quoter: string, balancerRouter: string | null): Network["quoters"] {
  return {
    "uniswap-v4-hooks": verified(v4Quoter, PACKAGES.uniswap),
    ...(balancerRouter === null ? {} : { "balancer-v3": verified(balancerRouter, PACKAGES.balancer) }),
  };
}

export const morpho = (address: string): Sourced => verified(address, PACKAGES.morpho);

/** Maker's flash mint of DAI, an ERC-3156 lender (DssFlash). */
export const MAKER_FLASH = verified("0x60744434d6339a6B27d73d9Eda62b6F66a0a04FA", PACKAGES.maker);

/**
 * Velodrome V2 and Aerodrome: pools are minimal proxies of one contract. No package names these addresses, but with the salt of a
 * known pool they give that pool's address, which a test computes.
 */
export function solidly(factory: string, implementation: string, repository: string): VenueFacts {
  return clones(unverified(factory, repository), unverified(implementation, repository));
}

/** Slipstream. The package names Velodrome's factory; Aerodrome's first one, with its deep pools, follows from those pools. */
export function slipstream(factory: Sourced, implementation: string, repository: string): VenueFacts {
  return clones(factory, unverified(implementation, repository));
}

function clones(factory: Sourced, implementation: Sourced): VenueFacts {
  const initCodeHash = cloneInitHash(implementation.address);
  return { factory, deployer: factory, implementation, initCodeHash, feesPips: [], router: null, quoter: null };
}

/** keccak256 of the creation code of a minimal proxy (EIP-1167, as OpenZeppelin's Clones writes it). */
function cloneInitHash(implementation: string): string {
  return keccak256(concat(["0x3d602d80600a3d3981f3363d3d373d3d3d363d73", implementation, "0x5af43d82803e903d91602b57fd5bf3"]));
}

export function aaveV3(
  market: string,
  pool: string,
  provider: string,
): Required<Pick<Network, "aaveProvider">> & { pool: Sourced } {
  const source = `${PACKAGES.aave}/${market}.mjs`;
  return { pool: verified(pool, source), aaveProvider: verified(provider, source) };
}

/** The contracts that have the same address everywhere. `viemName`: the network's file in viem's chain list. */
export function commonContracts(viemName: string): Pick<Network, "multicall3" | "permit2" | "create2Proxy"> {
  return {
    multicall3: verified("0xcA11bde05977b3631167028862bE2a173976CA11", `${PACKAGES.viem}/${viemName}.ts`),
    permit2: verified("0x000000000022D473030F116dDEE9F6B43aC78BA3", PACKAGES.permit2),
    // Its address follows from the keyless transaction that creates it, which the test recomputes.
    create2Proxy: verified(
      "0x4e59b44847b379578588920cA78FbF26c0B4956C",
      "Arachnid/deterministic-deployment-proxy, keyless transaction",
    ),
  };
}

/**
 * Ethereum is final after two epochs of 32 slots of 12 s (consensus specification, Gasper); layer 2 blocks follow the L1 block that
 * holds their data, and so need at least as long: 768 s in blocks of the network.
 */
export function finalityOf(stack: Network["stack"]): Network["finality"] {
  const blocks = { l1: 64, op: 384, arbitrum: 3072 }[stack];
  return {
    blocks,
    source: stack === "l1" ? "consensus specification: two epochs" : "L1 finality: 768 s in blocks of the network",
  };
}
