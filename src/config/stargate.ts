import { verified } from "./facts.js";
import type { Sourced } from "./network.js";

/** Stargate v2 on one network, as far as it carries USDC. */
export interface StargateFacts {
  /** LayerZero's number of the network. */
  eid: number;
  usdcPool: Sourced;
  /** Sends and takes the pools' messages. */
  tokenMessaging: Sourced;
  /** LayerZero's EndpointV2. */
  endpoint: Sourced;
  /** Seconds that a transfer from here takes as a rule. It depends on the verifiers, and nobody promises it. */
  seconds: number;
}

/** Stargate's own deployments, in the package that scripts/setup/extracts.json pins. */
export const STARGATE_DEPLOYMENTS = "@stargatefinance/stg-evm-v2@2.0.6:deployments";
/** LayerZero's endpoint ids. */
export const LAYERZERO_EIDS = "@layerzerolabs/lz-definitions@3.1.13:dist/index.mjs";

const ENDPOINT = "0x1a44076050125825900e736c501f859c50fE728c";

function on(name: string, eid: number, pool: string, messaging: string, seconds: number): StargateFacts {
  const source = `${STARGATE_DEPLOYMENTS}/${name}-mainnet`;
  return {
    eid,
    usdcPool: verified(pool, `${source}/StargatePoolUSDC.json`),
    tokenMessaging: verified(messaging, `${source}/TokenMessaging.json`),
    endpoint: verified(ENDPOINT, `${source}/StargatePoolUSDC.json`),
    seconds,
  };
}

const [USDC_1, USDC_42161] = ["0xc026395860Db2d07ee33e05fE50ed7bD583189C7", "0xe8CDF27AcD73a434D661C84887215F7598e7d0d3"];
const [USDC_10, USDC_8453] = ["0xcE8CcA271Ebc0533920C83d39F417ED6A0abB7D0", "0x27a16dc786820B16E5c9028b75B99F6f604b5d26"];

const STARGATE: Record<number, StargateFacts> = {
  1: on("ethereum", 30101, USDC_1, "0x6d6620eFa72948C5f68A3C8646d58C00d3f4A980", 180),
  42161: on("arbitrum", 30110, USDC_42161, "0x19cFCE47eD54a88614648DC3f19A5980097007dD", 60),
  10: on("optimism", 30111, USDC_10, "0xF1fCb4CBd57B67d683972A59B6a7b1e2E8Bf27E6", 60),
  8453: on("base", 30184, USDC_8453, "0x5634c4a5FEd09819E3c46D86A965Dd9447d86e47", 60),
};

/** Stargate on a network; null where it is not, as on all test networks: its pools there hold tokens of its own. */
export function stargateFacts(chainId: number): StargateFacts | null {
  return STARGATE[chainId] ?? null;
}
