// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Factory of Uniswap V2 and its forks.
interface IUniswapV2Factory {
    function getPair(address tokenA, address tokenB) external view returns (address pair);
    function createPair(address tokenA, address tokenB) external returns (address pair);
}
