import { readFileSync, readdirSync } from "node:fs";
import { expect } from "chai";
import { getAddress, keccak256 } from "ethers";
import { networkById } from "../../src/config/networks.js";
import { VENUES, VENUE_IDS } from "../../src/venues/index.js";
import type { VenueId } from "../../src/venues/venue.js";
import { UNISWAP_V2, V3_CORE, artifact } from "../helpers/chain.js";

const ethereum = networkById(1)!;
const token = (symbol: string): string => ethereum.tokens.find((t) => t.symbol === symbol)!.address;

describe("venues", () => {
  it("has one file for each, under its own id", () => {
    const files = readdirSync(new URL("../../src/venues/", import.meta.url));
    for (const id of VENUE_IDS) {
      expect(VENUES[id].id).to.equal(id);
      expect(files).to.include(`${id}.ts`);
      expect(readFileSync(new URL(`../../src/venues/${id}.ts`, import.meta.url), "utf8")).to.include(id);
    }
  });

  // addresses as the networks' explorers show them
  const KNOWN: [venue: VenueId, a: string, b: string, feePips: number, address: string][] = [
    ["uniswap-v2", "WETH", "USDC", 3000, "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc"],
    ["uniswap-v2", "USDT", "WETH", 3000, "0x0d4a11d5EEaaC28EC3F61d100daF4d40471f1852"],
    ["sushiswap-v2", "USDC", "WETH", 3000, "0x397FF1542f962076d0BFE58eA045FfA2d347ACa0"],
    ["uniswap-v3", "USDC", "WETH", 500, "0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640"],
    ["uniswap-v3", "WETH", "USDC", 3000, "0x8ad599c3A0ff1De082011EFDDc58f1908eb6e6D8"],
    ["uniswap-v3", "WBTC", "WETH", 3000, "0xCBCdF9626bC03E24f779434178A73a0B4bad62eD"],
    ["pancakeswap-v3", "USDC", "WETH", 500, "0x1ac1A8FEaAEa1900C4166dEeed0C11cC10669D36"],
  ];
  for (const [venue, a, b, feePips, address] of KNOWN) {
    it(`knows the ${a}/${b} pool of ${venue} at ${feePips / 10_000} %`, () => {
      expect(VENUES[venue].poolAddress(ethereum, token(a), token(b), feePips)).to.equal(getAddress(address));
      expect(VENUES[venue].poolAddress(ethereum, token(b), token(a), feePips)).to.equal(getAddress(address));
    });
  }

  it("has no address where there is no such fee, no factory, or no factory at all", () => {
    const tokens = [token("WETH"), token("USDC")] as const;
    expect(VENUES["uniswap-v2"].poolAddress(ethereum, ...tokens, 2500)).to.equal(null);
    expect(VENUES["uniswap-v3"].poolAddress(ethereum, ...tokens, 2500)).to.equal(null);
    expect(VENUES["uniswap-v3"].poolAddress({ ...ethereum, venues: {} }, ...tokens, 500)).to.equal(null);
    expect(VENUES["v2-fork"].poolAddress(ethereum, ...tokens, 3000)).to.equal(null);
  });

  it("uses the init code hashes of the published bytecode", () => {
    const hash = (path: string): string => keccak256(artifact(path).bytecode);
    expect(ethereum.venues["uniswap-v2"]!.initCodeHash).to.equal(hash(`${UNISWAP_V2}/UniswapV2Pair`));
    expect(ethereum.venues["uniswap-v3"]!.initCodeHash).to.equal(hash(`${V3_CORE}/UniswapV3Pool.sol/UniswapV3Pool`));
  });
});
