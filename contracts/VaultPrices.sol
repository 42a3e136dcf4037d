// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "./interfaces/IERC20.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {IUniswapV3Pool} from "./interfaces/IUniswapV3Pool.sol";

/// @title VaultPrices
/// @notice What an amount of one token is worth in another, by an oracle that the pool that is traded in cannot move at once.
library VaultPrices {
    /// @notice Two price feeds in one currency, or the time-weighted price of a pool of the V3 type.
    /// @param feedIn Feed of the token that is sold; zero: the pool's price is used.
    /// @param feedOut Feed of the token that is bought.
    /// @param maxAgeIn Greatest age of the answer of `feedIn`, seconds: its heartbeat and a little more.
    /// @param maxAgeOut The same of `feedOut`.
    /// @param sequencer Feed that tells whether an L2's sequencer is up; zero where there is none.
    /// @param pool Pool of the two tokens, of the V3 type; read only without feeds.
    /// @param window Seconds whose four quarters the pool's price is averaged over; the quarter with the highest price counts.
    struct Source {
        address feedIn;
        address feedOut;
        uint32 maxAgeIn;
        uint32 maxAgeOut;
        address sequencer;
        address pool;
        uint32 window;
    }

    error InvalidSource();
    error StalePrice(address feed);
    error NoPrice(address source);
    error SequencerDown();

    /// @dev Greatest amount that is valued: what follows from it stays within 256 bits.
    uint256 internal constant MOST = type(uint120).max;
    /// @dev Shorter averages are too cheap to move.
    uint32 internal constant LEAST_WINDOW = 600;
    /// @dev One block at an absurd price moves a mean of ticks far; it would have to be done in every part.
    uint32 internal constant PARTS = 4;
    /// @dev Seconds that prices are not trusted after an L2's sequencer came back.
    uint256 internal constant GRACE = 3600;
    /// @dev 2^128 / 1.0001, for the price of a tick: 1.0001^tick (Uniswap V3 whitepaper, 6.1).
    uint256 internal constant TICK_RATIO_X128 = 0xfff97272373d413259a46990580e2139;
    /// @dev Beyond, a price has less than 64 bits.
    int256 internal constant MOST_TICK = 443_636;

    /// @notice Reverts with InvalidSource where a source cannot price these tokens.
    function check(Source memory source, address tokenIn, address tokenOut) internal view {
        if (source.feedIn != address(0)) {
            if (source.feedOut == address(0) || source.maxAgeIn == 0 || source.maxAgeOut == 0) revert InvalidSource();
        } else {
            if (source.feedOut != address(0) || source.window < LEAST_WINDOW) revert InvalidSource();
            IUniswapV3Pool pool = IUniswapV3Pool(source.pool);
            (address token0, address token1) = (pool.token0(), pool.token1());
            bool matches = (token0 == tokenIn && token1 == tokenOut) || (token0 == tokenOut && token1 == tokenIn);
            if (!matches) revert InvalidSource();
        }
        // a source that has no answer today is no source
        quote(source, tokenIn, tokenOut, 1);
    }

    /// @notice What `amountIn` is worth in `tokenOut`, base units, rounded up: dust is not worth nothing.
    /// @dev Reverts with StalePrice, NoPrice or SequencerDown, or as the pool does that is not old enough for its window.
    function quote(
        Source memory source,
        address tokenIn,
        address tokenOut,
        uint256 amountIn
    ) internal view returns (uint256) {
        if (amountIn > MOST) revert NoPrice(tokenIn);
        if (source.sequencer != address(0)) _requireSequencer(source.sequencer);
        if (source.feedIn == address(0)) return _average(source, tokenIn < tokenOut, amountIn);
        uint256 priceIn = _answer(source.feedIn, source.maxAgeIn);
        uint256 priceOut = _answer(source.feedOut, source.maxAgeOut);
        uint256 up = uint256(IERC20(tokenOut).decimals()) + IPriceFeed(source.feedOut).decimals();
        uint256 down = uint256(IERC20(tokenIn).decimals()) + IPriceFeed(source.feedIn).decimals();
        // checked arithmetic: what does not fit reverts
        return
            up >= down
                ? _divideUp(amountIn * priceIn * 10 ** (up - down), priceOut)
                : _divideUp(amountIn * priceIn, priceOut * 10 ** (down - up));
    }

    function _answer(address feed, uint32 maxAge) private view returns (uint256) {
        (, int256 answer, , uint256 updatedAt, ) = IPriceFeed(feed).latestRoundData();
        if (answer <= 0) revert NoPrice(feed);
        if (updatedAt > block.timestamp || block.timestamp - updatedAt > maxAge) revert StalePrice(feed);
        return uint256(answer);
    }

    function _requireSequencer(address feed) private view {
        (, int256 down, uint256 since, , ) = IPriceFeed(feed).latestRoundData();
        // `since` is zero before the first answer
        if (down != 0 || since == 0 || since > block.timestamp || block.timestamp - since < GRACE)
            revert SequencerDown();
    }

    function _average(Source memory source, bool zeroForOne, uint256 amountIn) private view returns (uint256) {
        uint32 part = source.window / PARTS;
        uint32[] memory ago = new uint32[](PARTS + 1);
        for (uint32 i = 0; i < PARTS; ++i) ago[i] = part * (PARTS - i);
        (int56[] memory sums, ) = IUniswapV3Pool(source.pool).observe(ago);
        int256 tick = type(int256).min;
        for (uint256 i = 0; i < PARTS; ++i) {
            int256 mean = _mean(int256(sums[i + 1]) - sums[i], int256(uint256(part)));
            if (!zeroForOne) mean = -mean;
            if (mean > tick) tick = mean;
        }
        uint256 size = uint256(tick < 0 ? -tick : tick);
        if (size > uint256(MOST_TICK)) revert NoPrice(source.pool);
        uint256 ratio = 1 << 128;
        for (uint256 factor = TICK_RATIO_X128; size != 0; size >>= 1) {
            if (size & 1 != 0) ratio = (ratio * factor) >> 128;
            factor = (factor * factor) >> 128;
        }
        return tick < 0 ? _divideUp(amountIn * ratio, 1 << 128) : _divideUp(amountIn << 128, ratio);
    }

    /// @dev Rounds down, as the pool's own oracle library does; Solidity rounds to zero.
    function _mean(int256 sum, int256 seconds_) private pure returns (int256 mean) {
        mean = sum / seconds_;
        if (sum < 0 && sum % seconds_ != 0) --mean;
    }

    function _divideUp(uint256 a, uint256 b) private pure returns (uint256) {
        return a / b + (a % b == 0 ? 0 : 1);
    }
}
