import { Interface, MaxUint256 } from "ethers";
import { findToken } from "../../config/networks.js";
import type { Network, Token } from "../../config/network.js";
import { ArbError } from "../../errors.js";
import { IERC20__factory, IWETH9__factory, LocalToken__factory } from "../../../types/contracts/index.js";
import { artifact, EXTRACTS, link, ownArtifact } from "../artifacts.js";
import { deploy, invoke, place, type Site } from "../site.js";

const erc20 = { abi: IERC20__factory.createInterface() };
const weth9 = { abi: IWETH9__factory.createInterface() };
const localToken = ownArtifact(LocalToken__factory);
const minting = { abi: new Interface(["function mint(address to, uint256 value)"]) };

/** Admin of the USDC proxy. Not the owner: a proxy of OpenZeppelin's kind refuses its admin's ordinary calls. */
const USDC_ADMIN = "0x00000000000000000000000000000000000ad317";

/** WETH9, USDC as Circle's FiatToken behind its proxy, and a plain ERC-20 at every other token of the registry. */
export async function placeTokens(site: Site): Promise<void> {
  const { network, owner } = site;
  await place(site, network.wrappedNative, artifact("@uniswap/v2-periphery/build/WETH9.json"));
  for (const token of network.tokens) {
    if (token.address === network.wrappedNative) continue;
    if (token.symbol === "USDC") await placeUsdc(site, token.address);
    else await place(site, token.address, localToken, [`Local ${token.symbol}`, token.symbol, token.decimals, owner]);
  }
}

async function placeUsdc(site: Site, address: string): Promise<void> {
  const { owner } = site;
  const proxy = artifact(`${EXTRACTS.usdc}/v1/FiatTokenProxy.sol/FiatTokenProxy.json`);
  const checker = artifact(`${EXTRACTS.usdc}/util/SignatureChecker.sol/SignatureChecker.json`);
  const token = link(artifact(`${EXTRACTS.usdc}/v2/FiatTokenV2_2.sol/FiatTokenV2_2.json`), {
    SignatureChecker: await deploy(site, checker),
  });
  await place(site, address, proxy, [await deploy(site, token)]);
  await invoke(site, address, proxy, "changeAdmin", [USDC_ADMIN]);
  await invoke(site, address, token, "initialize", ["USD Coin", "USDC", "USD", 6, owner, owner, owner, owner]);
  await invoke(site, address, token, "initializeV2", ["USD Coin"]);
  await invoke(site, address, token, "initializeV2_1", [owner]);
  await invoke(site, address, token, "initializeV2_2", [[], "USDC"]);
  await invoke(site, address, token, "configureMinter", [owner, MaxUint256]);
}

/** A token of the network by symbol or address. Throws ArbError "usage" when the registry does not have it. */
export function tokenOf(network: Network, addressOrSymbol: string): Token {
  const token = findToken(network, addressOrSymbol);
  if (!token)
    throw new ArbError("usage", `${network.title} has no token ${addressOrSymbol}`, { where: "src/config/networks.ts" });
  return token;
}

/** Gives an account `amount` base units of a token: wraps ETH of the owner, or mints. */
export async function give(site: Site, token: Token, to: string, amount: bigint): Promise<void> {
  if (token.address !== site.network.wrappedNative) {
    await invoke(site, token.address, minting, "mint", [to, amount]);
    return;
  }
  await invoke(site, token.address, weth9, "deposit", [], { value: amount });
  if (to !== site.owner) await invoke(site, token.address, erc20, "transfer", [to, amount]);
}

/** Lets `spender` take any amount of an account's tokens, the owner's by default. */
export async function approve(site: Site, token: string, spender: string, from = site.owner): Promise<void> {
  await invoke(site, token, erc20, "approve", [spender, MaxUint256], { from });
}
