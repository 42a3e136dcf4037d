import {
  aaveV3,
  BALANCER_V2_VAULT,
  BALANCER_V3_VAULT,
  commonContracts,
  EIP7825_GAS_CAP,
  finalityOf,
  MAKER_FLASH,
  morpho,
  PACKAGES,
  pancakeswapV3,
  poolManager,
  quoters,
  slipstream,
  solidly,
  sushiswapV2,
  sushiswapV3,
  token,
  uniswapV2,
  uniswapV3,
  unverified,
  verified,
  weth,
} from "./facts.js";
import type { Network } from "./network.js";

const aaveToken = (market: string): string => `${PACKAGES.aave}/${market}.mjs`;
const sushiToken = (symbol: string): string => `${PACKAGES.sushiTokens}/${symbol}.js`;

const ethereumAave = aaveV3(
  "AaveV3Ethereum",
  "0x87870Bca3F3fD6335C3F4ce8392D69350B4fA4E2",
  "0x2f39d218133AFaB8F2B819B1066c7E434Ad94E9e",
);

export const ethereum: Network = {
  chainId: 1,
  name: "ethereum",
  title: "Ethereum",
  testnet: false,
  stack: "l1",
  nativeSymbol: "ETH",
  genesisHash: "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
  blockTimeMs: 12_000,
  finality: finalityOf("l1"),
  transactionGasCap: EIP7825_GAS_CAP,
  explorer: "https://etherscan.io",
  tokens: [
    weth("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
    token("USDC", 6, "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", aaveToken("AaveV3Ethereum")),
    token("USDT", 6, "0xdAC17F958D2ee523a2206206994597C13D831ec7", aaveToken("AaveV3Ethereum")),
    token("DAI", 18, "0x6B175474E89094C44Da98b954EedeAC495271d0F", aaveToken("AaveV3Ethereum")),
    token("WBTC", 8, "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599", aaveToken("AaveV3Ethereum")),
  ],
  wrappedNative: "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
  venues: {
    "uniswap-v2": uniswapV2("0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f", "0x7a250d5630B4cF539739dF2C5dAcb4c659F2488D"),
    "sushiswap-v2": sushiswapV2("0xC0AEe478e3658e2610c5F7A4A2E1777cE9e4f2Ac", "0xd9e1cE17f2641f24aE83637ab66a2cca9C378B9F"),
    "uniswap-v3": uniswapV3({
      factory: "0x1F98431c8aD98523631AE4a59f267346ea31F984",
      router: "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45",
      quoter: "0x61fFE014bA17989E743c5F6cB21bF9697530B21e",
      positionManager: "0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
    }),
    "sushiswap-v3": sushiswapV3({
      factory: "0xbACEB8eC6b9355Dfc0269C18bac9d6E2Bdc29C4F",
      quoter: "0x64e8802FE490fa7cc61d3463958199161Bb608A7",
      positionManager: "0x2214A42d8e2A1d20635c2cb0664422c528B6A432",
    }),
    "pancakeswap-v3": pancakeswapV3("0x13f4EA83D0bd40E75C8222255bc855a974568Dd4"),
  },
  lenders: {
    "aave-v3": ethereumAave.pool,
    "balancer-v2": BALANCER_V2_VAULT,
    "balancer-v3": BALANCER_V3_VAULT,
    morpho: morpho("0xBBBBBbbBBb9cC5e90e3b3Af64bdAF62C37EEFFCb"),
    erc3156: MAKER_FLASH,
  },
  poolManager: poolManager("0x000000000004444c5dc75cB358380D2e3dE08A90"),
  quoters: quoters("0x52F0E24D1c21C8A0cB1e5a5dD6198556BD9E1203", "0xAE563E3f8219521950555F5962419C8919758Ea2"),
  aaveProvider: ethereumAave.aaveProvider,
  ...commonContracts("mainnet"),
};

const arbitrumAave = aaveV3(
  "AaveV3Arbitrum",
  "0x794a61358D6845594F94dc1DB02A252b5b4814aD",
  "0xa97684ead0e402dC232d5A977953DF7ECBaB3CDb",
);

export const arbitrum: Network = {
  chainId: 42161,
  name: "arbitrum",
  title: "Arbitrum One",
  testnet: false,
  stack: "arbitrum",
  nativeSymbol: "ETH",
  genesisHash: "0x7ee576b35482195fc49205cec9af72ce14f003b9ae69f6ba0faef4514be8b442",
  blockTimeMs: 250,
  finality: finalityOf("arbitrum"),
  transactionGasCap: null,
  explorer: "https://arbiscan.io",
  tokens: [
    weth("0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"),
    token("USDC", 6, "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", aaveToken("AaveV3Arbitrum")),
    token("USDT", 6, "0xFd086bC7CD5C481DCC9C85ebE478A1C0b69FCbb9", aaveToken("AaveV3Arbitrum")),
    token("DAI", 18, "0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1", aaveToken("AaveV3Arbitrum")),
    token("WBTC", 8, "0x2f2a2543B76A4166549F7aaB2e75Bef0aefC5B0f", aaveToken("AaveV3Arbitrum")),
  ],
  wrappedNative: "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1",
  venues: {
    "uniswap-v2": uniswapV2("0xf1D7CC64Fb4452F05c498126312eBE29f30Fbcf9", "0x4752ba5DBc23f44D87826276BF6Fd6b1C372aD24"),
    "sushiswap-v2": sushiswapV2("0xc35DADB65012eC5796536bD9864eD8773aBc74C4", "0x1b02dA8Cb0d097eB8D57A175b88c7D8b47997506"),
    "uniswap-v3": uniswapV3({
      factory: "0x1F98431c8aD98523631AE4a59f267346ea31F984",
      router: "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45",
      quoter: "0x61fFE014bA17989E743c5F6cB21bF9697530B21e",
      positionManager: "0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
    }),
    "sushiswap-v3": sushiswapV3({
      factory: "0x1af415a1EbA07a4986a52B6f2e7dE7003D82231e",
      quoter: "0x0524E833cCD057e4d7A296e3aaAb9f7675964Ce1",
      positionManager: "0xF0cBce1942A68BEB3d1b73F0dd86C8DCc363eF49",
    }),
    "pancakeswap-v3": pancakeswapV3("0x32226588378236Fd0c7c4053999F88aC0e5cAc77"),
  },
  lenders: {
    "aave-v3": arbitrumAave.pool,
    "balancer-v2": BALANCER_V2_VAULT,
    "balancer-v3": BALANCER_V3_VAULT,
    morpho: morpho("0x6c247b1F6182318877311737BaC0844bAa518F5e"),
  },
  poolManager: poolManager("0x360E68faCcca8cA495c1B759Fd9EEe466db9FB32"),
  quoters: quoters("0x3972C00f7ed4885e145823eb7C655375d275A1C5", "0xEAedc32a51c510d35ebC11088fD5fF2b47aACF2E"),
  aaveProvider: arbitrumAave.aaveProvider,
  ...commonContracts("arbitrum"),
};

const optimismAave = aaveV3(
  "AaveV3Optimism",
  "0x794a61358D6845594F94dc1DB02A252b5b4814aD",
  "0xa97684ead0e402dC232d5A977953DF7ECBaB3CDb",
);

export const optimism: Network = {
  chainId: 10,
  name: "optimism",
  title: "OP Mainnet",
  testnet: false,
  stack: "op",
  nativeSymbol: "ETH",
  genesisHash: "0x7ca38a1916c42007829c55e69d3e9a73265554b586a499015373241b8a3fa48b",
  blockTimeMs: 2_000,
  finality: finalityOf("op"),
  transactionGasCap: EIP7825_GAS_CAP,
  explorer: "https://optimistic.etherscan.io",
  tokens: [
    weth("0x4200000000000000000000000000000000000006"),
    token("USDC", 6, "0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85", aaveToken("AaveV3Optimism")),
    token("USDT", 6, "0x94b008aA00579c1307B0EF2c499aD98a8ce58e58", aaveToken("AaveV3Optimism")),
    token("DAI", 18, "0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1", aaveToken("AaveV3Optimism")),
    token("WBTC", 8, "0x68f180fcCe6836688e9084f035309E29Bf0A2095", aaveToken("AaveV3Optimism")),
  ],
  wrappedNative: "0x4200000000000000000000000000000000000006",
  venues: {
    "uniswap-v2": uniswapV2("0x0c3c1c532F1e39EdF36BE9Fe0bE1410313E074Bf", "0x4A7b5Da61326A6379179b40d00F57E5bbDC962c2"),
    "sushiswap-v2": sushiswapV2("0xFbc12984689e5f15626Bad03Ad60160Fe98B303C", "0x2ABf469074dc0b54d793850807E6eb5Faf2625b1"),
    "uniswap-v3": uniswapV3({
      factory: "0x1F98431c8aD98523631AE4a59f267346ea31F984",
      router: "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45",
      quoter: "0x61fFE014bA17989E743c5F6cB21bF9697530B21e",
      positionManager: "0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
    }),
    "sushiswap-v3": sushiswapV3({
      factory: "0x9c6522117e2ed1fE5bdb72bb0eD5E3f2bdE7DBe0",
      quoter: "0xb1E835Dc2785b52265711e17fCCb0fd018226a6e",
      positionManager: "0x1af415a1EbA07a4986a52B6f2e7dE7003D82231e",
    }),
    solidly: solidly(
      "0xF1046053aa5682b4F9a81b5481394DA16BE5FF5a",
      "0x95885Af5492195F0754bE71AD1545Fe81364E531",
      "velodrome-finance/contracts",
    ),
    slipstream: slipstream(
      verified("0xCc0bDDB707055e04e497aB22a59c2aF4391cd12F", PACKAGES.velodrome),
      "0xc28aD28853A547556780BEBF7847628501A3bCbb",
      "velodrome-finance/slipstream",
    ),
  },
  lenders: {
    "aave-v3": optimismAave.pool,
    "balancer-v2": BALANCER_V2_VAULT,
    "balancer-v3": BALANCER_V3_VAULT,
    morpho: morpho("0xce95AfbB8EA029495c66020883F87aaE8864AF92"),
  },
  poolManager: poolManager("0x9a13F98Cb987694C9F086b1F5eB990EeA8264Ec3"),
  quoters: quoters("0x1f3131A13296FB91C90870043742C3CDBFF1A8d7", "0xe2fa4e1d17725e72dcdAfe943Ecf45dF4B9E285b"),
  aaveProvider: optimismAave.aaveProvider,
  ...commonContracts("optimism"),
};

const baseAave = aaveV3("AaveV3Base", "0xA238Dd80C259a72e81d7e4664a9801593F98d1c5", "0xe20fCBdBfFC4Dd138cE8b2E6FBb6CB49777ad64D");

export const base: Network = {
  chainId: 8453,
  name: "base",
  title: "Base",
  testnet: false,
  stack: "op",
  nativeSymbol: "ETH",
  genesisHash: "0xf712aa9241cc24369b143cf6dce85f0902a9731e70d66818a3a5845b296c73dd",
  // Since the Denim upgrade of November 2026; block.timestamp still counts whole seconds.
  blockTimeMs: 200,
  finality: finalityOf("op"),
  transactionGasCap: EIP7825_GAS_CAP,
  explorer: "https://basescan.org",
  tokens: [
    weth("0x4200000000000000000000000000000000000006"),
    token("USDC", 6, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", aaveToken("AaveV3Base")),
    token("USDT", 6, "0xfde4C96c8593536E31F229EA8f37b2ADa2699bb2", sushiToken("USDT")),
    token("DAI", 18, "0x50c5725949A6F0c72E6C4a641F24049A917DB0Cb", sushiToken("DAI")),
    token("cbBTC", 8, "0xcbB7C0000aB88B473b1f5aFd9ef808440eed33Bf", aaveToken("AaveV3Base")),
  ],
  wrappedNative: "0x4200000000000000000000000000000000000006",
  venues: {
    "uniswap-v2": uniswapV2("0x8909Dc15e40173Ff4699343b6eB8132c65e18eC6", "0x4752ba5DBc23f44D87826276BF6Fd6b1C372aD24"),
    "sushiswap-v2": sushiswapV2("0x71524B4f93c58fcbF659783284E38825f0622859", "0x6BDED42c6DA8FBf0d2bA55B2fa120C5e0c8D7891"),
    "uniswap-v3": uniswapV3({
      factory: "0x33128a8fC17869897dcE68Ed026d694621f6FDfD",
      router: "0x2626664c2603336E57B271c5C0b26F421741e481",
      quoter: "0x3d4e44Eb1374240CE5F1B871ab261CD16335B76a",
      positionManager: "0x03a520b32C04BF3bEEf7BEb72E919cf822Ed34f1",
    }),
    "sushiswap-v3": sushiswapV3({
      factory: "0xc35DADB65012eC5796536bD9864eD8773aBc74C4",
      quoter: "0xb1E835Dc2785b52265711e17fCCb0fd018226a6e",
      positionManager: "0x80C7DD17B01855a6D2347444a0FCC36136a314de",
    }),
    "pancakeswap-v3": pancakeswapV3("0x678Aa4bF4E210cf2166753e054d5b7c31cc7fa86"),
    solidly: solidly(
      "0x420DD381b31aEf6683db6B902084cB0FFECe40Da",
      "0xA4e46b4f701c62e14DF11B48dCe76A7d793CD6d7",
      "aerodrome-finance/contracts",
    ),
    slipstream: slipstream(
      unverified("0x5e7BB104d84c7CB9B682AaC2F3d509f5F406809A", "aerodrome-finance/slipstream"),
      "0xeC8E5342B19977B4eF8892e02D8DAEcfa1315831",
      "aerodrome-finance/slipstream",
    ),
  },
  lenders: {
    "aave-v3": baseAave.pool,
    "balancer-v2": BALANCER_V2_VAULT,
    "balancer-v3": BALANCER_V3_VAULT,
    morpho: morpho("0xBBBBBbbBBb9cC5e90e3b3Af64bdAF62C37EEFFCb"),
  },
  poolManager: poolManager("0x498581fF718922c3f8e6A244956aF099B2652b2b"),
  quoters: quoters("0x0d5e0F971ED27FBfF6c2837bf31316121532048D", "0x3f170631ed9821Ca51A59D996aB095162438DC10"),
  aaveProvider: baseAave.aaveProvider,
  ...commonContracts("base"),
};
