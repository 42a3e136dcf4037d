import {
  aaveV3,
  BALANCER_V2_VAULT,
  BALANCER_V3_VAULT,
  commonContracts,
  EIP7825_GAS_CAP,
  finalityOf,
  PACKAGES,
  pancakeswapV3,
  poolManager,
  quoters,
  sushiswapV2,
  sushiswapV3,
  token,
  uniswapV2,
  uniswapV3,
  weth,
} from "./facts.js";
import type { Network } from "./network.js";

// Aave's testnet markets list test tokens of their own; USDC here is the issuer's, which the exchanges trade.

const sepoliaAave = aaveV3(
  "AaveV3Sepolia",
  "0x6Ae43d3271ff6888e7Fc43Fd7321a503ff738951",
  "0x012bAC54348C0E635dCAc9D5FB99f06F24136C9A",
);

export const sepolia: Network = {
  chainId: 11155111,
  name: "sepolia",
  title: "Sepolia",
  testnet: true,
  stack: "l1",
  nativeSymbol: "ETH",
  genesisHash: "0x25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9",
  blockTimeMs: 12_000,
  finality: finalityOf("l1"),
  transactionGasCap: EIP7825_GAS_CAP,
  explorer: "https://sepolia.etherscan.io",
  tokens: [
    weth("0xfFf9976782d46CC05630D1f6eBAb18b2324d6B14"),
    token("USDC", 6, "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238", `${PACKAGES.sushiTokens}/USDC.js`),
  ],
  wrappedNative: "0xfFf9976782d46CC05630D1f6eBAb18b2324d6B14",
  venues: {
    "uniswap-v2": uniswapV2("0xF62c03E08ada871A0bEb309762E260a7a6a880E6", "0xeE567Fe1712Faf6149d80dA1E6934E354124CfE3"),
    "sushiswap-v2": sushiswapV2("0x734583f62Bb6ACe3c9bA9bd5A53143CA2Ce8C55A", "0xeaBcE3E74EF41FB40024a21Cc2ee2F5dDc615791"),
    "uniswap-v3": uniswapV3({
      factory: "0x0227628f3F023bb0B980b67D528571c95c6DaC1c",
      router: "0x3bFA4769FB09eefC5a80d6E87c3B9C650f7Ae48E",
      quoter: "0xEd1f6473345F45b75F8179591dd5bA1888cf2FB3",
      positionManager: "0x1238536071E1c677A632429e3655c799b22cDA52",
    }),
    "sushiswap-v3": sushiswapV3({
      factory: "0x1f2FCf1d036b375b384012e61D3AA33F8C256bbE",
      quoter: "0x039e87AB90205F9d87c5b40d4B28e2Be45dA4a20",
      positionManager: "0x544bA588efD839d2692Fc31EA991cD39993c135F",
    }),
    "pancakeswap-v3": pancakeswapV3("0x678Aa4bF4E210cf2166753e054d5b7c31cc7fa86"),
  },
  lenders: {
    "aave-v3": sepoliaAave.pool,
    "balancer-v2": BALANCER_V2_VAULT,
    "balancer-v3": BALANCER_V3_VAULT,
  },
  poolManager: poolManager("0xE03A1074c86CFeDd5C142C4F04F1a1536e203543"),
  quoters: quoters("0x61B3f2011A92d183C7dbaDBdA940a7555Ccf9227", "0x5e315f96389C1aaF9324D97d3512ae1e0Bf3C21a"),
  aaveProvider: sepoliaAave.aaveProvider,
  ...commonContracts("sepolia"),
};

const arbitrumSepoliaAave = aaveV3(
  "AaveV3ArbitrumSepolia",
  "0xBfC91D59fdAA134A4ED45f7B584cAf96D7792Eff",
  "0xB25a5D144626a0D488e52AE717A051a2E9997076",
);

export const arbitrumSepolia: Network = {
  chainId: 421614,
  name: "arbitrum-sepolia",
  title: "Arbitrum Sepolia",
  testnet: true,
  stack: "arbitrum",
  nativeSymbol: "ETH",
  genesisHash: "0x77194da4010e549a7028a9c3c51c3e277823be6ac7d138d0bb8a70197b5c004c",
  blockTimeMs: 250,
  finality: finalityOf("arbitrum"),
  transactionGasCap: null,
  explorer: "https://sepolia.arbiscan.io",
  tokens: [
    weth("0x980B62Da83eFf3D4576C647993b0c1D7faf17c73"),
    token("USDC", 6, "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d", PACKAGES.uniswapTokens),
  ],
  wrappedNative: "0x980B62Da83eFf3D4576C647993b0c1D7faf17c73",
  venues: {
    "uniswap-v3": uniswapV3({
      factory: "0x248AB79Bbb9bC29bB72f7Cd42F17e054Fc40188e",
      router: "0x101F443B4d1b059569D643917553c771E1b9663E",
      quoter: "0x2779a0CC1c3e0E44D2542EC3e79e3864Ae93Ef0B",
      positionManager: "0x6b2937Bde17889EDCf8fbD8dE31C3C2a70Bc4d65",
    }),
    "pancakeswap-v3": pancakeswapV3("0x678Aa4bF4E210cf2166753e054d5b7c31cc7fa86"),
  },
  lenders: { "aave-v3": arbitrumSepoliaAave.pool },
  poolManager: poolManager("0xFB3e0C6F74eB1a21CC1Da29aeC80D2Dfe6C9a317"),
  quoters: quoters("0x7dE51022d70A725b508085468052E25e22b5c4c9", null),
  aaveProvider: arbitrumSepoliaAave.aaveProvider,
  ...commonContracts("arbitrumSepolia"),
};

const optimismSepoliaAave = aaveV3(
  "AaveV3OptimismSepolia",
  "0xb50201558B00496A145fE76f7424749556E326D8",
  "0x36616cf17557639614c1cdDb356b1B83fc0B2132",
);

export const optimismSepolia: Network = {
  chainId: 11155420,
  name: "optimism-sepolia",
  title: "OP Sepolia",
  testnet: true,
  stack: "op",
  nativeSymbol: "ETH",
  genesisHash: "0x102de6ffb001480cc9b8b548fd05c34cd4f46ae4aa91759393db90ea0409887d",
  blockTimeMs: 2_000,
  finality: finalityOf("op"),
  transactionGasCap: EIP7825_GAS_CAP,
  explorer: "https://optimism-sepolia.blockscout.com",
  tokens: [
    weth("0x4200000000000000000000000000000000000006"),
    token("USDC", 6, "0x5fd84259d66Cd46123540766Be93DFE6D43130D7", `${PACKAGES.aave}/AaveV3OptimismSepolia.mjs`),
  ],
  wrappedNative: "0x4200000000000000000000000000000000000006",
  venues: {
    "uniswap-v3": uniswapV3({
      factory: "0x8CE191193D15ea94e11d327b4c7ad8bbE520f6aF",
      router: "0x94cC0AaC535CCDB3C01d6787D6413C739ae12bc4",
      quoter: "0x0FBEa6cf957d95ee9313490050F6A0DA68039404",
      positionManager: "0xdA75cEf1C93078e8b736FCA5D5a30adb97C8957d",
    }),
  },
  lenders: { "aave-v3": optimismSepoliaAave.pool },
  quoters: {},
  aaveProvider: optimismSepoliaAave.aaveProvider,
  ...commonContracts("optimismSepolia"),
};

const baseSepoliaAave = aaveV3(
  "AaveV3BaseSepolia",
  "0x8bAB6d1b75f19e9eD9fCe8b9BD338844fF79aE27",
  "0xE4C23309117Aa30342BFaae6c95c6478e0A4Ad00",
);

export const baseSepolia: Network = {
  chainId: 84532,
  name: "base-sepolia",
  title: "Base Sepolia",
  testnet: true,
  stack: "op",
  nativeSymbol: "ETH",
  genesisHash: "0x0dcc9e089e30b90ddfc55be9a37dd15bc551aeee999d2e2b51414c54eaf934e4",
  blockTimeMs: 200,
  finality: finalityOf("op"),
  transactionGasCap: EIP7825_GAS_CAP,
  explorer: "https://sepolia.basescan.org",
  tokens: [
    weth("0x4200000000000000000000000000000000000006"),
    token("USDC", 6, "0x036CbD53842c5426634e7929541eC2318f3dCF7e", PACKAGES.uniswapTokens),
  ],
  wrappedNative: "0x4200000000000000000000000000000000000006",
  venues: {
    "uniswap-v2": uniswapV2("0x7Ae58f10f7849cA6F5fB71b7f45CB416c9204b1e", "0x1689E7B1F10000AE47eBfE339a4f69dECd19F602"),
    "uniswap-v3": uniswapV3({
      factory: "0x4752ba5DBc23f44D87826276BF6Fd6b1C372aD24",
      router: "0x94cC0AaC535CCDB3C01d6787D6413C739ae12bc4",
      quoter: "0xC5290058841028F1614F3A6F0F5816cAd0df5E27",
      positionManager: "0x27F971cb582BF9E50F397e4d29a5C7A34f11faA2",
    }),
    "pancakeswap-v3": pancakeswapV3("0x678Aa4bF4E210cf2166753e054d5b7c31cc7fa86"),
  },
  lenders: { "aave-v3": baseSepoliaAave.pool },
  poolManager: poolManager("0x05E73354cFDd6745C338b50BcFDfA3Aa6fA03408"),
  quoters: quoters("0x4A6513c898fe1B2d0E78d3b0e0A4a151589B1cBa", null),
  aaveProvider: baseSepoliaAave.aaveProvider,
  ...commonContracts("baseSepolia"),
};
