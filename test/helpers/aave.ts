import { type Contract, ZeroAddress } from "ethers";
import { deploy, type World } from "./pools.js";

const AAVE = "@aave/core-v3/artifacts/contracts/protocol/";

/** Aave V3 with WETH as its only reserve and a flash loan premium of 0.05 %. */
export async function deployAave(world: World, liquidity: bigint) {
  const by = world.deployer;
  const me = await by.getAddress();
  const weth = await world.weth.getAddress();
  const libraries: Record<string, string> = {};
  for (const name of [
    "BorrowLogic",
    "BridgeLogic",
    "EModeLogic",
    "LiquidationLogic",
    "PoolLogic",
    "SupplyLogic",
    "ConfiguratorLogic",
    "FlashLoanLogic",
  ]) {
    libraries[name] = await (await deploy(by, `${AAVE}libraries/logic/${name}.sol/${name}.json`, [], libraries)).getAddress();
  }
  const make = (path: string, ...args: unknown[]) => deploy(by, AAVE + path, args, libraries);
  const send = async (contract: Contract, name: string, ...args: unknown[]) => {
    const sent = (await contract.getFunction(name)(...args)) as { wait(): Promise<unknown> };
    await sent.wait();
  };

  const provider = await make("configuration/PoolAddressesProvider.sol/PoolAddressesProvider.json", "test", me);
  await send(provider, "setACLAdmin", me);
  const acl = await make("configuration/ACLManager.sol/ACLManager.json", provider);
  await send(provider, "setACLManager", acl);
  await send(acl, "addPoolAdmin", me);
  await send(acl, "addAssetListingAdmin", me);
  const poolCode = await make("pool/Pool.sol/Pool.json", provider);
  await send(poolCode, "initialize", provider);
  await send(provider, "setPoolImpl", poolCode);
  const pool = poolCode.attach((await provider.getFunction("getPool")()) as string) as Contract;
  const configuratorCode = await make("pool/PoolConfigurator.sol/PoolConfigurator.json");
  await send(provider, "setPoolConfiguratorImpl", configuratorCode);
  const configurator = configuratorCode.attach((await provider.getFunction("getPoolConfigurator")()) as string) as Contract;
  const tokens = [];
  for (const name of ["AToken", "StableDebtToken", "VariableDebtToken"]) {
    tokens.push(await (await make(`tokenization/${name}.sol/${name}.json`, pool)).getAddress());
  }
  const ray = 10n ** 27n;
  const rates = [(ray * 8n) / 10n, 0n, ray / 25n, ray, ray / 50n, ray, ray / 100n, ray / 100n, ray / 5n];
  const strategy = await make(
    "pool/DefaultReserveInterestRateStrategy.sol/DefaultReserveInterestRateStrategy.json",
    provider,
    ...rates,
  );
  await send(configurator, "initReserves", [
    [tokens[0], tokens[1], tokens[2], 18, await strategy.getAddress(), weth, me, ZeroAddress, "a", "a", "v", "v", "s", "s", "0x"],
  ]);
  await send(configurator, "setReserveFlashLoaning", weth, true);
  await send(configurator, "updateFlashloanPremiumTotal", 5);
  await world.weth.approve(pool, liquidity);
  await send(pool, "supply", weth, liquidity, me, 0);

  return {
    pool: await pool.getAddress(),
    /** PercentageMath.percentMul of Aave: rounded half up. */
    premium: (amount: bigint) => (amount * 5n + 5000n) / 10_000n,
    flashLoanData: (receiver: string, params: string) =>
      pool.interface.encodeFunctionData("flashLoanSimple", [receiver, weth, 10n ** 18n, params, 0]),
  };
}
