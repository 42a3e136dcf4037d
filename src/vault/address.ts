import type { NetworkConfig } from "../config/load.js";
import { vaultRecord } from "../deploy/deploy.js";
import { readDeployment } from "../deploy/record.js";

/** The vault of a network: as configured, else as deployed by the records of a folder; null for none. */
export function vaultAddress({ network, vault }: Pick<NetworkConfig, "network" | "vault">, deployments: string): string | null {
  return vault?.address ?? readDeployment(deployments, vaultRecord(network.name))?.address ?? null;
}
