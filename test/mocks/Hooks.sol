// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IPoolManager} from "./V4Trader.sol";

/// @notice A hook of Uniswap V4 that sets a fee for each swap of a pool with a dynamic fee, keeps a share of what comes out, and
/// wants to see its data. Its address must end in 0xc4: before and after swaps, and the latter returns what it takes.
contract TakingHook {
    IPoolManager private immutable MANAGER;
    uint24 public fee;
    int256 public shareBips;
    bytes public wanted;

    constructor(IPoolManager manager) {
        MANAGER = manager;
    }

    /// @param fee_ Millionths; zero leaves the pool's own.
    /// @param shareBips_ Hundredths of a percent of the output.
    function set(uint24 fee_, int256 shareBips_, bytes calldata wanted_) external {
        (fee, shareBips, wanted) = (fee_, shareBips_, wanted_);
    }

    /// @notice Writes the pool's own fee, which its slot then tells.
    function setPoolFee(IPoolManager.PoolKey calldata key, uint24 fee_) external {
        MANAGER.updateDynamicLPFee(key, fee_);
    }

    function beforeSwap(
        address,
        IPoolManager.PoolKey calldata,
        IPoolManager.SwapParams calldata,
        bytes calldata data
    ) external view returns (bytes4, int256, uint24) {
        require(keccak256(data) == keccak256(wanted), "hook data");
        // bit 22: overrides the fee for this swap
        return (TakingHook.beforeSwap.selector, 0, fee == 0 ? 0 : fee | 0x400000);
    }

    /// @dev Swaps here are of exact inputs, so that what comes out is the amount that was not specified.
    function afterSwap(
        address,
        IPoolManager.PoolKey calldata key,
        IPoolManager.SwapParams calldata params,
        int256 delta,
        bytes calldata
    ) external returns (bytes4, int128) {
        int256 output = params.zeroForOne ? int256(int128(delta)) : delta >> 128;
        int256 taken = (output * shareBips) / 10_000;
        if (taken > 0) MANAGER.take(params.zeroForOne ? key.currency1 : key.currency0, address(this), uint256(taken));
        return (TakingHook.afterSwap.selector, int128(taken));
    }
}
