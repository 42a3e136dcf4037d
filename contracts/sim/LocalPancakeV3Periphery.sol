// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IUniswapV3Pool} from "../interfaces/IUniswapV3Pool.sol";

interface IPancakeV3PoolMint {
    function mint(
        address recipient,
        int24 tickLower,
        int24 tickUpper,
        uint128 amount,
        bytes calldata data
    ) external returns (uint256 amount0, uint256 amount1);
}

/// @notice Adds liquidity to PancakeSwap V3 pools and swaps in them on local chains; npm carries no bytecode of their
/// routers. Pays by `transferFrom` of the caller. For local chains only: it trusts the pool that it is given.
contract LocalPancakeV3Periphery {
    uint160 private constant MIN_SQRT_RATIO = 4295128739;
    uint160 private constant MAX_SQRT_RATIO = 1461446703485210103287273052203988822378723970342;

    function mint(address pool, int24 tickLower, int24 tickUpper, uint128 liquidity) external {
        IPancakeV3PoolMint(pool).mint(msg.sender, tickLower, tickUpper, liquidity, abi.encode(pool, msg.sender));
    }

    /// @notice Sells `amountIn` of `tokenIn` for as much as the pool gives.
    function exactInput(address pool, address tokenIn, uint256 amountIn) external returns (uint256 amountOut) {
        bool zeroForOne = tokenIn == IUniswapV3Pool(pool).token0();
        (int256 amount0, int256 amount1) = IUniswapV3Pool(pool).swap(
            msg.sender,
            zeroForOne,
            int256(amountIn),
            zeroForOne ? MIN_SQRT_RATIO + 1 : MAX_SQRT_RATIO - 1,
            abi.encode(pool, msg.sender)
        );
        return uint256(-(zeroForOne ? amount1 : amount0));
    }

    function pancakeV3MintCallback(uint256 amount0Owed, uint256 amount1Owed, bytes calldata data) external {
        _pay(int256(amount0Owed), int256(amount1Owed), data);
    }

    function pancakeV3SwapCallback(int256 amount0Delta, int256 amount1Delta, bytes calldata data) external {
        _pay(amount0Delta, amount1Delta, data);
    }

    function _pay(int256 amount0, int256 amount1, bytes calldata data) private {
        (address pool, address payer) = abi.decode(data, (address, address));
        require(msg.sender == pool, "not the pool");
        if (amount0 > 0) IERC20(IUniswapV3Pool(pool).token0()).transferFrom(payer, pool, uint256(amount0));
        if (amount1 > 0) IERC20(IUniswapV3Pool(pool).token1()).transferFrom(payer, pool, uint256(amount1));
    }
}
