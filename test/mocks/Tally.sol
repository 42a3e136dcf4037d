// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Counts how often each intent was carried out, so that the chain itself tells what was done twice.
contract Tally {
    mapping(bytes32 => uint256) public times;

    event Done(bytes32 indexed id, address indexed by);

    function done(bytes32 id) external payable {
        ++times[id];
        emit Done(id, msg.sender);
    }
}
