// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Factory of Uniswap V3 and its forks.
interface IUniswapV3Factory {
    function getPool(address tokenA, address tokenB, uint24 fee) external view returns (address pool);
    function createPool(address tokenA, address tokenB, uint24 fee) external returns (address pool);
}
