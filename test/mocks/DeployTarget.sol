// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Has what matters for deploying the executor: its constructor's arguments, and immutables that differ by chain.
contract DeployTarget {
    address public immutable owner;
    address public immutable operator;
    uint256 public immutable chain;

    constructor(address owner_, address[] memory operators) {
        owner = owner_;
        operator = operators[0];
        chain = block.chainid;
    }
}
