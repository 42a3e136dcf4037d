// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice The parts of Aave V3's pool that flash loans use.
interface IAaveV3Pool {
    function flashLoanSimple(
        address receiverAddress,
        address asset,
        uint256 amount,
        bytes calldata params,
        uint16 referralCode
    ) external;
    /// @notice Fee of a flash loan in basis points.
    function FLASHLOAN_PREMIUM_TOTAL() external view returns (uint128);
    /// @notice Packed settings of a reserve: bit 56 active, 57 frozen, 60 paused, 63 flash loans enabled.
    function getConfiguration(address asset) external view returns (uint256 data);
    function supply(address asset, uint256 amount, address onBehalfOf, uint16 referralCode) external;
}
