/** A cross-chain desk whose inventory stands in ArbVault: one vault on each network, with feeds, markets and routes that its owner set. */
import { concat, Interface, zeroPadValue, ZeroAddress } from "ethers";
import { acrossFacts } from "../../src/config/across.js";
import { cctpFacts } from "../../src/config/cctp.js";
import { stargateFacts } from "../../src/config/stargate.js";
import { BRIDGE_KINDS, POOL_KINDS } from "../../src/config/vault.js";
import { planDeployment, VAULT } from "../../src/deploy/deploy.js";
import type { TradingNetwork } from "../../src/transfers/senders.js";
import { deploy, invoke, send } from "../../src/sim/site.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { vaultVenue } from "../../src/vault/vault-venue.js";
import { ArbVault__factory, IUniswapV2Pair__factory, SettableFeed__factory } from "../../types/contracts/index.js";
import { A, B, type Site, USDC } from "./cross-chain.js";

const abi = new Interface(ArbVault__factory.abi);
const feedAbi = new Interface(SettableFeed__factory.abi);
const pair = { abi: new Interface(IUniswapV2Pair__factory.abi) };
const DAY_LIMIT = { WETH: 1_000n * 10n ** 18n, USDC: 2_000_000n * USDC };
const WETH_UNIT = 10n ** 18n;

export interface VaultDesk {
  vault: string;
  networks: TradingNetwork[];
  /** Adds tokens to the vault of a network. */
  fund(chainId: number, tokens: Record<string, bigint>): Promise<void>;
  /** Sets the price of WETH that the vault's feeds say, as a share of the pool's price of the start, parts per million. */
  setPrice(chainId: number, ppm: number): Promise<void>;
  /** Sets the daily limit of every market of a network that sells a token. */
  limitMarket(chainId: number, sell: "WETH" | "USDC", dailyLimit: bigint): Promise<void>;
  allowRoute(chainId: number, bridge: "across" | "cctp" | "stargate", token: "WETH" | "USDC"): Promise<void>;
  /** Forbids the route of a bridge and a token. */
  forbidRoute(chainId: number, bridge: "across" | "cctp" | "stargate", token: "WETH" | "USDC"): Promise<void>;
  owner(chainId: number, fn: string, args: readonly unknown[]): Promise<void>;
}

/** Deploys the vault on both networks for an operator, allows the WETH/USDC pools and the bridges that are there, and funds nothing. */
export async function openVaultDesk(site: Site, operator: string): Promise<VaultDesk> {
  const local = (chainId: number) => site.world.chain(chainId);
  const owner = local(A).owner;
  const args = { owner, operators: [operator] };
  const plan = planDeployment(ArbVault__factory, args, local(A).network.create2Proxy.address, VAULT);
  const vault = plan.address;
  const token = (chainId: number, symbol: string) => tokenOf(local(chainId).network, symbol).address;
  const feeds = new Map<number, { weth: string; usdc: string; price: bigint }>();
  const ownerCall = async (chainId: number, fn: string, callArgs: readonly unknown[]): Promise<void> => {
    await invoke(local(chainId), vault, { abi }, fn, callArgs);
  };
  const pools = (chainId: number) =>
    local(chainId).pools.filter(
      (p) =>
        ["uniswap-v2", "uniswap-v3"].includes(p.venue) &&
        [p.token0, p.token1].every((t) => [token(chainId, "WETH"), token(chainId, "USDC")].includes(t)),
    );
  const setFeed = async (chainId: number, feed: string, answer: bigint): Promise<void> => {
    const { timestamp } = (await site.chains.get(chainId)!.provider.getBlock("latest"))!;
    await invoke(local(chainId), feed, { abi: feedAbi }, "set", [answer, timestamp, timestamp]);
  };
  const marketOf = (chainId: number, p: ReturnType<typeof pools>[number], sell: string, dailyLimit: bigint) => {
    const { weth, usdc } = feeds.get(chainId)!;
    const tokenIn = token(chainId, sell);
    const sellsWeth = sell === "WETH";
    return {
      kind: p.venue === "uniswap-v2" ? POOL_KINDS.v2 : POOL_KINDS.v3,
      pool: p.address,
      feePips: p.venue === "uniswap-v2" ? 3000 : 0,
      tokenIn,
      tokenOut: p.token0 === tokenIn ? p.token1 : p.token0,
      maxLossBps: 300,
      dailyLimit,
      price: {
        feedIn: sellsWeth ? weth : usdc,
        feedOut: sellsWeth ? usdc : weth,
        maxAgeIn: 10 ** 9,
        maxAgeOut: 10 ** 9,
        sequencer: ZeroAddress,
        pool: ZeroAddress,
        window: 0,
      },
    };
  };
  const routeOf = (chainId: number, bridge: "across" | "cctp" | "stargate", symbol: "WETH" | "USDC", kind: number) => {
    const to = chainId === A ? B : A;
    const contract = {
      across: () => acrossFacts(chainId)!.spokePool.address,
      cctp: () => cctpFacts(chainId)!.tokenMessenger.address,
      stargate: () => stargateFacts(chainId)!.usdcPool.address,
    }[bridge]();
    return {
      kind,
      bridge: contract,
      tokenIn: token(chainId, symbol),
      tokenOut: bridge === "across" ? zeroPadValue(token(to, symbol), 32) : zeroPadValue("0x", 32),
      destination: bridge === "across" ? to : bridge === "cctp" ? cctpFacts(to)!.domain : stargateFacts(to)!.eid,
      maxFeeBps: 50,
      dailyLimit: DAY_LIMIT[symbol],
      maxFillSeconds: 3_600,
    };
  };
  for (const chainId of [A, B]) {
    const at = local(chainId);
    await send(at, at.network.create2Proxy.address, concat([plan.salt, plan.initCode]));
    const v2 = pools(chainId).find((p) => p.venue === "uniswap-v2")!;
    const data = await at.rpc<string>("eth_call", [
      { to: v2.address, data: pair.abi.encodeFunctionData("getReserves") },
      "latest",
    ]);
    const [r0, r1] = pair.abi.decodeFunctionResult("getReserves", data) as unknown as [bigint, bigint];
    const [weth, usdc] = v2.token0 === token(chainId, "WETH") ? [r0, r1] : [r1, r0];
    const price = (usdc * WETH_UNIT * 100n) / weth; // USDC has 6 decimals, feeds have 8
    const artifact = { abi: feedAbi, bytecode: SettableFeed__factory.bytecode } as never;
    feeds.set(chainId, {
      price,
      weth: await deploy(at, artifact, [8, price]),
      usdc: await deploy(at, artifact, [8, 10n ** 8n]),
    });
    for (const p of pools(chainId))
      for (const sell of ["WETH", "USDC"] as const)
        await ownerCall(chainId, "setMarket", [marketOf(chainId, p, sell, DAY_LIMIT[sell])]);
    for (const symbol of ["WETH", "USDC"] as const)
      await ownerCall(chainId, "setRoute", [routeOf(chainId, "across", symbol, BRIDGE_KINDS.across)]);
    for (const bridge of ["cctp", "stargate"] as const) {
      const route = routeOf(chainId, bridge, "USDC", BRIDGE_KINDS[bridge]);
      // the site may have none of them
      if ((await at.rpc<string>("eth_getCode", [route.bridge, "latest"])) !== "0x") await ownerCall(chainId, "setRoute", [route]);
    }
  }
  return {
    vault,
    networks: [...site.chains.values()].map((chain) => ({
      chain,
      fees: { priorityFee: 1_000_000n, patienceBlocks: 3, maxFeePerGas: null },
      arrivalBlocks: 0,
      venue: (account: string) => vaultVenue(vault, chain.provider, account),
    })),
    fund: async (chainId, tokens) => await local(chainId).fund(vault, { tokens }),
    setPrice: async (chainId, ppm) => {
      const { weth, price } = feeds.get(chainId)!;
      await setFeed(chainId, weth, (price * BigInt(ppm)) / 1_000_000n);
    },
    limitMarket: async (chainId, sell, dailyLimit) => {
      for (const p of pools(chainId)) await ownerCall(chainId, "setMarket", [marketOf(chainId, p, sell, dailyLimit)]);
    },
    allowRoute: async (chainId, bridge, symbol) =>
      await ownerCall(chainId, "setRoute", [routeOf(chainId, bridge, symbol, BRIDGE_KINDS[bridge])]),
    forbidRoute: async (chainId, bridge, symbol) =>
      await ownerCall(chainId, "setRoute", [routeOf(chainId, bridge, symbol, BRIDGE_KINDS.none)]),
    owner: ownerCall,
  };
}
