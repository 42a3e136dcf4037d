import { LocalArbSys__factory } from "../../../types/contracts/index.js";
import { ownArtifact } from "../artifacts.js";
import { place, type Site } from "../site.js";

const ARB_SYS = "0x0000000000000000000000000000000000000064";

/** Stands in for the precompile that plans ask; NodeInterface is answered by the node (arbitrum-node.ts). */
export async function placeArbSys(site: Site): Promise<void> {
  await place(site, ARB_SYS, ownArtifact(LocalArbSys__factory));
}
