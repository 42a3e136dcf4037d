// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Answers the two reads that a quote of Balancer V2's flash loan makes.
contract BalancerFees {
    uint256 public getFlashLoanFeePercentage;

    constructor(uint256 fraction) {
        getFlashLoanFeePercentage = fraction;
    }

    function getProtocolFeesCollector() external view returns (address) {
        return address(this);
    }
}
