// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Plays any part in a test: a fake pool, a fake lender, a token's hook, an operator that is a contract. Whatever it is
/// called with, it makes the calls scripted for that selector and gives the scripted answer.
contract Scripted {
    struct Step {
        address target;
        bytes data;
        bool mayFail;
    }

    event Stepped(bytes4 indexed selector, uint256 index, bool success, bytes result);

    mapping(bytes4 => Step[]) private steps;
    mapping(bytes4 => bytes) private answers;

    function script(bytes4 selector, Step[] calldata list, bytes calldata answer) external {
        delete steps[selector];
        for (uint256 i = 0; i < list.length; ++i) steps[selector].push(list[i]);
        answers[selector] = answer;
    }

    /// @notice Makes the calls right now.
    function run(Step[] calldata list) external payable {
        for (uint256 i = 0; i < list.length; ++i) _step(list[i], i);
    }

    receive() external payable {}

    fallback() external payable {
        Step[] storage list = steps[msg.sig];
        for (uint256 i = 0; i < list.length; ++i) _step(list[i], i);
        bytes memory answer = answers[msg.sig];
        assembly ("memory-safe") {
            return(add(answer, 32), mload(answer))
        }
    }

    function _step(Step memory step, uint256 index) private {
        (bool success, bytes memory result) = step.target.call(step.data);
        if (!success && !step.mayFail) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
        emit Stepped(msg.sig, index, success, result);
    }
}

/// @notice Puts ETH into an address that refuses it.
contract ForceEther {
    constructor(address payable to) payable {
        selfdestruct(to);
    }
}
