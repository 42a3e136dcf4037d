import { ZeroAddress } from "ethers";
import type { PoolId } from "../venues/venue.js";
import { DYNAMIC_FEE } from "../venues/uniswap-v4-hooks.js";
import { v4PoolId } from "../venues/uniswap-v4.js";
import { sortTokens } from "../venues/v2-pair.js";
import type { Fault, Path } from "./faults.js";
import type { Network } from "./network.js";
import { findToken } from "./networks.js";
import type { ParsedNetwork } from "./schema.js";

type ParsedPool = ParsedNetwork["pools"][number];

/** The pools that a network's configuration allows; what is wrong with them goes to `faults`. */
export function resolvePools(network: Network, pools: ParsedPool[], path: Path, faults: Fault[]): PoolId[] {
  return pools.flatMap((pool, i): PoolId[] => {
    const at: Path = [...path, i];
    const isHooked = pool.venue === "uniswap-v4-hooks";
    const tokens = (["token0", "token1"] as const).map((key) => {
      const isNative = isHooked && pool[key] === network.nativeSymbol;
      const found = findToken(network, isNative ? network.wrappedNative : pool[key]);
      if (!found) faults.push({ path: [...at, key], message: `is no token of ${network.title}; list it under tokens first` });
      return found?.address;
    });
    const [a, b] = tokens;
    if (a === undefined || b === undefined) return [];
    if (a === b) faults.push({ path: [...at, "token1"], message: "is the same token as token0" });
    const [token0, token1] = sortTokens(a, b);
    if (isHooked) return hooked(network, { token0, token1 }, pool, at, faults);
    if (pool.address === undefined) {
      faults.push({ path: at, message: "needs an address" });
      return [];
    }
    if ((pool.venue === "balancer-v2") !== (pool.address.length === 66))
      faults.push({ path: [...at, "address"], message: `is not what identifies a pool of ${pool.venue}` });
    return [{ venue: pool.venue, address: pool.address, token0, token1, feePips: feeOf(pool, at, faults) }];
  });
}

function feeOf(pool: ParsedPool, at: Path, faults: Fault[]): number {
  for (const field of ["tickSpacing", "hooks", "hookData"] as const) {
    if (pool[field] !== undefined) faults.push({ path: [...at, field], message: "is for pools of Uniswap V4 with hooks" });
  }
  if (pool.fee === "dynamic") faults.push({ path: [...at, "fee"], message: "is dynamic only in pools of Uniswap V4 with hooks" });
  else if (pool.fee === undefined && pool.venue === "v2-fork")
    faults.push({ path: at, message: "needs a fee, which a pair does not tell" });
  return typeof pool.fee === "number" ? pool.fee : 0;
}

/** A pool with hooks: its id is the hash of its key. A file never has an id, which could be taken for a private key. */
function hooked(
  network: Network,
  tokens: Pick<PoolId, "token0" | "token1">,
  pool: ParsedPool,
  at: Path,
  faults: Fault[],
): PoolId[] {
  const { tickSpacing, hooks, hookData, fee } = pool;
  if (pool.address !== undefined) faults.push({ path: [...at, "address"], message: "follows from the pool's key: leave it out" });
  const missing = Object.entries({ fee, tickSpacing, hooks }).find(([, value]) => value === undefined);
  if (fee === undefined || tickSpacing === undefined || hooks === undefined) {
    faults.push({ path: at, message: `needs ${missing?.[0] ?? "more"}, which is part of the pool's key` });
    return [];
  }
  const feePips = fee === "dynamic" ? DYNAMIC_FEE : fee;
  const isNative = [pool.token0, pool.token1].includes(network.nativeSymbol);
  const currencies = Object.values(tokens).map((t) => (isNative && t === network.wrappedNative ? ZeroAddress : t));
  const address = v4PoolId(currencies[0]!, currencies[1]!, feePips, tickSpacing, hooks);
  const traits = { tickSpacing, hooks, ...(hookData === undefined ? {} : { hookData }) };
  return [{ venue: "uniswap-v4-hooks", address, ...tokens, feePips, ...traits }];
}
