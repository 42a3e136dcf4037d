import { toBeHex } from "ethers";

/** Accounts and their storage as the prestate tracer of debug_traceTransaction gives them. */
export type Prestate = Record<string, { storage?: Record<string, string> }>;

/** Access list of a transaction (EIP-2930), in the form of its JSON-RPC field. */
export type AccessList = { address: string; storageKeys: string[] }[];

/** Precompiles are always warm (EIP-2929): those up to Prague's last, and P256VERIFY (EIP-7951). */
const LAST_OF_PRAGUE = 0x11n;
const P256VERIFY = 0x100n;

/**
 * Everything that a transaction touched, as its access list. Naming an account costs 2,400 gas and a slot 1,900 (EIP-2930), a
 * cold access 2,500 and 2,000 more than a warm one (EIP-2929): each entry saves 100, if the next run touches the same.
 *
 * `warm`: lower-case accounts that are left out, because they are warm without it (sender, target, beneficiary).
 */
export function accessListOf(touched: Prestate, warm: ReadonlySet<string>): AccessList {
  return Object.entries(touched).flatMap(([name, { storage }]) => {
    const address = name.toLowerCase();
    if (isPrecompile(address) || warm.has(address)) return [];
    return [{ address, storageKeys: Object.keys(storage ?? {}).map((slot) => toBeHex(slot, 32)) }];
  });
}

function isPrecompile(address: string): boolean {
  const value = BigInt(address);
  return value <= LAST_OF_PRAGUE || value === P256VERIFY;
}
