/** The other ends of all bridges that sagas use, on one local world, and our bridges set up for them. */
import { acrossBridge } from "../../bridges/across.js";
import { feeSchedule } from "../../bridges/across-fees.js";
import type { Bridge } from "../../bridges/bridge.js";
import { cctpBridge } from "../../bridges/cctp.js";
import { iris } from "../../bridges/iris.js";
import { stargateBridge } from "../../bridges/stargate.js";
import type { LocalWorld } from "../world.js";
import { type LocalAcross, openAcross } from "./across.js";
import { type LocalCctp, startLocalCctp } from "./cctp.js";
import { type LocalStargate, startLocalStargate } from "./stargate.js";

export interface Counterparts {
  across: LocalAcross;
  cctp: LocalCctp;
  stargate: LocalStargate;
  /** Across, CCTP (fast) and Stargate as this program uses them, at fixed fees. */
  bridges(): Bridge[];
  /** Has every counterpart look once, and do what is due. CCTP's acts when it is asked. */
  step(): Promise<void>;
  /** Steps until closed. A step that fails ends it and shows when closing. */
  run(everyMs?: number): void;
  close(): Promise<void>;
}

const ETHER = 10n ** 18n;
const USDC = 10n ** 6n;
/** What relayers get of every amount, parts per million. */
const ACROSS_PPM = 500;
const ACROSS_SECONDS = 2;
const MOST_MESSAGE_FEE = ETHER / 500n;

/** Places Across, CCTP and Stargate on every chain of the world. By default everything is filled, signed and delivered at once. */
export async function openCounterparts(world: LocalWorld): Promise<Counterparts> {
  const { chains } = world;
  // they share each chain's owner, whose transactions must come one after another
  const across = await openAcross(world);
  const cctp = await startLocalCctp(chains);
  let stargate: LocalStargate;
  try {
    stargate = await startLocalStargate(chains);
  } catch (error) {
    await cctp.close();
    throw error;
  }
  const closing = new AbortController();
  let running: Promise<void> | undefined;
  const step = async (): Promise<void> => {
    await across.step();
    await stargate.step();
  };
  const loop = async (everyMs: number): Promise<void> => {
    while (!closing.signal.aborted) {
      await step();
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  };
  return {
    across,
    cctp,
    stargate,
    bridges: () => localBridges(cctp.url),
    step,
    run: (everyMs = 50) => {
      running ??= loop(everyMs);
      // shown by close; until then it must not end the process
      running.catch(() => undefined);
    },
    close: async () => {
      closing.abort();
      try {
        await running;
      } finally {
        await across.close();
        await cctp.close();
      }
    },
  };
}

/** Our bridges for a local world; also for a process of its own, which knows the attestation server's URL alone. */
export function localBridges(attestationUrl: string): Bridge[] {
  const line = { ppm: ACROSS_PPM, etaSeconds: ACROSS_SECONDS };
  return [
    acrossBridge({
      fees: feeSchedule([
        { symbol: "USDC", ...line, fixed: USDC / 20n, min: USDC, max: 1_000_000n * USDC },
        { symbol: "DAI", ...line, fixed: ETHER / 20n, min: ETHER, max: 1_000_000n * ETHER },
        { symbol: "WETH", ...line, fixed: ETHER / 100_000n, min: ETHER / 1_000n, max: 100n * ETHER },
      ]),
    }),
    cctpBridge({ iris: iris({ url: attestationUrl }), speed: "fast" }),
    stargateBridge({ maxNativeFee: MOST_MESSAGE_FEE }),
  ];
}
