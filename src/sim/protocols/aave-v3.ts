import { ZeroAddress } from "ethers";
import type { Token } from "../../config/network.js";
import { ArbError } from "../../errors.js";
import { IAaveV3Pool__factory } from "../../../types/contracts/index.js";
import { artifact, link } from "../artifacts.js";
import { deploy, invoke, place, read, type Site } from "../site.js";
import { approve } from "./tokens.js";

/** Aave V3's flash loan fee on its live markets, basis points. */
export const AAVE_PREMIUM_BPS = 5;

const RAY = 10n ** 27n;
const poolAbi = { abi: IAaveV3Pool__factory.createInterface() };
const aave = (name: string) =>
  artifact(`@aave/core-v3/artifacts/contracts/${name}.sol/${name.slice(name.lastIndexOf("/") + 1)}.json`);

/** A token that the market lends, with what is supplied and its price in USD with 8 decimals. */
export interface AaveReserve {
  token: Token;
  supply: bigint;
  priceUsd: bigint;
}

/** An Aave V3 market with its pool at the registry's address, flash loans on, and liquidity in every reserve. */
export async function placeAaveV3(site: Site, reserves: AaveReserve[]): Promise<void> {
  const { network, owner } = site;
  const providerAt = network.aaveProvider?.address;
  const poolAt = network.lenders["aave-v3"]?.address;
  if (providerAt === undefined || poolAt === undefined) return;

  const provider = aave("protocol/configuration/PoolAddressesProvider");
  await place(site, providerAt, provider, [`Aave ${network.title} Market`, owner]);
  await invoke(site, providerAt, provider, "setACLAdmin", [owner]);
  const roles = aave("protocol/configuration/ACLManager");
  const rolesAt = await deploy(site, roles, [providerAt]);
  await invoke(site, providerAt, provider, "setACLManager", [rolesAt]);
  await invoke(site, rolesAt, roles, "addPoolAdmin", [owner]);
  await invoke(site, rolesAt, roles, "addAssetListingAdmin", [owner]);
  const oracle = aave("mocks/oracle/PriceOracle");
  const oracleAt = await deploy(site, oracle);
  for (const r of reserves) await invoke(site, oracleAt, oracle, "setAssetPrice", [r.token.address, r.priceUsd]);
  await invoke(site, providerAt, provider, "setPriceOracle", [oracleAt]);

  const { pool, configurator } = await deployLogic(site, providerAt);
  // the pool's proxy is the provider's first CREATE: that is how it gets its real address
  await invoke(site, providerAt, provider, "setPoolImpl", [pool.at]);
  const proxy = await read<string>(site, providerAt, provider, "getPool");
  if (proxy !== poolAt)
    throw new ArbError("internal", `Aave's pool is at ${proxy}, the registry says ${poolAt}`, { where: network.name });
  await invoke(site, providerAt, provider, "setPoolConfiguratorImpl", [configurator.at]);
  const configuratorAt = await read<string>(site, providerAt, provider, "getPoolConfigurator");
  await listReserves(site, { providerAt, poolAt, configuratorAt, configurator: configurator.artifact }, reserves);
}

/** The logic libraries, and the pool and its configurator linked against them. */
async function deployLogic(site: Site, provider: string) {
  const names = ["BorrowLogic", "BridgeLogic", "EModeLogic", "LiquidationLogic", "PoolLogic", "SupplyLogic", "ConfiguratorLogic"];
  const libraries: Record<string, string> = {};
  for (const name of names) libraries[name] = await deploy(site, aave(`protocol/libraries/logic/${name}`));
  const flashLoan = link(aave("protocol/libraries/logic/FlashLoanLogic"), libraries);
  libraries["FlashLoanLogic"] = await deploy(site, flashLoan);
  const pool = link(aave("protocol/pool/Pool"), libraries);
  const configurator = link(aave("protocol/pool/PoolConfigurator"), libraries);
  return {
    pool: { artifact: pool, at: await deploy(site, pool, [provider]) },
    configurator: { artifact: configurator, at: await deploy(site, configurator) },
  };
}

async function listReserves(
  site: Site,
  market: { providerAt: string; poolAt: string; configuratorAt: string; configurator: ReturnType<typeof aave> },
  reserves: AaveReserve[],
): Promise<void> {
  const { providerAt, poolAt, configuratorAt, configurator } = market;
  const aToken = await deploy(site, aave("protocol/tokenization/AToken"), [poolAt]);
  const stableDebt = await deploy(site, aave("protocol/tokenization/StableDebtToken"), [poolAt]);
  const variableDebt = await deploy(site, aave("protocol/tokenization/VariableDebtToken"), [poolAt]);
  // optimal usage 90 %, then base rate and slopes: any valid curve does, nobody borrows for longer than a transaction
  const curve = [(RAY * 9n) / 10n, 0n, RAY / 25n, (RAY * 3n) / 5n, RAY / 200n, (RAY * 3n) / 5n, RAY / 100n, RAY / 12n, RAY / 5n];
  const rates = await deploy(site, aave("protocol/pool/DefaultReserveInterestRateStrategy"), [providerAt, ...curve]);
  const inputs = reserves.map(({ token }) => ({
    aTokenImpl: aToken,
    stableDebtTokenImpl: stableDebt,
    variableDebtTokenImpl: variableDebt,
    underlyingAssetDecimals: token.decimals,
    interestRateStrategyAddress: rates,
    underlyingAsset: token.address,
    treasury: site.owner,
    incentivesController: ZeroAddress,
    aTokenName: `Aave ${token.symbol}`,
    aTokenSymbol: `a${token.symbol}`,
    variableDebtTokenName: `Aave variable debt ${token.symbol}`,
    variableDebtTokenSymbol: `variableDebt${token.symbol}`,
    stableDebtTokenName: `Aave stable debt ${token.symbol}`,
    stableDebtTokenSymbol: `stableDebt${token.symbol}`,
    params: "0x",
  }));
  await invoke(site, configuratorAt, configurator, "initReserves", [inputs]);
  await invoke(site, configuratorAt, configurator, "updateFlashloanPremiumTotal", [AAVE_PREMIUM_BPS]);
  for (const { token, supply } of reserves) {
    await invoke(site, configuratorAt, configurator, "setReserveFlashLoaning", [token.address, true]);
    await approve(site, token.address, poolAt);
    await invoke(site, poolAt, poolAbi, "supply", [token.address, supply, site.owner, 0]);
  }
}
