import type { Provider } from "ethers";
import { ArbVault__factory } from "../../types/contracts/index.js";
import { BRIDGE_KINDS, POOL_KINDS, type VaultConfig, type VaultMarket, type VaultRoute } from "../config/vault.js";

/** A call that the vault's owner sends, from a wallet or a multisig. Its value is zero. */
export interface OwnerCall {
  to: string;
  data: string;
  purpose: string;
}

const abi = ArbVault__factory.createInterface();
const nameOf = (kinds: Record<string, number>, kind: number): string =>
  Object.keys(kinds).find((name) => kinds[name] === kind) ?? String(kind);

/**
 * The calls that bring a vault from what it allows now to what is configured: none where it is there already. What the vault allows
 * beyond the configuration is not known from its state, and stays. Throws what the provider throws.
 */
export async function planConfiguration(vault: string, config: VaultConfig, provider: Provider): Promise<OwnerCall[]> {
  const contract = ArbVault__factory.connect(vault, provider);
  const markets = await Promise.all(
    config.markets.map(async (market): Promise<OwnerCall[]> => {
      const id = await contract.marketId(market.pool, market.tokenIn);
      const data = encodeMarket(market);
      if (encodeMarket((await contract.market(id)) as unknown as VaultMarket) === data) return [];
      const purpose = `market ${nameOf(POOL_KINDS, market.kind)} ${market.pool}: sell ${market.tokenIn}, at most ${market.dailyLimit} a day and ${market.maxLossBps} bps below the price`;
      return [{ to: vault, data, purpose }];
    }),
  );
  const routes = await Promise.all(
    config.routes.map(async (route): Promise<OwnerCall[]> => {
      const id = await contract.routeId(route.bridge, route.tokenIn, route.destination);
      const data = encodeRoute(route);
      if (encodeRoute((await contract.route(id)) as unknown as VaultRoute) === data) return [];
      const purpose = `route ${nameOf(BRIDGE_KINDS, route.kind)} ${route.bridge}: send ${route.tokenIn} to ${route.destination}, at most ${route.dailyLimit} a day for ${route.maxFeeBps} bps`;
      return [{ to: vault, data, purpose }];
    }),
  );
  return [...markets, ...routes].flat();
}

const encodeMarket = (market: VaultMarket): string => abi.encodeFunctionData("setMarket", [market]);
const encodeRoute = (route: VaultRoute): string => abi.encodeFunctionData("setRoute", [route]);
