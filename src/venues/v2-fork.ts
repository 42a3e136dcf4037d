import { loadPair } from "./v2-pair.js";
import type { Venue } from "./venue.js";

/** Pairs of any other Uniswap V2 fork. No factory vouches for them: each pair stands on the allow-list with its own fee. */
export const v2Fork: Venue = { id: "v2-fork", kind: "v2", isOn: () => true, poolAddress: () => null, load: loadPair };
