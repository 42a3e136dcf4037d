import { AbiCoder, getAddress } from "ethers";
import { ArbError } from "../../errors.js";
import { balancerArtifact } from "../artifacts.js";
import type { Side } from "../seed.js";
import { deploy, invoke, place, read, type Site } from "../site.js";
import { approve } from "./tokens.js";

const DAY = 86_400;
/** JoinKind.INIT of Balancer's weighted pools: the first deposit, of given amounts. */
const JOIN_INIT = 0;

/** A side of a weighted pool; the weights, as fractions of 1e18, add up to 1e18. */
export interface WeightedSide {
  side: Side;
  weight: bigint;
}

/** Balancer V2's Vault with one weighted pool; what the pool holds is what the Vault lends. Returns the pool's id. */
export async function placeBalancerV2(site: Site, sides: WeightedSide[]): Promise<string | null> {
  const vaultAt = site.network.lenders["balancer-v2"]?.address;
  if (vaultAt === undefined) return null;
  const authorizer = await deploy(site, balancerArtifact("20210418-authorizer", "Authorizer"), [site.owner]);
  const vault = balancerArtifact("20210418-vault", "Vault");
  await place(site, vaultAt, vault, [authorizer, site.network.wrappedNative, 90 * DAY, 30 * DAY]);

  const factory = balancerArtifact("20210418-weighted-pool", "WeightedPool2TokensFactory");
  const factoryAt = await deploy(site, factory, [vaultAt]);
  const tokens = sides.map(({ side: [token] }) => token);
  const amounts = sides.map(({ side: [, amount] }) => amount);
  const weights = sides.map(({ weight }) => weight);
  const swapFee = 3n * 10n ** 15n; // 0.3 %
  const args = ["Local weighted pool", "LWP", tokens, weights, swapFee, false, site.owner];
  const { logs } = await invoke(site, factoryAt, factory, "create", args);
  const created = logs.map((l) => factory.abi.parseLog(l)).find((e) => e?.name === "PoolCreated");
  if (!created) throw new ArbError("internal", "Balancer's factory created no pool", { where: site.network.name });

  const pool = balancerArtifact("20210418-weighted-pool", "WeightedPool2Tokens");
  const poolId = await read<string>(site, getAddress(String(created.args[0])), pool, "getPoolId");
  for (const token of tokens) await approve(site, token, vaultAt);
  const userData = AbiCoder.defaultAbiCoder().encode(["uint256", "uint256[]"], [JOIN_INIT, amounts]);
  const join = { assets: tokens, maxAmountsIn: amounts, userData, fromInternalBalance: false };
  await invoke(site, vaultAt, vault, "joinPool", [poolId, site.owner, site.owner, join]);
  return poolId;
}
