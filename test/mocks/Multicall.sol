// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IMulticall3} from "../../contracts/interfaces/IMulticall3.sol";

/// @notice What the program uses of Multicall3; tests put it at Multicall3's address.
contract Multicall {
    function aggregate3(
        IMulticall3.Call3[] calldata calls
    ) external payable returns (IMulticall3.Result[] memory returnData) {
        returnData = new IMulticall3.Result[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool success, bytes memory data) = calls[i].target.call(calls[i].callData);
            require(success || calls[i].allowFailure, "Multicall3: call failed");
            returnData[i] = IMulticall3.Result(success, data);
        }
    }
}
