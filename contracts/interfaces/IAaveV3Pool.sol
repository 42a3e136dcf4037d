// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice The parts of Aave V3's pool that flash loans use.
interface IAaveV3Pool {
    /// @notice What `getReserveData` returns: 15 static words, the same in every version.
    struct ReserveData {
        uint256 configuration;
        uint128 liquidityIndex;
        uint128 currentLiquidityRate;
        uint128 variableBorrowIndex;
        uint128 currentVariableBorrowRate;
        uint128 currentStableBorrowRate;
        uint40 lastUpdateTimestamp;
        uint16 id;
        address aTokenAddress;
        address stableDebtTokenAddress;
        address variableDebtTokenAddress;
        address interestRateStrategyAddress;
        uint128 accruedToTreasury;
        uint128 unbacked;
        uint128 isolationModeTotalDebt;
    }

    function flashLoanSimple(
        address receiverAddress,
        address asset,
        uint256 amount,
        bytes calldata params,
        uint16 referralCode
    ) external;
    /// @notice Fee of a flash loan in basis points.
    function FLASHLOAN_PREMIUM_TOTAL() external view returns (uint128);
    /// @notice Packed settings of a reserve: bit 56 active, 57 frozen, 60 paused, 63 flash loans enabled.
    function getConfiguration(address asset) external view returns (uint256 data);
    function getReserveData(address asset) external view returns (ReserveData memory);
    /// @notice Version of the code: 8 = Aave v3.4, 9 = v3.5.
    function POOL_REVISION() external view returns (uint256);
    /// @notice Tokens that the pool counts as its own (every reserve since v3.4): donations cannot be lent.
    function getVirtualUnderlyingBalance(address asset) external view returns (uint128);
    function supply(address asset, uint256 amount, address onBehalfOf, uint16 referralCode) external;
}
