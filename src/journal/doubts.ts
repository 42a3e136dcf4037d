import { ArbError } from "../errors.js";
import type { Round } from "./watch.js";

/** After so many looks in a row without a certain answer it is told: news take a look or two from one node to the next. */
const LOOKS = 10;

/**
 * Tells of slots about which the nodes do not say enough, or not the same, for many looks in a row: once, and again when they go on
 * after something was known.
 */
export function doubtTeller(where: string, tell: (doubt: ArbError) => void): { note(findings: Round["findings"]): void } {
  const looks = new Map<number, number>();
  return {
    note: (findings) => {
      for (const nonce of looks.keys()) if (findings.get(nonce)?.status !== "unknown") looks.delete(nonce);
      for (const [nonce, finding] of findings) {
        if (finding.status !== "unknown") continue;
        const many = (looks.get(nonce) ?? 0) + 1;
        looks.set(nonce, many);
        if (many !== LOOKS) continue;
        const hint =
          "nothing is concluded while the endpoints do not agree; one of them may be away, behind or wrong (docs/rpc.md)";
        tell(new ArbError("network", `what became of nonce ${nonce} is not certain: ${finding.detail}`, { where, hint }));
      }
    },
  };
}
