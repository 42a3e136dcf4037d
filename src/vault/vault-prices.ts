/** What a vault's price source says, by the contract's own arithmetic (contracts/VaultPrices.sol): asked before anything is sent. */
import { type Interface, type Provider, ZeroAddress } from "ethers";
import { IERC20__factory, IPriceFeed__factory, IUniswapV3Pool__factory } from "../../types/contracts/index.js";
import type { PriceSource } from "../config/vault.js";
import { type Read, readAll } from "../venues/multicall.js";

const feed = IPriceFeed__factory.createInterface();
const erc20 = IERC20__factory.createInterface();
const pool: Interface = IUniswapV3Pool__factory.createInterface();

const PARTS = 4;
/** Seconds that prices are not trusted after an L2's sequencer came back. */
const GRACE = 3600;
const Q128 = 1n << 128n;
/** 2^128 / 1.0001. */
const TICK_RATIO_X128 = 0xfff97272373d413259a46990580e2139n;
const MOST_TICK = 443_636n;
const MOST_AMOUNT = (1n << 120n) - 1n;

export type Worth = { ok: true; worth: bigint } | { ok: false; reason: string };
const no = (reason: string): Worth => ({ ok: false, reason });

/**
 * What `amountIn` is worth in `tokenOut` at a block, base units, rounded up; or why the source gives no price then. `timestamp`: the
 * block's, unix seconds. Raises ArbError "network" and "timeout".
 */
export async function worthAt(
  provider: Provider,
  source: PriceSource,
  sale: { tokenIn: string; tokenOut: string; amountIn: bigint },
  at: { block: number; timestamp: number },
): Promise<Worth> {
  if (sale.amountIn > MOST_AMOUNT) return no("the amount is beyond what it can price");
  return source.feedIn === ZeroAddress
    ? await byAverage(provider, source, sale, at.block)
    : await byFeeds(provider, source, sale, at);
}

async function byFeeds(
  provider: Provider,
  source: PriceSource,
  { tokenIn, tokenOut, amountIn }: { tokenIn: string; tokenOut: string; amountIn: bigint },
  { block, timestamp }: { block: number; timestamp: number },
): Promise<Worth> {
  const answerOf = (target: string): Read => ({
    target,
    data: feed.encodeFunctionData("latestRoundData"),
    what: "a price feed",
    mayRevert: true,
  });
  const decimalsOf = (target: string): Read => ({ target, data: erc20.encodeFunctionData("decimals"), what: "decimals" });
  const hasSequencer = source.sequencer !== ZeroAddress;
  const answers = await readAll(
    provider,
    [
      answerOf(source.feedIn),
      answerOf(source.feedOut),
      decimalsOf(tokenOut),
      decimalsOf(source.feedOut),
      decimalsOf(tokenIn),
      decimalsOf(source.feedIn),
      ...(hasSequencer ? [answerOf(source.sequencer)] : []),
    ],
    block,
  );
  const round = (data: string): { answer: bigint; startedAt: number; updatedAt: number } | null => {
    if (data === "0x") return null;
    const [, answer, startedAt, updatedAt] = feed.decodeFunctionResult("latestRoundData", data) as unknown as bigint[];
    return { answer: answer!, startedAt: Number(startedAt), updatedAt: Number(updatedAt) };
  };
  if (hasSequencer) {
    const state = round(answers[6]!);
    const up = state?.answer === 0n && state.startedAt !== 0 && timestamp - state.startedAt >= GRACE;
    if (!up) return no("the sequencer is down, or up again for less than an hour");
  }
  const prices: bigint[] = [];
  for (const [i, maxAge] of [source.maxAgeIn, source.maxAgeOut].entries()) {
    const said = round(answers[i]!);
    if (!said || said.answer <= 0n) return no("a price feed has no price");
    if (said.updatedAt > timestamp || timestamp - said.updatedAt > maxAge) return no("a price feed's answer is too old");
    prices.push(said.answer);
  }
  const [priceIn, priceOut] = prices as [bigint, bigint];
  const [up, down] = [BigInt(answers[2]!) + BigInt(answers[3]!), BigInt(answers[4]!) + BigInt(answers[5]!)];
  const worth =
    up >= down
      ? divideUp(amountIn * priceIn * 10n ** (up - down), priceOut)
      : divideUp(amountIn * priceIn, priceOut * 10n ** (down - up));
  return { ok: true, worth };
}

async function byAverage(
  provider: Provider,
  source: PriceSource,
  { tokenIn, tokenOut, amountIn }: { tokenIn: string; tokenOut: string; amountIn: bigint },
  block: number,
): Promise<Worth> {
  const part = Math.floor(source.window / PARTS);
  const ago = Array.from({ length: PARTS + 1 }, (_, i) => part * (PARTS - i));
  const data = pool.encodeFunctionData("observe", [ago]);
  const [answer] = await readAll(provider, [{ target: source.pool, data, what: "a pool's average", mayRevert: true }], block);
  if (answer === undefined || answer === "0x") return no("the pool that prices it does not remember the window");
  const sums = pool.decodeFunctionResult("observe", answer)[0] as bigint[];
  const zeroForOne = BigInt(tokenIn) < BigInt(tokenOut);
  const means = sums.slice(1).map((sum, i) => {
    const mean = divideDown(sum - sums[i]!, BigInt(part));
    return zeroForOne ? mean : -mean;
  });
  const tick = means.reduce((most, mean) => (mean > most ? mean : most));
  let size = tick < 0n ? -tick : tick;
  if (size > MOST_TICK) return no("the pool's average is no price");
  let ratio = Q128;
  for (let factor = TICK_RATIO_X128; size !== 0n; size >>= 1n) {
    if ((size & 1n) === 1n) ratio = (ratio * factor) >> 128n;
    factor = (factor * factor) >> 128n;
  }
  return { ok: true, worth: tick < 0n ? divideUp(amountIn * ratio, Q128) : divideUp(amountIn << 128n, ratio) };
}

const divideUp = (a: bigint, b: bigint): bigint => a / b + (a % b === 0n ? 0n : 1n);
const divideDown = (a: bigint, b: bigint): bigint => a / b - (a < 0n && a % b !== 0n ? 1n : 0n);
