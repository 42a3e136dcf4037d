// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice The parts of Balancer V2's vault that flash loans use.
interface IBalancerV2Vault {
    function flashLoan(
        address recipient,
        address[] calldata tokens,
        uint256[] calldata amounts,
        bytes calldata userData
    ) external;
    function getProtocolFeesCollector() external view returns (address);
}
