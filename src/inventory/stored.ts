/** JSON with exact big numbers: a bigint is {"bigint": "123"}. */

/** A value as the database keeps it. */
export function toStored(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? { bigint: v.toString() } : v));
}

/** The value again, from text or from what the driver parsed of jsonb. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what was stored is the caller's to name
export function fromStored<T>(stored: unknown): T {
  return JSON.parse(typeof stored === "string" ? stored : JSON.stringify(stored), (_, v: unknown) => {
    const big = (v as { bigint?: unknown } | null)?.bigint;
    return typeof big === "string" && Object.keys(v as object).length === 1 ? BigInt(big) : v;
  }) as T;
}
