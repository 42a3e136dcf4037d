/** Swaps of what an ArbVault holds, by an operator of it, within the bounds that its owner set (contracts/ArbVault.sol). */
import { AbiCoder, keccak256, type Provider } from "ethers";
import { type ArbVault, ArbVault__factory } from "../../types/contracts/index.js";
import { POOL_KINDS, type PriceSource } from "../config/vault.js";
import { ArbError } from "../errors.js";
import type { LegOrder, LegQuote, LegVenue } from "../execution/legs.js";
import { VENUES } from "../venues/index.js";
import { type Read, readAll } from "../venues/multicall.js";
import { worthAt } from "./vault-prices.js";

const abi = ArbVault__factory.createInterface();
const BPS = 10_000n;

/** The vault of an account's legs on one network: `account` is one of its operators, and pays the gas. */
export function vaultVenue(vault: string, provider: Provider, account: string): LegVenue {
  return {
    id: "vault",
    holder: vault,
    serves: (hop) => ["v2", "v3"].includes(VENUES[hop.venue].kind),
    spender: () => null,
    call: ({ hop, amountIn, minOut }: LegOrder) => ({
      to: vault,
      data: abi.encodeFunctionData("swap", [[marketId(hop.pool, hop.tokenIn)], amountIn, minOut]),
      value: 0n,
    }),
    refusals: async (quotes, amountIn) => await refusals(vault, provider, account, quotes, amountIn),
    explain: explainVault,
  };
}

/** Id of a vault's market (ArbVault.marketId). */
export function marketId(pool: string, tokenIn: string): string {
  return keccak256(AbiCoder.defaultAbiCoder().encode(["string", "address", "address"], ["market", pool, tokenIn]));
}

/** Why the vault would refuse each of these swaps now; null where it would not. */
async function refusals(
  vault: string,
  provider: Provider,
  account: string,
  quotes: LegQuote[],
  amountIn: bigint,
): Promise<(string | null)[]> {
  const head = await provider.getBlock("latest");
  if (!head) throw new ArbError("network", "the node gave no block", { where: vault });
  const read = (what: string, data: string): Read => ({ target: vault, data, what });
  const ids = quotes.map(({ hop }) => marketId(hop.pool, hop.tokenIn));
  const answers = await readAll(
    provider,
    [
      read("whether the vault is stopped", abi.encodeFunctionData("stopped")),
      read("whether it knows its operator", abi.encodeFunctionData("isOperator", [account])),
      ...ids.map((id) => read("a market of the vault", abi.encodeFunctionData("market", [id]))),
      ...ids.map((id) => read("a limit of the vault", abi.encodeFunctionData("available", [id]))),
    ],
    head.number,
  );
  if (answers.includes("0x")) throw new ArbError("config", "there is no vault at this address", { where: vault });
  const flag = (i: number): boolean => BigInt(answers[i]!) !== 0n;
  return await Promise.all(
    quotes.map(async ({ hop, amountOut }, i) => {
      if (flag(0)) return "the vault is stopped";
      if (!flag(1)) return `${account} is no operator of the vault`;
      const market = abi.decodeFunctionResult("market", answers[2 + i]!)[0] as ArbVault.MarketStructOutput;
      if (Number(market.kind) === POOL_KINDS.none) return "the vault's owner has not allowed this pool";
      const left = BigInt(answers[2 + quotes.length + i]!);
      if (amountIn > left) return `the vault may sell ${left} there now by its daily limit, ${amountIn} is wanted`;
      const price = sourceOf(market.price);
      const said = await worthAt(provider, price, { tokenIn: hop.tokenIn, tokenOut: hop.tokenOut, amountIn }, stamp(head));
      if (!said.ok) return `the vault has no price: ${said.reason}`;
      const least = said.worth - (said.worth * market.maxLossBps) / BPS;
      return amountOut < least ? `the pool would give ${amountOut}, the vault takes no less than ${least}` : null;
    }),
  );
}

const stamp = ({ number, timestamp }: { number: number; timestamp: number }) => ({ block: number, timestamp });

/** A source as the contract gives it, where every number is a bigint. */
const sourceOf = (price: ArbVault.MarketStructOutput["price"]): PriceSource => ({
  feedIn: price.feedIn,
  feedOut: price.feedOut,
  maxAgeIn: Number(price.maxAgeIn),
  maxAgeOut: Number(price.maxAgeOut),
  sequencer: price.sequencer,
  pool: price.pool,
  window: Number(price.window),
});

/** A refusal of the vault in words; null for another contract's. */
export function explainVault(revertData: string): string | null {
  const error = revertData.length < 10 ? null : abi.parseError(revertData);
  if (!error) return null;
  const { args } = error;
  switch (error.name) {
    case "AboveDailyLimit":
      return `the vault's daily limit leaves ${args["left"]} now`;
    case "BelowOracle":
      return `the pool gave ${args["amountOut"]}, the vault takes no less than ${args["least"]} by its price source`;
    case "BelowLeastOut":
      return `it would give ${args["amountOut"]}, at least ${args["least"]} is wanted`;
    case "FeeTooHigh":
      return `${args["amountOut"]} would arrive, the vault sends for no less than ${args["least"]}`;
    case "UnknownMarket":
      return "the vault's owner has not allowed this pool";
    case "UnknownRoute":
      return "the vault's owner has not allowed this bridge";
    case "Stopped":
      return "the vault is stopped";
    case "NotOperator":
      return "the sender is no operator of the vault";
    default:
      return `the vault refuses: ${error.name}`;
  }
}
