/** Keys of an account's transfers by every bridge, from the chains alone: for funds whose records are lost. */
import { scanAcross } from "./across-scan.js";
import { scanArbitrumGateway } from "./arbitrum-gateway-scan.js";
import type { BridgeId, TransferKey, Views } from "./bridge.js";
import { scanCctp } from "./cctp-scan.js";
import { scanOpStandard } from "./op-standard-scan.js";
import { scanStargate } from "./stargate-scan.js";

/** Gives the keys of what an account sent from a network, from one block of it on. Raises "network". */
export type Scan = (sender: string, fromChainId: number, fromBlock: number, views: Views) => Promise<TransferKey[]>;

export const SCANS: Record<BridgeId, Scan> = {
  across: scanAcross,
  cctp: scanCctp,
  stargate: scanStargate,
  "op-standard": scanOpStandard,
  "arbitrum-gateway": scanArbitrumGateway,
};
