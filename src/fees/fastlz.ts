/**
 * Length in bytes of `data` after FastLZ level 1, which the OP Stack charges by since Fjord (specification, "Fjord L1-cost fee
 * changes"). The same algorithm as the predeploy's (Solady's LibZip.flzCompress) and the nodes': one byte of difference would
 * be a wrong fee. Nothing is compressed, the output's bytes are only counted.
 */
export function fastLzLength(data: Uint8Array): number {
  const table = new Uint32Array(HASH_SIZE);
  const limit = data.length - TAIL;
  let anchor = 0;
  let at = 2;
  let length = 0;
  while (at < limit) {
    let candidate = 0;
    let distance = 0;
    let word = 0;
    do {
      word = word24(data, at);
      const slot = hash(word);
      candidate = table[slot] ?? 0;
      table[slot] = at;
      distance = at - candidate;
      if (at >= limit) break;
      at++;
    } while (distance > MAX_DISTANCE || word !== word24(data, candidate));
    if (at >= limit) break;
    at--;
    if (at > anchor) length += literals(at - anchor);
    const matched = matchLength(data, candidate + 3, at + 3, limit + MATCH_MARGIN);
    length += match(matched);
    at += matched;
    table[hash(word24(data, at))] = at;
    at++;
    table[hash(word24(data, at))] = at;
    at++;
    anchor = at;
  }
  return length + literals(data.length - anchor);
}

const HASH_SIZE = 1 << 13;
/** The last bytes are always literals. */
const TAIL = 13;
const MATCH_MARGIN = 9;
const MAX_DISTANCE = 0x1fff;
const LONGEST_MATCH = 262;
const LITERAL_RUN = 32;

const byte = (data: Uint8Array, at: number): number => data[at] ?? 0;
const word24 = (data: Uint8Array, at: number): number => byte(data, at) | (byte(data, at + 1) << 8) | (byte(data, at + 2) << 16);
const hash = (word: number): number => (Math.imul(2_654_435_769, word) >>> 19) & (HASH_SIZE - 1);

/** How far the bytes at `a` and at `b` agree, with the byte that differs, before `end`. */
function matchLength(data: Uint8Array, a: number, b: number, end: number): number {
  const most = end - b;
  for (let i = 0; i < most; i++) if (byte(data, a + i) !== byte(data, b + i)) return i + 1;
  return Math.max(0, most);
}

/** Bytes of a run of literals: one for every 32 of them, and themselves. */
const literals = (count: number): number => count + Math.ceil(count / LITERAL_RUN);

/** Bytes of a match: 3 per 262 bytes and 2 or 3 for the rest. */
function match(matched: number): number {
  const left = matched - 1;
  return 3 * Math.floor(left / LONGEST_MATCH) + (left % LONGEST_MATCH >= 6 ? 3 : 2);
}
