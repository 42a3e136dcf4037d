// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Multicall3, at the same address on every network.
interface IMulticall3 {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }

    struct Result {
        bool success;
        bytes returnData;
    }

    function aggregate3(Call3[] calldata calls) external payable returns (Result[] memory returnData);
    function getEthBalance(address addr) external view returns (uint256 balance);
    function getBlockHash(uint256 blockNumber) external view returns (bytes32 blockHash);
    function getBlockNumber() external view returns (uint256 blockNumber);
}
