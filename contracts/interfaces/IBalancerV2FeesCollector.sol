// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Tells the fee of Balancer V2 flash loans.
interface IBalancerV2FeesCollector {
    /// @notice Fee as a fraction of 1e18.
    function getFlashLoanFeePercentage() external view returns (uint256);
}
