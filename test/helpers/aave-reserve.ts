/** Aave V3 from its npm artifacts, with one reserve. */
import { createRequire } from "node:module";
import { type AnyContract, type Chain, artifact, at } from "./chain.js";

const require = createRequire(import.meta.url);
const AAVE = "@aave/core-v3/artifacts/contracts";
const NO_ADDRESS = `0x${"00".repeat(20)}`;
const RAY = 10n ** 27n;

export interface AaveWorld {
  pool: AnyContract;
  configurator: AnyContract;
  token: AnyContract;
  receiver: AnyContract;
}

/** An artifact with its library addresses filled in. */
function linked(path: string, libraries: Record<string, string> = {}): ReturnType<typeof artifact> {
  const art = artifact(`${AAVE}/${path}`);
  const { linkReferences } = require(`${AAVE}/${path}.json`) as {
    linkReferences: Record<string, Record<string, { start: number }[]>>;
  };
  let { bytecode } = art;
  for (const file of Object.values(linkReferences)) {
    for (const [name, places] of Object.entries(file)) {
      for (const { start } of places) {
        const from = 2 + start * 2;
        bytecode = bytecode.slice(0, from) + libraries[name]!.slice(2).toLowerCase() + bytecode.slice(from + 40);
      }
    }
  }
  return { abi: art.abi, bytecode };
}

export async function deployAave(chain: Chain, premiumBps: number, supply: bigint): Promise<AaveWorld> {
  const send = async (contract: AnyContract, name: string, ...args: unknown[]): Promise<void> => {
    await (await contract[name](...args, { gasLimit: 15_000_000n })).wait();
  };
  const libraries: Record<string, string> = {};
  const logic = [
    "BorrowLogic",
    "BridgeLogic",
    "EModeLogic",
    "LiquidationLogic",
    "PoolLogic",
    "SupplyLogic",
    "ConfiguratorLogic",
    "FlashLoanLogic",
  ];
  for (const name of logic) {
    const library = await chain.deploy(linked(`protocol/libraries/logic/${name}.sol/${name}`, libraries));
    libraries[name] = await library.getAddress();
  }
  const provider = await chain.deploy(linked("protocol/configuration/PoolAddressesProvider.sol/PoolAddressesProvider"), [
    "test",
    chain.me,
  ]);
  await send(provider, "setACLAdmin", chain.me);
  const acl = await chain.deploy(linked("protocol/configuration/ACLManager.sol/ACLManager"), [provider.target]);
  await send(provider, "setACLManager", acl.target);
  await send(acl, "addPoolAdmin", chain.me);
  await send(acl, "addAssetListingAdmin", chain.me);
  await send(acl, "addEmergencyAdmin", chain.me);
  const poolArt = linked("protocol/pool/Pool.sol/Pool", libraries);
  await send(provider, "setPoolImpl", (await chain.deploy(poolArt, [provider.target])).target);
  const configuratorArt = linked("protocol/pool/PoolConfigurator.sol/PoolConfigurator", libraries);
  await send(provider, "setPoolConfiguratorImpl", (await chain.deploy(configuratorArt)).target);
  const pool = at(chain, (await provider["getPool"]()) as string, poolArt);
  const configurator = at(chain, (await provider["getPoolConfigurator"]()) as string, configuratorArt);

  const token = await chain.deploy(linked("mocks/tokens/MintableERC20.sol/MintableERC20"), ["Token", "TOK", 18]);
  const implementation = async (name: string): Promise<string> =>
    (await chain.deploy(linked(`protocol/tokenization/${name}.sol/${name}`), [pool.target])).getAddress();
  const rates = [(RAY * 9n) / 10n, 0, RAY / 25n, (RAY * 6n) / 10n, RAY / 200n, (RAY * 6n) / 10n, RAY / 100n, RAY / 12n, RAY / 5n];
  const strategyName = "DefaultReserveInterestRateStrategy";
  const strategy = await chain.deploy(linked(`protocol/pool/${strategyName}.sol/${strategyName}`), [provider.target, ...rates]);
  const reserve = {
    aTokenImpl: await implementation("AToken"),
    stableDebtTokenImpl: await implementation("StableDebtToken"),
    variableDebtTokenImpl: await implementation("VariableDebtToken"),
    underlyingAssetDecimals: 18,
    interestRateStrategyAddress: strategy.target,
    underlyingAsset: token.target,
    treasury: chain.me,
    incentivesController: NO_ADDRESS,
    ...Object.fromEntries(
      ["aToken", "variableDebtToken", "stableDebtToken"].flatMap((n) => [`${n}Name`, `${n}Symbol`]).map((n) => [n, n]),
    ),
    params: "0x10",
  };
  await send(configurator, "initReserves", [reserve]);
  await send(configurator, "setReserveFlashLoaning", token.target, true);
  await send(configurator, "updateFlashloanPremiumTotal", premiumBps);
  await send(token, "mint(uint256)", supply);
  await send(token, "approve", pool.target, supply);
  await send(pool, "supply", token.target, supply, chain.me, 0);
  const receiverName = "MockFlashLoanSimpleReceiver";
  const receiver = await chain.deploy(linked(`mocks/flashloan/MockSimpleFlashLoanReceiver.sol/${receiverName}`), [
    provider.target,
  ]);
  return { pool, configurator, token, receiver };
}
