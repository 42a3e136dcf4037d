import { toStored } from "../../../src/inventory/stored.js";
import type { CrossChainOpportunity } from "../../../src/opportunity/cross-chain.js";
import { tokenOf } from "../../../src/sim/protocols/tokens.js";
import { findPool } from "../../../src/sim/trader.js";
import type { SagaWish } from "./plan.js";
import type { World } from "./world.js";

/** A trade as it is handed to a driver, in the JSON of src/inventory/stored.ts. */
export type Handed = unknown;

/** WETH is bought on the first network and sold on the second, both in their Uniswap V2 pools. */
export function handOut({ sites, accounts }: World, wish: SagaWish): Handed {
  const [source, target] = sites.map(({ local }) => local) as [(typeof sites)[0]["local"], (typeof sites)[0]["local"]];
  const leg = (local: typeof source, tokenIn: string, tokenOut: string) => ({
    chainId: local.network.chainId,
    venue: "uniswap-v2" as const,
    pool: findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!.address,
    tokenIn: tokenOf(local.network, tokenIn).address,
    tokenOut: tokenOf(local.network, tokenOut).address,
    feePips: 3000,
  });
  const opportunity: CrossChainOpportunity = {
    version: "opportunity.v1",
    id: wish.id,
    buy: leg(source, "USDC", "WETH"),
    sell: leg(target, "WETH", "USDC"),
    amountIn: BigInt(wish.amountIn),
    mode: wish.mode,
    bridges: wish.homeBridge === "across" ? ["across"] : ["across", wish.homeBridge],
    returnToSource: wish.returnToSource,
    deadline: null,
    source: null,
  };
  return JSON.parse(toStored({ opportunity, account: accounts[wish.account]! })) as Handed;
}
