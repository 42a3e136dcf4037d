// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {BalancerLender, ForkPair, PullLender} from "../mocks/Pools.sol";
import {HookToken} from "../mocks/Tokens.sol";
import {LinePool, MiniPrice} from "./InvariantWorld.sol";
import {TestBase} from "./TestBase.sol";

/// @notice Writes plans over the handler's pools as the driver would, with what they gain.
abstract contract InvariantPlans is TestBase {
    address internal constant WETH = 0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2;
    HookToken[3] public tokens;
    address[8] internal pools;
    PullLender internal pull;
    BalancerLender internal balancer;

    /// @dev Guards that hold, or none, and the tip that they pay.
    function _guardsOf(uint256 seed, uint256 gain) internal view returns (bytes memory guards, uint256 tip) {
        uint256 dice = uint256(keccak256(abi.encode(seed)));
        uint256 which = (dice & 0x7b) & (dice >> 8);
        if (which & 48 == 48) which ^= 16;
        if (which == 0 || dice >> 255 == 0) return ("", 0);
        guards = abi.encodePacked(uint8(which));
        if (which & 1 != 0) {
            uint40 first = uint40(block.number);
            guards = abi.encodePacked(guards, uint40(block.timestamp), first, first);
        }
        if (which & 2 != 0) guards = abi.encodePacked(guards, uint96(uint256(blockhash(block.number - 1))));
        if (which & 8 != 0) guards = abi.encodePacked(guards, uint96(1), uint8(255));
        if (which & 16 != 0) {
            tip = (dice >> 16) % 8 == 0 ? gain + 1 : gain / (1 + ((dice >> 16) % 8));
            guards = abi.encodePacked(guards, uint96(tip));
        }
        if (which & 32 != 0) {
            tip = gain / 4;
            guards = abi.encodePacked(guards, uint16(2500), uint96(0), uint96(1 ether));
        }
    }

    /// @dev A V4 plan without its least profit: WETH or ETH to another token in V4, and back in V4 or through another pool.
    function _v4Plan(uint256 seed, uint256 amount) internal view returns (bytes memory plan, uint256 gain) {
        uint256 ends = (seed >> 16) % 4;
        address middle = address(tokens[1 + ((seed >> 24) % 2)]);
        bool hooked = (seed >> 26) % 4 == 0;
        (bytes memory hops, uint256 value) = _v4Hop(
            seed >> 64,
            ends & 1 != 0 ? address(0) : WETH,
            middle,
            amount,
            hooked
        );
        hops = bytes.concat(bytes1(hooked ? 0x1a : 0x02), bytes20(middle), hops);
        uint256 last = (seed >> 32) % 3;
        if (last == 0 || ends & 2 != 0) {
            bytes memory hop;
            (hop, value) = _v4Hop(seed >> 128, middle, ends & 2 != 0 ? address(0) : WETH, value, false);
            hops = bytes.concat(hops, bytes1(0x06), hop);
        } else {
            // the second token goes back by pools 1 and 3, the third by 6 and 7
            uint256 i = middle == address(tokens[1]) ? 2 * last - 1 : 5 + last;
            value = _quote(i, middle == ForkPair(pools[i]).token0(), value);
            hops =
                _isLine(i)
                    ? abi.encodePacked(hops, uint8(5), pools[i])
                    : abi.encodePacked(hops, uint8(4), pools[i], uint96(value));
        }
        plan = abi.encodePacked(uint8(0xa8), uint8(ends), uint8(16 + hops.length), uint8(0), uint96(amount), hops);
        gain = value > amount ? value - amount : 0;
    }

    /// @dev Fee (which is the price), spacing, and where wanted a hook that gives up to twice of what it should.
    function _v4Hop(
        uint256 seed,
        address tokenIn,
        address tokenOut,
        uint256 amount,
        bool hooked
    ) private pure returns (bytes memory hop, uint256 value) {
        bool zeroForOne = tokenIn < tokenOut;
        bool out = tokenIn == address(0) || tokenIn == WETH;
        // about 2000 of the others for one, 3 % up or down
        uint24 price = uint24(194_000 + (seed % 12_000));
        int24 spacing = zeroForOne == out ? int24(10) : int24(20);
        value = MiniPrice.quote(price, spacing, zeroForOne, amount);
        hop = abi.encodePacked(price, spacing);
        if (hooked) {
            uint8 share = uint8(seed >> 32);
            hop = abi.encodePacked(hop, address(0xbeef), uint8(1), share);
            value = (value * share) / 128;
        }
    }

    /// @dev A plan without its last field, the least profit, and what it gains if nothing else happens.
    function _livePlan(uint256 seed, uint256 amount) internal view returns (bytes memory plan, uint256 gain) {
        uint256[] memory path = new uint256[](2 + ((seed >> 16) % 2));
        path[0] = (seed >> 24) % 4;
        if (path.length == 2) path[1] = (path[0] + 1 + ((seed >> 32) % 3)) % 4;
        else (path[1], path[2]) = (4 + ((seed >> 32) % 2), 6 + ((seed >> 33) % 2));
        uint256 adaptive = seed & 1;
        uint256 funding = (seed >> 8) % 4;
        uint256 pivot = path.length - 1;
        uint256 kinds;
        for (uint256 i = 0; i < path.length; ++i) if (_isLine(path[i])) (kinds, pivot) = (kinds | (1 << i), i);
        uint256 directions;
        bytes memory hops;
        address token = address(tokens[0]);
        uint256 value = amount;
        for (uint256 i = 0; i < path.length; ++i) {
            ForkPair pool = ForkPair(pools[path[i]]);
            bool zeroForOne = token == pool.token0();
            if (zeroForOne) directions |= 1 << i;
            uint256 input = value;
            value = _quote(path[i], zeroForOne, value);
            token = zeroForOne ? pool.token1() : pool.token0();
            uint256 field = _field(kinds | (pivot << 8) | (adaptive << 16), i, input, value);
            hops = abi.encodePacked(hops, pool, uint96(field));
        }
        bool exact = kinds == 0 || (adaptive == 0 && kinds & 1 == 0);
        plan = abi.encodePacked(
            uint8(0xa2 | adaptive),
            uint8((funding << 6) | (path.length << 3) | pivot),
            uint8(kinds),
            uint8(directions),
            uint96(exact ? amount : amount + amount / 50 + 10)
        );
        plan = abi.encodePacked(plan, hops, tokens[0]);
        if (funding >= 2) {
            plan = abi.encodePacked(
                plan,
                funding == 2 ? address(pull) : address(balancer),
                uint96(amount),
                uint96(1 ether)
            );
        }
        gain = value > amount ? value - amount : 0;
    }

    /// @dev What the word of hop i says besides its pool; `shape` is kinds, pivot and mode.
    function _field(uint256 shape, uint256 i, uint256 input, uint256 output) private pure returns (uint256) {
        bool adaptive = shape >> 16 == 1;
        if ((shape >> i) & 1 == 0) return adaptive ? 3000 : output;
        if (i == (shape >> 8) & 0xff) return input;
        return (shape >> (i + 1)) & 1 == 0 && !adaptive ? output : 0;
    }

    function _quote(uint256 i, bool zeroForOne, uint256 amountIn) internal view returns (uint256) {
        if (_isLine(i)) return LinePool(pools[i]).quoteOut(zeroForOne, amountIn);
        (uint112 r0, uint112 r1, ) = ForkPair(pools[i]).getReserves();
        (uint256 reserveIn, uint256 reserveOut) = zeroForOne ? (r0, r1) : (r1, r0);
        return (amountIn * 997_000 * reserveOut) / (reserveIn * 1e6 + amountIn * 997_000);
    }

    function _isLine(uint256 i) internal pure returns (bool) {
        return i == 2 || i == 3 || i == 5 || i == 7;
    }

    /// @dev 1 of the profit token is worth 2000 of the others, give or take 3 % by pool.
    function _depth(address token, uint256 pool) internal view returns (uint256) {
        if (token == address(tokens[0])) return 500 ether;
        return
            pool == 4
                ? 1_000_000 ether
                : pool == 0
                    ? 1_030_000 ether
                    : 970_000 ether;
    }
}
