// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "./IERC20.sol";

/// @notice Wrapped native currency.
interface IWETH9 is IERC20 {
    event Deposit(address indexed dst, uint256 wad);
    event Withdrawal(address indexed src, uint256 wad);

    function deposit() external payable;
    function withdraw(uint256 wad) external;
}
