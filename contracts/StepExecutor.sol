// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ArbExecutor} from "./ArbExecutor.sol";
import {StepRunner} from "./StepRunner.sol";

/// @title StepExecutor
/// @notice An ArbExecutor that also runs plans of steps: Curve, Balancer, ERC-4626, Solidly, every lender, splits. Roles, functions and
/// the other formats are ArbExecutor's; the layout of steps is at StepRunner. It is a contract of its own so that the plans that
/// race for gas do not pay for what they do not use. ArbExecutor's guarantees hold, but for plans of steps, which start with the
/// hexadecimal digit B, StepRunner's list stands in the place of 2 and 3.
contract StepExecutor is ArbExecutor, StepRunner {
    /// @param owner_ Who may rescue assets and hand over ownership; not zero and not an operator.
    /// @param operators_ One to four different addresses, none zero, which may execute plans.
    constructor(address owner_, address[] memory operators_) ArbExecutor(owner_, operators_) {}

    function _servesMore() internal override returns (bool) {
        return _servesSteps();
    }

    function _startMore() internal override {
        _startSteps();
    }
}
