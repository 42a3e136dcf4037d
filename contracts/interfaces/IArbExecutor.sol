// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title IArbExecutor
/// @notice The functions of ArbExecutor. The contract dispatches them itself, behind its hot path: solc's dispatcher costs a
/// plan about 210 gas in each of its frames. Its events and errors are declared by the contract.
interface IArbExecutor {
    /// @notice Executes a plan; the same as sending its bare bytes, for tools that need an ABI.
    /// @dev Reverts with NotOperator, PlanRunning or MalformedPlan, with what a guard of the plan says (Expired,
    /// OutsideBlockWindow, WrongParent, PoolMoved, PaymentAboveCap, LenderFeeAboveCap, GasPriceMissing, the Tip errors,
    /// ProfitTooLow), with AllowanceLeft, TokenCallFailed or UnexpectedCallback, or with what a pool, a token or a lender
    /// reverted with.
    /// @param plan The plan in the layout described at ArbExecutor; src/plan/codec.ts writes it.
    function execute(bytes calldata plan) external;

    /// @notice Sends a token to the owner, all but one unit, which keeps the next plan about 17,000 gas cheaper. For the
    /// owner and the operators.
    /// @dev Reverts with NotOwner, PlanRunning or TokenCallFailed. Does nothing if there is at most one unit.
    function sweep(address token) external;

    /// @notice Takes a token out, to the owner.
    /// @dev Reverts with NotOwner, PlanRunning or TokenCallFailed.
    /// @param token An ERC-20; it may return nothing.
    /// @param amount In base units; the greatest uint256 takes everything.
    function rescue(address token, uint256 amount) external;

    /// @notice Takes out ETH that was forced in, to the owner.
    /// @dev Reverts with NotOwner, PlanRunning or NativeTransferFailed.
    /// @param amount In wei; the greatest uint256 takes everything.
    function rescueNative(uint256 amount) external;

    /// @notice Offers ownership to an address, which must accept it. A later offer replaces it; zero withdraws it.
    /// @dev Reverts with NotOwner, PlanRunning, or InvalidOwner if the address is an operator.
    function transferOwnership(address newOwner) external;

    /// @notice Accepts ownership that was offered to the caller.
    /// @dev Reverts with NotOwner or PlanRunning.
    function acceptOwnership() external;

    /// @notice The only address that assets can be taken out to.
    function owner() external view returns (address);

    /// @notice Address that may accept ownership; zero if none is offered.
    function pendingOwner() external view returns (address);

    /// @notice The operators, in the order of the constructor's argument.
    function operators() external view returns (address[] memory);
}
